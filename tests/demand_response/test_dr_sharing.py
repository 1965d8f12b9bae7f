"""One event shared among payers: price without it, benefit, drivers, charges, net benefit (F3; rulings 25-27, 29)."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand_response.events import Event
from demand_response.sharing import (
    EventCase,
    EventMarket,
    Policy,
    event_response,
    net_benefit,
    positive_deviation,
    share,
)

EVENT = Event(event_id="E1", program_id="P1", date=dt.date(2022, 7, 20), first_period=69, last_period=72)
MWH = 1_000_000


def curve(mwh):
    return np.full(96, round(mwh * MWH), dtype=np.int64)


def market(use, position, contract, **other):
    """Three payers a, b, c with flat curves in MWh a quarter-hour; load 100, price 400 day ahead, 440 real time."""
    return EventMarket(
        payers=("a", "b", "c"),
        use_wh=np.array([curve(mwh) for mwh in use]),
        day_ahead_wh=np.array([curve(mwh) for mwh in position]),
        contract_wh=np.array([curve(mwh) for mwh in contract]),
        load_wh=curve(100),
        price_day_ahead=np.full(96, 400_000),
        price_real_time=np.full(96, 440_000),
        nonmarket_wh=np.zeros(3, np.int64),
        **other,
    )


def by_60(load_wh, price, response_wh, headroom):
    """60 元/MWh dearer wherever there was a response, up to the cap."""
    return np.where(response_wh > 0, np.minimum(60_000, headroom), 0)


def case(cost_fen=9_000_00, known=False, **changed):
    response = event_response(EVENT, [(5 * MWH,) * 4])
    shop = market(use=(4, 3, 2), position=(4, 2, 0), contract=(4, 2, 0))
    made = EventCase(EVENT, cost_fen, response, shop, Policy(), known, rise=by_60, model="sixty")
    return replace(made, **changed)


def charged(shared):
    return {who: fen / 100 for who, fen in shared.charged().items()}


def test_only_uncovered_use_gains_and_pays_in_proportion():
    # rise 60 x (0, 1, 2) MWh x 4 quarter-hours = 0, 240, 480 元; cost 360 = half of it
    shared = share(case(cost_fen=360_00))
    assert shared.drivers["benefit_fen"].tolist() == [0, 240_00, 480_00]
    assert charged(shared) == {"a": 0, "b": 120, "c": 240}
    assert (shared.benefit_fen, shared.model) == (720_00, "sixty")


def test_what_exceeds_all_benefit_is_a_residual_by_use():
    # 900 - 720 = 180 over use 4 : 3 : 2
    shared = share(case(cost_fen=900_00))
    assert {who: fen / 100 for who, fen in shared.charged("residual").items()} == {"a": 80, "b": 60, "c": 40}
    assert {who: fen / 100 for who, fen in shared.charged("benefit").items()} == {"a": 0, "b": 240, "c": 480}


def test_an_event_called_before_the_day_ahead_market_moves_that_price_too():
    # day ahead 60 x (Q_DA - Q_c); real time 60 x (E - Q_DA): a has sold its cover forward and declared none
    shop = market(use=(4, 3, 2), position=(4, 3, 2), contract=(4, 2, 0))
    called_late, known = (share(case(market=shop, known=k)) for k in (False, True))
    assert called_late.drivers["benefit_fen"].tolist() == [0, 0, 0]
    assert known.drivers["benefit_fen"].tolist() == [0, 240_00, 480_00]


def test_no_price_without_the_event_passes_the_cap():
    shared = share(case(policy=Policy(price_cap=450_000)))
    assert shared.rise_real_time[68] == 10_000
    assert shared.rise_real_time[67] == 0  # outside the event


def test_outside_the_event_nothing_is_added_back_and_nothing_gained():
    assert event_response(EVENT, [(1, 2, 3, 4), (1, -5, 0, 0)]).tolist()[67:73] == [0, 2, 0, 3, 4, 0]
    assert event_response(EVENT, []).sum() == 0


def test_deviation_below_the_free_band_is_not_counted():
    # 5 % of 100 Wh are free: use 104 counts 0, 107 counts 2; a negative deviation counts 0
    use, position = np.array([[104, 107, 90]]), np.array([[100, 100, 100]])
    assert positive_deviation(use, position, Decimal("0.05")).tolist() == [2]
    assert positive_deviation(use, position, Decimal(0)).tolist() == [11]
    with pytest.raises(ValueError, match="share of 0 or more"):
        positive_deviation(use, position, Decimal("-0.1"))


def test_the_net_benefit_test_of_an_event_weighs_all_load_against_its_cost():
    # load 100 a quarter-hour: saved 60 x 100 x 4 = 24,000 元; TC-20 and TC-21 are the single-price cases
    passed = net_benefit(case(23_999_00), share(case(23_999_00)))
    assert (passed.passes, passed.benefit, passed.cost) == (True, 24_000, 23_999)
    assert passed.unit_cost == pytest.approx(440 + 23_999 / 400)
    assert not net_benefit(case(24_000_00), share(case(24_000_00))).passes


def test_without_a_response_no_price_moves_and_the_cost_stays_with_use():
    quiet = share(case(cost_fen=90_00, response_wh=np.zeros(96, np.int64)))
    assert quiet.benefit_fen == 0
    assert charged(quiet) == {"a": 40, "b": 30, "c": 20}


energies = st.lists(st.integers(0, 40), min_size=3, max_size=3)


@given(
    use=energies,
    position=energies,
    contract=energies,
    cost=st.integers(-10_000, 10_000_00),
    known=st.booleans(),
)
def test_i1_i2_the_pool_closes_to_the_fen_and_nobody_pays_more_than_its_benefit(
    use, position, contract, cost, known
):
    shop = market(use, position, contract)
    if not any(use):
        return
    shared = share(case(cost, known, market=shop))
    assert sum(shared.charged().values()) == cost
    benefit = dict(zip(shared.drivers["participant_id"], shared.drivers["benefit_fen"], strict=True))
    assert all(abs(fen) <= benefit[who] for who, fen in shared.charged("benefit").items())
    assert all(fen == 0 for who, fen in shared.charged("benefit").items() if benefit[who] == 0)
