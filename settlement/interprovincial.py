"""Settlement of inter-provincial trades (S14 7.3 a, b, d; market.md A.7, A.10; ruling 5).

Grain in: one executed trade of one quarter-hour and path. Grain out: revenue per seller and stage, per
section owner, per day; imported energy per day and period. Amounts are exact fractions of a yuan, positive
what the seller or owner receives; they are rounded where a statement line is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TypeVar

import numpy as np

from market.money import IntArray, half_up
from market.paths import PathCost, path_cost, rounded_price, section_revenue_per_mwh
from market.periods import PERIODS
from settlement.findings import Finding, Severity

Key = TypeVar("Key")
HOURS_PER_PERIOD = Fraction(1, 4)
ROUNDING_GAP_PER_MWH = Fraction(5, 10_000)  # half of the 0.001 元/MWh to which the landed price is published
WH_PER_MWH = 1_000_000


class MoneyIdentityError(AssertionError):
    """Buyer cost is not seller revenue + transmission revenue; the run fails closed."""


@dataclass(frozen=True)
class Section:
    """One section of a path on the trade's day; ``loss_rate`` is 0 where the tariff contains the loss."""

    section_id: str
    owner_id: str
    tariff: Decimal
    loss_rate: Decimal


@dataclass(frozen=True)
class Trade:
    """One cleared trade; power in MW over a quarter-hour, prices in 元/MWh.

    ``sell_mw`` and ``buy_mw`` are what was cleared, ``executed_*`` what the security check left of it.
    """

    trade_id: str
    day: date
    stage: str
    round_number: int
    period: int
    path_id: str
    seller_node: str
    buyer_node: str
    seller_id: str
    buyer_id: str
    sell_mw: Decimal
    buy_mw: Decimal
    sell_price: Decimal
    landed_price: Decimal
    executed_sell_mw: Decimal
    executed_buy_mw: Decimal

    @cached_property
    def sold_mwh(self) -> Fraction:
        """Executed energy at the seller node."""
        return Fraction(self.executed_sell_mw) * HOURS_PER_PERIOD

    @cached_property
    def bought_mwh(self) -> Fraction:
        """Executed energy at the buyer node."""
        return Fraction(self.executed_buy_mw) * HOURS_PER_PERIOD

    @cached_property
    def bought_wh(self) -> int:
        """What enters the provincial pool, rounded to the Wh once a trade (decision 0005)."""
        return half_up(self.bought_mwh * WH_PER_MWH)


@dataclass(frozen=True)
class SectionRevenue:
    """What one section of a trade's path carries and earns: MWh that leave it and 元."""

    section_id: str
    owner_id: str
    mwh: Fraction
    cny: Fraction


@dataclass(frozen=True)
class SettledTrade:
    """A trade in money. ``cost`` and ``sections`` are None where the path's costs are not known on the day.

    factor: the daily cap's scaling of the seller-node price, 1 where it does not act (S14 7.3 d).
    """

    trade: Trade
    factor: Fraction
    cost: PathCost | None
    sections: tuple[SectionRevenue, ...] | None

    @cached_property
    def sell_price(self) -> Fraction:
        """The price the seller is paid, 元/MWh."""
        return self.factor * Fraction(self.trade.sell_price)

    @cached_property
    def landed_price(self) -> Fraction | None:
        """Seller price and transmission at the home node, 元/MWh, from the price that is settled."""
        return None if self.cost is None else self.cost.landed(self.sell_price)

    @cached_property
    def seller_cny(self) -> Fraction:
        """Q · P at the seller node (S14 7.3 a)."""
        return self.trade.sold_mwh * self.sell_price

    @cached_property
    def transmission_cny(self) -> Fraction | None:
        """What the sections earn together."""
        return None if self.sections is None else sum((one.cny for one in self.sections), Fraction(0))

    @cached_property
    def landed_cny(self) -> Fraction | None:
        """What the buyer pays: seller and transmission revenue (S14 7.3 b; ruling 5)."""
        transmission = self.transmission_cny
        return None if transmission is None else self.seller_cny + transmission

    @property
    def shown_gap_cny(self) -> Fraction | None:
        """What the buyer pays less the published landed price (0.001 元/MWh) times its energy (ruling 5)."""
        price, landed = self.landed_price, self.landed_cny
        if price is None or landed is None:
            return None
        return landed - Fraction(rounded_price(price)) * self.trade.bought_mwh


