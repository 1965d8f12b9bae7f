"""A correction speaks of nothing that only the version before it knew, so it comes out of its manifest."""

from __future__ import annotations

import pandas as pd
from changed_books import JULY, give, in_month, revise

from jobs.correct_month import correct
from jobs.settle_month import settle
from market.periods import Month
from warehouse.home import Home
from warehouse.runs import Run

AUGUST = Month(2022, 8)


def test_a_correction_does_not_speak_of_what_waited_when_its_month_was_settled(july_final: Home) -> None:
    revise(july_final, "meter_readings", {"12:00": "21"}, meter_id="M-W1", date="2022-07-12")
    waits = correct(july_final, JULY).run
    for table in ("meter_readings", "positions", "prices", "capacity_available"):
        give(july_final, table, in_month(table, AUGUST))
    final = settle(july_final, AUGUST, kind="final").run
    assert waiting(final) == [waits.alias]

    revise(july_final, "meter_readings", {"12:00": "22"}, AUGUST, meter_id="M-W1", date="2022-08-12")
    corrected = correct(july_final, AUGUST).run

    assert waiting(corrected) == corrected.manifest["waiting"] == []


def waiting(run: Run) -> list[str]:
    rows = pd.read_parquet(run.folder / "findings.parquet")
    return rows[rows["code"] == "correction_waiting"]["subject"].tolist()
