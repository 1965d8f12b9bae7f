"""Statement lines, one a participant and charge, kept as columns: a province's month has a million of them.

``Lines`` reads like a sequence of ``Line``; what looks at every line of a month takes its columns instead. Amounts are
whole fen, a charge positive, a credit negative; energy is Wh. A value that is missing is 0 in its column and False in
the column ``…_known`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from market.money import INT64_MAX, IntArray, OverflowBoundError, peak, wide_sum

BoolArray = NDArray[np.bool_]
Places = NDArray[np.int32]
NOT_MEASURED = -1  # the line's measured share is not stated


class Line(NamedTuple):
    """One statement line; ``amount_fen`` None is missing, is not posted, and blocks the run (ruling 14)."""

    participant_id: str
    charge_code: str
    city: str | None
    quantity_wh: int | None
    amount_fen: int | None
    measured_ppm: int | None = None
    delivered: bool = False


class Known(NamedTuple):
    """Whole numbers of which some may be missing: 0 where ``known`` is False."""

    values: IntArray
    known: BoolArray

    @classmethod
    def of(cls, values: Sequence[int | None]) -> Known:
        """From numbers and None. Raises OverflowBoundError past int64."""
        known = np.array([value is not None for value in values], np.bool_)
        try:
            return cls(np.array([value or 0 for value in values], np.int64), known)
        except OverflowError as error:
            largest = max(abs(value or 0) for value in values)
            raise OverflowBoundError(
                f"A line of {largest:.3e} (Wh or fen) would pass int64; check the units of energy and price."
            ) from error

    def only(self, rows: NDArray[Any]) -> Known:
        """Where a mask is True, or at these places."""
        return Known(self.values[rows], self.known[rows])

    @classmethod
    def joined(cls, parts: Sequence[Known]) -> Known:
        """One after the other."""
        values, known = zip(*parts, (np.zeros(0, np.int64), np.zeros(0, np.bool_)), strict=True)
        return cls(np.concatenate(values), np.concatenate(known))


@dataclass(frozen=True, eq=False)
class Lines(Sequence[Line]):
    """Lines as columns. who, code: places in ``names`` and ``codes``; measured_ppm: NOT_MEASURED where not stated."""

    names: tuple[str, ...]
    who: Places
    codes: tuple[str, ...]
    code: Places
    city: NDArray[np.object_]
    quantity: Known
    amount: Known
    measured_ppm: IntArray
    delivered: BoolArray

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Lines:
        """Any lines as columns, in their order."""
        if isinstance(lines, Lines):
            return lines
        rows = list(lines)
        names = tuple(sorted({line.participant_id for line in rows}))
        codes = tuple(sorted({line.charge_code for line in rows}))
        city = np.empty(len(rows), np.object_)
        city[:] = [line.city for line in rows]
        return cls(
            names,
            _places([line.participant_id for line in rows], names),
            codes,
            _places([line.charge_code for line in rows], codes),
            city,
            Known.of([line.quantity_wh for line in rows]),
            Known.of([line.amount_fen for line in rows]),
            np.array(
                [NOT_MEASURED if line.measured_ppm is None else line.measured_ppm for line in rows], np.int64
            ),
            np.array([line.delivered for line in rows], np.bool_),
        )

    @classmethod
    def of_charge(
        cls,
        code: str,
        participants: Sequence[str],
        quantity: Known | Sequence[int | None] | None,
        amount: Known | Sequence[int | None],
        *,
        city: Mapping[str, str | None],
        measured_ppm: Mapping[str, int] | None = None,
        delivered: bool | BoolArray = False,
        who: NDArray[np.integer[Any]] | None = None,
    ) -> Lines:
        """One line of a charge for each participant. quantity: None where the charge has none.

        who: places of those who have a line, in their order; None for everyone.
        """
        places = np.arange(len(participants), dtype=np.int32) if who is None else who.astype(np.int32)
        rows, names = len(places), [participants[place] for place in places.tolist()]
        cities = np.empty(rows, np.object_)
        cities[:] = [city.get(name) for name in names]
        shares = [] if measured_ppm is None else [measured_ppm.get(name, NOT_MEASURED) for name in names]
        without = Known(np.zeros(rows, np.int64), np.zeros(rows, np.bool_))
        return cls(
            tuple(participants),
            places,
            (code,),
            np.zeros(rows, np.int32),
            cities,
            without if quantity is None else quantity if isinstance(quantity, Known) else Known.of(quantity),
            amount if isinstance(amount, Known) else Known.of(amount),
            np.full(rows, NOT_MEASURED, np.int64) if measured_ppm is None else np.array(shares, np.int64),
            np.broadcast_to(np.asarray(delivered, np.bool_), (rows,)),
        )

    @classmethod
    def joined(cls, parts: Iterable[Iterable[Line]]) -> Lines:
        """Several lots of lines one after the other; ``names`` and ``codes`` of the whole are sorted."""
        every = [cls.of(part) for part in parts]
        lists = {id(part.names): part.names for part in every}  # many lots share one list of participants
        names = tuple(sorted(set().union(*lists.values())))
        codes = tuple(sorted(set().union(*(part.codes for part in every))))
        among = {name: number for number, name in enumerate(names)}
        place_of = {
            one: np.fromiter(map(among.__getitem__, of), np.int32, len(of)) for one, of in lists.items()
        }

        def column(of: Iterable[NDArray[Any]], kind: type) -> NDArray[Any]:
            return np.concatenate([*of, np.zeros(0, kind)])

        return cls(
            names,
            column((place_of[id(part.names)][part.who] for part in every), np.int32),
            codes,
            column((_places(part.codes, codes)[part.code] for part in every), np.int32),
            column((part.city for part in every), np.object_),
            Known.joined([part.quantity for part in every]),
            Known.joined([part.amount for part in every]),
            column((part.measured_ppm for part in every), np.int64),
            column((part.delivered for part in every), np.bool_),
        )

    def in_order(self) -> Lines:
        """By participant, then charge; those of one participant and charge in the order in which they stand."""
        whole = self if _sorted(self.names) and _sorted(self.codes) else Lines.joined([self])
        return whole.only(np.lexsort((whole.code, whole.who)))

    def only(self, rows: NDArray[Any]) -> Lines:
        """The lines where a mask is True, or at these places."""
        return Lines(
            self.names,
            self.who[rows],
            self.codes,
            self.code[rows],
            self.city[rows],
            self.quantity.only(rows),
            self.amount.only(rows),
            self.measured_ppm[rows],
            self.delivered[rows],
        )

    def with_codes(self, codes: Iterable[str]) -> Lines:
        """The lines of these charges."""
        return self.only(self.has_code(codes))

    def of_names(self, names: Iterable[str]) -> Lines:
        """The lines of these participants."""
        return self.only(self.has_name(names))

    def has_code(self, codes: Iterable[str]) -> BoolArray:
        """True for the lines of these charges."""
        wanted = set(codes)
        return np.array([one in wanted for one in self.codes], np.bool_)[self.code]

    def has_name(self, names: Iterable[str]) -> BoolArray:
        """True for the lines of these participants."""
        wanted = set(names)
        return np.array([one in wanted for one in self.names], np.bool_)[self.who]

    @property
    def total_fen(self) -> int | None:
        """Sum of the amounts, None where one is missing."""
        return wide_sum(self.amount.values) if self.amount.known.all() else None

    @property
    def incomplete_codes(self) -> list[str]:
        """The charges of which a line has no amount."""
        return [self.codes[place] for place in np.unique(self.code[~self.amount.known]).tolist()]

    @property
    def participants(self) -> list[str]:
        """Who has a line, by id."""
        has_line = np.bincount(self.who, minlength=len(self.names)) > 0
        return sorted(self.names[place] for place in np.flatnonzero(has_line).tolist())

    def __len__(self) -> int:
        return len(self.who)

    def __iter__(self) -> Iterator[Line]:
        shares = self.measured_ppm.tolist()
        return map(
            Line._make,
            zip(
                [self.names[place] for place in self.who.tolist()],
                [self.codes[place] for place in self.code.tolist()],
                self.city.tolist(),
                optional(self.quantity),
                optional(self.amount),
                [None if share == NOT_MEASURED else share for share in shares],
                self.delivered.tolist(),
                strict=True,
            ),
        )

    @overload
    def __getitem__(self, place: int) -> Line: ...
    @overload
    def __getitem__(self, place: slice) -> Lines: ...
    def __getitem__(self, place: int | slice) -> Line | Lines:
        if isinstance(place, slice):
            return self.only(np.arange(len(self))[place])
        return next(iter(self.only(np.array([range(len(self))[place]]))))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # columns can be written to


def optional(numbers: Known) -> list[int | None]:
    """As numbers and None."""
    values: list[int | None] = numbers.values.tolist()
    if numbers.known.all():
        return values
    return [value if known else None for value, known in zip(values, numbers.known.tolist(), strict=True)]


def sums_by(places: NDArray[np.integer[Any]], values: IntArray, size: int) -> list[int]:
    """Sum of the values at each of ``size`` places, exact whatever its size."""
    if peak(values) * len(values) <= INT64_MAX:
        found = np.zeros(size, np.int64)
        np.add.at(found, places, values)
        exact: list[int] = found.tolist()
        return exact
    exact = [0] * size
    for place, value in zip(places.tolist(), values.tolist(), strict=True):
        exact[place] += value
    return exact


def _places(texts: Sequence[str], among: Sequence[str]) -> Places:
    place = {text: number for number, text in enumerate(among)}
    return np.fromiter((place[text] for text in texts), np.int32, len(texts))


def _sorted(texts: Sequence[str]) -> bool:
    return all(before < after for before, after in pairwise(texts))
