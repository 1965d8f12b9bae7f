"""One day of wholesale settlement: exact amounts per party, charge and day (market.md B.1-B.4; ruling 6).

Parties are users (wholesale users, retailers, the grid company's agency book) and generators. Energy is
int64 Wh, price int64 0.001 元/MWh, amount int64 1e-9 元; positive is a charge, negative a credit. What rests on
a missing value is marked missing and never counted as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from market.curves import MISSING
from market.money import IntArray, checked_product_sum

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Amounts:
    """Of one charge and day, one entry a party: energy Wh, amount 1e-9 元, and whether either is missing."""

    quantity: IntArray
    nano: IntArray
    missing: BoolArray


@dataclass(frozen=True)
class Contracts:
    """The day's contract curves: quantity (contracts, 96), price and the party index of each side (-1: outside)."""

    quantity: IntArray
    price: IntArray
    buyer: NDArray[np.intp]
    seller: NDArray[np.intp]


@dataclass(frozen=True)
class Prices:
    """Prices of the day: user and reference (96,), generators' own nodes (generators, 96).

    capacity: one price or (96,) with its time factors. nonmarket: one price of non-market energy, None where the
    profile settles all generation at the market price.
    """

    user_day_ahead: IntArray
    user_real_time: IntArray
    reference: IntArray
    node_day_ahead: IntArray
    node_real_time: IntArray
    capacity: int | IntArray
    nonmarket: int | None = None


@dataclass(frozen=True)
class MarketDay:
    """Determinants of one day. use, position: (users, 96); generation, schedule: (generators, 96); others (96,).

    nonmarket: (generators, 96) 优发 energy within generation, None: none. mechanism: (users, 96) 机制电量 within use,
    on which no capacity is charged, None: none.
    """

    day: date
    use: IntArray
    position: IntArray
    residents: IntArray
    generation: IntArray
    schedule: IntArray
    import_day_ahead: IntArray
    import_intraday: IntArray
    contracts: Contracts
    prices: Prices
    nonmarket: IntArray | None = None
    mechanism: IntArray | None = None


@dataclass(frozen=True)
class System:
    """The province's day as whole numbers: energy closes as generation + import = use + loss; None is missing."""

    generation: int | None
    imported: int
    use: int | None
    loss: int | None
    loss_nano: int | None
    mismatch_nano: int | None
    reference_day_ahead_nano: int | None
    reference_intraday_nano: int | None
    curve_mismatch_nano: int | None = 0


@dataclass(frozen=True)
class Deviation:
    """Of one day, one entry a party: Wh by which a pool may be shared, and where it is missing."""

    quantity: IntArray
    missing: BoolArray


@dataclass(frozen=True)
class DaySettlement:
    """users, generators: charge code -> amounts; contract: over users then generators; residents: one entry.

    net_contract: of users then generators, Wh bought less sold. keys: generators' Wh by which fees are shared
    (market.sharing). reference: (96,) price of the province by stage of an inter-provincial trade (ruling 5). positive_deviation
    is None unless it was asked for.
    """

    day: date
    users: Mapping[str, Amounts]
    generators: Mapping[str, Amounts]
    contract: Amounts
    residents: Amounts
    system: System
    reference: Mapping[str, IntArray]
    positive_deviation: Deviation | None = None
    net_contract: IntArray | None = None
    keys: Mapping[str, Deviation] = field(default_factory=dict)


def settle_day(market: MarketDay, *, positive_deviation: bool = False) -> DaySettlement:
    """Energy, contract, capacity, loss and the day-ahead mismatch of one day.

    positive_deviation: also each user's use above its position, which only one pass-through policy needs.
    Raises OverflowBoundError where a participant-day could pass int64 (ruling 9).
    """
    price = market.prices
    spread = _difference(price.user_day_ahead, price.user_real_time)
    node_spread = _difference(price.node_day_ahead, price.node_real_time)
    contract, net_contract = _contracts(market)
    return DaySettlement(
        day=market.day,
        users={
            "energy_real_time": _product(
                market.use, price.user_real_time, "real-time energy"
            ),  # SD25 ΣQ_use·P_RT
            "energy_day_ahead": _product(
                market.position, spread, "day-ahead position"
            ),  # SD25 ΣQ_DA(P_DA−P_RT)
            "capacity_compensation": _capacity(market),  # B.4: Σ(Q_use−Q_机制)·P_cap
        },
        generators=_generators(market, node_spread),
        contract=contract,
        residents=_residents(market),
        system=_system(market, spread),
        reference={"day_ahead": price.user_day_ahead, "intraday": price.user_real_time},
        positive_deviation=_positive_deviation(market) if positive_deviation else None,
        net_contract=net_contract,
        keys=_generator_keys(market),
    )


