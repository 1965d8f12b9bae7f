"""审核: every audit rule that looks at a settled month, over what the settlement holds in memory (docs/audit.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from jobs.demand_response import MonthResponse
from jobs.roster import Roster, dated_in, valid_in
from market.audit_rules import AuditLimits
from market.dated import on
from market.money import scaled
from market.periods import Month
from market.profiles import RuleProfile
from settlement.audit.accounts import Account, Contract, Record
from settlement.audit.bills import basic_fee_plausible, mean_price_in_range, power_factor_plausible
from settlement.audit.closing import (
    DaySums,
    Pool,
    allocation_closes,
    no_tail,
    settled_once,
    within_look_back,
)
from settlement.audit.contracts import curve_is_contract_energy, sides_agree
from settlement.audit.records import joined_or_left, master_data_complete, tariff_class_fits
from settlement.corrections import Brought
from settlement.findings import Finding
from settlement.lines import Lines
from settlement.month import MonthSettlement
from settlement.retail.use import UseTotals

CONTRACT_RECORDS = "contract_records"
FUND = "demand_response_fund"
TERMS = (
    "kind",
    "city",
    "node",
    "voltage_kv",
    "capacity_kva",
    "tariff_class",
    "retailer_id",
    "basic_fee",
    "power_factor_standard",
)


@dataclass(frozen=True)
class AuditedMonth:
    """A month as it was settled. use: of consumers, None where no bills are made; contract_wh: Σ curve by contract; days: Σ days."""

    roster: Roster
    records: Mapping[str, pd.DataFrame]
    result: MonthSettlement
    response: MonthResponse
    use: UseTotals | None
    contract_wh: Mapping[str, int | None]
    days: Sequence[DaySums]
    brought: Sequence[Brought]
    closed: bool

    @cached_property
    def people(self) -> list[Account]:
        """Everyone with a record in the month, by id."""
        return accounts(self)


def audit_findings(audited: AuditedMonth, profile: RuleProfile) -> list[Finding]:
    """R12-R15, R18-R21, R27-R30; nothing for a profile without limits. The other rules find where they look."""
    if profile.audit is None:
        return []
    month = audited.roster.month
    limits = profile.audit.limits(month.first)
    people = audited.people
    return [
        *_of_accounts(audited, people, limits, profile),
        *_of_contracts(audited, limits),
        *_of_the_month(audited, limits, profile),
    ]


def _of_accounts(
    audited: AuditedMonth, people: Sequence[Account], limits: AuditLimits, profile: RuleProfile
) -> Iterator[Finding]:
    month, consumer = audited.roster.month, profile.consumer
    yield from tariff_class_fits(people, limits.tariff_classes, consumer)
    yield from mean_price_in_range(
        audited.result.lines, audited.roster.kind, limits.mean_prices, limits.mean_price_without
    )
    if consumer is not None:
        last = max(month.days())
        standards = on(consumer.power_factor_standards, last, "power_factor_standards")
        yield from power_factor_plausible(people, limits.power_factor_low, standards)
    yield from basic_fee_plausible(people, limits.demand_over_capacity, limits.basic_fee_change_days, month)
    yield from master_data_complete(people, limits.required_keys)
    yield from joined_or_left(people, month)


def _of_contracts(audited: AuditedMonth, limits: AuditLimits) -> Iterator[Finding]:
    found, city = contracts(audited), audited.roster.city
    yield from curve_is_contract_energy(found, limits, city)
    yield from sides_agree(found, limits, city)


def _of_the_month(audited: AuditedMonth, limits: AuditLimits, profile: RuleProfile) -> Iterator[Finding]:
    result, (_, matrix) = audited.result, profile.settled
    yield from no_tail(result.lines, audited.days, result.postings, limits.tail_cny)
    yield from allocation_closes(
        pools(audited.response), result.accounts if audited.closed else (), matrix, limits.closure_cny
    )
    yield from settled_once(result.lines)
    corrected = [Month.parse(one.source_month) for one in audited.brought]
    yield from within_look_back(corrected, audited.roster.month, limits.look_back_months)


def looked_at(audited: AuditedMonth, profile: RuleProfile) -> dict[str, int | None]:
    """Rule -> how many subjects it was asked about in the month: 0 where nothing was delivered to ask.

    R01-R04 rest on earlier months, whose number differs by meter; they are not counted.
    """
    if profile.audit is None:
        return {}
    month, records, result = audited.roster.month, audited.records, audited.result
    people, registered = audited.people, len(contracts(audited))
    metered = [one for one in people if one.metered]
    meters, trades = valid_in(records["meters"], month), len(dated_in(records["trades"], month))
    reads, lines = len(valid_in(records["registers"], month)), len(result.lines)
    billed, kind = audited.use is not None, audited.roster.kind
    limits = profile.audit.limits(month.first)
    classed = {str(of) for one in limits.tariff_classes for of in one.kinds}
    priced = {str(one.kind): one.energy_of for one in limits.mean_prices}
    bills = Lines.of(result.lines).with_codes(priced.values())
    bills = bills.of_names(who for who in bills.names if kind.get(who) in priced)
    return {
        **dict.fromkeys(("R01", "R02", "R03", "R04")),
        **dict.fromkeys(("R05", "R06", "R07", "R08", "R09", "R10", "R11"), reads),
        "R12": sum(bool(one.now.tariff_class) and one.now.kind in classed for one in people),
        "R13": len(
            {line.participant_id for line in bills if priced[kind[line.participant_id]] == line.charge_code}
        ),
        "R14": sum(one.reactive_varh is not None for one in people) if billed else 0,
        "R15": sum(one.demand_w is not None for one in people) if billed else 0,
        "R16": sum(not _empty(main) for main in meters["main_meter_id"]),
        "R17": len(result.systems),
        "R18": len(metered),
        "R19": len(metered),
        **dict.fromkeys(("R20", "R21"), registered),
        **dict.fromkeys(("R22", "R23", "R24"), trades),
        **dict.fromkeys(("R25", "R26"), len(meters)),
        **dict.fromkeys(("R27", "R29"), lines),
        "R28": len(result.accounts) if audited.closed else 0,
        "R30": len(audited.brought),
    }


def accounts(audited: AuditedMonth) -> list[Account]:
    """Everyone with a record in the month, by id."""
    month, use = audited.roster.month, audited.use
    energy = {} if use is None else use.active_wh
    history = histories(audited.records["participants"], month)
    metered = set(valid_in(audited.records["meters"], month)["participant_id"])
    return [
        Account(
            who,
            history[who],
            history[who][-1],
            metered=who in metered,
            demand_w=None if use is None else use.demand_w.get(who),
            active_wh=energy.get(who),
            reactive_varh=None if use is None else use.reactive_varh.get(who),
        )
        for who in sorted(audited.roster.kind)
    ]


def histories(participants: pd.DataFrame, month: Month) -> dict[str, tuple[Record, ...]]:
    """By participant, its records that began before the month's end, oldest first; equal ones are one object."""
    columns = [_filled(participants[name]) for name in ("valid_from", "valid_to", *TERMS)]
    ids, began = participants["participant_id"].tolist(), columns[0]
    stood = list(zip(ids, began, strict=True))
    rows = list(zip(*columns, strict=True))
    known: dict[tuple[Any, ...], Record] = {}
    found: dict[str, tuple[Record, ...]] = {}
    for place in sorted(range(len(rows)), key=stood.__getitem__):
        if began[place] < month.after:
            row = rows[place]
            record = known.get(row) or known.setdefault(
                row, Record(*row[:2], **dict(zip(TERMS, row[2:], strict=True)))
            )
            found[ids[place]] = (*found.get(ids[place], ()), record)
    return found


