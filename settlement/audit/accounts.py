"""What the audit rules know of an account: its record as it changed, its energy, its bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Record:
    """One row of participants: what held from ``valid_from`` (inclusive) to ``valid_to`` (exclusive, None open)."""

    valid_from: date
    valid_to: date | None
    kind: str
    city: str | None = None
    node: str | None = None
    voltage_kv: Decimal | None = None
    capacity_kva: Decimal | None = None
    tariff_class: str | None = None
    retailer_id: str | None = None
    basic_fee: str | None = None
    power_factor_standard: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A participant with its whole history of records, oldest first; ``now`` is the last one of the month.

    metered: it has a meter in the month. demand_w: the month's maximum demand. active_wh, reactive_varh: of a
    consumer's month; None where not known or not asked.
    """

    participant_id: str
    records: Sequence[Record]
    now: Record
    metered: bool = True
    demand_w: int | None = None
    active_wh: int | None = None
    reactive_varh: int | None = None


@dataclass(frozen=True)
class Contract:
    """A contract of the month: energy of its curve, None where a day is missing; what each side registered.

    registered: side -> (Wh, 0.001 元/MWh).
    """

    contract_id: str
    buyer_id: str
    seller_id: str
    price_mills: int
    curve_wh: int | None
    registered: Mapping[str, tuple[int, int]] = field(default_factory=dict)
