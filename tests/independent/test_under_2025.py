"""The sample month under SD_2025 against the same month by hand, to the fen: both layers, register differences included."""

from __future__ import annotations

from datetime import date

import pytest
from consumer_books import BILLED, OF_2025, agency_result, bills, counter_lines
from month_books import Books, days_of_month, read_metered
from recalculate import Line
from under_2025 import settle_2025

from jobs.settle_month import Calculation, calculate
from market.periods import Month
from market.profiles import profile

pytestmark = pytest.mark.xdist_group("settled_sample")

WHOLESALE = {
    charge.code
    for charge in profile("SD_2025").settled[1].charges
    if charge.layer == "wholesale" and not charge.code.startswith("demand_response")
}
BY_PEOPLE = (
    "manual_adjustment",
    "resettlement",
)  # amounts that people and later months bring; the sample has none
GRID = "SGCC-SD"
NOT_THE_AGENCY_BOOK = ("guaranteed_purchase", "loss", "month_adjustment_loss", "residents_cost_recovery")

# Wh that the month's registers say beyond the days; T0001 is a customer of a retailer, A0001 of the grid company
DIFFERENCE = {"W0001": 1_234_567, "W0007": -987_001, "A0001": 5_000_003, "T0001": -2_500_001, "W0020": 0}


@pytest.fixture(scope="module")
def done(sample_home, sample_folder) -> Calculation:
    metered = read_metered(sample_folder, days_of_month(date(2022, 7, 1)))
    registers = {who: sum(metered[who]) + difference for who, difference in DIFFERENCE.items()}
    return calculate(sample_home, Month(2022, 7), profile("SD_2025"), register_wh=registers)


@pytest.fixture(scope="module")
def product(done) -> dict[tuple[str, str], Line]:
    return {
        (line.participant_id, line.charge_code): Line(line.amount_fen, line.quantity_wh)
        for line in done.result.lines
        if line.charge_code in WHOLESALE
    }


@pytest.fixture(scope="module")
def by_hand(books: Books, sample_folder) -> dict[tuple[str, str], Line]:
    with (sample_folder / "participants.csv").open(encoding="utf-8") as file:
        retailer = next(row.split(",")[8] for row in file if row.startswith("T0001,"))
    by_party: dict[str, int] = {}
    for who, wh in DIFFERENCE.items():
        party = {"A0001": books.grid_company, "T0001": retailer}.get(who, who)
        by_party[party] = by_party.get(party, 0) + wh
    return settle_2025(books, {party: wh for party, wh in by_party.items() if wh})


@pytest.fixture(scope="module")
def wholesale(by_hand, done) -> dict[str, int]:
    """Fen of the first layer by participant as recalculated; events, which are not, as the product has them."""
    lines = {key: line.fen for key, line in by_hand.items()}
    lines |= {
        (line.participant_id, line.charge_code): line.amount_fen
        for line in done.result.lines
        if line.charge_code.startswith("demand_response")
    }
    fen: dict[str, int] = {}
    for (who, code), amount in lines.items():
        if not (who == GRID and code in NOT_THE_AGENCY_BOOK):
            fen[who] = fen.get(who, 0) + amount
    return fen


@pytest.fixture(scope="module")
def billed(books: Books, sample_folder) -> dict[tuple[str, str], Line]:
    return bills(books, sample_folder, date(2022, 7, 1), OF_2025)


@pytest.fixture(scope="module")
def consumers(books, sample_folder, billed, wholesale) -> dict[tuple[str, str], Line]:
    return billed | counter_lines(books, sample_folder, billed, wholesale)


def test_every_bill_under_the_periods_of_2025_agrees_to_the_fen_and_the_wh(done, consumers):
    product = {
        (line.participant_id, line.charge_code): Line(line.amount_fen, line.quantity_wh)
        for line in done.result.lines
        if line.charge_code in BILLED
    }
    assert product.keys() == consumers.keys()
    assert {key: (product[key], line) for key, line in consumers.items() if product[key] != line} == {}, (
        "line: (product, by hand)"
    )


def test_the_bills_of_2025_are_not_those_of_2022_where_periods_matter(books, sample_folder, billed):
    before = bills(books, sample_folder, date(2022, 7, 1))
    moved = {code for key, line in billed.items() if before[key] != line for code in key[1:]}
    assert moved >= {"time_of_use", "retail_energy", "power_factor"}
    assert "transmission_fee" not in moved


def test_the_agency_book_of_2025_ends_where_the_recalculation_ends(done, books, billed, wholesale):
    closing = {one.account: one.closing_fen for one in done.result.accounts}
    assert closing["agency_result"] == agency_result(books, billed, wholesale)


def test_the_product_charges_exactly_the_participants_the_recalculation_charges(product, by_hand):
    assert product.keys() - by_hand.keys() == set()
    assert by_hand.keys() - product.keys() == set()


def test_every_amount_agrees_to_the_fen(product, by_hand):
    assert {
        key: (product[key].fen, line.fen) for key, line in by_hand.items() if product[key].fen != line.fen
    } == {}


def test_every_quantity_agrees_to_the_wh(product, by_hand):
    assert {
        key: (product[key].wh, line.wh) for key, line in by_hand.items() if product[key].wh != line.wh
    } == {}


def test_the_sample_fires_every_charge_of_the_first_layer_of_2025(by_hand):
    assert WHOLESALE - {code for _, code in by_hand} == {"interprovincial_direct", *BY_PEOPLE}


def test_the_books_of_2025_balance_and_only_a_standard_carries_over(done):
    assert sum(posting.amount_fen for posting in done.result.postings) == 0
    closing = {one.account: one.closing_fen for one in done.result.accounts}
    still_open = {code for code, fen in closing.items() if fen and not code.startswith("participant:")}
    assert still_open <= {"rounding", "startup", "agency_result"}


def test_a_month_before_the_profile_is_settled_as_if_and_says_so(done):
    assert "profile_before_its_date" in {finding.code for finding in done.findings}