def _generators(market: MarketDay, node_spread: IntArray) -> dict[str, Amounts]:
    """Market energy at the own node by quarter-hour, non-market energy at its own price (SD25; B.2)."""
    price, sold = market.prices, market.generation
    found = {}
    if market.nonmarket is not None and price.nonmarket is not None:
        sold = _difference(sold, market.nonmarket)
        found["priority_generation"] = _credit(
            _at_one_price(market.nonmarket, np.int64(price.nonmarket), "non-market generation")
        )
    return {
        "energy_real_time": _credit(_product(sold, price.node_real_time, "generation")),
        "energy_day_ahead": _credit(_product(market.schedule, node_spread, "generator's position")),
        **found,
    }


def _capacity(market: MarketDay) -> Amounts:
    base = market.use if market.mechanism is None else _difference(market.use, market.mechanism)
    price = market.prices.capacity
    if isinstance(price, np.ndarray) and price.ndim:
        return _product(base, price, "capacity")
    return _at_one_price(base, np.int64(price), "capacity")


def _residents(market: MarketDay) -> Amounts:
    """Residents' use at the user price (ruling 31); where there is non-market energy, what the market supplies beyond
    market use at the user price and the rest at the non-market price (保障性购电成本, the authors' reading).
    """
    P_RT, P_nonmkt = market.prices.user_real_time, market.prices.nonmarket
    if market.nonmarket is None or P_nonmkt is None:
        return _product(market.residents[None, :], P_RT, "residents")
    balance = _market_balance(market)
    if balance is None or (P_RT == MISSING).any():
        return Amounts(_sums(market.residents[None, :]), np.zeros(1, np.int64), np.ones(1, np.bool_))
    Q_t = np.maximum(
        -balance, 0
    )  # SD25: max(Q_total_mkt_gen − Q_total_mkt_use, 0), loss used with the market
    at_market = _product(Q_t[None, :], P_RT, "guaranteed purchase at the market price")
    rest = int((market.residents - Q_t).sum()) * P_nonmkt
    return Amounts(_sums(market.residents[None, :]), at_market.nano + rest, at_market.missing)


def _market_balance(market: MarketDay) -> IntArray | None:
    """Q_mkt_use − Q_mkt_gen of every quarter-hour: non-market supply less residents' use; None where unknown."""
    nonmarket = None if market.nonmarket is None else _sum_rows(market.nonmarket)
    if nonmarket is None or (market.residents == MISSING).any():
        return None
    return nonmarket - market.residents  # generation + import = use + residents + loss (ruling 6)


def _generator_keys(market: MarketDay) -> dict[str, Deviation]:
    def of(values: IntArray, *more: IntArray) -> Deviation:
        missing = np.logical_or.reduce([_gaps(block) for block in (values, *more)])
        return Deviation(np.where(missing, 0, values.sum(axis=1)), missing)

    nothing = np.zeros_like(market.generation)
    off = np.abs(market.generation - market.schedule)  # a missing value wraps; its row is marked and emptied
    return {
        "generation": of(market.generation),
        "nonmarket_generation": of(nothing if market.nonmarket is None else market.nonmarket),
        "deviating_generation": of(off, market.generation, market.schedule),
    }


def _sums(rows: IntArray) -> IntArray:
    return np.asarray(np.where(rows == MISSING, 0, rows).sum(axis=1), dtype=np.int64)


def _product(quantity: IntArray, price: IntArray, what: str) -> Amounts:
    missing = _gaps(quantity) | np.broadcast_to(_gaps(price), quantity.shape[:1])
    if not missing.any():
        return Amounts(quantity.sum(axis=-1), checked_product_sum(quantity, price, what), missing)
    known = np.where(quantity == MISSING, 0, quantity)
    known_price = np.where(price == MISSING, 0, price)
    return Amounts(known.sum(axis=-1), checked_product_sum(known, known_price, what), missing)


def _at_one_price(quantity: IntArray, price: IntArray | np.int64, what: str) -> Amounts:
    missing = _gaps(quantity)
    known = np.where(quantity == MISSING, 0, quantity) if missing.any() else quantity
    total = known.sum(axis=-1)
    return Amounts(total, checked_product_sum(total[:, None], np.reshape(price, (-1, 1)), what), missing)


