"""Each platform gets identifiers as it wants them: the golden vectors beside the specs."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
import pytest
import yaml

from o2o_mining.core.errors import UsageError
from o2o_mining.exports import platforms, read_spec
from o2o_mining.exports.identifiers import STEPS, encode
from o2o_mining.exports.specs import _FOLDER

_SPECS = {platform: read_spec(platform) for platform in platforms()}
_VECTORS = {p: yaml.safe_load(_FOLDER.joinpath(f"{p}.golden.yaml").read_text("utf-8")) for p in _SPECS}
_EVERY = [pytest.param(p, v, id=f"{p}: {v['about']}") for p, vectors in _VECTORS.items() for v in vectors]


@pytest.mark.parametrize(("platform", "vector"), _EVERY)
def test_a_golden_vector_comes_out_as_published(platform: str, vector: dict[str, Any]) -> None:
    if "hashed" in vector:  # what stands in the file of vectors is itself right
        assert hashlib.sha256(vector["hashed"].encode()).hexdigest() == vector["sha256"]
    column = _SPECS[platform].column(vector["column"])
    if "variant" in vector:
        column = column.following(vector["variant"])
    cells, reasons = encode(pa.array([vector["given"], None]), column, region=vector.get("region", ""))
    assert cells.to_pylist() == [vector.get("sha256", vector.get("written")), None]
    assert reasons.to_pylist() == [vector.get("rejected"), None]


@pytest.mark.parametrize("platform", _SPECS)
def test_every_column_and_variant_has_a_golden_vector(platform: str) -> None:
    seen = {(v["column"], v.get("variant", _SPECS[platform].column(v["column"]).variant)) for v in _VECTORS[platform]}
    assert {(c.heading, variant) for c in _SPECS[platform].columns for variant in c.variants or [""]} == seen


@pytest.mark.parametrize("platform", ["google-customer-match", "meta-customer-list", "tiktok"])
def test_what_every_platform_must_be_shown_with_is_there(platform: str) -> None:
    given = "".join(vector["given"] for vector in _VECTORS[platform])
    for known in ("+Deals@gmail.com", "ANN.Lee", "+86 138", "090-1234-5678", "+44 (0)20"):
        assert known in given


@pytest.mark.parametrize("platform", _SPECS)
def test_a_spec_says_what_it_is_and_names_only_steps_that_exist(platform: str) -> None:
    spec = _SPECS[platform]
    assert (spec.id, spec.purpose, spec.layout in ("csv", "lines")) == (platform, "ads", True)
    assert spec.version >= 1
    assert spec.checked_on.year == 2026
    assert all(source.startswith("https://") for source in spec.sources)
    assert any(column.identifies for column in spec.columns)
    for column in spec.columns:
        assert {step for steps in [column.steps, *column.variants.values()] for step in steps} <= set(STEPS)


def test_the_same_phone_has_different_hashes_at_google_and_at_meta() -> None:
    phone = pa.array(["+86 138-0013-8000"])
    at_google, _ = encode(phone, _SPECS["google-customer-match"].column("Phone"))
    at_meta, _ = encode(phone, _SPECS["meta-customer-list"].column("phone"))
    assert at_google.to_pylist() == [hashlib.sha256(b"+8613800138000").hexdigest()]
    assert at_meta.to_pylist() == [hashlib.sha256(b"8613800138000").hexdigest()]


def test_the_headings_are_the_platforms_own() -> None:
    headings = {platform: ",".join(column.heading for column in spec.columns) for platform, spec in _SPECS.items()}
    assert headings == {
        "google-customer-match": "Email,Phone,First Name,Last Name,Country,Zip",
        "meta-customer-list": "email,phone,fn,ln,zip,ct,st,country,dob,gen,uid,value,madid",
        "tiktok": "Email_SHA256,Phone_SHA256,MAID_SHA256",
        "tencent": "SHA256_MOBILE_PHONE",
        "line": "user_id",
    }


def test_no_column_is_hashed_that_the_platform_wants_plain() -> None:
    plain = {platform: {c.heading for c in spec.columns if not c.hashed} for platform, spec in _SPECS.items()}
    assert plain == {
        "google-customer-match": {"Country", "Zip"},
        "meta-customer-list": {"uid", "madid"},
        "tiktok": set(),
        "tencent": set(),
        "line": {"user_id"},
    }


def test_an_unknown_platform_or_variant_names_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"no platform 'bing'.*google-customer-match, line"):
        read_spec("bing")
    with pytest.raises(UsageError, match=r"column Phone_SHA256 has no variant 'dots'.*with_plus, digits"):
        _SPECS["tiktok"].column("Phone_SHA256").following("dots")
