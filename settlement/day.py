"""One day of wholesale settlement: exact amounts per party, charge and day (market.md B.1-B.4; ruling 6).

Parties are users (wholesale users, retailers, virtual power plants, the grid company's agency book) and generators,
storages among them: what a storage delivers is positive, what it takes negative, in energy and position, so that
generation + import = use + loss holds with its net energy on the generation side. Energy is
int64 Wh, price int64 0.001 元/MWh, amount int64 1e-9 元; positive is a charge, negative a credit. What rests on
a missing value is marked missing and never counted as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.curves import MISSING
from market.money import IntArray, checked_product_sum, peak
from market.periods import PERIODS
from settlement.market_day import MarketDay, Prices, Province

BoolArray = NDArray[np.bool_]
Rows = NDArray[np.intp] | slice


@dataclass(frozen=True)
class Amounts:
    """Of one charge and day, one entry a party: energy Wh, amount 1e-9 元, and whether either is missing."""

    quantity: IntArray
    nano: IntArray
    missing: BoolArray


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


def without_parties(day: DaySettlement) -> DaySettlement:
    """The province's day alone: what users and contracts come to is elsewhere by then, and large."""
    nothing = Amounts(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    return replace(day, users={}, contract=nothing, net_contract=None)


def settle_day(market: MarketDay, *, positive_deviation: bool = False) -> DaySettlement:
    """Energy, contract, capacity, loss and the day-ahead mismatch of one day.

    positive_deviation: also each user's use above its position, which only one pass-through policy needs.
    Raises OverflowBoundError where a participant-day could pass int64 (ruling 9).
    """
    contracts = market.contracts
    parts = DayInParts(market.prices, len(market.use), len(contracts.quantity))
    parts.use(slice(None), market.use, market.mechanism)
    parts.position(slice(None), market.position)
    parts.contracts(slice(None), contracts.quantity, contracts.price)
    settled = parts.close(market, contracts.buyer, contracts.seller)
    return replace(settled, positive_deviation=_positive_deviation(market)) if positive_deviation else settled


class DayInParts:
    """A day whose users and contracts come part by part, in any order: it gives what ``settle_day`` gives.

    Every user's use, every user's position and every contract is given exactly once; rows say which, as an index or a
    slice. Raises OverflowBoundError where a participant-day could pass int64 (ruling 9).
    """

    def __init__(self, prices: Prices, users: int, contracts: int) -> None:
        self._prices = prices
        self._spread = _difference(prices.user_day_ahead, prices.user_real_time)
        self._users = {
            code: _blank(users) for code in ("energy_real_time", "energy_day_ahead", "capacity_compensation")
        }
        self._contracts = _blank(contracts)
        self._use, self._position = _Total(), _Total()

    def use(self, rows: Rows, energy: IntArray, mechanism: IntArray | None = None) -> None:
        """Metered energy of users. energy: (rows, 96) Wh; mechanism: (rows, 96) 机制电量 within it."""
        known = _Known.of(energy)
        self._use.add(known)
        real_time = _product(known, self._prices.user_real_time, "real-time energy")  # SD25 ΣQ_use·P_RT
        _put(self._users["energy_real_time"], rows, real_time)
        base = known if mechanism is None else _Known.of(_difference(energy, mechanism))
        _put(
            self._users["capacity_compensation"], rows, _capacity(base, self._prices.capacity)
        )  # B.4: Σ(Q_use−Q_机制)·P_cap

    def position(self, rows: Rows, energy: IntArray) -> None:
        """Day-ahead positions of users, (rows, 96) Wh."""
        known = _Known.of(energy)
        self._position.add(known)
        day_ahead = _product(known, self._spread, "day-ahead position")  # SD25 ΣQ_DA(P_DA−P_RT)
        _put(self._users["energy_day_ahead"], rows, day_ahead)

    def contracts(self, rows: Rows, quantity: IntArray, price: IntArray) -> None:
        """Curves of contracts, (rows, 96) Wh, and their prices (rows,)."""
        known = _Known.of(quantity)
        at_contract = _at_one_price(known, price, "contract")
        at_reference = _product(known, self._prices.reference, "contract at the reference price")
        of_contract = Amounts(
            known.quantity, at_contract.nano - at_reference.nano, at_reference.missing
        )  # SD25 ΣQ_mlt(P_c−P_ref) = P_c·ΣQ_mlt − ΣQ_mlt·P_ref
        _put(self._contracts, rows, of_contract)

    def close(self, province: Province, buyer: NDArray[np.intp], seller: NDArray[np.intp]) -> DaySettlement:
        """The day, once every row was given. buyer, seller: of contracts, as in ``Contracts``."""
        price = self._prices
        users = len(self._users["energy_real_time"].nano)
        contract, net_contract = self._by_party(buyer, seller, users + len(province.generation))
        return DaySettlement(
            day=province.day,
            users=self._users,
            generators=_generators(province, _difference(price.node_day_ahead, price.node_real_time)),
            contract=contract,
            residents=_residents(province),
            system=_system(province, self._spread, self._use.energy, self._position.energy),
            reference={"day_ahead": price.user_day_ahead, "intraday": price.user_real_time},
            net_contract=net_contract,
            keys=_generator_keys(province),
        )

    def _by_party(
        self, buyer: NDArray[np.intp], seller: NDArray[np.intp], parties: int
    ) -> tuple[Amounts, IntArray]:
        """ΣQ_mlt(P_c−P_ref) of every party, bought and sold alike, and the Wh that it bought less sold."""
        found, net = _blank(parties), np.zeros(parties, np.int64)
        for side, sign in ((buyer, 1), (seller, -1)):
            inside = side >= 0
            np.add.at(found.quantity, side[inside], self._contracts.quantity[inside])
            np.add.at(net, side[inside], sign * self._contracts.quantity[inside])
            np.add.at(found.nano, side[inside], sign * self._contracts.nano[inside])
            np.logical_or.at(found.missing, side[inside], self._contracts.missing[inside])
        return found, net


def _generators(market: Province, node_spread: IntArray) -> dict[str, Amounts]:
    """Market energy at the own node by quarter-hour, non-market energy at its own price (SD25; B.2)."""
    price, sold = market.prices, market.generation
    found = {}
    if market.nonmarket is not None and price.nonmarket is not None:
        sold = _difference(sold, market.nonmarket)
        found["priority_generation"] = _credit(
            _at_one_price(_Known.of(market.nonmarket), np.int64(price.nonmarket), "non-market generation")
        )
    return {
        "energy_real_time": _credit(_product(_Known.of(sold), price.node_real_time, "generation")),
        "energy_day_ahead": _credit(
            _product(_Known.of(market.schedule), node_spread, "generator's position")
        ),
        **found,
    }


def _capacity(base: _Known, price: int | IntArray) -> Amounts:
    if isinstance(price, np.ndarray) and price.ndim:
        return _product(base, price, "capacity")
    return _at_one_price(base, np.int64(price), "capacity")


def _residents(market: Province) -> Amounts:
    """Residents' use at the user price (ruling 31); where there is non-market energy, what the market supplies beyond
    market use at the user price and the rest at the non-market price (保障性购电成本, the authors' reading).
    """
    P_RT, P_nonmkt = market.prices.user_real_time, market.prices.nonmarket
    if market.nonmarket is None or P_nonmkt is None:
        return _product(_Known.of(market.residents[None, :]), P_RT, "residents")
    balance = _market_balance(market)
    if balance is None or (P_RT == MISSING).any():
        return Amounts(_sums(market.residents[None, :]), np.zeros(1, np.int64), np.ones(1, np.bool_))
    Q_t = np.maximum(
        -balance, 0
    )  # SD25: max(Q_total_mkt_gen − Q_total_mkt_use, 0), loss used with the market
    at_market = _product(_Known.of(Q_t[None, :]), P_RT, "guaranteed purchase at the market price")
    rest = int((market.residents - Q_t).sum()) * P_nonmkt
    return Amounts(_sums(market.residents[None, :]), at_market.nano + rest, at_market.missing)


def _market_balance(market: Province) -> IntArray | None:
    """Q_mkt_use − Q_mkt_gen of every quarter-hour: non-market supply less residents' use; None where unknown."""
    nonmarket = None if market.nonmarket is None else _sum_rows(market.nonmarket)
    if nonmarket is None or (market.residents == MISSING).any():
        return None
    return nonmarket - market.residents  # generation + import = use + residents + loss (ruling 6)


def _generator_keys(market: Province) -> dict[str, Deviation]:
    def of(values: IntArray, *more: IntArray) -> Deviation:
        missing = np.logical_or.reduce([_gaps(block) for block in (values, *more)])
        return Deviation(np.where(missing, 0, values.sum(axis=1)), missing)

    nothing, moved = np.zeros_like(market.generation), market.generation
    off = np.abs(market.generation - market.schedule)  # a missing value wraps; its row is marked and emptied
    return {
        "generation": of(market.generation),
        "nonmarket_generation": of(nothing if market.nonmarket is None else market.nonmarket),
        "deviating_generation": of(off, market.generation, market.schedule),
        "discharge": of(np.maximum(moved, 0), moved),
        "throughput": of(np.abs(moved), moved),
    }


def _sums(rows: IntArray) -> IntArray:
    return np.asarray(np.where(rows == MISSING, 0, rows).sum(axis=1), dtype=np.int64)


class _Known(NamedTuple):
    """Rows with 0 where a value is missing: values (rows, 96), quantity and missing (rows,), and the largest value."""

    values: IntArray
    quantity: IntArray
    missing: BoolArray
    largest: int

    @classmethod
    def of(cls, rows: IntArray) -> _Known:
        missing = _gaps(rows)
        values = np.where(rows == MISSING, 0, rows) if missing.any() else rows
        return cls(values, np.asarray(values.sum(axis=-1)), missing, peak(values))


class _Total:
    """(96,) sum over rows that come part by part; None where a value is missing."""

    def __init__(self) -> None:
        self.energy: IntArray | None = np.zeros(PERIODS, np.int64)

    def add(self, rows: _Known) -> None:
        if rows.missing.any():
            self.energy = None
        elif self.energy is not None:
            self.energy += rows.values.sum(axis=0)


def _blank(rows: int) -> Amounts:
    return Amounts(np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.bool_))