def _credit(amounts: Amounts) -> Amounts:
    return Amounts(amounts.quantity, -amounts.nano, amounts.missing)


def _contracts(market: MarketDay) -> tuple[Amounts, IntArray]:
    """ΣQ_mlt(P_c−P_ref) of every party, bought and sold alike, and the Wh that it bought less sold."""
    contracts, reference = market.contracts, market.prices.reference
    at_contract = _at_one_price(contracts.quantity, contracts.price, "contract")
    at_reference = _product(contracts.quantity, reference, "contract at the reference price")
    of_contract = Amounts(
        at_contract.quantity, at_contract.nano - at_reference.nano, at_reference.missing
    )  # SD25 ΣQ_mlt(P_c−P_ref) = P_c·ΣQ_mlt − ΣQ_mlt·P_ref
    parties = len(market.use) + len(market.generation)
    quantity, nano, net = (np.zeros(parties, np.int64) for _ in range(3))
    missing = np.zeros(parties, np.bool_)
    for side, sign in ((contracts.buyer, 1), (contracts.seller, -1)):
        inside = side >= 0
        np.add.at(quantity, side[inside], of_contract.quantity[inside])
        np.add.at(net, side[inside], sign * of_contract.quantity[inside])
        np.add.at(nano, side[inside], sign * of_contract.nano[inside])
        np.logical_or.at(missing, side[inside], of_contract.missing[inside])
    return Amounts(quantity, nano, missing), net


def _system(market: MarketDay, spread: IntArray) -> System:
    use = _sum_rows(market.use, market.residents[None, :])
    generation = _sum_rows(market.generation)
    imported = market.import_day_ahead + market.import_intraday
    loss = None if use is None or generation is None else generation + imported - use
    demand_position, supply_position = _sum_rows(market.position), _sum_rows(market.schedule)
    mismatch = (
        None
        if demand_position is None or supply_position is None
        else demand_position - supply_position - market.import_day_ahead
    )
    P_DA, P_RT = market.prices.user_day_ahead, market.prices.user_real_time
    return System(
        generation=None if generation is None else int(generation.sum()),
        imported=int(imported.sum()),
        use=None if use is None else int(use.sum()),
        loss=None if loss is None else int(loss.sum()),
        loss_nano=None if loss is None else _dot(loss, P_RT),  # ruling 6: L·P_RT
        mismatch_nano=None if mismatch is None else _dot(mismatch, spread),  # ruling 6
        reference_day_ahead_nano=_dot(market.import_day_ahead, P_DA),  # ruling 5: Q_buy·P_ref
        reference_intraday_nano=_dot(market.import_intraday, P_RT),
        curve_mismatch_nano=_curve_mismatch(market),
    )


def _curve_mismatch(market: MarketDay) -> int | None:
    """Σ max(Q_mkt_use − Q_mkt_gen, 0)·(P_RTu − P_nonmkt): what market users paid for non-market energy above its price."""
    P_nonmkt = market.prices.nonmarket
    if market.nonmarket is None or P_nonmkt is None:
        return 0
    balance = _market_balance(market)
    if balance is None:
        return None
    P_RT = market.prices.user_real_time
    return _dot(np.maximum(balance, 0), np.where(P_RT == MISSING, MISSING, P_RT - P_nonmkt))


def _positive_deviation(market: MarketDay) -> Deviation:
    missing = _gaps(market.use) | _gaps(market.position)
    above = market.use - market.position  # a missing value wraps; its row is marked and emptied below
    np.maximum(above, 0, out=above)
    return Deviation(np.where(missing, 0, above.sum(axis=1)), missing)


def _dot(quantity: IntArray, price: IntArray) -> int | None:
    priced = quantity != 0
    if (price[priced] == MISSING).any():
        return None
    pairs: zip[tuple[int, int]] = zip(quantity[priced].tolist(), price[priced].tolist(), strict=True)
    return sum(q * p for q, p in pairs)


def _sum_rows(*blocks: IntArray) -> IntArray | None:
    if any(_gaps(block).any() for block in blocks):
        return None
    return np.asarray(sum(block.sum(axis=0) for block in blocks), dtype=np.int64)


def _difference(left: IntArray, right: IntArray) -> IntArray:
    return np.where((left == MISSING) | (right == MISSING), MISSING, left - right)


def _gaps(values: IntArray) -> BoolArray:
    if values.size == 0 or values.min() != MISSING:
        return np.zeros(values.shape[:-1], np.bool_)
    return np.asarray((values == MISSING).any(axis=-1))
