"""Who bears the gain or loss of inter-provincial purchases, under each policy (market.md A.11; ruling 5)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_market import FIRST, GENERATORS, POLICIES, SD_2022, USERS, parties, settle, trade, under

from market.curves import MISSING
from market.money import half_up
from market.profiles import Charge, RuleProfile
from settlement.ledger import Line
from settlement.market_day import MarketDay
from settlement.month import MonthSettlement
from settlement.passthrough import CODE, Keys, gain_loss_lines, shares_of
from settlement.purchases import by_stage

AGENCY = ("A1", "A2")


def of(result: MonthSettlement, code: str) -> dict[str, Line]:
    return {line.participant_id: line for line in result.lines if line.charge_code == code}


def charge_under(policy: str) -> Charge:
    return under(policy).settled[1].charge(CODE)


def keys(**changes: object) -> Keys:
    values = {
        "users": {"GRID": 400, "R1": 1000, "W1": 2000},
        "generators": {"G1": 2500, "G2": 1500},
        "deviation": {"GRID": 10, "R1": 0, "W1": 30},
    }
    return Keys(**{**values, **changes})  # type: ignore[arg-type]


def shared(policy: str, pool: int | None, of_keys: Keys | None = None) -> dict[str, int | None]:
    lines, _ = gain_loss_lines(pool, charge_under(policy), parties(), of_keys or keys())
    return {line.participant_id: line.amount_fen for line in lines}


def test_a_pool_of_100_yuan_under_each_policy_by_hand() -> None:
    # agency users 3 : 5; users 400 : 1000 : 2000 of 3,400; generators 2500 : 1500; all 7,400; deviation 10 : 0 : 30
    assert shared("agency_users", 10_000) == {"A1": 3750, "A2": 6250}
    assert shared("gens_users_1to1", 10_000) == {
        "G1": 3125,  # 5,000 · 2500/4000
        "G2": 1875,
        "GRID": 588,  # 5,000 · 400/3400 = 588.235
        "R1": 1471,  # 1,470.588, the larger remainder takes one of the two fen that are left
        "W1": 2941,  # 2,941.176
    }
    assert shared("curve_matching_all", 10_000) == {
        "G1": 3378,  # 10,000 · 2500/7400 = 3,378.378
        "G2": 2027,  # 2,027.027
        "GRID": 541,  # 540.541
        "R1": 1351,  # 1,351.351
        "W1": 2703,  # 2,702.703
    }
    assert shared("market_users_by_positive_deviation", 10_000) == {"GRID": 2500, "R1": 0, "W1": 7500}


@pytest.mark.parametrize("policy", POLICIES)
@given(seed=st.integers(0, 10**6))
def test_the_books_close_to_the_fen_under_every_policy(policy: str, seed: int) -> None:
    result, _ = settle(seed, rules=under(policy))
    assert sum(posting.amount_fen for posting in result.postings) == 0
    closing = {balance.account: balance.closing_fen for balance in result.accounts}
    for account in SD_2022.settled[1].accounts:
        if account.closes == "zero":
            assert closing[account.code] == 0, account.code


@given(seed=st.integers(0, 10**6))
def test_a_policy_moves_the_gain_or_loss_and_not_a_fen_of_anything_else(seed: int) -> None:
    results = [settle(seed, rules=under(policy))[0] for policy in POLICIES]
    pools = {sum(line.amount_fen or 0 for line in of(result, CODE).values()) for result in results}
    assert len(pools) == 1
    others = [{line for line in result.lines if line.charge_code != CODE} for result in results]
    assert others[0] == others[1] == others[2] == others[3]


def test_each_policy_charges_its_payers_and_nobody_else() -> None:
    payers = {policy: tuple(of(settle(7, rules=under(policy))[0], CODE)) for policy in POLICIES}
    assert payers == {
        "agency_users": AGENCY,
        "gens_users_1to1": (*GENERATORS, *USERS),
        "curve_matching_all": (*GENERATORS, *USERS),
        "market_users_by_positive_deviation": USERS,
    }


def test_the_positive_deviation_is_floored_in_each_quarter_hour_before_it_is_summed() -> None:
    result, markets = settle(8, rules=under("market_users_by_positive_deviation"))
    by_hand = dict.fromkeys(USERS, 0)
    for day in markets:
        for row, who in enumerate(USERS):
            pairs = zip(day.use[row].tolist(), day.position[row].tolist(), strict=True)
            by_hand[who] += sum(max(used - bought, 0) for used, bought in pairs)
    assert {who: line.quantity_wh for who, line in of(result, CODE).items()} == by_hand


def test_a_user_who_buys_what_it_uses_has_no_positive_deviation_and_pays_nothing() -> None:
    def exact(markets: list[MarketDay]) -> None:
        for day in markets:
            day.position[2] = day.use[2]

    result, _ = settle(9, rules=under("market_users_by_positive_deviation"), change=exact)
    assert of(result, CODE)["W1"].amount_fen == 0
    assert of(result, CODE)["R1"].amount_fen != 0


def test_the_deviation_is_not_measured_where_no_policy_asks_for_it() -> None:
    lines, _ = gain_loss_lines(5, charge_under("agency_users"), parties(), keys(deviation={}))
    assert sum(line.amount_fen or 0 for line in lines) == 5
    with pytest.raises(ValueError, match="positive_deviation=True"):
        shared("market_users_by_positive_deviation", 5, keys(deviation={}))


def _all_exact(markets: list[MarketDay]) -> None:
    for day in markets:
        day.position[:] = day.use


def test_where_nobody_deviates_all_users_bear_it_by_monthly_energy_and_it_is_said() -> None:
    result, markets = settle(10, rules=under("market_users_by_positive_deviation"), change=_all_exact)
    lines = of(result, CODE)
    energy = {who: int(sum(day.use[row].sum() for day in markets)) for row, who in enumerate(USERS)}
    assert {who: line.quantity_wh for who, line in lines.items()} == energy
    pool = sum(line.amount_fen or 0 for line in lines.values())
    for who, line in lines.items():
        assert abs(line.amount_fen - Fraction(pool * energy[who], sum(energy.values()))) < 1  # type: ignore[operator]
    (said,) = [finding for finding in result.findings if finding.code == "passthrough_key_zero"]
    assert said.amount_at_stake_fen == abs(pool)
    assert sum(posting.amount_fen for posting in result.postings) == 0


def test_agency_users_without_energy_leave_the_pool_to_all_users_and_it_is_said() -> None:
    nothing = parties(agency_energy={"A1": 0, "A2": 0})
    result, _ = settle(11, who=nothing)
    assert set(of(result, CODE)) == set(USERS)
    assert "passthrough_key_zero" in {finding.code for finding in result.findings}


def test_a_province_without_agency_users_leaves_the_pool_to_all_users() -> None:
    result, _ = settle(11, who=parties(agency_energy={}))
    assert set(of(result, CODE)) == set(USERS)


def test_the_half_of_idle_generators_is_borne_by_users_too() -> None:
    idle = keys(generators={"G1": 0, "G2": 0})
    shares, findings = shares_of(10_001, charge_under("gens_users_1to1"), parties(), idle)
    assert [(share.group, share.pool_fen) for share in shares] == [("users", 5000), ("residual", 5001)]
    assert [finding.code for finding in findings] == ["passthrough_key_zero"]
    assert sum(fen or 0 for fen in shared("gens_users_1to1", 10_001, idle).values()) == 10_001


def test_with_keys_nothing_is_said_about_them() -> None:
    for policy in POLICIES:
        assert shares_of(10_000, charge_under(policy), parties(), keys())[1] == []


def test_a_pool_of_nothing_needs_no_key_and_says_nothing() -> None:
    lines, findings = gain_loss_lines(
        0, charge_under("agency_users"), parties(agency_energy={"A1": 0, "A2": 0}), keys()
    )
    assert [(line.participant_id, line.amount_fen) for line in lines] == [("A1", 0), ("A2", 0)]
    assert findings == []


def test_a_pool_that_nobody_can_bear_is_refused_with_a_sentence() -> None:
    nobody = keys(users=dict.fromkeys(USERS, 0))
    with pytest.raises(ValueError, match=r"100\.00 元 .* cannot be passed on"):
        gain_loss_lines(10_000, charge_under("agency_users"), parties(agency_energy={}), nobody)


@pytest.mark.parametrize(
    ("policy", "unknown"),
    [
        ("gens_users_1to1", {"generators": {"G1": None, "G2": 5}}),
        ("curve_matching_all", {"users": {"GRID": None, "R1": 1, "W1": 1}}),
        ("market_users_by_positive_deviation", {"deviation": {"GRID": 1, "R1": None, "W1": 1}}),
    ],
)
def test_one_unknown_key_makes_every_share_missing_and_none_zero(policy: str, unknown: dict) -> None:
    shares = shared(policy, 10_000, keys(**unknown))
    assert len(shares) >= 3
    assert set(shares.values()) == {None}  # decision 0003


def test_an_unknown_pool_makes_every_share_missing_even_without_payers() -> None:
    assert shared("agency_users", None) == {"A1": None, "A2": None}
    lines, _ = gain_loss_lines(None, charge_under("agency_users"), parties(agency_energy={}), keys())
    assert {line.participant_id: line.amount_fen for line in lines} == dict.fromkeys(USERS)


def test_a_missing_position_blocks_the_deviation_policy_and_no_other() -> None:
    def lose_a_position(markets: list[MarketDay]) -> None:
        markets[0].position[1, 3] = MISSING

    result, _ = settle(12, rules=under("market_users_by_positive_deviation"), change=lose_a_position)
    assert {line.amount_fen for line in of(result, CODE).values()} == {None}
    result, _ = settle(12, rules=under("curve_matching_all"), change=lose_a_position)
    assert None not in {line.amount_fen for line in of(result, CODE).values()}


# --- Payers are data ---------------------------------------------------------------------------------------------


def test_a_policy_without_payers_is_refused_when_the_profile_loads() -> None:
    raw = charge_under("agency_users").model_dump()
    raw["other_policies"]["curve_matching_all"]["payers"] = ()
    with pytest.raises(ValueError, match="no payers under curve_matching_all"):
        Charge.model_validate(raw)


def test_a_policy_that_the_charges_do_not_know_is_refused_when_the_profile_loads() -> None:
    raw = SD_2022.model_dump()
    raw["provincial"] = under("curve_matching_all").provincial
    raw["interprovincial"] = SD_2022.interprovincial
    (gain_loss,) = [charge for charge in raw["matrix"]["charges"] if charge["code"] == CODE]
    del gain_loss["other_policies"]["curve_matching_all"]
    with pytest.raises(ValueError, match="add its terms to other_policies"):
        RuleProfile.model_validate(raw)


def test_a_policy_needs_someone_who_pays_what_its_key_cannot_place() -> None:
    raw = charge_under("agency_users").model_dump()
    raw["residual_payers"] = ()
    with pytest.raises(ValueError, match="residual_payers"):
        Charge.model_validate(raw)


def test_a_kind_whose_energy_nobody_settles_cannot_be_named_a_payer() -> None:
    charge = charge_under("agency_users").model_copy(update={"payers": ("residents",)})
    with pytest.raises(ValueError, match="residents cannot pay"):
        gain_loss_lines(1, charge, parties(), keys())


def test_every_policy_cites_its_clause_on_the_lines() -> None:
    clauses = {policy: charge_under(policy).clause for policy in POLICIES}
    assert len(set(clauses.values())) == 4
    assert "SX15" in clauses["gens_users_1to1"]
    assert "SD25" in clauses["curve_matching_all"]


# --- Who buys for itself -----------------------------------------------------------------------------------------


def test_a_direct_buyer_bears_its_own_gain_or_loss_and_agency_users_the_rest() -> None:
    own = trade(FIRST, "intraday", 40, 100, 300, buyer="W1")
    alone, _ = settle(13)
    result, markets = settle(13, more=[own])
    # 100 MW · 0.93 / 4 = 23.25 MWh; landed (300 + 47.244)/0.93 · 23.25 = 25 · 347.244 = 8,681.10 元
    reference = 23_250_000 * int(markets[0].prices.user_real_time[39])
    line = of(result, "interprovincial_direct")["W1"]
    assert line.amount_fen == half_up(Fraction(868_110) - Fraction(reference, 10**7))
    assert line.quantity_wh == 23_250_000
    before = sum(line.amount_fen or 0 for line in of(alone, CODE).values())
    after = sum(line.amount_fen or 0 for line in of(result, CODE).values())
    assert abs(after - before) <= 2  # the fen of rounding the sale, the section and the reference once more
    assert sum(posting.amount_fen for posting in result.postings) == 0


def test_without_a_direct_buyer_nobody_has_a_direct_line() -> None:
    assert of(settle(13)[0], "interprovincial_direct") == {}


# --- Stages, and what is not known -------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6))
def test_day_ahead_and_intraday_are_valued_apart_and_add_up_to_the_pool(seed: int) -> None:
    result, markets = settle(seed)
    stages = {one.stage: one for one in by_stage(result.purchases)}
    for stage, price in (("day_ahead", "user_day_ahead"), ("intraday", "user_real_time")):  # ruling 5
        by_hand = sum(
            wh * p
            for day in markets
            for wh, p in zip(
                getattr(day, f"import_{stage}").tolist(), getattr(day.prices, price).tolist(), strict=True
            )
        )
        assert stages[stage].reference_nano == by_hand
    exact = sum((one.gain_loss_cny for one in result.purchases), Fraction(0))  # type: ignore[misc]
    pool = sum(line.amount_fen or 0 for line in of(result, CODE).values())
    assert abs(exact * 100 - pool) <= 2  # three sale and section lines and the reference, half a fen each


def test_a_path_without_costs_leaves_owner_and_pool_missing_and_pays_the_seller() -> None:
    day = date(2022, 7, 2)
    result, _ = settle(14, without_costs=frozenset({day}))
    amounts = {(line.participant_id, line.charge_code): line.amount_fen for line in result.lines}
    assert amounts["OWNER", "interprovincial_transmission"] is None
    assert {amounts[who, CODE] for who in AGENCY} == {None}
    assert amounts["OUT", "interprovincial_sale_day_ahead"] is not None
    assert amounts["W1", "congestion"] is not None
    assert sum(posting.amount_fen for posting in result.postings) == 0  # ruling 14
    owner = [series for series in result.daily if series.participants == ("OWNER",)]
    assert {series.days[0]: bool(np.any(series.missing)) for series in owner} == {
        FIRST: False,
        day: True,
        date(2022, 7, 3): False,
    }


def test_a_direct_buyer_on_a_path_without_costs_has_a_missing_line() -> None:
    own = trade(FIRST, "intraday", 40, 100, 300, buyer="W1")
    result, _ = settle(14, more=[own], without_costs=frozenset({FIRST}))
    assert of(result, "interprovincial_direct")["W1"].amount_fen is None
