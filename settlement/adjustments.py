"""人工调整: amounts that people enter by hand, each with reason, evidence, approver and an end (users.md §3).

Grain: one adjustment in every month that it holds on. An adjustment names payer and payee, so it posts on both
sides; it is a blocking finding of the run until the person it names as approver has approved it under the own name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from market.money import scaled, yuan
from market.periods import Month
from settlement.findings import Finding, Severity
from settlement.month import EventAmount
from settlement.run_life import MANUAL_ADJUSTMENT

REFUSED = "manual_adjustment_refused"


@dataclass(frozen=True)
class ByHand:
    """What is posted, and the findings that show every adjustment of the month."""

    amounts: tuple[EventAmount, ...]
    findings: tuple[Finding, ...]


def adjustments(
    rows: pd.DataFrame, kinds: Mapping[str, str], month: Month, charges: Collection[str]
) -> ByHand:
    """Adjustments that hold in the month, by id: fen charged to the payer and credited to the payee.

    rows: the table manual_adjustments, amount_cny > 0; kinds: participant -> kind in the month; charges: codes of the
    profile, one of which it adjusts. One that cannot be posted is a finding and moves nothing.
    """
    amounts: list[EventAmount] = []
    findings: list[Finding] = []
    for row in rows.sort_values(["adjustment_id", "valid_from"], kind="stable").to_dict("records"):
        fault = _fault(row, kinds, charges)
        if fault is not None:
            findings.append(_finding(REFUSED, Severity.REVIEW, row, f"is not posted: {fault}"))
            continue
        fen = scaled(row["amount_cny"], 2)
        amounts += [
            EventAmount(row["adjustment_id"], month.first, who, MANUAL_ADJUSTMENT, 0, sign * fen)
            for who, sign in ((row["payer_id"], 1), (row["payee_id"], -1))
        ]
        findings.append(
            _finding(
                MANUAL_ADJUSTMENT,
                Severity.BLOCK,
                row,
                f"was entered by {row['entered_by']} and ends before {row['valid_to']}; it stands only when "
                f"{row['approver']} approves it (run resolve). Reason: {row['reason']}",
            )
        )
    return ByHand(tuple(amounts), tuple(findings))


def _fault(row: Mapping[Any, Any], kinds: Mapping[str, str], charges: Collection[str]) -> str | None:
    strangers = [who for who in (row["payer_id"], row["payee_id"]) if who not in kinds]
    unsaid = [name for name in ("reason", "evidence") if not row[name].strip()]
    faults = (
        (bool(strangers), f"{', '.join(strangers)} is no participant of the month"),
        (row["payer_id"] == row["payee_id"], "payer and payee are the same"),
        (row["amount_cny"] <= 0, "the amount must be above zero; turn payer and payee round instead"),
        (row["charge_code"] not in charges, f"{row['charge_code']} is no charge of the profile"),
        (bool(unsaid), f"it has no {' and no '.join(unsaid)}"),
        (row["approver"] == row["entered_by"], f"{row['approver']} entered it and cannot be its approver"),
    )
    return next((said for holds, said in faults if holds), None)


def _finding(code: str, severity: Severity, row: Mapping[Any, Any], said: str) -> Finding:
    fen = scaled(row["amount_cny"], 2)
    evidence: dict[str, Any] = {key: row[key] for key in ("charge_code", "reason", "evidence")}
    evidence["participants"] = [row["payer_id"], row["payee_id"]]
    return Finding(
        code,
        severity,
        row["adjustment_id"],
        f"Adjustment {row['adjustment_id']} of {yuan(fen)} 元 from {row['payer_id']} to {row['payee_id']} "
        f"({row['charge_code']}) {said}.",
        evidence={**evidence, "entered_by": row["entered_by"], "approver": row["approver"]},
        amount_at_stake_fen=fen,
    )
