"""Whatever the market: the books of the first layer balance, close by their rule, and know no order of rows."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_markets import PROFILES, World, reordered, split, world

from settlement.ledger import participant_account
from settlement.month import MonthSettlement

SEEDS = st.integers(0, 10**9)
BOTH = pytest.mark.parametrize("name", sorted(PROFILES))
FEW_FEN = 6  # lines round once each, and what is shared rests on rounded lines

Totals = dict[tuple[str, str], int]


def by_line(result: MonthSettlement) -> Totals:
    assert all(line.amount_fen is not None for line in result.lines)
    return {(line.participant_id, line.charge_code): line.amount_fen or 0 for line in result.lines}


def not_additive(one: World) -> set[str]:
    return {charge.code for charge in one.rules.settled[1].charges if not charge.additive}


@BOTH
@given(SEEDS)
def test_postings_sum_to_zero_and_every_clearing_account_closes_by_its_rule(name: str, seed: int) -> None:
    one = world(seed, name)
    result = one.settle({"startup": 12_345, "rounding": 3})
    assert sum(posting.amount_fen for posting in result.postings) == 0
    matrix = one.rules.settled[1]
    accounts = {account.account: account for account in result.accounts}
    unpaid = {
        matrix.charge(found.subject).account for found in result.findings if found.code == "pool_without_key"
    }
    moved: dict[str, int] = defaultdict(int)
    account_of = {charge.code: charge.account for charge in matrix.charges}
    for (_, code), fen in by_line(result).items():
        moved[account_of[code]] -= fen
    for account in matrix.accounts:
        if account.code in unpaid or account.code == "rounding":
            continue
        if account.closes == "zero":
            assert accounts[account.code].closing_fen == 0, account.code
        else:
            assert accounts[account.code].movement_fen == moved[account.code], account.code


@BOTH
@given(SEEDS)
def test_a_participants_account_is_the_sum_of_its_lines(name: str, seed: int) -> None:
    result = world(seed, name).settle()
    due: dict[str, int] = defaultdict(int)
    for (who, _), fen in by_line(result).items():
        due[participant_account(who)] += fen
    own = {one.account: one.closing_fen for one in result.accounts if one.account.startswith("participant:")}
    assert own == dict(due)
    assert len(by_line(result)) == len(result.lines)  # one line a participant and charge


@BOTH
@given(SEEDS, SEEDS)
def test_the_order_of_rows_and_participants_does_not_matter(name: str, seed: int, order: int) -> None:
    one = world(seed, name)
    assert by_line(reordered(one, order).settle()) == by_line(one.settle())


@BOTH
@settings(max_examples=10)
@given(SEEDS)
def test_what_an_account_carries_is_the_next_months_opening_over_three_months(name: str, seed: int) -> None:
    matrix = PROFILES[name].settled[1]
    carrying = {account.code for account in matrix.accounts if account.closes == "carry_forward"}
    openings = dict.fromkeys(carrying, 0)
    total = dict.fromkeys(carrying, 0)
    for month in range(3):
        result = world(seed + month, name).settle(openings)
        for account in result.accounts:
            if account.account in carrying:
                assert account.opening_fen == openings[account.account]
                total[account.account] += account.movement_fen
        openings = {one.account: one.closing_fen for one in result.accounts if one.account in carrying}
    assert openings == total


@BOTH
@given(SEEDS, st.sampled_from(["W1", "V1", "S1"]))
def test_splitting_a_participant_changes_only_lines_whose_rule_is_not_additive(
    name: str, seed: int, who: str
) -> None:
    one = world(seed, name)
    assume(who in one.parties.kind)
    whole, apart = by_line(one.settle()), by_line(split(one, who, (who, f"{who}B")).settle())
    together: Totals = defaultdict(int)
    for (part, code), fen in apart.items():
        together[who if part == f"{who}B" else part, code] += fen
    changed = {
        code
        for key in whole.keys() | together.keys()
        if abs(whole.get(key, 0) - together.get(key, 0)) > FEW_FEN
        for code in key[1:]
    }
    assert changed <= not_additive(one)


@BOTH
@given(SEEDS)
def test_every_line_is_of_a_kind_that_its_charge_names(name: str, seed: int) -> None:
    one = world(seed, name)
    matrix = one.rules.settled[1]
    for line in one.settle().lines:
        charge = matrix.charge(line.charge_code)
        kind = one.parties.kind.get(line.participant_id)
        named = {*charge.payers, *charge.payees}
        assert kind is None or kind in named, (line.participant_id, line.charge_code)


def test_every_kind_that_holds_a_position_is_drawn_within_twenty_markets_and_left_out_of_some() -> None:
    drawn = [set(world(seed, "SD_2022").parties.kind.values()) for seed in range(20)]
    always = {"grid_company", "retailer", "wholesale_user", "generator"}
    assert set.union(*drawn) == always | {"storage", "vpp"}
    assert set.intersection(*drawn) == always


def test_the_deviation_band_is_a_rule_that_splitting_changes_and_the_profile_names_it() -> None:
    named = not_additive(world(0, "SD_2025"))
    assert {"deviation_recovery_users", "deviation_recovery_return", "month_adjustment"} <= named
    assert "energy_real_time" not in named


@given(SEEDS)
def test_without_energy_outside_the_market_residents_pay_the_user_price_under_both_rules(seed: int) -> None:
    """SD25 保障性购电成本 with no non-market energy is ruling 31, and nothing is left as curve mismatch."""
    from dataclasses import replace

    import numpy as np

    one = world(seed, "SD_2025")
    none = replace(one, days=tuple(replace(day, nonmarket=np.zeros_like(day.generation)) for day in one.days))
    lines = by_line(none.settle())
    nano = sum(int(day.residents @ day.prices.user_real_time) for day in none.days)
    assert abs(lines["GRID", "guaranteed_purchase"] * 10**7 - nano) <= 5 * 10**6
    assert "curve_mismatch" not in {code for _, code in lines}


def test_a_split_that_moves_contracts_away_from_their_energy_changes_the_recovery_and_its_return() -> None:
    one = world(59, "SD_2025")
    whole, apart = by_line(one.settle()), by_line(split(one, "W1", ("W1", "W1B")).settle())

    def recovered(lines: Totals) -> int:
        return sum(fen for (_, code), fen in lines.items() if code == "deviation_recovery_users")

    assert abs(recovered(whole) - recovered(apart)) > FEW_FEN
