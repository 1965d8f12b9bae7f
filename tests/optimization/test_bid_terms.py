"""Every term of the bid model is there: take one away and its case changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyomo.environ as pyo
import pytest
from bid_cases import paths_of, problem, programme
from test_procurement import random_case

from optimization.conflict import conflicts
from optimization.evaluation import imports, outcome
from optimization.procurement import NoBidFoundError, solve
from optimization.purchase import Commitment, Segment, bid_of
from optimization.solver import SolverError

NONE = np.zeros(96)
CLOSED = {"S1": 0, "S2": 0}


def way(name, up=0.0, up_price=0.0, down=0.0, down_price=0.0):
    """Constant MW and prices; an array (scenarios, 1) differs by scenario."""

    def shape(value):
        return np.broadcast_to(value, np.broadcast_shapes(np.shape(value), (96,))).astype(float)

    return Commitment(name, shape(up), shape(up_price), shape(down), shape(down_price))


def test_intraday_recourse_follows_the_scenario_and_takes_the_tail_from_the_bid():
    """The gap of 80 MW comes in one of two scenarios; a day-ahead MW costs 310 in both, an intraday one 500 in one."""
    case = problem([[300, 9_000]] * 2, [[80], [0]], {"S1": 80, "S2": 0})
    intraday = way("intraday", up=80.0, up_price=np.array([[500.0], [500.0]]))
    alone, recourse = solve(case), solve(replace(case, commitments=(intraday,)))
    assert alone.bid == (Segment(77, 1, 80, 310),)
    assert recourse.bid == ()
    # half of 80 MW x 1/4 h x 500 = 5,000, less than 80 x 1/4 x 310 = 6,200
    assert (alone.objective_cny, recourse.objective_cny) == pytest.approx((6_200, 5_000))


def test_intraday_recourse_that_one_scenario_lacks_is_not_counted_on_there():
    case = problem([[300, 9_000]] * 2, [[80], [80]], CLOSED)
    half = way("intraday", up=np.array([[80.0], [20.0]]), up_price=500.0)
    result = outcome(imports((), case), replace(case, commitments=(half,)))
    assert result.short_mw[:, 76].tolist() == pytest.approx([0, 60])


def test_a_deviation_band_is_left_downwards_at_its_price():
    """60 MW too many: 20 may be given back at 100 元/MWh earned, the others are sold at home at 30."""
    case = problem([[300, 9_000]], [[20]], {"S1": 80, "S2": 0}, provincial=30, need=80)
    band = way("band", down=20.0, down_price=-100.0)
    result = outcome(imports(bid_of([(77, 80, 310)]), case), replace(case, commitments=(band,)))
    costs = result.expected()
    assert (costs.commitment_fen, costs.surplus_fen) == (-20 * 25 * 100, -40 * 25 * 30)


def test_a_peak_price_is_an_upward_price_of_some_periods():
    prices = np.full(96, 250.0)
    prices[77] = 1_000.0  # the peak stands in period 78
    peak = Commitment("contract", np.full(96, 50.0), prices, NONE, NONE)
    case = replace(problem([[300, 9_000]], [[50, 50]], {"S1": 80, "S2": 0}), commitments=(peak,))
    assert solve(case).bid == (Segment(78, 1, 50, 310),)


def test_an_event_ends_at_its_longest_duration():
    case = problem([[300, 300]], [[50] * 8], CLOSED, demand_response=[programme(mw=50, minimum=4, maximum=4)])
    # customers are called once a day for an hour: the second hour is lost
    assert solve(case).objective_cny == pytest.approx(50 * 1_500 + 50 * 20_000)
    longer = problem(
        [[300, 300]], [[50] * 8], CLOSED, demand_response=[programme(mw=50, minimum=4, maximum=8)]
    )
    assert solve(longer).objective_cny == pytest.approx(2 * 50 * 1_500)


def test_a_section_shared_by_two_paths_limits_both_together_and_a_path_its_own():
    paths = paths_of(
        ("A-1", "OUT", "A", "0", "0"),
        ("A-1", "S1", "A", "10", "0"),
        ("A-2", "OUT", "A", "0", "0"),
        ("A-2", "S2", "A", "10", "0"),
    )
    gap = [[200]]

    def bought(**atc):
        case = problem([[300]], gap, atc, paths=paths)
        return imports(solve(case).bid, case).mw[0, 76]

    assert bought(OUT=500, S1=70, S2=90) == pytest.approx(160)
    assert bought(OUT=120, S1=70, S2=90) == pytest.approx(120)


def test_orderly_use_costs_the_value_of_lost_load_and_no_more_of_it_than_is_allowed():
    case = problem([[300, 300]], [[40]], CLOSED)
    assert solve(case).objective_cny == pytest.approx(40 * 0.25 * 20_000)
    with pytest.raises(NoBidFoundError, match=r"10 MW of the gap cannot be closed by orderly use \(30 MW\)"):
        solve(replace(case, orderly_use_mw=np.full(96, 30.0)))


class TestLimitsThatCannotBeMetTogether:
    """Infeasible days are told apart by the limits that stand against each other."""

    def test_the_declared_need_below_the_gap(self):
        tight = replace(
            problem([[300, 9_000]], [[100]], {"S1": 500, "S2": 0}, need=60), orderly_use_mw=np.full(96, 25.0)
        )
        (found,) = conflicts(tight)
        assert found.missing_mw == pytest.approx(15)
        assert found.limits == ("orderly use (25 MW)", "the declared need (60 MW)")

    def test_the_limit_of_all_imports_together(self):
        case = problem([[300, 310]], [[100]], {"S1": 100, "S2": 100})
        tight = replace(case, import_limit_mw=np.full(96, 55.0), orderly_use_mw=np.full(96, 25.0))
        (found,) = conflicts(tight)
        assert found.missing_mw == pytest.approx(20)
        assert found.limits == ("orderly use (25 MW)", "total import (55 MW)")

    def test_closed_paths_in_one_period_of_two(self):
        case = problem([[300, 9_000]], [[100, 100]], {"S1": 100, "S2": 0})
        atc = case.supply.atc_mw.copy()
        atc[0, 77] = 10.0
        tight = replace(case, supply=replace(case.supply, atc_mw=atc), orderly_use_mw=np.full(96, 50.0))
        assert [(one.period, round(one.missing_mw)) for one in conflicts(tight)] == [(78, 40)]

    def test_a_programme_whose_event_is_too_short_for_the_gap(self):
        short = programme("DR", 50, minimum=4, maximum=4)
        case = problem([[300, 9_000]], [[50] * 8], CLOSED, demand_response=[short])
        tight = replace(case, orderly_use_mw=np.full(96, 10.0))
        found = conflicts(tight)
        assert {one.period for one in found} <= set(range(77, 85))
        assert sum(one.missing_mw for one in found) == pytest.approx(4 * 40)
        assert all("programme DR (50 MW)" in one.limits for one in found)


class TestAnotherSolver:
    def test_it_finds_the_same_bid_through_pyomo_s_own_interface(self):
        case = random_case(3)
        ours, other = solve(case), solve(case, solver="appsi_highs")
        assert (other.bid, other.solver) == (ours.bid, "appsi_highs")
        assert other.objective_cny == pytest.approx(ours.objective_cny)

    @pytest.mark.parametrize("name", ["cbc", "glpk", "scip"])
    def test_a_solver_that_is_not_ours_agrees_where_it_is_installed_and_is_named_where_not(self, name):
        case = random_case(3)
        if pyo.SolverFactory(name).available(exception_flag=False):
            other = solve(case, solver=name)
            assert other.objective_cny == pytest.approx(solve(case).objective_cny, rel=1e-3)
        else:
            with pytest.raises(SolverError, match=f"Pyomo finds no solver {name}"):
                solve(case, solver=name)
