"""The life of a month's run: same inputs same run, force, kill, two at once, revisions, as-of."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.settle_month import NothingToSettleError, settle
from market.periods import Month
from warehouse import runs
from warehouse.home import Home, create, home

BASE = Path(__file__).resolve().parent.parent / "scenarios" / "base"
JULY = Month(2022, 7)
SOAK = bool(os.environ.get("GRIDSETTLE_SOAK"))
KILLS = 10 if SOAK else 3
SETTLE = [sys.executable, "-m", "cli", "settle", "month", "2022-07"]


def environment(at: Home) -> dict[str, str]:
    return {**os.environ, "GRIDSETTLE_HOME": str(at.root)}


def contents(run: runs.Run) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in run.folder.iterdir() if file.name != runs.MANIFEST}


def test_the_same_inputs_give_the_run_that_exists(small_home: Home) -> None:
    first, second = settle(small_home, JULY), settle(small_home, JULY)
    assert (first.computed, second.computed) == (True, False)
    assert first.run.run_id == second.run.run_id
    assert len(runs.list_runs(small_home)) == 1


def test_force_computes_again_and_finds_no_difference(small_home: Home) -> None:
    settle(small_home, JULY)
    again = settle(small_home, JULY, force=True)
    assert again.computed
    assert again.differences == ()


def test_two_homes_give_the_same_bytes_and_the_same_run(small_home: Home, tmp_path: Path) -> None:
    other = home(tmp_path / "elsewhere" / "deep")
    create(other)
    for file in sorted(BASE.glob("*.csv"), reverse=True):  # another order, where references allow it
        if file.stem in ("prices", "participants"):
            deliver_many(other, [file])
    deliver_many(other, [BASE])
    one, two = settle(small_home, JULY).run, settle(other, JULY).run
    assert one.run_id == two.run_id
    assert contents(one) == contents(two)
    free = {"started_at", "finished_at", "as_of"}
    assert {k: v for k, v in one.manifest.items() if k not in free} == {
        k: v for k, v in two.manifest.items() if k not in free
    }


def test_one_changed_byte_is_located(small_home: Home) -> None:
    run = settle(small_home, JULY).run
    assert runs.verify(run) == []
    file = run.folder / "lines.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert runs.verify(run) == [f"lines.parquet of run {run.alias} was changed after the run was written."]
    assert any(
        "lines.parquet" in difference for difference in settle(small_home, JULY, force=True).differences
    )


def test_new_input_makes_a_new_version_and_leaves_the_old_as_it_was(small_home: Home, tmp_path: Path) -> None:
    first = settle(small_home, JULY).run
    before = contents(first)
    known = datetime.now(UTC)
    prices = (BASE / "prices.csv").read_text().replace("2022-07-10,500", "2022-07-10,510", 1)
    changed = tmp_path / "prices_revised.csv"
    changed.write_text(prices)
    assert deliver_many(small_home, [changed])[0].revised == 1
    second = settle(small_home, JULY).run
    assert (second.version, second.previous) == (2, first.run_id)
    assert contents(first) == before
    amounts = [
        pd.read_parquet(run.folder / "lines.parquet").set_index(["participant_id", "charge_code"])[
            "amount_cny"
        ]
        for run in (first, second)
    ]
    # one quarter-hour at SD_A from 500 to 510: 2.5 MWh of G1, less its position of 2.4, at 10 元/MWh
    assert float(amounts[1]["G1", "energy_real_time"] - amounts[0]["G1", "energy_real_time"]) == -25
    then = settle(small_home, JULY, as_of=known, kind="final").run
    replayed = pd.read_parquet(then.folder / "lines.parquet").set_index(["participant_id", "charge_code"])[
        "amount_cny"
    ]
    assert replayed.equals(amounts[0])


def test_a_month_without_readings_is_refused_with_a_sentence(small_home: Home) -> None:
    with pytest.raises(NothingToSettleError, match="gridsettle ingest"):
        settle(small_home, Month(2022, 6))


def test_a_killed_run_leaves_nothing_visible_and_the_next_try_succeeds(small_home: Home) -> None:
    expected = settle(small_home, JULY).run
    whole = contents(expected)
    _forget(small_home, expected)
    started = time.perf_counter()
    subprocess.run(SETTLE, env=environment(small_home), check=True, capture_output=True)
    seconds = time.perf_counter() - started
    _forget(small_home, expected)
    draw = random.Random(20220731)
    for _ in range(KILLS):
        process = subprocess.Popen(
            SETTLE, env=environment(small_home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(draw.uniform(0.3, 1.0) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for run in runs.list_runs(small_home):
            assert runs.verify(run) == []
    done = settle(small_home, JULY).run
    assert done.run_id == expected.run_id
    assert contents(done) == whole
    assert [folder.name for folder in small_home.runs.iterdir()] == [expected.run_id]


@pytest.mark.parametrize("moment", ["computing", "writing the manifest", "registering"])
def test_a_run_that_dies_at_a_known_moment_is_taken_up_by_the_next(
    small_home: Home, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    where = {
        "computing": (runs, "_outputs"),
        "writing the manifest": (runs, "_write_durably"),
        "registering": (runs, "register"),
    }[moment]
    with monkeypatch.context() as patched:
        patched.setattr(*where, die)
        with pytest.raises(Killed):
            settle(small_home, JULY)
    assert runs.list_runs(small_home) == []
    done = settle(small_home, JULY).run
    assert runs.verify(done) == []
    assert [run.run_id for run in runs.list_runs(small_home)] == [done.run_id]


def test_leftovers_of_a_killed_process_are_cleared(small_home: Home) -> None:
    leftover = small_home.runs / ".making-0000"
    leftover.mkdir()
    (leftover / "lines.parquet").write_bytes(b"half")
    settle(small_home, JULY)
    assert not leftover.exists()


def test_two_at_once_do_not_corrupt_each_other(small_home: Home) -> None:
    both = [
        subprocess.Popen([*SETTLE, "--json"], env=environment(small_home), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0]["run_id"] == answers[1]["run_id"]
    visible = runs.list_runs(small_home)
    assert len(visible) == 1
    assert runs.verify(visible[0]) == []


def test_carried_rounding_opens_the_next_month(small_home: Home) -> None:
    run = settle(small_home, JULY).run
    accounts = pd.read_parquet(run.folder / "accounts.parquet").set_index("account")
    assert (accounts["opening_cny"] + accounts["movement_cny"]).equals(accounts["closing_cny"])


def _forget(at: Home, run: runs.Run) -> None:
    """Take a run away from the home, folder and row, as if it had never been computed."""
    from sqlalchemy import delete

    from warehouse.home import transaction
    from warehouse.models import SettlementRun

    shutil.rmtree(run.folder)
    with transaction(at) as connection:
        connection.execute(delete(SettlementRun))


def test_a_run_whose_folder_is_gone_is_said_and_not_made_again(small_home: Home) -> None:
    run = settle(small_home, JULY).run
    shutil.rmtree(run.folder)
    with pytest.raises(runs.RunDamagedError, match="restore the folder"):
        settle(small_home, JULY)


def test_the_month_before_is_an_input_and_its_rounding_opens_the_next(
    small_home: Home, tmp_path: Path
) -> None:
    july = settle(small_home, JULY).run
    august = tmp_path / "august"
    august.mkdir()
    for name in ("meter_readings", "positions", "prices"):
        text = (BASE / f"{name}.csv").read_text().replace("2022-07-", "2022-08-")
        (august / f"{name}_2022-08.csv").write_text(text)
    (august / "capacity_available_2022-08.csv").write_text(
        (BASE / "capacity_available.csv").read_text().replace("2022-07", "2022-08")
    )
    deliver_many(small_home, [august])
    run = settle(small_home, Month(2022, 8)).run
    assert f"runs/{july.run_id}/accounts.parquet" in {entry["path"] for entry in run.manifest["inputs"]}
    closing, opening = (
        pd.read_parquet(one.folder / "accounts.parquet").set_index("account") for one in (july, run)
    )
    assert opening.loc["rounding", "opening_cny"] == closing.loc["rounding", "closing_cny"]
