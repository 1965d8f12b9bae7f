"""Metered load of those who respond: one book of kW over the days a baseline may look at."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from demand_response.batch import LoadBook
from jobs.roster import valid_on
from market.curves import filled, is_missing
from market.money import scaled
from market.periods import PERIODS, PERIODS_PER_HOUR
from settlement.metering import wh_of_reading
from warehouse.curves import curve_days
from warehouse.home import Home
from warehouse.records import read_records

LOOK_BACK = timedelta(
    days=60
)  # 45 days of candidates (ruling 23) and what holidays and events push further back


def read_loads(
    home: Home, wanted: Collection[str], first: date, after: date, as_of: datetime | None
) -> LoadBook:
    """kW of the wanted participants on every day from ``first`` to before ``after``, delivery counted negative.

    NaN where a reading, or one of the participant's meters of that day, is missing.
    """
    people = tuple(sorted(wanted))
    dates = tuple(first + timedelta(days=n) for n in range((after - first).days))
    kw = np.full((len(people), len(dates), PERIODS), np.nan)
    meters = read_records(home, "meters", as_of=as_of)
    meters = meters[meters["participant_id"].isin(people)]
    place = {who: row for row, who in enumerate(people)}
    for curve in curve_days(home, "meter_readings", first, after, as_of=as_of):
        valid = valid_on(meters, curve.date)
        if valid.empty:
            continue
        rows = pd.Index(np.asarray(curve.keys["meter_id"], dtype=object)).get_indexer(valid["meter_id"])
        multiplier = np.array([scaled(value, 3) for value in valid["multiplier"]], dtype=np.int64)
        owner = np.array([place[who] for who in valid["participant_id"]], dtype=np.intp)
        energy = wh_of_reading(curve.values[rows], multiplier)  # a meter that is absent is marked below
        gap = is_missing(energy) | (rows < 0)[:, None]
        signed = np.where(gap, 0, filled(energy) * np.array(valid["direction"], dtype=np.int64)[:, None])
        total, gaps = np.zeros((len(people), PERIODS), np.int64), np.zeros((len(people), PERIODS), np.bool_)
        np.add.at(total, owner, signed)
        np.logical_or.at(gaps, owner, gap)
        read = np.unique(owner)
        day = (curve.date - first).days
        kw[read, day] = np.where(gaps[read], np.nan, total[read] * PERIODS_PER_HOUR / 1000)
    return LoadBook(people, dates, kw)
