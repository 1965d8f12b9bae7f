"""Who pays: TC-30, TC-31, TC-32, TC-35 to TC-37, TC-66, ruling 27, and invariants I1 to I3, I7."""

from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demand_response.allocation import EXACT_CLAIMS, RULES, allocate, zonal
from market.money import apportion

RESIDUAL_RULES = ["consumption", "users_and_nonmarket_generation"]


def drivers(ids="abcdef", **columns):
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"participant_id": list(ids)[:count], **columns})


def charges(result, tranche=None):
    rows = result if tranche is None else result[result["tranche"] == tranche]
    return rows.groupby("participant_id")["charge_fen"].sum().to_dict()


def test_tc30_cost_by_consumption_leaves_out_who_used_nothing():
    result = allocate(9000, drivers(consumption_wh=[300, 600, 0]), "consumption")
    assert result["charge_fen"].tolist() == [3000, 6000, 0]
    assert result["tranche"].unique().tolist() == ["consumption"]
    assert result["driver"].tolist() == [300, 600, 0]


def test_tc31_only_positive_deviations_pay():
    result = allocate(9000, drivers(deviation_wh=[30, -10, 60, 0]), "positive_deviation")
    assert result["charge_fen"].tolist() == [3000, 0, 6000, 0]


def test_tc31_without_a_positive_deviation_the_residual_rule_decides():
    nobody_short = drivers(deviation_wh=[-30, 0], consumption_wh=[100, 200])
    result = allocate(9000, nobody_short, "positive_deviation", "consumption")
    assert result["tranche"].tolist() == ["residual", "residual"]
    assert result["charge_fen"].tolist() == [3000, 6000]


@pytest.mark.parametrize("rule", ["benefit", "two_tranche", "talmud", "shapley"])
def test_tc32_and_tc66_benefits_floored_at_zero_pay_and_the_null_player_does_not(rule):
    # TC-32: 60 x (400 - 400, 300 - 200, 200 - 0, 50 - 70) = 0, 6,000, 12,000, -1,200
    result = allocate(9000, drivers(benefit_fen=[0, 6000, 12000, -1200]), rule)
    assert result["charge_fen"].tolist() == [0, 3000, 6000, 0]
    assert result["tranche"].unique().tolist() == ["benefit"]
    assert result["driver"].tolist() == [0, 6000, 12000, 0]


def test_tc35_users_and_non_market_generation_share():
    payers = drivers(["u1", "u2", "g1"], consumption_wh=[70, 20, 0], nonmarket_generation_wh=[0, 0, 10])
    assert charges(allocate(1000, payers, "users_and_nonmarket_generation")) == {
        "u1": 700,
        "u2": 200,
        "g1": 100,
    }


def test_tc36_the_odd_fen_goes_to_the_first_participant_id():
    result = allocate(10_000, drivers("cab", consumption_wh=[5, 5, 5]), "consumption")
    assert charges(result) == {"a": 3334, "b": 3333, "c": 3333}


@pytest.mark.parametrize("rule", ["benefit", "two_tranche", "talmud", "shapley"])
def test_a_cost_above_all_benefits_leaves_a_residual_and_overcharges_nobody(rule):
    payers = drivers(
        benefit_fen=[100, 200, 0], consumption_wh=[0, 10, 20], nonmarket_generation_wh=[0, 0, 10]
    )
    result = allocate(900, payers, rule)
    assert charges(result, "benefit") == {"a": 100, "b": 200, "c": 0}
    assert charges(result, "residual") == {"a": 0, "b": 150, "c": 450}  # 600 x 10 and 30 of 40


def test_the_talmud_and_shapley_rules_differ_from_the_proportional_one():
    # TC-60: C = 100 over b = 100, 200, 300
    payers = drivers(benefit_fen=[100, 200, 300])
    assert charges(allocate(100, payers, "two_tranche")) == {"a": 17, "b": 33, "c": 50}
    for rule in ("talmud", "shapley"):
        assert charges(allocate(100, payers, rule)) == {"a": 34, "b": 33, "c": 33}


