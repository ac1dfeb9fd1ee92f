"""Commands as a user types them: what they print, what they leave, and with which code they end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import o2o_mining
from o2o_mining.cli import main
from o2o_mining.engine.origin import read_origin
from pipelines.execution import run
from pipelines.house import ui_command
from tests.scenarios.feeds import write

# What they share is made once.
pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Return a home with one run, one rejected row and one file that is no feed, and what the run printed."""
    folder = tmp_path_factory.mktemp("cli")
    given = write(folder / "in")
    with (given / "touches.csv").open("a", encoding="utf-8") as file:
        file.write("t9,ann,yesterday,social,,click,ann@example.com\n")
    (given / "notes.txt").write_text("hello")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("O2O_HOME", "O2O_SOURCE", "O2O_INPUT", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)
        return folder / "home", o2o("run", "--source", "folder", "--input", str(given), "--home", "home")


@pytest.fixture(scope="module")
def home(first_run: tuple[Path, Result]) -> Path:
    return first_run[0]


def o2o(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_status_says_source_snapshot_days_and_traced_share(home: Path) -> None:
    done = o2o("status", "--home", str(home))
    assert done.exit_code == 0, done.output
    assert "source folder" in done.stdout
    assert "2024-03-21" in done.stdout
    assert "made from 9 input files" in done.stdout
    assert "Traced back online" in done.stdout


def test_status_for_machines_is_one_document(home: Path) -> None:
    said = json.loads(o2o("status", "--home", str(home), "--json").stdout)
    assert said["tables"]["purchases"]["rows"] == 5
    assert said["tables"]["segments"]["days"] == ["2024-03-21"]
    assert said["running"] == ""


def test_the_home_may_come_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O2O_HOME", str(home))
    assert str(home) in o2o("status").stdout


def test_quarantine_list_names_file_line_and_reason_and_masks_contact_data(home: Path) -> None:
    done = o2o("quarantine", "list", "--home", str(home))
    assert done.exit_code == 0, done.output
    assert "touches.csv:7  bad_type:touched_at" in done.stdout
    assert "ann@example.com" not in done.stdout
    said = json.loads(o2o("quarantine", "list", "--reason", "bad_type", "--home", str(home), "--json").stdout)
    assert said["counts"] == [{"feed": "touches", "reason": "bad_type:touched_at", "records": 1}]
    assert (
        json.loads(o2o("quarantine", "list", "--feed", "stores", "--home", str(home), "--json").stdout)["records"] == []
    )


def test_doctor_finds_a_healthy_home_and_a_damaged_snapshot(home: Path) -> None:
    assert o2o("doctor", "--home", str(home)).exit_code == 0
    target = next((home / "snapshots" / "files" / "purchases").glob("*.parquet"))
    kept = target.read_bytes()
    target.write_bytes(kept[:-1])
    try:
        done = o2o("doctor", "--home", str(home), "--json")
    finally:
        target.write_bytes(kept)
    assert done.exit_code == 1
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert not findings["snapshot"]["fine"]


def test_a_segment_goes_out_with_those_who_consent_alone(home: Path, tmp_path: Path) -> None:
    listed = json.loads(o2o("status", "--home", str(home), "--json").stdout)
    assert listed["tables"]["segment_profiles"]["rows"] > 0
    segments = o2o_mining.load("segments", home=home).set_index("customer_id")
    code = str(segments.loc["ann", "segment_code"])
    done = o2o(
        "export", "segment", code, "--home", str(home), "--out", str(tmp_path / "list.csv"), "--language", "zh-Hant"
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "list.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    assert "顧客" in text.decode("utf-8-sig").splitlines()[0]
    assert "bob" not in text.decode("utf-8-sig")


def test_a_segment_in_which_nobody_consents_is_refused_and_names_the_setting(home: Path) -> None:
    code = str(o2o_mining.load("segments", home=home).set_index("customer_id").loc["cleo", "segment_code"])
    done = o2o("export", "segment", code, "--home", str(home))
    assert done.exit_code == 1
    assert "assumed_consent" in done.output


def test_a_list_too_short_for_a_platform_is_refused_and_leaves_nothing(home: Path, tmp_path: Path) -> None:
    code = str(o2o_mining.load("segments", home=home).set_index("customer_id").loc["ann", "segment_code"])
    words = ["export", "segment", code, "--home", str(home), "--out", str(tmp_path), "--for"]
    done = o2o(*words, "google-customer-match")
    assert done.exit_code == 1
    assert "list for ads" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_would_be_left_out_and_why(home: Path, tmp_path: Path) -> None:
    code = str(o2o_mining.load("segments", home=home).set_index("customer_id").loc["ann", "segment_code"])
    words = ["export", "segment", code, "--home", str(home), "--out", str(tmp_path), "--dry-run"]
    done = o2o(*words)
    assert done.exit_code == 0, done.output
    assert "would be in" in done.stdout
    assert "Nothing was written" in done.stdout
    assert json.loads(o2o(*words, "--json").stdout)["dry_run"] is True
    assert list(tmp_path.iterdir()) == []


def test_offers_without_a_plan_say_where_to_look(home: Path) -> None:
    done = o2o("export", "offers", "--home", str(home))
    assert done.exit_code in (1, 2)
    assert "targeted_offers" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "tiktok", "--format", "csv"], "leave --format and --language out"),
        (["--for", "line", "--language", "en"], "leave --format and --language out"),
        (["--for", "meta-customer-list", "--operation", "reduce"], "knows no operation 'reduce'"),
        (["--operation", "append"], "knows no operation 'append'"),
        (["--for", "bing"], "'bing' is not one of"),
    ],
)
def test_a_platform_is_asked_for_in_its_own_terms(home: Path, words: list[str], said: str) -> None:
    done = o2o("export", "segment", "champions", "--home", str(home), *words)
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_diff_says_who_entered_and_left_and_leaves_a_list(home: Path, tmp_path: Path) -> None:
    grown = tmp_path / "home"
    shutil.copytree(home, grown)
    run("folder", Path(read_origin(home)["input"]), grown, date(2024, 3, 10), lambda _: None)
    words = ["diff", "segment", "active", "--home", str(grown), "--from", "2024-03-10", "--out", str(tmp_path)]
    done = o2o(*words, "--to", "2024-03-21", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["customers_now"] == said["stayed"] + said["entered"]["customers"]
    assert said["customers_before"] == said["stayed"] + said["left"]["customers"]
    assert Path(said["file"]).exists()
    assert "customers before, " in o2o(*words, "--to", "2024-03-21").stdout
    wrong = o2o(*words, "--to", "2024-03-10")
    assert (wrong.exit_code, "is not before" in wrong.output) == (2, True)
    unknown = o2o(*words, "--to", "2024-03-11")
    assert (unknown.exit_code, "has no slice 2024-03-11" in unknown.output) == (2, True)


def test_the_attribution_table_goes_out_as_excel(home: Path, tmp_path: Path) -> None:
    words = ["export", "table", "campaign_attribution", "--where", "model=linear", "--format", "xlsx", "--json"]
    done = o2o(*words, "--home", str(home), "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert Path(said["file"]).stat().st_size > 0
    assert said["rows"] > 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "--source", "folder"], 2, "pass --input DIR"),
        (["run", "--source", "folder", "--input", "no-such-folder"], 2, "no folder"),
        (["run", "--as-of", "2024-13-01"], 2, "not a day"),
        (["run", "--source", "fax"], 2, "Invalid value"),
        (["status", "--home", "no-such-home"], 1, "run --home no-such-home"),
        (["export", "table", "campaign_attribution", "--where", "nonsense"], 2, "COLUMN=VALUE"),
        (["export", "table", "segments"], 2, "never leaves whole"),
        (["export", "segment", "nobody"], 2, "use one of"),
    ],
)
def test_what_is_wrong_is_said_with_the_next_step_and_a_code(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if words[0] == "export":
        words = [*words, "--home", str(home)]
    done = o2o(*words)
    assert done.exit_code == code, done.output
    assert said in done.output


def test_errors_for_machines_are_documents_too() -> None:
    done = o2o("status", "--home", "no-such-home", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["next"] == "o2o run --home no-such-home"


# -- what to do next -----------------------------------------------------------------------------------------------


def _hints(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [line.strip() for line in done.stdout.split("Try next:\n")[1].splitlines()]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command on a folder beside, in a home of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("O2O_HOME", "O2O_SOURCE", "O2O_INPUT", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)

    def go(*feeds: str) -> Result:
        return o2o("run", "--source", "folder", "--input", str(write(tmp_path / "in", *feeds)), "--home", "mine")

    return go


def test_what_to_do_next_is_a_list_of_those_who_may_be_written_to(first_run: tuple[Path, Result]) -> None:
    home, done = first_run
    first, portal, second, third, dagster = _hints(done)
    ann = str(o2o_mining.load("segments", home=home).set_index("customer_id").loc["ann", "segment_code"])
    assert first.endswith(f"export segment {ann} --format xlsx --home home")  # ann alone consents
    assert "portal --home home " in portal
    assert second.endswith("export table campaign_attribution --language zh-Hant --home home")
    assert third.endswith("""-c 'import o2o_mining; print(o2o_mining.load("segments", home="home"))'""")
    assert dagster.startswith(f"O2O_SOURCE=folder O2O_INPUT={home.parent / 'in'} O2O_HOME=home make dev")


def test_where_nobody_consents_no_list_of_customers_is_suggested(ran: Callable[..., Result]) -> None:
    hints = _hints(ran("offline_redemptions"))
    assert "portal" in hints[0]
    assert "export table campaign_attribution" in hints[1]
    assert not any("export segment" in hint for hint in hints)


def test_where_nothing_is_mined_no_export_is_suggested(ran: Callable[..., Result]) -> None:
    (hint,) = _hints(ran("customers"))
    assert "make dev" in hint


def test_dagster_is_suggested_with_what_the_environment_does_not_say(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("O2O_HOME", str(home))
    monkeypatch.setenv("O2O_SOURCE", "folder")
    monkeypatch.setenv("O2O_INPUT", read_origin(home)["input"])
    assert ui_command(home) == "make dev"
    monkeypatch.setenv("O2O_HOME", "another")
    assert ui_command(home) == f"O2O_HOME={home} make dev"


def test_status_and_doctor_say_how_to_run_this_home_again(home: Path) -> None:
    again = f"run --source folder --input {home.parent / 'in'} --home {home}\n"
    assert o2o("status", "--home", str(home)).stdout.endswith(again)
    assert o2o("doctor", "--home", str(home)).stdout.endswith(again)


def test_of_several_homes_one_must_be_named(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("O2O_HOME", raising=False)
    for name in ("complete-journey", "mine"):
        shutil.copytree(home, tmp_path / "var" / name)
    for command in ("status", "doctor"):
        done = o2o(command)
        assert done.exit_code == 1
        assert "several homes in var: var/complete-journey, var/mine" in done.output
        assert "--home var/complete-journey" in done.output
    assert o2o("status", "--home", "var/mine").exit_code == 0
