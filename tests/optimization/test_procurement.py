"""The bid model: what it buys, what it pays, and that it knows nothing it could not know."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from bid_cases import RULES, moved, paths_of, problem, programme
from hypothesis import given, settings
from hypothesis import strategies as st

from optimization.bid_check import BidLimits, problems
from optimization.conflict import conflicts
from optimization.evaluation import flat_bid, imports, outcome
from optimization.procurement import INCUMBENT, NO_NEED, OPTIMUM, NoBidFoundError, solve
from optimization.purchase import Commitment, Segment, bid_frame, curves_of
from optimization.shadow_prices import binding_runs, shadow_prices
from optimization.single_buyer import clear_curves

SMALL = settings(max_examples=5, deadline=None, derandomize=True)


def cost(bid, case):
    return float(outcome(imports(bid, case), case).expected().total_cny)


def limits_of(case):
    return BidLimits(
        case.rules,
        case.scenarios.expected_gap_mw(),
        case.need_limit_mw.astype(float),
        case.capability_mw,
    )


def test_a_certain_gap_is_bid_for_at_the_landed_price_up_to_transfer_capability():
    case = problem([[300, 900]], [[100]], {"S1": 80, "S2": 0})
    solution = solve(case)
    # landed 300 + 10; 80 MW x 1/4 h x 310 = 6,200; 20 MW x 1/4 h x 20,000 = 100,000
    assert solution.bid == (Segment(77, 1, 80, 310),)
    assert solution.label == OPTIMUM
    assert solution.objective_cny == pytest.approx(106_200)


def test_a_bid_that_must_clear_in_a_dear_scenario_pays_half_of_what_stands_above_the_cheap_one():
    case = problem([[300, 9_000], [400, 9_000]], [[80], [80]], {"S1": 80, "S2": 0})
    solution = solve(case)
    assert solution.bid == (Segment(77, 1, 80, 410),)
    # cheap: (410 + 310) / 2 = 360, dear: 410; 80 MW x 1/4 h x 385 = 7,700
    assert solution.objective_cny == pytest.approx(7_700)


def test_demand_response_cheaper_than_the_import_takes_its_place_for_its_minimum_duration():
    case = problem(
        [[2_000, 9_000]], [[50, 50, 50, 50]], {"S1": 80, "S2": 0}, demand_response=[programme(mw=50)]
    )
    solution = solve(case)
    assert solution.bid == ()
    assert solution.objective_cny == pytest.approx(50 * 1 * 1_500)  # 50 MW, one hour, 1,500 元/MWh


def test_a_gap_shorter_than_the_minimum_duration_still_costs_the_whole_event():
    dear = problem([[2_000, 9_000]], [[50]], {"S1": 80, "S2": 0}, demand_response=[programme(mw=50)])
    # a quarter of an hour of import at 2,010 is 25,125; an hour of response 75,000
    assert solve(dear).bid == (Segment(77, 1, 50, 2_010),)


def test_a_programme_called_with_the_bid_is_called_alike_in_every_scenario():
    gaps = [[50, 50, 50, 50], [0, 0, 0, 0]]
    closed = {"S1": 0, "S2": 0}
    later = problem([[300, 300]] * 2, gaps, closed, demand_response=[programme(mw=50)])
    early = problem([[300, 300]] * 2, gaps, closed, demand_response=[programme(mw=50, with_the_bid=True)])
    assert solve(later).objective_cny == pytest.approx(0.5 * 75_000)
    assert solve(early).objective_cny == pytest.approx(75_000)


def test_a_programme_paid_by_the_event_costs_the_same_for_one_hour_and_for_four():
    assert programme(per_mwh=0, per_event=6_000).cny_per_mw(4) == 6_000
    assert programme(per_mwh=0, per_event=6_000).cny_per_mw(16) == 6_000


def test_customers_are_called_once_a_day_so_two_events_share_the_capability():
    gaps = np.zeros((1, 20))
    gaps[0, :4] = 50
    gaps[0, 16:] = 50
    case = problem(
        [[300, 300]], gaps, {"S1": 0, "S2": 0}, demand_response=[programme(mw=50, maximum=8)], first=60
    )
    # one hour of the two is served; the other loses 50 MWh
    assert solve(case).objective_cny == pytest.approx(50 * 1_500 + 50 * 20_000)


def test_surplus_energy_is_credited_at_the_provincial_price_and_nothing_without_one():
    gaps, prices, atc = [[80], [40]], [[300, 9_000]] * 2, {"S1": 80, "S2": 0}
    without, valued = problem(prices, gaps, atc), problem(prices, gaps, atc, provincial=200)
    # 80 MW x 1/4 h x 310 = 6,200; in the second scenario 40 MW are too much: half of 10 MWh x 200
    assert solve(without).objective_cny == pytest.approx(6_200)
    assert solve(valued).objective_cny == pytest.approx(6_200 - 0.5 * 10 * 200)


def test_a_day_without_a_gap_is_not_bid_for():
    solution = solve(problem([[300, 300]], [[0, 0]], {"S1": 80, "S2": 80}))
    assert (solution.bid, solution.label, solution.objective_cny) == ((), NO_NEED, 0.0)


def test_what_is_not_met_by_any_path_is_not_bid_and_lost():
    case = problem([[20_000, 20_000]], [[40]], {"S1": 80, "S2": 80})  # above the cap of 10,000
    assert solve(case).bid == ()
    assert solve(case).objective_cny == pytest.approx(40 * 0.25 * 20_000)


def test_without_any_time_the_best_curves_by_themselves_are_the_incumbent():
    case = random_case(3)
    hurried, patient = solve(case, time_limit=0.0), solve(case)
    assert hurried.label == INCUMBENT
    assert cost(hurried.bid, case) == pytest.approx(hurried.objective_cny, abs=0.02)
    assert patient.objective_cny <= hurried.objective_cny + 0.01


def test_limits_that_cannot_be_met_together_are_named():
    case = problem([[300, 9_000]], [[100]], {"S1": 30, "S2": 0}, demand_response=[programme("DR", 20)])
    tight = replace(case, orderly_use_mw=np.full(96, 40.0))
    with pytest.raises(NoBidFoundError) as refused:
        solve(tight)
    # 100 MW of gap against 30 MW of import, 20 MW of response and 40 MW of orderly use
    assert str(refused.value) == (
        "Period 77 (19:15): 10 MW of the gap cannot be closed by orderly use (40 MW), programme DR (20 MW), "
        "transfer capability (30 MW) together; raise one of them or correct the forecast."
    )
    assert conflicts(replace(case, orderly_use_mw=np.full(96, 50.0))) == []
    assert conflicts(case) == []


def test_a_forecast_that_is_no_number_is_refused_before_any_search():
    case = problem([[300, 9_000]], [[np.nan]], {"S1": 30, "S2": 0})
    with pytest.raises(NoBidFoundError, match="no number"):
        solve(case)


def judged_again(case, bid, limit, step):
    """Expected cost + risk with a limit moved by ``step`` MW; a bid that stands at its limit moves with it."""
    how = {
        "transfer_capability": {"section": limit.name, "period": limit.period},
        "need": {},
        "demand_response": {
            "programme_index": ["EARLY", "LATE"].index(limit.name) if not limit.period else 0
        },
        "gap": {"gap": limit.period},
    }[limit.kind]
    after = moved(case, **how, by=step) if how else case
    found = imports(bid, after)
    if limit.kind in ("need", "transfer_capability"):
        t = limit.period
        need = case.need_limit_mw[t - 1] + (step if limit.kind == "need" else 0.0)
        grown = min(need, after.capability_mw[t - 1]) - min(
            case.need_limit_mw[t - 1], case.capability_mw[t - 1]
        )
        curve = curves_of(bid)[t]
        if sum(mw for mw, _ in curve) == case.bid_limit_mw()[t - 1]:
            curve = (*curve[:-1], (curve[-1][0] + grown, curve[-1][1]))
        cleared = clear_curves(after.market(t), [curve])
        found.mw[:, t - 1], found.cost_cny[:, t - 1] = cleared.mw[0], cleared.cost_cny[0]
    result = outcome(found, after)
    return float(result.probability @ result.scenario_cost_cny()) + after.risk_weight * result.cvar_cny()


def random_case(seed, *, shared=False, periods=4, count=4):
    random = np.random.default_rng(seed)
    paths = paths_of(
        ("A-1", "OUT", "A", "25", "0.005"),
        ("A-1", "S1", "A", "50.8", "0.07"),
        ("A-2", "OUT", "A", "25", "0.005"),
        ("A-2", "S2", "A", "58.95", "0.065"),
        ("B-1", "S3", "B", "68", "0.0071"),
    )
    prices = random.uniform(200, 600, (count, 2, periods))
    gaps = np.maximum(random.normal(220, 150, (count, periods)), 0)
    atc = {"S1": 70.0, "S2": 110.0, "S3": 150.0, "OUT": 120.0 if shared else 500.0}
    dr = [
        programme("EARLY", 40, per_mwh=900, with_the_bid=True),
        programme("LATE", 30, per_mwh=0, per_event=1_400),
    ]
    weights = random.dirichlet(np.full(count, 5.0))
    return problem(prices, gaps, atc, probability=weights, paths=paths, demand_response=dr, provincial=250)


@SMALL
@given(st.integers(0, 10**6))
def test_the_bid_costs_when_cleared_exactly_what_the_model_says(seed):
    """Non-anticipative: clearing knows only the bid, so a model that chose afterwards would promise less."""
    case = random_case(seed)
    solution = solve(case)
    assert cost(solution.bid, case) == pytest.approx(solution.objective_cny, abs=0.02)
    assert solution.bound_cny <= solution.objective_cny + 1e-6


@SMALL
@given(st.integers(0, 10**6))
def test_the_bid_is_not_dearer_than_the_flat_bids_or_buying_nothing_and_passes_the_check(seed):
    case = random_case(seed, shared=True)
    solution = solve(case)
    own = cost(solution.bid, case)
    for other in (flat_bid(case, 10_000), flat_bid(case, 3_000), ()):
        assert own <= cost(other, case) + 0.01
    assert problems(bid_frame(solution.bid, "SD"), limits_of(case)) == []


def test_the_optimum_is_clearly_below_both_flat_bids_and_buying_nothing():
    case = random_case(7)
    own = cost(solve(case).bid, case)
    assert own < 0.8 * cost(flat_bid(case, 3_000), case)
    assert own < 0.5 * cost(flat_bid(case, 10_000), case)
    assert own < cost((), case)


def test_a_weight_on_risk_never_raises_the_worst_fifth_and_never_lowers_the_mean():
    """20 MW are short in one of five scenarios; covering them costs more in the mean than it saves."""
    calm = problem([[300, 2_000]] * 5, [[80]] * 4 + [[100]], {"S1": 80, "S2": 80})
    careful = replace(calm, risk_weight=5.0)
    means, tails = [], []
    for case in (calm, careful):
        result = outcome(imports(solve(case).bid, case), case)
        means.append(float(result.probability @ result.scenario_cost_cny()))
        tails.append(result.cvar_cny())
    assert means[1] >= means[0] - 0.01
    assert tails[1] <= tails[0] + 0.01
    assert tails[1] < tails[0] - 1


def test_a_commitment_closes_the_gap_within_its_mw_when_it_is_cheaper():
    flexible = Commitment("contract", np.full(96, 30.0), np.full(96, 250.0), np.zeros(96), np.zeros(96))
    case = replace(problem([[300, 9_000]], [[80]], {"S1": 80, "S2": 0}), commitments=(flexible,))
    solution = solve(case)
    # 30 MW at 250, the other 50 MW at the landed 310
    assert solution.bid == (Segment(77, 1, 50, 310),)
    costs = outcome(imports(solution.bid, case), case).expected()
    assert (costs.commitment_fen, costs.purchase_fen) == (30 * 250 * 25, 50 * 310 * 25)


def test_the_import_limit_holds_in_every_scenario():
    case = problem([[300, 400]], [[150]], {"S1": 100, "S2": 100})
    limited = replace(case, import_limit_mw=np.full(96, 100.0))
    assert imports(solve(case).bid, case).mw[0, 76] == pytest.approx(150)
    assert imports(solve(limited).bid, limited).mw[0, 76] <= 100 + 1e-6


def test_with_a_ramp_the_flow_of_a_section_rises_no_faster():
    rules = RULES.model_copy(update={"ramp_mw": Decimal(60), "ramp_tolerance_mw": Decimal(1)})
    case = problem([[300, 9_000]], [[20, 100, 100]], {"S1": 200, "S2": 0}, need=200)
    free, held = (imports(solve(one).bid, one).mw[0, 76:79] for one in (case, replace(case, rules=rules)))
    assert free == pytest.approx([20, 100, 100])
    assert held[1:] == pytest.approx([100, 100])
    assert 40 <= held[0] <= 50  # 60 MW a quarter-hour: at least 40 before the 100, found in steps


def test_the_same_problem_gives_the_same_bid():
    assert solve(random_case(3)) == solve(random_case(3))


def test_expected_cost_is_the_sum_of_its_components_to_the_fen_and_of_its_scenarios():
    case = random_case(11)
    result = outcome(imports(solve(case).bid, case), case)
    costs = result.expected()
    parts = (costs.purchase_fen, costs.response_fen, costs.shortage_fen, costs.surplus_fen)
    assert costs.total_fen == sum(parts)
    assert costs.total_cny == Decimal(sum(parts)) / 100
    assert float(costs.total_cny) == pytest.approx(
        float(result.probability @ result.scenario_cost_cny()), abs=0.02
    )
    assert costs.surplus_fen <= 0 <= min(parts[:3])


def test_the_mean_of_the_worst_fifth_takes_the_dearest_scenarios_first():
    case = problem(
        [[300, 300]] * 4, [[40], [0], [80], [10]], {"S1": 0, "S2": 0}, probability=[0.1, 0.4, 0.1, 0.4]
    )
    result = outcome(imports((), case), case)
    # lost load alone: 80 MW x 1/4 h x 20,000 = 400,000 and 200,000, each with half of the worst fifth
    assert result.cvar_cny(0.2) == pytest.approx(300_000)
    with pytest.raises(ValueError, match="worst fifth"):
        result.cvar_cny(0.0)


class TestShadowPrices:
    def test_one_more_mw_of_capability_saves_the_lost_load_less_the_landed_price(self):
        solution = solve(problem([[300, 900]], [[100]], {"S1": 80, "S2": 0}))
        price = {(one.kind, one.name): one.shadow_price_cny_per_mwh for one in solution.limits}
        assert price["transfer_capability", "S1"] == pytest.approx(20_000 - 310)
        assert price["gap", "SD"] == pytest.approx(20_000)
        assert price["need", "SD"] == pytest.approx(0)

    def test_the_declared_need_binds_where_it_is_below_the_gap(self):
        solution = solve(problem([[300, 900]], [[100]], {"S1": 80, "S2": 0}, need=60))
        price = {(one.kind, one.name): one.shadow_price_cny_per_mwh for one in solution.limits}
        assert price["need", "SD"] == pytest.approx(20_000 - 310)
        assert price["transfer_capability", "S1"] == pytest.approx(0)

    def test_every_shadow_price_lies_between_the_finite_differences_on_its_two_sides(self):
        case, step = replace(random_case(2, periods=3, count=3), risk_weight=0.2), 0.2
        solution = solve(case)
        base, limits = shadow_prices(case, solution.bid)
        assert limits == list(solution.limits)
        assert base == pytest.approx(solution.objective_cny, abs=0.05)
        equal = 0
        for one in (one for run in binding_runs(limits) for one in run):
            hours = 1.0 if one.period is None else 0.25
            sign = -1.0 if one.kind == "gap" else 1.0
            more = sign * (base - judged_again(case, solution.bid, one, step))
            less = sign * (judged_again(case, solution.bid, one, -step) - base)
            worth = one.shadow_price_cny_per_mwh * hours * step
            low, high = sorted((more, less))
            assert low - 1e-3 * abs(worth) - 0.02 <= worth <= high + 1e-3 * abs(worth) + 0.02, one
            equal += abs(more - less) < 0.02
        assert equal >= 5  # away from a kink both sides are equal and so is the dual

    def test_neighbouring_periods_of_one_limit_are_one_run(self):
        solution = solve(problem([[300, 900]], [[100, 120]], {"S1": 80, "S2": 0}))
        runs = {
            (run[0].kind, run[0].name): [one.period for one in run] for run in binding_runs(solution.limits)
        }
        assert runs["transfer_capability", "S1"] == [77, 78]
