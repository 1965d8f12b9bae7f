"""The same event under every rule, fairness, the interval of the sampled value, sensitivity (F3, 4; C1, C4)."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demand_response.audit import (
    audit,
    distance,
    fairness_index,
    ratios_by,
    sensitivity,
    with_baselines,
    with_loss,
    with_price_rise,
)
from demand_response.baseline import Baseline
from demand_response.events import Event, Program
from demand_response.games import random_arrival, random_arrival_interval
from demand_response.settle import Commitment, judge
from demand_response.sharing import EventCase, EventMarket, Policy, event_response, share

EVENT = Event(event_id="E1", program_id="P1", date=dt.date(2022, 7, 20), first_period=69, last_period=72)
MWH = 1_000_000
STATES = ((Decimal("0.9"), ("east", "west")), (Decimal("0.1"), ("east",)))


def flat(mwh):
    return np.full(96, round(mwh * MWH), dtype=np.int64)


def by_60(load_wh, price, response_wh, headroom):
    return np.where(response_wh > 0, np.minimum(60_000, headroom), 0)


def case(cost_fen, uses, positions, zones=("east", "west", "west"), **changed):
    """Payers p0, p1 ... with flat use and position (its contract) in MWh a quarter-hour; a rise of 60 元/MWh."""
    size = len(uses)
    market = EventMarket(
        payers=tuple(f"p{n}" for n in range(size)),
        use_wh=np.array([flat(mwh) for mwh in uses]),
        day_ahead_wh=np.array([flat(mwh) for mwh in positions]),
        contract_wh=np.array([flat(mwh) for mwh in positions]),
        load_wh=flat(100),
        price_day_ahead=np.full(96, 400_000),
        price_real_time=np.full(96, 440_000),
        nonmarket_wh=np.zeros(size, np.int64),
        zone=tuple(zones[n % len(zones)] for n in range(size)),
    )
    response = event_response(EVENT, [(5 * MWH,) * 4])
    made = EventCase(
        EVENT, cost_fen, response, market, Policy(grid_states=STATES), known_to_day_ahead=False, rise=by_60
    )
    return replace(made, **changed)


# TC-32 in an event: exposures 0, 1, 2 MWh give 0, 240, 480 元
THREE = {"uses": (4, 3, 2), "positions": (4, 2, 0)}


def yuan(column):
    return [fen / 100 for fen in column]


def test_one_event_under_every_rule_of_the_catalogue():
    event = case(360_00, **THREE)
    found = audit(event, share(event))
    charges = {rule: yuan(found.charges[rule]) for rule in found.charges}
    assert charges["two_tranche"] == charges["benefit"] == [0, 120, 240]
    assert charges["consumption"] == charges["users_and_nonmarket_generation"] == [160, 120, 80]  # 4 : 3 : 2
    assert charges["positive_deviation"] == [0, 120, 240]  # (0, 1, 2)
    assert charges["talmud"] == [0, 120, 240]  # half of each benefit, TC-62
    # M8: 0.9 x 4/9 + 0.1 of 360 for p0; 0.9 x 3/9 and 0.9 x 2/9 for the west
    assert charges["zonal"] == [180, 108, 72]
    assert (found.chosen, found.not_applicable) == ("two_tranche", {})


def test_distance_is_in_shares_of_the_cost_and_zero_for_the_same_split():
    event = case(360_00, **THREE)
    found = audit(event, share(event))
    # consumption against benefit: |160 - 0| + 0 + |80 - 240| = 320 of 360
    assert found.distance["consumption"] == Fraction(320, 360)
    assert found.distance["two_tranche"] == found.distance["benefit"] == 0
    assert distance([1], [2], 0) == 0


def test_winners_and_losers_of_another_rule_are_named_with_what_they_gain_or_lose():
    event = case(360_00, **THREE)
    found = audit(event, share(event))
    assert found.losers("consumption", 2) == [("p0", 160_00)]
    assert found.winners("consumption", 2) == [("p2", 160_00)]
    assert found.winners("benefit", 2) == [("", 0)]


def test_a_rule_that_lacks_its_drivers_is_left_out_with_the_reason():
    event = case(360_00, **THREE, policy=Policy(grid_states=((Decimal(1), ("north",)),)))
    found = audit(event, share(event))
    assert "zonal" not in found.charges
    assert "north" in found.not_applicable["zonal"]


def test_the_fairness_index_is_one_where_every_yuan_of_benefit_bears_the_same():
    assert fairness_index({"a": 10, "b": 20}, {"a": 100, "b": 200, "c": 0}) == pytest.approx(1)
    # ratios 0.2 and 0: (0.2)^2 / (2 x 0.04) = 0.5
    assert fairness_index({"a": 20}, {"a": 100, "b": 200}) == pytest.approx(0.5)
    assert fairness_index({"a": 20}, {"a": 0}) is None
    assert fairness_index({}, {"a": 5}) is None


def test_ratios_are_summed_by_class_and_nobody_is_left_out():
    found = ratios_by(
        {"a": 10, "b": 20, "c": 5}, {"a": 100, "b": 100}, {"a": "large", "b": "large", "c": None}
    )
    assert found == {"": (1, 0, 5), "large": (2, 200, 30)}


def test_up_to_twelve_benefits_the_shapley_value_is_exact_and_has_no_interval():
    event = case(360_00, **THREE)
    found = audit(event, share(event))
    assert (found.interval, found.samples) == ({}, 0)


def test_beyond_twelve_benefits_the_sampled_value_comes_with_its_interval():
    event = case(900_00, uses=[n % 5 + 1 for n in range(15)], positions=[0] * 15)
    found = audit(event, share(event), samples=400)
    assert found.samples == 400
    charge = found.charges["shapley"]
    assert all(low <= high for low, high in found.interval.values())
    inside = [low - 1 <= charge[who] <= high + 1 for who, (low, high) in found.interval.items()]
    assert np.mean(inside) > 0.9  # both estimate one value, from 10,000 and from 400 orders


def test_the_interval_holds_the_exact_value_nineteen_times_in_twenty():
    claims = [100, 250, 40, 300, 10, 500, 75]
    exact = random_arrival(600, claims)
    hits = [
        low <= exact[i] <= high
        for seed in range(40)
        for i, (low, _, high) in enumerate(random_arrival_interval(600, claims, 300, seed))
    ]
    assert 0.9 < np.mean(hits) < 0.99
    with pytest.raises(ValueError, match="two samples or more"):
        random_arrival_interval(600, claims, 1, 0)


def test_many_payers_are_given_fewer_samples():
    event = case(900_00, uses=[1] * 30, positions=[0] * 30)
    assert audit(event, share(event), samples=50).samples == 50


def test_dearer_prices_without_the_event_raise_benefit_and_move_the_split():
    event = case(900_00, **THREE)  # benefit 720, residual 180 by use 4 : 3 : 2
    shared = share(event)
    (shift,) = sensitivity(shared, {("price", Fraction(11, 10)): with_price_rise(event, Fraction(11, 10))})
    # benefit 792, residual 108: p0 pays 48 instead of 80, p2 528 + 24 instead of 480 + 40
    assert (shift.cost_fen, shift.benefit_fen) == (900_00, 792_00)
    assert shift.most_more == ("p2", 32_00)
    assert shift.most_less == ("p0", 32_00)
    assert shift.distance == Fraction(64, 900)


def test_a_price_rise_never_passes_the_cap():
    event = case(900_00, **THREE, policy=Policy(price_cap=500_000))
    assert share(with_price_rise(event, 2)).rise_real_time.max() == 60_000


def test_losses_on_the_way_make_the_response_larger_at_the_generators():
    assert with_loss(case(1, **THREE), Fraction(1, 1) / Fraction(97, 100)).response_wh[68] == 5_154_639


PROGRAM = Program(
    program_id="P1",
    kind="emergency",
    product="day_ahead",
    direction="cut",
    price_unit="per_kw_event",
    price_cny=Decimal(10),
)


def test_a_baseline_five_percent_higher_pays_more_and_adds_more_back():
    # baseline 1,000, metered 760: 240 kW of 300 are just valid; 1,050 give 290, 950 give 190 and nothing
    award = Commitment(participant_id="u1", committed_kw=Decimal(300))
    actual = np.full(4, 760.0)
    outcome = judge(EVENT, PROGRAM, award, Baseline(np.full(4, 1000.0), [], {}, 0.0), actual)
    event = case(2_400_00, **THREE)
    more, less = (
        with_baselines(event, EVENT, PROGRAM, [award], [outcome], lambda _: actual, factor)
        for factor in (Decimal("1.05"), Decimal("0.95"))
    )
    assert (more.cost_fen, more.response_wh[68]) == (2_900_00, 72_500)
    assert (less.cost_fen, less.response_wh[68]) == (0, 0)


@settings(max_examples=15)
@given(
    uses=st.lists(st.integers(0, 9), min_size=3, max_size=8),
    positions=st.lists(st.integers(0, 9), min_size=8, max_size=8),
    cost=st.integers(-10_000, 10_000_00),
)
def test_every_rule_closes_the_pool_to_the_fen(uses, positions, cost):
    if not any(uses):
        return
    event = case(cost, uses, positions[: len(uses)])
    found = audit(event, share(event), samples=20)
    assert {int(found.charges[rule].sum()) for rule in found.charges} == {cost}
