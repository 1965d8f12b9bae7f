"""Bills become lines and double entry: what consumers pay reaches their retailer, the grid company or the fund.

A retailer is paid back its wholesale lines and keeps the margin; the agency book's wholesale lines are covered and
what is left is carried forward to the agency price of a later month (market.md B.13; ruling 1; decision 0021).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from market.money import half_up_ratio, wide_sum
from market.profiles import ChargeMatrix
from settlement.ledger import Movement, assert_balanced, balances, post
from settlement.lines import Known, Line, Lines
from settlement.month import MonthSettlement
from settlement.postings import Postings
from settlement.retail.bill import Bills, Column

KEPT_BY_BOOK = (
    "retail",
    "agency",
    "agency_result",
)  # accounts whose money does not go to one payee by charge


@dataclass(frozen=True)
class Suppliers:
    """Who stands behind the bills: the grid company, the fund (None: not delivered), and labels of every line."""

    grid_company: str
    fund: str | None
    city: Mapping[str, str | None]
    measured_ppm: Mapping[str, int]
    own_charges: tuple[str, ...]


def with_bills(
    result: MonthSettlement,
    parts: Iterable[Bills],
    suppliers: Suppliers,
    matrix: ChargeMatrix,
    openings: Mapping[str, int],
) -> MonthSettlement:
    """The month with the second layer: lines, postings and accounts of both. ``Bills.series`` has its days.

    parts: the bills of some consumers after those of others, each consumer once; only one part is looked at at a time.
    Raises LedgerNotBalancedError when an account of the second layer does not close as the profile says.
    """
    first_layer = Lines.of(result.lines)
    layer = {charge.code: charge.layer for charge in matrix.charges}
    first = first_layer.with_codes(code for code in first_layer.codes if layer[code] == "wholesale")
    lines, movements = consumer_lines(parts, first, suppliers, matrix)
    postings, incomplete = post(lines, movements, matrix), _incomplete(lines, matrix, suppliers)
    every_line = Lines.joined([first_layer, lines])
    del lines  # a million of them stand twice already
    every_line = every_line.in_order()
    accounts = balances(postings, matrix, openings, every_line.participants, result.accounts)
    of_layer = {charge.account for charge in matrix.charges if charge.layer == "consumer"}
    checked = tuple(one for one in matrix.accounts if one.code in of_layer and one.closes == "zero")
    assert_balanced(
        postings,
        accounts,
        matrix.model_copy(update={"accounts": checked}),
        len(every_line),
        incomplete,
    )
    return replace(
        result,
        lines=every_line,
        postings=Postings.joined([result.postings, postings]),
        accounts=tuple(accounts),
    )


@dataclass
class _Sum:
    """Fen of several amounts; ``missing`` once one of them is."""

    fen: int = 0
    missing: bool = False

    def add(self, fen: int | None) -> None:
        self.fen += fen or 0
        self.missing |= fen is None

    @property
    def known(self) -> int | None:
        return None if self.missing else self.fen


def consumer_lines(
    parts: Iterable[Bills], first_layer: Lines, suppliers: Suppliers, matrix: ChargeMatrix
) -> tuple[Lines, list[Movement]]:
    """Lines of consumers and of those who stand behind them, and what moves to margin and agency result."""
    account = {charge.code: charge.account for charge in matrix.charges}
    billed: dict[str, list[Lines]] = defaultdict(list)
    income: dict[str, _Sum] = defaultdict(_Sum)
    for bills in parts:
        for code, column in bills.columns.items():
            fens = column.fen()
            billed[code].append(_lines(bills, column, fens, suppliers))
            if account[code] == "retail":
                for retailer, fen in _by_retailer(bills, column, fens):
                    income[retailer].add(fen)
    lines: list[Iterable[Line]] = []
    agency = _Sum()
    of_agency = [code for code in billed if account[code] == "agency"]
    has_agency = any(len(made) for code in of_agency for made in billed[code])
    for code in [charge.code for charge in matrix.charges if charge.code in billed]:
        made = Lines.joined(billed.pop(code))
        lines.append(made)
        if code in of_agency:
            agency.add(made.total_fen)
        elif account[code] not in KEPT_BY_BOOK and len(made):
            payee = suppliers.fund if account[code] == "funds" else suppliers.grid_company
            if payee is not None:
                lines.append([_mirror(payee, code, made, suppliers)])
    cost = _cost(first_layer, suppliers, {*income, suppliers.grid_company})
    movements = []
    if income:
        margins, margin = _retail_books(income, cost, suppliers)
        lines.append(margins)
        movements.append(Movement("retail_margin_transfer", margin))
    if has_agency:
        covered = None if agency.missing else cost.get(suppliers.grid_company, 0)
        lines.append(
            [_line(suppliers.grid_company, "agency_cost", None if covered is None else -covered, suppliers)]
        )
        if covered is not None:
            movements.append(Movement("agency_result_transfer", agency.fen - covered))
    return Lines.joined(lines), [movement for movement in movements if movement.amount_fen]


def _lines(bills: Bills, column: Column, fens: Sequence[int | None], suppliers: Suppliers) -> Lines:
    rows = np.flatnonzero(column.pays)
    quantity = None
    if column.quantity is not None:
        known = ~np.array(bills.use.incomplete, np.bool_)[rows]
        quantity = Known(np.where(known, column.quantity[rows], 0), known)
    return Lines.of_charge(
        column.code,
        bills.use.participants,
        quantity,
        [fens[row] for row in rows.tolist()],
        city=suppliers.city,
        measured_ppm=suppliers.measured_ppm,
        who=rows,
    )


def _by_retailer(bills: Bills, column: Column, fens: Sequence[int | None]) -> list[tuple[str, int | None]]:
    """Each user's line by the retailer of its days: what is rounded up to a span less what was before it."""
    found: list[tuple[str, int | None]] = []
    by_row: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for rows, amounts, span in column.parts:
        for row, amount in zip(rows.tolist(), amounts.tolist(), strict=True):
            who = span.customers[row]
            if who is not None:
                by_row[row].append((who.supplier, amount))
    for row, fen in enumerate(fens):
        if not column.pays[row]:
            continue
        if fen is None:  # missing for every retailer of the month, whichever days it rests on
            customers = [span.customers[row] for span in bills.spans]
            retailers = (who.supplier for who in customers if who is not None and who.kind == "retail_user")
            found += [(retailer, None) for retailer in dict.fromkeys(retailers)]
            continue
        parts = by_row.get(row, [])
        if len({supplier for supplier, _ in parts}) == 1:
            found.append((parts[0][0], fen))
            continue
        sofar, before = 0, 0
        for supplier, amount in parts:
            sofar += amount
            rounded = _rounded(sofar, column.denominator)
            found.append((supplier, rounded - before))
            before = rounded
    return found