def _put(into: Amounts, rows: Rows, amounts: Amounts) -> None:
    into.quantity[rows] = amounts.quantity
    into.nano[rows] = amounts.nano
    into.missing[rows] = amounts.missing


def _product(rows: _Known, price: IntArray, what: str) -> Amounts:
    unpriced = _gaps(price)
    known_price = np.where(price == MISSING, 0, price) if unpriced.any() else price
    nano = checked_product_sum(rows.values, known_price, what, rows.largest)
    return Amounts(rows.quantity, nano, rows.missing | np.broadcast_to(unpriced, rows.missing.shape))


def _at_one_price(rows: _Known, price: IntArray | np.int64, what: str) -> Amounts:
    nano = checked_product_sum(rows.quantity[:, None], np.reshape(price, (-1, 1)), what)
    return Amounts(rows.quantity, nano, rows.missing)


def _credit(amounts: Amounts) -> Amounts:
    return Amounts(amounts.quantity, -amounts.nano, amounts.missing)


def _system(market: Province, spread: IntArray, use: IntArray | None, position: IntArray | None) -> System:
    """use, position: (96,) of all users; None where one is missing."""
    if use is not None:
        use = None if (market.residents == MISSING).any() else use + market.residents
    generation, supply_position = _sum_rows(market.generation), _sum_rows(market.schedule)
    imported = market.import_day_ahead + market.import_intraday
    loss = None if use is None or generation is None else generation + imported - use
    mismatch = (
        None
        if position is None or supply_position is None
        else position - supply_position - market.import_day_ahead
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


def _curve_mismatch(market: Province) -> int | None:
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


def _sum_rows(rows: IntArray) -> IntArray | None:
    return None if _gaps(rows).any() else np.asarray(rows.sum(axis=0), dtype=np.int64)


def _difference(left: IntArray, right: IntArray) -> IntArray:
    return np.where((left == MISSING) | (right == MISSING), MISSING, left - right)


def _gaps(values: IntArray) -> BoolArray:
    if values.size == 0 or values.min() != MISSING:
        return np.zeros(values.shape[:-1], np.bool_)
    return np.asarray((values == MISSING).any(axis=-1))
