"""The same event under every rule, how fair each is, and how far the split rests on what was estimated (F3, 4; C4).

Money is fen, a charge positive. Distances are shares of the cost: sum |x - chosen| / |cost|, 0 for the same split,
2 where every fen has another payer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pandas as pd

from demand_response.allocation import EXACT_CLAIMS, RULES, allocate, zonal
from demand_response.events import Event, Program
from demand_response.exact import Number, exact
from demand_response.games import random_arrival_interval
from demand_response.settle import Commitment, Outcome, judge
from demand_response.sharing import EventCase, Rise, Shared, event_response, share
from market.money import IntArray, half_up

SAMPLES = 10_000
WORK = 20_000_000  # samples x payers of the sampled rule; more payers are given fewer samples
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Audit:
    """charges: fen, a row a payer by id, a column a rule; ``chosen`` names the rule of the policy.

    distance, fairness: by rule; fairness None where nobody benefited. not_applicable: rule -> why it has no column.
    interval: payer -> (low, high) fen around the Shapley charge, equal to it where it is exact; ``samples`` 0 then.
    """

    chosen: str
    cost_fen: int
    charges: pd.DataFrame
    benefit_fen: Mapping[str, int]
    distance: Mapping[str, Fraction]
    fairness: Mapping[str, float | None]
    not_applicable: Mapping[str, str]
    interval: Mapping[str, tuple[float, float]]
    samples: int

    def change(self, rule: str) -> pd.Series[int]:
        """What each payer would pay more (positive) or less under ``rule``."""
        return self.charges[rule] - self.charges[self.chosen]

    def losers(self, rule: str, count: int) -> list[tuple[str, int]]:
        """Who would pay most more under ``rule``: (participant, fen more)."""
        return _largest(self.change(rule), count)

    def winners(self, rule: str, count: int) -> list[tuple[str, int]]:
        """Who would pay most less under ``rule``: (participant, fen less)."""
        return _largest(-self.change(rule), count)


def audit(case: EventCase, shared: Shared, *, samples: int = SAMPLES, seed: int = 0) -> Audit:
    """Share the event under every rule of A5 that its drivers allow and compare with the policy's own split.

    samples: of the sampled Shapley value, beyond twelve benefits; fewer where there are very many payers.
    """
    policy = case.policy
    columns: dict[str, dict[str, int]] = {}
    not_applicable: dict[str, str] = {}
    for rule in (*RULES, "zonal"):
        try:
            columns[rule] = _charged(case, shared, rule)
        except ValueError as reason:
            not_applicable[rule] = str(reason)
    payers = sorted(map(str, shared.drivers["participant_id"]))
    columns = {rule: {who: column[who] for who in payers} for rule, column in columns.items()}
    charges = pd.DataFrame(columns, index=payers)
    benefit = {
        str(who): int(fen)
        for who, fen in zip(shared.drivers["participant_id"], shared.drivers["benefit_fen"], strict=True)
    }
    taken = min(samples, max(WORK // max(len(payers), 1), 100))
    interval, drawn = _shapley_interval(shared, benefit, taken, seed)
    own = list(columns[policy.rule].values())
    return Audit(
        chosen=policy.rule,
        cost_fen=shared.cost_fen,
        charges=charges,
        benefit_fen=benefit,
        distance={rule: distance(list(columns[rule].values()), own, shared.cost_fen) for rule in columns},
        fairness={rule: fairness_index(column, benefit) for rule, column in columns.items()},
        not_applicable=not_applicable,
        interval=interval,
        samples=drawn,
    )


def distance(
    one: Sequence[int] | pd.Series[int], other: Sequence[int] | pd.Series[int], cost_fen: int
) -> Fraction:
    """Sum of absolute differences over the absolute cost; 0 without a cost."""
    apart = sum(abs(x - y) for x, y in zip(one, other, strict=True))
    return Fraction(apart, abs(cost_fen)) if cost_fen else Fraction(0)


def fairness_index(charge_fen: Mapping[str, int], benefit_fen: Mapping[str, int]) -> float | None:
    """Jain's index (sum x)^2 / (n sum x^2) of x = charge / benefit over those who benefited.

    1 where every yuan of benefit bears the same; None where nobody benefited or nobody who did pays.
    """
    ratios = [charge_fen.get(who, 0) / benefit for who, benefit in benefit_fen.items() if benefit > 0]
    squares = sum(ratio * ratio for ratio in ratios)
    return sum(ratios) ** 2 / (len(ratios) * squares) if squares else None


def ratios_by(
    charge_fen: Mapping[str, int], benefit_fen: Mapping[str, int], group: Mapping[str, str | None]
) -> dict[str, tuple[int, int, int]]:
    """Group (class, city) -> (payers, benefit fen, charge fen), by name; a payer without a group stands under ''."""
    sums: dict[str, tuple[int, int, int]] = {}
    for who in sorted(benefit_fen.keys() | charge_fen.keys()):
        name = group.get(who) or ""
        payers, benefit, charge = sums.get(name, (0, 0, 0))
        sums[name] = (payers + 1, benefit + benefit_fen.get(who, 0), charge + charge_fen.get(who, 0))
    return dict(sorted(sums.items()))


@dataclass(frozen=True)
class Shift:
    """What one changed assumption does: cost and benefit fen, and the distance of the charges from the event's own.

    most_more, most_less: (participant, fen) who would pay most more and most less.
    """

    what: str
    factor: Fraction
    cost_fen: int
    benefit_fen: int
    distance: Fraction
    most_more: tuple[str, int]
    most_less: tuple[str, int]


def sensitivity(shared: Shared, variants: Mapping[tuple[str, Fraction], EventCase]) -> list[Shift]:
    """Share every variant of the event and compare with how it was shared. Keys: (what was changed, by which factor)."""
    own = shared.charged()
    shifts = []
    for (what, factor), case in variants.items():
        other = share(case)
        charged = other.charged()
        change = pd.Series({who: charged[who] - fen for who, fen in own.items()})
        shifts.append(
            Shift(
                what,
                factor,
                other.cost_fen,
                other.benefit_fen,
                distance([charged[who] for who in own], list(own.values()), shared.cost_fen),
                _largest(change, 1)[0],
                _largest(-change, 1)[0],
            )
        )
    return shifts


def with_price_rise(case: EventCase, factor: Number) -> EventCase:
    """The case with the rise of the prices without the response multiplied, half up to the mill."""
    times = exact(factor)

    def scaled(own: Rise) -> Rise:
        def rise(load: IntArray, price: IntArray, response: IntArray, headroom: IntArray) -> IntArray:
            return np.minimum(_times(own(load, price, response, headroom), times), np.maximum(headroom, 0))

        return rise

    day_ahead = None if case.rise_day_ahead is None else scaled(case.rise_day_ahead)
    return replace(case, rise=scaled(case.rise), rise_day_ahead=day_ahead)


def with_loss(case: EventCase, factor: Number) -> EventCase:
    """The case with the response multiplied on its way to the generators, e.g. 1 / (1 - loss rate)."""
    return replace(case, response_wh=_times(case.response_wh, exact(factor)))


def with_baselines(
    case: EventCase,
    event: Event,
    program: Program,
    commitments: Sequence[Commitment],
    outcomes: Sequence[Outcome],
    actual_kw: Callable[[str], np.ndarray],
    factor: Number,
) -> EventCase:
    """The case with every baseline multiplied: response, payment and price without it follow.

    actual_kw: metered kW of a participant over the event window. Outcomes without a baseline stay as they are.
    """
    awards = {award.participant_id: award for award in commitments}
    times = float(exact(factor))
    changed = [
        one
        if one.baseline is None
        else judge(
            event,
            program,
            awards[one.participant_id],
            replace(one.baseline, curve=one.baseline.curve * times),
            actual_kw(one.participant_id),
        )
        for one in outcomes
    ]
    valid = [
        one.reduction_wh
        for one in changed
        if one.response is not None and one.response.valid and one.reduction_wh
    ]
    return replace(
        case,
        cost_fen=0  # a fund pays, whatever it comes to
        if case.funded_fen
        else sum((one.payment_fen or 0) - (one.penalty_fen or 0) for one in changed),
        response_wh=event_response(event, valid),
    )


def _charged(case: EventCase, shared: Shared, rule: str) -> dict[str, int]:
    if rule == "zonal":
        states = [(chance, frozenset(zones)) for chance, zones in case.policy.grid_states]
        charges = zonal(case.cost_fen, shared.drivers, states)
    else:
        charges = allocate(case.cost_fen, shared.drivers, rule=rule, residual_rule=case.policy.residual_rule)
    sums = charges.groupby("participant_id")["charge_fen"].sum()
    return {str(who): int(fen) for who, fen in sums.items()}


def _shapley_interval(
    shared: Shared, benefit: Mapping[str, int], samples: int, seed: int
) -> tuple[dict[str, tuple[float, float]], int]:
    """Interval of the benefit tranche's Shapley charge; a point where twelve or fewer benefited."""
    payers, claims = sorted(benefit), [max(benefit[who], 0) for who in sorted(benefit)]
    placed = min(abs(shared.cost_fen), sum(claims))
    if sum(claim > 0 for claim in claims) <= EXACT_CLAIMS or not placed:
        return {}, 0
    found = random_arrival_interval(placed, claims, samples, seed, confidence=CONFIDENCE)
    sign = 1 if shared.cost_fen >= 0 else -1
    return {
        who: (min(sign * low, sign * high), max(sign * low, sign * high))
        for who, (low, _, high) in zip(payers, found, strict=True)
    }, samples


def _largest(change: pd.Series[int], count: int) -> list[tuple[str, int]]:
    """The ``count`` largest values above 0, by size, then id; ('', 0) alone where none is above 0."""
    above = sorted(((-int(fen), str(who)) for who, fen in change.items() if fen > 0))[:count]
    return [(who, -fen) for fen, who in above] or [("", 0)]


def _times(values: IntArray, factor: Fraction) -> IntArray:
    return np.array([half_up(int(value) * factor) for value in values], dtype=np.int64)
