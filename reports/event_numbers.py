"""The month's demand-response events in numbers: responded, paid, charged, who benefited and who bore it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from market.periods import LABELS
from reports.content import EventWindow, RunContent, total

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class EventTotal:
    """One event; kW are sums over participants, None where a participant's response is missing."""

    event_id: str
    window: EventWindow | None
    called: int
    valid: int
    committed_kw: Decimal | None
    responded_kw: Decimal | None
    confirmed_kw: Decimal | None
    payment: Decimal | None
    penalty: Decimal | None
    benefit: Decimal
    tranches: Mapping[str, Decimal]

    @property
    def cost(self) -> Decimal | None:
        """Payment less penalty: what is charged."""
        return None if self.payment is None or self.penalty is None else self.payment - self.penalty

    @property
    def benefit_ratio(self) -> Decimal | None:
        """Benefit over cost; None without a cost."""
        return self.benefit / self.cost if self.cost else None


@dataclass(frozen=True)
class Share:
    """One payer over all events of the month, yuan."""

    participant_id: str
    benefit: Decimal
    charge: Decimal


def clock(window: EventWindow) -> str:
    """The event's time of day: 17:00-20:00."""
    start = "00:00" if window.first_period == 1 else LABELS[window.first_period - 2]
    return f"{start}-{LABELS[window.last_period - 1]}"


def event_totals(content: RunContent) -> list[EventTotal]:
    """Every event that was responded to or charged, by date and id."""
    windows = {window.event_id: window for window in content.events}
    responses: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in content.responses:
        responses[row["event_id"]].append(row)
    benefits, charged = _benefits(content), _charged(content)
    totals = []
    for event_id in responses.keys() | charged.keys():
        rows = responses[event_id]
        totals.append(
            EventTotal(
                event_id,
                windows.get(event_id),
                len(rows),
                sum(bool(row["confirmed_kw"]) for row in rows),
                total([row["committed_kw"] for row in rows]),
                total([row["responded_kw"] for row in rows]),
                total([row["confirmed_kw"] for row in rows]),
                total([row["payment_cny"] for row in rows]),
                total([row["penalty_cny"] for row in rows]),
                sum(benefits[event_id].values(), ZERO),
                charged[event_id],
            )
        )
    return sorted(totals, key=lambda one: (one.window.day.isoformat() if one.window else "", one.event_id))


def shares(content: RunContent) -> list[Share]:
    """Every payer with its benefit and charge, the largest charge first."""
    benefit: dict[str, Decimal] = defaultdict(lambda: ZERO)
    charge: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for by_party in _benefits(content).values():
        for who, amount in by_party.items():
            benefit[who] += amount
    for row in content.allocations:
        charge[row["participant_id"]] += row["charge_cny"] or ZERO
    everyone = sorted(benefit.keys() | charge.keys(), key=lambda who: (-charge[who], -benefit[who], who))
    return [Share(who, benefit[who], charge[who]) for who in everyone]


def fairness(payers: list[Share]) -> Decimal | None:
    """Jain's index (Σx)² / (n·Σx²) over x = charge / benefit of payers who benefited; 1 where all bear alike."""
    ratios = [one.charge / one.benefit for one in payers if one.benefit > 0]
    squares = sum((ratio * ratio for ratio in ratios), Decimal(0))
    return sum(ratios, Decimal(0)) ** 2 / (len(ratios) * squares) if squares else None


def _benefits(content: RunContent) -> dict[str, dict[str, Decimal]]:
    """Event -> participant -> benefit; it stands on each of a participant's tranches and is counted once."""
    benefits: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in content.allocations:
        benefits[row["event_id"]][row["participant_id"]] = row["benefit_cny"] or ZERO
    return benefits


def _charged(content: RunContent) -> dict[str, dict[str, Decimal]]:
    """Event -> tranche -> charge."""
    charged: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for row in content.allocations:
        charged[row["event_id"]][row["tranche"]] += row["charge_cny"] or ZERO
    return charged
