"""Programmes paid from a fund (以收定支): its month, the factor when it is short, and what carries over (A2, fact 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import pandas as pd

from demand_response.response import fund_limited
from jobs.dr_capacity import CapacityPool
from jobs.dr_case import SettledEvent
from market.money import scaled
from market.periods import Month
from settlement.findings import Finding, Severity
from settlement.ledger import participant_account


@dataclass(frozen=True)
class FundMonth:
    """A fund's month in fen: opening + income + penalties - paid = carried over. factor: paid / claims, at most 1."""

    fund_id: str
    opening_fen: int
    income_fen: int
    penalties_fen: int
    claims_fen: int
    paid_fen: int
    factor: Fraction

    @property
    def carried_fen(self) -> int:
        """What rolls over to the next month."""
        return self.opening_fen + self.income_fen + self.penalties_fen - self.paid_fen


@dataclass(frozen=True)
class Limited:
    """Events and capacity fees as they are paid, and the months of the funds that pay them."""

    settled: tuple[SettledEvent, ...]
    pools: tuple[CapacityPool, ...]
    funds: tuple[FundMonth, ...]


def limit_by_funds(
    settled: Sequence[SettledEvent],
    pools: Sequence[CapacityPool],
    income: pd.DataFrame,
    openings: Mapping[str, int],
    month: Month,
) -> Limited:
    """Pay what funds owe as far as they reach: all claims of the month on a fund share one factor.

    income: table dr_funds. openings: fen by account, of the month before; a fund's account is in credit (negative) by
    what it holds. A fund with a claim that is not known yet pays nothing yet.
    """
    of_month = income[income["month"] == str(month)]
    received = {row.fund_id: scaled(row.income_cny, 2) for row in of_month.itertuples()}
    claimed = {one.program.fund_id for one in settled if one.program.fund_id and one.shares_cost}
    claimed |= {pool.fund_id for pool in pools if pool.fund_id}
    held = {fund: -openings.get(participant_account(fund), 0) for fund in income["fund_id"]}
    funds = []
    for fund in sorted(claimed | received.keys() | {fund for fund, fen in held.items() if fen}):
        settled, pools, paid = _pay(fund, settled, pools, held.get(fund, 0), received.get(fund, 0))
        funds.append(paid)
    return Limited(tuple(settled), tuple(pools), tuple(funds))


def fund_findings(funds: Iterable[FundMonth]) -> list[Finding]:
    """What each fund received, paid and carries over; a review where it was short."""
    return [
        Finding(
            "fund_month",
            Severity.INFORM if fund.paid_fen == fund.claims_fen else Severity.REVIEW,
            fund.fund_id,
            f"Fund {fund.fund_id}: {fund.opening_fen / 100:,.2f} 元 from before, {fund.income_fen / 100:,.2f} 元 received, "
            f"{fund.claims_fen / 100:,.2f} 元 claimed, {fund.paid_fen / 100:,.2f} 元 paid (factor {float(fund.factor):.6f}); "
            f"{fund.carried_fen / 100:,.2f} 元 carry over.",
            evidence={
                "claims_fen": fund.claims_fen,
                "paid_fen": fund.paid_fen,
                "carried_fen": fund.carried_fen,
            },
            amount_at_stake_fen=fund.claims_fen - fund.paid_fen,
        )
        for fund in funds
    ]


def _pay(
    fund: str, settled: Sequence[SettledEvent], pools: Sequence[CapacityPool], opening: int, income: int
) -> tuple[list[SettledEvent], list[CapacityPool], FundMonth]:
    mine = [one for one in settled if one.program.fund_id == fund and one.shares_cost]
    outcomes = [outcome for one in mine for outcome in one.outcomes]
    if any(outcome.payment_fen is None for outcome in outcomes):
        waiting = [_waiting(one, fund) if one in mine else one for one in settled]
        return waiting, list(pools), FundMonth(fund, opening, income, 0, 0, 0, Fraction(1))
    claims: dict[tuple[str, str], int] = defaultdict(int)
    for one in mine:
        for outcome in one.outcomes:
            claims[one.event.event_id, outcome.participant_id] += outcome.payment_fen or 0
    for pool in pools:
        if pool.fund_id == fund:
            claims |= {(pool.pool_id, who): fen for who, fen in pool.fees.items()}
    penalties = sum(outcome.penalty_fen or 0 for outcome in outcomes)
    named = {" / ".join(key): fen for key, fen in sorted(claims.items())}
    payout = fund_limited(named, max(opening + income + penalties, 0))
    paid = dict(zip(sorted(claims), payout.paid_fen.values(), strict=True))
    month = FundMonth(
        fund, opening, income, penalties, sum(claims.values()), sum(paid.values()), payout.factor
    )
    return (
        [_funded(one, paid) if one in mine else one for one in settled],
        [
            replace(pool, fees={who: paid[pool.pool_id, who] for who in pool.fees})
            if pool.fund_id == fund
            else pool
            for pool in pools
        ],
        month,
    )


def _funded(settled: SettledEvent, paid: Mapping[tuple[str, str], int]) -> SettledEvent:
    """The event as the fund pays it; the payers bear nothing, and its cost is still the event's."""
    event_id = settled.event.event_id
    outcomes = tuple(replace(one, payment_fen=paid[event_id, one.participant_id]) for one in settled.outcomes)
    net = sum((one.payment_fen or 0) - (one.penalty_fen or 0) for one in outcomes)
    case = None if settled.case is None else replace(settled.case, cost_fen=0, funded_fen=net)
    return replace(settled, outcomes=outcomes, case=case)


def _waiting(settled: SettledEvent, fund: str) -> SettledEvent:
    reason = f"fund {fund} pays all claims of the month by one factor, and a claim on it is not known yet."
    outcomes = tuple(
        one
        if one.payment_fen is None
        else replace(
            one,
            payment_fen=None,
            penalty_fen=None,
            code="fund_waits",
            missing_reason=f"{one.participant_id}: {reason}",
        )
        for one in settled.outcomes
    )
    return replace(settled, outcomes=outcomes, case=None)
