"""Random markets of users and generators of every wholesale kind under any provincial profile, and ways to change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from small_market import SECTION, trade

from market.money import IntArray, apportion
from market.profiles import RuleProfile, on, profile
from settlement.capacity import capacity_curve
from settlement.day import settle_day
from settlement.facts import FeeAmount, MonthFacts
from settlement.interprovincial import Trade, TradeSettlement, settle_trades
from settlement.market_day import Contracts, MarketDay, Prices
from settlement.month import EventAmount, MonthSettlement, settle_month
from settlement.parties import Parties

FIRST = date(2022, 7, 1)
DAYS = 3
PROFILES = {name: profile(name).reaching_back_to(FIRST) for name in ("SD_2022", "SD_2025")}
CLASSES = ("coal", "coal", "wind")


@dataclass(frozen=True)
class World:
    """A month: parties, its days and its facts; openings in fen."""

    rules: RuleProfile
    parties: Parties
    days: tuple[MarketDay, ...]
    facts: MonthFacts
    trades: tuple[Trade, ...] = ()
    events: tuple[EventAmount, ...] = ()

    def settle(self, openings: Mapping[str, int] | None = None) -> MonthSettlement:
        """The month settled."""
        provincial, matrix = self.rules.settled
        return settle_month(
            self.parties,
            [settle_day(day) for day in self.days],
            traded(self.trades, self.rules),
            list(self.events),
            provincial,
            matrix,
            openings or {},
            self.facts,
        )


def traded(trades: Sequence[Trade], rules: RuleProfile) -> TradeSettlement:
    """Trades over one section."""
    sections = {("P", FIRST + timedelta(days=n)): [SECTION] for n in range(DAYS)}
    return settle_trades(trades, sections, rules.settled[0].landed_price_tolerance_cny_per_mwh)


def with_trades_and_events(one: World, seed: int) -> World:
    """The month with purchases between provinces, one by a wholesale user itself, and a demand-response event."""
    draw = np.random.default_rng(seed)
    trades = tuple(
        trade(
            FIRST + timedelta(days=int(draw.integers(0, DAYS))),
            str(draw.choice(["day_ahead", "intraday"])),
            period,
            int(draw.integers(1, 400)),
            int(draw.integers(0, 900)),
            str(draw.choice(["GRID", "GRID", "W1"])),
        )
        for period in draw.permutation(np.arange(1, 97))[: int(draw.integers(0, 5))].tolist()
    )
    imports = traded(trades, one.rules).imports
    nothing = np.zeros(96, np.int64)
    days = tuple(
        replace(
            day,
            import_day_ahead=imports.get(("day_ahead", day.day), nothing),
            import_intraday=imports.get(("intraday", day.day), nothing),
        )
        for day in one.days
    )
    paid = int(draw.integers(0, 10**7))
    shares = dict(
        zip(one.parties.users, apportion(paid, [1] * len(one.parties.users), one.parties.users), strict=True)
    )
    events = [EventAmount("E1", FIRST, "W1", "demand_response_payment", 10**6, -paid)]
    events += [
        EventAmount("E1", FIRST, who, "demand_response_charge", 10**6, fen) for who, fen in shares.items()
    ]
    return replace(one, days=days, trades=trades, events=tuple(events))


def world(seed: int, name: str) -> World:
    """Three to six users (the grid company, retailers, wholesale users) and one to three generators; prices of any sign."""
    draw = np.random.default_rng(seed)
    rules = PROFILES[name]
    users = ("GRID", "R1", "W1", "R2", "W2", "W3")[: int(draw.integers(3, 7))]
    units = ("G1", "G2", "G3")[: int(draw.integers(1, 4))]
    dates = [FIRST + timedelta(days=n) for n in range(DAYS)]
    kinds = {who: {"G": "grid_company", "R": "retailer", "W": "wholesale_user"}[who[0]] for who in users}
    parties = Parties(
        users=users,
        generators=units,
        grid_company="GRID",
        kind={**kinds, **dict.fromkeys(units, "generator")},
        city={},
        measured_ppm={},
        agency_energy={"A1": 3, "A2": 5},
        capacity_mw_micro={unit: int(draw.integers(1, 10)) for unit in units},
        without_contract=frozenset(),
    )
    facts = _facts(draw, rules, units, dates, users)
    return World(
        rules, parties, tuple(_day(draw, rules, day, len(users), len(units)) for day in dates), facts
    )


def _day(draw: np.random.Generator, rules: RuleProfile, day: date, users: int, units: int) -> MarketDay:
    provincial = rules.settled[0]
    outside = on(provincial.nonmarket_price_cny_per_mwh, day, "nonmarket")
    use = draw.integers(0, 10**9, (users, 96))
    generation = draw.integers(0, 3 * 10**9, (units, 96))

    def price(*shape: int) -> IntArray:
        return draw.integers(-100_000, 1_500_000, shape)

    deals = int(draw.integers(1, 8))
    return MarketDay(
        day=day,
        use=use,
        position=draw.integers(0, 10**9, (users, 96)),
        residents=draw.integers(0, 10**9, 96),
        generation=generation,
        schedule=draw.integers(0, 3 * 10**9, (units, 96)),
        import_day_ahead=np.zeros(96, np.int64),
        import_intraday=np.zeros(96, np.int64),
        contracts=Contracts(
            draw.integers(0, 10**9, (deals, 96)),
            draw.integers(300_000, 500_000, deals),
            draw.integers(0, users, deals),
            users + draw.integers(0, units, deals),
        ),
        prices=Prices(
            user_day_ahead=price(96),
            user_real_time=price(96),
            reference=price(96),
            node_day_ahead=price(units, 96),
            node_real_time=price(units, 96),
            capacity=capacity_curve(provincial, day),
            nonmarket=None if outside is None else int(outside * 1000),
        ),
        nonmarket=None if outside is None else generation * draw.integers(0, 2, (units, 1)) // 2,
        mechanism=None if outside is None else use * draw.integers(0, 2, (users, 1)) // 8,
    )


def _facts(
    draw: np.random.Generator,
    rules: RuleProfile,
    units: Sequence[str],
    dates: Sequence[date],
    users: Sequence[str],
) -> MonthFacts:
    pools = sorted(
        {pool for one in rules.settled[1].charges if one.fee is not None for pool in one.fee.pools}
    )
    fees = [
        FeeAmount(pool, dates[int(draw.integers(0, DAYS))], str(draw.choice(units)), int(fen), f"{pool} {n}")
        for pool in pools
        for n, fen in enumerate(draw.integers(-(10**7), 10**7, int(draw.integers(0, 4))))
    ]
    rolling = [one.code for one in rules.settled[1].charges if one.fee is not None and one.fee.rolling]
    standards = {
        code: tuple(draw.integers(0, 2_000, DAYS).tolist()) for code in rolling if draw.integers(0, 2)
    }
    standards["residents_sale"] = tuple(draw.integers(300_000, 500_000, DAYS).tolist())
    return MonthFacts(
        fees=tuple(fees),
        standards=standards,
        register_difference={
            who: int(draw.integers(-(10**7), 10**7)) for who in users if draw.integers(0, 2)
        },
        tariff_class={unit: (of,) * DAYS for unit, of in zip(units, CLASSES, strict=False)},
    )


def reordered(one: World, seed: int) -> World:
    """The same month with users, generators, contracts and fee rows in another order."""
    draw = np.random.default_rng(seed)
    users, units = (draw.permutation(len(names)) for names in (one.parties.users, one.parties.generators))
    place = np.concatenate([np.argsort(users), len(users) + np.argsort(units)])
    days = []
    for day in one.days:
        deals = draw.permutation(len(day.contracts.price))
        taken = day.contracts
        days.append(
            replace(
                day,
                use=day.use[users],
                position=day.position[users],
                generation=day.generation[units],
                schedule=day.schedule[units],
                nonmarket=None if day.nonmarket is None else day.nonmarket[units],
                mechanism=None if day.mechanism is None else day.mechanism[users],
                contracts=Contracts(
                    taken.quantity[deals],
                    taken.price[deals],
                    place[taken.buyer[deals]],
                    place[taken.seller[deals]],
                ),
                prices=replace(
                    day.prices,
                    node_day_ahead=day.prices.node_day_ahead[units],
                    node_real_time=day.prices.node_real_time[units],
                ),
            )
        )
    return replace(
        one,
        parties=replace(
            one.parties,
            users=tuple(one.parties.users[i] for i in users),
            generators=tuple(one.parties.generators[i] for i in units),
        ),
        days=tuple(days),
        facts=replace(
            one.facts, fees=tuple(one.facts.fees[i] for i in draw.permutation(len(one.facts.fees)))
        ),
    )


def split(one: World, who: str, into: tuple[str, str]) -> World:
    """``who`` as two participants: the first takes 2/5 of its energy and 4/5 of its contracts, the other the rest."""
    at = one.parties.users.index(who)
    users = (*one.parties.users[:at], into[0], *one.parties.users[at + 1 :], into[1])
    days = []
    for day in one.days:

        def apart(rows: IntArray) -> IntArray:
            first = rows[at] * 2 // 5
            return np.vstack([rows[:at], first, rows[at + 1 :], rows[at] - first])

        deals = day.contracts
        mine = deals.buyer == at
        first = np.where(mine[:, None], deals.quantity * 4 // 5, deals.quantity)
        last = len(one.parties.users)  # the new user's place; generators move up by one
        seller = deals.seller + 1
        days.append(
            replace(
                day,
                use=apart(day.use),
                position=apart(day.position),
                mechanism=None if day.mechanism is None else apart(day.mechanism),
                contracts=Contracts(
                    np.vstack([first, (deals.quantity - first)[mine]]),
                    np.concatenate([deals.price, deals.price[mine]]),
                    np.concatenate([deals.buyer, np.full(int(mine.sum()), last)]),
                    np.concatenate([seller, seller[mine]]),
                ),
            )
        )
    difference = dict(one.facts.register_difference)
    if who in difference:
        whole = difference.pop(who)
        difference |= {into[0]: whole * 3 // 5, into[1]: whole - whole * 3 // 5}  # type: ignore[operator]
    kind = {**one.parties.kind, **dict.fromkeys(into, one.parties.kind[who])}
    return replace(
        one,
        parties=replace(one.parties, users=users, kind=kind),
        days=tuple(days),
        facts=replace(one.facts, register_difference=difference),
    )
