"""What SD_2025 does otherwise, by hand: non-market energy, capacity by time, deviation recovery, other payers.

SD25 and market.md B.2-B.4, A.11 (3); ruling 7 for the garbled formulas. Units and signs as in `recalculate.py`.
"""

from __future__ import annotations

from fractions import Fraction

from month_books import Books, Curve, half_up
from more_charges import (
    added_keys,
    at_standard,
    common_fees,
    delivered_keys,
    deviation_keys,
    generation_keys,
    nonmarket,
    nonmarket_keys,
    of_days,
    of_month,
    pool_by_day,
    residents_lines,
    use_keys,
)
from recalculate import (
    Line,
    Lines,
    back_to_users,
    contracts,
    generators_capacity,
    generators_day_ahead,
    import_reference,
    interprovincial_sale,
    interprovincial_transmission,
    loss,
    mismatch,
    month_adjustment,
    product,
    share,
    spread,
    storages_day_ahead,
    storages_real_time,
    to_fen,
    total_fen,
    user_price,
    users_day_ahead,
    users_real_time,
)

CAPACITY = 70_500  # 70.5 yuan/MWh, SD-TOU26
JULY_FACTORS = (  # hours of July and August, B.8: valley 01-06, peak 16-23, sharp 17-22
    *((hour, Fraction("0.3")) for hour in range(1, 6)),
    (16, Fraction("1.7")),
    *((hour, Fraction(2)) for hour in range(17, 22)),
    (22, Fraction("1.7")),
)
OUTSIDE_PRICE = 394_900  # 394.9 yuan/MWh, the coal benchmark
BAND_USERS = (Fraction("0.8"), Fraction("1.1"))
BAND_UNITS = (Fraction("0.8"), Fraction("1.1"))


def capacity_price() -> Curve:
    day = [CAPACITY] * 96
    for hour, factor in JULY_FACTORS:
        day[4 * hour : 4 * hour + 4] = [half_up(CAPACITY * factor)] * 4
    return day


