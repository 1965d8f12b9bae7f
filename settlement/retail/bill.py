"""A consumer's bill: one function a charge, arrays over all consumers (market.md B.7-B.10).

Amounts are exact in 1e-11 元 (Wh x 1e-8 元/kWh) until the line, which is rounded once to the fen, half up
(ruling 8). A positive amount is a charge to the consumer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from market.consumer import ConsumerRules, PriceCharge, TimeOfUse
from market.dated import Dated, RuleNotInForceError, on
from market.money import IntArray, half_up_array
from settlement.day import BoolArray
from settlement.parties import DailySeries
from settlement.retail.packages import E11_PER_FEN, Package, cap_relief_e11, deviation_e11, energy_e11
from settlement.retail.tariffs import Tariff, TariffBook, sum_e8
from settlement.retail.time_of_use import surcharge_e8
from settlement.retail.use import ConsumerUse, Span

ENERGY_OF_PACKAGE = "retail_energy"
RETAIL_CAPACITY = "retail_capacity"
E11_PER_NANO = 100

Exact = NDArray[np.object_]  # Python whole numbers or fractions: a city's month passes int64 in 1e-11 元


@dataclass
class Column:
    """One charge over all consumers: who pays it, quantity, exact amount, and what is missing.

    parts: (row, supplier, exact amount) of each span where the supplier matters. daily: (rows, days) 1e-9 元.
    """

    code: str
    pays: BoolArray
    quantity: IntArray | None
    exact: Exact
    missing: BoolArray
    daily: IntArray | None = None
    parts: list[tuple[NDArray[np.intp], Exact, Span]] = field(default_factory=list)
    denominator: int = E11_PER_FEN

    def fen(self) -> list[int | None]:
        """The line of each row, None where missing or not paid: the one rounding."""
        rounded = _half_up(self.exact, self.denominator)
        return [
            value if pays and not gap else None
            for value, pays, gap in zip(rounded, self.pays.tolist(), self.missing.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class Lack:
    """Something a bill needs and nobody delivered: what, of which subject, for which consumers, from when to when."""

    what: str
    subject: str
    who: tuple[str, ...]
    days: tuple[date, date]


@dataclass
class Bills:
    """All charges of all consumers before they are posted."""

    use: ConsumerUse
    tariffs: TariffBook
    columns: dict[str, Column] = field(default_factory=dict)
    lacks: list[Lack] = field(default_factory=list)
    used: set[Tariff] = field(default_factory=set)
    spans: Sequence[Span] = ()

    def new(self, code: str) -> Column:
        """An empty column that is kept."""
        rows = len(self.use.participants)
        column = Column(
            code,
            np.zeros(rows, np.bool_),
            np.zeros(rows, np.int64),
            np.zeros(rows, np.object_),
            np.zeros(rows, np.bool_),
        )
        self.columns[code] = column
        return column

    def lack(self, what: str, subject: str, rows: Iterable[int], first: int, after: int) -> None:
        """Note what is not there for some rows on the days ``first`` to before ``after`` (places in the month)."""
        who = tuple(self.use.participants[row] for row in rows)
        self.lacks.append(Lack(what, subject, who, (self.use.days[first], self.use.days[after - 1])))

    def lack_of(self, what: str, row: int, first: int, after: int) -> None:
        """The same where a consumer lacks something of its own."""
        self.lack(what, self.use.participants[row], (row,), first, after)

    def series(self) -> list[DailySeries]:
        """Daily amounts of the charges that have them."""
        found = []
        for column in self.columns.values():
            if column.daily is None or not column.pays.any():
                continue
            rows = np.flatnonzero(column.pays)
            found.append(
                DailySeries(
                    column.code,
                    tuple(self.use.participants[row] for row in rows),
                    self.use.days,
                    self.use.energy[rows],
                    column.daily[rows],
                    self.use.missing[rows] | column.missing[rows, None],
                )
            )
        return found


def energy_bills(
    use: ConsumerUse,
    spans: Sequence[Span],
    book: TariffBook,
    rules: ConsumerRules,
) -> Bills:
    """Every charge that follows energy: published prices, time of use, packages.

    Monthly charges (basic fee, power factor, certificates, termination) are added by ``settlement.retail.monthly``.
    """
    bills = Bills(use, book, spans=spans)
    for span in spans:
        day = use.days[span.first]
        groups = _groups(span)
        for charge in on(rules.price_charges, day, "price_charges"):
            price_charge(bills, span, groups, charge)  # B.7
        retail_capacity_by_time(bills, span, rules)  # B.4
        time_of_use(bills, span, groups, rules)  # B.8
        retail_energy(bills, span)  # B.10
    retail_caps_and_deviation(bills, spans)  # B.10
    retail_adjustment(bills, spans)  # B.2
    return bills


Groups = dict[tuple[str, str, str], NDArray[np.intp]]


def _groups(span: Span) -> Groups:
    """Rows by kind, class and voltage band: those who pay the same prices."""
    rows: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row, who in enumerate(span.customers):
        if who is not None:
            rows[who.kind, who.tariff_class, who.band].append(row)
    return {key: np.array(found, np.intp) for key, found in rows.items()}


def price_charge(bills: Bills, span: Span, groups: Groups, charge: PriceCharge) -> None:
    """Q·P, Q by register, P = Σ components of the user's class and voltage (SD25, DL809; market.md B.7)."""
    use = bills.use
    column = bills.columns.get(charge.charge) or bills.new(charge.charge)
    if column.daily is None:
        column.daily = np.zeros(use.missing.shape, np.int64)
    days = slice(span.first, span.after)
    for (kind, tariff_class, band), rows in groups.items():
        if kind not in charge.kinds:
            continue
        price = _price(bills, span, charge.components, tariff_class, band, rows)
        energy = use.by_register[rows, days]
        total = energy.sum(axis=1)
        column.pays[rows] = True
        column.missing[rows] |= use.missing[rows, days].any(axis=1)
        _quantity(column)[rows] += total
        if price is None:
            column.missing[rows] = True
            continue
        amount = total.astype(np.object_) * price
        column.exact[rows] += amount
        column.parts.append((rows, amount, span))
        whole, rest = divmod(price, E11_PER_NANO)
        column.daily[rows, days] = energy * whole + half_up_array(energy * rest, E11_PER_NANO)


