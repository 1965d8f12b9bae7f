"""Manual adjustments: on both sides or not at all, shown as findings, gone when they end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from market.periods import Month
from settlement.adjustments import adjustments
from settlement.findings import Severity

KINDS = {"W1": "wholesale_user", "G1": "generator"}
JULY = Month(2022, 7)
ROW = {
    "adjustment_id": "A1", "payer_id": "W1", "payee_id": "G1", "charge_code": "energy_real_time",
    "amount_cny": Decimal("100.00"), "reason": "meter was wired wrongly on 3 July", "evidence": "protocol 17",
    "entered_by": "wang", "approver": "zhao", "valid_from": date(2022, 7, 1), "valid_to": date(2022, 8, 1),
}  # fmt: skip


def of(**changes):
    return adjustments(pd.DataFrame([ROW | changes]), KINDS, JULY, {"energy_real_time"})


def test_the_payer_is_charged_what_the_payee_is_credited():
    assert [(one.participant_id, one.amount_fen) for one in of().amounts] == [("W1", 10_000), ("G1", -10_000)]


def test_it_blocks_the_run_until_the_person_it_names_approves_it():
    (finding,) = of().findings
    assert (finding.code, finding.severity, finding.subject) == ("manual_adjustment", Severity.BLOCK, "A1")
    assert (finding.evidence["approver"], finding.amount_at_stake_fen) == ("zhao", 10_000)
    assert "100.00 元 from W1 to G1" in finding.sentence
    assert "meter was wired wrongly" in finding.sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"payer_id": "W9"}, "W9 is no participant"),
        ({"payee_id": "W1"}, "payer and payee are the same"),
        ({"amount_cny": Decimal("-1.00")}, "above zero"),
        ({"amount_cny": Decimal("0.00")}, "above zero"),
        ({"approver": "wang"}, "cannot be its approver"),
        ({"charge_code": "energy"}, "energy is no charge of the profile"),
        ({"reason": " "}, "it has no reason"),
        ({"evidence": " "}, "it has no evidence"),
    ],
)
def test_one_that_cannot_be_posted_moves_nothing_and_says_why(changes, said):
    done = of(**changes)
    assert done.amounts == ()
    (finding,) = done.findings
    assert (finding.code, finding.severity) == ("manual_adjustment_refused", Severity.REVIEW)
    assert said in finding.sentence


def test_a_month_without_adjustments_has_none():
    done = adjustments(pd.DataFrame([ROW]).iloc[:0], KINDS, JULY, ())
    assert (done.amounts, done.findings) == ((), ())
