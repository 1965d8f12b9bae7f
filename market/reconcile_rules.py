"""How our lines are compared with the trading centre's 结算依据, as dated data: tolerances, and whose code is whose.

Each field is a list of ``{value, unit, clause, valid_from[, valid_to], certainty}`` in ``reconcile.yaml``;
``ReconcileRules.limits`` picks the values that hold on a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from market.dated import Dated, Strict, on


class SubjectMap(Strict):
    """Codes of the statement and charges of ours that are one and the same money; compared as their sums."""

    subject: str
    theirs: tuple[str, ...]
    ours: tuple[str, ...]


@dataclass(frozen=True)
class ReconcileLimits:
    """The limits of one day; docs/reconcile.md says what each does."""

    absolute_cny: Decimal
    relative: Decimal
    quantity_mwh: Decimal
    cumulative_cny: Decimal
    cumulative_relative: Decimal
    cumulative_lines: int
    drift_chance: Decimal
    factor_lines: int
    factor_share: Decimal
    unit_factors: tuple[Decimal, ...]
    subjects: tuple[SubjectMap, ...]


class ReconcileRules(Strict):
    """``reconcile.yaml`` of a profile."""

    absolute_cny: tuple[Dated[Decimal], ...]
    relative: tuple[Dated[Decimal], ...]
    quantity_mwh: tuple[Dated[Decimal], ...]
    cumulative_cny: tuple[Dated[Decimal], ...]
    cumulative_relative: tuple[Dated[Decimal], ...]
    cumulative_lines: tuple[Dated[int], ...]
    drift_chance: tuple[Dated[Decimal], ...]
    factor_lines: tuple[Dated[int], ...]
    factor_share: tuple[Dated[Decimal], ...]
    unit_factors: tuple[Dated[tuple[Decimal, ...]], ...]
    subjects: tuple[Dated[tuple[SubjectMap, ...]], ...]

    def limits(self, day: date) -> ReconcileLimits:
        """The limits that hold on ``day``. Raises RuleNotInForceError where one has no entry, or two."""
        return ReconcileLimits(
            **{name: on(getattr(self, name), day, name) for name in ReconcileLimits.__match_args__}
        )
