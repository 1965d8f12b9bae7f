"""Charges of a bill that follow the month and not the kWh: basic fee, power factor, termination, certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from market.consumer import ConsumerRules
from market.dated import on
from market.money import scaled
from market.periods import Month
from settlement.retail.bill import Bills, Column
from settlement.retail.packages import (
    E11_PER_FEN,
    WH_PER_MWH,
    Certificates,
    Choice,
    certificates,
    termination_fen,
)
from settlement.retail.power_factor import hundredths, percent, standard_of
from settlement.retail.use import Customer, Span

TWO_PARTS = {"capacity": "basic_capacity", "demand": "basic_demand"}
VA_DECIMALS = 3
PERCENT_DECIMALS = 2
E11_OF_MILLS = 100
NOTHING: Mapping[str, Mapping[str, int | None]] = {}


def basic_fee(bills: Bills, spans: Sequence[Span], rules: ConsumerRules) -> None:
    """Capacity (kVA) or maximum demand (kW) x price of a month, by the days of it (market.md B.7)."""
    use = bills.use
    for span in spans:
        first = use.days[span.first]
        two_part = on(rules.two_part_classes, first, "two_part_classes")
        for row, who in enumerate(span.customers):
            if who is None or who.kind == "residents" or who.tariff_class not in two_part:
                continue
            column = _column(bills, "basic_fee")
            column.denominator = E11_PER_FEN * len(use.days)
            column.pays[row] = True
            size_w = _size_w(bills, row, who)
            component = TWO_PARTS.get(who.basic_fee or "")
            price = (
                None
                if component is None
                else bills.tariffs.find(component, who.tariff_class, who.band, first)
            )
            if component is None or size_w is None:
                what = "basic_fee_unknown" if component is None else f"{who.basic_fee}_missing"
                bills.lack_of(what, row, span.first, span.after)
            elif price is None:
                subject = f"{component}/{who.tariff_class}/{who.band}"
                bills.lack("tariff_missing", subject, (row,), span.first, span.after)
            if size_w is None or price is None:
                column.missing[row] = True
                continue
            bills.used.add(price)
            column.exact[row] += (
                size_w * price.price_e8 * (span.after - span.first)
            )  # VA or W x 1e-8 元 x days


def _size_w(bills: Bills, row: int, who: Customer) -> int | None:
    """Contracted capacity in VA or the month's maximum demand in W."""
    if who.basic_fee == "demand":
        return bills.use.demand_w.get(bills.use.participants[row])
    if who.basic_fee == "capacity" and who.capacity_kva is not None:
        return scaled(who.capacity_kva, VA_DECIMALS)
    return None


def power_factor(
    bills: Bills,
    spans: Sequence[Span],
    rules: ConsumerRules,
    first_layer: Mapping[str, Mapping[str, int | None]] = NOTHING,
) -> None:
    """Percent of the lines it rests on, by the standard and cos phi of the month (PF; market.md B.9).

    The standard is the one of the last day of the month on which the user is a consumer. first_layer: charge ->
    participant -> fen of wholesale lines, which are the energy of a user that buys wholesale.
    """
    use, last_day = bills.use, bills.use.days[-1]
    tables = on(rules.power_factor_tables, last_day, "power_factor_tables")
    standards = on(rules.power_factor_standards, last_day, "power_factor_standards")
    charges = on(rules.power_factor_base, last_day, "power_factor_base")
    billed = [(bills.columns[code], bills.columns[code].fen()) for code in charges if code in bills.columns]
    active = use.energy.sum(axis=1).tolist()
    for row, who in enumerate(_last_customers(spans)):
        if who is None or who.kind == "residents":
            continue
        standard = standard_of(standards, who.tariff_class, who.capacity_kva, who.standard)
        if standard is None:
            continue
        column = _column(bills, "power_factor")
        column.denominator = 100 * 10**PERCENT_DECIMALS
        column.pays[row] = True
        name = use.participants[row]
        reactive = use.reactive_varh.get(name)
        if reactive is None:
            bills.lack_of("reactive_missing", row, 0, len(use.days))
        if all(table.standard != standard for table in tables):
            bills.lack_of("standard_without_table", row, 0, len(use.days))
            column.missing[row] = True
            continue
        base = [fen[row] for of, fen in billed if of.pays[row]]
        base += [of[name] for code in charges if name in (of := first_layer.get(code, {}))]
        known = [fen for fen in base if fen is not None]
        if reactive is None or use.incomplete[row] or len(known) < len(base):
            column.missing[row] = True
            continue
        cos_phi = None if active[row] < 0 or reactive < 0 else hundredths(active[row], reactive)
        rate = Decimal(0) if cos_phi is None else percent(tables, standard, cos_phi)
        column.exact[row] = sum(known) * scaled(rate, PERCENT_DECIMALS)  # B.9: lines as billed x percent


