"""The inter-provincial sessions of the tight evenings: offers, bids, and what clearing makes of them.

Offers and bids are made up around the seller nodes' price series, the bid a little above the landed price of
the dearest path it needs; every trade, MW and price comes out of ``optimization.clearing.clear``. A session is one day's day-ahead market or one two-hour round within the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from interprovincial import LIMIT_OF, PATHS, Balance, costs, path_rows
from people import GRID_COMPANY
from prices import Prices
from writing import DATES, FROM_15_JUNE, JULY, Floats, Ints, plain, write_csv, write_curve_csv

from market.money import half_up
from market.periods import TIME_ZONE
from market.profiles import profile
from optimization.clearing import clear

PROFILE = "IPSPOT_2022_TRIAL"
BUYER = "SD"
DAY_AHEAD_SHARE, INTRADAY_SHARE = Fraction(88, 100), Fraction(15, 100)  # of the gap that is bid for
INTRADAY_PLACES, INTRADAY_PERIODS = (1, 4, 7), range(73, 85)  # of the tight days in order; two rounds
INTRADAY_PREMIUM = Fraction(108, 100)
SMALLEST_GAP_MW, SMALLEST_NEED_MW = 50, 20

BID_FACTORS = tuple(Fraction(n, 100) for n in (106, 105, 104, 103, 101))  # of the dearest landed price needed
CHEAP_SHARE, CHEAP_DISCOUNT = Fraction(6, 10), Fraction(94, 100)  # first of the two segments that are sold
BEYOND_MARKUP = Fraction(103, 100)  # an offer that finds no buyer, on the best bid at its node
BEYOND_SHARE = Fraction(3, 10)
BEHIND_LIMIT = Fraction(1, 10)  # what a node offers above what its full paths can carry
IDLE_SHARES, IDLE_FACTORS = (40, 30, 20), (100, 105, 112)  # percent of capability and price, node not needed
SMALLEST_STEP_MW = 10
BEFORE_CLOSE = timedelta(minutes=5)

Steps = list[tuple[int, int]]  # MW and 元/MWh of one curve, segment 1 first


@dataclass(frozen=True)
class Session:
    """One session; offers, bids and capability as clear() takes them, MW and 元/MWh whole."""

    day: int
    stage: str
    round: int
    offers: pd.DataFrame
    bids: pd.DataFrame
    capability: pd.DataFrame


@dataclass(frozen=True)
class Trade:
    """One row of trades.csv; powers in 1e-6 MW, prices in 0.001 元/MWh."""

    day: int
    stage: str
    round: int
    period: int
    path_id: str
    sell_micro: int
    buy_micro: int
    sell_price: int
    landed_price: int
    executed: bool = True


@dataclass(frozen=True)
class Exchange:
    """What was declared and what was cleared. limits: (section, day, stage) -> whole MW (96,)."""

    sessions: list[Session]
    trades: list[Trade]
    limits: dict[tuple[str, int, str], Ints]


def run(state: Balance, prices: Prices, limits: dict[str, Ints]) -> Exchange:
    """Declare and clear every session; one trade is cancelled by the security check: nothing runs, prices stay.

    limits: section -> whole MW (31, 96), day-ahead. A round sees what the day-ahead trades leave of them, in
    whole MW.
    """
    sessions: list[Session] = []
    done: list[Trade] = []
    known = {
        (section, JULY + n, "day_ahead"): curve
        for section, curves in limits.items()
        for n, curve in enumerate(curves)
    }
    for place, day in enumerate(sorted(state.tight)):
        gap = [Fraction(int(mw), 1000) for mw in state.series["gap"][day - FROM_15_JUNE]]
        wanted = {n + 1: DAY_AHEAD_SHARE * mw for n, mw in enumerate(gap) if mw >= SMALLEST_GAP_MW}
        spare = {section: known[section, day, "day_ahead"] for section in limits}
        session = _session(day, "day_ahead", 1, wanted, spare, prices)
        sold = _cleared(session)
        sessions, done = [*sessions, session], [*done, *sold]
        if place not in INTRADAY_PLACES:
            continue
        left = _left(spare, sold)
        known |= {(section, day, "intraday"): curve for section, curve in left.items()}
        rounds: dict[int, dict[int, Fraction]] = {}
        for period in wanted:
            if period in INTRADAY_PERIODS:
                rounds.setdefault(_round(period), {})[period] = INTRADAY_SHARE * gap[period - 1]
        for number, wanted_in_round in rounds.items():
            session = _session(day, "intraday", number, wanted_in_round, left, prices)
            sessions, done = [*sessions, session], [*done, *_cleared(session)]
    cancelled = len(done) // 3
    done[cancelled] = replace(done[cancelled], executed=False)
    return Exchange(sessions, done, known)


def imports_mwh(done: Iterable[Trade], stage: str | None = None) -> Floats:
    """Executed energy at the buyer, MWh, (31, 96)."""
    energy = np.zeros((len(DATES) - JULY, 96))
    for trade in done:
        if trade.executed and stage in (None, trade.stage):
            energy[trade.day - JULY, trade.period - 1] += trade.buy_micro / 4e6
    return energy


def write(folder: Path, exchange: Exchange) -> None:
    """offers.csv, bids.csv, atc.csv, trades.csv."""
    segment = "node date stage round period segment mw price_cny_per_mwh"
    write_csv(folder / "offers.csv", segment, _declared(exchange.sessions, "offers"))
    write_csv(folder / "bids.csv", f"{segment} version submitted_at", _declared(exchange.sessions, "bids"))
    write_curve_csv(
        folder / "atc.csv",
        ("section_id", "date", "stage"),
        (
            ((section, DATES[day], stage), curve)
            for (section, day, stage), curve in sorted(
                exchange.limits.items(), key=lambda item: (item[0][2], item[0][0], item[0][1])
            )
        ),
        0,
    )
    write_csv(
        folder / "trades.csv",
        (
            "trade_id date stage round period path_id seller_node buyer_node seller_id buyer_id sell_mw buy_mw "
            "sell_price landed_price executed_sell_mw executed_buy_mw"
        ),
        (_trade_row(trade) for trade in exchange.trades),
    )


def _session(
    day: int, stage: str, number: int, wanted: dict[int, Fraction], spare: dict[str, Ints], prices: Prices
) -> Session:
    """Offers, bids and capability of the periods in which ``wanted`` MW at the buyer are sought."""
    premium = INTRADAY_PREMIUM if stage == "intraday" else Fraction(1)
    offers: list[tuple[str, int, int, int, int]] = []
    bids: list[tuple[str, int, int, int, int]] = []
    for period, mw in wanted.items():
        price = {
            node: premium * Fraction(int(curve[day, period - 1]), 1000)
            for node, curve in prices.sellers.items()
        }
        room = {path: int(spare[section][period - 1]) for path, section in LIMIT_OF.items()}
        declared = _declarations(mw, price, room)
        if declared is None:
            continue
        for node, steps in declared[0].items():
            offers += [(node, period, k, *step) for k, step in enumerate(steps, start=1)]
        bids += [(BUYER, period, k, *step) for k, step in enumerate(declared[1], start=1)]
    columns = ["node", "period", "segment", "mw", "price_cny_per_mwh"]
    return Session(
        *(day, stage, number, pd.DataFrame(offers, columns=columns), pd.DataFrame(bids, columns=columns)),
        pd.DataFrame(
            [
                (section, period, int(curve[period - 1]))
                for section, curve in spare.items()
                for period in wanted
            ],
            columns=["section_id", "period", "mw"],
        ),
    )


def _declarations(
    wanted: Fraction, price: dict[str, Fraction], room: dict[str, int]
) -> tuple[dict[str, Steps], Steps] | None:
    """Offers by node and the bid of one period; None where too little is sought or no path is open.

    wanted: MW at the buyer. price: 元/MWh by seller node. room: whole MW by path, at the seller.
    """
    landed = {path: cost.landed(price[PATHS[path][0]]) for path, cost in costs().items()}
    sold = _sold(wanted, landed, room)
    if not sold:
        return None
    dearest = max(landed[path] for path in sold)
    bounds = [ceil(wanted) * k // len(BID_FACTORS) for k in range(len(BID_FACTORS) + 1)]
    bid = [
        (high - low, ceil(factor * dearest))
        for low, high, factor in zip(bounds[:-1], bounds[1:], BID_FACTORS, strict=True)
    ]
    meets = _met_last(sold, bid)
    return {node: _offer(node, value, sold, room, meets, bid[0][1]) for node, value in price.items()}, bid


def _sold(wanted: Fraction, landed: dict[str, Fraction], room: dict[str, int]) -> dict[str, int]:
    """Whole MW a path is to sell, the cheapest landed path first; a little less than ``wanted`` arrives."""
    sold = {}
    for path in sorted(landed, key=lambda path: (landed[path], path)):
        coe = Fraction(costs()[path].coe)
        mw = min(floor(wanted / coe), room[path])
        if wanted >= SMALLEST_NEED_MW and mw > 0:
            sold[path] = mw
            wanted -= mw * coe
    return sold


def _met_last(sold: dict[str, int], bid: Steps) -> dict[str, Fraction]:
    """By node: the price at the node of the bid step in which its last MW arrives."""
    ends, met, meets = list(accumulate(mw for mw, _ in bid)), Fraction(0), {}
    for path, mw in sold.items():
        cost = costs()[path]
        met += mw * Fraction(cost.coe)
        place = next(k for k, end in enumerate(ends) if end >= met)
        meets[PATHS[path][0]] = cost.converted(bid[place][1])
    return meets


def _offer(
    node: str,
    value: Fraction,
    sold: dict[str, int],
    room: dict[str, int],
    meets: dict[str, Fraction],
    best_bid: int,
) -> Steps:
    """Two steps that sell and one that does not; three above every bid where the node is not needed.

    The second step is as far below ``value`` as the bid it meets last is above, so that the node's price, half
    way between, stays at ``value``.
    """
    own = [path for path in PATHS if PATHS[path][0] == node]
    beyond = BEYOND_MARKUP * max(costs()[path].converted(best_bid) for path in own)
    if node not in meets:
        carried, lowest = sum(room[path] for path in own), max(value, beyond)
        steps = [
            (carried * share // 100, ceil(lowest * factor / 100))
            for share, factor in zip(IDLE_SHARES, IDLE_FACTORS, strict=True)
        ]
    else:
        mw = sum(sold.get(path, 0) for path in own)
        if all(sold.get(path) == room[path] for path in own):
            mw += ceil(mw * BEHIND_LIMIT)
        cheap, last = floor(mw * CHEAP_SHARE), half_up(2 * value - meets[node])
        steps = [
            (cheap, floor(last * CHEAP_DISCOUNT)),
            (mw - cheap, last),
            (max(SMALLEST_STEP_MW, floor(mw * BEYOND_SHARE)), ceil(beyond)),
        ]
    return [step for step in steps if step[0] > 0]


def _cleared(session: Session) -> list[Trade]:
    """The session's trades, one a period and path, in the order of period and path."""
    cleared = clear(session.offers, session.bids, path_rows(), session.capability, PROFILE)
    seller_node = {path: node for path, (node, _) in PATHS.items()}
    seller = cleared.seller_prices.set_index(["period", "node"])["price_cny_per_mwh"]
    landed = cleared.landed_prices.set_index(["period", "path_id"])["price_cny_per_mwh"]
    cost = costs()
    found = []
    for (period, path), mw in cleared.trades.groupby(["period", "path_id"])["sell_mw"].sum().items():
        sell_micro = half_up(Fraction(mw) * 1_000_000)
        found.append(
            Trade(
                *(session.day, session.stage, session.round, int(period), path, sell_micro),
                half_up(sell_micro * Fraction(cost[path].coe)),
                half_up(Fraction(seller[period, seller_node[path]]) * 1000),
                half_up(Fraction(landed[period, path]) * 1000),
            )
        )
    return found


