"""Offers against a need: the order, the price, blocks, the reserve list (demand_response.md A1, A2, F1)."""

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand_response.award import GAP, Left, Place, Terms, award, merit_order, whole_blocks

MW = 1_000_000  # W
YUAN = 1_000_000  # 1e-6 元


def cleared(offers, need_mw, **terms):
    """Offers as (id, MW, 元); awards back as {id: MW}."""
    given = [(who, round(mw * MW), round(price * YUAN)) for who, mw, price in offers]
    return award(given, Terms(need_w=round(need_mw * MW), **terms))


def megawatts(result):
    return {one.participant_id: one.committed_w / MW for one in result.awards}


OFFERS = [("a", 10, 3), ("b", 20, 2), ("c", 30, 2), ("d", 40, 5), ("e", 5, 2)]


def test_low_price_goes_first_then_large_capacity_and_the_last_is_cut_to_the_need():
    # price 2: c 30, b 20, e 5 make 55; 4 MW of a remain to 59
    result = cleared(OFFERS, 59)
    assert megawatts(result) == {"a": 4, "b": 20, "c": 30, "e": 5}
    assert (result.method, result.short_w, result.over_w) == ("merit_order", 0, 0)


def test_equal_price_and_capacity_are_settled_by_participant_id():
    result = cleared([("z", 10, 2), ("m", 10, 2), ("a", 10, 2)], 20)
    assert megawatts(result) == {"a": 10, "m": 10}
    assert [one.participant_id for one in result.reserve] == ["z"]


def test_everyone_is_paid_the_dearest_award_or_each_its_own_price():
    assert {one.price for one in cleared(OFFERS, 59).awards} == {3 * YUAN}
    assert cleared(OFFERS, 59).clearing_price == 3 * YUAN
    as_bid = cleared(OFFERS, 59, pricing="pay_as_bid")
    assert {one.participant_id: one.price / YUAN for one in as_bid.awards} == {"a": 3, "b": 2, "c": 2, "e": 2}
    assert as_bid.clearing_price is None


def test_the_listing_factor_multiplies_the_need_as_in_the_2018_pilot():
    # 30 MW x 150 % = 45 MW: c 30 and 15 of b
    assert megawatts(cleared(OFFERS, 30, listing_factor=Decimal("1.5"))) == {"c": 30, "b": 15}


def test_an_offer_above_the_cap_gets_nothing_and_is_no_reserve():
    result = cleared(OFFERS, 100, price_cap=3 * YUAN)
    assert megawatts(result) == {"a": 10, "b": 20, "c": 30, "e": 5}
    assert [(one.participant_id, one.reason) for one in result.uncleared] == [("d", Left.ABOVE_CAP)]
    assert result.reserve == ()
    assert result.short_w == 35 * MW  # listed, not offered
    assert megawatts(cleared(OFFERS, 100, price_cap=5 * YUAN))["d"] == 35  # exactly the cap is taken


def test_the_uncleared_stand_in_reserve_in_the_order_of_call_with_what_is_left_of_them():
    result = cleared(OFFERS, 59)
    assert [(one.participant_id, one.remaining_w / MW) for one in result.reserve] == [("a", 6), ("d", 40)]


def test_an_offer_below_the_smallest_block_is_refused_and_one_at_it_is_not():
    result = cleared(OFFERS, 59, minimum_block_w=10 * MW)
    assert [
        (one.participant_id, one.reason) for one in result.uncleared if one.reason is not Left.RESERVE
    ] == [("e", Left.BELOW_BLOCK)]
    assert "a" in megawatts(cleared(OFFERS, 60, minimum_block_w=10 * MW))


def test_nobody_is_awarded_more_than_the_largest_block():
    result = cleared(OFFERS, 50, maximum_block_w=15 * MW)
    assert megawatts(result) == {"b": 15, "c": 15, "e": 5, "a": 10, "d": 5}
    left = {one.participant_id: one.remaining_w / MW for one in result.reserve}
    assert left == {"c": 15, "b": 5, "d": 35}


def test_whole_offers_are_chosen_for_least_cost_and_not_in_order():
    # need 50; in order 40 at 1 and then 30 at 2 would cost 100 元/h; 50 at 1.9 alone costs 95
    offers = [("a", 40, 1), ("b", 30, 2), ("c", 50, 1.9)]
    result = cleared(offers, 50, divisible=False)
    assert (megawatts(result), result.method, result.over_w) == ({"c": 50}, "integer", 0)
    assert [one.participant_id for one in result.reserve] == ["a", "b"]  # a is cheaper and did not fit


def test_whole_offers_cover_the_need_and_say_by_how_much_they_pass_it():
    result = cleared([("a", 40, 1), ("b", 30, 2)], 50, divisible=False)
    assert (megawatts(result), result.over_w) == ({"a": 40, "b": 30}, 20 * MW)


