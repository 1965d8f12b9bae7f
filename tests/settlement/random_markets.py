"""Random markets of parties of every wholesale kind under any provincial profile, and ways to change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from small_market import SECTION, trade

from market.dated import Dated
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
BY_OUTPUT = Dated[tuple[str, ...]](
    value=("storage",), unit="classes", clause="B.4", valid_from=date(2021, 1, 1), certainty="secondary"
)


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
    """The month with purchases between provinces, one by a wholesale user or a storage itself, and a demand-response event."""
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
    for store in [who for who in one.parties.generators if one.parties.kind[who] == "storage"][:1]:
        trades = tuple(replace(deal, buyer_id=store) if deal is trades[-1] else deal for deal in trades)
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
    """Three to six users (the grid company, retailers, wholesale users), one to three generators, prices of any sign;

    a virtual power plant in every other month, and up to two storages (``with_new_entities``).
    """
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
    days = tuple(_day(draw, rules, day, len(users), len(units)) for day in dates)
    return with_new_entities(World(rules, parties, days, facts), seed)


def with_new_entities(one: World, seed: int) -> World:
    """The month with V1, S1 and S2, or some of them: a storage takes and delivers, and is either side of contracts.

    In some months storages are paid for capacity by what they charged and discharged.
    """
    draw = np.random.default_rng([seed, 7])
    plants = ("V1",)[: int(draw.integers(0, 2))]
    stores = ("S1", "S2")[: int(draw.integers(0, 3))]
    parties, rules = one.parties, one.rules
    if draw.integers(0, 2):
        provincial = rules.provincial.model_copy(update={"capacity_by_output": (BY_OUTPUT,)})
        rules = rules.model_copy(update={"provincial": provincial})
    fees = tuple(
        FeeAmount(pool, FIRST, who, int(draw.integers(-(10**6), 10**6)), f"{pool} {who}")
        for who in stores
        for pool in ("regulation_service", "regulation_opportunity")
    )
    known = dict(zip((*plants, *stores), (*("vpp",) * len(plants), *("storage",) * len(stores)), strict=True))
    return replace(
        one,
        rules=rules,
        parties=replace(
            parties,
            users=(*parties.users, *plants),
            generators=(*parties.generators, *stores),
            kind={**parties.kind, **known},
            capacity_mw_micro={
                **parties.capacity_mw_micro,
                **{who: int(draw.integers(1, 10)) for who in stores},
            },
        ),
        days=tuple(_with_rows(day, len(plants), len(stores), draw) for day in one.days),
        facts=replace(
            one.facts,
            fees=(*one.facts.fees, *fees),
            register_difference={**one.facts.register_difference, **dict.fromkeys(plants, 12_345)},
            tariff_class={**one.facts.tariff_class, **dict.fromkeys(stores, ("storage",) * DAYS)},
        ),
    )


def _with_rows(day: MarketDay, plants: int, stores: int, draw: np.random.Generator) -> MarketDay:
    """The day with rows of users after its users, of storages after its generators, and two contracts a storage."""
    users, units = len(day.use), len(day.generation)
    deals, first_store = day.contracts, users + plants + units
    own = np.repeat(np.arange(first_store, first_store + stores), 2)
    other = draw.integers(0, users + plants, 2 * stores)
    sells = np.arange(2 * stores) % 2 == 0

    def rows(height: int, low: int, high: int) -> IntArray:
        return draw.integers(low, high, (height, 96))

    def more(block: IntArray | None, height: int) -> IntArray | None:
        return None if block is None else np.vstack([block, np.zeros((height, 96), np.int64)])

    return replace(
        day,
        use=np.vstack([day.use, rows(plants, 0, 10**9)]),
        position=np.vstack([day.position, rows(plants, 0, 10**9)]),
        generation=np.vstack([day.generation, rows(stores, -(10**9), 10**9)]),
        schedule=np.vstack([day.schedule, rows(stores, -(10**9), 10**9)]),
        nonmarket=more(day.nonmarket, stores),
        mechanism=more(day.mechanism, plants),
        contracts=Contracts(
            np.vstack([deals.quantity, rows(2 * stores, 0, 10**8)]),
            np.concatenate([deals.price, draw.integers(300_000, 500_000, 2 * stores)]),
            np.concatenate([deals.buyer, np.where(sells, other, own)]),
            np.concatenate([deals.seller + plants, np.where(sells, own, other)]),
        ),
        prices=replace(
            day.prices,
            node_day_ahead=np.vstack([day.prices.node_day_ahead, rows(stores, -100_000, 1_500_000)]),
            node_real_time=np.vstack([day.prices.node_real_time, rows(stores, -100_000, 1_500_000)]),
        ),
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
    """``who`` as two participants: the first takes 2/5 of its energy and 4/5 of its contracts, the other the rest.

    Its fees stay with the first; a storage's available capacity is split into whole units.
    """
    parties = one.parties
    of_users = who in parties.users
    side = parties.users if of_users else parties.generators
    at = side.index(who)
    row = at if of_users else len(parties.users) + at
    new = len(parties.users) if of_users else len(parties.users) + len(parties.generators)
    names = (*side[:at], into[0], *side[at + 1 :], into[1])

    def apart(rows: IntArray | None) -> IntArray | None:
        if rows is None:
            return None
        first = np.sign(rows[at]) * (np.abs(rows[at]) * 2 // 5)
        return np.vstack([rows[:at], first, rows[at + 1 :], rows[at] - first])

    def again(rows: IntArray) -> IntArray:
        return np.vstack([rows, rows[at]])

    days = []
    for day in one.days:
        deals, prices = day.contracts, day.prices
        mine = (deals.buyer == row) | (deals.seller == row)
        first = np.where(mine[:, None], deals.quantity * 4 // 5, deals.quantity)
        buyer, seller = (side + (side >= new) for side in (deals.buyer, deals.seller))
        energy = (
            {"use": apart(day.use), "position": apart(day.position), "mechanism": apart(day.mechanism)}
            if of_users
            else {
                "generation": apart(day.generation),
                "schedule": apart(day.schedule),
                "nonmarket": apart(day.nonmarket),
                "prices": replace(
                    prices,
                    node_day_ahead=again(prices.node_day_ahead),
                    node_real_time=again(prices.node_real_time),
                ),
            }
        )
        days.append(
            replace(
                day,
                contracts=Contracts(
                    np.vstack([first, (deals.quantity - first)[mine]]),
                    np.concatenate([deals.price, deals.price[mine]]),
                    np.concatenate([buyer, np.where(buyer == row, new, buyer)[mine]]),
                    np.concatenate([seller, np.where(seller == row, new, seller)[mine]]),
                ),
                **energy,
            )
        )
    difference = dict(one.facts.register_difference)
    if who in difference:
        whole = difference.pop(who)
        difference |= {into[0]: whole * 3 // 5, into[1]: whole - whole * 3 // 5}  # type: ignore[operator]
    capacity, classes = dict(parties.capacity_mw_micro), dict(one.facts.tariff_class)
    if who in capacity:
        all_of_it = capacity.pop(who)
        capacity |= {into[0]: all_of_it // 2, into[1]: all_of_it - all_of_it // 2}
    if who in classes:
        classes |= dict.fromkeys(into, classes.pop(who))
    kind = {**parties.kind, **dict.fromkeys(into, parties.kind[who])}
    return replace(
        one,
        parties=replace(
            parties,
            users=names if of_users else parties.users,
            generators=parties.generators if of_users else names,
            kind=kind,
            capacity_mw_micro=capacity,
        ),
        days=tuple(days),
        facts=replace(
            one.facts,
            fees=tuple(
                replace(fee, participant_id=into[0]) if fee.participant_id == who else fee
                for fee in one.facts.fees
            ),
            register_difference=difference,
            tariff_class=classes,
        ),
    )