def _left(spare: dict[str, Ints], sold: list[Trade]) -> dict[str, Ints]:
    """Whole MW of each section that the day-ahead trades leave."""
    left = {section: curve * 1_000_000 for section, curve in spare.items()}
    for trade in sold:
        for section in set(PATHS[trade.path_id][1]) & set(left):
            left[section][trade.period - 1] -= trade.sell_micro
    return {section: curve // 1_000_000 for section, curve in left.items()}


def _declared(sessions: list[Session], side: str) -> Iterator[list[object]]:
    for session in sessions:
        frame = session.offers if side == "offers" else session.bids
        ends = [] if side == "offers" else [1, _submitted(session).isoformat()]
        for node, period, segment, mw, price in frame.itertuples(index=False):
            day = DATES[session.day]
            yield [node, day, session.stage, session.round, period, segment, mw, price, *ends]


def _submitted(session: Session) -> datetime:
    """Five minutes before the gate closes: 11:30 the day before, or T-110 of the round."""
    rules, day = profile(PROFILE).traded, DATES[session.day]
    if session.stage == "day_ahead":
        return _clock(day - timedelta(days=1), time.fromisoformat(str(rules.gate_closure))) - BEFORE_CLOSE
    begins = timedelta(minutes=(session.round - 1) * rules.intraday_round_minutes)
    closes = begins - timedelta(minutes=rules.intraday_close_minutes)
    return _clock(day, time(0)) + closes - BEFORE_CLOSE


def _clock(day: date, at: time) -> datetime:
    return datetime.combine(day, at, ZoneInfo(TIME_ZONE))


def _round(period: int) -> int:
    return (period - 1) * 15 // profile(PROFILE).traded.intraday_round_minutes + 1


def _trade_row(trade: Trade) -> list[object]:
    node, date_of = PATHS[trade.path_id][0], DATES[trade.day]
    code = "ID" if trade.stage == "intraday" else "DA"
    sell, buy = plain(trade.sell_micro, 6), f"{trade.buy_micro / 1e6:.6f}"
    return [
        f"IP-{date_of:%Y%m%d}-{code}-{trade.period:02d}-{trade.path_id}",
        *(date_of, trade.stage, trade.round, trade.period, trade.path_id),
        *(node, BUYER, f"OUT-{node}", GRID_COMPANY, sell, buy),
        *(f"{trade.sell_price / 1000:.3f}", f"{trade.landed_price / 1000:.3f}"),
        *((sell, buy) if trade.executed else (0, 0)),
    ]
