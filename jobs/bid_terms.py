"""Terms of the day beside the spot market: bands of contracts, purchases within the day, the limit of all imports.

Contract flexibility and intraday recourse are Commitments: MW up or down from a baseline at a price. What a table does
not say is not made up: the term is left out and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from jobs.bid_reading import Known, Series, read_curves, records
from jobs.roster import valid_on
from market.curves import MISSING
from market.periods import PERIODS, PERIODS_PER_HOUR
from market.tables import TABLES, ParticipantKind
from optimization.forecast import FloatArray
from optimization.purchase import Commitment
from warehouse.curves import curve_days
from warehouse.home import Home

INTRADAY = "intraday"
INTRADAY_PRICE, INTRADAY_MW = "intraday_price", "intraday_mw_forecast"


def import_room(
    home: Home, node: str, day: date, known: Known, scheduled_mw: FloatArray, notes: list[str]
) -> FloatArray | None:
    """(96,) MW that may still come in: the limit of the day less what is scheduled; None where no limit is known."""
    rows = records(home, "import_limits", known)
    rows = valid_on(rows[rows["node"] == node], day)
    if rows.empty:
        notes.append(
            f"The limit of all imports of {node} on {day} is not known; only transfer capability bounds them."
        )
        return None
    return np.asarray(np.maximum(float(min(rows["limit_mw"])) - scheduled_mw, 0.0))


def contract_bands(home: Home, day: date, known: Known, notes: list[str]) -> tuple[Commitment, ...]:
    """The bands of the grid company's contracts that hold on the day, by band_id.

    A band never takes a contract below nothing: what can be left downwards is at most its curve of the day.
    """
    rows = valid_on(records(home, "contract_bands", known), day)
    if rows.empty:
        return ()
    contracts = valid_on(records(home, "contracts", known), day).set_index("contract_id")
    people = valid_on(records(home, "participants", known), day).set_index("participant_id")["kind"]
    curves = _contract_curves(home, day, known)
    return tuple(_bands(rows.sort_values("band_id"), contracts, people, curves, day, notes))


def _bands(
    rows: pd.DataFrame,
    contracts: pd.DataFrame,
    kind: pd.Series[Any],
    curves: dict[str, FloatArray],
    day: date,
    notes: list[str],
) -> Iterator[Commitment]:
    for row in rows.itertuples():
        band = f"Band {row.band_id} of contract {row.contract_id}"
        if row.contract_id not in contracts.index:
            notes.append(f"{band} is left out: the contract does not hold on {day}.")
            continue
        contract = contracts.loc[row.contract_id]
        if kind.get(contract["buyer_id"]) != ParticipantKind.GRID_COMPANY:
            notes.append(f"{band} is left out: its buyer {contract['buyer_id']} is not the grid company.")
            continue
        first, last = int(row.first_period), int(row.last_period)
        if not 1 <= first <= last <= PERIODS:
            notes.append(f"{band} is left out: periods {first} to {last} are none of 1 to {PERIODS}.")
            continue
        inside = np.zeros(PERIODS)
        inside[first - 1 : last] = 1.0
        up, up_price = _side(band, "up", row.up_mw, row.up_price_cny_per_mwh, notes)
        down, down_price = _side(band, "down", row.down_mw, row.down_price_cny_per_mwh, notes)
        curve = curves.get(str(row.contract_id))
        if down and curve is None:
            notes.append(f"{band} is not left downwards: the contract has no curve of {day} to be left from.")
        least = np.zeros(PERIODS) if curve is None else np.nan_to_num(np.maximum(curve, 0.0))
        yield Commitment(
            str(row.band_id),
            up * inside,
            np.full(PERIODS, up_price),
            np.minimum(down * inside, least),
            np.full(PERIODS, down_price),
            imported=kind.get(contract["seller_id"]) == ParticipantKind.OUTSIDE,
        )


def _side(band: str, side: str, mw: Any, price: Any, notes: list[str]) -> tuple[float, float]:
    if not float(mw):
        return 0.0, 0.0
    if price is None or pd.isna(price):
        notes.append(f"{band} is not used {side}wards: it has {float(mw):g} MW {side} and no price for them.")
        return 0.0, 0.0
    return float(mw), float(price)


def _contract_curves(home: Home, day: date, known: Known) -> dict[str, FloatArray]:
    """Contract -> (96,) MW of its curve, NaN where missing."""
    unit = PERIODS_PER_HOUR * 10.0 ** -TABLES["contract_curves"].curve_decimals  # MWh of a quarter-hour -> MW
    found = {}
    for one in curve_days(
        home,
        "contract_curves",
        day,
        day + timedelta(days=1),
        as_of=known.as_of,
        delivered=known.delivered,
    ):
        values = np.where(one.values == MISSING, np.nan, one.values * unit)
        found |= dict(zip(one.keys["contract_id"].to_pylist(), values, strict=True))
    return found


def intraday(
    prices: FloatArray | None, series: Series, node: str, day: date, notes: list[str]
) -> tuple[Commitment, ...]:
    """What can be bought within the day once the gap is known: a price by scenario, (scenarios, 96), and the MW expected.

    Nothing where neither is known; a note where one is and the other not.
    """
    mw = series.get((INTRADAY_MW, node), {}).get(day)
    if prices is None and mw is None:
        return ()
    if prices is None or mw is None:
        known, missing = (INTRADAY_MW, INTRADAY_PRICE) if prices is None else (INTRADAY_PRICE, INTRADAY_MW)
        notes.append(
            f"Purchases within {day} are left out: {known} of {node} is known and {missing} is not; ingest the system table."
        )
        return ()
    none = np.zeros(PERIODS)
    return (Commitment(INTRADAY, np.nan_to_num(np.maximum(mw, 0.0)), prices, none, none, imported=True),)


def intraday_that_came(home: Home, node: str, day: date, planned: Commitment) -> Commitment:
    """The same commitment at the price that came, where one did; elsewhere at the price expected."""
    read = read_curves(home, "system", day, day + timedelta(days=1), ("series", "node"))
    came = read.get((f"{INTRADAY_PRICE}_actual", node), {}).get(day, np.full(PERIODS, np.nan))
    price = np.where(np.isfinite(came), came, planned.up_cny_per_mwh)
    return Commitment(
        planned.name, planned.up_mw, price, planned.down_mw, planned.down_cny_per_mwh, imported=True
    )
