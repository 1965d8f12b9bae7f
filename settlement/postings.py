"""Postings, two for every line and movement, kept as columns like the lines they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from market.money import IntArray, wide_sum

Texts = NDArray[np.object_]


class Posting(NamedTuple):
    """One side of an entry; debit positive."""

    account: str
    participant_id: str | None
    charge_code: str
    side: str
    amount_fen: int
    subject: str


class Block(NamedTuple):
    """Some postings as columns, one entry a posting."""

    account: Texts
    participant_id: Texts
    charge_code: Texts
    side: Texts
    amount_fen: IntArray
    subject: Texts

    def part(self, rows: slice) -> Block:
        """Some of them."""
        return Block._make(column[rows] for column in self)


@dataclass(frozen=True, eq=False)
class Postings(Sequence[Posting]):
    """Postings in blocks, so that joining two lots copies neither."""

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, postings: Iterable[Posting]) -> Postings:
        """Any postings as columns, in their order."""
        if isinstance(postings, Postings):
            return postings
        rows = list(postings)
        return cls(
            (
                Block(
                    texts([row.account for row in rows]),
                    texts([row.participant_id for row in rows]),
                    texts([row.charge_code for row in rows]),
                    texts([row.side for row in rows]),
                    np.array([row.amount_fen for row in rows], np.int64),
                    texts([row.subject for row in rows]),
                ),
            )
        )

    @classmethod
    def joined(cls, parts: Iterable[Iterable[Posting]]) -> Postings:
        """Several lots one after the other."""
        return cls(tuple(block for part in parts for block in cls.of(part).blocks))

    def parts(self, rows: int) -> Iterator[Block]:
        """All of them in blocks of at most so many."""
        for block in self.blocks:
            for first in range(0, len(block.amount_fen), rows):
                yield block.part(slice(first, first + rows))

    @property
    def total_fen(self) -> int:
        """Sum over all, which a closed run has at zero."""
        return sum(wide_sum(block.amount_fen) for block in self.blocks)

    def __len__(self) -> int:
        return sum(len(block.amount_fen) for block in self.blocks)

    def __iter__(self) -> Iterator[Posting]:
        for block in self.blocks:
            yield from map(Posting._make, zip(*(column.tolist() for column in block), strict=True))

    @overload
    def __getitem__(self, place: int) -> Posting: ...
    @overload
    def __getitem__(self, place: slice) -> Postings: ...
    def __getitem__(self, place: int | slice) -> Posting | Postings:
        if isinstance(place, int):
            return next(iter(self[range(len(self))[place] :]))
        first, after, step = place.indices(len(self))
        if step != 1:
            return Postings.of(list(islice(self, first, after, step)))
        found, start = [], 0
        for block in self.blocks:
            rows = slice(max(first - start, 0), max(after - start, 0))
            found.append(block.part(rows))
            start += len(block.amount_fen)
        return Postings(tuple(block for block in found if len(block.amount_fen)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # columns can be written to


def texts(values: Sequence[str | None]) -> Texts:
    """Texts as a column; numpy alone would take a list of equal lengths for letters."""
    column = np.empty(len(values), np.object_)
    column[:] = values
    return column


def distinct(column: Texts) -> tuple[list[str], IntArray]:
    """The distinct texts in order of first appearance, and the place of each entry among them."""
    coded = pa.array(column, pa.string()).dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)


def turns(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """One of the first, one of the second, and so on."""
    both = np.empty(2 * len(first), first.dtype)
    both[0::2], both[1::2] = first, second
    return both
