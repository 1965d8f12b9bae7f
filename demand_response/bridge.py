"""From one settlement of an event to the next, by cause, to the fen: the provisional report to the final one.

Causes are taken one after the other: baseline, metered load, terms (award, price, programme), so that the parts of a
participant add up to its difference exactly. Amounts are fen; a payment is what is paid net of its penalty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demand_response.allocation import allocate
from demand_response.day_selection import FloatArray
from demand_response.events import Event, Program
from demand_response.settle import Commitment, Outcome, judge
from demand_response.sharing import Policy, Shared


@dataclass(frozen=True, eq=False)
class Side:
    """One settlement of the event. actual_kw: metered load of the event window by participant."""

    event: Event
    program: Program
    commitments: Mapping[str, Commitment]
    outcomes: Mapping[str, Outcome]
    actual_kw: Mapping[str, FloatArray]
    pays: bool = True


@dataclass(frozen=True)
class PaymentBridge:
    """before + baseline + metered + terms + arrived = after. ``arrived``: the amount was missing before or is now.

    before, after: None where the amount is missing or the participant has no award.
    """

    participant_id: str
    before_fen: int | None
    baseline_fen: int
    metered_fen: int
    terms_fen: int
    arrived_fen: int
    after_fen: int | None


@dataclass(frozen=True)
class ChargeBridge:
    """before + cost + drivers = after: what the other cost changed, and what other benefits and energies did."""

    participant_id: str
    before_fen: int
    cost_fen: int
    drivers_fen: int
    after_fen: int


def payment_bridge(old: Side, new: Side) -> list[PaymentBridge]:
    """Every participant with an award on either side, by id.

    A participant whose amount is missing on one side is explained as ``arrived`` as a whole.
    """
    return [_payment(who, old, new) for who in sorted(old.outcomes.keys() | new.outcomes.keys())]


def charge_bridge(old: Shared, new: Shared, policy: Policy) -> list[ChargeBridge]:
    """Every payer on either side, by id; ``policy`` is the one both were shared by.

    cost: the new cost shared by the old drivers, less the old charge; drivers: the rest.
    """
    between = _charged(
        allocate(new.cost_fen, old.drivers, rule=policy.rule, residual_rule=policy.residual_rule)
    )
    before, after = old.charged(), new.charged()
    return [
        ChargeBridge(
            who,
            before.get(who, 0),
            between.get(who, 0) - before.get(who, 0),
            after.get(who, 0) - between.get(who, 0),
            after.get(who, 0),
        )
        for who in sorted(before.keys() | after.keys())
    ]


def _payment(who: str, old: Side, new: Side) -> PaymentBridge:
    was, now = (_net(side.outcomes.get(who)) for side in (old, new))
    if was is None or now is None:
        return PaymentBridge(who, was, 0, 0, 0, (now or 0) - (was or 0), now)
    before, after = old.outcomes[who], new.outcomes[who]
    if before.baseline is None or after.baseline is None:
        return PaymentBridge(who, was, 0, 0, 0, now - was, now)
    award = old.commitments[who]
    rebased = judge(old.event, old.program, award, after.baseline, old.actual_kw[who], pays=old.pays)
    remetered = judge(old.event, old.program, award, after.baseline, new.actual_kw[who], pays=old.pays)
    steps = [was, _net(rebased), _net(remetered), now]
    known = [step if step is not None else was for step in steps]
    return PaymentBridge(who, was, known[1] - known[0], known[2] - known[1], known[3] - known[2], 0, now)


def _net(outcome: Outcome | None) -> int | None:
    if outcome is None or outcome.payment_fen is None:
        return None
    return outcome.payment_fen - (outcome.penalty_fen or 0)


def _charged(charges: Any) -> dict[str, int]:
    sums = charges.groupby("participant_id")["charge_fen"].sum()
    return {str(who): int(fen) for who, fen in sums.items()}