def users_capacity_2025(books: Books) -> Lines:
    """Energy less its 机制电量, at the capacity price of the quarter-hour (B.4)."""
    price = capacity_price() * (books.length // 96)
    lines = {}
    for user, use in books.use.items():
        shares = books.share.get((user, "mechanism"), [Fraction(0)] * (books.length // 96))
        charged = [wh - half_up(wh * shares[quarter // 96]) for quarter, wh in enumerate(use)]
        lines[user] = Line(to_fen(product(charged, price)), sum(charged))
    return lines


def generators_real_time_2025(books: Books) -> Lines:
    """Market energy at the own node; what is outside the market has a price of its own."""
    lines = {}
    for unit, energy in books.generation.items():
        sold = spread(energy, nonmarket(books, unit))
        lines[unit] = Line(-to_fen(product(sold, books.price[books.node[unit], "real_time"])), sum(sold))
    return lines


def priority_generation(books: Books) -> Lines:
    energy = {unit: sum(nonmarket(books, unit)) for unit in books.generation}
    return {unit: Line(-to_fen(wh * OUTSIDE_PRICE), wh) for unit, wh in energy.items() if wh}


def outside_supply(books: Books) -> Curve:
    total = [0] * books.length
    for unit in books.generation:
        total = [a + b for a, b in zip(total, nonmarket(books, unit), strict=True)]
    return total


def guaranteed_by_day(books: Books) -> list[int]:
    """Nano of every day: Q_t x P_RT,user + (residents - Q_t) x P_nonmkt, Q_t = max(residents - non-market, 0).

    Market use with loss less market supply is non-market supply less residents' use, since energy balances (ruling 6).
    """
    price = user_price(books, "real_time")
    cost = [0] * (books.length // 96)
    for quarter, (used, outside) in enumerate(zip(books.residents_use, outside_supply(books), strict=True)):
        from_market = max(used - outside, 0)
        cost[quarter // 96] += from_market * price[quarter] + (used - from_market) * OUTSIDE_PRICE
    return cost


def curve_mismatch(books: Books) -> int:
    """Fen of sum of max(market use - market supply, 0) x (P_RT,user - P_nonmkt)."""
    price = user_price(books, "real_time")
    surplus = [max(n - r, 0) for n, r in zip(outside_supply(books), books.residents_use, strict=True)]
    return to_fen(sum(q * (p - OUTSIDE_PRICE) for q, p in zip(surplus, price, strict=True)))


def recovered(actual: int, contract: int, cost: int, band: tuple[Fraction, Fraction]) -> tuple[Fraction, int]:
    """Wh outside the band and the price that is taken back; cost: nano that the contracts cost the party."""
    low, high = band
    if contract > 0 and contract > actual * high:
        return contract - actual * high, max(0, half_up(Fraction(-cost, contract)))
    if contract > 0 and contract < actual * low:
        return actual * low - contract, max(0, half_up(Fraction(cost, contract)))
    return Fraction(0), 0


def deviation_recovery(books: Books) -> tuple[Lines, Lines]:
    reference = user_price(books, "day_ahead")
    net: dict[str, int] = {}
    cost: dict[str, int] = {}
    for deal in books.contracts:
        difference = sum(q * (deal.price - p) for q, p in zip(deal.energy, reference, strict=True))
        for party, sign in ((deal.buyer, 1), (deal.seller, -1)):
            net[party] = net.get(party, 0) + sign * sum(deal.energy)
            cost[party] = cost.get(party, 0) + sign * difference
    sides: list[Lines] = []
    for actual, sign, band in ((books.use, 1, BAND_USERS), (books.generation, -1, BAND_UNITS)):
        lines = {}
        for who, energy in actual.items():
            wh, price = recovered(sum(energy), sign * net.get(who, 0), cost.get(who, 0), band)
            if wh * price:
                lines[who] = Line(to_fen(wh * price), half_up(wh))
        sides.append(lines)
    return sides[0], sides[1]


def fees_2025(books: Books) -> dict[str, Lines]:
    users = use_keys(books)
    starts = added_keys(users, nonmarket_keys(books), deviation_keys(books))
    regulation = pool_by_day(books, ["regulation_service", "regulation_opportunity"])
    paid: Lines = {}
    fees = common_fees(books)
    for code in ("regulation_service", "regulation_opportunity"):
        for who, line in fees.pop(code).items():
            paid[who] = Line(line.fen + paid.get(who, Line(0, None)).fen, None)
    return fees | {
        "startup_compensation_share": at_standard(books.standards["startup_compensation_share"], starts),
        "excess_profit_recovery_share": of_days(pool_by_day(books, ["excess_profit_recovery"]), users),
        "regulation": paid,
        "regulation_share": of_days(regulation, added_keys(users, nonmarket_keys(books))),
    }


def settle_2025(books: Books) -> dict[tuple[str, str], Line]:
    """Every line of the month under SD_2025."""
    real_time = users_real_time(books) | generators_real_time_2025(books) | storages_real_time(books)
    day_ahead = users_day_ahead(books) | generators_day_ahead(books) | storages_day_ahead(books)
    priority, lost, cost = priority_generation(books), loss(books), guaranteed_by_day(books)
    guaranteed = {books.grid_company: Line(to_fen(sum(cost)), sum(books.residents_use))}
    adjusted = month_adjustment(books)
    reference, unmatched, outside = import_reference(books), mismatch(books), curve_mismatch(books)
    account = total_fen(real_time, day_ahead, priority, guaranteed, lost, *adjusted.values())
    remainder = account - reference - outside
    collected = users_capacity_2025(books)
    sold = [interprovincial_sale(books, stage) for stage in ("day_ahead", "intraday")]
    carried = interprovincial_transmission(books)
    everybody = generation_keys(books) | delivered_keys(books) | use_keys(books)
    energy = {who: sum(days) for who, days in everybody.items()}
    gain_loss = share(-total_fen(*sold, carried) - reference, energy)
    of_users, of_units = deviation_recovery(books)
    charges = {
        "energy_real_time": real_time,
        "energy_day_ahead": day_ahead,
        "priority_generation": priority,
        "contract": contracts(books),
        "guaranteed_purchase": guaranteed,
        "loss": lost,
        **adjusted,
        "position_mismatch": back_to_users(books, -unmatched),
        "congestion": back_to_users(books, -(remainder - unmatched)),
        "curve_mismatch": of_month(-outside, everybody),
        "capacity_compensation": collected | generators_capacity(books, total_fen(collected)),
        "interprovincial_sale_day_ahead": sold[0],
        "interprovincial_sale_intraday": sold[1],
        "interprovincial_transmission": carried,
        "interprovincial_gain_loss": {who: Line(fen, energy[who]) for who, fen in gain_loss.items()},
        "deviation_recovery_users": of_users,
        "deviation_recovery_generators": of_units,
        "deviation_recovery_return": back_to_users(books, -total_fen(of_users, of_units)),
        **residents_lines(books, cost),
        **fees_2025(books),
    }
    return {(party, code): line for code, lines in charges.items() for party, line in lines.items()}
