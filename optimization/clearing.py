"""Clearing of the inter-provincial spot market (省间电力现货; S14 4.3.2-4.3.3, market.md A.7-A.8).

Grain: one session, a period at a time; prices 元/MWh, power MW at the node the column names. Rulings 17-22
settle what the rule leaves open. Clearing is greedy by spread, as the rule writes it, not welfare-maximal
(ruling 21). Offers at 100, bids at 600, two sellers and two buyers of 100 MW, paths that cost 20 (first
seller to second buyer), 20 (second to first) and 500 (second to second): both pairs of cost 20 trade and
gain 96,000 元/h. Open a path of cost 10 from the first seller to the first buyer and that pair comes in
front; the two left over meet on the path of cost 500, and the gain is 49,000.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from market import profiles
from market.paths import rounded_price
from market.profiles import InterprovincialRules, RuleProfile
from optimization.clearing_inputs import FloatArray, IntArray, Paths, Session, read_session
from optimization.clearing_match import NOTHING_MW, Matched, match


@dataclass(frozen=True)
class Clearing:
    """A cleared session.

    trades: order, period, path_id, seller_node, buyer_node, sell_segment, buy_segment, sell_mw (at the seller
        node), buy_mw (at the buyer node), sell_price (the offer), converted_buy_price (the bid at the seller
        node), spread. order counts 1, 2, 3 … through the session as trades were made; the trade's prices are
        not rounded.
    seller_prices: period, node, price_cny_per_mwh; nodes that sold.
    landed_prices: period, path_id, price_cny_per_mwh; paths that were traded.
    findings: code, severity, subject (section_id), sentence, evidence (JSON); ramp_fall where a section
        falls faster than the ramp allows.
    """

    trades: pd.DataFrame
    seller_prices: pd.DataFrame
    landed_prices: pd.DataFrame
    findings: pd.DataFrame


@dataclass(frozen=True)
class _PeriodPrices:
    seller: dict[int, float]
    landed: dict[int, float]


def clear(
    offers: pd.DataFrame,
    bids: pd.DataFrame,
    paths: pd.DataFrame,
    atc: pd.DataFrame,
    profile: str | RuleProfile = "IPSPOT_2022_TRIAL",
) -> Clearing:
    """Clear one session (one stage, one round) of the inter-provincial market.

    offers, bids: node, period, segment, mw, price_cny_per_mwh; segment increments, MW and price at the
        segment's own node.
    paths: path_id, seq, section_id, seller_node, buyer_node, tariff_cny_per_mwh, loss_rate; one row a
        section, seq 1, 2, 3 … from seller to buyer; taken as given, no tariff is added (ruling 22).
    atc: section_id, period, mw at the seller node; a section without a row has no limit.
    profile: a profile with inter-provincial rules or the name of a packaged one; seller MW truncation and ramp
        are read from it.

    Other columns are ignored and row order does not matter. A path whose two nodes are the same never trades.
    With a ramp the first period of the session is free, and a period inside the session without offers or
    bids counts as one that cleared nothing.
    Raises ValueError naming table, row and remedy: a missing column or value, negative MW, a loss outside
    [0, 1), a repeated (node, period, segment) or (section, period), a gap in seq, a path between several
    pairs of nodes.
    """
    rules = (profiles.profile(profile) if isinstance(profile, str) else profile).traded
    session = read_session(offers, bids, paths, atc)
    matched: dict[int, Matched] = {}
    prices: dict[int, _PeriodPrices] = {}
    falls: list[dict[str, Any]] = []
    flow: FloatArray | None = None
    for period in _periods(session):
        limit = session.limit(period)
        if rules.ramp_mw is not None and flow is not None:
            limit = np.minimum(limit, flow + float(rules.ramp_mw))
        trades = match(
            session,
            np.flatnonzero(session.offers.period == period),
            np.flatnonzero(session.bids.period == period),
            limit,
        )
        prices[period] = _prices(trades, session)
        matched[period] = _truncated(trades) if rules.truncate_seller_mw else trades
        before, flow = flow, _flow(matched[period], session.paths)
        if rules.ramp_mw is not None and before is not None:
            falls += _falls(session, period, before, flow, rules)
    return Clearing(
        trades=_trade_frame(matched, session),
        seller_prices=_price_frame({t: p.seller for t, p in prices.items()}, "node", session.nodes),
        landed_prices=_price_frame(
            {t: p.landed for t, p in prices.items()}, "path_id", session.paths.path_ids
        ),
        findings=pd.DataFrame(falls, columns=["code", "severity", "subject", "sentence", "evidence"]),
    )


def _periods(session: Session) -> list[int]:
    """Periods with offers or bids, and the first of every gap between them, where flow falls to zero."""
    open_periods = {*session.offers.period.tolist(), *session.bids.period.tolist()}
    last = max(open_periods, default=0)
    return sorted(open_periods | {period + 1 for period in open_periods if period < last})


def _prices(trades: Matched, session: Session) -> _PeriodPrices:
    """S14 4.3.3 a: the mean of a node's last traded pair; b: that price landed over each path that traded."""
    last: dict[int, tuple[int, int, int]] = {}
    for seller, buyer, path in zip(trades.seller, trades.buyer, trades.path, strict=True):
        last[int(session.paths.seller[path])] = (seller, buyer, path)
    seller_price: dict[int, Fraction] = {}
    for node, (seller, buyer, path) in last.items():
        converted_bid = session.paths.cost[path].converted(session.bids.exact[buyer])
        seller_price[node] = (converted_bid + session.offers.exact[seller]) / 2
    landed = {
        path: float(
            rounded_price(session.paths.cost[path].landed(seller_price[int(session.paths.seller[path])]))
        )
        for path in sorted(set(trades.path))
    }
    return _PeriodPrices(
        seller={node: float(rounded_price(seller_price[node])) for node in sorted(seller_price)},
        landed=landed,
    )


