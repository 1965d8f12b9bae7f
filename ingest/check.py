"""Rows against each other and against what the warehouse knows; what is wrong is noted, nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.cells import as_mask
from ingest.faults import Faults
from market.money import IntArray
from market.tables import TABLES, Table

BoolArray = NDArray[np.bool_]


def references(
    table: Table, columns: Mapping[str, pa.Array], known: Mapping[str, Collection[str]], faults: Faults
) -> None:
    """Note rows that point to something never delivered, as ``unknown_<thing>``.

    known: by table, every first key value in the warehouse.
    """
    for column in table.columns:
        if column.references is None or column.name not in columns:
            continue
        array = columns[column.name]
        there = pc.is_in(array, pa.array(sorted(known[column.references]), pa.string()))
        unknown = np.flatnonzero(~as_mask(pc.or_(there, array.is_null())))
        thing = TABLES[column.references].key[0].removesuffix("_id")
        faults.add_all(
            unknown,
            f"unknown_{thing}",
            _unknown(column.name, thing, array, column.references),
            column.name,
        )


def _unknown(name: str, thing: str, array: pa.Array, table: str) -> Callable[[int], str]:
    words = thing.replace("_", " ")
    return lambda row: (
        f"The cell {name} names the {words} {array[row].as_py()}, which no delivery of {table} has brought; "
        f"deliver it first, or correct the id."
    )


def validity(columns: Mapping[str, pa.Array], faults: Faults) -> None:
    """Note rows whose valid_to (exclusive) does not lie behind valid_from."""
    if "valid_to" not in columns:
        return
    first, after = columns["valid_from"], columns["valid_to"]
    wrong = np.flatnonzero(as_mask(pc.less_equal(after, first)))
    faults.add_all(
        wrong,
        "bad_validity",
        lambda row: (
            f"valid_to {after[row].as_py()} does not lie behind valid_from {first[row].as_py()}; it is "
            "the first day that is not valid any more."
        ),
        "valid_to",
    )


def period_order(columns: Mapping[str, pa.Array], faults: Faults) -> None:
    """Note rows whose first period lies behind the last."""
    if "first_period" not in columns:
        return
    first, last = columns["first_period"], columns["last_period"]
    wrong = np.flatnonzero(as_mask(pc.greater(first, last)))
    faults.add_all(
        wrong,
        "bad_period",
        lambda row: f"The first period {first[row].as_py()} lies behind the last period {last[row].as_py()}.",
        "first_period",
    )


def key_codes(arrays: Sequence[pa.Array]) -> IntArray:
    """One whole number a row, equal exactly where all arrays are equal; null counts as a value."""
    codes = np.zeros(len(arrays[0]), dtype=np.int64)
    size = 1
    for array in arrays:
        coded = pc.dictionary_encode(array, null_encoding="encode")
        distinct = max(len(coded.dictionary), 1)
        if size * distinct > 2**62:  # renumber what has been combined so far
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
            size = int(codes.max()) + 1
        codes = codes * distinct + coded.indices.to_numpy(zero_copy_only=False)
        size *= distinct
    return codes


def repetitions(
    codes: IntArray,
    same: Callable[[IntArray, IntArray], BoolArray],
    lines: NDArray[np.int32],
    key: Callable[[int], str],
    faults: Faults,
) -> BoolArray:
    """True for rows that repeat an earlier row of the file; rows of one key that differ are faults, every one.

    codes: (n,) the rows' keys; rows that already have a fault are left out. same(a, b): whether the rows at
    places a hold the same values as the rows at places b. key(row): the key in words.
    """
    good = np.flatnonzero(~faults.bad)
    order = good[np.argsort(codes[good], kind="stable")]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = codes[order[1:]] != codes[order[:-1]]
    repeated = np.zeros(len(codes), dtype=np.bool_)
    if new.all():
        return repeated
    group = np.cumsum(new) - 1
    first = order[new][group]
    later = ~new
    differs = np.zeros(int(group[-1]) + 1, dtype=np.bool_)
    differs[group[later][~same(first[later], order[later])]] = True
    conflicting = differs[group]
    repeated[order[later & ~conflicting]] = True
    _note_conflicts(order[conflicting], group[conflicting], lines, key, faults)
    return repeated


def _note_conflicts(
    rows: IntArray, groups: IntArray, lines: NDArray[np.int32], key: Callable[[int], str], faults: Faults
) -> None:
    bounds = np.flatnonzero(np.diff(groups, prepend=-1, append=-1))
    for start, end in pairwise(bounds.tolist()):
        members = rows[start:end].tolist()
        listed = ", ".join(str(lines[row]) for row in members)
        sentence = (
            f"The rows on lines {listed} have the same key ({key(members[0])}) and different values; "
            "keep the right one."
        )
        faults.add_all(members, "conflicting_rows", lambda _, said=sentence: said)  # type: ignore[misc]


def same_values(arrays: Sequence[pa.Array]) -> Callable[[IntArray, IntArray], BoolArray]:
    """A comparison of rows over all arrays; two nulls are the same."""

    def same(left: IntArray, right: IntArray) -> BoolArray:
        equal = np.ones(len(left), dtype=np.bool_)
        for array in arrays:
            codes = key_codes([array])
            equal &= codes[left] == codes[right]
        return equal

    return same
