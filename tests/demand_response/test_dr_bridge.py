"""From the provisional settlement to the final one: every fen of the difference has a cause."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from demand_response.allocation import allocate
from demand_response.baseline import Baseline
from demand_response.bridge import Side, charge_bridge, payment_bridge
from demand_response.events import Event, Program
from demand_response.settle import Commitment, Outcome, judge
from demand_response.sharing import Policy, Shared

EVENT = Event(event_id="E1", program_id="P1", date=dt.date(2022, 7, 20), first_period=69, last_period=72)
PROGRAM = Program(
    program_id="P1",
    kind="emergency",
    product="day_ahead",
    direction="cut",
    price_unit="per_kw_event",
    price_cny=Decimal(10),
)


def side(baseline=1000.0, actual=700.0, committed=300, price=None, who="u1"):
    award = Commitment(participant_id=who, committed_kw=Decimal(committed), price_cny=price)
    load = np.full(4, float(actual))
    outcome = judge(EVENT, PROGRAM, award, Baseline(np.full(4, float(baseline)), [], {}, 0.0), load)
    return Side(EVENT, PROGRAM, {who: award}, {who: outcome}, {who: load})


def parts(one):
    return (one.baseline_fen, one.metered_fen, one.terms_fen, one.arrived_fen)


def test_each_cause_stands_in_its_own_column():
    # 300 kW x 10 元 = 3,000; baseline + 20 kW: + 200; metered - 10 kW: + 100; price 11: 330 x 1
    (same,) = payment_bridge(side(), side())
    assert (same.before_fen, parts(same), same.after_fen) == (3_000_00, (0, 0, 0, 0), 3_000_00)
    (baseline,) = payment_bridge(side(), side(baseline=1020))
    assert parts(baseline) == (200_00, 0, 0, 0)
    (meter,) = payment_bridge(side(), side(actual=690))
    assert parts(meter) == (0, 100_00, 0, 0)
    (all_three,) = payment_bridge(side(), side(baseline=1020, actual=690, price=Decimal(11)))
    assert parts(all_three) == (200_00, 100_00, 330_00, 0)
    assert all_three.after_fen == 3_630_00


def test_an_amount_that_was_missing_has_arrived():
    missing = replace(
        side(), outcomes={"u1": Outcome(participant_id="u1", committed_kw=Decimal(300), code="event_day_gap")}
    )
    (arrived,) = payment_bridge(missing, side())
    assert (arrived.before_fen, parts(arrived), arrived.after_fen) == (None, (0, 0, 0, 3_000_00), 3_000_00)
    (withdrawn, added) = payment_bridge(side(who="u1"), side(who="u2"))
    assert (withdrawn.after_fen, withdrawn.arrived_fen) == (None, -3_000_00)
    assert (added.before_fen, added.arrived_fen) == (None, 3_000_00)


@given(
    st.tuples(*[st.integers(600, 1300)] * 2, st.integers(100, 400)),
    st.tuples(*[st.integers(600, 1300)] * 2, st.integers(100, 400)),
)
def test_the_parts_and_the_old_amount_are_the_new_amount(old, new):
    (one,) = payment_bridge(side(*old), side(*new))
    assert one.before_fen + sum(parts(one)) == one.after_fen


def shared(cost, benefit, use=(4, 3, 2)):
    table = pd.DataFrame(
        {
            "participant_id": ["a", "b", "c"],
            "benefit_fen": benefit,
            "consumption_wh": use,
            "nonmarket_generation_wh": [0, 0, 0],
        }
    )
    nothing = np.zeros(96, np.int64)
    return Shared(cost, nothing, nothing, nothing, table, allocate(cost, table), "by hand")


def test_a_charge_changes_by_the_cost_and_by_the_drivers():
    # cost 300 -> 330 on benefits 100, 200, 0: 110, 220, 0; then benefits 200, 100, 0: 220, 110, 0
    rows = charge_bridge(shared(150, [100, 200, 0]), shared(165, [200, 100, 0]), Policy())
    assert [(row.before_fen, row.cost_fen, row.drivers_fen, row.after_fen) for row in rows] == [
        (50, 5, 55, 110),
        (100, 10, -55, 55),
        (0, 0, 0, 0),
    ]


costs, benefits = st.integers(-10_000, 10_000), st.lists(st.integers(0, 9_000), min_size=3, max_size=3)


@given(costs, benefits, costs, benefits)
def test_charges_bridge_to_the_fen_and_sum_to_the_change_of_the_cost(old_cost, old, new_cost, new):
    rows = charge_bridge(shared(old_cost, old), shared(new_cost, new), Policy())
    assert all(row.before_fen + row.cost_fen + row.drivers_fen == row.after_fen for row in rows)
    assert sum(row.cost_fen for row in rows) == new_cost - old_cost
    assert sum(row.drivers_fen for row in rows) == 0
