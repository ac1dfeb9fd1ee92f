"""The rules for files of ad platforms, each with the violation planted."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from o2o_mining.core.errors import O2OError, UsageError
from o2o_mining.core.settings import Settings
from o2o_mining.exports import ExportReport, NobodyError, Order, export_segment, read_spec
from o2o_mining.exports.audiences import write_audience
from tests.unit.exports.rows import ASSUMING, SETTINGS, Publish, Rows, held, member, says, segment_name

GOOGLE, META, TIKTOK, TENCENT, LINE = "google-customer-match", "meta-customer-list", "tiktok", "tencent", "line"
NOTHING = hashlib.sha256(b"").hexdigest()


def _ids(count: int) -> list[str]:
    return [f"c{number:05d}" for number in range(count)]


def _contact(customer_id: str, **more: Any) -> dict[str, Any]:
    mobile = f"+86138{int(customer_id[1:]):08d}"
    return {"customer_id": customer_id, "email": f"{customer_id}@example.com", "phone": mobile, **more}


def _export(
    publish: Publish,
    platform: str,
    contacts: Rows,
    *,
    settings: Settings = ASSUMING,
    folder: str = "home",
    order: Sequence[tuple[str, Any]] = (),
    **tables: Rows,
) -> ExportReport:
    members = [member(contact["customer_id"]) for contact in contacts]
    home = publish(folder, segments=members, customer_contacts=contacts, **tables)
    asked = {"segment_name": segment_name, "settings": settings, "requested_by": "ann", **dict(order)}
    return export_segment(home, "champions", platform=platform, **asked)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _written(platform: str, folder: Path, caps: Mapping[str, int] = {}, **fields: list[str | None]) -> list[Path]:
    """Write one batch in a platform's format, under other caps than its own."""
    spec = replace(read_spec(platform), **caps)  # type: ignore[arg-type]
    batch = pa.record_batch({name: pa.array(values, pa.string()) for name, values in fields.items()})
    made = write_audience([batch], spec, folder / f"list.{spec.ending}", region="")
    return [file for file, _ in made.parts]


def test_google_gets_hashed_columns_under_its_headings_without_byte_order_mark(publish: Publish) -> None:
    report = _export(publish, GOOGLE, [_contact(one) for one in _ids(100)])
    raw = report.path.read_bytes()
    assert raw.startswith(b"Email,Phone\n")
    assert _rows(report.path)[7] == {"Email": _sha("c00007@example.com"), "Phone": _sha("+8613800000007")}
    assert report.path.name == "segment-champions-2018-01-01.google-customer-match.csv"


def test_tencent_gets_one_hash_a_line_in_a_zip(publish: Publish) -> None:
    report = _export(publish, TENCENT, [_contact(one) for one in _ids(2000)])
    with zipfile.ZipFile(report.path) as archive:
        assert archive.namelist() == ["segment-champions-2018-01-01.tencent.txt"]
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    assert (len(lines), lines[3], report.rows) == (2000, _sha("13800000003"), 2000)
    assert (report.manifest["id_type"], report.manifest["operation"]) == ("SHA256_MOBILE_PHONE", "append")


def test_tencent_alone_can_be_asked_to_take_people_off(publish: Publish) -> None:
    contacts = [_contact(one) for one in _ids(2000)]
    report = _export(publish, TENCENT, contacts, order=[("operation", "reduce")])
    assert (report.path.name, report.manifest["operation"]) == (
        "segment-champions-2018-01-01.tencent-reduce.zip", "reduce",
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"google-customer-match knows no operation 'reduce'"):
        Order(SETTINGS, platform=GOOGLE, operation="reduce")
    with pytest.raises(UsageError, match=r"tencent knows no operation 'replace'.*append, reduce"):
        Order(SETTINGS, platform=TENCENT, operation="replace")


def test_line_gets_the_customer_ids_that_are_its_user_ids(publish: Publish) -> None:
    user = f"U{_sha('ann')[:32]}"
    report = _export(publish, LINE, [{"customer_id": user}, {"customer_id": "c00001"}])
    assert report.path.read_text(encoding="utf-8") == f"{user}\n"
    assert report.left_out == {"no_identifier": 1}


# 1. Consent by the last word, no holdout member.


def test_consent_to_marketing_is_none_to_ads(publish: Publish) -> None:
    ids = _ids(120)
    words = [says(one, True, purpose="ads") for one in ids[:100]]
    words += [says(ids[100], True), says(ids[101], False, purpose="ads"), says(ids[0], False)]
    customers = [{"customer_id": one, "consent_marketing": True} for one in ids]
    report = _export(
        publish, GOOGLE, [_contact(one) for one in ids], settings=SETTINGS, consents=words, customers=customers
    )
    assert report.rows == 100
    assert {row["Email"] for row in _rows(report.path)} == {_sha(f"{one}@example.com") for one in ids[:100]}
    assert report.left_out == {"consent_refused": 1, "no_word_on_consent": 19}
    assert report.manifest["purpose"] == "ads"


