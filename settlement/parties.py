"""Who settles wholesale in a month, and their exact daily amounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from market.money import IntArray
from settlement.day import BoolArray


@dataclass(frozen=True)
class Parties:
    """Who settles wholesale: users first (the grid company's agency book among them), then generators with storages.

    kind: participant kind of users and generators. agency_energy: Wh of the month by agency user, None missing.
    """

    users: tuple[str, ...]
    generators: tuple[str, ...]
    grid_company: str
    kind: Mapping[str, str]
    city: Mapping[str, str | None]
    measured_ppm: Mapping[str, int]
    agency_energy: Mapping[str, int | None]
    capacity_mw_micro: Mapping[str, int]
    without_contract: frozenset[str]


@dataclass(frozen=True)
class DailySeries:
    """Exact daily amounts of one charge: participants x days, Wh and 1e-9 元, and where they are missing."""

    charge_code: str
    participants: tuple[str, ...]
    days: tuple[date, ...]
    quantity: IntArray
    nano: IntArray
    missing: BoolArray

    @classmethod
    def single(cls, code: str, who: str, day: date, quantity: int | None, nano: int | None) -> DailySeries:
        """One participant on one day; missing where its quantity or amount is None."""
        return cls(
            code,
            (who,),
            (day,),
            np.array([[quantity or 0]], np.int64),
            np.array([[nano or 0]], np.int64),
            np.array([[quantity is None or nano is None]]),
        )
