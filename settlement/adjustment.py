"""Month-end adjustment (月度电量调平): SD25 C_month_adj, market.md B.2.

    C_month_adj = (Q_month_meter − Σ_d Q_daily) × own real-time weighted average price of the month

What the register finds beyond the days was charged as loss until then, so the loss gives back the same money.
"""

from __future__ import annotations

from fractions import Fraction

from market.money import NANO_PER_FEN, half_up
from market.profiles import Charge
from settlement.book import Book, Charged, row_totals, sum_or_none
from settlement.findings import Finding, Severity
from settlement.lines import Line, Lines, optional


def month_adjustment(book: Book, charge: Charge) -> Charged:
    """One line a user whose register differs from its days; None where the register or a day is missing."""
    energy = book.users["energy_real_time"]
    nano = row_totals(energy.nano, energy.missing)
    lines: list[Line] = []
    findings = []
    for i, who in enumerate(book.parties.users):
        if who not in book.facts.register_difference:
            continue
        difference, use, paid = book.facts.register_difference[who], book.energy_wh[i], nano[i]
        if difference == 0:
            continue
        if difference is None or use is None or paid is None:
            lines.append(book.line(who, charge.code, None, None))
        elif use <= 0:
            lines.append(book.line(who, charge.code, difference, None))
            findings.append(_without_price(who, difference, book.parties.city.get(who)))
        else:
            P_own = Fraction(paid, use)  # Σ_h Q_use·P_RTu / ΣQ_use
            lines.append(book.line(who, charge.code, difference, half_up(difference * P_own / NANO_PER_FEN)))
    return Charged(lines, findings=findings)


def month_adjustment_loss(book: Book, charge: Charge, adjusted: Lines) -> Charged:
    """The grid company's loss less what ``adjusted`` lines charge; nothing where there are none."""
    if not len(adjusted):
        return Charged([])
    wh, fen = sum_or_none(optional(adjusted.quantity)), adjusted.total_fen
    return Charged(
        [
            book.line(
                book.parties.grid_company,
                charge.code,
                None if wh is None else -wh,
                None if fen is None else -fen,
            )
        ]
    )


def _without_price(who: str, difference: int, city: str | None) -> Finding:
    return Finding(
        "adjustment_without_price",
        Severity.BLOCK,
        who,
        f"The month's registers of {who} differ from its days by {difference / 1e6:.6f} MWh, but it used nothing in its "
        "days, so it has no average price of its own. Deliver its readings, or correct the register.",
        city=city,
        evidence={"difference_wh": difference},
    )
