"""The sample month under SD_2025 against the same month by hand, to the fen: both layers, register differences included."""

from __future__ import annotations

from datetime import date, time

import pytest
from consumer_books import BILLED, OF_2025, agency_result, bills, counter_lines
from month_books import Books
from more_charges import nonmarket
from recalculate import Line
from response_books import response_lines
from under_2025 import settle_2025

from jobs.month_calculation import Calculation, calculate
from market.periods import Month
from market.profiles import profile

pytestmark = pytest.mark.xdist_group("settled_sample")

WHOLESALE = {charge.code for charge in profile("SD_2025").settled[1].charges if charge.layer == "wholesale"}
BY_PEOPLE = (
    "manual_adjustment",
    "resettlement",
)  # amounts that people and later months bring; the sample has none
NO_FUND = (
    "demand_response_capacity",
    "demand_response_fund",
    "demand_response_fund_income",
)  # nor a fee for capacity
GRID = "SGCC-SD"
RESULTS_AT = time(17)  # D-1, market.md A.5
NOT_THE_AGENCY_BOOK = ("guaranteed_purchase", "loss", "month_adjustment_loss", "residents_cost_recovery")


@pytest.fixture(scope="module")
def done(sample_home) -> Calculation:
    return calculate(sample_home, Month(2022, 7), profile("SD_2025"))


@pytest.fixture(scope="module")
def product(done) -> dict[tuple[str, str], Line]:
    return {
        (line.participant_id, line.charge_code): Line(line.amount_fen, line.quantity_wh)
        for line in done.result.lines
        if line.charge_code in WHOLESALE
    }


@pytest.fixture(scope="module")
def by_hand(books: Books, responses) -> dict[tuple[str, str], Line]:
    outside = {unit: nonmarket(books, unit) for unit in books.generation}
    return settle_2025(books) | response_lines(books, responses, RESULTS_AT, outside)


@pytest.fixture(scope="module")
def first_layer(by_hand) -> dict[tuple[str, str], int]:
    return {key: line.fen for key, line in by_hand.items()}


@pytest.fixture(scope="module")
def wholesale(first_layer) -> dict[str, int]:
    """Fen of the first layer by participant, the grid company's without what is not the agency book's."""
    fen: dict[str, int] = {}
    for (who, code), amount in first_layer.items():
        if not (who == GRID and code in NOT_THE_AGENCY_BOOK):
            fen[who] = fen.get(who, 0) + amount
    return fen


@pytest.fixture(scope="module")
def billed(books: Books, sample_folder, first_layer) -> dict[tuple[str, str], Line]:
    return bills(books, sample_folder, date(2022, 7, 1), first_layer, OF_2025)


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


def test_the_bills_of_2025_are_not_those_of_2022_where_periods_matter(
    books, sample_folder, billed, first_layer
):
    before = bills(books, sample_folder, date(2022, 7, 1), first_layer)
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
    assert WHOLESALE - {code for _, code in by_hand} == {"interprovincial_direct", *BY_PEOPLE, *NO_FUND}


def test_no_charge_of_the_run_goes_without_a_recalculation_by_hand(done, by_hand, consumers):
    by_someone = {code for _, code in by_hand} | {code for _, code in consumers}
    assert {line.charge_code for line in done.result.lines} - by_someone == set()


def test_non_market_generation_bears_the_rest_of_an_event_with_the_users(by_hand, books):
    bearing = {who for who, code in by_hand if code == "demand_response_charge"}
    assert bearing - books.use.keys() == {unit for unit, what in books.share if what == "nonmarket"}


def test_the_books_of_2025_balance_and_only_a_standard_carries_over(done):
    assert sum(posting.amount_fen for posting in done.result.postings) == 0
    closing = {one.account: one.closing_fen for one in done.result.accounts}
    still_open = {code for code, fen in closing.items() if fen and not code.startswith("participant:")}
    assert still_open <= {"rounding", "startup", "agency_result"}


def test_a_month_before_the_profile_is_settled_as_if_and_says_so(done):
    assert "profile_before_its_date" in {finding.code for finding in done.findings}
