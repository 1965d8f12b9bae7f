"""Why a bid looks as it does: one merit order, the next-best means, parts that add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bid_cases import problem, programme
from test_procurement import random_case

from optimization.evaluation import imports, outcome
from optimization.procurement import solve
from optimization.purchase import Commitment, bid_of
from optimization.why import COMMITMENT, IMPORT, ORDERLY_USE, RESPONSE, merit, next_best, parts, why

FLEXIBLE = Commitment("contract", np.full(96, 30.0), np.full(96, 1_000.0), np.zeros(96), np.zeros(96))


def judged(case, bid):
    return outcome(imports(bid, case), case)


def test_imports_programmes_contracts_and_cuts_stand_in_one_order_by_delivered_mwh():
    case = problem([[300, 1_700]], [[400]], {"S1": 100, "S2": 100}, demand_response=[programme("DR", 50)])
    case = replace(case, commitments=(FLEXIBLE,))
    assert [(one.kind, one.name, one.cny_per_mwh, one.mw) for one in merit(case, 77)] == [
        (IMPORT, "A-1 1", 310, 100),
        (COMMITMENT, "contract", 1_000, 30),
        (RESPONSE, "DR", 1_500, 50),  # 1.5 元/kWh (market.md E.4)
        (IMPORT, "B-1 1", 1_710, 100),
        (ORDERLY_USE, "orderly_use", 20_000, np.inf),
    ]


@pytest.mark.parametrize(
    ("mw", "kind", "price"),
    [
        (60, IMPORT, 310),  # 40 MW of A are left
        (100, RESPONSE, 1_500),  # B lands at 1,710, above the programme
    ],
)
def test_the_next_best_means_is_the_cheapest_that_is_left(mw, kind, price):
    case = problem([[300, 1_700]], [[120]], {"S1": 100, "S2": 100}, demand_response=[programme("DR", 50)])
    bid = bid_of([(77, mw, 400)])
    found = next_best(case, bid, judged(case, bid), 77)
    assert (found.kind, found.cny_per_mwh) == (kind, price)


def test_a_programme_that_is_called_in_full_is_no_longer_the_next_best():
    case = problem([[300, 1_700]], [[400]], {"S1": 100, "S2": 100}, demand_response=[programme("DR", 50)])
    bid = bid_of([(77, 100, 400)])
    found = next_best(case, bid, judged(case, bid), 77)
    assert (found.kind, found.cny_per_mwh) == (IMPORT, 1_710)


def test_one_mw_more_of_a_certain_gap_costs_what_the_next_best_means_costs():
    """The explanation against the model itself: the same day with a MW more, solved again."""
    case = problem(
        [[300, 1_700]], [[120] * 4], {"S1": 100, "S2": 0}, demand_response=[programme("DR", 50, minimum=4)]
    )
    bid = solve(case).bid
    more = replace(case.scenarios, gap_mw=case.scenarios.gap_mw + (case.scenarios.gap_mw > 0))
    dearer = solve(replace(case, scenarios=more)).objective_cny - solve(case).objective_cny
    assert next_best(case, bid, judged(case, bid), 78).cny_per_mwh == pytest.approx(
        dearer
    )  # 1 MW for an hour


def test_the_parts_of_the_cost_add_up_to_the_fen_by_path_and_programme():
    case = random_case(11)
    bid = solve(case).bid
    result = judged(case, bid)
    found, expected = parts(case, bid, result), result.expected()
    sums = {name: sum(one.fen for one in found if one.component == name) for name in ("purchase", "response")}
    assert sums == {"purchase": expected.purchase_fen, "response": expected.response_fen}
    assert sum(one.fen for one in found) == expected.total_fen
    assert len({one.name for one in found if one.component == "purchase"}) > 1


def test_the_record_says_for_every_open_period_what_covers_it_and_what_comes_next():
    case = random_case(11)
    bid = solve(case).bid
    found = why(case, bid, judged(case, bid))
    assert [one["period"] for one in found["periods"]] == case.open_periods()
    for one in found["periods"]:
        covered = one["imported_mw"] + one["response_mw"] + one["short_mw"]
        assert covered >= one["gap_mw"] - 0.01  # what is above it is surplus
    prices = [one["cny_per_mwh"] for one in found["merit_order"]["means"]]
    assert prices == sorted(prices)
