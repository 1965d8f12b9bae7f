"""Checks of a bid file against the day it is for, as the warehouse knows it (事中校核)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.bid_inputs import BidInputs, BidInputsMissingError, read_inputs
from jobs.bid_session import DAY_AHEAD, Session
from jobs.bid_store import (
    COLUMNS,
    bid_of_file,
    newest,
)
from optimization.bid_check import BidLimits, problems
from optimization.bid_misplaced import misplaced
from optimization.forecast import FloatArray
from optimization.procurement import OVERRIDE
from optimization.purchase import BID_COLUMNS, Procurement, bid_mw
from warehouse.home import Home


def check_bid(home: Home, file: Path, *, profile_name: str = "IPSPOT_2022_TRIAL") -> list[str]:
    """What is wrong with a bid file, one sentence each; an empty list is a bid that may be handed in.

    The bid is held against the market's format, and against the gap, the transfer capability and yesterday's bid
    as the warehouse knows them; a round's bid also against the position before it. Raises FileNotFoundError where
    there is no file.
    """
    try:
        bid = pd.read_csv(file, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except ValueError as unread:
        return [f"{file.name} cannot be read as a CSV table: {unread}"]
    if bid.empty and set(COLUMNS) <= set(bid.columns):
        return []  # a bid without rows buys nothing
    if "date" not in bid.columns or bid["date"].nunique() != 1:
        return [f"{file.name} must have a column date with one day; a bid file is for one day."]
    try:
        day = date.fromisoformat(str(bid["date"].iloc[0]))
        inputs = read_inputs(home, day, session=_session_of(bid), profile_name=profile_name, limits_only=True)
    except (ValueError, BidInputsMissingError) as unknown:
        return [f"{file.name} cannot be held against the day it is for: {unknown}"]
    return [
        *_heading(bid, inputs),
        *problems(bid, limits_of(home, inputs)),
        *_misplaced(home, day, inputs.session, bid),
    ]


def _session_of(bid: pd.DataFrame) -> Session:
    """Of the first row; a file without stage and round is a day-ahead bid."""
    if "stage" not in bid.columns:
        return DAY_AHEAD
    return Session(str(bid["stage"].iloc[0]), int(str(bid["round"].iloc[0])) if "round" in bid.columns else 1)


def limits_of(home: Home, inputs: BidInputs) -> BidLimits:
    problem = inputs.problem
    yesterday = None if inputs.session.intraday else newest(home, inputs.day - timedelta(days=1))
    return BidLimits(
        rules=problem.rules,
        gap_mw=problem.scenarios.expected_gap_mw(),
        need_limit_mw=problem.need_limit_mw.astype(np.float64),
        capability_mw=problem.capability_mw,
        import_limit_mw=problem.import_limit_mw,
        curtailed_mw=inputs.curtailed_mw,
        cheapest_cny_per_mwh=_cheapest(problem),
        yesterday_mw=None if yesterday is None else bid_mw(bid_of_file(yesterday.file)).astype(np.float64),
    )


def _cheapest(problem: Procurement) -> FloatArray:
    """(96,) the lowest landed price of any path and scenario, 0 where none is known."""
    known = np.where(np.isnan(problem.landed), np.inf, problem.landed).min(axis=(0, 1))
    return np.where(np.isfinite(known), known, 0.0)


def _misplaced(home: Home, day: date, session: Session, bid: pd.DataFrame) -> list[str]:
    """A mistake that makes the session's proposed bid into this one; the desk works from that."""
    proposed = newest(home, day, session, but=OVERRIDE)
    if proposed is None or not set(BID_COLUMNS) <= set(bid.columns):
        return []
    rows = bid[list(BID_COLUMNS)].apply(pd.to_numeric, errors="coerce").dropna()
    whole = rows[(rows["period"] % 1 == 0) & (rows["segment"] % 1 == 0)]
    return misplaced(whole, pd.read_csv(proposed.file)[list(BID_COLUMNS)])


def _heading(bid: pd.DataFrame, inputs: BidInputs) -> Iterator[str]:
    session = inputs.session
    for column, wanted in (("node", inputs.node), ("stage", session.stage), ("round", str(session.round))):
        if column in bid.columns and set(bid[column]) - {wanted}:
            found = ", ".join(sorted(set(bid[column]) - {wanted}))
            yield f"The bid is for {column} {found}; a bid of this session is for {wanted}."