@dataclass(frozen=True)
class TradeSettlement:
    """What the month's trades amount to.

    sellers: (seller_id, stage, day) -> (MWh, 元). owners: (owner_id, day) -> (MWh leaving the section, 元).
    imports: (stage, day) -> (96,) Wh at the home node. unknown_owners: owners and days of paths whose costs are
    not known; what they earn is missing.
    """

    trades: tuple[SettledTrade, ...]
    sellers: Mapping[tuple[str, str, date], tuple[Fraction, Fraction]]
    owners: Mapping[tuple[str, date], tuple[Fraction, Fraction]]
    imports: Mapping[tuple[str, date], IntArray]
    unknown_owners: frozenset[tuple[str, date]]
    findings: tuple[Finding, ...]

    @property
    def landed_cost(self) -> Fraction | None:
        """What the buyers pay: seller revenue + transmission revenue (ruling 5); None where a path is unknown."""
        return total_or_none(trade.landed_cny for trade in self.trades)


def settle_trades(
    trades: Sequence[Trade],
    sections: Mapping[tuple[str, date], Sequence[Section]],
    tolerance: Decimal,
    *,
    daily_cap: Decimal | None = None,
    owners_of: Mapping[str, frozenset[str]] | None = None,
) -> TradeSettlement:
    """Seller and transmission revenue of executed trades.

    sections: (path_id, day) -> sections seller to buyer; a pair that is not there has unknown costs: the
    seller is paid, what the buyer owes and the owners of ``owners_of[path_id]`` earn is missing. tolerance:
    元/MWh by which a published landed price may differ from its formula (R23). daily_cap: 元/MWh of S14 7.3 d,
    None where the profile does not scale. Raises MoneyIdentityError.
    """
    factors = {} if daily_cap is None else daily_cap_factors(trades, daily_cap)
    findings = _cap_findings(factors, daily_cap)
    sellers: dict[tuple[str, str, date], tuple[Fraction, Fraction]] = defaultdict(_nothing)
    owners: dict[tuple[str, date], tuple[Fraction, Fraction]] = defaultdict(_nothing)
    imports: dict[tuple[str, date], IntArray] = defaultdict(lambda: np.zeros(PERIODS, dtype=np.int64))
    unknown: set[tuple[str, date]] = set()
    settled = []
    known_paths = {key: _Path.of(path) for key, path in sections.items()}
    for trade in trades:
        path = known_paths.get((trade.path_id, trade.day))
        factor = factors.get((trade.seller_node, trade.day, trade.stage), Fraction(1))
        one = (
            SettledTrade(trade, factor, None, None)
            if path is None
            else SettledTrade(trade, factor, path.cost, path.revenue(trade.sold_mwh))
        )
        _assert_identity(one)
        settled.append(one)
        _add(sellers, (trade.seller_id, trade.stage, trade.day), trade.sold_mwh, one.seller_cny)
        imports[trade.stage, trade.day][trade.period - 1] += trade.bought_wh
        if path is None:
            unknown |= {(owner, trade.day) for owner in (owners_of or {}).get(trade.path_id, ())}
            continue
        for part in one.sections or ():
            _add(owners, (part.owner_id, trade.day), part.mwh, part.cny)
        findings += _price_findings(trade, path.cost.landed(trade.sell_price), tolerance)
        findings += _energy_findings(trade, trade.sold_mwh * Fraction(path.cost.coe), trade.bought_mwh)
    return TradeSettlement(
        tuple(settled), dict(sellers), dict(owners), dict(imports), frozenset(unknown), tuple(findings)
    )


def daily_cap_factor(quantity_and_price: Iterable[tuple[Fraction, Fraction]], cap: Decimal) -> Fraction:
    """k = min(1, P_cap / (ΣQP/ΣQ)) of one seller node, day and stage (S14 7.3 d; market.md A.10).

    quantity_and_price: executed MWh and 元/MWh of the day's quarter-hours; without energy k is 1. The 96 prices
    are multiplied by k, which keeps their shape. Raises ValueError for a cap of 0 or less, which scaling
    cannot meet.
    """
    if cap <= 0:
        raise ValueError(
            f"The daily cap is {cap} 元/MWh; prices are scaled down to a cap above 0, last year's highest "
            "provincial bid cap."
        )
    pairs = list(quantity_and_price)
    Q = sum((quantity for quantity, _ in pairs), Fraction(0))
    QP = sum((quantity * price for quantity, price in pairs), Fraction(0))
    return Fraction(1) if Fraction(cap) * Q >= QP else Fraction(cap) * Q / QP


def daily_cap_factors(trades: Iterable[Trade], cap: Decimal) -> dict[tuple[str, date, str], Fraction]:
    """``daily_cap_factor`` by (seller node, day, stage), day-ahead and intraday apart."""
    pairs: dict[tuple[str, date, str], list[tuple[Fraction, Fraction]]] = defaultdict(list)
    for trade in trades:
        key = (trade.seller_node, trade.day, trade.stage)
        pairs[key].append((trade.sold_mwh, Fraction(trade.sell_price)))
    return {key: daily_cap_factor(of, cap) for key, of in pairs.items()}