def test_a_list_that_is_empty_for_lack_of_consent_to_ads_names_count_and_setting(publish: Publish) -> None:
    words = [says(one, True) for one in _ids(100)]
    contacts = [_contact(one) for one in _ids(100)]
    with pytest.raises(
        NobodyError, match=r"nobody of the 100 .* list for ads: 0 refused ads, 100 never .*assumed_consent"
    ):
        _export(publish, GOOGLE, contacts, settings=SETTINGS, consents=words)


@pytest.mark.parametrize("platform", ["", GOOGLE])
def test_nobody_held_out_of_all_offers_is_on_a_segment_list(publish: Publish, platform: str) -> None:
    # Whether a plan names them or not: this one names nobody who is held out of everything.
    ids, settings = _ids(200), replace(ASSUMING, global_holdout_share=0.05)
    least = format(int(0.05 * 2**32), "08x")
    out = [one for one in ids if hashlib.md5(f"holdout:{one}".encode(), usedforsecurity=False).hexdigest()[:8] < least]
    kept = [held(ids[1], "spring", "campaign")]
    report = _export(publish, platform, [_contact(one) for one in ids], settings=settings, offer_holdouts=kept)
    assert (len(out), report.rows, report.left_out) == (11, 189, {"holdout": 11})
    text = report.path.read_text(encoding="utf-8")
    assert not any(one in text or _sha(f"{one}@example.com") in text for one in out)
    assert f"{len(out)} of 200 customers left out: they are held out to measure what offers bring" in report.notes


# 2. Nothing is never hashed, what is hashed not once more.


@pytest.mark.parametrize("platform", [GOOGLE, META, TIKTOK])
def test_what_normalises_to_nothing_is_blank_and_its_hash_occurs_nowhere(tmp_path: Path, platform: str) -> None:
    given = ["", " ", "\u3000", "-", "+", "@", NOTHING, NOTHING.upper(), None]
    emails, phones = [*given, "a@b.cc"], ["+86138 0013 8000", *given]
    (file,) = _written(platform, tmp_path, customer_id=[*_ids(10)], email=emails, phone=phones)
    text = file.read_text(encoding="utf-8")
    assert NOTHING not in text
    assert [line.count(",") for line in text.splitlines()] == [1, 1, 1]
    assert [len(cell) for line in text.splitlines()[1:] for cell in line.split(",")] == [0, 64, 64, 0]


def test_an_identifier_that_is_hashed_is_not_hashed_twice(tmp_path: Path) -> None:
    email, phone = _sha("ann@example.com"), _sha("+8613800138000").upper()
    (file,) = _written(GOOGLE, tmp_path, customer_id=["ann"], email=[f" {email} "], phone=[phone])
    assert _rows(file) == [{"Email": email, "Phone": phone.lower()}]


# 3. What cannot be normalised is told, never shown.


def test_rejects_name_row_field_and_reason_and_never_the_raw_value(publish: Publish) -> None:
    contacts = [_contact(one) for one in _ids(103)]
    contacts[1] |= {"email": "secret at example.com"}
    contacts[4] |= {"phone": "0912 345 678"}
    contacts[5] |= {"phone": "+86 1", "email": None}
    report = _export(publish, GOOGLE, contacts)
    assert report.rejects_path == report.path.with_name(
        "segment-champions-2018-01-01.google-customer-match.rejects.csv"
    )
    text = report.rejects_path.read_text(encoding="utf-8-sig")
    assert text.splitlines() == [
        "row,customer_id,field,reason",
        "2,c00001,email,not_an_email_address",
        "5,c00004,phone,no_country_code",
        "6,c00005,phone,not_a_phone_number",
    ]
    assert report.rows == 102
    assert report.left_out == {"no_identifier": 1}
    assert report.manifest["rejected"] == [
        {"field": "email", "reason": "not_an_email_address", "rows": 1},
        {"field": "phone", "reason": "no_country_code", "rows": 1},
        {"field": "phone", "reason": "not_a_phone_number", "rows": 1},
    ]


def test_an_id_that_is_a_phone_number_or_a_formula_is_made_harmless_in_the_rejects(tmp_path: Path) -> None:
    ids: list[str | None] = ["+8613800138000", "=1+1"]
    _written(GOOGLE, tmp_path, customer_id=ids, email=["x", "y"], phone=["+86138 0013 8000"] * 2)
    assert (tmp_path / "list.rejects.csv").read_text(encoding="utf-8-sig").splitlines()[1:] == [
        "1,<phone>,email,not_an_email_address",
        "2,'=1+1,email,not_an_email_address",
    ]


