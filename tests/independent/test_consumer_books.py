"""Every bill of the sample month against the same bills recalculated by hand, to the fen and the Wh."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from consumer_books import BILLED, agency_result, bills, cos_phi, counter_lines, percent
from month_books import Books
from recalculate import Amount, Line, stated

JULY = date(2022, 7, 1)
GRID = "SGCC-SD"
NOT_THE_AGENCY_BOOK = (
    "residents_energy",
    "loss",
    "month_adjustment_loss",
    "residents_cost_recovery",
)  # rulings 6 and 31, B.13

pytestmark = pytest.mark.xdist_group("settled_sample")


@pytest.fixture(scope="module")
def run_lines(settled_sample) -> dict[tuple[str, str], Amount]:
    columns = ["participant_id", "charge_code", "amount_cny", "quantity_mwh"]
    return {
        (row["participant_id"], row["charge_code"]): Amount(row["amount_cny"], row["quantity_mwh"])
        for row in pq.read_table(settled_sample.folder / "lines.parquet", columns=columns).to_pylist()
    }


@pytest.fixture(scope="module")
def first_layer(run_lines) -> dict[tuple[str, str], int]:
    """Fen of the wholesale lines; these are recalculated in test_recalculation.py."""
    return {key: int(line.amount_cny * 100) for key, line in run_lines.items() if key[1] not in BILLED}


@pytest.fixture(scope="module")
def wholesale(run_lines) -> dict[str, int]:
    """Fen of the first layer by participant; these lines are recalculated in test_recalculation.py."""
    fen: dict[str, int] = defaultdict(int)
    for (who, code), line in run_lines.items():
        if code not in BILLED and not (who == GRID and code in NOT_THE_AGENCY_BOOK):
            fen[who] += int(line.amount_cny * 100)
    return fen


@pytest.fixture(scope="module")
def billed(books: Books, sample_folder: Path, first_layer) -> dict[tuple[str, str], Line]:
    return bills(books, sample_folder, JULY, first_layer)


@pytest.fixture(scope="module")
def by_hand(books, sample_folder, billed, wholesale) -> dict[tuple[str, str], Line]:
    return billed | counter_lines(books, sample_folder, billed, wholesale)


def test_the_bills_are_exactly_those_the_recalculation_makes(run_lines, by_hand):
    assert {key for key in run_lines if key[1] in BILLED} == by_hand.keys()


@pytest.mark.parametrize("code", BILLED)
def test_every_bill_agrees_to_the_fen_and_the_wh(code: str, run_lines, by_hand):
    mine = {key: line for key, line in stated(by_hand).items() if key[1] == code}
    assert mine
    assert {key: (run_lines[key], line) for key, line in mine.items() if run_lines[key] != line} == {}


def test_every_user_and_residents_has_a_bill(billed, books, sample_folder):
    assert len({who for who, _ in billed}) == 140 + 120 + 120 + 5


def test_a_wholesale_user_pays_the_networks_fees_once_and_no_energy_a_second_time(billed):
    codes = {code for who, code in billed if who.startswith("W")}
    assert codes == {
        *("line_loss_fee", "transmission_fee", "system_operation_fee", "government_funds"),
        *("basic_fee", "power_factor"),
    }


def test_each_mwh_of_a_consumer_has_one_energy_price(billed, books):
    energy = [
        (who, line.wh + (billed[who, "retail_adjustment"].wh if (who, "retail_adjustment") in billed else 0))
        for (who, code), line in billed.items()
        if code in ("agency_energy", "retail_energy", "residents_bill")
    ]
    assert len(energy) == len(dict(energy)) == 245
    assert all(wh == sum(books.metered[who]) + books.beyond_days[who] for who, wh in energy)


def test_the_gain_or_loss_of_the_agency_book_stands_on_its_account(settled_sample, books, billed, wholesale):
    accounts = {
        row["account"]: row["closing_cny"]
        for row in pq.read_table(settled_sample.folder / "accounts.parquet").to_pylist()
    }
    assert accounts["agency_result"] == Decimal(agency_result(books, billed, wholesale)).scaleb(-2)


def test_the_golden_power_factor_by_hand():
    assert cos_phi(100_000, 60_000) == Decimal("0.86")
    assert percent(Decimal("0.90"), Decimal("0.86")) == Decimal("2.0")
