"""The command line: exit status, sentences, JSON, and that nobody imports it."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

import cli

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / "tests" / "scenarios" / "base"
ROOMS = (
    "market",
    "settlement",
    "demand_response",
    "optimization",
    "warehouse",
    "ingest",
    "reports",
    "jobs",
    "dags",
)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRIDSETTLE_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gridsettle", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    return run


def test_a_home_that_does_not_exist_is_refused_with_how_to_make_it(call) -> None:
    status, _, error = call("run", "list")
    assert status == 1
    assert "gridsettle init" in error


def test_a_wrong_command_is_usage(call) -> None:
    assert call("sttle")[0] == 2


def test_from_files_to_a_verified_run(call) -> None:
    assert call("init")[0] == 0
    status, out, _ = call("ingest", BASE, "--json")
    assert status == 0
    assert {one["status"] for one in json.loads(out)} == {"accepted"}
    status, out, _ = call("settle", "month", "2022-07", "--json")
    run = json.loads(out)
    assert (status, run["alias"], run["status"]) == (0, "2022-07 draft v1", "ready")
    assert call("settle", "month", "2022-07", "--force")[0] == 0
    assert json.loads(call("run", "list", "--json")[1])[0]["run_id"] == run["run_id"]
    assert json.loads(call("run", "show", run["run_id"][:8], "--json")[1])["totals"]["missing_lines"] == 0
    status, out, _ = call("run", "verify", "2022-07 draft v1")
    assert status == 0
    assert "every file has the hash" in out


def test_a_run_nobody_knows_is_refused_and_the_known_ones_are_named(call) -> None:
    call("init")
    status, _, error = call("run", "show", "2022-07 final v1")
    assert status == 1
    assert "none yet" in error


@pytest.mark.parametrize("month", ["2022-7", "July"])
def test_a_month_that_is_none_is_refused(call, month: str) -> None:
    call("init")
    status, _, error = call("settle", "month", month)
    assert status == 1
    assert "YYYY-MM" in error


def test_an_instant_without_offset_is_refused(call) -> None:
    call("init")
    status, _, error = call("settle", "month", "2022-07", "--as-of", "2022-08-05T12:00:00")
    assert status == 1
    assert "+08:00" in error


def test_a_file_that_is_rejected_gives_status_one(call, tmp_path: Path) -> None:
    call("init")
    broken = tmp_path / "prices.csv"
    header, *rest = (BASE / "prices.csv").read_text().splitlines()
    broken.write_text("\n".join([header.removesuffix(",24:00"), *rest]))
    status, out, _ = call("ingest", broken, "--json")
    assert status == 1
    assert json.loads(out)[0]["status"] == "rejected"


def test_doctor_says_what_is_there(call) -> None:
    call("init")
    status, out, _ = call("doctor")
    absent = [line for line in out.splitlines() if "│ NO" in line]
    assert all("Chinese font" in line for line in absent)  # the one thing that the lock file cannot bring
    assert status == bool(absent)
    assert "HiGHS" in out


def test_no_room_imports_the_command_line() -> None:
    importers = [
        str(file)
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(name.name == "cli" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "cli")
    ]
    assert importers == []


def test_the_clock_of_a_month_says_when_and_who(call) -> None:
    status, out, _ = call("clock", "2022-09", "--json")
    due = {one["step"]: one for one in json.loads(out)}
    assert (status, due["draft"]["day"], due["bills"]["owner"]) == (0, "2022-10-12", "grid_finance")
    status, out, _ = call("clock", "2022-07-22", "--lang", "en")
    assert status == 0
    assert "Inter-provincial gate closure" in out
    assert "11:30" in out
    assert call("clock", "July")[0] == 1


def test_the_card_of_a_charge_is_shown_and_an_unknown_charge_is_refused(call) -> None:
    status, out, _ = call("charge", "show", "congestion", "--json")
    shown = json.loads(out)
    assert (status, shown["card"]["formulas"][0]["amount"]) == (0, "share(M - R, E)")
    assert shown["charges"]["SD_2022"]["account"] == "congestion"
    status, out, _ = call("charge", "show", "congestion")
    assert (status, "17,505.88" in out) == (0, True)
    status, out, _ = call("charge", "list", "--profile", "SD_2022", "--lang", "en")
    assert (status, "Real-time energy" in out) == (0, True)
    status, _, error = call("charge", "show", "tea")
    assert (status, "energy_real_time" in error) == (1, True)
