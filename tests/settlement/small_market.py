"""A random small market of three users and two generators, and its settled month, for tests of the books."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from market.profiles import ChargeMatrix, RuleProfile, profile
from settlement.day import settle_day
from settlement.facts import NO_FACTS, MonthFacts
from settlement.interprovincial import Section, Trade, settle_trades
from settlement.market_day import Contracts, MarketDay, Prices
from settlement.month import EventAmount, MonthSettlement, settle_month
from settlement.parties import Parties
from settlement.passthrough import needs_deviation

SD_2022 = profile("SD_2022")
FIRST = date(2022, 7, 1)
USERS, GENERATORS = ("GRID", "R1", "W1"), ("G1", "G2")
KIND = {
    "GRID": "grid_company",
    "R1": "retailer",
    "W1": "wholesale_user",
    "G1": "generator",
    "G2": "generator",
}
SECTION = Section("S", "OWNER", Decimal("50.8"), Decimal("0.07"))
POLICIES = (
    "agency_users",
    "gens_users_1to1",
    "curve_matching_all",
    "market_users_by_positive_deviation",
)


def under(policy: str, base: RuleProfile = SD_2022) -> RuleProfile:
    """The profile with another pass-through policy."""
    rules = base.provincial.model_copy(update={"passthrough_policy": policy})  # type: ignore[union-attr]
    return base.model_copy(update={"provincial": rules, "name": f"{base.name}/{policy}"})


def with_charges(
    base: RuleProfile, accounts: Sequence[dict] = (), charges: Sequence[dict] = ()
) -> RuleProfile:  # type: ignore[type-arg]
    """The profile with accounts and charges added as they would stand in charges.yaml: data only."""
    matrix = base.matrix.model_dump()  # type: ignore[union-attr]
    matrix["accounts"] = [*matrix["accounts"], *accounts]
    matrix["charges"] = [*matrix["charges"], *charges]
    return base.model_copy(update={"matrix": ChargeMatrix.model_validate(matrix)})


def parties(**changes: object) -> Parties:
    values = {
        "users": USERS,
        "generators": GENERATORS,
        "grid_company": "GRID",
        "kind": KIND,
        "city": {"W1": "jinan"},
        "measured_ppm": {"W1": 1_000_000},
        "agency_energy": {"A1": 3, "A2": 5},
        "capacity_mw_micro": {"G1": 2, "G2": 1},
        "without_contract": frozenset({"R1"}),
    }
    return Parties(**{**values, **changes})  # type: ignore[arg-type]


def market(seed: int, day: date, trades: Sequence[Trade]) -> MarketDay:
    draw = np.random.default_rng(seed)
    imports = settle_trades(trades, {("P", day): [SECTION]}, Decimal("0.001")).imports
    nothing = np.zeros(96, np.int64)
    return MarketDay(
        day=day,
        use=draw.integers(0, 10**9, (3, 96)),
        position=draw.integers(0, 10**9, (3, 96)),
        residents=draw.integers(0, 10**8, 96),
        generation=draw.integers(0, 2 * 10**9, (2, 96)),
        schedule=draw.integers(0, 2 * 10**9, (2, 96)),
        import_day_ahead=imports.get(("day_ahead", day), nothing),
        import_intraday=imports.get(("intraday", day), nothing),
        contracts=Contracts(
            draw.integers(0, 10**9, (3, 96)),
            np.array([400_123, 391_000, 410_007]),
            np.array([2, 0, 2]),
            np.array([3, 4, 4]),
        ),
        prices=Prices(
            user_day_ahead=draw.integers(-100_000, 1_500_000, 96),
            user_real_time=draw.integers(-100_000, 1_500_000, 96),
            reference=draw.integers(-100_000, 1_500_000, 96),
            node_day_ahead=draw.integers(-100_000, 1_500_000, (2, 96)),
            node_real_time=draw.integers(-100_000, 1_500_000, (2, 96)),
            capacity=99_100,
        ),
    )


def trade(day: date, stage: str, period: int, mw: int, price: int, buyer: str = "GRID") -> Trade:
    sold, landed = Decimal(mw), (Fraction(price) + Fraction("50.8") * Fraction("0.93")) / Fraction("0.93")
    return Trade(
        trade_id=f"{stage}-{day}-{period}-{buyer}",
        day=day,
        stage=stage,
        round_number=1,
        period=period,
        path_id="P",
        seller_node="OUTSIDE",
        buyer_node="SD",
        seller_id="OUT",
        buyer_id=buyer,
        sell_mw=sold,
        buy_mw=sold * Decimal("0.93"),
        sell_price=Decimal(price),
        landed_price=Decimal(round(landed * 1000)).scaleb(-3),
        executed_sell_mw=sold,
        executed_buy_mw=sold * Decimal("0.93"),
    )


def settle(
    seed: int,
    days: int = 3,
    change: Callable[[list[MarketDay]], None] | None = None,
    who: Parties | None = None,
    rules: RuleProfile = SD_2022,
    more: Sequence[Trade] = (),
    without_costs: frozenset[date] = frozenset(),
    facts: MonthFacts = NO_FACTS,
    openings: Mapping[str, int] | None = None,
) -> tuple[MonthSettlement, list[MarketDay]]:
    """The month of ``days`` days; ``more`` trades, ``without_costs``: days on which the path has no section."""
    dates = [FIRST + timedelta(days=n) for n in range(days)]
    draw = np.random.default_rng(seed)
    trades = [
        trade(day, stage, int(draw.integers(1, 97)), int(draw.integers(1, 900)), int(draw.integers(0, 1000)))
        for day in dates
        for stage in ("day_ahead", "intraday")
    ]
    trades += more
    markets = [
        market(seed + n, day, [one for one in trades if one.day == day]) for n, day in enumerate(dates)
    ]
    if change is not None:
        change(markets)
    events = [
        EventAmount("E1", FIRST, "W1", "demand_response_payment", 10, -12_345),
        EventAmount("E1", FIRST, "R1", "demand_response_charge", 10, 12_000),
        EventAmount("E1", FIRST, "GRID", "demand_response_charge", 10, 345),
    ]
    provincial, matrix = rules.settled
    deviation = needs_deviation(provincial.passthrough_policy)
    sections = {("P", day): [SECTION] for day in dates if day not in without_costs}
    result = settle_month(
        who or parties(),
        [settle_day(one, positive_deviation=deviation) for one in markets],
        settle_trades(trades, sections, Decimal("0.001"), owners_of={"P": frozenset({"OWNER"})}),
        events,
        provincial,
        matrix,
        {"rounding": 3, **(openings or {})},
        facts,
    )
    return result, markets