def _price(
    bills: Bills,
    span: Span,
    components: Iterable[str],
    tariff_class: str,
    band: str,
    rows: NDArray[np.intp],
) -> int | None:
    day = bills.use.days[span.first]
    parts = bills.tariffs.price(tuple(components), tariff_class, band, day)
    for name, part in parts.items():
        if part is None:
            subject = f"{name}/{tariff_class}/{band}"
            bills.lack("tariff_missing", subject, rows.tolist(), span.first, span.after)
        else:
            bills.used.add(part)
    return sum_e8(parts)


def time_of_use(bills: Bills, span: Span, groups: Groups, rules: ConsumerRules) -> None:
    """Σ_b Q_b·(round6(P·ratio_b) − P), P = Σ floating components (SD-TOU25; market.md B.8)."""
    use, day = bills.use, bills.use.days[span.first]
    kinds = on(rules.floating_kinds, day, "floating_kinds")
    floating = on(rules.floating_components, day, "floating_components")
    rule = in_force(rules.time_of_use, day)
    column = bills.columns.get("time_of_use") or bills.new("time_of_use")
    if column.daily is None:
        column.daily = np.zeros(use.missing.shape, np.int64)
    days = slice(span.first, span.after)
    for (kind, tariff_class, band), rows in groups.items():
        if kind not in kinds:
            continue
        column.pays[rows] = True
        column.missing[rows] |= use.missing[rows, days].any(axis=1)
        _quantity(column)[rows] += use.energy[rows, days].sum(axis=1)
        base = _price(bills, span, floating, tariff_class, band, rows)
        if rule is None:
            bills.lack("time_of_use_missing", f"{day:%Y-%m-%d}", rows.tolist(), span.first, span.after)
        if base is None or rule is None:
            column.missing[rows] = True
            continue
        above = surcharge_e8(rule, base)
        periods = use.periods[rows, days]
        month = periods.sum(axis=1).astype(np.object_)
        amount = (month * above.astype(np.object_)).sum(axis=1)
        column.exact[rows] += amount
        column.parts.append((rows, amount, span))
        column.daily[rows, days] = half_up_array(periods @ above, E11_PER_NANO)


