"""A correction is posted when it is approved: the month that takes it speaks of it before, and holds it after."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from approvals import approved, rejected
from changed_books import JULY, give, in_month, lines_of, revise

from jobs.correct_month import NotCorrectedError, correct
from jobs.journal import journal_entries
from jobs.settle_month import settle
from market.periods import Month
from warehouse import runs
from warehouse.home import Home

AUGUST = Month(2022, 8)


def late(at: Home, cells: dict[str, str]) -> runs.Run:
    """A late reading of W1 on 12 July, and the correction prepared from it."""
    revise(at, "meter_readings", cells, meter_id="M-W1", date="2022-07-12")
    return correct(at, JULY).run


def taken(run: runs.Run) -> list[str]:
    """The corrections whose differences stand in a run."""
    return pd.read_parquet(run.folder / "corrections.parquet")["correction"].drop_duplicates().tolist()


def waiting(run: runs.Run) -> dict[str, Decimal]:
    """The corrections a run speaks of without taking them, with the money at stake."""
    rows = pd.read_parquet(run.folder / "findings.parquet")
    rows = rows[rows["code"] == "correction_waiting"]
    assert set(rows["severity"]) <= {"review"}
    return dict(zip(rows["subject"], rows["amount_at_stake_cny"], strict=True))


def test_a_month_names_what_waits_with_the_money_and_takes_it_once_it_is_approved(july_final: Home) -> None:
    for table in ("meter_readings", "positions", "prices", "capacity_available"):
        give(july_final, table, in_month(table, AUGUST))
    first = late(july_final, {"12:00": "21"})
    draft = settle(july_final, AUGUST).run
    assert (taken(draft), waiting(draft)) == ([], {first.alias: Decimal("58.83")})  # W1 58.60, others 0.23
    assert ("W1", "resettlement") not in lines_of(draft)
    approved(july_final, first)
    second = late(july_final, {"12:00": "22"})
    assert second.previous == first.run_id  # it builds on the last approved one
    final = settle(july_final, AUGUST, kind="final").run
    assert (taken(final), list(waiting(final))) == ([first.run_id], [second.alias])
    assert lines_of(final)["W1", "resettlement"] == Decimal("58.60")
    entries = list(journal_entries(july_final, final))  # the correction's own journal has them by charge
    assert "resettlement" not in {one.charge_code for one in entries}
    assert sum(one.debit_fen - one.credit_fen for one in entries) == 0


def test_a_rejected_correction_is_not_offered_again_and_nothing_builds_on_it(july_final: Home) -> None:
    first = rejected(july_final, late(july_final, {"12:00": "21"}), "the meter was read wrongly")
    with pytest.raises(NotCorrectedError, match="was rejected by zhao: the meter was read wrongly"):
        correct(july_final, JULY)
    assert late(july_final, {"12:00": "22"}).previous == first.previous
