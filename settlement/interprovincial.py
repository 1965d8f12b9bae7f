"""Settlement of inter-provincial trades (S14 7.3 a-b; market.md A.7, A.10; ruling 5).

Grain in: one executed trade of one quarter-hour and path. Grain out: revenue per seller and stage, per
section owner, per day; imported energy per day and period. Amounts are exact fractions of a yuan, positive
what the seller or owner receives; they are rounded where a statement line is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import numpy as np

from market.money import IntArray, half_up
from market.paths import path_cost, section_revenue_per_mwh
from market.periods import PERIODS
from settlement.findings import Finding, Severity

Key = TypeVar("Key")
HOURS_PER_PERIOD = Fraction(1, 4)
ROUNDING_GAP_PER_MWH = Fraction(5, 10_000)  # half of the 0.001 元/MWh to which the landed price is published


@dataclass(frozen=True)
class Section:
    """One section of a path on the trade's day; ``loss_rate`` is 0 where the tariff contains the loss."""

    section_id: str
    owner_id: str
    tariff: Decimal
    loss_rate: Decimal


@dataclass(frozen=True)
class Trade:
    """One cleared trade; power in MW over a quarter-hour, prices in 元/MWh."""

    trade_id: str
    day: date
    stage: str
    period: int
    path_id: str
    seller_id: str
    sell_price: Decimal
    landed_price: Decimal
    executed_sell_mw: Decimal
    executed_buy_mw: Decimal


@dataclass(frozen=True)
class TradeSettlement:
    """What the month's trades amount to.

    sellers: (seller_id, stage, day) -> (MWh, 元). owners: (owner_id, day) -> (MWh leaving the section, 元).
    imports: (stage, day) -> (96,) Wh at the home node.
    """

    sellers: Mapping[tuple[str, str, date], tuple[Fraction, Fraction]]
    owners: Mapping[tuple[str, date], tuple[Fraction, Fraction]]
    imports: Mapping[tuple[str, date], IntArray]
    findings: tuple[Finding, ...]

    @property
    def landed_cost(self) -> Fraction:
        """What the buyer pays: seller revenue + transmission revenue (ruling 5)."""
        return sum((yuan for _, yuan in [*self.sellers.values(), *self.owners.values()]), Fraction(0))


def settle_trades(
    trades: Sequence[Trade], sections: Mapping[tuple[str, date], Sequence[Section]], tolerance: Decimal
) -> TradeSettlement:
    """Seller and transmission revenue of executed trades.

    sections: (path_id, day) -> sections seller to buyer. tolerance: 元/MWh by which a published landed price
    may differ from its formula (R23). Raises KeyError for a path without sections on the day of a trade.
    """
    sellers: dict[tuple[str, str, date], tuple[Fraction, Fraction]] = defaultdict(_nothing)
    owners: dict[tuple[str, date], tuple[Fraction, Fraction]] = defaultdict(_nothing)
    imports: dict[tuple[str, date], IntArray] = defaultdict(lambda: np.zeros(PERIODS, dtype=np.int64))
    findings: list[Finding] = []
    for trade in trades:
        path = sections[trade.path_id, trade.day]
        steps = [(section.tariff, section.loss_rate) for section in path]
        sold_mwh = Fraction(trade.executed_sell_mw) * HOURS_PER_PERIOD
        revenue = sold_mwh * Fraction(trade.sell_price)  # S14 7.3 a
        _add(sellers, (trade.seller_id, trade.stage, trade.day), sold_mwh, revenue)
        delivered = Fraction(1)
        for section, per_mwh in zip(path, section_revenue_per_mwh(steps), strict=True):
            delivered *= 1 - Fraction(section.loss_rate)
            _add(owners, (section.owner_id, trade.day), sold_mwh * delivered, sold_mwh * Fraction(per_mwh))
        bought_mwh = Fraction(trade.executed_buy_mw) * HOURS_PER_PERIOD
        imports[trade.stage, trade.day][trade.period - 1] += half_up(bought_mwh * 1_000_000)
        cost = path_cost(steps)
        findings += _price_findings(trade, cost.landed(trade.sell_price), tolerance)
        findings += _energy_findings(trade, sold_mwh * Fraction(cost.coe), bought_mwh)
    return TradeSettlement(dict(sellers), dict(owners), dict(imports), tuple(findings))


def _price_findings(trade: Trade, landed: Fraction, tolerance: Decimal) -> list[Finding]:
    gap = abs(landed - Fraction(trade.landed_price))
    if gap <= max(Fraction(tolerance), ROUNDING_GAP_PER_MWH):
        return []
    return [
        Finding(
            "landed_price_differs",
            Severity.REVIEW,
            trade.trade_id,
            f"Trade {trade.trade_id} states a landed price of {trade.landed_price} 元/MWh; its path gives "
            f"{float(landed):.3f}. The seller and the sections are paid by the path (R23); ask the trading centre.",
            evidence={"stated": str(trade.landed_price), "computed": f"{float(landed):.6f}"},
            amount_at_stake_fen=half_up(gap * Fraction(trade.executed_buy_mw) * HOURS_PER_PERIOD * 100),
        )
    ]


def _energy_findings(trade: Trade, expected_mwh: Fraction, bought_mwh: Fraction) -> list[Finding]:
    gap = abs(expected_mwh - bought_mwh)
    if gap <= Fraction(1, 1_000_000):  # 1 Wh: MW are published to 1e-6
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