def total_or_none(parts: Iterable[Fraction | None]) -> Fraction | None:
    """Exact sum; None where a part is missing."""
    total = Fraction(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total


@dataclass(frozen=True)
class _Path:
    """What a MWh sold at the seller node costs on its way."""

    cost: PathCost
    sections: tuple[tuple[Section, Fraction, Fraction], ...]

    @classmethod
    def of(cls, sections: Sequence[Section]) -> _Path:
        steps = [(section.tariff, section.loss_rate) for section in sections]
        delivered, parts = Fraction(1), []
        for section, per_mwh in zip(sections, section_revenue_per_mwh(steps), strict=True):
            delivered *= 1 - Fraction(section.loss_rate)
            parts.append((section, delivered, Fraction(per_mwh)))
        return cls(path_cost(steps), tuple(parts))

    def revenue(self, sold_mwh: Fraction) -> tuple[SectionRevenue, ...]:
        return tuple(
            SectionRevenue(section.section_id, section.owner_id, sold_mwh * delivered, sold_mwh * per_mwh)
            for section, delivered, per_mwh in self.sections
        )


def _assert_identity(one: SettledTrade) -> None:
    """Q_sell · coe · P_landed = seller + sections, exactly: two ways to the same money (market.md A.7, A.10 i)."""
    price, landed = one.landed_price, one.landed_cny
    if one.cost is None or price is None or landed is None:
        return
    if one.trade.sold_mwh * Fraction(one.cost.coe) * price != landed:
        raise MoneyIdentityError(
            f"Trade {one.trade.trade_id}: the landed price gives {float(price):.6f} 元/MWh on the energy that "
            f"arrives, seller and sections receive {float(landed):.6f} 元; the run is not written."
        )


def _cap_findings(factors: Mapping[tuple[str, date, str], Fraction], cap: Decimal | None) -> list[Finding]:
    return [
        Finding(
            "daily_price_cap_applied",
            Severity.INFORM,
            f"{node}/{day}/{stage}",
            f"The {stage.replace('_', '-')} prices of {node} on {day} average {float(Fraction(cap) / k):.3f} 元/MWh, "
            f"above {cap}; all of them are settled at {float(k):.6f} of what was cleared (S14 7.3 d).",
            evidence={"factor": f"{float(k):.9f}", "cap_cny_per_mwh": str(cap)},
        )
        for (node, day, stage), k in sorted(factors.items())
        if cap is not None and k != 1
    ]


def _price_findings(trade: Trade, landed: Fraction, tolerance: Decimal) -> list[Finding]:
    gap = abs(landed - Fraction(trade.landed_price))
    # both prices are published to 0.001, and the landed one may come from the seller price before rounding
    if gap <= max(Fraction(tolerance), 3 * ROUNDING_GAP_PER_MWH):
        return []
    return [
        Finding(
            "landed_price_differs",
            Severity.REVIEW,
            trade.trade_id,
            f"Trade {trade.trade_id} states a landed price of {trade.landed_price} 元/MWh; its path gives "
            f"{float(landed):.3f}. The seller and the sections are paid by the path (R23); ask the trading centre.",
            evidence={"stated": str(trade.landed_price), "computed": f"{float(landed):.6f}"},
            amount_at_stake_fen=half_up(gap * trade.bought_mwh * 100),
        )
    ]


def _energy_findings(trade: Trade, expected_mwh: Fraction, bought_mwh: Fraction) -> list[Finding]:
    gap = abs(expected_mwh - bought_mwh)
    if gap <= Fraction(1, WH_PER_MWH):  # 1 Wh: MW are published to 1e-6
        return []
    return [
        Finding(
            "trade_loss_differs",
            Severity.REVIEW,
            trade.trade_id,
            f"Trade {trade.trade_id} delivers {float(bought_mwh):.6f} MWh; its path leaves "
            f"{float(expected_mwh):.6f} MWh of what was sold. Compare the executed MW with the path's losses.",
            evidence={"stated_mwh": f"{float(bought_mwh):.6f}", "computed_mwh": f"{float(expected_mwh):.6f}"},
        )
    ]


def _nothing() -> tuple[Fraction, Fraction]:
    return Fraction(0), Fraction(0)


def _add(book: dict[Key, tuple[Fraction, Fraction]], key: Key, mwh: Fraction, yuan: Fraction) -> None:
    before_mwh, before_yuan = book[key]
    book[key] = before_mwh + mwh, before_yuan + yuan
