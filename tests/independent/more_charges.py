"""Market operation fees and the residents' gain or loss by hand (SD25, BOOK17, DL809; market.md B.2-B.3, B.7).

Units and signs as in `recalculate.py`. A fee of a day is shared by that day's energy, each share carried to 1e-9 yuan;
the month goes to fen by largest remainder. A fee of the month is shared in fen by the month's energy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction

from month_books import Books, Curve, half_up
from recalculate import NANO_PER_FEN, Line, Lines, share, to_fen

Keys = dict[str, list[int]]  # participant -> Wh of every day


def by_day(curve: Curve) -> list[int]:
    return [sum(curve[start : start + 96]) for start in range(0, len(curve), 96)]


def use_keys(books: Books, *, agency: bool = True) -> Keys:
    return {user: by_day(use) for user, use in books.use.items() if agency or user != books.grid_company}


def generation_keys(books: Books, of_class: str | None = None) -> Keys:
    return {
        unit: by_day(energy)
        for unit, energy in books.generation.items()
        if of_class is None or books.unit_class[unit] == of_class
    }


def delivered_keys(books: Books) -> Keys:
    """What a storage delivers, without what it takes: a new entity of B.3."""
    return {name: by_day([max(wh, 0) for wh in net]) for name, net in books.stored.items()}


def deviation_keys(books: Books) -> Keys:
    """Energy off the day-ahead position, up or down, by quarter-hour."""
    return {
        unit: by_day(
            [abs(made - sold) for made, sold in zip(energy, books.sold_day_ahead[unit], strict=True)]
        )
        for unit, energy in books.generation.items()
    }


def nonmarket(books: Books, unit: str) -> Curve:
    """Output times its non-market share, to the Wh, by quarter-hour."""
    shares = books.share.get((unit, "nonmarket"))
    energy = books.generation[unit]
    if shares is None:
        return [0] * len(energy)
    return [half_up(wh * shares[quarter // 96]) for quarter, wh in enumerate(energy)]


def nonmarket_keys(books: Books) -> Keys:
    return {unit: by_day(nonmarket(books, unit)) for unit in books.generation}


def added_keys(*keys: Keys) -> Keys:
    total: Keys = {}
    for one in keys:
        for who, days in one.items():
            before = total.get(who, [0] * len(days))
            total[who] = [a + b for a, b in zip(before, days, strict=True)]
    return {who: days for who, days in total.items() if any(days)}


def pool_by_day(books: Books, codes: Iterable[str]) -> dict[int, int]:
    pool: dict[int, int] = defaultdict(int)
    for fee in books.fees:
        if fee.code in set(codes):
            pool[fee.day] += fee.fen
    return pool


def named(books: Books, code: str) -> Lines:
    """Who is paid what its rows say, or owes it."""
    fen: dict[str, int] = defaultdict(int)
    for fee in books.fees:
        if fee.code == code:
            fen[fee.who] -= fee.fen
    return {who: Line(amount, None) for who, amount in fen.items()}


def to_fen_in_all(nano: Mapping[str, int], total: int) -> dict[str, int]:
    if total < 0:
        turned = to_fen_in_all({who: -part for who, part in nano.items()}, -total)
        return {who: -fen for who, fen in turned.items()}
    fen = {who: part // NANO_PER_FEN for who, part in nano.items()}
    order = sorted(nano, key=lambda who: (-(nano[who] % NANO_PER_FEN), who))
    for who in order[: total - sum(fen.values())]:
        fen[who] += 1
    return fen


def of_days(pool: Mapping[int, int], keys: Keys) -> Lines:
    """Each day's pool by the day's keys."""
    nano = dict.fromkeys(keys, 0)
    wh = dict.fromkeys(keys, 0)
    for day, fen in pool.items():
        everything = sum(days[day] for days in keys.values())
        for who, days in keys.items():
            nano[who] += half_up(Fraction(fen * NANO_PER_FEN * days[day], everything))
            wh[who] += days[day]
    fen_of = to_fen_in_all(nano, sum(pool.values()))
    return {who: Line(fen_of[who], wh[who]) for who in keys}


def of_month(fen: int, keys: Keys) -> Lines:
    """The month's pool by the month's keys."""
    energy = {who: sum(days) for who, days in keys.items() if sum(days)}
    return {who: Line(part, energy[who]) for who, part in share(fen, energy).items()}


def at_standard(standard: list[int], keys: Keys) -> Lines:
    """Every day's key at the standard published for the day (滚动清算)."""
    return {
        who: Line(to_fen(sum(wh * price for wh, price in zip(days, standard, strict=True))), sum(days))
        for who, days in keys.items()
    }


def residents_lines(books: Books, cost_by_day: list[int]) -> dict[str, Lines]:
    """Cost of the residents' energy less its sale at the published price, by all C&I users' energy (DL809; B.7)."""
    sold = [
        wh * price
        for wh, price in zip(by_day(books.residents_use), books.standards["residents_sale"], strict=True)
    ]
    fen = to_fen(sum(cost_by_day) - sum(sold))
    energy = {user: sum(use) for user, use in books.use.items()}
    return {
        "residents_cost_recovery": {books.grid_company: Line(-fen, sum(books.residents_use))},
        "residents_gain_loss": {user: Line(part, energy[user]) for user, part in share(fen, energy).items()},
    }


def common_fees(books: Books) -> dict[str, Lines]:
    """Fees that both profiles settle alike: starts at their standard, heating, assessments half and half."""
    starts = added_keys(use_keys(books), deviation_keys(books))  # in 2022 no energy is outside (ruling 31)
    assessed = sum(pool_by_day(books, ["unit_assessment"]).values())
    halves = share(assessed, {"0 users": 1, "1 units": 1})
    return {
        "startup_compensation": named(books, "startup_compensation"),
        "startup_compensation_share": at_standard(books.standards["startup_compensation_share"], starts),
        "heating_assessment": named(books, "heating_assessment"),
        "heating_assessment_share": of_month(
            sum(pool_by_day(books, ["heating_assessment"]).values()), generation_keys(books, "coal")
        ),
        "unit_assessment": named(books, "unit_assessment"),
        "unit_assessment_share": of_month(halves["0 users"], use_keys(books))
        | of_month(halves["1 units"], generation_keys(books)),
        "excess_profit_recovery": named(books, "excess_profit_recovery"),
        "regulation_service": named(books, "regulation_service"),
        "regulation_opportunity": named(books, "regulation_opportunity"),
    }


def fees_2022(books: Books) -> dict[str, Lines]:
    """SD_2022: regulation service by generators, opportunity cost and excess profit by market users (BOOK17)."""
    market_users = use_keys(books, agency=False)
    return common_fees(books) | {
        "excess_profit_recovery_share": of_days(pool_by_day(books, ["excess_profit_recovery"]), market_users),
        "regulation_service_share": of_days(
            pool_by_day(books, ["regulation_service"]), generation_keys(books)
        ),
        "regulation_opportunity_share": of_days(pool_by_day(books, ["regulation_opportunity"]), market_users),
    }
