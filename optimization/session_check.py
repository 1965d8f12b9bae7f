"""Declarations of a whole session against the rules: format, and who may trade at all (S14 3.2.1, 3.5, 4.2.3).

Grain of a finding: (code, node), with the first case in words and how many more there are. Nothing is changed
here; ``barred`` names the declarations that the rule keeps out of the clearing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.periods import LABELS
from market.profiles import InterprovincialRules
from optimization.curve_format import Side, Step, format_faults

COLUMNS = ["code", "severity", "subject", "sentence", "evidence"]
Found = tuple[str, str, int, str]  # code, node, period, sentence


def session_findings(
    offers: pd.DataFrame,
    bids: pd.DataFrame,
    paths: pd.DataFrame,
    rules: InterprovincialRules,
    *,
    curtailed: pd.DataFrame | None = None,
    shortage: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What is wrong with the declarations of a session: code, severity, subject, sentence, evidence (JSON).

    offers, bids: node, period, segment, mw, price_cny_per_mwh, numbers exact as declared. paths: path_id,
    seller_node, buyer_node. curtailed, shortage: node, period, mw of curtailed renewables and of missing power;
    None where nothing is known. Severity: ``block`` for a declaration that may not trade, else ``review``.
    """
    found: list[Found] = []
    for frame, side in ((offers, Side.OFFER), (bids, Side.BID)):
        found += _format_findings(frame, side, rules)
    found += _both_sides(offers, bids)
    if shortage is not None:
        found += _barred_findings(
            offers, shortage, "selling_in_shortage", "offers", "of power are missing there"
        )
    if curtailed is not None:
        found += _barred_findings(
            bids, curtailed, "buying_while_curtailing", "bids", "of renewables are curtailed there"
        )
    rows = [*_joined(found), *_same_province(paths)]
    return pd.DataFrame(rows, columns=COLUMNS)


def barred(segments: pd.DataFrame, situation: pd.DataFrame | None) -> NDArray[np.bool_]:
    """True for declarations of a node in a period in which it may not trade on that side.

    segments: node, period. situation: node, period, mw; above 0 MW the node is barred. Offers are held against
    missing power (S14 3.5 b), bids against curtailed renewables (market.md A.2, BOOK14).
    """
    if situation is None or segments.empty:
        return np.zeros(len(segments), dtype=np.bool_)
    closed = situation[situation["mw"] > 0]
    keys = set(zip(closed["node"], closed["period"], strict=True))
    return np.array(
        [key in keys for key in zip(segments["node"], segments["period"], strict=True)], dtype=np.bool_
    )


def _format_findings(frame: pd.DataFrame, side: Side, rules: InterprovincialRules) -> Iterator[Found]:
    verb = "bids" if side is Side.BID else "offers"
    curves: dict[tuple[str, int], list[Step]] = {}
    columns = (frame[name] for name in ("node", "period", "segment", "mw", "price_cny_per_mwh"))
    for node, period, segment, mw, price in zip(*columns, strict=True):
        step = Step(int(segment), Decimal(str(mw)), Decimal(str(price)))
        curves.setdefault((str(node), int(period)), []).append(step)
    for (node, period), curve in curves.items():
        for fault in format_faults(curve, rules, side):
            yield fault.code, node, period, f"{node} {verb} in {_when(period)}{fault.place}: {fault.sentence}"


def _both_sides(offers: pd.DataFrame, bids: pd.DataFrame) -> Iterator[Found]:
    """S14 3.5 a; one node cannot sell and buy in the same period (market.md A.2)."""
    for node, period in sorted(_keys(offers) & _keys(bids)):
        yield (
            "both_sides",
            node,
            period,
            f"{node} offers and bids in {_when(period)}; a node is either seller or buyer in a period.",
        )


def _barred_findings(
    segments: pd.DataFrame, situation: pd.DataFrame, code: str, verb: str, because: str
) -> Iterator[Found]:
    stands = dict(zip(zip(situation["node"], situation["period"], strict=True), situation["mw"], strict=True))
    kept_out = segments[barred(segments, situation)]
    for node, period in sorted(_keys(kept_out)):
        mw = kept_out.loc[(kept_out["node"] == node) & (kept_out["period"] == period), "mw"].sum()
        yield (
            code,
            node,
            period,
            f"{node} {verb} {float(mw):g} MW in {_when(period)} while {float(stands[node, period]):g} MW {because}; "
            "it may not, and the declaration is kept out of the clearing.",
        )


def _same_province(paths: pd.DataFrame) -> Iterator[tuple[str, str, str, str, str]]:
    """S14 3.2.1: pairs of one province do not trade; clearing leaves such a path out."""
    own = paths[paths["seller_node"] == paths["buyer_node"]]
    for path_id, node in dict(zip(own["path_id"], own["seller_node"], strict=True)).items():
        sentence = f"Path {path_id} begins and ends in {node}; pairs of one province do not trade, so it is left out."
        yield "same_province_path", "review", str(path_id), sentence, json.dumps({"node": str(node)})


def _joined(found: Iterable[Found]) -> Iterator[tuple[str, str, str, str, str]]:
    """One row a code and node: the first case, and the periods of all."""
    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for code, node, period, sentence in found:
        groups.setdefault((code, node), []).append((period, sentence))
    for (code, node), cases in sorted(groups.items()):
        cases.sort(key=lambda case: case[0])
        more = f" The same in {len(cases) - 1} more cases." if len(cases) > 1 else ""
        evidence: dict[str, Any] = {"cases": len(cases), "periods": sorted({period for period, _ in cases})}
        severity = "block" if code in ("selling_in_shortage", "buying_while_curtailing") else "review"
        yield code, severity, node, cases[0][1] + more, json.dumps(evidence)


def _keys(frame: pd.DataFrame) -> set[tuple[str, int]]:
    return {(str(node), int(period)) for node, period in zip(frame["node"], frame["period"], strict=True)}


def _when(period: int) -> str:
    return f"period {period} ({LABELS[period - 1]})" if 1 <= period <= len(LABELS) else f"period {period}"
