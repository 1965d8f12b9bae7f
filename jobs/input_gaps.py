"""What is missing or odd in a month's inputs: noted day by day, told as findings of the month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from market.profiles import ProvincialRules
from settlement.findings import Finding, Severity

NodeStage = tuple[str, str]
"""Node and stage of a price."""


@dataclass(frozen=True)
class Gap:
    """Something that should be there and is not: kind of thing, its id, the participant it touches."""

    what: str
    subject: str
    participant: str | None


@dataclass
class DayNotes:
    """What one day lacks. price_gaps, price_limits: by node and stage, stamps; prices_kept: stages."""

    gaps: list[Gap] = field(default_factory=list)
    price_gaps: dict[NodeStage, list[str]] = field(default_factory=lambda: defaultdict(list))
    price_limits: dict[NodeStage, list[str]] = field(default_factory=lambda: defaultdict(list))
    prices_kept: list[str] = field(default_factory=list)


class MonthNotes:
    """The notes of the days seen, in their order."""

    def __init__(self) -> None:
        self._gaps: dict[Gap, list[date]] = defaultdict(list)
        self._price_gaps: dict[NodeStage, list[str]] = defaultdict(list)
        self._price_limits: dict[NodeStage, list[str]] = defaultdict(list)
        self._price_kept: dict[str, list[date]] = defaultdict(list)

    def add(self, day: date, notes: DayNotes) -> None:
        """One day more."""
        for gap in notes.gaps:
            self._gaps[gap].append(day)
        for seen, of_day in (
            (self._price_gaps, notes.price_gaps),
            (self._price_limits, notes.price_limits),
        ):
            for key, stamps in of_day.items():
                seen[key] += stamps
        for stage in notes.prices_kept:
            self._price_kept[stage].append(day)

    def findings(self, city: Mapping[str, str | None], rules: ProvincialRules) -> list[Finding]:
        """A finding each; city: by participant."""
        return [
            *(_gap_finding(gap, days, city) for gap, days in self._gaps.items()),
            *(_price_gap_finding(*key, stamps) for key, stamps in self._price_gaps.items()),
            *(_price_limit_finding(*key, stamps, rules) for key, stamps in self._price_limits.items()),
            *(_price_kept_finding(stage, days) for stage, days in sorted(self._price_kept.items())),
        ]


def _gap_finding(gap: Gap, days: list[date], city: Mapping[str, str | None]) -> Finding:
    sentence = {
        "missing_meter_day": "Meter {0} of {1} has no readings on {2}; its amounts are missing. Deliver them.",
        "missing_reading": "Meter {0} of {1} has gaps in its readings on {2}; its amounts are missing. "
        "Deliver the missing quarter-hours.",
        "missing_position": "Participant {0} has no complete day-ahead position on {2}; its day-ahead amount is "
        "missing. Deliver the position, zero if it declared nothing.",
        "missing_contract_curve": "Contract {0} (buyer {1}) is valid but has no complete curve on {2}; the "
        "contract amount of both sides is missing. Deliver the curve.",
        "unsettled_meter_readings": "Meter {0} has readings on {2} but is not valid then for anyone who settles; "
        "its energy is in nobody's account. Deliver the meter or the participant with its validity.",
        "unsettled_positions": "{0} has a position on {2} but settles nothing wholesale then; it is not used.",
        "unsettled_contract_curves": "Contract {0} has a curve on {2} but is not valid then; it is not used.",
    }[gap.what]
    return Finding(
        gap.what,
        Severity.REVIEW if gap.what.startswith("unsettled_") else Severity.BLOCK,
        gap.subject,
        sentence.format(gap.subject, gap.participant or "outside", _some(list(map(str, days)))),
        city=city.get(gap.participant) if gap.participant else None,
        evidence={"dates": list(map(str, days)), "participant_id": gap.participant},
    )


def _price_gap_finding(node: str, stage: str, stamps: list[str]) -> Finding:
    return Finding(
        "missing_price",
        Severity.BLOCK,
        f"{node}/{stage}",
        f"The {stage.replace('_', '-')} price of node {node} is missing on {_some(stamps)}; every amount that "
        "rests on it is missing. Deliver a prices file with these values.",
        evidence={"missing": stamps},
    )


def _price_limit_finding(node: str, stage: str, stamps: list[str], rules: ProvincialRules) -> Finding:
    low, high = rules.clearing_price_floor_cny_per_mwh, rules.clearing_price_cap_cny_per_mwh
    return Finding(
        "price_out_of_limits",
        Severity.REVIEW,
        f"{node}/{stage}",
        f"The {stage.replace('_', '-')} price of node {node} lies outside {low}..{high} 元/MWh on "
        f"{_some(stamps)} (R24, SD822); it is settled as delivered. Ask the dispatch centre.",
        evidence={"periods": stamps},
    )


def _price_kept_finding(stage: str, days: list[date]) -> Finding:
    return Finding(
        "unified_price_kept",
        Severity.REVIEW,
        stage,
        f"What is known now would change the unified {stage.replace('_', '-')} price of "
        f"{_some(list(map(str, days)))}; a correction never changes a unified price (SD25, market.md B.11), so the "
        "price of the settled month stands. Ask the trading centre if the published price was wrong.",
        evidence={"dates": list(map(str, days))},
    )


def _some(items: list[str]) -> str:
    return ", ".join(items) if len(items) <= 4 else f"{', '.join(items[:3])} and {len(items) - 3} more"
