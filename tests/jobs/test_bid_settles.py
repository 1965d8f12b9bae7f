"""What the bid model says a dispatch costs is what settlement charges for it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from market.money import half_up
from market.profiles import profile
from optimization.clearing import clear
from optimization.evaluation import atc_frame, imports, offer_frame
from optimization.purchase import Procurement, bid_frame, bid_of, half_up_fen
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


@pytest.mark.parametrize("seed", range(4))
def test_the_model_s_cost_of_a_dispatch_is_the_settled_cost_to_the_fen(seed):
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
    day = Procurement(own, scenarios, (), np.full(96, 300), np.zeros(96), 20_000.0, rules)
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
                "day_ahead",
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