def test_shapley_is_sampled_beyond_twelve_claims_and_repeats_itself():
    claims = [1000 + 37 * i for i in range(EXACT_CLAIMS + 1)]
    payers = drivers("abcdefghijklm", benefit_fen=claims)
    first, again = (allocate(9_999, payers, "shapley") for _ in range(2))
    assert first["charge_fen"].tolist() == again["charge_fen"].tolist()
    assert first["charge_fen"].sum() == 9_999
    assert (first["charge_fen"] <= first["driver"]).all()
    exact = drivers("abcdefghijkl", benefit_fen=claims[:EXACT_CLAIMS])
    assert allocate(9_999, exact, "shapley")["charge_fen"].sum() == 9_999


def test_no_cost_gives_every_payer_a_zero_row():
    result = allocate(0, drivers(benefit_fen=[0, -5]))
    assert result[["tranche", "charge_fen"]].values.tolist() == [["benefit", 0], ["benefit", 0]]


def test_a_residual_that_nobody_can_bear_is_refused():
    payers = drivers(benefit_fen=[10, 0], consumption_wh=[0, -5], nonmarket_generation_wh=[0, 0])
    with pytest.raises(ValueError, match="20 fen of 30 cannot be placed: rule two_tranche leaves them"):
        allocate(30, payers)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: allocate(1, drivers(consumption_wh=[1]), "equal"), "Allocation rule 'equal' is not known"),
        (lambda: allocate(1, drivers(consumption_wh=[1]), "consumption", "benefit"), "Residual rule 'benefit'"),
        (lambda: allocate(1, drivers(consumption_wh=[1])), "no column benefit_fen, which rule two_tranche needs"),
        (lambda: allocate(1, drivers(consumption_wh=[1.5]), "consumption"), "consumption_wh of participant a is 1.5"),
        (lambda: allocate(1, drivers(consumption_wh=[None]), "consumption"), "a missing one must be settled"),
        (lambda: allocate(1, drivers("aa", consumption_wh=[1, 2]), "consumption"), "a is missing or stands twice"),
        (lambda: allocate(1.5, drivers(consumption_wh=[1]), "consumption"), "give whole fen"),
        (lambda: allocate(1, pd.DataFrame({"consumption_wh": [1]}), "consumption"), "no column participant_id"),
        (lambda: zonal(1, drivers(consumption_wh=[1]), [(1, frozenset("x"))]), "no column zone"),
        (lambda: zonal(1, drivers(consumption_wh=[1], zone=["x"]), [(Decimal("0.9"), frozenset("x"))]), "sum to 1"),
        (lambda: zonal(1, drivers(consumption_wh=[1], zone=["x"]), [(1, frozenset("y"))]), "must name a zone with load"),
    ],
)  # fmt: skip
def test_a_bad_argument_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_zonal_rule_weighs_load_shares_by_how_often_the_interface_binds():
    # M8: west a 100, b 300; east c 600. 60 % no constraint: all share; 40 %: only the west benefits
    # a: 0.6 x 100/1000 + 0.4 x 100/400 = 0.16, b 0.48, c 0.36
    payers = drivers(zone=["west", "west", "east"], consumption_wh=[100, 300, 600])
    states = [(Decimal("0.6"), frozenset({"west", "east"})), (Decimal("0.4"), frozenset({"west"}))]
    result = zonal(10_000, payers, states)
    assert charges(result) == {"a": 1600, "b": 4800, "c": 3600}
    assert result["tranche"].unique().tolist() == ["zonal"]
    assert charges(zonal(-10_000, payers, states)) == {"a": -1600, "b": -4800, "c": -3600}


whole = st.integers(-(10**9), 10**9)
payers_table = st.lists(st.tuples(whole, whole, whole, whole), min_size=1, max_size=8).map(
    lambda rows: pd.DataFrame(
        [(f"p{i}", *row) for i, row in enumerate(rows)],
        columns=[
            "participant_id",
            "benefit_fen",
            "consumption_wh",
            "deviation_wh",
            "nonmarket_generation_wh",
        ],
    )
)
somebody = pd.DataFrame([("z", 0, 1, 0, 0)], columns=["participant_id", "benefit_fen", "consumption_wh",
                                                      "deviation_wh", "nonmarket_generation_wh"])  # fmt: skip