def termination(bills: Bills, spans: Sequence[Span], month: Month, rules: ConsumerRules) -> None:
    """The fee of a package given up before its term, in the month of the notice (SD25 12.2; market.md B.10)."""
    billed: set[tuple[int, Choice]] = set()
    for span in spans:
        for row, who in enumerate(span.customers):
            if who is None or who.choice is None or who.package is None or who.choice.ended_early_on is None:
                continue
            if Month.of(who.choice.ended_early_on) != month or (row, who.choice) in billed:
                continue
            billed.add((row, who.choice))
            fee = termination_fen(who.package, who.choice, month, rules.early_termination)
            if fee is None:
                continue
            column = _column(bills, "retail_termination")
            column.denominator = 1
            column.pays[row] = True
            column.exact[row] += fee
            column.parts.append((np.array([row], np.intp), np.array([fee], np.object_), span))


def green_certificates(
    bills: Bills, spans: Sequence[Span], carried: Mapping[str, int | None]
) -> list[tuple[str, Certificates | None]]:
    """Whole certificates of green packages at the package's price, the rest carried (SD25 12.2; market.md C.4).

    carried: 1e-4 Wh by participant from the month before, None where that month is missing. Returns every user with
    green energy or a carry, None where its energy is missing.
    """
    use = bills.use
    green: dict[int, int] = {}
    last: dict[int, Span] = {}
    for span in spans:
        for row, who in enumerate(span.customers):
            if who is None or who.package is None or who.package.green_share == 0:
                continue
            energy = int(use.energy[row, span.first : span.after].sum())
            green[row] = green.get(row, 0) + energy * who.package.green_share
            last[row] = span
    found: list[tuple[str, Certificates | None]] = []
    for row, name in enumerate(use.participants):
        if row not in green and not carried.get(name, 0):
            continue
        before = carried.get(name, 0)
        unknown = before is None or (row in green and use.incomplete[row])
        made = None if unknown or before is None else certificates(name, green.get(row, 0), before)
        if before is None:
            bills.lack_of("green_carry_missing", row, 0, len(use.days))
        found.append((name, made))
        if row in last:
            _bill_certificates(_column(bills, "green_certificates"), row, made, last[row])
    return found


def _bill_certificates(column: Column, row: int, made: Certificates | None, span: Span) -> None:
    column.pays[row] = True
    who = span.customers[row]
    if made is None or who is None or who.package is None:
        column.missing[row] = True
        return
    energy = made.certificates * WH_PER_MWH
    exact = energy * who.package.green_mills * E11_OF_MILLS
    column.exact[row] = exact
    if column.quantity is None:
        column.quantity = np.zeros(len(column.pays), np.int64)
    column.quantity[row] = energy
    column.parts.append((np.array([row], np.intp), np.array([exact], np.object_), span))


def _column(bills: Bills, code: str) -> Column:
    column = bills.columns.get(code)
    if column is None:
        column = bills.new(code)
        column.quantity = None
    return column


def _last_customers(spans: Sequence[Span]) -> list[Customer | None]:
    found: list[Customer | None] = list(spans[0].customers)
    for span in spans[1:]:
        found = [now or before for now, before in zip(span.customers, found, strict=True)]
    return found