def test_the_country_of_the_home_is_that_of_numbers_without_one(publish: Publish) -> None:
    contacts = [_contact(one, phone=f"0912-{int(one[1:]):06d}", email=None) for one in _ids(100)]
    report = _export(publish, GOOGLE, contacts, settings=replace(ASSUMING, phone_region="TW"))
    assert _rows(report.path)[9]["Phone"] == _sha("+886912000009")
    assert report.manifest["phone_region"] == "TW"
    with pytest.raises(NobodyError, match=r"0 customers .* 100 have nothing .*no_country_code.*phone_region"):
        _export(publish, GOOGLE, contacts, folder="abroad")
    with pytest.raises(UsageError, match=r"phone_region = 'XX' is no country"):
        _export(publish, GOOGLE, contacts, folder="nowhere", settings=replace(ASSUMING, phone_region="XX"))


# 4. A list that is too small is refused.


@pytest.mark.parametrize(("platform", "least"), [(GOOGLE, 100), (META, 100), (TIKTOK, 1000), (TENCENT, 2000)])
def test_a_list_smaller_than_the_platform_takes_is_refused(publish: Publish, platform: str, least: int) -> None:
    contacts = [_contact(one) for one in _ids(least)]
    contacts[-1] |= {"phone": "x", "email": "x"}  # without this one it is too small
    with pytest.raises(
        NobodyError, match=rf"{least - 1} customers can be matched, .* at least {least}: 1 have nothing"
    ):
        _export(publish, platform, contacts)


def test_a_list_too_small_for_lack_of_consent_says_how_many_and_names_the_setting(publish: Publish) -> None:
    words = [says("c00000", True, purpose="ads"), says("c00001", False, purpose="ads")]
    said = r"1 customers can be matched.* 1 refused ads, 118 never said a word on ads.*assumed_consent"
    with pytest.raises(NobodyError, match=said):
        _export(publish, GOOGLE, [_contact(one) for one in _ids(120)], settings=SETTINGS, consents=words)


def test_a_refused_list_leaves_nothing(publish: Publish, tmp_path: Path) -> None:
    with pytest.raises(O2OError, match=r"3 customers can be matched"):
        _export(publish, GOOGLE, [_contact(one) for one in _ids(3)])
    assert list((tmp_path / "home" / "exports").iterdir()) == []


# 5. Over the cap a file is split, and nothing is cut.


@pytest.mark.parametrize(("caps", "rows"), [({"most_rows": 3}, [3, 3, 1]), ({"most_rows": 7}, [7]), ({}, [7])])
def test_a_file_over_the_cap_of_rows_is_split(tmp_path: Path, caps: dict[str, int], rows: list[int]) -> None:
    ids = [f"U{_sha(str(number))[:32]}" for number in range(7)]
    files = _written(LINE, tmp_path, caps, customer_id=[*ids])
    assert [len(file.read_text(encoding="utf-8").splitlines()) for file in files] == rows
    assert "".join(file.read_text(encoding="utf-8") for file in files).splitlines() == ids
    several = [f"list.part-{number}-of-{len(rows)}.txt" for number in range(1, len(rows) + 1)]
    assert [file.name for file in files] == (several if len(rows) > 1 else ["list.txt"])


def test_a_file_over_the_cap_of_bytes_is_split_and_each_part_has_the_headings(tmp_path: Path) -> None:
    emails = [f"{one}@example.com" for one in _ids(9)]
    files = _written(TIKTOK, tmp_path, {"most_bytes": 250}, customer_id=[*_ids(9)], email=[*emails], phone=[None] * 9)
    assert all(file.stat().st_size <= 250 for file in files)
    assert [row["Email_SHA256"] for file in files for row in _rows(file)] == [_sha(one) for one in emails]


def test_a_zip_and_its_parts_stay_below_the_cap(tmp_path: Path) -> None:
    phones = [f"+861380000{number:04d}" for number in range(50)]
    files = _written(
        TENCENT, tmp_path, {"most_bytes": 65 * 20}, customer_id=[*_ids(50)], phone=[*phones], email=[None] * 50
    )
    assert [file.name for file in files] == [f"list.part-{number}-of-3.zip" for number in (1, 2, 3)]
    with zipfile.ZipFile(files[2]) as archive:
        assert archive.namelist() == ["list.part-3-of-3.txt"]
        assert len(archive.read("list.part-3-of-3.txt").splitlines()) == 10


