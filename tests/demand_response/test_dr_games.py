"""Cost sharing against printed answers (E6, E7) and the axioms of C1 on the unrounded rules."""

from fractions import Fraction
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from demand_response.exact_lp import maximize
from demand_response.games import (
    airport,
    airport_nucleolus,
    constrained_equal_benefits,
    constrained_equal_contributions,
    nucleolus,
    proportional,
    random_arrival,
    random_arrival_sampled,
    serial,
    shapley_exact,
    shapley_sampled,
    talmud,
)

CLAIM_RULES = [proportional, talmud, random_arrival]


def coalitions(players):
    return [
        frozenset(s)
        for s in chain.from_iterable(combinations(players, k) for k in range(1, len(players) + 1))
    ]


def game(*worths):
    players = {3: [1, 2, 3], 7: [1, 2, 3], 15: [1, 2, 3, 4]}[len(worths)]
    return dict(zip(coalitions(players), worths, strict=True)), players


def glove(n):
    """Player 1 holds the only left glove."""
    players = list(range(1, n + 1))
    return {s: int(1 in s and len(s) > 1) for s in coalitions(players)}, players


def bankruptcy(cost, claims):
    """max(0, b(S) - C) of C3: what a coalition gains when it buys the programme alone."""
    players = list(range(len(claims)))
    return {s: max(0, sum(claims[i] for i in s) - cost) for s in coalitions(players)}, players


@pytest.mark.parametrize(
    ("worths", "answer"),
    [
        ((2, 4, 5, 18, 14, 9, 24), (Fraction(19, 2), 8, Fraction(13, 2))),
        ((68, 102, 0, 170, 710, 762, 992), (229, 272, 491)),
    ],
    ids=["TC-40", "TC-41"],
)
def test_the_shapley_value_matches_the_printed_answers(worths, answer):
    assert shapley_exact(*game(*worths)) == list(answer)


def test_tc42_and_tc44_the_only_left_glove_is_worth_most():
    assert shapley_exact(*glove(3)) == [Fraction(2, 3), Fraction(1, 6), Fraction(1, 6)]
    assert shapley_exact(*glove(10)) == [Fraction(9, 10)] + [Fraction(1, 90)] * 9


def test_tc47_the_nucleolus_is_exact():
    assert nucleolus(*game(-1, 0, 1, 3, 4, 2, 5)) == [Fraction(8, 3), Fraction(2, 3), Fraction(5, 3)]


@pytest.mark.parametrize(("estate", "answer"), [(200, [50, 75, 75]), (300, [50, 100, 150])])
def test_tc49_the_nucleolus_of_a_bankruptcy_is_the_talmud_rule(estate, answer):
    claims = [100, 200, 300]
    shared_loss, players = bankruptcy(sum(claims) - estate, claims)
    assert nucleolus(shared_loss, players) == answer
    assert talmud(estate, claims) == answer


def test_tc51_four_airlines_share_a_runway():
    costs = [8, 11, 13, 18]
    assert airport(costs) == [2, 3, 4, 9]
    assert airport_nucleolus(costs) == [Fraction(13, 4)] * 3 + [Fraction(33, 4)]
    assert constrained_equal_contributions(costs) == [Fraction(13, 3)] * 3 + [5]
    assert constrained_equal_benefits(costs) == [0, 3, 5, 10]


def test_tc52_three_airlines_in_any_order_of_entry():
    assert airport([1500, 2200, 3000]) == [500, 850, 1650]
    assert airport([3000, 1500, 2200]) == [1650, 500, 850]
    assert airport_nucleolus([1500, 2200, 3000]) == [Fraction(2200, 3)] * 2 + [Fraction(4600, 3)]
    total = 1500 + 2200 + 3000
    assert [round(3000 * c / total) for c in (1500, 2200, 3000)] == [672, 985, 1343]  # the printed comparison


E7 = {
    (100, proportional): [Fraction(50, 3), Fraction(100, 3), 50],
    (100, random_arrival): [Fraction(100, 3)] * 3,
    (100, talmud): [Fraction(100, 3)] * 3,
} | {
    (cost, rule): answer
    for rule in CLAIM_RULES
    for cost, answer in ((300, [50, 100, 150]), (600, [100, 200, 300]))
}


@pytest.mark.parametrize(
    ("case", "answer"), E7.items(), ids=lambda x: x[1].__name__ if isinstance(x, tuple) else ""
)
def test_tc60_tc62_tc65_a_bill_shared_over_three_benefits(case, answer):
    cost, rule = case
    assert rule(cost, [100, 200, 300]) == answer


