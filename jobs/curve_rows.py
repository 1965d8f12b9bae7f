"""Which rows of a block of curves belong to whom; kept while the keys stay the same objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.day_rosters import BoolArray, Index

Rows = Index | slice
Found = TypeVar("Found")


@dataclass(frozen=True)
class Aligned:
    """Rows of a block beside their places among the wanted; ``take`` and ``put`` are the same as slices where possible.

    outside: the keys that nobody wanted, in order of rows.
    """

    rows: Index
    places: Index
    outside: pa.StringArray
    take: Rows
    put: Rows

    @classmethod
    def of(cls, keys: pa.StringArray, wanted: pd.Index) -> Aligned:
        """The rows of these keys. A key that is wanted at several places serves all of them."""
        found = pd.Index(keys.to_numpy(zero_copy_only=False))
        if wanted.is_unique:
            places = wanted.get_indexer(found)
            rows = np.flatnonzero(places >= 0)
            places = places[rows]
        else:
            at = found.get_indexer(wanted)
            places = np.flatnonzero(at >= 0)
            rows = at[places]
        stranger = np.ones(len(found), np.bool_)
        stranger[rows] = False
        return cls(rows, places, keys.filter(pa.array(stranger)), stretch(rows), stretch(places))

    def only(self, wanted: BoolArray) -> Aligned:
        """Some of the pairs; wanted: one entry a pair."""
        rows, places = self.rows[wanted], self.places[wanted]
        return Aligned(rows, places, self.outside, stretch(rows), stretch(places))


class Kept(Generic[Found]):
    """What was found out about the keys of the block at a place, while these and what they are matched with stay."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[object, object, Found]] = {}

    def of(self, place: int, keys: object, other: object, find: Callable[[], Found]) -> Found:
        """The last answer for the very same objects, else a new one."""
        seen = self._last.get(place)
        if seen is not None and seen[0] is keys and seen[1] is other:
            return seen[2]
        found = find()
        self._last[place] = (keys, other, found)
        return found


def stretch(rows: Index) -> Rows:
    """A slice where rows follow each other without a gap: it takes and puts without an index."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and bool((np.diff(rows) == 1).all()):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
