"""The quality of a day of readings: one code for all of it, or 96 letters, one a quarter-hour.

Letters: m measured, e estimated, s substituted, x missing. A day whose quarter-hours agree always carries the code.
What one delivery says of a day may besides be silent on quarter-hours (letter -): then another delivery speaks of
them. Readers of the warehouse never meet that letter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from market.periods import PERIODS
from market.tables import QUALITIES, Quality

LETTERS = "mesx"  # in the order of QUALITIES
SILENT = "-"  # in place of a letter
PLACE = {quality: place for place, quality in enumerate(QUALITIES)}


def written(places: Sequence[int] | NDArray[np.int64]) -> str:
    """96 places in QUALITIES as a day's quality. Raises ValueError for another number of them."""
    if len(places) != PERIODS:
        raise ValueError(f"A day has {PERIODS} quarter-hours; {len(places)} qualities were given.")
    distinct = set(map(int, places))
    if len(distinct) == 1:
        return QUALITIES[distinct.pop()].value
    return "".join(LETTERS[int(place)] for place in places)


def by_period(quality: str) -> NDArray[np.int64]:
    """A day's quality as (96,) places in QUALITIES. Raises ValueError for a text that is none."""
    if quality in PLACE:
        return np.full(PERIODS, PLACE[Quality(quality)], np.int64)
    if len(quality) != PERIODS or set(quality) - set(LETTERS):
        raise ValueError(
            f"{quality!r} is no quality of a day; it is one of {', '.join(QUALITIES)} or {PERIODS} letters of {LETTERS}."
        )
    return np.array([LETTERS.index(letter) for letter in quality], np.int64)


def of_day(places: NDArray[np.int64], known: NDArray[np.bool_]) -> str:
    """A day's quality: the code that all its known readings share, ``missing`` where none is known, else 96 letters.

    places: (96,) in QUALITIES; known: (96,). A reading that is not known is missing in the letters.
    """
    codes: set[int] = set(places[known].tolist())
    if len(codes) == 1:
        return QUALITIES[codes.pop()].value
    return written(np.where(known, places, PLACE[Quality.MISSING]))


def spoken(places: NDArray[np.int64]) -> str:
    """What a delivery of parts of a day says of its quality: one code, or 96 letters. places: -1 where it is silent."""
    said = places[places >= 0]
    codes: set[int] = set(said.tolist())
    withdraws = PLACE[Quality.MISSING] in codes
    if len(codes) == 1 and (not withdraws or len(said) == PERIODS):
        return QUALITIES[codes.pop()].value
    return "".join(SILENT if place < 0 else LETTERS[place] for place in places.tolist())
