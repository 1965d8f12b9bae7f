"""追退补: what is posted, where, what stays, what is refused; and any past run out of its manifest."""

from __future__ import annotations

import json
from decimal import Decimal

import pandas as pd
import pytest
from approvals import approved
from changed_books import (
    JULY,
    base_rows,
    copied,
    differences_of,
    give,
    in_month,
    lines_of,
    revise,
    with_capacity_price,
)

from jobs.basis import InputNotAtHandError
from jobs.bridge import NotBridgedError, bridge
from jobs.correct_month import NotCorrectedError, correct
from jobs.explain import explain
from jobs.reproduce import reproduce
from jobs.settle_month import settle
from market.periods import Month
from market.profiles import profile
from warehouse import runs
from warehouse.home import Home, home

AUGUST, SEPTEMBER = Month(2022, 8), Month(2022, 9)
ONE_MORE = {"12:00": "21"}  # M-W1 has the multiplier 100: 0.1 MWh more


def late(at: Home, cells: dict[str, str], day: str = "2022-07-12") -> None:
    revise(at, "meter_readings", cells, meter_id="M-W1", date=day)


def august(at: Home) -> None:
    for table in ("meter_readings", "positions", "prices", "capacity_available"):
        give(at, table, in_month(table, AUGUST))


def by_participant(lines: dict) -> dict[str, Decimal]:
    return {who: amount for (who, code), amount in lines.items() if code == "resettlement"}


# --- What is posted --------------------------------------------------------------------------------------------


def test_the_current_month_takes_the_difference_and_the_past_stays(july_final: Home) -> None:
    """0.1 MWh more for W1: 49.00 energy, 9.91 capacity, and its shares of 0.31 mismatch and 0.12 congestion less."""
    final = runs.find_run(july_final, "2022-07 final v1")
    before = {file.name: file.read_bytes() for file in final.folder.iterdir()}
    late(july_final, ONE_MORE)
    correction = approved(july_final, correct(july_final, JULY).run)
    assert (correction.alias, correction.previous) == ("2022-07 correction v1", final.run_id)
    assert correction.manifest["posted_into"] == "2022-08"
    assert {file.name: file.read_bytes() for file in final.folder.iterdir()} == before
    old, new = lines_of(final), lines_of(correction)
    rows = differences_of(correction)
    lines = rows[rows["participant_id"].notna()]
    assert {(row.participant_id, row.charge_code): row.difference_cny for row in lines.itertuples()} == {
        key: new[key] - old[key] for key in new if new[key] != old[key]
    }

    august(july_final)
    current = settle(july_final, AUGUST).run
    carried = by_participant(lines_of(current))
    assert carried["W1"] == Decimal("58.60")
    assert carried == {
        who: sum(lines.loc[lines["participant_id"] == who, "difference_cny"]) for who in carried
    }
    shown = pd.read_parquet(current.folder / "corrections.parquet")
    assert set(shown["source_month"]) == {"2022-07"}
    assert shown["difference_cny"].tolist() == rows["difference_cny"].tolist()
    postings = pd.read_parquet(current.folder / "postings.parquet")
    assert postings["amount_cny"].sum() == 0
    accounts = pd.read_parquet(current.folder / "accounts.parquet").set_index("account")
    assert accounts.loc["resettlement", "closing_cny"] == 0
    why = explain(july_final, current.alias, "W1", "resettlement")
    assert why.pool is not None
    assert dict(why.pool.made_of)["2022-07 energy_real_time"] == Decimal("49.00")
    assert why.sources[0].file == f"runs/{correction.run_id}/differences.parquet"


