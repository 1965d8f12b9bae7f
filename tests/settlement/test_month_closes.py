"""Random small markets: money sums to zero, accounts close, energy closes, what is missing stays missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_market import GENERATORS, SD_2022, USERS, settle

from market.curves import MISSING
from settlement.ledger import LedgerNotBalancedError, Line, Movement, assert_balanced, balances, post
from settlement.market_day import MarketDay

_, MATRIX = SD_2022.settled


@given(st.integers(0, 10**6))
def test_every_fen_charged_is_a_fen_credited_and_clearing_accounts_close(seed: int) -> None:
    result, _ = settle(seed)
    assert sum(posting.amount_fen for posting in result.postings) == 0
    closing = {balance.account: balance.closing_fen for balance in result.accounts}
    for account in MATRIX.accounts:
        if account.closes == "zero":
            assert closing[account.code] == 0, account.code
    assert 2 * abs(closing["rounding"] - 3) <= len(result.lines)  # ruling 8; opened with 3 fen
    participants = sum(fen for name, fen in closing.items() if name.startswith("participant:"))
    assert participants + closing["rounding"] - 3 == 0


@given(st.integers(0, 10**6))
def test_energy_in_is_energy_out_and_a_named_loss(seed: int) -> None:
    result, markets = settle(seed)
    for day in markets:
        system = result.systems[day.day]
        assert system.generation + system.imported == system.use + system.loss  # type: ignore[operator]
        assert system.use == int(day.use.sum() + day.residents.sum())


@given(st.integers(0, 10**6))
def test_a_line_is_the_rounded_sum_of_its_exact_days(seed: int) -> None:
    result, _ = settle(seed)
    exact: dict[tuple[str, str], int] = {}
    for series in result.daily:
        for i, who in enumerate(series.participants):
            key = (who, series.charge_code)
            exact[key] = exact.get(key, 0) + int(series.nano[i].sum())
    for line in result.lines:
        key = (line.participant_id, line.charge_code)
        if key in exact and not (line.delivered and line.charge_code == "capacity_compensation"):
            tolerance = 1 if "interprovincial" in line.charge_code else 0  # days shown to 1e-9 元
            nano = exact[key]
            assert abs(line.amount_fen * 10**7 - nano) <= 10**7 // 2 + tolerance * 1000  # type: ignore[operator]


def test_the_gain_or_loss_of_imports_is_borne_by_agency_users_alone() -> None:
    result, _ = settle(1)
    lines = [line for line in result.lines if line.charge_code == "interprovincial_gain_loss"]
    assert {line.participant_id for line in lines} == {"A1", "A2"}
    sales = sum(
        line.amount_fen
        for line in result.lines
        if line.charge_code.startswith(("interprovincial_sale", "interprovincial_transmission"))
    )
    reference = sum(
        p.amount_fen
        for p in result.postings
        if p.charge_code == "interprovincial_reference" and p.side == "debit"
    )
    assert sum(line.amount_fen for line in lines) == -sales - reference


def test_a_contract_nets_to_zero_between_its_sides_but_for_rounding() -> None:
    result, _ = settle(2)
    lines = [line for line in result.lines if line.charge_code == "contract"]
    assert {line.participant_id for line in lines} == {"GRID", "W1", "G1", "G2"}
    assert abs(sum(line.amount_fen for line in lines)) <= len(lines) / 2


def test_capacity_money_goes_to_units_by_available_capacity() -> None:
    result, _ = settle(3)
    lines = {
        line.participant_id: line.amount_fen
        for line in result.lines
        if line.charge_code == "capacity_compensation"
    }
    collected = lines["W1"] + lines["R1"] + lines["GRID"]
    assert lines["G1"] + lines["G2"] == -collected
    assert abs(lines["G1"] - 2 * lines["G2"]) <= 2


def _lose_a_reading(markets: list[MarketDay]) -> None:
    markets[1].use[2, 40] = MISSING


def test_a_missing_reading_makes_what_rests_on_it_missing_and_nothing_else() -> None:
    result, _ = settle(4, change=_lose_a_reading)
    missing = {(line.participant_id, line.charge_code) for line in result.lines if line.amount_fen is None}
    assert ("W1", "energy_real_time") in missing
    assert ("W1", "capacity_compensation") in missing
    assert ("GRID", "loss") in missing
    assert {who for who, code in missing if code == "congestion"} == set(USERS)
    assert {who for who, code in missing if code == "capacity_compensation"} == {"W1", *GENERATORS}
    assert ("R1", "energy_real_time") not in missing
    assert ("W1", "contract") not in missing
    assert sum(posting.amount_fen for posting in result.postings) == 0  # ruling 14


def test_a_whole_month_leaves_no_line_missing() -> None:
    result, _ = settle(4)
    assert all(line.amount_fen is not None for line in result.lines)


def _lose_a_price(markets: list[MarketDay]) -> None:
    markets[0].prices.user_real_time[10] = MISSING


def test_a_missing_user_price_makes_every_users_energy_missing_but_not_the_generators() -> None:
    result, _ = settle(5, change=_lose_a_price)
    of = {(line.participant_id, line.charge_code): line.amount_fen for line in result.lines}
    assert all(of[who, "energy_real_time"] is None for who in USERS)
    assert of["G1", "energy_real_time"] is not None
    assert of["W1", "contract"] is not None


def test_a_loss_outside_its_range_is_said() -> None:
    def starve(markets: list[MarketDay]) -> None:
        markets[0].generation[:] = 0

    codes = {finding.code for finding in settle(6, change=starve)[0].findings}
    assert "loss_out_of_range" in codes


def test_postings_that_do_not_sum_to_zero_fail_the_run() -> None:
    lines = [Line("W1", "contract", None, 1, 500)]
    postings = post(lines, [], MATRIX)
    with pytest.raises(LedgerNotBalancedError, match="instead of 0"):
        assert_balanced(postings[:1], balances(postings, MATRIX, {}, ["W1"]), MATRIX, 1)


def test_a_clearing_account_that_stays_open_fails_the_run() -> None:
    lines = [Line("W1", "capacity_compensation", None, 1, 500)]
    postings = post(lines, [], MATRIX)
    with pytest.raises(LedgerNotBalancedError, match="capacity closes at -500"):
        assert_balanced(postings, balances(postings, MATRIX, {}, ["W1"]), MATRIX, 1)


def test_rounding_beyond_half_a_fen_a_line_fails_the_run() -> None:
    lines = [Line("W1", "contract", None, 1, 500), Line("G1", "contract", None, 1, -497)]
    postings = post(lines, [Movement("rounding_transfer", 3)], MATRIX)
    with pytest.raises(LedgerNotBalancedError, match="half a fen"):
        assert_balanced(postings, balances(postings, MATRIX, {}, ["W1", "G1"]), MATRIX, 2)
