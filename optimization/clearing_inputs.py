"""One inter-provincial session as arrays: the four tables checked and put into one canonical order.

Whatever order the rows come in, offers and bids stand by (period, node, segment) and paths by path_id, so the
same session always gives the same result. Prices, tariffs and losses are kept exact beside their floats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.paths import PathCost, path_cost

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

SEGMENT_COLUMNS = ("node", "period", "segment", "mw", "price_cny_per_mwh")
PATH_COLUMNS = (
    "path_id",
    "seq",
    "section_id",
    "seller_node",
    "buyer_node",
    "tariff_cny_per_mwh",
    "loss_rate",
)
ATC_COLUMNS = ("section_id", "period", "mw")


@dataclass(frozen=True)
class Segments:
    """Offers or bids of the session, one entry a segment, by (period, node, segment).

    node: index into Session.nodes. mw: float MW at the segment's own node. price, exact: 元/MWh at that node.
    """

    period: IntArray
    node: IntArray
    segment: IntArray
    mw: FloatArray
    price: FloatArray
    exact: list[Fraction]


@dataclass(frozen=True)
class Paths:
    """Paths by path_id; seller and buyer are indices into Session.nodes.

    coe, price_coe: floats of the exact ``cost`` (market.md A.7). sections: indices into Session.section_ids,
    seller to buyer. incidence: (paths, sections), 1.0 where the path uses the section.
    """

    path_ids: list[Any]
    seller: IntArray
    buyer: IntArray
    cost: list[PathCost]
    coe: FloatArray
    price_coe: FloatArray
    sections: list[list[int]]
    incidence: FloatArray


@dataclass(frozen=True)
class Session:
    """What one call of clear() works on. limits: period -> MW a section, seller side; inf: no row."""

    nodes: list[Any]
    section_ids: list[Any]
    offers: Segments
    bids: Segments
    paths: Paths
    limits: dict[int, FloatArray]

    def limit(self, period: int) -> FloatArray:
        """Transfer capability of every section in a period, MW."""
        given = self.limits.get(period)
        return np.full(len(self.section_ids), np.inf) if given is None else given


def read_session(offers: pd.DataFrame, bids: pd.DataFrame, paths: pd.DataFrame, atc: pd.DataFrame) -> Session:
    """Check the four tables and order them. Raises ValueError: the table, the row, what would be right."""
    for table, frame, columns in (
        ("offers", offers, SEGMENT_COLUMNS),
        ("bids", bids, SEGMENT_COLUMNS),
        ("paths", paths, PATH_COLUMNS),
        ("atc", atc, ATC_COLUMNS),
    ):
        _require_columns(frame, columns, table)
    nodes = _ordered(
        [
            *_names(offers, "node", "offers"),
            *_names(bids, "node", "bids"),
            *_names(paths, "seller_node", "paths"),
            *_names(paths, "buyer_node", "paths"),
        ],
        "nodes",
    )
    section_ids = _ordered(_names(paths, "section_id", "paths"), "section ids")
    return Session(
        nodes=nodes,
        section_ids=section_ids,
        offers=_segments(offers, "offers", nodes),
        bids=_segments(bids, "bids", nodes),
        paths=_paths(paths, nodes, section_ids),
        limits=_limits(atc, section_ids),
    )


def _segments(frame: pd.DataFrame, table: str, nodes: list[Any]) -> Segments:
    names = _names(frame, "node", table)
    position = {name: index for index, name in enumerate(nodes)}
    node = np.array([position[name] for name in names], dtype=np.int64)
    period, segment = _periods(frame, table), _whole(frame, "segment", table)
    mw = _megawatts(frame, table)
    price, exact = _numbers(frame, "price_cny_per_mwh", table), _exact(frame, "price_cny_per_mwh", table)
    order = np.lexsort((segment, node, period))
    same = np.ones(max(order.size - 1, 0), dtype=bool)
    for key in (period, node, segment):
        same &= key[order[:-1]] == key[order[1:]]
    if same.any():
        first = int(same.argmax())
        rows = sorted(order[first : first + 2].tolist())
        raise ValueError(
            f"{table}: node {names[rows[0]]}, period {period[rows[0]]}, segment {segment[rows[0]]} stands "
            f"twice (rows {rows[0] + 1} and {rows[1] + 1}); clear one stage, round and version at a time."
        )
    return Segments(
        period=period[order],
        node=node[order],
        segment=segment[order],
        mw=mw[order],
        price=price[order],
        exact=[exact[row] for row in order.tolist()],
    )


def _paths(frame: pd.DataFrame, nodes: list[Any], section_ids: list[Any]) -> Paths:
    ids, sections = _names(frame, "path_id", "paths"), _names(frame, "section_id", "paths")
    sellers, buyers = _names(frame, "seller_node", "paths"), _names(frame, "buyer_node", "paths")
    seq = _whole(frame, "seq", "paths").tolist()
    tariff, loss = _decimals(frame, "tariff_cny_per_mwh", "paths"), _decimals(frame, "loss_rate", "paths")
    rows_of: dict[Any, list[int]] = {path_id: [] for path_id in _ordered(ids, "path ids")}
    for row, path_id in enumerate(ids):
        rows_of[path_id].append(row)
    used: list[tuple[Any, list[int]]] = []
    for path_id, unordered in rows_of.items():
        rows = sorted(unordered, key=seq.__getitem__)
        _check_path(
            path_id,
            [seq[row] for row in rows],
            [sections[row] for row in rows],
            {(sellers[row], buyers[row]) for row in rows},
            [loss[row] for row in rows],
        )
        if sellers[rows[0]] != buyers[rows[0]]:  # pairs of one province do not trade (S14)
            used.append((path_id, rows))

    node_at = {name: index for index, name in enumerate(nodes)}
    section_at = {name: index for index, name in enumerate(section_ids)}
    cost = [path_cost([(tariff[row], loss[row]) for row in rows]) for _, rows in used]
    on_path = [[section_at[sections[row]] for row in rows] for _, rows in used]
    incidence = np.zeros((len(used), len(section_ids)))
    for path, its_sections in enumerate(on_path):
        incidence[path, its_sections] = 1.0
    return Paths(
        path_ids=[path_id for path_id, _ in used],
        seller=np.array([node_at[sellers[rows[0]]] for _, rows in used], dtype=np.int64),
        buyer=np.array([node_at[buyers[rows[0]]] for _, rows in used], dtype=np.int64),
        cost=cost,
        coe=np.array([float(one.coe) for one in cost], dtype=np.float64),
        price_coe=np.array([float(one.price_cny_per_mwh) for one in cost], dtype=np.float64),
        sections=on_path,
        incidence=incidence,
    )


def _check_path(
    path_id: Any, seq: list[int], sections: list[Any], ends: set[tuple[Any, Any]], losses: list[Decimal]
) -> None:
    if seq != list(range(1, len(seq) + 1)):
        raise ValueError(
            f"paths: the seq of path {path_id} runs {', '.join(map(str, seq))}; "
            f"a path has one row a section, numbered 1, 2, 3 … from seller to buyer without a gap."
        )
    if len(set(sections)) < len(sections):
        raise ValueError(f"paths: path {path_id} passes a section twice; name each section of a path once.")
    if len(ends) > 1:
        raise ValueError(
            f"paths: the rows of path {path_id} name {len(ends)} pairs of seller_node and buyer_node; "
            "repeat the same two nodes on every row of a path."
        )
    for section, loss in zip(sections, losses, strict=True):
        if not 0 <= loss < 1:
            raise ValueError(
                f"paths: section {section} of path {path_id} has loss_rate {loss}; "
                "a loss is a share in [0, 1), so 6.5 % is written 0.065."
            )


def _limits(frame: pd.DataFrame, section_ids: list[Any]) -> dict[int, FloatArray]:
    names = _names(frame, "section_id", "atc")
    periods, mw = _periods(frame, "atc").tolist(), _megawatts(frame, "atc").tolist()
    section_at = {name: index for index, name in enumerate(section_ids)}
    limits: dict[int, FloatArray] = {}
    seen: set[tuple[Any, int]] = set()
    for name, period, capability in zip(names, periods, mw, strict=True):
        if (name, period) in seen:
            raise ValueError(
                f"atc: section {name}, period {period} stands twice; give one row a section and period "
                "(one stage at a time)."
            )
        seen.add((name, period))
        if name in section_at:
            limit = limits.setdefault(period, np.full(len(section_ids), np.inf))
            limit[section_at[name]] = capability
    return limits


def _require_columns(frame: pd.DataFrame, columns: Iterable[str], table: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{table}: no column {', '.join(missing)}; clear() needs {', '.join(columns)}.")


def _names(frame: pd.DataFrame, column: str, table: str) -> list[Any]:
    empty = frame[column].isna().to_numpy(dtype=bool)
    if empty.any():
        raise ValueError(f"{table}: {column} is empty in row {int(empty.argmax()) + 1}; every row needs one.")
    return list(frame[column].tolist())


def _ordered(names: list[Any], what: str) -> list[Any]:
    try:
        return sorted(set(names))
    except TypeError as error:
        raise ValueError(f"The {what} mix text and numbers; write them all as text.") from error


def _numbers(frame: pd.DataFrame, column: str, table: str) -> FloatArray:
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"{table}: {column} in row {row + 1} is {frame[column].iloc[row]!r}; give a finite number"
            + (", or leave the row out where there is no limit." if table == "atc" else ".")
        )
    return values


def _whole(frame: pd.DataFrame, column: str, table: str) -> IntArray:
    values = _numbers(frame, column, table)
    broken = values != np.floor(values)
    if broken.any():
        row = int(broken.argmax())
        raise ValueError(f"{table}: {column} in row {row + 1} is {values[row]:g}; give a whole number.")
    return values.astype(np.int64)


def _periods(frame: pd.DataFrame, table: str) -> IntArray:
    periods = _whole(frame, "period", table)
    if periods.size and periods.min() < 1:
        row = int(periods.argmin())
        raise ValueError(f"{table}: period in row {row + 1} is {periods[row]}; periods count from 1 (00:15).")
    return periods


def _megawatts(frame: pd.DataFrame, table: str) -> FloatArray:
    mw = _numbers(frame, "mw", table)
    if mw.size and mw.min() < 0:
        row = int(mw.argmin())
        raise ValueError(f"{table}: mw in row {row + 1} is {mw[row]:g}; power here is never negative.")
    return mw


def _decimals(frame: pd.DataFrame, column: str, table: str) -> list[Decimal]:
    """The decimals as written: a float stands for its shortest text, so 381.001 is 381001/1000."""
    _numbers(frame, column, table)
    known: dict[Any, Decimal] = {}
    result: list[Decimal] = []
    for row, value in enumerate(frame[column].tolist(), start=1):
        if value not in known:
            try:
                known[value] = Decimal(str(value))
            except InvalidOperation as error:
                raise ValueError(
                    f"{table}: {column} in row {row} is {value!r}; give an int, a float or a Decimal."
                ) from error
        result.append(known[value])
    return result


def _exact(frame: pd.DataFrame, column: str, table: str) -> list[Fraction]:
    decimals = _decimals(frame, column, table)
    known = {value: Fraction(value) for value in set(decimals)}
    return [known[value] for value in decimals]
