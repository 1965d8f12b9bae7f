"""Inter-provincial purchases against the province: what they cost, what they are worth there, who is paid.

Grain: one trade of one quarter-hour (rulings 4, 5). Money is exact until a line is made; a gain or loss is
landed cost less provincial value, positive where the purchase was dearer than the province.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from market.curves import MISSING
from market.money import NANO_PER_YUAN, IntArray, fen_of_nano, half_up
from settlement.interprovincial import WH_PER_MWH, SettledTrade, TradeSettlement, total_or_none
from settlement.ledger import Line
from settlement.parties import DailySeries, Parties

DIRECT = "interprovincial_direct"
TRANSMISSION = "interprovincial_transmission"


def sale_code(stage: str) -> str:
    """The charge of a sale, day-ahead or intraday."""
    return f"interprovincial_sale_{stage}"


@dataclass(frozen=True)
class Purchase:
    """A settled trade and the provincial price of its quarter-hour and stage, 0.001 元/MWh; None is missing."""

    settled: SettledTrade
    reference_price: int | None

    @property
    def reference_nano(self) -> int | None:
        """Q_buy · P_ref in 1e-9 元 (ruling 5); a trade without energy is worth nothing at any price."""
        if self.settled.trade.bought_wh == 0:
            return 0
        return None if self.reference_price is None else self.settled.trade.bought_wh * self.reference_price

    @property
    def gain_loss_cny(self) -> Fraction | None:
        """Landed cost less the value at the provincial price."""
        landed, reference = self.settled.landed_cny, self.reference_nano
        return None if landed is None or reference is None else landed - Fraction(reference, NANO_PER_YUAN)


def purchases(trades: TradeSettlement, reference: Mapping[tuple[str, date], IntArray]) -> list[Purchase]:
    """Every trade with its provincial price; ``reference``: (stage, day) -> (96,) 0.001 元/MWh, MISSING allowed."""
    found = []
    for settled in trades.trades:
        trade = settled.trade
        curve = reference.get((trade.stage, trade.day))
        price = MISSING if curve is None else int(curve[trade.period - 1])
        found.append(Purchase(settled, None if price == MISSING else price))
    return found


def trade_lines(trades: TradeSettlement, parties: Parties) -> list[Line]:
    """Sellers and section owners, a credit each; missing for owners of a path whose costs are not known."""
    sums: dict[tuple[str, str], list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
    for (seller, stage, _), (mwh, cny) in trades.sellers.items():
        _accumulate(sums[seller, sale_code(stage)], mwh, cny)
    for (owner, _), (mwh, cny) in trades.owners.items():
        _accumulate(sums[owner, TRANSMISSION], mwh, cny)
    unknown = {(owner, TRANSMISSION) for owner, _ in trades.unknown_owners}
    lines = [
        Line(who, code, parties.city.get(who), half_up(mwh * WH_PER_MWH), -half_up(cny * 100), None, True)
        for (who, code), (mwh, cny) in sorted(sums.items())
        if (who, code) not in unknown
    ]
    return lines + [
        Line(who, code, parties.city.get(who), None, None, None, True) for who, code in sorted(unknown)
    ]


def direct_lines(bought: Sequence[Purchase], parties: Parties) -> list[Line]:
    """Who buys for itself bears its own gain or loss (S14 7.3 b; market.md A.10, A.11 (3)), rounded once."""
    own: dict[str, list[Purchase]] = defaultdict(list)
    for purchase in bought:
        if purchase.settled.trade.buyer_id != parties.grid_company:
            own[purchase.settled.trade.buyer_id].append(purchase)
    lines = []
    for who, of in sorted(own.items()):
        cny = total_or_none(purchase.gain_loss_cny for purchase in of)
        energy = sum(purchase.settled.trade.bought_wh for purchase in of)
        fen = None if cny is None else half_up(cny * 100)
        lines.append(Line(who, DIRECT, parties.city.get(who), energy, fen))
    return lines


def trade_daily(trades: TradeSettlement, bought: Sequence[Purchase], parties: Parties) -> list[DailySeries]:
    """Days of sellers, owners and direct buyers, exact to 1e-9 元."""
    rows: list[tuple[str, str, date, int | None, int | None]] = [
        (sale_code(stage), seller, day, half_up(mwh * WH_PER_MWH), -half_up(cny * NANO_PER_YUAN))
        for (seller, stage, day), (mwh, cny) in trades.sellers.items()
    ]
    rows += [
        (TRANSMISSION, owner, day, half_up(mwh * WH_PER_MWH), -half_up(cny * NANO_PER_YUAN))
        for (owner, day), (mwh, cny) in trades.owners.items()
        if (owner, day) not in trades.unknown_owners
    ]
    rows += [(TRANSMISSION, owner, day, None, None) for owner, day in trades.unknown_owners]
    direct: dict[tuple[str, date], list[Purchase]] = defaultdict(list)
    for purchase in bought:
        trade = purchase.settled.trade
        if trade.buyer_id != parties.grid_company:
            direct[trade.buyer_id, trade.day].append(purchase)
    for (who, day), of in direct.items():
        cny = total_or_none(purchase.gain_loss_cny for purchase in of)
        nano = None if cny is None else half_up(cny * NANO_PER_YUAN)
        rows.append((DIRECT, who, day, sum(one.settled.trade.bought_wh for one in of), nano))
    return [DailySeries.single(*row) for row in sorted(rows, key=lambda row: row[:3])]


@dataclass(frozen=True)
class StageTotals:
    """One stage of the month: what was bought, its landed cost and its provincial value; None is missing.

    shown_gap_cny: landed cost less published landed prices times energy, within 0.0005 元/MWh (ruling 5).
    """

    stage: str
    bought_wh: int
    landed_cny: Fraction | None
    reference_nano: int | None
    shown_gap_cny: Fraction | None

    @property
    def landed_fen(self) -> int | None:
        """Rounded for showing; the books take the fen of the lines."""
        return None if self.landed_cny is None else half_up(self.landed_cny * 100)

    @property
    def reference_fen(self) -> int | None:
        """Rounded for showing."""
        return None if self.reference_nano is None else fen_of_nano(self.reference_nano)


def by_stage(bought: Sequence[Purchase]) -> list[StageTotals]:
    """Day-ahead and intraday apart (S14 7.3 a-b)."""
    totals = []
    for stage in sorted({purchase.settled.trade.stage for purchase in bought}):
        of = [purchase for purchase in bought if purchase.settled.trade.stage == stage]
        worth = [purchase.reference_nano for purchase in of]
        known = [nano for nano in worth if nano is not None]
        totals.append(
            StageTotals(
                stage,
                sum(purchase.settled.trade.bought_wh for purchase in of),
                total_or_none(purchase.settled.landed_cny for purchase in of),
                sum(known) if len(known) == len(worth) else None,
                total_or_none(purchase.settled.shown_gap_cny for purchase in of),
            )
        )
    return totals


def _accumulate(total: list[Fraction], mwh: Fraction, cny: Fraction) -> None:
    total[0] += mwh
    total[1] += cny
