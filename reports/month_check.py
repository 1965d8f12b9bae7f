"""Does the month page say what the run's tables say? Every figure of it against another table, to the fen."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from reports.content import Charges, RunContent, known_total
from reports.month_numbers import (
    PARTICIPANT,
    ChargeTotal,
    PartyTotal,
    charge_totals,
    energy_balance,
    party_totals,
)
from reports.version_steps import version_steps

ZERO = Decimal("0.00")


class MonthPageDiffersError(RuntimeError):
    """The month page would not say what its run says; the sentence names the first differences."""


def assert_agrees(content: RunContent, charges: Charges) -> None:
    """Raises MonthPageDiffersError where a figure of the page and the run's tables differ by a fen."""
    found = [
        *_totals(content, charge_totals(content, charges)),
        *_accounts(content, party_totals(content)),
        *_energy(content),
        *_steps(content),
    ]
    if found:
        raise MonthPageDiffersError(
            f"The month page of {content.head.alias} is not written. {' '.join(found[:3])} Verify the run "
            "(`gridsettle run verify`) and settle again where it is damaged."
        )


def _totals(content: RunContent, totals: list[ChargeTotal]) -> Iterator[str]:
    manifest = content.head.manifest["totals"]
    shown = {
        "charges_cny": sum((one.charges for one in totals), ZERO),
        "credits_cny": sum((one.credits for one in totals), ZERO),
        "lines": Decimal(sum(len(rows) for rows in content.lines.values())),
        "missing_lines": Decimal(sum(one.missing for one in totals)),
    }
    for name, value in shown.items():
        if name in manifest and Decimal(manifest[name]) != value:
            yield f"{name} is {value} over the lines and {manifest[name]} in the manifest."
    by_kind = sum((amount for one in totals for amount in one.by_kind.values()), ZERO)
    if by_kind != shown["charges_cny"] + shown["credits_cny"]:
        yield f"The kinds sum to {by_kind}, the charges to {shown['charges_cny'] + shown['credits_cny']}."
    for severity, count in manifest["findings"].items():
        counted = sum(one.severity == severity for one in content.findings)
        if counted != count:
            yield f"There are {counted} findings to {severity} and the manifest says {count}."


def _accounts(content: RunContent, parties: list[PartyTotal]) -> Iterator[str]:
    movement = {
        row.account.removeprefix(PARTICIPANT): row.movement_cny
        for row in content.accounts
        if row.account.startswith(PARTICIPANT)
    }
    for one in parties:
        moved = movement.get(one.party.participant_id, ZERO)
        if one.net != moved:
            yield f"{one.party.participant_id} is shown with {one.net}, its account moved by {moved}."
    for row in content.accounts:
        if row.opening_cny + row.movement_cny != row.closing_cny:
            yield f"Account {row.account} opens with {row.opening_cny}, moves {row.movement_cny} and closes with {row.closing_cny}."
    closing = known_total([row.movement_cny for row in content.accounts])
    if closing != content.postings_sum:
        yield f"The accounts move by {closing} together, the postings sum to {content.postings_sum}."


def _energy(content: RunContent) -> Iterator[str]:
    balance = energy_balance(content)
    if balance.residual:
        yield f"Generation, import, use and loss leave {balance.residual} MWh."


def _steps(content: RunContent) -> Iterator[str]:
    steps = version_steps(content)
    if not steps:
        return
    for side in ("users", "suppliers"):
        parts = sum((getattr(step, side) for step in steps[:-1]), ZERO)
        if parts != getattr(steps[-1], side):
            yield f"The bridge of {side} comes to {parts}, this version has {getattr(steps[-1], side)}."
    if _last(content) != steps[-1].net:
        yield f"The bridge ends with {steps[-1].net}, the lines sum to {_last(content)}."


def _last(content: RunContent) -> Decimal:
    return known_total([line.amount_cny for line in content.all_lines()])
