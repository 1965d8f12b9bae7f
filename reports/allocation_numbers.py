"""What the allocation page shows of an event and of all its events together. Money is yuan unless a name says fen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from demand_response.audit import Audit, Shift, fairness_index, ratios_by
from demand_response.benefit import NetBenefit
from demand_response.events import Event, Program
from demand_response.settle import Commitment, Outcome
from demand_response.sharing import Shared
from market.money import yuan
from market.periods import LABELS
from reports.content import Party

Floats = NDArray[np.float64]
NORMAL_95 = 1.96
MOVERS = 3


@dataclass(frozen=True, eq=False)
class Fan:
    """The responders together on the event's day, MW (96,), NaN where missing.

    baseline: NaN outside the event. low, middle, high: lowest, median and highest of the ``days`` like days before.
    """

    metered: Floats
    baseline: Floats
    low: Floats
    middle: Floats
    high: Floats
    days: int


@dataclass(frozen=True)
class PlaceboError:
    """How far the responders' baselines, by the methods they are enrolled with, were off on ``days`` ordinary days.

    bias, spread: mean and standard deviation of the daily error of their sum, as shares of the load.
    """

    days: int
    bias: float
    spread: float
    baseline_mwh: float
    reduction_mwh: float

    @property
    def error_mwh(self) -> float:
        """Half-width of the 95 % range of the event's reduction."""
        return NORMAL_95 * self.spread * self.baseline_mwh

    @property
    def error_share(self) -> float:
        """The same as a share of the reduction; NaN without one."""
        return self.error_mwh / self.reduction_mwh if self.reduction_mwh else float("nan")


class SessionEffect(NamedTuple):
    """A session cleared again without the response: what it would have done in the event's quarter-hours."""

    stage: str
    largest_rise: Decimal
    bought_mwh: float
    unserved_mwh: float
    cost_cny: float


@dataclass(frozen=True)
class Outside:
    """The alternative: power bought between provinces in the event's quarter-hours, 元/MWh landed; None if none was."""

    mean_landed: Decimal | None
    dearest_landed: Decimal | None
    sessions: tuple[SessionEffect, ...]


@dataclass(frozen=True, eq=False)
class EventView:
    """One event. shared, audit, net: None where its cost could not be, or need not be, shared."""

    event: Event
    program: Program
    commitments: tuple[Commitment, ...]
    outcomes: tuple[Outcome, ...]
    shared: Shared | None
    audit: Audit | None
    shifts: tuple[Shift, ...]
    net: NetBenefit | None
    fan: Fan
    placebo: PlaceboError | None
    outside: Outside

    @property
    def clock(self) -> str:
        """17:00-20:00."""
        start = "00:00" if self.event.first_period == 1 else LABELS[self.event.first_period - 2]
        return f"{start}-{LABELS[self.event.last_period - 1]}"

    @property
    def committed_mw(self) -> Decimal:
        """All commitments."""
        return sum((one.committed_kw for one in self.commitments), Decimal(0)) / 1000

    @property
    def confirmed_mw(self) -> float:
        """What is paid for."""
        return sum(one.response.confirmed_kw for one in self.outcomes if one.response is not None) / 1000

    @property
    def reduction_mwh(self) -> float:
        """Metered response of those whose response was valid."""
        return (
            sum(
                (one.energy_wh or 0)
                for one in self.outcomes
                if one.response is not None and one.response.valid
            )
            / 1e6
        )

    @property
    def valid(self) -> int:
        """How many responses were valid."""
        return sum(one.response is not None and one.response.valid for one in self.outcomes)

    @property
    def payment(self) -> Decimal | None:
        """Payments; None where one is missing."""
        return _total([one.payment_fen for one in self.outcomes])

    @property
    def penalty(self) -> Decimal | None:
        """Penalties; None where one is missing."""
        return _total([one.penalty_fen for one in self.outcomes])

    @property
    def cost(self) -> Decimal | None:
        """Payments less penalties."""
        return None if self.payment is None or self.penalty is None else self.payment - self.penalty

    @property
    def cost_per_mwh(self) -> Decimal | None:
        """元 a MWh of valid reduction."""
        if self.cost is None or not self.reduction_mwh:
            return None
        return self.cost / Decimal(str(self.reduction_mwh))

    def tranche(self, name: str) -> Decimal:
        """What one tranche charges, 0.00 where it is not used."""
        return Decimal("0.00") if self.shared is None else yuan(sum(self.shared.charged(name).values()))

    @property
    def charged_without_benefit(self) -> Decimal:
        """What the benefit tranche charges to payers without benefit: 0.00 always."""
        if self.audit is None or self.shared is None:
            return Decimal("0.00")
        benefit = self.audit.benefit_fen
        return yuan(sum(abs(fen) for who, fen in self.shared.charged("benefit").items() if benefit[who] <= 0))


