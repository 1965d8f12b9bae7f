"""The rolling position of a day: what earlier sessions bought, what response is called, what the paths have left.

Power MW (96,); bought and called stand at the home node, what a section carries at the seller node (ruling 18).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from jobs.bid_reading import BidInputsMissingError, Known, records
from jobs.bid_session import DAY_AHEAD_STAGE, Session
from market.periods import PERIODS
from optimization.forecast import FloatArray
from warehouse.home import Home


@dataclass(frozen=True)
class Position:
    """bought_mw: executed imports of the sessions before. called_mw: response of the events called. used_mw: section
    -> MW at the seller. sessions: (stage, round) -> MWh. events: programme, first, last period and MW of each."""

    bought_mw: FloatArray
    called_mw: FloatArray
    used_mw: Mapping[str, FloatArray]
    sessions: Mapping[tuple[str, int], float]
    events: tuple[dict[str, Any], ...]

    def called_of(self, program_id: str) -> float:
        """MW of a programme that today's events have used up: a customer is called at most once a day."""
        return float(sum(one["mw"] for one in self.events if one["program_id"] == program_id))

    def record(self) -> dict[str, Any]:
        """For the JSON beside the bid."""
        return {
            "bought_mwh": {
                f"{stage} {number}": round(mwh, 6) for (stage, number), mwh in self.sessions.items()
            },
            "events": list(self.events),
        }


NONE = Position(np.zeros(PERIODS), np.zeros(PERIODS), {}, {}, ())


def position(
    home: Home,
    day: date,
    session: Session,
    gate: datetime,
    paths: pd.DataFrame,
    known: Known,
    notes: list[str],
) -> Position:
    """Before a round: the executed trades of the day-ahead session and of earlier rounds, and events announced by then.

    Raises BidInputsMissingError where a day-ahead bid was handed in and no result of it has come: buying again
    what may be bought already is worse than not buying.
    """
    node, after = str(paths["buyer_node"].iloc[0]), day + timedelta(days=1)
    trades = records(home, "trades", known, day, after)
    earlier = (trades["stage"] == DAY_AHEAD_STAGE) | (trades["round"] < session.round)
    trades = trades[earlier & (trades["buyer_node"] == node)]
    if not (trades["stage"] == DAY_AHEAD_STAGE).any() and _handed_in(home, day):
        raise BidInputsMissingError(
            f"A day-ahead bid for {day} was handed in but no day-ahead trade of it is in the warehouse; ingest trades."
        )
    bought, sessions = np.zeros(PERIODS), dict[tuple[str, int], float]()
    used: dict[str, FloatArray] = {}
    passes = paths.groupby("path_id")["section_id"].agg(list).to_dict()
    for one in trades.itertuples():
        t, buy = int(one.period) - 1, _number(one.executed_buy_mw, one.buy_mw)
        bought[t] += buy
        key = (str(one.stage), int(one.round))
        sessions[key] = sessions.get(key, 0.0) + buy / 4
        for section in passes.get(one.path_id, ()):
            used.setdefault(section, np.zeros(PERIODS))[t] += _number(one.executed_sell_mw, one.sell_mw)
    called, events = _called(home, day, gate, known, notes)
    return Position(bought, called, used, dict(sorted(sessions.items())), events)


def _called(
    home: Home, day: date, gate: datetime, known: Known, notes: list[str]
) -> tuple[FloatArray, tuple[dict[str, Any], ...]]:
    rows = records(home, "dr_events", known)
    rows = rows[(rows["date"] == day) & (rows["direction"] == "cut")]
    awards = records(home, "dr_awards", known)
    cancelled = records(home, "dr_cancellations", known)
    gone = {str(one.event_id) for one in cancelled.itertuples() if _moment(one.cancelled_at) < gate}
    called, events = np.zeros(PERIODS), []
    for event in rows.itertuples():
        if _moment(event.announced_at) >= gate or event.event_id in gone:
            continue
        own = awards[awards["event_id"] == event.event_id]
        if own.empty:
            notes.append(f"Event {event.event_id} is called but has no award; nothing of it counts.")
            continue
        mw = float(sum(own["committed_kw"])) / 1000
        first, last = int(event.first_period), int(event.last_period)
        called[first - 1 : last] += mw
        events.append(
            {
                "event_id": str(event.event_id),
                "program_id": str(event.program_id),
                "first_period": first,
                "last_period": last,
                "mw": round(mw, 6),
            }
        )
    return called, tuple(events)


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def _number(executed: Any, cleared: Any) -> float:
    """What runs; before the executed curve is known, what cleared."""
    return float(cleared if executed is None or pd.isna(executed) else executed)


def _handed_in(home: Home, day: date) -> bool:
    """Whether a day-ahead bid with MW was handed in."""
    files = (home.reports / "bids" / day.isoformat() / "handed_in").glob(f"bids_{day}_v*.csv")
    return any(len(file.read_text(encoding="utf-8").splitlines()) > 1 for file in files)