def test_of_equally_cheap_choices_the_one_early_in_the_order_is_taken():
    # three ways to 30 MW at one price: a+b is first in the order (20, then 10 by id)
    offers = [("c", 10, 2), ("b", 10, 2), ("a", 20, 2), ("d", 30, 3)]
    assert megawatts(cleared(offers, 30, divisible=False)) == {"a": 20, "b": 10}


def test_a_smallest_block_makes_the_last_award_a_choice_of_whom_to_leave_out():
    # in order: a 50, then 2 of b, but 10 is the least: the cheapest cover is 42 of a and 10 of b
    result = cleared([("a", 50, 1), ("b", 20, 2)], 52, minimum_block_w=10 * MW)
    assert (megawatts(result), result.method) == ({"a": 42, "b": 10}, "integer")


def test_where_the_order_meets_the_need_exactly_blocks_and_order_agree():
    whole, cut = cleared(OFFERS, 65, divisible=False), cleared(OFFERS, 65)
    assert whole == cut
    places = [Place(round(p * YUAN), -mw * MW, who, mw * MW, mw * MW) for who, mw, p in OFFERS]
    assert whole_blocks(places, 65 * MW) == merit_order(places, 65 * MW)


small = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), min_size=1, max_size=6)


@given(small, st.integers(1, 40), st.integers(0, 4))
def test_the_integer_choice_is_the_cheapest_cover_that_can_be_found_by_trying_all(offers, need, least):
    places = [
        Place(price * YUAN, -mw * MW, f"p{i}", min(least, mw) * MW, mw * MW)
        for i, (mw, price) in enumerate(offers)
    ]
    taken = whole_blocks(places, need * MW)
    bounds = {place.participant_id: (place.least_w, place.most_w, place.price) for place in places}
    assert all(bounds[who][0] <= watts <= bounds[who][1] for who, watts in taken.items())
    offered = sum(place.most_w for place in places)
    assert sum(taken.values()) >= min(need * MW, offered)
    cost = sum(watts * bounds[who][2] for who, watts in taken.items())
    assert cost <= cheapest(places, min(need * MW, offered)) * (1 + GAP) ** 2


def cheapest(places, need_w):
    """Every choice of offers, each filled in order above its least award."""
    best = None
    for choice in product((False, True), repeat=len(places)):
        chosen = [place for place, taken in zip(sorted(places), choice, strict=True) if taken]
        if sum(place.most_w for place in chosen) < need_w:
            continue
        left = need_w - sum(place.least_w for place in chosen)
        cost = sum(place.least_w * place.price for place in chosen)
        for place in chosen:
            more = min(place.most_w - place.least_w, max(left, 0))
            left, cost = left - more, cost + more * place.price
        best = cost if best is None else min(best, cost)
    return best


@given(small, st.integers(1, 40))
def test_divisible_offers_give_the_order_and_the_integer_model_the_same(offers, need):
    places = [Place(price * YUAN, -mw * MW, f"p{i}", 0, mw * MW) for i, (mw, price) in enumerate(offers)]
    by_order, by_model = merit_order(places, need * MW), whole_blocks(places, need * MW)
    price = {place.participant_id: place.price for place in places}
    assert sum(by_order.values()) == sum(by_model.values())
    costs = [sum(watts * price[who] for who, watts in taken.items()) for taken in (by_order, by_model)]
    assert costs[0] <= costs[1] <= costs[0] * (1 + GAP) ** 2


@given(small, st.integers(1, 40), st.randoms())
def test_the_order_of_the_rows_never_matters(offers, need, random):
    rows = [(f"p{i}", mw * MW, price * YUAN) for i, (mw, price) in enumerate(offers)]
    shuffled = random.sample(rows, len(rows))
    terms = Terms(need_w=need * MW, divisible=False)
    assert award(rows, terms) == award(shuffled, terms)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: cleared([("a", 1, 1), ("a", 2, 1)], 1), "Participant a offers twice"),
        (lambda: cleared([("a", 0, 1)], 1), "power must be positive"),
        (lambda: cleared([("a", 1, -1)], 1), "a price 0 or more"),
        (lambda: cleared(OFFERS, 0), "both must be positive"),
        (lambda: cleared(OFFERS, 1, pricing="second_price"), "choose one of uniform, pay_as_bid"),
        (lambda: cleared(OFFERS, 1, minimum_block_w=2, maximum_block_w=1), "0 <= minimum <= maximum"),
    ],
)
def test_what_cannot_be_cleared_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_an_event_nobody_offers_for_is_short_by_all_of_it():
    result = cleared([], 50)
    assert (result.awards, result.clearing_price, result.short_w) == ((), None, 50 * MW)