def _rounded(exact: int, denominator: int) -> int:
    return half_up_ratio(exact.numerator, exact.denominator * denominator)


def _mirror(payee: str, code: str, billed: Lines, suppliers: Suppliers) -> Line:
    """The payee's line: all its consumers paid, missing where one of them is (ruling 14)."""
    amount, energy = billed.total_fen, billed.quantity
    return Line(
        payee,
        code,
        suppliers.city.get(payee),
        wide_sum(energy.values) if energy.known.all() else None,
        None if amount is None else -amount,
        None,
        delivered=True,
    )


def _cost(first_layer: Lines, suppliers: Suppliers, who: Collection[str]) -> dict[str, int | None]:
    """Wholesale lines by participant; the grid company's without what is not the agency book's."""
    own = first_layer.has_name([suppliers.grid_company]) & first_layer.has_code(suppliers.own_charges)
    cost: dict[str, _Sum] = defaultdict(_Sum)
    for line in first_layer.only(~own).of_names(who):
        cost[line.participant_id].add(line.amount_fen)
    return {one: sums.known for one, sums in cost.items()}


def _retail_books(
    income: Mapping[str, _Sum], cost: Mapping[str, int | None], suppliers: Suppliers
) -> tuple[list[Line], int]:
    lines: list[Line] = []
    total = 0
    for retailer in sorted(income):
        paid, spent = income[retailer].known, cost.get(retailer, 0)
        margin = None if spent is None or paid is None else paid - spent
        lines.append(_line(retailer, "retail_cost", None if margin is None else -(spent or 0), suppliers))
        lines.append(_line(retailer, "retail_margin", None if margin is None else -margin, suppliers))
        total += margin or 0
    return lines, total


def _line(who: str, code: str, fen: int | None, suppliers: Suppliers) -> Line:
    return Line(who, code, suppliers.city.get(who), None, fen, None, delivered=True)


def _incomplete(lines: Lines, matrix: ChargeMatrix, suppliers: Suppliers) -> frozenset[str]:
    account = {charge.code: charge.account for charge in matrix.charges}
    missing = {account[code] for code in lines.incomplete_codes}
    if suppliers.fund is None:
        missing.add("funds")
    return frozenset(missing)