def retail_capacity_by_time(bills: Bills, span: Span, rules: ConsumerRules) -> None:
    """Σ_b Q_b·(round6(P·k_b) − P) on top of Q·P: packages with capacity factors (BOOK17, 可调节负荷分时零售套餐; B.4)."""
    use, day = bills.use, bills.use.days[span.first]
    tables = on(rules.capacity_factors, day, "capacity_factors")
    charges = on(rules.price_charges, day, "price_charges")
    components = next((one.components for one in charges if one.charge == RETAIL_CAPACITY), None)
    if not tables or components is None:
        return
    column, days = bills.columns[RETAIL_CAPACITY], slice(span.first, span.after)
    for row, who in enumerate(span.customers):
        code = "" if who is None or who.package is None else who.package.package_id
        factors = next((one for one in tables if code.startswith(one.package_code)), None)
        if who is None or factors is None:
            continue
        at = np.array([row], np.intp)
        price = _price(bills, span, components, who.tariff_class, who.band, at)
        if in_force(rules.time_of_use, day) is None:
            bills.lack("time_of_use_missing", f"{day:%Y-%m-%d}", (row,), span.first, span.after)
            column.missing[row] = True
        elif price is not None and column.daily is not None:
            above = surcharge_e8(factors, price)
            amount = use.periods[at, days] @ above
            column.exact[at] += amount.sum(axis=1).astype(np.object_)
            column.parts.append((at, amount.sum(axis=1).astype(np.object_), span))
            column.daily[at, days] += half_up_array(amount, E11_PER_NANO)


def retail_energy(bills: Bills, span: Span) -> None:
    """The package's energy fee of every retail user (SD25 12.2; market.md B.10)."""
    use, day = bills.use, bills.use.days[span.first]
    column = bills.columns.get(ENERGY_OF_PACKAGE) or bills.new(ENERGY_OF_PACKAGE)
    if column.daily is None:
        column.daily = np.zeros(use.missing.shape, np.int64)
    days = slice(span.first, span.after)
    packages: dict[Package | None, list[int]] = defaultdict(list)
    for row, who in enumerate(span.customers):
        if who is not None and who.kind == "retail_user":
            packages[who.package].append(row)
    for package, found in packages.items():
        rows = np.array(found, np.intp)
        column.pays[rows] = True
        column.missing[rows] |= use.missing[rows, days].any(axis=1)
        _quantity(column)[rows] += use.energy[rows, days].sum(axis=1)
        if package is None:
            for row in found:
                bills.lack_of("package_missing", row, span.first, span.after)
            column.missing[rows] = True
            continue
        reference = None
        if package.kind == "reference_linked":
            published = bills.tariffs.find("retail_reference", "all", "all", day)
            reference = None if published is None else published.price_e8
            bills.used |= {published} if published else set()
        lack = package.incomplete() or (
            "follows a reference price that is not in tariffs"
            if package.kind == "reference_linked" and reference is None
            else None
        )
        if lack:
            bills.lack(f"package_incomplete: {lack}", package.package_id, found, span.first, span.after)
            column.missing[rows] = True
            continue
        spot = None
        if package.kind in ("spot_linked", "mixed") and package.linked_to is not None:
            spot = use.spot[package.linked_to][rows, days]
            column.missing[rows] |= use.spot_missing[package.linked_to][rows, days].any(axis=1)
        amount = energy_e11(package, use.periods[rows, days], spot, reference)
        total = amount.astype(np.object_).sum(axis=1)
        column.exact[rows] += total
        column.parts.append((rows, total, span))
        column.daily[rows, days] = half_up_array(amount, E11_PER_NANO)


