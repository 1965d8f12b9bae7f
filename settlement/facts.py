"""What a month is settled from beside its days: fees, published standards, registers, classes, as facts with dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

RESIDENTS_SALE = (
    "residents_sale"  # the published price at which residents' energy is sold, in table standards
)


@dataclass(frozen=True, slots=True)
class FeeAmount:
    """A row of ``fee_pools``: whole fen, positive is paid to the participant, negative is owed by it."""

    pool: str
    day: date
    participant_id: str
    fen: int
    cause: str


@dataclass(frozen=True)
class MonthFacts:
    """Empty where the month has none.

    standards: code -> 0.001 元/MWh of every day of the month, None where none is in force. register_difference: Wh by
    settling party, the month's registers less the sum of days, None missing. tariff_class: participant -> class of
    every day of the month, for fees that only some classes pay.
    """

    fees: tuple[FeeAmount, ...] = ()
    standards: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    register_difference: Mapping[str, int | None] = field(default_factory=dict)
    tariff_class: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)


NO_FACTS = MonthFacts()
