"""Contracts and day-ahead positions: what was agreed before the meters ran."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from people import GRID_COMPANY, RETAILERS, Participant
from plants import LOSS, Plant
from writing import DATES, JULY, Floats, Ints, generator, half_up, plain, write_csv, write_curve_parquet

COVER = (0.72, 0.88)  # share of the expected use a buyer has under contract
OWN_SHAPE = 0.7  # the rest of the contract curve follows the use of all
PRICE_MILLS = (350_000, 473_880)  # 元/MWh x 1000; the upper end is 1.2 x the coal benchmark 394.9, F.3
LARGE_BUYERS = 40  # wholesale users with two contracts
CONTRACTS_OF = {"retailer": 3, "grid_company": 4}
JUNE = range(JULY - 30, JULY)  # the expected use is that of June


@dataclass(frozen=True)
class Contract:
    """One contract with its July curve, 0.001 MWh (31, 96)."""

    contract_id: str
    seller_id: str
    buyer_id: str
    price_mills: int
    curve: Ints


def market_use(users: list[Participant], curves: dict[str, Floats]) -> dict[str, tuple[str, Floats]]:
    """Position holder -> (kind, MWh (78, 96)): wholesale users, retailers and the grid company's agency book."""
    books: dict[str, tuple[str, Floats]] = {}
    for user in users:
        if user.kind == "wholesale_user":
            books[user.participant_id] = (user.kind, curves[user.participant_id])
    for retailer in RETAILERS:
        served = [curves[user.participant_id] for user in users if user.retailer_id == retailer]
        books[retailer] = ("retailer", np.sum(served, axis=0))
    agency = [curves[user.participant_id] for user in users if user.kind == "agency_user"]
    books[GRID_COMPANY] = ("grid_company", np.sum(agency, axis=0))
    return books


def contracts(
    books: dict[str, tuple[str, Floats]], plants: list[Plant], energy_mwh: dict[str, float]
) -> list[Contract]:
    """Contracts for about 80 % of the use of June, working days and rest days apart.

    Each goes to the thermal plant with the most July energy left to sell.
    """
    random = generator("contracts")
    left = {
        plant.participant.participant_id: 0.97 * energy_mwh[plant.participant.participant_id]
        for plant in plants
    }
    all_use = np.sum([use for _, use in books.values()], axis=0)
    found: list[Contract] = []
    largest_first = sorted(books.items(), key=lambda book: (-book[1][1].sum(), book[0]))
    for buyer, (kind, use) in largest_first:
        count = CONTRACTS_OF.get(
            kind, 2 if kind == "wholesale_user" and int(buyer[1:]) <= LARGE_BUYERS else 1
        )
        cover = COVER[0] + (COVER[1] - COVER[0]) * random.random()
        expected = cover * _expected(use, all_use)
        parts = np.array([1.0 + 0.3 * place for place in range(count)][::-1])
        sellers: list[str] = []
        for share in parts / parts.sum():
            curve = half_up(share * expected, 3)
            open_sellers = [seller for seller in left if seller not in sellers]
            seller = max(open_sellers, key=lambda key: (left[key], key))
            left[seller] -= curve.sum() / 1000
            sellers.append(seller)
            price = PRICE_MILLS[0] + int((PRICE_MILLS[1] - PRICE_MILLS[0]) * random.random()) // 10 * 10
            found.append(Contract(f"C{len(found) + 1:04d}", seller, buyer, price, curve))
    return found


def positions(
    books: dict[str, tuple[str, Floats]],
    plants: list[Plant],
    output_mwh: dict[str, Floats],
    renewable_share: dict[str, Floats],
    day_ahead_import_mwh: Floats,
) -> dict[str, Ints]:
    """Day-ahead positions in 0.001 MWh (31, 96).

    A user takes the same weekday of the week before. Generators together sell what users bought and the
    expected loss on it, less the day-ahead import, within about 0.4 % a quarter-hour. Residents have no
    day-ahead position, so plants deliver more than they sold.
    """
    random = generator("positions")
    found = {holder: half_up(use[JULY - 7 : -7], 3) for holder, (_, use) in books.items()}
    bought = np.sum(list(found.values()), axis=0) / 1000.0
    drift = 1 + 0.004 * random.standard_normal(bought.shape)
    to_sell = (bought * (1 + LOSS) - day_ahead_import_mwh) * drift
    thermal = []
    for plant in plants:
        key = plant.participant.participant_id
        if key in renewable_share:
            planned = np.minimum(output_mwh[key] * renewable_share[key], plant.nameplate_mw / 4)
            found[key] = half_up(planned, 3)
            to_sell = to_sell - planned
        else:
            thermal.append(key)
    actual = np.sum([output_mwh[key] for key in thermal], axis=0)
    for key in thermal:
        found[key] = half_up(np.maximum(to_sell, 0.0) * output_mwh[key] / actual, 3)
    return found


def write(folder: Path, agreed: list[Contract], booked: dict[str, Ints], capacity: dict[str, float]) -> None:
    """contracts.csv, contract_curves.parquet, positions.parquet, capacity_available.csv."""
    july = DATES[JULY:]
    write_csv(
        folder / "contracts.csv",
        "contract_id seller_id buyer_id price_cny_per_mwh valid_from valid_to",
        (
            [c.contract_id, c.seller_id, c.buyer_id, plain(c.price_mills, 3), "2022-07-01", "2022-08-01"]
            for c in agreed
        ),
    )
    write_curve_parquet(
        folder / "contract_curves.parquet",
        {"contract_id": [c.contract_id for c in agreed for _ in july], "date": [*july] * len(agreed)},
        np.concatenate([c.curve for c in agreed]),
        3,
    )
    write_curve_parquet(
        folder / "positions.parquet",
        {
            "participant_id": [holder for holder in booked for _ in july],
            "date": [*july] * len(booked),
            "stage": ["day_ahead"] * (len(booked) * len(july)),
        },
        np.concatenate(list(booked.values())),
        3,
    )
    write_csv(
        folder / "capacity_available.csv",
        "participant_id month capacity_mw",
        ([plant, "2022-07", f"{mw:.3f}"] for plant, mw in capacity.items()),
    )


def _expected(use: Floats, all_use: Floats) -> Floats:
    """July by the mean working day and the mean rest day of June, mostly in the buyer's own shape."""
    expected = np.empty((len(DATES) - JULY, 96))
    for working in (True, False):
        june = [n for n in JUNE if (DATES[n].weekday() < 5) == working]
        july = [n - JULY for n in range(JULY, len(DATES)) if (DATES[n].weekday() < 5) == working]
        own, common = use[june].mean(axis=0), all_use[june].mean(axis=0)
        expected[july] = OWN_SHAPE * own + (1 - OWN_SHAPE) * common * own.sum() / common.sum()
    return expected
