"""Bills become lines and double entry: what consumers pay reaches their retailer, the grid company or the fund.

A retailer is paid back its wholesale lines and keeps the margin; the agency book's wholesale lines are covered and
what is left is carried forward to the agency price of a later month (market.md B.13; ruling 1; decision 0021).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from market.money import half_up_ratio
from market.profiles import ChargeMatrix
from settlement.ledger import Line, Movement, Posting, assert_balanced, balances, post
from settlement.month import MonthSettlement
from settlement.parties import DailySeries
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
    bills: Bills,
    suppliers: Suppliers,
    matrix: ChargeMatrix,
    openings: Mapping[str, int],
) -> MonthSettlement:
    """The month with the second layer: lines, days, postings and accounts of both.

    Raises LedgerNotBalancedError when an account of the second layer does not close as the profile says.
    """
    layer = {charge.code: charge.layer for charge in matrix.charges}
    first = [line for line in result.lines if layer[line.charge_code] == "wholesale"]
    lines, movements = consumer_lines(bills, first, suppliers, matrix)
    every_line = sorted((*result.lines, *lines), key=lambda line: (line.participant_id, line.charge_code))
    postings: list[Posting] = post(lines, movements, matrix)
    participants = sorted({line.participant_id for line in every_line})
    accounts = balances(postings, matrix, openings, participants, result.accounts)
    of_layer = {charge.account for charge in matrix.charges if charge.layer == "consumer"}
    checked = tuple(one for one in matrix.accounts if one.code in of_layer and one.closes == "zero")
    assert_balanced(
        postings,
        accounts,
        matrix.model_copy(update={"accounts": checked}),
        len(every_line),
        _incomplete(lines, matrix, suppliers),
    )
    daily: list[DailySeries] = [*result.daily, *bills.series()]
    return replace(
        result,
        lines=tuple(every_line),
        daily=tuple(daily),
        postings=(*result.postings, *postings),
        accounts=tuple(accounts),
    )


def consumer_lines(
    bills: Bills, first_layer: Sequence[Line], suppliers: Suppliers, matrix: ChargeMatrix
) -> tuple[list[Line], list[Movement]]:
    """Lines of consumers and of those who stand behind them, and what moves to margin and agency result."""
    account = {charge.code: charge.account for charge in matrix.charges}
    lines: list[Line] = []
    income: dict[str, list[int | None]] = defaultdict(list)
    agency: list[int | None] = []
    for code, column in bills.columns.items():
        fens = column.fen()
        billed = _lines(bills, column, fens, suppliers)
        lines += billed
        if account[code] == "retail":
            for retailer, fen in _by_retailer(bills, column, fens):
                income[retailer].append(fen)
        elif account[code] == "agency":
            agency += [line.amount_fen for line in billed]
        elif account[code] not in KEPT_BY_BOOK and billed:
            payee = suppliers.fund if account[code] == "funds" else suppliers.grid_company
            if payee is not None:
                lines.append(_mirror(payee, code, billed, suppliers))
    cost = _cost(first_layer, suppliers)
    movements = []
    if income:
        made, margin = _retail_books(income, cost, suppliers)
        lines += made
        movements.append(Movement("retail_margin_transfer", margin))
    if agency:
        spent = cost.get(suppliers.grid_company, 0)
        covered = None if None in agency else spent
        lines.append(
            _line(suppliers.grid_company, "agency_cost", None if covered is None else -covered, suppliers)
        )
        if covered is not None:
            movements.append(
                Movement("agency_result_transfer", sum(fen for fen in agency if fen is not None) - covered)
            )
    return lines, [movement for movement in movements if movement.amount_fen]


def _lines(bills: Bills, column: Column, fens: Sequence[int | None], suppliers: Suppliers) -> list[Line]:
    quantity = None if column.quantity is None else column.quantity.tolist()
    return [
        Line(
            who,
            column.code,
            suppliers.city.get(who),
            None if quantity is None or bills.use.incomplete[row] else quantity[row],
            fens[row],
            suppliers.measured_ppm.get(who),
        )
        for row, (who, pays) in enumerate(zip(bills.use.participants, column.pays.tolist(), strict=True))
        if pays
    ]


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


def _mirror(payee: str, code: str, billed: Sequence[Line], suppliers: Suppliers) -> Line:
    """The payee's line: all its consumers paid, missing where one of them is (ruling 14)."""
    amounts = [line.amount_fen for line in billed]
    energy = [line.quantity_wh for line in billed]
    return Line(
        payee,
        code,
        suppliers.city.get(payee),
        None if None in energy else sum(wh for wh in energy if wh is not None),
        None if None in amounts else -sum(fen for fen in amounts if fen is not None),
        None,
        delivered=True,
    )


def _cost(first_layer: Sequence[Line], suppliers: Suppliers) -> dict[str, int | None]:
    """Wholesale lines by participant; the grid company's without what is not the agency book's."""
    cost: dict[str, int | None] = {}
    for line in first_layer:
        who = line.participant_id
        if who == suppliers.grid_company and line.charge_code in suppliers.own_charges:
            continue
        before = cost.get(who, 0)
        cost[who] = None if before is None or line.amount_fen is None else before + line.amount_fen
    return cost


def _retail_books(
    income: Mapping[str, Sequence[int | None]], cost: Mapping[str, int | None], suppliers: Suppliers
) -> tuple[list[Line], int]:
    lines: list[Line] = []
    total = 0
    for retailer in sorted(income):
        paid, spent = income[retailer], cost.get(retailer, 0)
        known = [fen for fen in paid if fen is not None]
        margin = None if spent is None or len(known) < len(paid) else sum(known) - spent
        lines.append(_line(retailer, "retail_cost", None if margin is None else -(spent or 0), suppliers))
        lines.append(_line(retailer, "retail_margin", None if margin is None else -margin, suppliers))
        total += margin or 0
    return lines, total


def _line(who: str, code: str, fen: int | None, suppliers: Suppliers) -> Line:
    return Line(who, code, suppliers.city.get(who), None, fen, None, delivered=True)


def _incomplete(lines: Sequence[Line], matrix: ChargeMatrix, suppliers: Suppliers) -> frozenset[str]:
    account = {charge.code: charge.account for charge in matrix.charges}
    missing = {account[line.charge_code] for line in lines if line.amount_fen is None}
    if suppliers.fund is None:
        missing.add("funds")
    return frozenset(missing)
