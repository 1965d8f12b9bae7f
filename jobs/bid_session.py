"""The sessions a bid may be for: the day-ahead one, or a round within the day (market.md A.5, A.6; S14 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from market.periods import PERIODS, TIME_ZONE
from market.profiles import InterprovincialRules

DAY_AHEAD_STAGE, INTRADAY_STAGE = "day_ahead", "intraday"
PERIOD_MINUTES = 15


@dataclass(frozen=True)
class Session:
    """stage: day_ahead or intraday. round: 1 for the day-ahead session, else the round of the day, from 1."""

    stage: str = DAY_AHEAD_STAGE
    round: int = 1

    @property
    def intraday(self) -> bool:
        """Whether this is a round within the day."""
        return self.stage == INTRADAY_STAGE

    @property
    def folder(self) -> str:
        """Where the bids of the session lie, under the day's folder."""
        return f"{self.stage}_{self.round:02d}" if self.intraday else "."

    def name(self, day: date) -> str:
        """What its files are called, without version and suffix."""
        return f"bids_{day}_{self.folder}" if self.intraday else f"bids_{day}"

    def subject(self, day: date) -> str:
        """How the log names it, without the version."""
        return f"bid {day} {self.folder}" if self.intraday else f"bid {day}"

    def of(self, rules: InterprovincialRules) -> Session:
        """Itself. Raises ValueError for a stage or round that the profile does not have."""
        most = rules.intraday_rounds if self.intraday else 1
        if self.stage not in (DAY_AHEAD_STAGE, INTRADAY_STAGE) or not 1 <= self.round <= most:
            raise ValueError(
                f"There is no round {self.round} of stage {self.stage}; the profile has day_ahead and intraday rounds 1 to "
                f"{rules.intraday_rounds}."
            )
        return self

    def open(self, rules: InterprovincialRules) -> NDArray[np.bool_]:
        """(96,) True in the periods that may be bid."""
        if not self.intraday:
            return np.ones(PERIODS, dtype=bool)
        length = rules.intraday_round_minutes // PERIOD_MINUTES
        place = np.arange(PERIODS) // length
        return np.asarray(place == self.round - 1)

    def gate(self, day: date, rules: InterprovincialRules) -> datetime:
        """When the window closes: on D-1, or T-95 or T-110 before the round begins."""
        zone = ZoneInfo(TIME_ZONE)
        if not self.intraday:
            return datetime.combine(day - timedelta(days=1), rules.gate_closure, zone)
        begins = (self.round - 1) * rules.intraday_round_minutes - rules.intraday_close_minutes
        return datetime.combine(day, time(0), zone) + timedelta(minutes=begins)


DAY_AHEAD = Session()


def round_of(number: str | int | None) -> Session:
    """The session of a round's number; empty, None or 0 is the day-ahead session."""
    return Session(INTRADAY_STAGE, int(number)) if number not in ("", "None", None, 0, "0") else DAY_AHEAD