def _truncated(trades: Matched) -> Matched:
    """Seller MW of each path cut to an integer, its last trades first (售电侧出清电力取整); prices stay."""
    total: dict[int, float] = {}
    for path, mw in zip(trades.path, trades.mw, strict=True):
        total[path] = total.get(path, 0.0) + mw
    excess = {path: max(0.0, mw - np.floor(mw + NOTHING_MW)) for path, mw in total.items()}
    kept = list(trades.mw)
    for k in reversed(range(len(kept))):
        cut = min(kept[k], excess[trades.path[k]])
        kept[k] -= cut
        excess[trades.path[k]] -= cut
    left = [k for k, mw in enumerate(kept) if mw > NOTHING_MW]
    return Matched(
        seller=[trades.seller[k] for k in left],
        buyer=[trades.buyer[k] for k in left],
        path=[trades.path[k] for k in left],
        mw=[kept[k] for k in left],
    )


def _flow(trades: Matched, paths: Paths) -> FloatArray:
    """MW on each section, measured at the seller node (ruling 18)."""
    on_path = np.bincount(np.array(trades.path, dtype=np.int64), np.array(trades.mw), len(paths.cost))
    return np.asarray(on_path @ paths.incidence, dtype=np.float64)


def _falls(
    session: Session, period: int, before: FloatArray, after: FloatArray, rules: InterprovincialRules
) -> list[dict[str, Any]]:
    allowed = float((rules.ramp_mw or Decimal(0)) + (rules.ramp_tolerance_mw or Decimal(0)))
    found = []
    for section in np.flatnonzero(before - after > allowed + NOTHING_MW).tolist():
        name, fall = session.section_ids[section], float(before[section] - after[section])
        found.append(
            {
                "code": "ramp_fall",
                "severity": "review",
                "subject": name,
                "sentence": (
                    f"Section {name} falls by {fall:.3f} MW from period {period - 1} to {period}, more than "
                    f"the {allowed:g} MW the ramp allows; nothing was changed, agree it with dispatch."
                ),
                "evidence": json.dumps(
                    {
                        "period": period,
                        "before_mw": round(float(before[section]), 6),
                        "after_mw": round(float(after[section]), 6),
                        "allowed_fall_mw": allowed,
                    }
                ),
            }
        )
    return found


def _trade_frame(matched: dict[int, Matched], session: Session) -> pd.DataFrame:
    period = np.repeat(
        np.array(list(matched), dtype=np.int64), [len(trades.mw) for trades in matched.values()]
    )
    seller = np.array([k for trades in matched.values() for k in trades.seller], dtype=np.int64)
    buyer = np.array([k for trades in matched.values() for k in trades.buyer], dtype=np.int64)
    path = np.array([k for trades in matched.values() for k in trades.path], dtype=np.int64)
    mw = np.array([k for trades in matched.values() for k in trades.mw], dtype=np.float64)
    offers, bids, paths = session.offers, session.bids, session.paths
    converted = bids.price[buyer] * paths.coe[path] - paths.price_coe[path]
    return pd.DataFrame(
        {
            "order": np.arange(1, mw.size + 1),
            "period": period,
            "path_id": _named(path, paths.path_ids),
            "seller_node": _named(offers.node[seller], session.nodes),
            "buyer_node": _named(bids.node[buyer], session.nodes),
            "sell_segment": offers.segment[seller],
            "buy_segment": bids.segment[buyer],
            "sell_mw": mw,
            "buy_mw": mw * paths.coe[path],
            "sell_price": offers.price[seller],
            "converted_buy_price": converted,
            "spread": converted - offers.price[seller],
        }
    )


def _price_frame(prices: dict[int, dict[int, float]], column: str, names: list[Any]) -> pd.DataFrame:
    rows = [
        (period, index, price) for period, of_period in prices.items() for index, price in of_period.items()
    ]
    return pd.DataFrame(
        {
            "period": np.array([period for period, _, _ in rows], dtype=np.int64),
            column: _named(np.array([index for _, index, _ in rows], dtype=np.int64), names),
            "price_cny_per_mwh": np.array([price for _, _, price in rows], dtype=np.float64),
        }
    )


def _named(index: IntArray, names: list[Any]) -> pd.Series[Any]:
    """Names at the indices; text keeps its dtype also where nothing was traded."""
    labels = pd.Series(names, dtype=None if names else "str")
    return labels.take(index).reset_index(drop=True)
