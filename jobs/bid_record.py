"""The record of a bid: what is written beside its file for whoever explains or replays it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from hashlib import sha256
from math import isfinite
from typing import Any

from jobs.bid_inputs import BidInputs, BidInputsMissingError
from jobs.bid_session import Session
from market.money import yuan
from market.periods import PERIODS_PER_HOUR
from market.periods import label as clock
from optimization.decision import Decision, decisions
from optimization.forecast import gap_fan
from optimization.procurement import Solution
from optimization.purchase import Bid, Costs, Outcome, bid_mw

FAN = (0.1, 0.25, 0.75, 0.9)


def plain_record(
    day: date,
    session: Session,
    node: str,
    number: int,
    label: str,
    reason: str | None,
    bid: Bid,
    table: bytes,
) -> dict[str, Any]:
    """The record of a bid that was not judged."""
    return {
        "day": day.isoformat(),
        "stage": session.stage,
        "round": session.round,
        "node": node,
        "version": number,
        "label": label,
        "reason": reason,
        "bid": {
            "segments": len(bid),
            "mwh": f"{bid_mw(bid).sum() / PERIODS_PER_HOUR:.2f}",
            "sha256": sha256(table).hexdigest(),
        },
        "solver": "none",
        "costs": {},
        "comparison": {},
        "limits": [],
        "decision": [],
        "forecasts": [],
        "notes": [],
    }


def decided(inputs: BidInputs, bid: Bid) -> tuple[Decision, ...]:
    """Whether to buy, period by period, and up to which price."""
    return decisions(
        inputs.problem,
        bid,
        inputs.shortage_mw,
        inputs.history.net_load_mw,
        inputs.curtailed_mw,
        inputs.day,
        inputs.session.open(inputs.problem.rules),
    )


def decision_record(one: Decision) -> dict[str, Any]:
    rounded = {k: round(value, 6) if isinstance(value, float) else value for k, value in asdict(one).items()}
    return {**rounded, "reason": one.reason.value}


def to_report(before: Sequence[Decision]) -> Iterator[str]:
    above = [one for one in before if one.above_ceiling]
    if above:
        yield (
            f"In {len(above)} periods ({clock(above[0].period)} and others) a segment stands above the price ceiling; report "
            "it before bidding (SX15 §10)."
        )


def finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def relative_gap(solution: Solution | None) -> float | None:
    return None if solution is None or not isfinite(solution.bound_cny) else solution.relative_gap


def costs_record(costs: Costs) -> dict[str, str]:
    parts = {name.removesuffix("_fen"): str(yuan(fen)) for name, fen in asdict(costs).items()}
    return {**parts, "total": str(costs.total_cny)}


def scenarios_record(inputs: BidInputs, cleared: Outcome) -> dict[str, Any]:
    scenarios, history = inputs.problem.scenarios, inputs.history
    return {
        "names": list(scenarios.names),
        "probability": [round(float(share), 9) for share in scenarios.probability],
        "cost_cny": [round(float(cost), 2) for cost in cleared.scenario_cost_cny()],
        "history_days": [day.isoformat() for day in history.days],
        "left_out": {day.isoformat(): why for day, why in history.left_out.items()},
    }


def fan(inputs: BidInputs) -> dict[float, Any]:
    if not inputs.history.days:
        return {}
    return dict(zip(FAN, gap_fan(inputs.shortage_mw, inputs.history.net_load_mw, FAN), strict=True))


def sentence(what: str, error: Exception) -> str:
    """Our own errors are sentences; any other gets one, with its kind."""
    if isinstance(error, BidInputsMissingError):
        return str(error)
    return f"{what} ({type(error).__name__}: {error})."
