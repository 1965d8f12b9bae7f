"""A market with storages and a virtual power plant against the same market by hand, to the fen and the Wh.

Both layers, under SD_2022 and SD_2025; the months are drawn at random (`stored_market.py`), nothing of the arithmetic
by hand is the product's (`recalculate.py`, `under_2025.py`, `consumer_books.py`).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from consumer_books import OF_2022, OF_2025, bills, counter_lines
from month_books import read_books
from recalculate import Line, lost_energy, settle
from stored_market import write_month
from under_2025 import settle_2025

from ingest.deliver import deliver_many
from jobs.month_calculation import Calculation, calculate
from market.periods import Month
from market.profiles import profile
from warehouse.home import create, home

JULY = date(2022, 7, 1)
BY_HAND = {"SD_2022": (settle, OF_2022), "SD_2025": (settle_2025, OF_2025)}
NOT_THE_AGENCY_BOOK = {
    *("residents_energy", "guaranteed_purchase", "loss", "month_adjustment_loss", "residents_cost_recovery")
}
SEEDS = (1, 2)

Lines = dict[tuple[str, str], Line]


@pytest.fixture(scope="module", params=SEEDS)
def folder(request, tmp_path_factory) -> Path:
    return write_month(tmp_path_factory.mktemp("stored") / "2022-07", request.param)


@pytest.fixture(scope="module")
def at_home(folder: Path, tmp_path_factory):
    at = home(tmp_path_factory.mktemp("home"))
    create(at)
    receipts = deliver_many(at, [folder])
    assert {receipt.quarantined for receipt in receipts} == {0}
    return at


@pytest.fixture(scope="module", params=sorted(BY_HAND))
def done(request, at_home) -> tuple[str, Calculation]:
    return request.param, calculate(at_home, Month(2022, 7), profile(request.param))


def by_hand(folder: Path, name: str) -> Lines:
    books = read_books(folder, JULY)
    settled, clock = BY_HAND[name]
    first = settled(books)
    fen = {key: line.fen for key, line in first.items()}
    wholesale: dict[str, int] = {}
    for (who, code), amount in fen.items():
        if not (who == books.grid_company and code in NOT_THE_AGENCY_BOOK):
            wholesale[who] = wholesale.get(who, 0) + amount
    billed = bills(books, folder, JULY, fen, clock)
    return first | billed | counter_lines(books, folder, billed, wholesale)


def test_every_line_of_both_layers_agrees_to_the_fen_and_the_wh(done, folder: Path) -> None:
    name, made = done
    product = {
        (line.participant_id, line.charge_code): Line(line.amount_fen, line.quantity_wh)
        for line in made.result.lines
    }
    expected = by_hand(folder, name)
    assert product.keys() - expected.keys() == set()
    assert expected.keys() - product.keys() == set()
    assert {key: (product[key], line) for key, line in expected.items() if product[key] != line} == {}, (
        "line: (product, by hand)"
    )


def test_the_virtual_power_plant_without_customers_has_no_line_and_no_finding(done) -> None:
    _, made = done
    assert not [line for line in made.result.lines if line.participant_id == "V2"]
    assert not [one for one in made.findings if "V2" in one.sentence]


def test_generation_with_the_net_of_storages_and_import_is_use_and_loss(done, folder: Path) -> None:
    _, made = done
    books = read_books(folder, JULY)
    assert any(wh < 0 for wh in books.stored["S1"])
    assert any(wh > 0 for wh in books.stored["S1"])
    systems = [made.result.systems[day] for day in sorted(made.result.systems)]
    lost = lost_energy(books)
    by_day = [sum(lost[start : start + 96]) for start in range(0, books.length, 96)]
    assert [one.loss for one in systems] == by_day
    assert all(one.generation + one.imported == one.use + one.loss for one in systems)
    everything = sum(sum(curve) for curve in (*books.generation.values(), *books.stored.values()))
    assert sum(one.generation for one in systems) == everything


def test_a_storage_pays_nothing_but_energy_contracts_and_what_the_profile_names_for_it(done) -> None:
    name, made = done
    codes = {line.charge_code for line in made.result.lines if line.participant_id in ("S1", "S2")}
    paid = {"energy_real_time", "energy_day_ahead", "contract", "capacity_compensation"}
    of_2022 = {"regulation_service", "regulation_opportunity"}
    of_2025 = {"curve_mismatch", "interprovincial_gain_loss", "regulation"}
    assert codes == paid | (of_2022 if name == "SD_2022" else of_2025)
    _, matrix = profile(name).settled
    for code in codes:
        charge = matrix.charge(code)
        assert "storage" in {*charge.payers, *charge.payees}, code
