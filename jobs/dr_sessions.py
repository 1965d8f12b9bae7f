"""The inter-provincial sessions of an event's day, cleared again without its response (demand_response.md F3, 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from demand_response.reclearing import SESSION, SessionRise, session_without
from demand_response.sharing import EventCase
from market.channels import priced_paths
from market.curves import is_missing
from market.money import IntArray
from market.periods import PERIODS, PERIODS_PER_HOUR
from market.profiles import ProvincialRules, on
from market.tables import STAGES
from optimization.clearing import clear
from warehouse.curves import curve_days, curve_inputs
from warehouse.deliveries import Input
from warehouse.home import Home
from warehouse.records import read_records, record_inputs

MEGA = 1_000_000
INTERPROVINCIAL = "interprovincial"


@dataclass(frozen=True)
class Sessions:
    """What each stage's session would have done without the response; None where it cannot be cleared again."""

    day_ahead: SessionRise | None
    intraday: SessionRise | None


def sessions_without(
    home: Home, day: date, response_wh: IntArray, rules: ProvincialRules, as_of: datetime | None
) -> Sessions:
    """Clear the day's sessions again; rounds of a stage one by one, their effects together."""
    tables = {name: read_records(home, name, as_of=as_of) for name in ("offers", "bids", "paths", "sections")}
    response_mw = response_wh * PERIODS_PER_HOUR / MEGA
    found: dict[str, SessionRise | None] = {}
    for stage in STAGES:
        offers, bids = (_of_stage(tables[name], day, stage) for name in ("offers", "bids"))
        bids = _newest(bids)
        parts = [
            session_without(
                lambda *given: clear(*given, rules.interprovincial_profile),
                offers[offers["round"] == number],
                bids[bids["round"] == number],
                priced_paths(tables["paths"], tables["sections"], day),
                _capability(home, day, stage, as_of),
                rules.home_node,
                response_mw,
            )
            for number in sorted(set(bids["round"]) & set(offers["round"]))
        ]
        found[stage] = _together(parts)
    return Sessions(found["day_ahead"], found["intraday"])


def with_sessions(case: EventCase, sessions: Sessions) -> EventCase:
    """The case with its prices without the response taken from the sessions where they covered the shortage.

    The day-ahead session moves the day-ahead price of an event that was announced before it, the intraday one the
    real-time price; the stack does the rest.
    """
    day_ahead = sessions.day_ahead if case.known_to_day_ahead else None
    used = {
        stage: one for stage, one in zip(STAGES, (day_ahead, sessions.intraday), strict=True) if _covers(one)
    }
    if not used:
        return case
    return replace(
        case,
        rise=used["intraday"].over(case.rise) if "intraday" in used else case.rise,
        rise_day_ahead=used["day_ahead"].over(case.rise) if "day_ahead" in used else None,
        model=f"{SESSION.format(stage=' and '.join(used))}; elsewhere {case.model}",
    )


def _covers(one: SessionRise | None) -> bool:
    return one is not None and bool(one.covered.any())


def session_inputs(
    home: Home, days: Iterable[date], rules: ProvincialRules, as_of: datetime | None, *, rota: bool
) -> list[Input]:
    """The delivered offers, bids and transfer capability that the money of these event days rests on, if any.

    rota: there is one, so that what would have gone unserved is money too.
    """
    wanted = sorted(day for day in days if rota or counterfactual_by_session(day, rules))
    if not wanted:
        return []
    after = wanted[-1] + timedelta(days=1)
    return [
        *(entry for table in ("offers", "bids") for entry in record_inputs(home, table, as_of=as_of)),
        *curve_inputs(home, "atc", wanted[0], after, as_of=as_of),
    ]


def counterfactual_by_session(day: date, rules: ProvincialRules) -> bool:
    """Whether the profile takes the price without an event from the inter-provincial session on that day."""
    return on(rules.dr_counterfactual, day, "dr_counterfactual") == INTERPROVINCIAL


def _of_stage(frame: pd.DataFrame, day: date, stage: str) -> pd.DataFrame:
    return frame[(frame["date"] == day) & (frame["stage"] == stage)]


def _newest(bids: pd.DataFrame) -> pd.DataFrame:
    """The last version a node submitted for a round."""
    last = bids.groupby(["node", "round"])["version"].transform("max")
    return bids[bids["version"] == last]


def _capability(home: Home, day: date, stage: str, as_of: datetime | None) -> pd.DataFrame:
    rows: list[tuple[str, int, float]] = []
    for curve in curve_days(home, "atc", day, day + timedelta(days=1), as_of=as_of):
        stages, sections = (curve.keys[name].to_pylist() for name in ("stage", "section_id"))
        for place, section in enumerate(sections):
            if stages[place] == stage:
                mw = np.where(is_missing(curve.values[place]), 0, curve.values[place]) / 1000
                rows += [(section, period, float(mw[period - 1])) for period in range(1, PERIODS + 1)]
    return pd.DataFrame(rows, columns=["section_id", "period", "mw"])


def _together(parts: list[SessionRise]) -> SessionRise | None:
    """The rounds of a stage, each of which clears other quarter-hours."""
    if not parts:
        return None
    return SessionRise(
        rise=np.max([part.rise for part in parts], axis=0),
        covered=np.any([part.covered for part in parts], axis=0),
        bought_mw=np.sum([part.bought_mw for part in parts], axis=0),
        unserved_mw=np.sum([part.unserved_mw for part in parts], axis=0),
        cost_cny=np.sum([part.cost_cny for part in parts], axis=0),
    )