@given(
    payers=payers_table, cost=st.integers(-(10**12), 10**12), rule=st.sampled_from(RULES),
    residual=st.sampled_from(RESIDUAL_RULES), order=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_i1_i2_i3_charges_sum_to_the_cost_none_exceeds_its_benefit_and_row_order_is_irrelevant(
    payers, cost, rule, residual, order
):
    payers = pd.concat([payers, somebody], ignore_index=True)
    result = allocate(cost, payers, rule, residual)
    assert result["charge_fen"].sum() == cost  # I1, budget balance
    assert (result["charge_fen"] * (1 if cost >= 0 else -1) >= 0).all()
    assert (result.loc[result["driver"] == 0, "charge_fen"] == 0).all()  # I3, null player
    in_benefit = result[result["tranche"] == "benefit"]
    assert (in_benefit["charge_fen"].abs() <= in_benefit["driver"]).all()  # I2, individual rationality
    assert (result.groupby("tranche")["participant_id"].nunique() == len(payers)).all()
    shuffled = payers.sample(frac=1, random_state=order)
    pd.testing.assert_frame_equal(allocate(cost, shuffled, rule, residual), result)  # I3
    pd.testing.assert_frame_equal(
        allocate(-cost, payers, rule, residual), result.assign(charge_fen=-result["charge_fen"])
    )


@given(
    payers=payers_table,
    cost=st.integers(0, 10**9),
    rule=st.sampled_from(["consumption", "positive_deviation", "users_and_nonmarket_generation"]),
)
@settings(max_examples=25, deadline=None)
def test_i3_kilowatt_hours_or_watt_hours_give_the_same_charges(payers, cost, rule):
    payers = pd.concat([payers, somebody.assign(deviation_wh=1)], ignore_index=True)
    in_smaller_units = payers.copy()
    for column in ("consumption_wh", "deviation_wh", "nonmarket_generation_wh"):
        in_smaller_units[column] *= 1000
    one, other = allocate(cost, payers, rule), allocate(cost, in_smaller_units, rule)
    assert one["charge_fen"].tolist() == other["charge_fen"].tolist()


@given(
    benefits=st.lists(st.integers(0, 10**6), min_size=2, max_size=6),
    share=st.fractions(0, 1),
    cost=st.integers(0, 10**7),
)
@settings(max_examples=25, deadline=None)
def test_i7_splitting_a_payer_moves_at_most_rounding_under_the_default_rule(benefits, share, cost):
    use = [b + 1 for b in benefits]
    whole_payer = drivers(benefit_fen=benefits, consumption_wh=use, nonmarket_generation_wh=[0] * len(use))
    part_b, part_use = int(benefits[0] * share), int(use[0] * share)
    halves = drivers(
        "abcdefgh",
        benefit_fen=[part_b, benefits[0] - part_b, *benefits[1:]],
        consumption_wh=[part_use, use[0] - part_use, *use[1:]],
        nonmarket_generation_wh=[0] * (len(use) + 1),
    )
    before, after = charges(allocate(cost, whole_payer)), charges(allocate(cost, halves))
    assert abs(before["a"] - after["a"] - after["b"]) <= 4  # half a fen per row and tranche


def test_symmetry_equal_drivers_differ_by_at_most_one_fen():
    for rule in ("two_tranche", "talmud", "shapley"):
        result = allocate(1000, drivers(benefit_fen=[700] * 6), rule)
        assert result["charge_fen"].max() - result["charge_fen"].min() <= 1


def test_tc37_two_hours_sum_to_the_month_before_rounding():
    use, hours = [300, 600, 100], [7_001, 1_998]
    unrounded = [[Fraction(cost * w, sum(use)) for w in use] for cost in hours]
    month = [Fraction(sum(hours) * w, sum(use)) for w in use]
    assert [sum(parts) for parts in zip(*unrounded, strict=True)] == month
    # rounded hour by hour the sums may move by a fen each, which is why an event is rounded once (ruling 26)
    apart = [apportion(cost, use, ["a", "b", "c"]) for cost in hours]
    once = apportion(sum(hours), use, ["a", "b", "c"])
    assert all(
        abs(sum(parts) - part) <= 1 for parts, part in zip(zip(*apart, strict=True), once, strict=True)
    )