def contracts(audited: AuditedMonth) -> list[Contract]:
    """The contracts of the month with what their sides registered, by id."""
    month = audited.roster.month
    registered: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in audited.records[CONTRACT_RECORDS].itertuples():
        if row.month == str(month):
            registered[row.contract_id][row.side] = (
                scaled(row.energy_mwh, 6),
                scaled(row.price_cny_per_mwh, 3),
            )
    return [
        Contract(
            row.contract_id,
            row.buyer_id,
            row.seller_id,
            scaled(row.price_cny_per_mwh, 3),
            audited.contract_wh.get(row.contract_id, 0),
            registered[row.contract_id],
        )
        for row in valid_in(audited.records["contracts"], month).sort_values("contract_id").itertuples()
        if row.contract_id in registered
    ]


def pools(response: MonthResponse) -> list[Pool]:
    """What each event cost, payments less penalties, and what was charged for it or its fund bore."""
    cost: dict[str, int | None] = {}
    for row in response.responses:
        event, before = str(row["event_id"]), cost.get(str(row["event_id"]), 0)
        paid, penalty = row["payment_fen"], row["penalty_fen"]
        known = isinstance(paid, int) and before is not None
        cost[event] = before + paid - (penalty or 0) if known else None  # type: ignore[operator]
    charged: dict[str, int] = defaultdict(int)
    for frame in response.allocations:
        for event, fen in zip(frame["event_id"].tolist(), frame["charge_fen"].tolist(), strict=True):
            charged[event] += int(fen)
    for amount in response.amounts:
        if amount.charge_code == FUND and amount.amount_fen is not None:
            charged[amount.event_id] += amount.amount_fen
    return [
        Pool(event, fen, charged[event])
        for event, fen in sorted(cost.items())
        if fen is not None and event in charged
    ]


def _filled(column: pd.Series[Any]) -> list[Any]:
    """A column's values, None for what is empty."""
    values = column.tolist()
    filled = {value: None if _empty(value) else value for value in set(values)}
    return [filled[value] for value in values]


def _empty(value: object) -> bool:
    return value is None or value == "" or bool(pd.isna(value))  # type: ignore[call-overload]