def test_a_correction_of_a_correction_posts_what_it_adds(july_final: Home) -> None:
    late(july_final, ONE_MORE)
    first = approved(july_final, correct(july_final, JULY).run)
    late(july_final, {"12:00": "21", "13:00": "21"})
    second = approved(july_final, correct(july_final, JULY).run)
    assert second.previous == first.run_id
    rows = differences_of(second).set_index(["participant_id", "charge_code"])["difference_cny"]
    assert rows["W1", "energy_real_time"] == Decimal("49.00")
    august(july_final)
    carried = by_participant(lines_of(settle(july_final, AUGUST).run))
    final = lines_of(runs.find_run(july_final, "2022-07 final v1"))
    last = lines_of(second)
    for who in carried:
        changes = [last[key] - final[key] for key in last if key[0] == who]
        assert carried[who] == sum(changes)


def test_the_same_again_is_the_correction_that_exists(july_final: Home) -> None:
    late(july_final, ONE_MORE)
    one, two = correct(july_final, JULY), correct(july_final, JULY)
    assert (one.computed, two.computed, one.run.run_id) == (True, False, two.run.run_id)


def test_another_rule_of_later_months_leaves_the_past_alone(july_final: Home) -> None:
    """The capacity price is 100 from August on: 0.1 MWh of July still costs 9.91, and August's 100.00 a MWh."""
    base = profile("SD_2022")
    (entry,) = base.settled[0].capacity_price_cny_per_mwh
    ends = entry.model_copy(update={"valid_to": AUGUST.first})
    starts = entry.model_copy(update={"value": Decimal(100), "valid_from": AUGUST.first})
    provincial = base.settled[0].model_copy(update={"capacity_price_cny_per_mwh": (ends, starts)})
    rules = base.model_copy(update={"provincial": provincial, "sha256": "1" * 64})
    august(july_final)
    late(july_final, ONE_MORE)
    correction = correct(july_final, JULY, profile_name=rules).run
    rows = differences_of(correction).set_index(["participant_id", "charge_code"])["difference_cny"]
    assert rows["W1", "capacity_compensation"] == Decimal("9.91")
    current = lines_of(settle(july_final, AUGUST, profile_name=rules).run)
    assert current["W1", "capacity_compensation"] == Decimal("595200.00")  # 5,952 MWh · 100


def test_a_correction_uses_the_rules_of_its_time(july_final: Home) -> None:
    """July was settled under rules that are packaged no longer; they are kept in the home under their hash."""
    rules = with_capacity_price("90")
    late(july_final, {"12:00": "20"})
    settle(july_final, JULY, kind="final", profile_name=rules)
    late(july_final, ONE_MORE)
    correction = correct(july_final, JULY).run
    assert correction.manifest["profile_sha256"] == rules.sha256
    rows = differences_of(correction).set_index(["participant_id", "charge_code"])["difference_cny"]
    assert rows["W1", "capacity_compensation"] == Decimal("9.00")


# --- What is refused -------------------------------------------------------------------------------------------


def test_a_month_that_is_not_final_is_not_corrected(drafted: Home) -> None:
    with pytest.raises(NotCorrectedError, match="has no final run"):
        correct(drafted, JULY)


def test_nothing_new_is_nothing_to_correct(july_final: Home) -> None:
    with pytest.raises(NotCorrectedError, match="Nothing came for 2022-07 since 2022-07 final v1"):
        correct(july_final, JULY)


def test_the_window_is_the_profiles(july_final: Home) -> None:
    """12 months by SD_2022; the same engine 36 months back under a profile that says 36."""
    late(july_final, ONE_MORE)
    assert correct(july_final, JULY, into=Month(2023, 7)).computed
    with pytest.raises(NotCorrectedError, match="looks back 12 months"):
        correct(july_final, JULY, into=Month(2023, 8))
    base = profile("SD_2022")
    longer = base.settled[0].model_copy(update={"look_back_months": 36})
    rules = base.model_copy(update={"provincial": longer, "sha256": "3" * 64})
    late(july_final, {"12:00": "22"})
    far = correct(july_final, JULY, into=Month(2025, 7), profile_name=rules)
    assert far.run.manifest["posted_into"] == "2025-07"
    with pytest.raises(NotCorrectedError, match="looks back 36 months"):
        correct(july_final, JULY, into=Month(2025, 8), profile_name=rules)


