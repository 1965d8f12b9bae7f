"""What shows only over many lines: one factor, two participants swapped, small differences that add up or lean one way."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb
from typing import Literal

from market.reconcile_rules import ReconcileLimits
from settlement.reconcile.compare import Compared, Tolerance, Verdict

Side = Literal["subject", "participant"]
DIFFER = frozenset(Verdict) - {Verdict.AGREES, Verdict.OURS_UNKNOWN}
ABSENT = frozenset({Verdict.MISSING_THERE, Verdict.MISSING_HERE})


@dataclass(frozen=True)
class Group:
    """Lines of one subject or participant that say something together.

    what: ``factor`` (ratio: theirs over ours), ``adds_up`` or ``drift`` (one_sided of the lines lean one way).
    """

    what: Literal["factor", "adds_up", "drift"]
    side: Side
    name: str
    lines: tuple[Compared, ...]
    ratio: Fraction | None = None
    one_sided: int = 0

    @property
    def difference_fen(self) -> int:
        """Theirs less ours over the group."""
        return sum(one.difference_fen for one in self.lines)


def recognised(compared: Sequence[Compared], limits: ReconcileLimits) -> tuple[list[Compared], list[Group]]:
    """The comparisons with factors and swaps recognised, and the groups found. Order is kept."""
    tolerance = Tolerance.of(limits)
    at = {(one.participant_id, one.subject): one for one in compared}
    groups: list[Group] = []
    for side in ("subject", "participant"):
        for name, lines in _by(at.values(), side).items():
            group = _factor(side, name, lines, limits, tolerance)
            if group is not None:
                groups.append(group)
                at |= {(one.participant_id, one.subject): one for one in group.lines}
    at |= {(one.participant_id, one.subject): one for one in _swaps(at.values(), tolerance)}
    at |= {(one.participant_id, one.subject): one for one in _units(at.values(), limits, tolerance)}
    final = list(at.values())
    return final, [*groups, *_small(final, limits)]


def _by(lines: Iterable[Compared], side: Side) -> dict[str, list[Compared]]:
    found: dict[str, list[Compared]] = defaultdict(list)
    for one in lines:
        found[one.subject if side == "subject" else one.participant_id].append(one)
    return found


def _factor(
    side: Side, name: str, lines: Sequence[Compared], limits: ReconcileLimits, tolerance: Tolerance
) -> Group | None:
    """One ratio between the sides of nearly all lines: another unit, a tax, a sign convention.

    The ratio is that of the middle line by weight of money, so that no single wrong line moves it.
    """
    both = [
        one
        for one in lines
        if one.verdict not in ABSENT | {Verdict.FACTOR} and one.our_fen and one.their_fen is not None
    ]
    if len(both) < limits.factor_lines or sum(one.verdict in DIFFER for one in both) < limits.factor_lines:
        return None
    ratio = _middle([(Fraction(one.their_fen or 0, one.our_fen or 1), abs(one.our_fen or 0)) for one in both])
    fitting = [one for one in both if one.verdict in DIFFER and _fits(one, ratio, tolerance)]
    if ratio == 1 or len(fitting) < limits.factor_lines or len(fitting) < limits.factor_share * len(both):
        return None
    ratio = Fraction(
        sum(one.their_fen or 0 for one in fitting), sum(one.our_fen or 0 for one in fitting) or 1
    )
    marked = tuple(replace(one, verdict=Verdict.FACTOR, ratio=ratio) for one in fitting)
    return Group("factor", side, name, marked, ratio)


def _middle(weighted: Sequence[tuple[Fraction, int]]) -> Fraction:
    half, seen = sum(weight for _, weight in weighted) / 2, 0
    for ratio, weight in sorted(weighted):
        seen += weight
        if seen >= half:
            return ratio
    return Fraction(1)


def _fits(one: Compared, ratio: Fraction, tolerance: Tolerance) -> bool:
    """Their amount is the ratio times ours, to the fen that both sides round."""
    wanted = ratio * (one.our_fen or 0)
    apart = abs((one.their_fen or 0) - wanted)
    return apart <= tolerance.fen + 1 or apart <= tolerance.relative * abs(wanted)


def _swaps(lines: Iterable[Compared], tolerance: Tolerance) -> list[Compared]:
    """Two participants of a subject that carry each other's amount, or one that carries what another lacks."""
    found: list[Compared] = []
    for of_subject in _by(lines, "subject").values():
        wrong = [one for one in of_subject if one.verdict in DIFFER and one.verdict is not Verdict.FACTOR]
        by_ours = sorted(wrong, key=lambda one: (one.our_fen or 0, one.participant_id))
        amounts = [one.our_fen or 0 for one in by_ours]
        taken: set[str] = set()
        for one in wrong:
            if one.participant_id in taken or not one.their_fen:
                continue
            margin = max(tolerance.fen, int(tolerance.relative * abs(one.their_fen)))
            place = bisect_left(amounts, one.their_fen - margin)
            while place < len(by_ours) and amounts[place] <= one.their_fen + margin:
                other = by_ours[place]
                place += 1
                if other.participant_id not in taken | {one.participant_id} and _each_others(
                    one, other, tolerance
                ):
                    taken |= {one.participant_id, other.participant_id}
                    found += [
                        replace(one, verdict=Verdict.SWAPPED, partner=other.participant_id),
                        replace(other, verdict=Verdict.SWAPPED, partner=one.participant_id),
                    ]
                    break
    return found


