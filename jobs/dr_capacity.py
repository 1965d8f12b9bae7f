"""Capacity fees (容量补偿费) of a month: what a programme pays for being ready, apart from what is called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from demand_response.events import Product
from demand_response.response import capacity_fee
from jobs.dr_events import MonthEvents, given
from jobs.roster import valid_in
from market.periods import Month
from settlement.findings import Finding, Severity


@dataclass(frozen=True)
class CapacityPool:
    """One programme's fees of a month, a pool of its own. fees: fen by enrolled participant; payee: who gets it."""

    pool_id: str
    program_id: str
    fund_id: str | None
    day: date
    fees: Mapping[str, int]
    payee: Mapping[str, str]


def capacity_pools(events: MonthEvents, month: Month) -> list[CapacityPool]:
    """The fees of every programme with a capacity price in the month, by programme.

    Enrolled capability x price, by days of validity of both. For an agreed product (约定) only in a month with an event,
    and only the part that was not called (demand_response.md A1.1, A2 Hainan, TC-16).
    """
    programs = valid_in(events.tables["dr_programs"], month)
    priced = programs[programs["capacity_price_cny_per_kw_month"].map(given).notna()]
    return [
        pool
        for program_id, terms in priced.groupby("program_id", sort=True)
        if (pool := _pool(str(program_id), terms, events, month)) is not None
    ]


def capacity_findings(pools: list[CapacityPool]) -> list[Finding]:
    """Says of every fee how the month was counted, because no published text does."""
    return [
        Finding(
            "capacity_fee_reading",
            Severity.INFORM,
            pool.pool_id,
            f"Capacity fees of {pool.program_id}: {len(pool.fees)} participants, {sum(pool.fees.values()) / 100:,.2f} 元. A "
            "capability that holds for part of the month is counted by days, and the fee is shared by the rule of the "
            "residual over the month's use and non-market generation; both are our reading (demand_response.md A1.1, A1.2).",
            amount_at_stake_fen=sum(pool.fees.values()),
        )
        for pool in pools
    ]


def _pool(program_id: str, terms: pd.DataFrame, events: MonthEvents, month: Month) -> CapacityPool | None:
    enrolments = valid_in(events.tables["dr_enrolments"], month)
    enrolments = enrolments[enrolments["program_id"] == program_id]
    called = [event for event in events.events if event.program_id == program_id]
    agreed = terms.iloc[-1]["product"] == Product.AGREED
    if enrolments.empty or (agreed and not called):
        return None
    most: dict[str, Decimal] = defaultdict(Decimal)
    if agreed:
        for event in called:
            for award in events.awards(event).itertuples():
                most[award.participant_id] = max(most[award.participant_id], award.committed_kw)
    last = terms.iloc[-1]
    days = len(list(month.days()))
    of_who: dict[str, list[Any]] = defaultdict(list)
    for row in enrolments.itertuples():
        of_who[str(row.participant_id)].append(row)
    prices = list(terms.itertuples())
    fees = {
        who: capacity_fee(list(_parts(of_who[who], prices, most[who], month)), days) for who in sorted(of_who)
    }
    payee = {who: str(given(rows[-1].aggregator_id) or who) for who, rows in sorted(of_who.items())}
    fund = given(last["fund_id"])
    return CapacityPool(
        f"{program_id}/{month}",
        program_id,
        None if fund is None else str(fund),
        max(month.days()),
        fees,
        payee,
    )


def _parts(
    enrolments: Sequence[Any], terms: Sequence[Any], called_kw: Decimal, month: Month
) -> Iterator[tuple[Decimal, Decimal, int]]:
    """(kW not called, price, days) of every stretch on which one enrolment and one price hold."""
    for enrolled in enrolments:
        for term in terms:
            first = max(month.first, enrolled.valid_from, term.valid_from)
            ends = [end for end in (given(enrolled.valid_to), given(term.valid_to)) if end is not None]
            held = (min(month.after, *ends) - first).days if ends else (month.after - first).days
            if held > 0:
                free = max(enrolled.capability_kw - called_kw, Decimal(0))
                yield free, term.capacity_price_cny_per_kw_month, held