class RuleRow(NamedTuple):
    """One rule on one event: shares of the cost, and who would pay most more and most less than now."""

    rule: str
    chosen: bool
    distance: float
    fairness: float | None
    without_benefit: Decimal
    above_benefit: Decimal
    losers: list[tuple[str, Decimal]]
    winners: list[tuple[str, Decimal]]
    reason: str


def rule_rows(view: EventView) -> list[RuleRow]:
    """Every rule on an event: the policy's own first, then by distance; those that cannot be used last."""
    found = view.audit
    if found is None:
        return []
    rows = []
    for rule in found.charges:
        column = found.charges[rule]
        benefit = pd.Series(found.benefit_fen)[column.index]
        above = (column - benefit.clip(lower=0)).clip(lower=0)
        rows.append(
            RuleRow(
                rule,
                rule == found.chosen,
                float(found.distance[rule]),
                found.fairness[rule],
                yuan(int(column[benefit <= 0].clip(lower=0).sum())),
                yuan(int(above.sum())),
                [(who, yuan(fen)) for who, fen in found.losers(rule, MOVERS) if who],
                [(who, yuan(fen)) for who, fen in found.winners(rule, MOVERS) if who],
                "",
            )
        )
    rows.sort(key=lambda row: (not row.chosen, row.distance, row.rule))
    zero = Decimal("0.00")
    return rows + [
        RuleRow(rule, False, float("nan"), None, zero, zero, [], [], reason)
        for rule, reason in found.not_applicable.items()
    ]


class GroupRow(NamedTuple):
    """A class or city over all events: ``ratio`` is charge over benefit, None without benefit."""

    name: str
    payers: int
    benefit: Decimal
    charge: Decimal
    ratio: Decimal | None


@dataclass(frozen=True)
class Together:
    """All events: fen by payer, fairness of charge over benefit, charge and benefit by class and by city."""

    benefit_fen: Mapping[str, int]
    charge_fen: Mapping[str, int]
    fairness: float | None
    fairness_of_benefit_tranche: float | None
    by_kind: tuple[GroupRow, ...]
    by_city: tuple[GroupRow, ...]


def together(events: Sequence[EventView], parties: Mapping[str, Party]) -> Together:
    """Sums over the events that were shared."""
    benefit: dict[str, int] = defaultdict(int)
    charge: dict[str, int] = defaultdict(int)
    first_tranche: dict[str, int] = defaultdict(int)
    for view in events:
        if view.shared is None or view.audit is None:
            continue
        for who, fen in view.audit.benefit_fen.items():
            benefit[who] += fen
        for who, fen in view.shared.charged().items():
            charge[who] += fen
        for who, fen in view.shared.charged("benefit").items():
            first_tranche[who] += fen

    def grouped(name: str) -> tuple[GroupRow, ...]:
        group = {who: getattr(parties[who], name) if who in parties else None for who in benefit}
        return tuple(
            GroupRow(key, payers, yuan(b), yuan(c), Decimal(c) / Decimal(b) if b else None)
            for key, (payers, b, c) in ratios_by(charge, benefit, group).items()
        )

    return Together(
        benefit,
        charge,
        fairness_index(charge, benefit),
        fairness_index(first_tranche, benefit),
        grouped("kind"),
        grouped("city"),
    )


def monthly_net(events: Sequence[EventView]) -> tuple[Decimal, Decimal, bool] | None:
    """(benefit, cost, passes) of the month's net-benefit test: sums of its events; None where one is not known."""
    if not events or any(view.net is None for view in events):
        return None
    benefit = sum((Decimal(str(view.net.benefit)) for view in events if view.net), Decimal(0))
    cost = sum((Decimal(str(view.net.cost)) for view in events if view.net), Decimal(0))
    return benefit, cost, benefit > cost


def _total(amounts: Sequence[int | None]) -> Decimal | None:
    known = [fen for fen in amounts if fen is not None]
    return yuan(sum(known)) if len(known) == len(amounts) else None