def test_a_closed_month_takes_no_correction_and_a_corrected_one_is_not_settled_again(
    july_final: Home,
) -> None:
    august(july_final)
    settle(july_final, AUGUST, kind="final")
    late(july_final, ONE_MORE)
    with pytest.raises(NotCorrectedError, match="2022-08 is closed"):
        correct(july_final, JULY, into=AUGUST)
    assert correct(july_final, JULY).run.manifest["posted_into"] == str(SEPTEMBER)
    late(july_final, {"12:00": "22"})
    with pytest.raises(ValueError, match="was corrected already"):
        settle(july_final, JULY, kind="final")


def test_a_blocked_correction_is_posted_nowhere_and_the_next_starts_from_what_was(july_final: Home) -> None:
    give(july_final, "meters", [{**base_rows("meters")[0], "meter_id": "M-NEW", "multiplier": "1"}])
    blocked = correct(july_final, JULY).run
    assert blocked.status == "blocked"
    readings = [
        {**row, "meter_id": "M-NEW"} for row in base_rows("meter_readings") if row["meter_id"] == "M-W1"
    ]
    give(july_final, "meter_readings", readings)
    done = correct(july_final, JULY).run
    assert (done.alias, done.status) == ("2022-07 correction v2", "ready")
    assert done.previous == runs.find_run(july_final, "2022-07 final v1").run_id


def test_runs_of_two_months_have_no_bridge(july_final: Home) -> None:
    august(july_final)
    settle(july_final, AUGUST)
    with pytest.raises(NotBridgedError, match="not versions of one month"):
        bridge(july_final, "2022-07 final v1", "2022-08 draft v1")


# --- Out of its manifest ---------------------------------------------------------------------------------------


def test_every_past_run_comes_out_again_here_and_in_another_home(july_final: Home) -> None:
    late(july_final, ONE_MORE)
    approved(july_final, correct(july_final, JULY).run)
    late(july_final, {"13:00": "21"})
    waits = correct(july_final, JULY).run
    august(july_final)
    current = settle(july_final, AUGUST).run
    assert current.manifest["waiting"] == [waits.run_id]
    late(july_final, {"12:00": "30"})  # known later, and no part of any run so far
    for run in runs.list_runs(july_final):
        assert reproduce(july_final, run.run_id).differences == ()
    other = home(july_final.root.parent / "elsewhere")
    assert reproduce(july_final, current.run_id, into=other).differences == ()
    there = runs.find_run(other, current.run_id)
    assert {file.name: file.read_bytes() for file in there.folder.iterdir()} == {
        file.name: file.read_bytes() for file in current.folder.iterdir()
    }
    assert runs.verify(there) == []
    assert lines_of(runs.find_run(other, "2022-07 correction v1"))
    assert explain(other, current.run_id, "W1", "energy_real_time").amount_cny is not None


def test_a_file_that_is_gone_or_changed_is_said(drafted: Home, tmp_path_factory) -> None:
    file = next(drafted.inbox.glob("*/positions.csv"))
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(InputNotAtHandError, match=r"positions\.csv.*Restore them from a backup"):
        reproduce(drafted, "2022-07 draft v1", into=home(tmp_path_factory.mktemp("other") / "home"))


def test_another_software_version_is_said(drafted: Home) -> None:
    run = runs.find_run(drafted, "2022-07 draft v1")
    manifest = run.manifest | {"software_version": "0.0.1"}
    (run.folder / runs.MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(InputNotAtHandError, match=r"install 0\.0\.1 to reproduce it"):
        reproduce(drafted, run.run_id)


def test_an_output_that_was_changed_is_found(drafted: Home) -> None:
    run = runs.find_run(drafted, "2022-07 draft v1")
    whole = copied(drafted, drafted.root.parent / "whole")
    assert reproduce(whole, run.run_id).differences == ()
    file = run.folder / "lines.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert any("lines.parquet" in sentence for sentence in reproduce(drafted, run.run_id).differences)
