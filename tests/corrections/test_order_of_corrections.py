"""Two corrections posted into one month stand in the order of their versions, whatever their ids."""

from __future__ import annotations

import pandas as pd
from approvals import approved
from changed_books import JULY, give, in_month, revise

from jobs.correct_month import correct
from jobs.reproduce import reproduce
from jobs.settle_month import settle
from market.periods import Month
from warehouse.home import Home

AUGUST = Month(2022, 8)


def test_a_month_with_three_corrections_comes_out_again(july_final: Home) -> None:
    made = []
    for value in ("21", "22", "23"):
        revise(july_final, "meter_readings", {"12:00": value}, meter_id="M-W1", date="2022-07-12")
        made.append(approved(july_final, correct(july_final, JULY).run).run_id)
    for table in ("meter_readings", "positions", "prices", "capacity_available"):
        give(july_final, table, in_month(table, AUGUST))
    run = settle(july_final, AUGUST).run
    shown = pd.read_parquet(run.folder / "corrections.parquet")
    assert shown["correction"].drop_duplicates().tolist() == made
    assert reproduce(july_final, run.run_id).differences == ()
