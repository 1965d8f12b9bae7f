"""Contract-deviation gain recovery (中长期偏差收益回收): SD25, market.md B.2-B.3, the authors' reading (ruling 7).

Outside the band [low, high] of actual energy the own contracts' gain against the reference price is taken back:

    R_excess = (Q_mlt − Q_act·R_hi) · P_exc   where Q_mlt > Q_act·R_hi,  P_exc = max(0, round3(ΣQ(P_ref − P_c)/ΣQ · h))
    R_short  = (Q_act·R_lo − Q_mlt) · P_sht   where Q_mlt < Q_act·R_lo,  P_sht = max(0, round3(ΣQ(P_c − P_ref)/ΣQ · h))

A seller's form is the same with its own gain, P_c − P_ref where it sold too much. Who has no contract has no price to
compare, so nothing is taken back from it. Grain out: one line a party with something to recover, by month; a band that
changes inside the month is applied to each stretch of days.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from market.money import NANO_PER_FEN, half_up
from market.profiles import Charge, Dated, DeviationBand, on
from settlement.book import Book, Charged, runs_of
from settlement.day import BoolArray


def deviation_recovery(book: Book, charge: Charge) -> Charged:
    """Lines of ``deviation_recovery_users`` or ``deviation_recovery_generators``."""
    users = len(book.parties.users)
    of_users = charge.code == "deviation_recovery_users"
    rows = slice(0, users) if of_users else slice(users, None)
    who, actual, gaps = book.key("use" if of_users else "generation")
    pays = np.array([book.parties.kind.get(one) in charge.payers for one in who], np.bool_)
    bands = book.rules.deviation_band_users if of_users else book.rules.deviation_band_generators
    contracted = book.net_contract[rows] * (1 if of_users else -1)
    nano, missing = book.contract.nano[rows], book.contract.missing[rows] | gaps
    owed: dict[str, tuple[Fraction, Fraction] | None] = {}
    for first, after, band in _stretches(book, bands):
        if band is None:
            continue
        part = slice(first, after)
        sums = (actual[:, part].sum(axis=1), contracted[:, part].sum(axis=1), nano[:, part].sum(axis=1))
        unknown: BoolArray = np.asarray(missing[:, part].any(axis=1))
        for i in np.flatnonzero(pays & (unknown | _outside(sums[0], sums[1], band))):
            one = who[i]
            if unknown[i] or (one in owed and owed[one] is None):
                owed[one] = None
                continue
            quantity, amount = recovered(int(sums[0][i]), int(sums[1][i]), int(sums[2][i]), band)
            before = owed.get(one) or (Fraction(0), Fraction(0))
            owed[one] = (before[0] + quantity, before[1] + amount)
    lines = []
    for one in sorted(owed):
        due = owed[one]
        if due is None:
            lines.append(book.line(one, charge.code, None, None, delivered=not of_users))
        elif due[1]:
            fen = half_up(due[1] / NANO_PER_FEN)  # ruling 8: rounded once
            lines.append(book.line(one, charge.code, half_up(due[0]), fen, delivered=not of_users))
    return Charged(lines)


def recovered(
    actual_wh: int, contract_wh: int, contract_nano: int, band: DeviationBand
) -> tuple[Fraction, Fraction]:
    """Wh outside the band and what is taken back of them, 1e-9 元, exact and >= 0.

    contract_wh: bought by a user (sold by a generator), net. contract_nano: what its contracts cost it, so that a
    negative value is a gain: ΣQ(P_c − P_ref) of a user, ΣQ(P_ref − P_c) of a generator.
    """
    if contract_wh <= 0:
        return Fraction(0), Fraction(0)
    Q_mlt, Q_act, h = Fraction(contract_wh), Fraction(actual_wh), Fraction(band.factor)
    R_hi, R_lo = Fraction(band.high), Fraction(band.low)
    if Q_mlt > Q_act * R_hi:
        P_exc = max(
            0, half_up(-contract_nano / Q_mlt * h)
        )  # ruling 7: rounded to 0.001 元/MWh, no absolute value
        return Q_mlt - Q_act * R_hi, (Q_mlt - Q_act * R_hi) * P_exc  # SD25 R_excess
    if Q_mlt < Q_act * R_lo:
        P_sht = max(0, half_up(contract_nano / Q_mlt * h))
        return Q_act * R_lo - Q_mlt, (Q_act * R_lo - Q_mlt) * P_sht  # SD25 R_short
    return Fraction(0), Fraction(0)


def _outside(actual: np.ndarray, contracted: np.ndarray, band: DeviationBand) -> np.ndarray:
    """Who may lie outside, by floats wide enough to miss nobody; the exact test follows."""
    low, high = float(band.low) * actual, float(band.high) * actual
    return np.asarray(
        (contracted > 0) & ((contracted >= high * (1 - 1e-9)) | (contracted <= low * (1 + 1e-9)))
    )


def _stretches(
    book: Book, bands: tuple[Dated[DeviationBand | None], ...]
) -> list[tuple[int, int, DeviationBand | None]]:
    held = [on(bands, day, "deviation_band") for day in book.dates]
    return [(first, after, held[first]) for first, after in runs_of(book.dates, held)]
