"""Shares of a pool over its payers, as the charge matrix writes them (market.md B.3; rulings 3, 8).

Grain out: one entry a payer with a positive key. Fen by largest remainder, ties by participant id. What changes inside
the month (terms, classes, who takes part) counts by day: a key is the energy of the days on which it held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from market.money import INT64_MAX, NANO_PER_FEN, IntArray, apportion, peak
from market.profiles import Charge, RuleNotInForceError
from market.sharing import ShareTerm, Sharing
from settlement.book import Book, runs_of
from settlement.day import BoolArray

STEP = 10_000  # digits of a long division at a time


class PoolWithoutKeyError(ValueError):
    """Nobody of a group of payers has a positive key, so its part of the pool has no payer."""


@dataclass(frozen=True)
class Group:
    """Payers that share one part of a pool: their Wh by day (payers, days), and where it is missing."""

    part: int
    who: tuple[str, ...]
    quantity: IntArray
    missing: BoolArray

    @property
    def weights(self) -> list[int]:
        """Wh of every payer over the days, floored at 0."""
        return [max(wh, 0) for wh in self.quantity.sum(axis=1).tolist()]

    @property
    def known(self) -> bool:
        """True where every payer's key is known."""
        return not self.missing.any()


def sharing_on(charge: Charge, day: date) -> Sharing:
    """The sharing in force on a day; RuleNotInForceError when there is none or more than one."""
    holding = [one for one in charge.sharing if one.holds(day)]
    if len(holding) != 1:
        raise RuleNotInForceError(
            f"{len(holding)} sharings of charge {charge.code} hold on {day}; charges.yaml must have exactly one. "
            "Mend valid_from and valid_to."
        )
    return holding[0]


def stretches(book: Book, charge: Charge) -> list[tuple[int, int, Sharing]]:
    """The month cut where the charge's sharing changes: first and after-last day, and the terms between."""
    held = [sharing_on(charge, day) for day in book.dates]
    return [(first, after, held[first]) for first, after in runs_of(book.dates, held)]


def groups(book: Book, sharing: Sharing, first: int, after: int) -> list[Group]:
    """The groups of payers with their keys of the days ``first`` to before ``after``; who has no key is left out."""
    named = list(dict.fromkeys(term.group for term in sharing.terms))
    decimals = max(-int(term.part.as_tuple().exponent) for term in sharing.terms)
    found = []
    for name in named:
        terms = [term for term in sharing.terms if term.group == name]
        part = int(max(term.part for term in terms).scaleb(decimals))
        found.append(_group(part, [_keys(book, term, first, after) for term in terms]))
    return found


def _group(part: int, keys: Sequence[tuple[list[str], IntArray, BoolArray]]) -> Group:
    """Terms of one group: a payer of two terms weighs the sum of its keys."""
    who = tuple(sorted({one for names, _, _ in keys for one in names}))
    place = {one: i for i, one in enumerate(who)}
    days = keys[0][1].shape[1]
    quantity, missing = np.zeros((len(who), days), np.int64), np.zeros((len(who), days), np.bool_)
    for names, wh, gaps in keys:
        rows = [place[one] for one in names]
        quantity[rows] += wh
        missing[rows] |= gaps
    return Group(part, who, quantity, missing)


def _keys(book: Book, term: ShareTerm, first: int, after: int) -> tuple[list[str], IntArray, BoolArray]:
    who, quantity, gaps = book.key(term.by)
    quantity, gaps = quantity[:, first:after], gaps[:, first:after]
    if term.classes:
        inside = np.array([_belongs(book, one, term.classes)[first:after] for one in who], np.bool_)
        inside = inside.reshape(quantity.shape)
        quantity, gaps = np.where(inside, quantity, 0), gaps & inside
    kinds = book.parties.kind
    paying = np.array([kinds.get(one) in term.payers for one in who], np.bool_)
    rows = np.flatnonzero(paying & (quantity.any(axis=1) | gaps.any(axis=1)))
    return [who[row] for row in rows], quantity[rows], gaps[rows]


def _belongs(book: Book, who: str, classes: Sequence[str]) -> list[bool]:
    of = book.facts.tariff_class.get(who, (None,) * len(book.dates))
    return [one in classes for one in of]


def shared(total: int, among: Sequence[Group], what: str) -> dict[str, int] | None:
    """``total`` fen over the groups by part and within each by key; None where a key is missing.

    Raises PoolWithoutKeyError naming ``what`` when a part finds no payer.
    """
    if not all(group.known for group in among):
        return None
    found: dict[str, int] = {}
    for group, part in zip(among, parts_of(total, among), strict=True):
        weights = group.weights
        if part and not any(weights):
            raise PoolWithoutKeyError(what)
        for who, share in zip(group.who, apportion(part, weights, group.who), strict=True):
            found[who] = found.get(who, 0) + share
    return found


def shared_by_day(fen: int, group: Group, day: int, what: str) -> IntArray:
    """A day's ``fen`` over one group by that day's keys, every share carried to 1e-9 元, half up."""
    weights = np.maximum(group.quantity[:, day], 0)
    total = int(weights.sum())
    if not total:
        raise PoolWithoutKeyError(what)
    shares = _half_up_shares(abs(fen) * NANO_PER_FEN, weights, total)
    return shares if fen > 0 else -shares


def _half_up_shares(pool: int, weights: IntArray, total: int) -> IntArray:
    """pool · weight / total, half up, exactly: long division in steps that stay inside int64 (ruling 9)."""
    if total * STEP + peak(weights) * STEP > INT64_MAX:
        shares = [(2 * pool * weight + total) // (2 * total) for weight in weights.tolist()]
        return np.array(shares, np.int64)
    digits = []
    while pool:
        pool, digit = divmod(pool, STEP)
        digits.append(digit)
    quotient, rest = np.zeros_like(weights), np.zeros_like(weights)
    for digit in reversed(digits):
        rest = rest * STEP + digit * weights
        quotient = quotient * STEP + rest // total
        rest %= total
    return np.asarray(quotient + (2 * rest >= total), np.int64)


def parts_of(fen: int, among: Sequence[Group]) -> list[int]:
    """A pool in fen over the groups by their parts, largest remainder."""
    return apportion(fen, [group.part for group in among], [str(number) for number in range(len(among))])


def fen_of_shares(nano: Mapping[str, int], total: int) -> dict[str, int]:
    """Shares in 1e-9 元 to fen by largest remainder, ties by id, so that they sum to ``total`` fen."""
    if total < 0:
        return {who: -fen for who, fen in fen_of_shares({who: -n for who, n in nano.items()}, -total).items()}
    fen = {who: part // NANO_PER_FEN for who, part in nano.items()}
    left = total - sum(fen.values())
    for who in sorted(nano, key=lambda one: (-(nano[one] % NANO_PER_FEN), one))[:left]:
        fen[who] += 1
    return fen
