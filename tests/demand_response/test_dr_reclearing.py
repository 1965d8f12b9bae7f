"""The session cleared again without the response: by hand, and against the real clearing (F3, 1; users 18)."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from demand_response.reclearing import session_without
from optimization.clearing import clear

# SD needs 150 MW in period 70 at up to 1,000; S1 offers 100 at 200, S2 100 at 300, S3 100 at 500.
# Each path has one free section, so a landed price is the seller's price.
OFFERS = pd.DataFrame(
    [("S1", 70, 1, 100, 200), ("S2", 70, 1, 100, 300), ("S3", 70, 1, 100, 500)],
    columns=["node", "period", "segment", "mw", "price_cny_per_mwh"],
)
BIDS = pd.DataFrame(
    [("SD", 70, 1, 150, 1000), ("SD", 70, 2, 20, 250), ("ZJ", 70, 1, 5, 220)],
    columns=["node", "period", "segment", "mw", "price_cny_per_mwh"],
)
PATHS = pd.DataFrame(
    [(f"{seller}-{buyer}", 1, f"X-{seller}-{buyer}", seller, buyer, 0, 0) for seller in ("S1", "S2", "S3") for buyer in ("SD", "ZJ")],
    columns=["path_id", "seq", "section_id", "seller_node", "buyer_node", "tariff_cny_per_mwh", "loss_rate"],
)  # fmt: skip
NO_LIMIT = pd.DataFrame(columns=["section_id", "period", "mw"])
STAGE = "IPSPOT_2022_TRIAL"


def real(offers, bids, paths, atc):
    return clear(offers, bids, paths, atc, STAGE)


def response(mw, period=70):
    curve = np.zeros(96)
    curve[period - 1] = mw
    return curve


def without(mw, atc=NO_LIMIT, clearing=real):
    return session_without(clearing, OFFERS, BIDS, PATHS, atc, "SD", response(mw))


def test_the_power_not_needed_is_bid_for_at_the_dearest_price_and_moves_the_last_landed_price():
    seen = []

    def watched(offers, bids, paths, atc):
        seen.append(bids.set_index(["node", "segment"])["mw"].astype(float).to_dict())
        return real(offers, bids, paths, atc)

    found = without(80, clearing=watched)
    assert seen == [
        {("SD", 1): 150, ("SD", 2): 20, ("ZJ", 1): 5},
        {("SD", 1): 230, ("SD", 2): 20, ("ZJ", 1): 5},
    ]
    assert found.covered.sum() == 1
    assert found.bought_mw[69] == pytest.approx(80, abs=5)
    assert found.rise[69] > 0
    assert found.rise[:69].sum() == 0


def test_the_counterfactual_is_the_session_solved_again_without_the_event():
    # users.md 18: the same answer as clearing the changed bids afresh
    changed = BIDS.assign(mw=[230.0, 20, 5])
    first, again = real(OFFERS, BIDS, PATHS, NO_LIMIT), real(OFFERS, changed, PATHS, NO_LIMIT)

    def landed(session):
        mine = session.trades[session.trades["buyer_node"] == "SD"]
        return mine.merge(session.landed_prices, on=["period", "path_id"])["price_cny_per_mwh"].max()

    assert without(80).rise[69] == round((landed(again) - landed(first)) * 1000)


def test_what_the_channels_cannot_carry_would_have_gone_unserved():
    closed = pd.DataFrame([("X-S2-SD", 70, 50), ("X-S3-SD", 70, 0)], columns=["section_id", "period", "mw"])
    found = without(80, closed)
    assert found.unserved_mw[69] == pytest.approx(80 - found.bought_mw[69])
    assert found.unserved_mw[69] >= 75


def test_without_a_bid_of_the_node_the_stack_decides():
    found = session_without(real, OFFERS, BIDS, PATHS, NO_LIMIT, "SD", response(80, period=71))
    assert (found.rise.sum(), found.covered[70]) == (0, False)
    stack = np.full(96, 7_000)
    rise = found.over(lambda load, price, response_wh, headroom: stack)
    headroom, nothing = np.full(96, 10**9), np.zeros(96, np.int64)
    assert rise(nothing, nothing, np.full(96, 1), headroom)[70] == 7_000
    assert rise(nothing, nothing, np.full(96, 1), headroom)[69] == 0  # the session answered: no rise there


def test_the_cap_bounds_the_price_of_the_session_too():
    rise = without(80).over(lambda *_: np.zeros(96, np.int64))
    whole = np.full(96, 10, np.int64)
    assert rise(whole, whole, whole, whole)[69] == 10


def test_a_session_without_trades_costs_nothing_and_rises_by_nothing():
    empty = SimpleNamespace(
        trades=pd.DataFrame(columns=["buyer_node", "period", "path_id", "buy_mw"]),
        landed_prices=pd.DataFrame(columns=["period", "path_id", "price_cny_per_mwh"]),
    )
    found = session_without(lambda *_: empty, OFFERS, BIDS, PATHS, NO_LIMIT, "SD", response(80))
    assert (found.rise.sum(), found.cost_cny.sum(), found.unserved_mw[69]) == (0, 0, 80)


def test_more_response_never_makes_the_purchase_cheaper():
    costs = [without(mw).cost_cny[69] for mw in (0, 20, 60, 120)]
    assert costs == sorted(costs)
    assert costs[0] == 0


def test_a_response_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="MW of 96 quarter-hours"):
        session_without(real, OFFERS, BIDS, PATHS, NO_LIMIT, "SD", np.zeros(24))
