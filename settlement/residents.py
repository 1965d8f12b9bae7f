"""Residents and agriculture: what their energy costs beyond what they pay for it, shared by all C&I users (DL809).

market.md B.7, B.13: 保障性电量新增损益 = cost of their energy − energy × the published sales price (table ``standards``,
code ``residents_sale``). The grid company is paid it, all commercial and industrial users bear it by monthly energy.
"""

from __future__ import annotations

from market.money import fen_of_nano
from market.profiles import Charge
from settlement.book import Book, Charged, row_totals
from settlement.facts import RESIDENTS_SALE
from settlement.fees import month_shares
from settlement.findings import Finding, Severity
from settlement.pools import stretches


def residents_cost_recovery(book: Book, charge: Charge) -> Charged:
    """The grid company's line: minus the month's gain or loss; none where no sales price is published."""
    gain_loss = _by_day(book)
    if gain_loss is None:
        return Charged([], findings=_unpublished(book, charge))
    known = [nano for nano in gain_loss if nano is not None]
    fen = fen_of_nano(sum(known)) if len(known) == len(gain_loss) else None
    wh = row_totals(book.residents.quantity, book.residents.missing)[0]
    return Charged([book.line(book.parties.grid_company, charge.code, wh, None if fen is None else -fen)])


def residents_gain_loss(book: Book, charge: Charge) -> Charged:
    """Every C&I user's share by its monthly energy; a sharing that changes inside the month splits the pool there."""
    gain_loss = _by_day(book)
    if gain_loss is None:
        return Charged([])
    return Charged(
        month_shares(book, charge, split(gain_loss, [(a, b) for a, b, _ in stretches(book, charge)]))
    )


def split(nano: list[int | None], cuts: list[tuple[int, int]]) -> dict[tuple[int, int], int | None]:
    """Days in 1e-9 元 as fen by stretch, so that the stretches sum to the rounded month; None where a day is."""
    pools: dict[tuple[int, int], int | None] = {}
    exact, booked = 0, 0
    for first, after in cuts:
        part = nano[first:after]
        if any(one is None for one in nano):
            pools[first, after] = None
            continue
        exact += sum(one or 0 for one in part)
        pools[first, after] = fen_of_nano(exact) - booked
        booked = fen_of_nano(exact)
    return pools


def _by_day(book: Book) -> list[int | None] | None:
    """Cost less sales of every day, 1e-9 元; None where no price is published at all."""
    prices = book.facts.standards.get(RESIDENTS_SALE, ())
    if all(price is None for price in prices):
        return None
    days = book.residents
    return [
        None if gap or price is None else cost - wh * price
        for gap, cost, wh, price in zip(
            days.missing[0].tolist(), days.nano[0].tolist(), days.quantity[0].tolist(), prices, strict=True
        )
    ]


def _unpublished(book: Book, charge: Charge) -> list[Finding]:
    """Said where other standards of the month are published, so that the list is there and lacks this one."""
    if not book.facts.standards or not book.residents.quantity.any():
        return []
    return [
        Finding(
            "residents_sale_missing",
            Severity.REVIEW,
            charge.code,
            f"The standards of the month that begins on {book.dates[0]} name no {RESIDENTS_SALE}, the price at which residents' "
            "energy is sold, so their gain or loss is not shared. Deliver it with the standards.",
        )
    ]
