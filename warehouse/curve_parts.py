"""One date of a curve table out of several deliveries: of every key what the newest says that speaks of it.

A row of readings speaks of the quarter-hours for which it has a value, and of those that it calls ``missing`` in so
many words: that withdraws a reading. Elsewhere it is silent, and what an older delivery says shows through, so
that files with different parts of one day make the same day in whatever order they come. A row of any other table
speaks of its whole day (decision 0033).
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from market.curves import MISSING
from market.money import IntArray
from market.periods import PERIODS
from market.quality import LETTERS, PLACE, SILENT, of_day
from market.tables import QUALITIES, Quality
from warehouse.home import Home

SEPARATOR = "\x1f"
BoolArray = NDArray[np.bool_]
WITHDRAWN = LETTERS[PLACE[Quality.MISSING]]


class File(NamedTuple):
    """A curve file that is visible."""

    path: str
    delivery_id: str
    age: int  # place among the deliveries, oldest first
    city: str
    first_date: date
    last_date: date
    revised: int
    rows: int


@dataclass(frozen=True)
class Source:
    """Where rows come from: one row group, and which of its rows count (None: all)."""

    home: Home
    file: File
    group: int
    rows: int
    kept: NDArray[np.int64] | None = None

    def lines(self, rows: Sequence[int]) -> list[int]:
        """The lines of rows in the delivered file."""
        with pq.ParquetFile(self.home.curves / self.file.path) as opened:
            lines = opened.read_row_group(self.group, columns=["line"])["line"]
        return [int(lines[row if self.kept is None else int(self.kept[row])].as_py()) for row in rows]


class Piece(NamedTuple):
    """What one delivery brought to a row: the source, the place in it, and the (96,) quarter-hours."""

    source: Source
    place: int
    periods: BoolArray


@dataclass(frozen=True)
class _Merged:
    """A row made of pieces, the newest first."""

    values: IntArray
    quality: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Part:
    """The rows of one file on one date. pieces: by row, of rows that several deliveries made together."""

    source: Source
    keys: list[pa.StringArray]
    quality: pa.StringArray | None
    values: IntArray
    has_missing: bool
    pieces: Mapping[int, tuple[Piece, ...]] = field(default_factory=dict)

    def only(self, kept: BoolArray, merged: Mapping[int, _Merged]) -> Part:
        """The rows that are kept, some of them as merged (by row)."""
        places = np.flatnonzero(kept)
        taken = pa.array(places)
        values = self.values[places] if len(self.values) else self.values
        quality = None if self.quality is None else self.quality.take(taken)
        at = {int(row): place for place, row in enumerate(places.tolist()) if row in merged}
        if at:
            texts = [] if quality is None else quality.to_pylist()
            values[list(at.values())] = [merged[row].values for row in at]
            for row, place in at.items():
                texts[place] = merged[row].quality
            quality = pa.array(texts, pa.string())
        return Part(
            replace(self.source, rows=len(places), kept=places),
            [array.take(taken) for array in self.keys],
            quality,
            values,
            (self.has_missing or bool(at)) and bool((values == MISSING).any()),
            {place: merged[row].pieces for row, place in at.items()},
        )


def speaks(values: IntArray, quality: pa.StringArray | None) -> BoolArray:
    """(rows, 96) True where a row says something. values: (rows, 96); quality: as stored, None: rows speak of all."""
    if quality is None:
        return np.ones(values.shape, np.bool_)
    said = np.asarray(values != MISSING)
    rows = np.flatnonzero(~said.all(axis=1))
    if len(rows):
        texts = quality.take(pa.array(rows))
        withdrawn = pc.equal(texts, Quality.MISSING.value).to_numpy(zero_copy_only=False)
        said[rows[withdrawn]] = True
        by_letter = pc.equal(pc.utf8_length(texts), PERIODS).to_numpy(zero_copy_only=False)
        for place in np.flatnonzero(by_letter).tolist():
            said[rows[place]] |= _letters(texts[place].as_py()) == WITHDRAWN
    return said


def heard(quality: pa.StringArray) -> pa.StringArray:
    """Qualities as readers meet them: what a row is silent on is missing."""
    if not pc.any(pc.match_substring(quality, SILENT)).as_py():
        return quality
    letters = pc.replace_substring(quality, SILENT, WITHDRAWN)
    return pc.if_else(pc.equal(letters, WITHDRAWN * PERIODS), Quality.MISSING.value, letters)


def quality_places(text: str) -> NDArray[np.int64]:
    """(96,) places in QUALITIES of a stored quality; what it is silent on counts as missing."""
    if text in PLACE:
        return np.full(PERIODS, PLACE[Quality(text)], np.int64)
    letters = _letters(text)
    places = np.full(PERIODS, PLACE[Quality.MISSING], np.int64)
    for place in range(len(QUALITIES)):
        places[letters == LETTERS[place]] = place
    return places


def _letters(text: str) -> NDArray[Any]:
    return np.array(list(text))


def sharing_keys(parts: Sequence[Part]) -> list[bool]:
    """For each part of one date, whether another part has one of its keys; only such parts have to be merged."""
    codes = pc.dictionary_encode(
        pa.concat_arrays([_key_text(part.keys) for part in parts])
    ).indices.to_numpy()
    several = np.bincount(codes)[codes] > 1
    bounds = np.cumsum([0, *(part.source.rows for part in parts)]).tolist()
    return [bool(several[first:after].any()) for first, after in pairwise(bounds)]


def newest_win(parts: list[Part]) -> list[Part]:
    """Keep each key once, as the newest delivery has it that speaks of it; parts of one date, in any order."""
    by_age = sorted(parts, key=lambda part: part.source.file.age)
    texts = [_key_text(part.keys) for part in by_age]
    codes = pc.dictionary_encode(pa.concat_arrays(texts)).indices.to_numpy()
    rows = np.arange(len(codes))
    newest = np.empty(len(codes), dtype=np.int64)
    newest[codes] = rows  # of several rows with one code the last one stays
    kept = newest[codes] == rows
    if kept.all():
        return parts
    starts = np.cumsum([0, *(len(text) for text in texts)])
    bounds = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
    # Readings come in parts; the rows of other tables, and a reading without its values, stand for the whole day.
    made = _merged(by_age, bounds, codes, newest, kept) if _has_values(by_age) else {}
    first_of = {id(part.source): first for part, (first, _) in zip(by_age, bounds, strict=True)}
    hosts = {row: _host(first_of, one) for row, one in made.items()}
    for row, host in hosts.items():
        kept[row] = False
        kept[host] = True
    by_host = {host: made[row] for row, host in hosts.items()}
    result = {}
    for part, (first, after) in zip(by_age, bounds, strict=True):
        mine = {row - first: one for row, one in by_host.items() if first <= row < after}
        whole = kept[first:after].all() and not mine
        result[id(part)] = part if whole else part.only(kept[first:after], mine)
    return [result[id(part)] for part in parts]


def _has_values(parts: Sequence[Part]) -> bool:
    return all(part.quality is not None and len(part.values) for part in parts)


def _merged(
    by_age: Sequence[Part],
    bounds: Sequence[tuple[int, int]],
    codes: NDArray[Any],
    newest: IntArray,
    kept: BoolArray,
) -> dict[int, _Merged]:
    """By newest row, the rows whose day older deliveries complete. Rows are counted over all parts, oldest first."""
    tops = np.unique(newest[codes[~kept]])
    values = np.concatenate([_of(part, bound, tops)[1] for part, bound in zip(by_age, bounds, strict=True)])
    qualities = pa.concat_arrays(
        [
            part.quality.take(pa.array(_of(part, bound, tops)[0]))  # type: ignore[union-attr]  # seen in _has_values
            for part, bound in zip(by_age, bounds, strict=True)
        ]
    )
    own = speaks(values, qualities)
    silent = ~own
    if not silent.any():
        return {}
    said_as = qualities.to_pylist()
    place_of = np.full(int(codes.max()) + 1, -1, dtype=np.int64)
    place_of[codes[tops]] = np.arange(len(tops))
    values = values.copy()
    pieces: dict[int, list[tuple[Piece, str]]] = defaultdict(list)
    for part, (first, after) in reversed(list(zip(by_age, bounds, strict=True))):
        mine = np.flatnonzero(~kept[first:after])
        mine = mine[silent[place_of[codes[first + mine]]].any(axis=1)]
        if not len(mine) or part.quality is None:
            continue
        at = place_of[codes[first + mine]]
        texts = part.quality.take(pa.array(mine))
        taken = silent[at] & speaks(part.values[mine], texts)
        values[at] = np.where(taken, part.values[mine], values[at])
        silent[at] &= ~taken
        words, mine_at, at_row = texts.to_pylist(), mine.tolist(), at.tolist()
        for row in np.flatnonzero(taken.any(axis=1)).tolist():
            pieces[at_row[row]].append((Piece(part.source, mine_at[row], taken[row]), words[row]))
    result = {}
    for place, older in pieces.items():
        top = int(tops[place])
        number = bisect_right(bounds, (top, sys.maxsize)) - 1
        newest_piece = Piece(by_age[number].source, top - bounds[number][0], own[place])
        together = [(newest_piece, said_as[place]), *older]
        result[top] = _Merged(
            values[place], _quality(values[place], together), tuple(piece for piece, _ in together)
        )
    return result


def _of(part: Part, bound: tuple[int, int], rows: IntArray) -> tuple[IntArray, IntArray]:
    mine = rows[(rows >= bound[0]) & (rows < bound[1])] - bound[0]
    return mine, part.values[mine]


def _quality(values: IntArray, pieces: Sequence[tuple[Piece, str]]) -> str:
    texts = {text for _, text in pieces}
    if len(texts) == 1 and (text := texts.pop()) in PLACE:
        return text
    places = np.full(PERIODS, PLACE[Quality.MISSING], np.int64)
    for piece, text in pieces:
        places[piece.periods] = quality_places(text)[piece.periods]
    return of_day(places, np.asarray(values != MISSING))


def _host(first_of: Mapping[int, int], one: _Merged) -> int:
    """The row that carries a merged one: of its pieces in the newest one's city that of the smallest delivery.

    So the place of a row, too, does not depend on the order in which its pieces came.
    """
    city = one.pieces[0].source.file.city
    there = [piece for piece in one.pieces if piece.source.file.city == city]
    chosen = min(there, key=lambda piece: piece.source.file.delivery_id)
    return first_of[id(chosen.source)] + chosen.place


def _key_text(keys: Sequence[pa.StringArray]) -> pa.StringArray:
    return keys[0] if len(keys) == 1 else pc.binary_join_element_wise(*keys, SEPARATOR)