def retail_caps_and_deviation(bills: Bills, spans: Sequence[Span]) -> None:
    """What rests on a package's energy of the whole month: the cap and the deviation clause (B.10).

    Energy and fee of one package and choice are taken together over the days it is in effect; the agreed energy of
    a month counts by the days of it.
    """
    use = bills.use
    of_package: dict[tuple[int, Package, object], list[Span]] = defaultdict(list)
    for span in spans:
        for row, who in enumerate(span.customers):
            package = None if who is None else who.package
            if package is None or who is None:
                continue
            if package.cap_mills is not None or package.x1 is not None or package.x2 is not None:
                of_package[row, package, who.choice].append(span)
    if not of_package:
        return
    energy_fee = bills.columns[ENERGY_OF_PACKAGE]
    fee_of: dict[tuple[int, int], int] = {}
    for rows, amounts, span in energy_fee.parts:
        fee_of |= {
            (row, span.first): amount for row, amount in zip(rows.tolist(), amounts.tolist(), strict=True)
        }
    cap = bills.columns.get("retail_cap") or bills.new("retail_cap")
    deviation = bills.columns.get("retail_deviation") or bills.new("retail_deviation")
    for (row, package, _), under in of_package.items():
        energy = sum(int(use.energy[row, span.first : span.after].sum()) for span in under)
        last = under[-1]
        gap = bool(energy_fee.missing[row])
        at = np.array([row], np.intp)
        if package.cap_mills is not None:
            fee = sum(fee_of.get((row, span.first), 0) for span in under)
            _add(cap, at, cap_relief_e11(energy, fee, package.cap_mills), energy, gap, last)
        if package.x1 is not None or package.x2 is not None:
            who = last.customers[row]
            agreed = None if who is None or who.choice is None else who.choice.agreed_wh
            if agreed is None:
                bills.lack_of("agreed_energy_missing", row, last.first, last.after)
            days = sum(span.after - span.first for span in under)
            share = Fraction((agreed or 0) * days, len(use.days))
            _add(deviation, at, deviation_e11(energy, share, package), energy, gap or agreed is None, last)


def retail_adjustment(bills: Bills, spans: Sequence[Span]) -> None:
    """What the register finds beyond the days at the user's own retail average price (SD25 C_month_adj; market.md B.2).

    The price is its energy fee after the cap over the energy of its days as a retail user.
    """
    use = bills.use
    if use.levelled is None:
        return
    retail: dict[int, list[Span]] = defaultdict(list)
    for row in np.flatnonzero(use.levelled.any(axis=1)).tolist():
        for span in spans:
            who = span.customers[row]
            if who is not None and who.kind == "retail_user":
                retail[row].append(span)
    fees = [bills.columns[code] for code in (ENERGY_OF_PACKAGE, "retail_cap") if code in bills.columns]
    for row, under in retail.items():
        energy = sum(int(use.energy[row, span.first : span.after].sum()) for span in under)
        column = bills.columns.get("retail_adjustment") or bills.new("retail_adjustment")
        at = np.array([row], np.intp)
        gap = any(bool(fee.missing[row]) for fee in fees) or bool(use.missing[row].any())
        if energy <= 0:
            bills.lack_of("adjustment_without_price", row, under[-1].first, under[-1].after)
            gap = True
        fee = sum(fee.exact[row] for fee in fees)
        for span in under:
            found = int(use.levelled[row, span.first : span.after].sum())
            exact = Fraction(found * fee, energy) if energy > 0 else 0  # D · ΣC_retail / ΣQ
            _add(column, at, exact, found, gap, span)


def _add(
    column: Column, at: NDArray[np.intp], exact: int | Fraction, energy: int, gap: bool, span: Span
) -> None:
    column.pays[at] = True
    column.missing[at] |= gap
    column.exact[at] += exact
    _quantity(column)[at] += energy
    column.parts.append((at, np.array([exact], np.object_), span))


def in_force(rule: tuple[Dated[TimeOfUse], ...], day: date) -> TimeOfUse | None:
    """The period set of a day, None where the profile has none."""
    try:
        return on(rule, day, "time_of_use")
    except RuleNotInForceError:
        return None


def _quantity(column: Column) -> IntArray:
    if column.quantity is None:
        column.quantity = np.zeros(len(column.pays), np.int64)
    return column.quantity


def _half_up(exact: Exact, denominator: int) -> list[int]:
    magnitude = (2 * np.abs(exact) + denominator) // (2 * denominator)
    return [
        size if value >= 0 else -size for size, value in zip(magnitude.tolist(), exact.tolist(), strict=True)
    ]