def _each_others(one: Compared, other: Compared, tolerance: Tolerance) -> bool:
    return (
        tolerance.same_money(other.our_fen or 0, one.their_fen or 0)
        and tolerance.same_money(one.our_fen or 0, other.their_fen or 0)
        and tolerance.same_energy(other.our_wh, one.their_wh)
        and tolerance.same_energy(one.our_wh, other.their_wh)
    )


def _units(lines: Iterable[Compared], limits: ReconcileLimits, tolerance: Tolerance) -> list[Compared]:
    """A single line that is ours in another unit."""
    found = []
    for one in lines:
        if one.verdict not in DIFFER - ABSENT - {Verdict.FACTOR, Verdict.SWAPPED} or not one.our_fen:
            continue
        for factor in map(Fraction, limits.unit_factors):
            if _fits(one, factor, tolerance) and one.their_fen:
                found.append(replace(one, verdict=Verdict.FACTOR, ratio=factor))
                break
    return found


def _small(lines: Sequence[Compared], limits: ReconcileLimits) -> list[Group]:
    """Differences within the tolerance of a line, by subject, then by participant over what is left."""
    within = [one for one in lines if one.verdict is Verdict.AGREES and one.difference_fen]
    compared = {side: _by(lines, side) for side in ("subject", "participant")}
    groups: list[Group] = []
    for side in ("subject", "participant"):
        done = {(one.participant_id, one.subject) for group in groups for one in group.lines}
        left = [one for one in within if (one.participant_id, one.subject) not in done]
        for name, small in _by(left, side).items():
            group = _together(side, name, small, compared[side][name], limits)
            if group is not None:
                groups.append(group)
    return groups


def _together(
    side: Side, name: str, small: Sequence[Compared], compared: Sequence[Compared], limits: ReconcileLimits
) -> Group | None:
    total = sum(one.difference_fen for one in small)
    base = sum(abs(one.our_fen or 0) for one in compared)
    bound = max(limits.cumulative_cny * 100, limits.cumulative_relative * base)
    up = sum(one.difference_fen > 0 for one in small)
    one_sided = max(up, len(small) - up)
    if len(small) >= limits.cumulative_lines and abs(total) > bound:
        return Group("adds_up", side, name, tuple(small), one_sided=one_sided)
    if _chance(len(small), one_sided) < Fraction(limits.drift_chance):
        return Group("drift", side, name, tuple(small), one_sided=one_sided)
    return None


def _chance(lines: int, one_sided: int) -> Fraction:
    """P(at least so many of the lines lean to one side) where either side is as likely: the exact sign test."""
    tail = sum(comb(lines, count) for count in range(one_sided, lines + 1))
    return min(Fraction(1), Fraction(2 * tail, 2**lines))


def differing(groups: Sequence[Group]) -> Mapping[tuple[str, str], Group]:
    """The group each factor line belongs to."""
    return {
        (one.participant_id, one.subject): group
        for group in groups
        if group.what == "factor"
        for one in group.lines
    }