def test_every_part_has_its_manifest_and_parts_of_a_former_request_go(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts = [{"customer_id": f"U{_sha(one)[:32]}"} for one in _ids(7)]
    members = [member(contact["customer_id"]) for contact in contacts]
    home = publish(segments=members, customer_contacts=contacts)
    spec = read_spec(LINE)
    for most, names in ((3, ["part-1-of-3.txt", "part-2-of-3.txt", "part-3-of-3.txt"]), (9, ["txt"])):
        monkeypatch.setattr("o2o_mining.exports.release.read_spec", lambda _, most=most: replace(spec, most_rows=most))
        report = export_segment(home, "champions", segment_name=segment_name, settings=ASSUMING, platform=LINE)
        stem = "segment-champions-2018-01-01.line."
        found = sorted(file.name for file in (home.path / "exports").iterdir())
        assert found == sorted(f"{stem}{name}{end}" for name in names for end in ("", ".manifest.json"))
        assert [file.name for file in report.files] == [f"{stem}{name}" for name in names]
        for number, file in enumerate(report.files, start=1):
            manifest = json.loads(file.with_name(f"{file.name}.manifest.json").read_text(encoding="utf-8"))
            assert (manifest["part"], manifest["parts"], manifest["rows_of_all_parts"]) == (number, len(names), 7)
            assert manifest["rows"] == len(file.read_text(encoding="utf-8").splitlines())
            assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


# 6. The manifest.


def test_the_manifest_tells_what_the_file_is_and_who_is_not_in_it(publish: Publish) -> None:
    contacts = [_contact(one) for one in _ids(103)]
    contacts[0] |= {"phone": None, "email": None}
    words = [says("c00001", False, purpose="ads"), says("c00002", True, purpose="ads")]
    report = _export(publish, META, contacts, consents=words)
    manifest = json.loads(report.manifest_path.read_text(encoding="utf-8"))
    assert manifest == report.manifest
    said = {
        key: manifest[key] for key in ("rows", "spec", "spec_version", "segment", "as_of", "purpose", "requested_by")
    }
    assert said == {
        "rows": 101, "spec": META, "spec_version": 1, "segment": "champions", "as_of": "2018-01-01", "purpose": "ads",
        "requested_by": "ann",
    }  # fmt: skip
    assert manifest["sha256"] == hashlib.sha256(report.path.read_bytes()).hexdigest()
    assert manifest["consent"] == {
        "basis": "the last word in the snapshot", "assumed_consent": True, "rows_stated": 1, "rows_assumed": 101,
    }  # fmt: skip
    assert manifest["left_out"] == [{"reason": "consent_refused", "rows": 1}, {"reason": "no_identifier", "rows": 1}]
    assert "variants" in manifest


def test_the_manifest_names_the_description_that_was_followed(publish: Publish) -> None:
    report = _export(publish, TIKTOK, [_contact(one) for one in _ids(1000)])
    assert report.manifest["variants"] == {"Email_SHA256": "as_given", "Phone_SHA256": "with_plus"}


# 7. The same request on the same snapshot.


@pytest.mark.parametrize(("platform", "count"), [(GOOGLE, 120), (TENCENT, 2010)])
def test_the_same_request_gives_the_same_bytes(publish: Publish, platform: str, count: int) -> None:
    contacts = [_contact(one) for one in _ids(count)]
    contacts[5] |= {"phone": "x", "email": "y"}
    done = [
        _export(publish, platform, rows, folder=folder) for folder, rows in (("one", contacts), ("two", contacts[::-1]))
    ]
    parts = [(r.path, r.manifest_path, r.rejects_path) for r in done]
    assert len({tuple(path.read_bytes() for path in paths if path) for paths in parts}) == 1


# A dry run.


def test_a_dry_run_tells_the_same_and_writes_nothing(publish: Publish, tmp_path: Path) -> None:
    contacts = [_contact(one) for one in _ids(105)]
    contacts[5] |= {"phone": "x", "email": "y"}
    words = [says("c00001", False, purpose="ads")]
    would = _export(publish, GOOGLE, contacts, consents=words, order=[("dry_run", True)])
    assert not (tmp_path / "home" / "exports").exists()
    did = _export(publish, GOOGLE, contacts, consents=words, folder="wet")
    assert (would.rows, would.left_out, would.notes, would.manifest["sha256"]) == (
        did.rows, did.left_out, did.notes, did.manifest["sha256"],
    )  # fmt: skip
    assert (would.dry_run, did.dry_run) == (True, False)
    assert would.left_out == {"consent_refused": 1, "no_identifier": 1}


def test_a_dry_run_for_people_writes_nothing(publish: Publish) -> None:
    home = publish(segments=[member("a")])
    report = export_segment(home, "champions", segment_name=segment_name, settings=ASSUMING, dry_run=True)
    assert report.rows == 1
    assert not (home.path / "exports").exists()


def test_the_ending_of_the_file_is_the_platforms(publish: Publish, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"list.csv does not end with .zip"):
        Order(SETTINGS, platform=TENCENT, out=tmp_path / "list.csv")
    report = _export(publish, GOOGLE, [_contact(one) for one in _ids(100)], order=[("out", tmp_path / "mine.csv")])
    assert report.path == tmp_path / "mine.csv"
    assert report.path.exists()
