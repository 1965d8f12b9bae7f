"""What the bid model says a dispatch costs is what settlement charges for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from demand_response.events import Program
from demand_response.response import evaluate, payment
from market.money import half_up
from market.profiles import profile
from optimization.clearing import clear
from optimization.evaluation import atc_frame, imports, offer_frame, outcome
from optimization.purchase import DemandResponse, Procurement, bid_frame, bid_of, half_up_fen
from optimization.scenarios import Scenarios
from optimization.supply import supply
from settlement.interprovincial import Section, Trade, settle_trades

DAY = date(2022, 7, 22)
CHAINS = {
    "NX-YD": (
        "NX",
        (("SEC-NX-OUT", "25", "0.005"), ("SEC-YD", "50.8", "0.07"), ("SEC-HB", "10.8", "0.0242")),
    ),
    "NX-ZY": (
        "NX",
        (("SEC-NX-OUT", "25", "0.005"), ("SEC-ZY", "58.95", "0.065"), ("SEC-HB", "10.8", "0.0242")),
    ),
    "SX-AC": ("SX", (("SEC-SX-OUT", "21.7", "0.0019"), ("SEC-HB", "10.8", "0.0242"))),
}
PATHS = pd.DataFrame(
    [
        (path, seq, section, node, "SD", tariff, loss)
        for path, (node, chain) in CHAINS.items()
        for seq, (section, tariff, loss) in enumerate(chain, start=1)
    ],
    columns=["path_id", "seq", "section_id", "seller_node", "buyer_node", "tariff_cny_per_mwh", "loss_rate"],
)


def random_day(seed):
    """Two sellers with three rising offers of 60 MW each, three paths that share the section at the buyer."""
    random = np.random.default_rng(seed)
    limits = [
        (one, t, mw) for one, mw in (("SEC-YD", 70), ("SEC-ZY", 90), ("SEC-SX-OUT", 80)) for t in range(1, 97)
    ]
    own = supply(PATHS, pd.DataFrame(limits, columns=["section_id", "period", "mw"]), "SD")
    price = np.sort(random.uniform(200, 500, (1, 2, 3, 96)).round(3), axis=2)
    scenarios = Scenarios(
        ("one",),
        np.ones(1),
        own.seller_nodes,
        np.full((1, 96), 200.0),
        price[:, :, 0],
        price,
        np.full(price.shape, 60.0),
    )
    rules = profile("IPSPOT_2022_TRIAL").traded
    return random, Procurement(own, scenarios, (), np.full(96, 300), np.zeros(96), 20_000.0, rules)


@pytest.mark.parametrize(
    ("seed", "stage"), [(0, "day_ahead"), (1, "day_ahead"), (2, "intraday"), (3, "intraday")]
)
def test_the_model_s_cost_of_a_dispatch_is_the_settled_cost_to_the_fen(seed, stage):
    random, day = random_day(seed)
    bid = bid_of(
        (t, int(random.integers(20, 90)), int(random.integers(300, 900)))
        for t in (70, 71, 75)
        for _ in range(3)
    )
    cleared = clear(offer_frame(bid, day, 0), bid_frame(bid, "SD"), PATHS, atc_frame(day))
    sold_at = cleared.seller_prices.set_index(["period", "node"])["price_cny_per_mwh"]
    landed = cleared.landed_prices.set_index(["period", "path_id"])["price_cny_per_mwh"]
    trades = []
    for (t, path), rows in cleared.trades.groupby(["period", "path_id"]):
        node = CHAINS[path][0]
        sell, buy = (
            Decimal(half_up(Fraction(float(rows[name].sum())) * 1_000_000)) / 1_000_000
            for name in ("sell_mw", "buy_mw")
        )
        prices = (Decimal(str(sold_at[t, node])), Decimal(str(landed[t, path])))
        trades.append(
            Trade(
                f"{t}-{path}",
                DAY,
                stage,
                1,
                t,
                path,
                node,
                "SD",
                "OUT",
                "SGCC",
                sell,
                buy,
                *prices,
                sell,
                buy,
            )
        )
    sections = {
        (path, DAY): [Section(name, "OWNER", Decimal(tariff), Decimal(loss)) for name, tariff, loss in chain]
        for path, (_, chain) in CHAINS.items()
    }
    settled = settle_trades(trades, sections, Decimal("0.002")).landed_cost
    assert settled is not None
    assert half_up_fen(float(imports(bid, day).cost_cny.sum())) == half_up(settled * 100)


@pytest.mark.parametrize(
    ("price", "unit", "coefficients", "periods"),
    [
        ("1.5", "per_kwh", ((60, "1"),), 4),
        ("1.5", "per_kwh", ((60, "1"), (120, "1.2")), 9),
        ("6", "per_kw_event", ((60, "1"), (120, "1.2"), (240, "1.5")), 4),
        ("6", "per_kw_event", ((60, "1"), (120, "1.2"), (240, "1.5")), 16),
        ("6", "per_kw_event", ((60, "1"),), 3),
    ],
)
def test_the_model_s_cost_of_a_call_is_what_settlement_pays_for_it_when_it_is_delivered(
    price, unit, coefficients, periods
):
    program = Program(
        program_id="DR",
        kind="emergency",
        product="intraday",
        direction="cut",
        price_unit=unit,
        price_cny=Decimal(price),
        minimum_minutes=0,
        time_coefficients=tuple((minutes, Decimal(factor)) for minutes, factor in coefficients),
    )
    a_megawatt = float(price) * 1_000
    model = DemandResponse(
        "DR",
        50.0,
        a_megawatt if unit == "per_kwh" else 0.0,
        a_megawatt if unit == "per_kw_event" else 0.0,
        4,
        16,
        False,
        tuple((minutes, float(factor)) for minutes, factor in coefficients),
    )
    mw = 37.25
    baseline = np.full(periods, 90_000.0)
    response = evaluate(baseline, baseline - mw * 1_000, mw * 1_000, minimum_minutes=0)
    paid = payment(
        Fraction(response.confirmed_w, 1000),
        program.price_cny,
        price_unit=unit,
        hours=Fraction(periods, 4),
        time_coefficient=program.time_coefficient(response.effective_minutes),
    )
    assert half_up_fen(mw * model.cny_per_mw(periods)) == paid


def test_a_call_of_the_model_costs_in_the_outcome_what_its_events_are_paid():
    _, day = random_day(5)
    gap = np.zeros((1, 96))
    gap[0, 69:73] = 40.0
    programme = DemandResponse("DR", 50.0, 1_500.0, 0.0, 4, 16, False)
    day = replace(day, demand_response=(programme,), scenarios=replace(day.scenarios, gap_mw=gap))
    result = outcome(imports((), day), day)
    paid = sum(
        payment(
            Fraction(call.mw) * 1000,
            Decimal("1.5"),
            price_unit="per_kwh",
            hours=Fraction(call.last_period - call.first_period + 1, 4),
        )
        for call in result.calls
    )
    assert result.expected().response_fen == paid == 40 * 1_500 * 100
