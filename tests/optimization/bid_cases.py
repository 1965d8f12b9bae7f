"""Small procurement problems with numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from market.profiles import profile
from optimization.purchase import DemandResponse, Procurement
from optimization.scenarios import Scenarios
from optimization.supply import supply

RULES = profile("IPSPOT_2022_TRIAL").traded
LOST_LOAD = 20_000.0


def paths_of(*rows):
    """(path, section, seller, tariff, loss) -> the frame clear() takes; sections of a path in the order given."""
    seq: dict[str, int] = {}
    table = []
    for path, section, seller, tariff, loss in rows:
        seq[path] = seq.get(path, 0) + 1
        table.append((path, seq[path], section, seller, "SD", tariff, loss))
    names = ["path_id", "seq", "section_id", "seller_node", "buyer_node", "tariff_cny_per_mwh", "loss_rate"]
    return pd.DataFrame(table, columns=names)


PLAIN_PATHS = paths_of(("A-1", "S1", "A", "10", "0"), ("B-1", "S2", "B", "10", "0"))


def problem(
    prices,
    gaps,
    atc,
    *,
    probability=None,
    paths=PLAIN_PATHS,
    demand_response=(),
    provincial=0.0,
    need=None,
    first=77,
    risk=0.0,
):
    """A problem over the periods from ``first`` on.

    prices: (scenarios, nodes) or (scenarios, nodes, periods) 元/MWh at the seller. gaps: (scenarios, periods) MW.
    atc: section -> MW at the seller node in all periods. need: most MW that may be bid, by default the largest gap.
    """
    gaps = np.atleast_2d(np.array(gaps, dtype=float))
    count, periods = gaps.shape
    prices = np.array(prices, dtype=float)
    if prices.ndim == 2:
        prices = np.repeat(prices[:, :, None], periods, axis=2)
    gap_mw = np.zeros((count, 96))
    gap_mw[:, first - 1 : first - 1 + periods] = gaps
    seller_price = np.zeros((count, prices.shape[1], 96))
    seller_price[:, :, first - 1 : first - 1 + periods] = prices
    rows = [(section, t, mw) for section, mw in atc.items() for t in range(1, 97)]
    frame = pd.DataFrame(rows, columns=["section_id", "period", "mw"])
    own = supply(paths, frame, "SD")
    weights = np.full(count, 1 / count) if probability is None else np.array(probability, dtype=float)
    scenarios = Scenarios(
        names=tuple(f"2022-07-{n + 1:02d}" for n in range(count)),
        probability=weights,
        seller_nodes=own.seller_nodes,
        gap_mw=gap_mw,
        seller_price=seller_price,
    )
    limit = np.ceil(np.nan_to_num(scenarios.largest_gap_mw())).astype(np.int64)
    if need is not None:
        limit = np.where(limit > 0, need, 0)
    return Procurement(
        supply=own,
        scenarios=scenarios,
        demand_response=tuple(demand_response),
        need_limit_mw=limit,
        provincial_price=np.full(96, float(provincial)),
        value_of_lost_load=LOST_LOAD,
        rules=RULES,
        risk_weight=risk,
    )


def programme(
    name="DR",
    mw=50.0,
    per_mwh=1500.0,
    per_event=0.0,
    minimum=4,
    maximum=16,
    *,
    with_the_bid=False,
):
    """A demand-response programme; prices in 元/MWh and 元/MW of an event."""
    return DemandResponse(name, mw, per_mwh, per_event, minimum, maximum, with_the_bid)


def moved(base, *, section=None, period=None, need=None, programme_index=None, gap=None, by=1.0):
    """The same problem with one limit moved by ``by`` MW."""
    if section is not None:
        atc = base.supply.atc_mw.copy()
        atc[base.supply.section_ids.index(section), period - 1] += by
        return replace(base, supply=replace(base.supply, atc_mw=atc))
    if need is not None:
        limit = base.need_limit_mw.copy()
        limit[need - 1] += int(by)
        return replace(base, need_limit_mw=limit)
    if programme_index is not None:
        programmes = list(base.demand_response)
        one = programmes[programme_index]
        programmes[programme_index] = replace(one, capability_mw=one.capability_mw + by)
        return replace(base, demand_response=tuple(programmes))
    gap_mw = base.scenarios.gap_mw.copy()
    gap_mw[:, gap - 1] += by
    return replace(base, scenarios=replace(base.scenarios, gap_mw=gap_mw))