@pytest.mark.parametrize("rule", CLAIM_RULES)
def test_tc66_who_gains_nothing_pays_nothing(rule):
    assert rule(9000, [0, 6000, 12000]) == [0, 3000, 6000]


def test_tc67_splitting_a_participant_changes_nothing_under_the_proportional_rule_only():
    assert proportional(200, [100, 200, 300])[2] == 100
    assert sum(proportional(200, [100, 200, 150, 150])[2:]) == 100
    assert talmud(200, [100, 200, 300])[2] != sum(talmud(200, [100, 200, 150, 150])[2:])


def test_serial_sharing_shields_small_demands_from_large_ones():
    # C(Q) = Q^2, demands 1, 2, 3: Q = 3, 5, 6; steps 9/3, 16/2, 11/1
    assert serial([1, 2, 3], lambda total: total**2) == [3, 11, 22]
    assert serial([3, 1, 2], lambda total: total**2) == [22, 3, 11]
    assert serial([1, 2, 30], lambda total: total**2)[:2] == [3, 11]


claims_and_cost = st.lists(st.integers(0, 1000), min_size=1, max_size=6).flatmap(
    lambda claims: st.tuples(st.just(claims), st.integers(0, sum(claims)))
)


@pytest.mark.parametrize("rule", CLAIM_RULES)
@given(case=claims_and_cost)
@settings(max_examples=25)
def test_axioms_budget_balance_null_player_and_core(rule, case):
    claims, cost = case
    shares = rule(cost, claims)
    assert sum(shares) == cost
    assert all(0 <= share <= claim for share, claim in zip(shares, claims, strict=True))


@pytest.mark.parametrize("rule", CLAIM_RULES)
@given(case=claims_and_cost, order=st.randoms(use_true_random=False), unit=st.integers(1, 1000))
@settings(max_examples=25)
def test_axioms_symmetry_order_and_unit_are_irrelevant(rule, case, order, unit):
    claims, cost = case
    shares = rule(cost, claims)
    by_claim = dict(zip(claims, shares, strict=True))
    assert [by_claim[claim] for claim in claims] == shares  # equal claims, equal shares
    mixed = order.sample(claims, len(claims))
    assert rule(cost, mixed) == [by_claim[claim] for claim in mixed]
    assert rule(cost * unit, [claim * unit for claim in claims]) == [share * unit for share in shares]


@pytest.mark.parametrize("rule", CLAIM_RULES)
@given(case=claims_and_cost, more=st.integers(1, 500), who=st.integers(0, 5))
@settings(max_examples=25)
def test_axioms_a_higher_cost_or_an_own_higher_claim_never_lowers_a_share(rule, case, more, who):
    claims, cost = case
    shares = rule(cost, claims)
    dearer = rule(min(cost + more, sum(claims)), claims)
    assert all(after >= before for before, after in zip(shares, dearer, strict=True))
    who %= len(claims)
    raised = [claim + more * (i == who) for i, claim in enumerate(claims)]
    assert rule(cost, raised)[who] >= shares[who]


@given(case=claims_and_cost, part=st.integers(0, 1000))
@settings(max_examples=25)
def test_axioms_additive_over_costs_and_proof_against_splits_when_proportional(case, part):
    claims, cost = case  # TC-37: two hours apart or as one sum, before rounding
    hour, rest = cost // 3, cost - cost // 3
    together = [a + b for a, b in zip(proportional(hour, claims), proportional(rest, claims), strict=True)]
    assert together == proportional(cost, claims)
    split = min(part, claims[0])
    assert (
        sum(proportional(cost, [split, claims[0] - split, *claims[1:]])[:2]) == proportional(cost, claims)[0]
    )


@given(case=claims_and_cost)
@settings(max_examples=15, deadline=None)
def test_c3_the_bill_as_a_game_gives_random_arrival_as_shapley_and_talmud_as_nucleolus(case):
    claims, cost = case
    surplus, players = bankruptcy(cost, claims)
    assert [b - y for b, y in zip(claims, shapley_exact(surplus, players), strict=True)] == random_arrival(
        cost, claims
    )
    assert [b - y for b, y in zip(claims, nucleolus(surplus, players), strict=True)] == talmud(cost, claims)


@given(costs=st.lists(st.integers(1, 50), min_size=1, max_size=5))
@settings(max_examples=15, deadline=None)
def test_the_closed_forms_of_the_airport_game_agree_with_the_general_solutions(costs):
    players = list(range(len(costs)))

    def saved(coalition):
        return -max(costs[i] for i in coalition)

    assert [-x for x in shapley_exact(saved, players)] == airport(costs)
    assert [-x for x in nucleolus(saved, players)] == airport_nucleolus(costs)
    assert sum(constrained_equal_contributions(costs)) == sum(constrained_equal_benefits(costs)) == max(costs)


