"""Bills on the 核对版: what the final run changes against it is posted into the next month (SD25 14.12.4(九))."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from approvals import approved
from changed_books import JULY, differences_of, give, in_month, lines_of, revise

from jobs import posted
from jobs.bridge import bridge
from jobs.correct_month import correct
from jobs.journal import journal_entries
from jobs.reproduce import reproduce
from jobs.settle_month import settle
from market.periods import Month
from market.profiles import RuleProfile, profile
from settlement.bridge import Cause
from settlement.run_life import NotNowError
from warehouse import runs
from warehouse.home import Home

AUGUST = Month(2022, 8)


def billing_drafts() -> RuleProfile:
    base = profile("SD_2022")
    provincial = base.settled[0].model_copy(update={"billed_on": "draft"})
    return base.model_copy(update={"provincial": provincial, "sha256": "b" * 64})


def test_what_the_final_run_changes_lands_next_month_and_the_books_go_on_from_the_draft(
    drafted: Home,
) -> None:
    draft = approved(drafted, runs.find_run(drafted, "2022-07 draft v1"))
    revise(drafted, "meter_readings", {"12:00": "21"}, meter_id="M-W1", date="2022-07-12")
    final = settle(drafted, JULY, kind="final", profile_name=billing_drafts()).run
    assert final.manifest["posted_into"] == "2022-08"
    old, new = lines_of(draft), lines_of(final)
    rows = differences_of(final)
    assert rows["difference_cny"].sum() == 0
    changed = {
        (row.participant_id, row.charge_code): row.difference_cny
        for row in rows[rows["participant_id"].notna()].itertuples()
    }
    assert changed == {key: new[key] - old[key] for key in new if new[key] != old[key]}
    assert changed["W1", "energy_real_time"] == Decimal("49.00")
    with pytest.raises(
        NotNowError, match="final v1 is not approved, so what it changes against the billed draft"
    ):
        correct(drafted, JULY)
    assert [run.alias for run in posted.waiting_for(drafted, "2022-08")] == ["2022-07 final v1"]
    approved(drafted, final)
    entries = list(journal_entries(drafted, final))
    assert {(one.entry, one.period) for one in entries} == {("correction", "2022-08")}
    assert {cause for row in bridge(drafted, draft.run_id, final.run_id).rows for cause in row.parts} == {
        Cause.READING
    }
    assert reproduce(drafted, final.run_id).differences == ()
    assert settle(drafted, JULY, kind="final", profile_name=billing_drafts()).run == final  # again: the same

    for table in ("meter_readings", "positions", "prices", "capacity_available"):
        give(drafted, table, in_month(table, AUGUST))
    current = settle(drafted, AUGUST).run
    mine = {who: fen for (who, code), fen in lines_of(current).items() if code == "resettlement"}
    assert mine == {who: sum(fen for (one, _), fen in changed.items() if one == who) for who in mine}
    assert mine["W1"] == Decimal("58.60")
    books = [
        pd.read_parquet(run.folder / "accounts.parquet").set_index("account") for run in (draft, current)
    ]
    assert books[1].loc["rounding", "opening_cny"] == books[0].loc["rounding", "closing_cny"]


def test_the_rules_say_which_version_is_billed() -> None:
    assert profile("SD_2025").settled[0].billed_on == "draft"
    assert profile("SD_2022").settled[0].billed_on == "final"
    (said,) = posted.unbilled_finding(None, JULY, billing_drafts())
    assert "this final run is what is billed" in said.sentence
    assert posted.unbilled_finding(None, JULY, profile("SD_2022")) == []
