"""The limit of all imports and the bands of contracts bind in the bid, and what they are worth is a finite difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bid_cases import LOST_LOAD, RULES, problem

from optimization.bid_check import BidLimits, problems
from optimization.evaluation import imports, outcome
from optimization.hindsight import regret
from optimization.procurement import solve
from optimization.purchase import Commitment, Segment, bid_of, curves_of
from optimization.shadow_prices import shadow_prices
from optimization.single_buyer import clear_periods

NONE = np.zeros(96)


def band(name, up=0.0, up_price=0.0, down=0.0, down_price=0.0, *, imported=False):
    return Commitment(name, NONE + up, NONE + up_price, NONE + down, NONE + down_price, imported=imported)


def worth(case, bid):
    return {
        (one.kind, one.name, one.period): one.shadow_price_cny_per_mwh for one in shadow_prices(case, bid)[1]
    }


def limited(case, mw):
    return replace(case, import_limit_mw=NONE + mw)


def test_no_more_is_bid_than_the_province_may_still_take_in():
    case = problem([[300, 400]], [[150]], {"S1": 100, "S2": 100})
    assert sum(one.mw for one in solve(case).bid) == 150
    assert sum(one.mw for one in solve(limited(case, 120.7)).bid) == 120  # whole MW
    assert solve(limited(case, 0.0)).bid == ()
    assert solve(limited(case, 500.0)).bid == solve(case).bid


def test_one_more_mw_of_the_import_limit_saves_lost_load_less_what_it_lands_at():
    case = limited(problem([[300, 9_000]], [[100]], {"S1": 90, "S2": 0}), 60.0)
    found = worth(case, solve(case).bid)
    assert found["import_limit", "SD", 77] == pytest.approx(LOST_LOAD - 310)
    assert found["transfer_capability", "S1", 77] == pytest.approx(0)
    assert found["need", "SD", 77] == pytest.approx(0)
    loose = limited(case, 500.0)
    assert worth(loose, solve(loose).bid)["import_limit", "SD", 77] == pytest.approx(0)


def test_a_purchase_within_the_day_shares_the_limit_with_the_bid_and_a_contract_at_home_does_not():
    case = limited(problem([[300, 9_000]], [[100]], {"S1": 50, "S2": 0}), 60.0)
    abroad = replace(case, commitments=(band("intraday", up=40, up_price=500, imported=True),))
    at_home = replace(case, commitments=(band("C1", up=40, up_price=500),))
    # 50 MW over the path, then 10 up to the limit of 60; at home all 40
    for one, short in ((abroad, 40.0), (at_home, 10.0)):
        bid = bid_of([(77, 50, 310)])
        assert outcome(imports(bid, one), one).short_mw[0, 76] == pytest.approx(short)
    found = worth(abroad, bid_of([(77, 50, 310)]))
    assert found["import_limit", "SD", 77] == pytest.approx(LOST_LOAD - 500)
    assert found["commitment_up", "intraday", 77] == pytest.approx(0)  # the limit binds, not its MW


def test_every_price_of_a_limit_is_the_difference_when_it_is_moved():
    """Two scenarios, CVaR, a contract left both ways, an import limit: each moved by a MW and judged again."""
    case = replace(
        limited(
            problem([[300, 350], [380, 420]], [[160, 40], [220, 90]], {"S1": 100, "S2": 90}, provincial=50),
            130.0,
        ),
        commitments=(
            band("C1", up=20, up_price=700, down=15, down_price=-200),
            band("intraday", up=25, up_price=900, imported=True),
        ),
        risk_weight=0.2,
    )
    bid = solve(case).bid
    base, limits = shadow_prices(case, bid)
    step, seen = 0.25, set()

    def judged(one, by):
        moved, cleared = case, imports(bid, case)
        if one.kind == "import_limit":
            total = case.import_limit_mw.copy()
            total[one.period - 1] += by
            moved = replace(case, import_limit_mw=total)
            curve = curves_of(bid).get(one.period, ())
            if sum(mw for mw, _ in curve) == case.bid_limit_mw()[one.period - 1] == 130:
                grown = (*curve[:-1], (curve[-1][0] + by, curve[-1][1]))
                (again,) = clear_periods([case.market(one.period)], [[grown]])
                cleared.mw[:, one.period - 1] = again.mw[0]
                cleared.cost_cny[:, one.period - 1] = again.cost_cny[0]
        else:
            side = "up_mw" if one.kind == "commitment_up" else "down_mw"
            ways = []
            for way in case.commitments:
                mw = getattr(way, side).copy()
                mw[one.period - 1] += by * (way.name == one.name)
                ways.append(replace(way, **{side: mw}))
            moved = replace(case, commitments=tuple(ways))
        result = outcome(cleared, moved)
        return float(result.probability @ result.scenario_cost_cny()) + 0.2 * result.cvar_cny()

    for one in limits:
        if one.kind in ("import_limit", "commitment_up", "commitment_down"):
            low, high = sorted((base - judged(one, step), judged(one, -step) - base))
            value = one.shadow_price_cny_per_mwh * step / 4
            assert low - 0.02 <= value <= high + 0.02, one
            seen |= {one.kind} if value > 0.02 else set()
    assert seen == {"import_limit", "commitment_up", "commitment_down"}


def test_what_the_import_limit_costs_is_regret_of_a_constraint():
    case = problem([[300, 9_000]], [[100]], {"S1": 200, "S2": 0})
    tight = limited(case, 60.0)
    lost = regret(bid_of([(77, 60, 310)]), tight)
    # 40 MW x 1/4 h of lost load less what they would have landed at
    assert lost.constraint_fen == pytest.approx(40 * 25 * (LOST_LOAD - 310), abs=1)
    assert lost.forecast_fen + lost.shape_fen + lost.constraint_fen == lost.total_fen


def test_under_other_scenarios_a_price_that_differed_stands_at_its_expectation():
    case = problem([[300, 400]] * 2, [[50], [80]], {"S1": 100, "S2": 0}, probability=[0.25, 0.75])
    price = np.repeat([[400.0], [800.0]], 96, axis=1)
    case = replace(case, commitments=(replace(band("intraday", up=10), up_cny_per_mwh=price),))
    truth = problem([[310, 400]], [[60]], {"S1": 100, "S2": 0}).scenarios
    (one,) = case.under(truth).commitments
    assert one.up_cny_per_mwh == pytest.approx(NONE + 700)
    assert outcome(imports(bid_of([(77, 60, 320)]), case.under(truth)), case.under(truth)).short_mw.max() == 0


def test_the_check_blocks_a_bid_above_the_import_limit_and_is_silent_below_it():
    limits = BidLimits(RULES, NONE + 100, NONE + 100, NONE + 100, import_limit_mw=NONE + 60, aligned=False)
    rows = pd.DataFrame([(77, 1, 70, 310)], columns=["period", "segment", "mw", "price_cny_per_mwh"])
    (found,) = problems(rows, limits)
    assert "70 MW are bid but only 60 MW may still be imported beside what is scheduled" in found
    assert problems(rows.assign(mw=60), limits) == []
    assert Segment(77, 1, 60, 310) in bid_of([(77, 60, 310)])