def largest_complaint(v, players, shares):
    proper = [s for s in coalitions(players) if len(s) < len(players)]
    return max(v[s] - sum(shares[players.index(i)] for i in s) for s in proper)


@given(worths=st.lists(st.integers(0, 60), min_size=14, max_size=14), spare=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_the_nucleolus_is_an_imputation_whose_largest_complaint_no_other_can_lower(worths, spare):
    v, players = game(*worths, sum(worths[:4]) + spare)
    shares = nucleolus(v, players)
    assert sum(shares) == v[frozenset(players)]
    assert all(share >= v[frozenset({i})] for i, share in zip(players, shares, strict=True))
    # floats, independently: least e with v(S) - x(S) <= e, x_i >= v(i)
    proper = [s for s in coalitions(players) if len(s) < 4]
    solved = linprog(
        [0, 0, 0, 0, 1],
        A_ub=[[-(i in s) for i in players] + [-1] for s in proper],
        b_ub=[-v[s] for s in proper],
        A_eq=[[1, 1, 1, 1, 0]],
        b_eq=[v[frozenset(players)]],
        bounds=[(v[frozenset({i})], None) for i in players] + [(None, None)],
    )
    assert float(largest_complaint(v, players, shares)) == pytest.approx(solved.fun, abs=1e-7)


def test_an_exact_programme_without_a_solution_or_a_bound_says_so():
    with pytest.raises(ArithmeticError, match="No point satisfies every row"):
        maximize([1], np.array([[1], [-1]]), [1, -2])
    with pytest.raises(ArithmeticError, match="without bound"):
        maximize([1, 0], np.array([[0, 1]]), [1])


def test_sampled_values_depend_on_the_seed_only_and_still_sum_exactly():
    v, players = game(2, 4, 5, 18, 14, 9, 24)
    sampled = shapley_sampled(v, players, 400, seed=7)
    assert sampled == shapley_sampled(lambda s: v[s], players, 400, seed=7)
    assert sampled != shapley_sampled(v, players, 400, seed=8)
    assert sum(sampled) == 24
    assert [float(x) for x in sampled] == pytest.approx([9.5, 8, 6.5], abs=0.7)


def test_sampled_random_arrival_is_the_sampled_shapley_value_of_the_bill():
    claims, cost = [10, 20, 30, 40, 0], 37
    sampled = random_arrival_sampled(cost, claims, 300, seed=1)
    paid = shapley_sampled(lambda s: min(cost, sum(claims[i] for i in s)), range(5), 300, seed=1)
    assert sampled == paid
    assert sum(sampled) == cost
    exact_shares = [float(x) for x in random_arrival(cost, claims)]
    assert [float(x) for x in random_arrival_sampled(cost, claims, 4000, seed=0)] == pytest.approx(
        exact_shares, abs=0.5
    )


def test_the_empty_coalition_may_be_named_or_left_out():
    v, players = game(2, 4, 5, 18, 14, 9, 24)
    assert shapley_exact(v | {frozenset(): 0}, players) == shapley_exact(v, players)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        *(
            (lambda rule=rule: rule(601, [100, 200, 300]), "more than all claims together")
            for rule in CLAIM_RULES
        ),
        (lambda: talmud(-1, [1]), "must be 0 or more"),
        (lambda: proportional(1, [-1, 5]), "must be 0 or more"),
        (lambda: random_arrival(1, [1] * 21), "up to 20, use random_arrival_sampled"),
        (lambda: random_arrival_sampled(1, [1, 2], 0, 0), "take at least 1"),
        (lambda: airport([]), "give at least one"),
        (lambda: serial([1, -1], float), "all 0 or more"),
        (lambda: shapley_exact({frozenset({1}): 1}, [1, 2]), r"no worth for the coalition \{2\}"),
        (lambda: shapley_exact({}, []), "name at least one"),
        (lambda: shapley_exact(len, range(21)), "use shapley_sampled"),
        (lambda: shapley_sampled(len, [1, 1], 5, 0), "each of them once"),
        (lambda: shapley_sampled(len, [1, 2], 0, 0), "take at least 1"),
        (lambda: nucleolus(len, range(11)), "takes up to 10"),
        (lambda: nucleolus(*game(5, 5, 5, 0, 0, 0, 9)), "no one would join"),
    ],
)
def test_a_bad_game_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_claims_that_could_pass_int64_are_refused():
    with pytest.raises(ArithmeticError, match="would pass the int64 bound"):
        random_arrival_sampled(1, [10**16, 10**16], 10_000, 0)
