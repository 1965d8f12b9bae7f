"""What does not add up in delivered trades (S14; market.md C.6 R22, R24; rulings 4, 5).

Grain: findings over the trades of one month. A trade that does not end at the home node is not settled here;
every other trade is settled as delivered and what is odd about it is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from market.money import half_up
from market.profiles import InterprovincialRules
from settlement.findings import Finding, Severity
from settlement.interprovincial import HOURS_PER_PERIOD, Trade

LISTED = 50  # trades named in the evidence of one finding


@dataclass(frozen=True)
class Province:
    """The home node, its grid company and who else settles there and may buy for itself."""

    home_node: str
    grid_company: str
    settling: Collection[str]


def checked_trades(
    trades: Sequence[Trade],
    path_nodes: Mapping[str, tuple[str, str]],
    province: Province,
    rules: InterprovincialRules,
) -> tuple[list[Trade], list[Finding]]:
    """The trades that are settled here, and the findings about all of them.

    path_nodes: path_id -> (seller node, buyer node). A buyer who settles nothing here is taken for the grid
    company (ruling 4) and said to be so.
    """
    findings: list[Finding] = []
    settled = []
    for trade in trades:
        if trade.buyer_node != province.home_node:
            findings.append(_elsewhere(trade, province))
            continue
        findings += _same_node(trade)
        findings += _off_its_path(trade, path_nodes)
        findings += _outside_limits(trade, rules)
        findings += _above_cleared(trade)
        if trade.buyer_id == province.grid_company or trade.buyer_id in province.settling:
            settled.append(trade)
        else:
            findings.append(_unknown_buyer(trade, province))
            settled.append(replace(trade, buyer_id=province.grid_company))
    return settled, [*findings, *_repeated(settled), *_cut(settled)]


def _elsewhere(trade: Trade, province: Province) -> Finding:
    return Finding(
        "trade_ends_elsewhere",
        Severity.BLOCK,
        trade.trade_id,
        f"Trade {trade.trade_id} goes from {trade.seller_node} to {trade.buyer_node}; only purchases at "
        f"{province.home_node} are settled here, so its energy and money are in nobody's account. Withdraw it, or "
        "settle it by hand and waive this finding by name.",
        evidence={"seller_node": trade.seller_node, "buyer_node": trade.buyer_node},
        amount_at_stake_fen=_fen(trade.executed_buy_mw, trade.landed_price),
    )


def _same_node(trade: Trade) -> list[Finding]:
    if trade.seller_node != trade.buyer_node:
        return []
    return [
        Finding(
            "same_province_trade",
            Severity.BLOCK,
            trade.trade_id,
            f"Trade {trade.trade_id} sells and buys at {trade.buyer_node}; pairs of one province do not trade between "
            "provinces (S14). It is settled as delivered; ask the trading centre for its nodes.",
            evidence={"seller_node": trade.seller_node, "buyer_node": trade.buyer_node},
            amount_at_stake_fen=_fen(trade.executed_buy_mw, trade.landed_price),
        )
    ]


def _off_its_path(trade: Trade, path_nodes: Mapping[str, tuple[str, str]]) -> list[Finding]:
    ends = path_nodes.get(trade.path_id)
    if ends is None or ends == (trade.seller_node, trade.buyer_node):
        return []
    return [
        Finding(
            "trade_off_its_path",
            Severity.REVIEW,
            trade.trade_id,
            f"Trade {trade.trade_id} goes from {trade.seller_node} to {trade.buyer_node}, but path {trade.path_id} from "
            f"{ends[0]} to {ends[1]}. The path decides the transmission price; ask which of the two is right.",
            evidence={"trade": [trade.seller_node, trade.buyer_node], "path": list(ends)},
        )
    ]


def _outside_limits(trade: Trade, rules: InterprovincialRules) -> list[Finding]:
    low, high = rules.floor_cny_per_mwh, rules.cap_cny_per_mwh
    outside = {
        name: str(price)
        for name, price in (("sell_price", trade.sell_price), ("landed_price", trade.landed_price))
        if not low <= price <= high
    }
    if not outside:
        return []
    return [
        Finding(
            "trade_price_out_of_limits",
            Severity.REVIEW,
            trade.trade_id,
            f"Trade {trade.trade_id} has {' and '.join(f'{name} {price}' for name, price in outside.items())} outside "
            f"{low}..{high} 元/MWh of the inter-provincial market (R24); it is settled as delivered. Ask the trading "
            "centre.",
            evidence=outside,
            amount_at_stake_fen=_fen(trade.executed_buy_mw, trade.landed_price),
        )
    ]


def _above_cleared(trade: Trade) -> list[Finding]:
    over = {
        side: [str(executed), str(cleared)]
        for side, executed, cleared in (
            ("sell", trade.executed_sell_mw, trade.sell_mw),
            ("buy", trade.executed_buy_mw, trade.buy_mw),
        )
        if executed > cleared
    }
    if not over:
        return []
    more = trade.executed_buy_mw - trade.buy_mw
    return [
        Finding(
            "executed_above_cleared",
            Severity.REVIEW,
            trade.trade_id,
            f"Trade {trade.trade_id} was executed with "
            + " and ".join(f"{side} {pair[0]} MW of {pair[1]} cleared" for side, pair in over.items())
            + "; the security check only takes away (S14 4.4). It is settled as executed; compare the tie-line plan.",
            evidence=over,
            amount_at_stake_fen=_fen(max(more, Decimal(0)), trade.landed_price),
        )
    ]


def _unknown_buyer(trade: Trade, province: Province) -> Finding:
    return Finding(
        "trade_buyer_not_settled",
        Severity.BLOCK,
        trade.trade_id,
        f"Trade {trade.trade_id} is bought by {trade.buyer_id}, who settles nothing wholesale at "
        f"{province.home_node}; it is settled as a purchase of {province.grid_company} (ruling 4). Deliver the buyer "
        "as a participant, or the trade with its true buyer.",
        evidence={"buyer_id": trade.buyer_id},
        amount_at_stake_fen=_fen(trade.executed_buy_mw, trade.landed_price),
    )


def _repeated(trades: Sequence[Trade]) -> list[Finding]:
    """R22, one finding a day, stage, round, path and seller."""
    of_key: dict[tuple[str, str, int, str, str], dict[int, list[Trade]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for trade in trades:
        key = (str(trade.day), trade.stage, trade.round_number, trade.path_id, trade.seller_id)
        of_key[key][trade.period].append(trade)
    findings = []
    for (day, stage, number, path_id, seller), periods in sorted(of_key.items()):
        twice = {period: same for period, same in sorted(periods.items()) if len(same) > 1}
        if not twice:
            continue
        ids = [trade.trade_id for same in twice.values() for trade in same]
        findings.append(
            Finding(
                "duplicate_trade",
                Severity.BLOCK,
                f"{day}/{stage}/{number}/{path_id}/{seller}",
                f"{seller} has more than one trade over {path_id} on {day}, {stage}, round {number}, in "
                f"{'period' if len(twice) == 1 else 'periods'} {_some(list(twice))} (R22): {_some(ids)}. All of them "
                "are settled; withdraw what was delivered twice.",
                evidence={"trades": ids[:LISTED], "periods": list(twice), "count": len(ids)},
                amount_at_stake_fen=sum(
                    _fen(trade.executed_buy_mw, trade.landed_price)
                    for same in twice.values()
                    for trade in same[1:]
                ),
            )
        )
    return findings


def _cut(trades: Sequence[Trade]) -> list[Finding]:
    """Cleared against executed, one finding a stage: what the security check took away (S14 4.4)."""
    findings = []
    for stage in sorted({trade.stage for trade in trades}):
        of_stage = [trade for trade in trades if trade.stage == stage]
        cut = [trade for trade in of_stage if trade.executed_sell_mw < trade.sell_mw]
        if not cut:
            continue
        cleared = sum((trade.sell_mw for trade in of_stage), Decimal(0)) / 4
        gone = sum((trade.sell_mw - trade.executed_sell_mw for trade in cut), Decimal(0)) / 4
        none_left = sum(trade.executed_sell_mw == 0 for trade in cut)
        findings.append(
            Finding(
                "trades_cut",
                Severity.INFORM,
                stage,
                f"Of {len(of_stage)} {stage.replace('_', '-')} trades the security check cancelled {none_left} and cut "
                f"{len(cut) - none_left} after publication: {gone.normalize():f} of {cleared.normalize():f} MWh "
                "cleared at the seller nodes were not executed. Prices stay, the energy is not settled (S14 4.4).",
                evidence={
                    "cleared_mwh": str(cleared),
                    "not_executed_mwh": str(gone),
                    "trades": [
                        [trade.trade_id, str(trade.sell_mw), str(trade.executed_sell_mw)]
                        for trade in cut[:LISTED]
                    ],
                    "count": len(cut),
                },
            )
        )
    return findings


def _fen(mw: Decimal, price: Decimal) -> int:
    return half_up(Fraction(mw) * Fraction(price) * HOURS_PER_PERIOD * 100)


def _some(items: Sequence[object]) -> str:
    shown = ", ".join(map(str, items[:4]))
    return shown if len(items) <= 4 else f"{shown} and {len(items) - 4} more"
