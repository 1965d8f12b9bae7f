"""Market operation fees: payers, keys, dates and carry-forward as the charge matrix writes them (market.md B.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_market import FIRST, SD_2022, parties, settle, with_charges

from market.curves import MISSING
from market.money import half_up
from market.profiles import RuleNotInForceError, profile
from settlement.facts import FeeAmount, MonthFacts
from settlement.fees import next_standard
from settlement.market_day import MarketDay
from settlement.month import MonthSettlement
from settlement.pools import Group, shared_by_day

SECOND, THIRD = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
PER_MW = 250_000  # Wh that 1 MW makes in a quarter-hour


def even(markets: list[MarketDay]) -> None:
    """GRID, R1 and W1 use 1, 2 and 1 MW on the first day, 1, 2 and 5 on the others; G1 makes 6, G2 2 MW."""
    for number, market in enumerate(markets):
        for row, mw in enumerate((1, 2, 1 if number == 0 else 5)):
            market.use[row] = mw * PER_MW
        market.generation[0], market.generation[1] = 6 * PER_MW, 2 * PER_MW
        market.schedule[0], market.schedule[1] = 6 * PER_MW, 5 * PER_MW


def fees(*rows: tuple[str, date, str, int]) -> MonthFacts:
    return MonthFacts(fees=tuple(FeeAmount(pool, day, who, fen, "start") for pool, day, who, fen in rows))


def lines(result: MonthSettlement, code: str) -> dict[str, int | None]:
    return {line.participant_id: line.amount_fen for line in result.lines if line.charge_code == code}


def closing(result: MonthSettlement, account: str) -> int:
    return next(one.closing_fen for one in result.accounts if one.account == account)


def test_a_start_is_paid_to_the_unit_and_borne_by_users_and_by_generation_off_its_position_that_day() -> None:
    # second day: users 1 + 2 + 5 MW, G2 is 3 MW off its position, G1 on it: 11 MW bear 1,100.00
    result, _ = settle(1, change=even, facts=fees(("startup_compensation", SECOND, "G1", 110_000)))
    assert lines(result, "startup_compensation") == {"G1": -110_000}
    shares = {"GRID": 10_000, "R1": 20_000, "W1": 50_000, "G2": 30_000}
    assert lines(result, "startup_compensation_share") == shares
    assert closing(result, "startup") == 0


def test_a_daily_fee_is_borne_by_the_days_own_energy_not_the_months() -> None:
    # first day 1 : 2 : 1 of 400 fen, second day 1 : 2 : 5 of 800 fen, to R1 and W1 alone: 3 and 7 parts
    facts = fees(("regulation_opportunity", FIRST, "G1", 300), ("regulation_opportunity", SECOND, "G1", 700))
    result, _ = settle(2, change=even, facts=facts)
    assert lines(result, "regulation_opportunity_share") == {"R1": 200 + 200, "W1": 100 + 500}


def test_the_last_fen_of_a_fee_goes_to_the_largest_remainder() -> None:
    # 100 fen over R1 : W1 = 2 : 1 are 66.67 and 33.33
    result, _ = settle(2, change=even, facts=fees(("regulation_opportunity", FIRST, "G1", 100)))
    assert lines(result, "regulation_opportunity_share") == {"R1": 67, "W1": 33}


def test_half_of_the_units_penalties_returns_to_users_and_half_to_generators_by_the_months_energy() -> None:
    # users over three days 3 : 6 : 11, generators 18 : 6; a penalty of 80.00 is owed by G2
    result, _ = settle(3, change=even, facts=fees(("unit_assessment", THIRD, "G2", -8_000)))
    assert lines(result, "unit_assessment") == {"G2": 8_000}
    shares = {"GRID": -600, "R1": -1_200, "W1": -2_200, "G1": -3_000, "G2": -1_000}
    assert lines(result, "unit_assessment_share") == shares


def test_heating_is_borne_by_coal_units_alone_on_the_days_on_which_they_are_coal() -> None:
    # G1 burns coal all month (18 day-parts), G2 on the third day only (2)
    facts = replace(
        fees(("heating_assessment", FIRST, "G2", 2_000)),
        tariff_class={"G1": ("coal",) * 3, "G2": ("gas", "gas", "coal")},
    )
    result, _ = settle(4, change=even, facts=facts)
    assert lines(result, "heating_assessment_share") == {"G1": 1_800, "G2": 200}


def test_a_fee_without_any_payer_blocks_and_is_charged_to_nobody() -> None:
    result, _ = settle(4, change=even, facts=fees(("heating_assessment", FIRST, "G2", 2_000)))
    assert lines(result, "heating_assessment_share") == {}
    assert [one.severity for one in result.findings if one.code == "pool_without_key"] == ["block"]


def test_a_month_without_fees_has_no_line_of_any_fee() -> None:
    result, _ = settle(4, change=even)
    of_fees = {charge.code for charge in SD_2022.settled[1].charges if charge.fee is not None}
    assert not of_fees & {line.charge_code for line in result.lines}


def test_a_missing_reading_on_the_day_of_a_fee_leaves_every_share_of_it_missing() -> None:
    def lose(markets: list[MarketDay]) -> None:
        even(markets)
        markets[1].use[2, 5] = MISSING

    row = ("regulation_opportunity", SECOND, "G1", 700)
    result, _ = settle(5, change=lose, facts=fees(row))
    assert lines(result, "regulation_opportunity_share") == {"R1": None, "W1": None}
    elsewhere, _ = settle(5, change=lose, facts=fees((row[0], FIRST, *row[2:])))
    assert lines(elsewhere, "regulation_opportunity_share") == {"R1": 467, "W1": 233}


def test_under_a_published_standard_users_pay_the_standard_and_the_account_carries_the_rest() -> None:
    # R1 uses 144 MWh and W1 264 MWh in three days; 5.000 元/MWh are 720.00 and 1,320.00 against a cost of 2,000.00
    facts = replace(
        fees(("regulation_opportunity", SECOND, "G1", 200_000)),
        standards={"regulation_opportunity_share": (5_000,) * 3},
    )
    result, _ = settle(6, change=even, facts=facts, openings={"regulation_opportunity": 1_500})
    assert lines(result, "regulation_opportunity_share") == {"R1": 72_000, "W1": 132_000}
    assert closing(result, "regulation_opportunity") == 1_500 + 200_000 - 204_000


def test_a_standard_that_changes_inside_the_month_is_paid_by_day() -> None:
    # R1 uses 48 MWh a day: one day at 5.000, two at 10.000 元/MWh
    facts = MonthFacts(standards={"regulation_opportunity_share": (5_000, 10_000, 10_000)})
    result, _ = settle(6, change=even, facts=facts)
    assert lines(result, "regulation_opportunity_share")["R1"] == 48 * 500 + 96 * 1000


def test_a_standard_with_a_gap_leaves_the_lines_missing_and_blocks() -> None:
    facts = MonthFacts(standards={"regulation_opportunity_share": (5_000, None, 5_000)})
    result, _ = settle(6, change=even, facts=facts)
    assert lines(result, "regulation_opportunity_share") == {"R1": None, "W1": None}
    assert "standard_missing" in {one.code for one in result.findings}


def test_what_an_account_carries_is_continuous_over_three_months_and_comes_back_by_the_next_standard() -> (
    None
):
    cost, energy_wh = 200_000, 408 * 10**6
    balance, standard = 0, 5_000
    for _ in range(3):
        facts = replace(
            fees(("regulation_opportunity", SECOND, "G1", cost)),
            standards={"regulation_opportunity_share": (standard,) * 3},
        )
        result, _ = settle(7, change=even, facts=facts, openings={"regulation_opportunity": balance})
        (account,) = [one for one in result.accounts if one.account == "regulation_opportunity"]
        assert account.opening_fen == balance
        collected = sum(fen or 0 for fen in lines(result, "regulation_opportunity_share").values())
        assert account.closing_fen == balance + cost - collected
        balance, standard = account.closing_fen, next_standard(cost, account.closing_fen, energy_wh)
    assert abs(balance) <= 21  # half of 0.001 元/MWh on 408 MWh is 20.4 fen


def test_the_next_standard_is_the_estimate_and_what_is_carried_over_the_energy() -> None:
    assert next_standard(200_000, -4_000, 408 * 10**6) == 4_804  # 1,960.00 元 / 408 MWh = 4.80392
    with pytest.raises(ValueError, match="needs energy"):
        next_standard(1, 0, 0)


def test_payers_that_change_inside_the_month_pay_for_their_own_days() -> None:
    def of(kind: str, first: date, after: date | None) -> dict[str, object]:
        return {"valid_from": first, "valid_to": after, "terms": [{"payers": [kind], "by": "use"}]}

    changed = with_charges(SD_2022)
    charges = [
        one.model_copy(
            update={"sharing": type(one).model_validate({**one.model_dump(), "sharing": sharing}).sharing}
        )
        if one.code == "regulation_opportunity_share"
        else one
        for sharing in [[of("retailer", date(2022, 1, 1), SECOND), of("wholesale_user", SECOND, None)]]
        for one in changed.settled[1].charges
    ]
    rules = changed.model_copy(
        update={"matrix": changed.matrix.model_copy(update={"charges": tuple(charges)})}
    )  # type: ignore[union-attr]
    facts = fees(("regulation_opportunity", FIRST, "G1", 300), ("regulation_opportunity", THIRD, "G1", 700))
    result, _ = settle(8, change=even, facts=facts, rules=rules)
    assert lines(result, "regulation_opportunity_share") == {"R1": 300, "W1": 700}


def test_adding_a_fee_with_its_payers_is_data_only() -> None:
    """docs/howto: an account and two rows of charges.yaml, nothing else."""
    common = {
        "subject_code": None,
        "account": "black_start",
        "payers": ["wholesale_user", "generator"],
        "period": "month",
        "clause": "a test",
        "certainty": "design",
    }
    rules = with_charges(
        SD_2022,
        [
            {
                "code": "black_start",
                "name_zh": "黑启动",
                "name_en": "Black start",
                "closes": "zero",
                "rule": "by energy",
            }
        ],
        [
            {
                **common,
                "code": "black_start",
                "name_zh": "黑启动",
                "name_en": "Black start",
                "key": "named",
                "payees": ["generator"],
                "metered": False,
                "fee": {"pools": ["black_start"], "role": "named"},
            },
            {
                **common,
                "code": "black_start_share",
                "name_zh": "黑启动分摊",
                "name_en": "Black start, shared",
                "key": "energy",
                "counter_account": "black_start",
                "metered": True,
                "fee": {"pools": ["black_start"], "role": "shared"},
                "sharing": [
                    {
                        "valid_from": "2022-01-01",
                        "terms": [
                            {"payers": ["wholesale_user"], "by": "use"},
                            {"payers": ["generator"], "by": "generation"},
                        ],
                    }
                ],
            },
        ],
    )
    result, _ = settle(9, change=even, facts=fees(("black_start", FIRST, "G1", 3_500)), rules=rules)
    # W1 11 day-MW, G1 18, G2 6
    assert lines(result, "black_start_share") == {"W1": 1_100, "G1": 1_800, "G2": 600}
    assert lines(result, "black_start") == {"G1": -3_500}
    assert closing(result, "black_start") == 0


def test_a_shared_fee_without_payers_is_refused_when_the_profile_loads() -> None:
    with pytest.raises(ValueError, match="has no sharing"):
        with_charges(
            SD_2022,
            charges=[
                {
                    "code": "x",
                    "subject_code": None,
                    "name_zh": "x",
                    "name_en": "x",
                    "account": "startup",
                    "payers": ["generator"],
                    "payees": ["generator"],
                    "key": "x",
                    "period": "day",
                    "metered": False,
                    "clause": "x",
                    "certainty": "design",
                    "fee": {"pools": ["x"], "role": "shared"},
                }
            ],
        )


def test_a_key_that_a_kind_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="users share by use"):
        with_charges(
            SD_2022,
            charges=[
                {
                    "code": "x",
                    "subject_code": None,
                    "name_zh": "x",
                    "name_en": "x",
                    "account": "startup",
                    "payers": ["retailer"],
                    "payees": ["generator"],
                    "key": "x",
                    "period": "day",
                    "metered": False,
                    "clause": "x",
                    "certainty": "design",
                    "fee": {"pools": ["x"], "role": "shared"},
                    "sharing": [
                        {"valid_from": "2022-01-01", "terms": [{"payers": ["retailer"], "by": "generation"}]}
                    ],
                }
            ],
        )


def test_a_charge_that_no_function_settles_is_refused() -> None:
    rules = with_charges(
        SD_2022,
        charges=[
            {
                "code": "mystery",
                "subject_code": None,
                "name_zh": "x",
                "name_en": "x",
                "account": "startup",
                "payers": ["retailer"],
                "payees": ["generator"],
                "key": "x",
                "period": "day",
                "metered": False,
                "clause": "x",
                "certainty": "design",
            }
        ],
    )
    with pytest.raises(ValueError, match="mystery, which no function settles"):
        settle(1, rules=rules)


def test_a_day_before_any_sharing_is_refused_and_a_profile_can_reach_back() -> None:
    sd_2025 = profile("SD_2025")
    with pytest.raises(RuleNotInForceError, match="hold on 2022-07-01"):
        settle(1, facts=fees(("excess_profit_recovery", FIRST, "G1", -100)), rules=sd_2025)
    reaching = sd_2025.reaching_back_to(FIRST)
    result, _ = settle(
        1, change=even, facts=fees(("excess_profit_recovery", FIRST, "G1", -100)), rules=reaching
    )
    assert lines(result, "excess_profit_recovery_share") == {"GRID": -25, "R1": -50, "W1": -25}
    assert sd_2025.in_force_from == date(2025, 12, 1)
    assert sd_2025.reaching_back_to(date(2026, 1, 1)) == sd_2025


def test_capacity_money_without_a_unit_that_has_capacity_blocks_instead_of_failing() -> None:
    result, _ = settle(3, who=parties(capacity_mw_micro={}))
    assert "pool_without_key" in {one.code for one in result.findings}
    assert set(lines(result, "capacity_compensation")) == {"GRID", "R1", "W1"}
    assert Decimal(sum(one.amount_fen for one in result.postings)) == 0


@given(
    st.integers(0, 10**15),
    st.lists(st.integers(0, 10**12), min_size=1, max_size=6).filter(any),
    st.sampled_from((1, 10**5)),
)
def test_a_days_share_is_the_exact_quotient_rounded_half_up(fen: int, weights: list[int], scale: int) -> None:
    """In steps inside int64 and, for very large keys, in Python's own whole numbers."""
    keys = [weight * scale for weight in weights]
    group = Group(1, tuple("abcdef"[: len(keys)]), np.array([keys]).T, np.zeros((len(keys), 1), np.bool_))
    fen = fen % 10**10  # a pool of a day stays below 100 million yuan
    shares = shared_by_day(fen, group, 0, "x") if fen else []
    assert list(shares) == [half_up(Fraction(fen * 10**7 * key, sum(keys))) for key in keys][: len(shares)]
    assert fen == 0 or list(shared_by_day(-fen, group, 0, "x")) == [-share for share in shares]
