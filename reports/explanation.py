"""Why a statement line is what it is, as data.

An explanation goes from the line to its days, from a day to its quarter-hours or trades, and from there to the
rows of the delivered files. Energy MWh, prices 元/MWh, amounts 元, a charge positive; None is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Source:
    """One row of a delivered file; ``file`` is its path in the inbox, ``key`` says which row."""

    table: str
    key: str
    file: str
    line: int


@dataclass(frozen=True)
class Day:
    """One day of the line, exact to 1e-9 元."""

    date: date
    quantity_mwh: Decimal | None
    amount_cny: Decimal | None


@dataclass(frozen=True)
class Part:
    """One quarter-hour of the line; ``subject`` is a contract where there are several, else empty."""

    date: date
    period: int
    subject: str
    quantity_mwh: Decimal | None
    price_cny_per_mwh: Decimal | None
    amount_cny: Decimal | None
    made_of: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class SectionPart:
    """What one section of a trade's path carries and earns."""

    section_id: str
    owner_id: str
    quantity_mwh: Decimal
    amount_cny: Decimal


@dataclass(frozen=True)
class TradePart:
    """One trade behind the line with both revenues; ``amount_cny`` is its part of the line, None for a share."""

    trade_id: str
    date: date
    stage: str
    period: int
    path_id: str
    seller_id: str
    buyer_id: str
    sold_mwh: Decimal
    bought_mwh: Decimal
    sell_price_cny_per_mwh: Decimal
    landed_price_cny_per_mwh: Decimal | None
    reference_price_cny_per_mwh: Decimal | None
    seller_cny: Decimal
    transmission_cny: Decimal | None
    sections: tuple[SectionPart, ...]
    reference_cny: Decimal | None
    gain_loss_cny: Decimal | None
    amount_cny: Decimal | None
    source: Source


@dataclass(frozen=True)
class Share:
    """A participant's share of a pool or of one group's part of it: pool × key / total key, then to the fen."""

    group: str
    pool_cny: Decimal
    key: Decimal
    total_key: Decimal
    unit: str
    amount_cny: Decimal

    @property
    def exact_cny(self) -> Decimal:
        """Before the fen of the pool were dealt out."""
        return Decimal(0) if not self.total_key else self.pool_cny * self.key / self.total_key


@dataclass(frozen=True)
class Pool:
    """What is shared: its amount, the lines and transfers it is made of by code, the participant's shares."""

    amount_cny: Decimal
    made_of: tuple[tuple[str, Decimal], ...]
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Explanation:
    """The whole way from one line down; ``names`` holds (Chinese, English) of charges and transfers by code."""

    run_id: str
    run_alias: str
    participant_id: str
    participant_name: str
    charge_code: str
    clause: str
    quantity_mwh: Decimal | None
    price_cny_per_mwh: Decimal | None
    amount_cny: Decimal | None
    days: tuple[Day, ...] = ()
    day: date | None = None
    parts: tuple[Part, ...] = ()
    trades: tuple[TradePart, ...] = ()
    pool: Pool | None = None
    sources: tuple[Source, ...] = ()
    missing_because: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Everything but the names, ready for ``json``; decimals and dates become text."""
        content = asdict(self)
        del content["names"]
        return content
