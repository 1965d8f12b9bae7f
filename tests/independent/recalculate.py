"""The settlement of a month once more, written out by hand.

Nothing here is shared with the product: the tables are read with csv and pyarrow, the arithmetic is Python's own
whole numbers and fractions, and every charge is one function with its formula and clause. It answers the sample month
under the rules of SD_2022 in its first layer: retail and agency users in the book of their retailer and of the grid company;
fees and residents' gain or loss stand in `more_charges.py`, what SD_2025 does otherwise in `under_2025.py`, and
demand response in `response_books.py`.

Units: energy Wh, price 0.001 yuan/MWh, so that energy x price is 1e-9 yuan (nano); lines are fen. A curve is a list
with one whole number for each quarter-hour of the month. A charge is positive, a credit negative.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from month_books import Books, Curve, added, half_up, read_books

NANO_PER_FEN = 10**7
CAPACITY_PRICE = 99_100  # 99.1 yuan/MWh, BOOK17; market.md B.4


class Line(NamedTuple):
    """What stands on a statement: fen charged (negative: credited) and the Wh it is charged for, if any."""

    fen: int
    wh: int | None


Lines = dict[str, Line]  # participant -> line of one charge


class Amount(NamedTuple):
    amount_cny: Decimal
    quantity_mwh: Decimal | None


def to_fen(nano: int | Fraction) -> int:
    """Money is rounded once, where the line is made (ruling 8)."""
    return half_up(Fraction(nano) / NANO_PER_FEN)


def share(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide fen by weight: everyone the whole fen of the share, what is left to the largest remainders, ties by id.

    A negative total is minus the division of its size (rulings 8 and 10).
    """
    if total < 0:
        return {name: -part for name, part in share(-total, weights).items()}
    everything = sum(weights.values())
    parts = {name: total * weight // everything for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: (-(total * weights[name] % everything), name))
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return parts


def product(energy: Curve, price: Curve) -> int:
    return sum(wh * p for wh, p in zip(energy, price, strict=True))


def spread(first: Curve, second: Curve) -> Curve:
    return [a - b for a, b in zip(first, second, strict=True)]


def total_fen(*charges: Lines) -> int:
    return sum(line.fen for charge in charges for line in charge.values())


# --- The charges --------------------------------------------------------------------------------------------------


def user_price(books: Books, stage: str) -> Curve:
    """Hour by hour the mean over the generators' nodes and the four quarters, to 0.001 yuan/MWh (ruling 6, simple)."""
    nodal = [books.price[node, stage] for node in sorted(set(books.node.values()))]
    curve: Curve = []
    for start in range(0, books.length, 4):
        values = [price for node in nodal for price in node[start : start + 4]]
        curve += [half_up(Fraction(sum(values), len(values)))] * 4
    return curve


def users_real_time(books: Books) -> Lines:
    """User: sum of Q_use x P_RT,user (SD25; market.md B.2)."""
    price = user_price(books, "real_time")
    return {user: Line(to_fen(product(use, price)), sum(use)) for user, use in books.use.items()}


def generators_real_time(books: Books) -> Lines:
    """Generator: minus the sum of Q_gen x P_RT at its own node, by quarter-hour (SD25; market.md B.2)."""
    return {
        unit: Line(-to_fen(product(energy, books.price[books.node[unit], "real_time"])), sum(energy))
        for unit, energy in books.generation.items()
    }


def storages_real_time(books: Books) -> Lines:
    """Storage: pays P_RT at its own node for what it takes, is paid it for what it delivers, by quarter-hour."""
    lines = {}
    for name, net in books.stored.items():
        price = books.price[books.stored_node[name], "real_time"]
        taken = sum(-wh * p for wh, p in zip(net, price, strict=True) if wh < 0)
        delivered = sum(wh * p for wh, p in zip(net, price, strict=True) if wh > 0)
        lines[name] = Line(to_fen(taken - delivered), sum(net))
    return lines


def storages_day_ahead(books: Books) -> Lines:
    """Storage: minus the sum of its signed position x (P_DA - P_RT) at its own node."""
    lines = {}
    for name, net in books.stored_day_ahead.items():
        node = books.stored_node[name]
        gain = spread(books.price[node, "day_ahead"], books.price[node, "real_time"])
        lines[name] = Line(-to_fen(product(net, gain)), sum(net))
    return lines


def users_day_ahead(books: Books) -> Lines:
    """User: sum of Q_DA x (P_DA,user - P_RT,user) (JB1217 mode 1, SD25; market.md B.1-B.2)."""
    gain = spread(user_price(books, "day_ahead"), user_price(books, "real_time"))
    return {
        user: Line(to_fen(product(energy, gain)), sum(energy))
        for user, energy in books.bought_day_ahead.items()
    }


def generators_day_ahead(books: Books) -> Lines:
    """Generator: minus the sum of Q_DA x (P_DA - P_RT) at its own node (JB1217 mode 1; market.md B.1-B.2)."""
    lines = {}
    for unit, energy in books.sold_day_ahead.items():
        node = books.node[unit]
        gain = spread(books.price[node, "day_ahead"], books.price[node, "real_time"])
        lines[unit] = Line(-to_fen(product(energy, gain)), sum(energy))
    return lines


def contracts(books: Books) -> Lines:
    """Buyer: sum of q x (P_c - P_ref), seller minus it; P_ref the day-ahead user price (SD25; B.2, ruling 6)."""
    reference = user_price(books, "day_ahead")
    nano: dict[str, int] = defaultdict(int)
    wh: dict[str, int] = defaultdict(int)
    for deal in books.contracts:
        difference = sum(q * (deal.price - p_ref) for q, p_ref in zip(deal.energy, reference, strict=True))
        for party, sign in ((deal.buyer, 1), (deal.seller, -1)):
            nano[party] += sign * difference
            wh[party] += sum(deal.energy)
    return {party: Line(to_fen(nano[party]), wh[party]) for party in nano}


def residents_energy(books: Books) -> Lines:
    """Grid company: sum of the residents' use x P_RT,user (ruling 31)."""
    money = to_fen(product(books.residents_use, user_price(books, "real_time")))
    return {books.grid_company: Line(money, sum(books.residents_use))}


def lost_energy(books: Books) -> Curve:
    """L = generation + import - use, by quarter-hour (ruling 6); a storage's net counts as generation."""
    sources = [*books.generation.values(), *books.stored.values(), imported(books, "day_ahead", "intraday")]
    supplied = added(sources, books.length)
    return spread(supplied, added([*books.use.values(), books.residents_use], books.length))


def loss(books: Books) -> Lines:
    """Grid company: sum of L x P_RT,user (ruling 6)."""
    lost = lost_energy(books)
    return {books.grid_company: Line(to_fen(product(lost, user_price(books, "real_time"))), sum(lost))}


def imported(books: Books, *stages: str) -> Curve:
    """Energy bought between provinces, by quarter-hour: each trade's executed MW / 4, to the Wh (rulings 5, 8)."""
    energy = [0] * books.length
    for trade in books.trades:
        if trade.stage in stages:
            energy[trade.quarter] += trade.bought_wh
    return energy


def import_reference(books: Books) -> int:
    """Fen the energy account owes for the import: day-ahead at P_DA,user, intraday at P_RT,user (ruling 5)."""
    return to_fen(
        product(imported(books, "day_ahead"), user_price(books, "day_ahead"))
        + product(imported(books, "intraday"), user_price(books, "real_time"))
    )


def mismatch(books: Books) -> int:
    """Fen left by day-ahead positions that do not match (ruling 6):

    sum of (Q_DA of users - Q_DA of generators - day-ahead import) x (P_DA,user - P_RT,user).
    """
    sold = [*books.sold_day_ahead.values(), *books.stored_day_ahead.values()]
    offered = added([*sold, imported(books, "day_ahead")], books.length)
    unmatched = spread(added(books.bought_day_ahead.values(), books.length), offered)
    return to_fen(product(unmatched, spread(user_price(books, "day_ahead"), user_price(books, "real_time"))))


def month_adjustment(books: Books) -> dict[str, Lines]:
    """(register - days) x own real-time average; the grid company's loss gives it back (SD25 C_month_adj; B.2)."""
    price = user_price(books, "real_time")
    lines = {}
    for user, wh in books.beyond_days_of_party.items():
        average = Fraction(product(books.use[user], price), sum(books.use[user]))
        lines[user] = Line(to_fen(wh * average), wh)
    if not lines:
        return {}
    back = Line(-total_fen(lines), -sum(books.beyond_days_of_party.values()))
    return {"month_adjustment": lines, "month_adjustment_loss": {books.grid_company: back}}


def back_to_users(books: Books, fen: int) -> Lines:
    """A pool given to all commercial and industrial users by their monthly energy (SD25; market.md B.3)."""
    energy = {user: sum(use) for user, use in books.use.items()}
    return {user: Line(part, energy[user]) for user, part in share(fen, energy).items()}


def users_capacity(books: Books) -> Lines:
    """User: energy x 99.1 yuan/MWh (BOOK17; market.md B.4)."""
    return {user: Line(to_fen(sum(use) * CAPACITY_PRICE), sum(use)) for user, use in books.use.items()}


def generators_capacity(books: Books, collected: int) -> Lines:
    """Generator and storage: what was collected, by available capacity (BOOK17; market.md B.4)."""
    return {unit: Line(part, None) for unit, part in share(-collected, books.capacity).items()}


def interprovincial_sale(books: Books, stage: str) -> Lines:
    """Seller: minus the sum of executed MW / 4 x price at the seller node (S14 7.3 a; market.md A.10)."""
    nano: dict[str, Fraction] = defaultdict(Fraction)
    wh: dict[str, Fraction] = defaultdict(Fraction)
    for trade in books.trades:
        if trade.stage == stage:
            nano[trade.seller] += trade.sold_wh * trade.price
            wh[trade.seller] += trade.sold_wh
    return {seller: Line(-to_fen(nano[seller]), half_up(wh[seller])) for seller in nano}


def interprovincial_transmission(books: Books) -> Lines:
    """Section owner: minus the tariff on the energy that leaves the section (S14 4.3.1, 7.3 b; market.md A.7)."""
    nano: dict[str, Fraction] = defaultdict(Fraction)
    wh: dict[str, Fraction] = defaultdict(Fraction)
    for trade in books.trades:
        energy = trade.sold_wh
        for section in books.sections[trade.path]:
            energy *= 1 - section.loss
            nano[section.owner] += energy * section.tariff
            wh[section.owner] += energy
    return {owner: Line(-to_fen(nano[owner]), half_up(wh[owner])) for owner in nano}


def interprovincial_gain_loss(books: Books, landed_fen: int) -> Lines:
    """Agency user: (landed cost - P_ref x Q) by its monthly energy (S14 7.3 b; market.md A.11 (1), ruling 5)."""
    parts = share(landed_fen - import_reference(books), books.agency_wh)
    return {user: Line(part, books.agency_wh[user]) for user, part in parts.items()}


def days_of_residents(books: Books) -> list[tuple[Curve, Curve]]:
    """The residents' use and the user price, day by day."""
    price = user_price(books, "real_time")
    return [
        (books.residents_use[start : start + 96], price[start : start + 96])
        for start in range(0, books.length, 96)
    ]


def settle(books: Books) -> dict[tuple[str, str], Line]:
    """Every line of the month under SD_2022: (participant, charge code) -> fen and Wh."""
    from more_charges import fees_2022, residents_lines  # here, because it is built on the tools above

    real_time = users_real_time(books) | generators_real_time(books) | storages_real_time(books)
    day_ahead = users_day_ahead(books) | generators_day_ahead(books) | storages_day_ahead(books)
    residents, lost = residents_energy(books), loss(books)
    adjusted = month_adjustment(books)  # it and the loss that gives it back leave the account as it was
    remainder = total_fen(real_time, day_ahead, residents, lost) - import_reference(books)  # ruling 6
    unmatched = mismatch(books)
    collected = users_capacity(books)
    sold_day_ahead = interprovincial_sale(books, "day_ahead")
    sold_intraday = interprovincial_sale(books, "intraday")
    carried = interprovincial_transmission(books)
    landed = -total_fen(sold_day_ahead, sold_intraday, carried)  # ruling 5: the buyer pays the sum
    charges = {
        "energy_real_time": real_time,
        "energy_day_ahead": day_ahead,
        "contract": contracts(books),
        "residents_energy": residents,
        "loss": lost,
        **adjusted,
        "position_mismatch": back_to_users(books, -unmatched),
        "congestion": back_to_users(books, -(remainder - unmatched)),
        "capacity_compensation": collected | generators_capacity(books, total_fen(collected)),
        "interprovincial_sale_day_ahead": sold_day_ahead,
        "interprovincial_sale_intraday": sold_intraday,
        "interprovincial_transmission": carried,
        "interprovincial_gain_loss": interprovincial_gain_loss(books, landed),
        **residents_lines(books, [product(use, price) for use, price in days_of_residents(books)]),
        **fees_2022(books),
    }
    return {(party, code): line for code, lines in charges.items() for party, line in lines.items()}


def stated(lines: dict[tuple[str, str], Line]) -> dict[tuple[str, str], Amount]:
    """Fen and Wh as a statement shows them: yuan to two decimals, MWh to six."""
    return {
        key: Amount(Decimal(fen).scaleb(-2), None if wh is None else Decimal(wh).scaleb(-6))
        for key, (fen, wh) in lines.items()
    }


def recalculate(folder: Path, first_day: date = date(2022, 7, 1)) -> dict[tuple[str, str], Amount]:
    """(participant, charge code) -> yuan and MWh of the month that starts on `first_day`."""
    return stated(settle(read_books(folder, first_day)))
