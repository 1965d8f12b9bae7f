"""Reads what is known of a day before the gate closes at D-1 11:30, as the problem of the morning bid.

Known of the bid day itself: its forecasts and its transfer capability. Known of the past: actual load, prices
and their forecasts up to D-2; D-1 is still running. Nothing else is read, so a replay sees what the desk saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from jobs.roster import valid_on
from market.curves import MISSING
from market.periods import PERIODS
from market.profiles import ProvincialRules, profile
from market.tables import TABLES
from optimization import scenarios as draw_scenarios
from optimization.forecast import ErrorHistory, FloatArray, PreBalance, error_history
from optimization.purchase import DemandResponse, Procurement
from optimization.supply import Supply, supply
from warehouse.curves import curve_days, curve_inputs
from warehouse.home import Home
from warehouse.records import read_records, record_inputs

HISTORY_DAYS = 60
PRICE_DAYS = 7  # days whose mean is the expected provincial price
CAPABILITY_DAYS = 14  # how far back transfer capability is looked for before it lands
PRE_BALANCE = (
    "load_forecast",
    "reserve",
    "wind_forecast",
    "solar_forecast",
    "thermal_available",
    "tie_line_mlt",
)
NET_LOAD = {"load": 1.0, "wind": -1.0, "solar": -1.0}
SELLER_FORECAST = "seller_price_forecast"
PRECLEAR, CURTAILMENT = "preclear_price", "renewable_curtailment"
KNOWN_BEFORE_THE_GATE = (*PRE_BALANCE, SELLER_FORECAST, PRECLEAR, CURTAILMENT)
BEFORE_THE_GAP_IS_KNOWN = ("agreed", "day_ahead")  # products called with the bid
RECORDS = ("sections", "paths", "dr_programs", "dr_enrolments")

Series = dict[tuple[str, str], dict[date, FloatArray]]


class BidInputsMissingError(LookupError):
    """Something without which no bid can be made is not in the warehouse; the sentence names it."""


@dataclass(frozen=True)
class BidInputs:
    """The day's problem and where it comes from.

    shortage_mw: (96,) forecast of the pre-balance, signed. paths: rows as for clear(). notes: what the reader of
    the bid must know, one sentence each. deliveries: the files read.
    """

    day: date
    node: str
    shortage_mw: FloatArray
    history: ErrorHistory
    problem: Procurement
    curtailed_mw: FloatArray | None
    paths: pd.DataFrame
    notes: tuple[str, ...]
    deliveries: tuple[dict[str, str | int], ...]


def read_inputs(
    home: Home,
    day: date,
    *,
    as_of: datetime | None = None,
    profile_name: str = "IPSPOT_2022_TRIAL",
    provincial_profile: str = "SD_2022",
    scenario_count: int = 6,
    seed: int = 0,
) -> BidInputs:
    """Everything for the bid of ``day`` as known at ``as_of``.

    Raises BidInputsMissingError naming the table, series and day that is not there.
    """
    rules = profile(profile_name).traded
    provincial, _ = profile(provincial_profile).settled
    node, before = provincial.home_node, day - timedelta(days=1)  # exclusive: the past ends with D-2
    notes: list[str] = []
    today = read_system(home, day, day + timedelta(days=1), KNOWN_BEFORE_THE_GATE, as_of)
    past = read_system(
        home,
        day - timedelta(days=HISTORY_DAYS),
        before,
        (*(f"{name}_{kind}" for name in NET_LOAD for kind in ("forecast", "actual")), SELLER_FORECAST),
        as_of,
    )
    prices = read_curves(home, "prices", day - timedelta(days=HISTORY_DAYS), before, ("node", "stage"), as_of)

    shortage = pre_balance(today, node, day).shortage_mw()
    paths = _paths(home, node, day, as_of)
    atc = _capability(home, set(paths["section_id"]), day, as_of, notes)
    own = supply(paths, atc, node)
    forecast = {seller: today.get((SELLER_FORECAST, seller), {}).get(day) for seller in own.seller_nodes}
    known = [seller for seller, curve in forecast.items() if curve is not None and np.isfinite(curve).all()]
    if not known:
        raise BidInputsMissingError(
            f"No seller node ({', '.join(own.seller_nodes)}) has a {SELLER_FORECAST} for {day}; ingest the system table."
        )
    notes += [
        f"{seller} has no complete price forecast for {day}; its paths are not bid for."
        for seller in own.seller_nodes
        if seller not in known
    ]
    history = error_history(
        _net_load(past, node, notes),
        {n: _pairs(prices.get((n, "day_ahead"), {}), past.get((SELLER_FORECAST, n), {})) for n in known},
        known,
    )
    if not history.days:
        notes.append(
            "There is no past day with load, prices and their forecasts; the forecast is the only scenario."
        )
    drawn = draw_scenarios.draw(
        shortage,
        np.array([forecast[seller] for seller in known]),
        history,
        count=scenario_count,
        seed=seed,
        floor=float(rules.floor_cny_per_mwh),
        cap=float(rules.cap_cny_per_mwh),
        carried_mw=own.carried_by_node()[[own.seller_nodes.index(seller) for seller in known]],
    ).at_nodes(own.seller_nodes)
    curtailed = today.get((CURTAILMENT, node), {}).get(day)
    problem = Procurement(
        supply=own,
        scenarios=drawn,
        demand_response=_demand_response(home, day, as_of, provincial),
        need_limit_mw=_need_limit(shortage, history, curtailed),
        provincial_price=_provincial_price(today.get((PRECLEAR, node), {}).get(day), prices, own, notes),
        value_of_lost_load=float(provincial.value_of_lost_load_cny_per_mwh),
        rules=rules,
    )
    return BidInputs(
        day=day,
        node=node,
        shortage_mw=shortage,
        history=history,
        problem=problem,
        curtailed_mw=curtailed,
        paths=paths,
        notes=tuple(notes),
        deliveries=tuple(_deliveries(home, day, before, as_of)),
    )


def read_curves(
    home: Home, table: str, first: date, after: date, names: Sequence[str], as_of: datetime | None
) -> Series:
    """(first key, second key) -> date -> (96,) floats in the table's unit, NaN where missing."""
    unit = 10.0 ** -TABLES[table].curve_decimals
    found: Series = {}
    for curve_day in curve_days(home, table, first, after, as_of=as_of):
        keys = zip(*(curve_day.keys[name].to_pylist() for name in names), strict=True)
        values = np.where(curve_day.values == MISSING, np.nan, curve_day.values * unit)
        for key, curve in zip(keys, values, strict=True):
            found.setdefault((key[0], key[1]), {})[curve_day.date] = curve
    return found


def read_system(
    home: Home, first: date, after: date, wanted: Sequence[str], as_of: datetime | None
) -> Series:
    everything = read_curves(home, "system", first, after, ("series", "node"), as_of)
    return {key: curves for key, curves in everything.items() if key[0] in wanted}


def _pairs(
    actual: Mapping[date, FloatArray], forecast: Mapping[date, FloatArray]
) -> dict[date, tuple[FloatArray, FloatArray]]:
    return {day: (actual[day], forecast[day]) for day in actual if day in forecast}


def _net_load(past: Series, node: str, notes: list[str]) -> dict[date, tuple[FloatArray, FloatArray]]:
    """Date -> (actual, forecast) of load less wind less sun, MW; what has no actual values counts as forecast."""
    pairs = {
        name: _pairs(past.get((f"{name}_actual", node), {}), past.get((f"{name}_forecast", node), {}))
        for name in NET_LOAD
    }
    absent = [name for name in ("wind", "solar") if not pairs[name]]
    if absent:
        notes.append(
            f"There is no {' and no '.join(f'{name}_actual' for name in absent)}; its error is not in the scenarios."
        )
    found = {}
    for day, load in pairs["load"].items():
        sides = [np.array(load)]
        sides += [
            sign * np.array(pairs[name][day])
            for name, sign in NET_LOAD.items()
            if sign < 0 and day in pairs[name]
        ]
        if len(sides) == len(NET_LOAD) - len(absent):
            actual, forecast = np.sum(sides, axis=0)
            found[day] = (actual, forecast)
    return found


def pre_balance(today: Series, node: str, day: date) -> PreBalance:
    curves = {name: today.get((name, node), {}).get(day) for name in PRE_BALANCE}
    absent = [name for name, curve in curves.items() if curve is None or not np.isfinite(curve).all()]
    if absent:
        raise BidInputsMissingError(
            f"The pre-balance of {node} on {day} lacks {', '.join(absent)} in full; ingest the system table of that day."
        )
    load, reserve, wind, solar, thermal, tie_line = (curve for curve in curves.values() if curve is not None)
    return PreBalance(load, reserve, wind, solar, thermal, tie_line)


def _paths(home: Home, node: str, day: date, as_of: datetime | None) -> pd.DataFrame:
    """Paths to the node with each section's tariff and loss of the day, as clear() takes them."""
    sections = valid_on(read_records(home, "sections", as_of=as_of), day)
    paths = read_records(home, "paths", as_of=as_of)
    own = paths[paths["buyer_node"] == node]
    joined = own.merge(
        sections[["section_id", "tariff_cny_per_mwh", "loss_rate", "loss_included"]],
        on="section_id",
        how="left",
    )
    absent = sorted(joined.loc[joined["tariff_cny_per_mwh"].isna(), "section_id"].unique())
    if own.empty or absent:
        what = f"sections {', '.join(absent)} valid on that day" if absent else f"paths that end at {node}"
        raise BidInputsMissingError(
            f"No bid for {day}: the warehouse has no {what}; ingest sections and paths."
        )
    included = (
        joined["loss_included"] == 1
    )  # a tariff that contains the loss comes without loss (market.md A.3)
    joined["loss_rate"] = joined["loss_rate"].mask(included, Decimal(0))
    columns = ["path_id", "seq", "section_id", "seller_node", "buyer_node", "tariff_cny_per_mwh", "loss_rate"]
    return joined[columns]


def _capability(
    home: Home, sections: set[str], day: date, as_of: datetime | None, notes: list[str]
) -> pd.DataFrame:
    """section_id, period, mw of the day, or of the last day published before it; a missing value is 0 MW."""
    published = read_curves(
        home,
        "atc",
        day - timedelta(days=CAPABILITY_DAYS),
        day + timedelta(days=1),
        ("section_id", "stage"),
        as_of,
    )
    by_section = {
        section: curves
        for (section, stage), curves in published.items()
        if stage == "day_ahead" and section in sections
    }
    days = [known for curves in by_section.values() for known in curves]
    if not days:
        raise BidInputsMissingError(
            f"There is no transfer capability of {day} or the {CAPABILITY_DAYS} days before; ingest the table atc."
        )
    newest = max(days)
    if newest < day:
        notes.append(
            f"Transfer capability of {day} has not been published; that of {newest} is used. "
            "Make the bid again when it lands."
        )
    rows = []
    for section, curves in sorted(by_section.items()):
        if newest not in curves:
            notes.append(f"Section {section} has no transfer capability for {newest}; it counts as closed.")
        curve = curves.get(newest, np.full(PERIODS, np.nan))
        holes = np.flatnonzero(np.isnan(curve)) + 1
        if newest in curves and holes.size:
            notes.append(
                f"Section {section} lacks transfer capability in period {holes[0]} and others; it counts as closed there."
            )
        rows += [(section, t, float(np.nan_to_num(curve[t - 1]))) for t in range(1, PERIODS + 1)]
    return pd.DataFrame(rows, columns=["section_id", "period", "mw"])


def _demand_response(
    home: Home, day: date, as_of: datetime | None, rules: ProvincialRules
) -> tuple[DemandResponse, ...]:
    programs = valid_on(read_records(home, "dr_programs", as_of=as_of), day)
    enrolled = valid_on(read_records(home, "dr_enrolments", as_of=as_of), day)
    capability = enrolled.groupby("program_id")["capability_kw"].sum()
    found = []
    for program in programs[programs["direction"] == "cut"].to_dict("records"):
        price = float(program["price_cny"]) * 1000  # 元/kWh -> 元/MWh, 元/kW -> 元/MW
        minimum = math.ceil(int(program["minimum_minutes"]) / 15)
        longest = program["maximum_minutes"]
        found.append(
            DemandResponse(
                program_id=str(program["program_id"]),
                capability_mw=float(capability.get(program["program_id"], 0)) / 1000,
                cny_per_mwh=price if program["price_unit"] == "per_kwh" else 0.0,
                cny_per_mw_event=price if program["price_unit"] == "per_kw_event" else 0.0,
                minimum_periods=minimum,
                maximum_periods=PERIODS if longest is None or pd.isna(longest) else int(longest) // 15,
                called_with_the_bid=program["product"] in BEFORE_THE_GAP_IS_KNOWN,
                time_coefficients=tuple(
                    (start, float(factor)) for start, factor in rules.dr_time_coefficients
                ),
            )
        )
    return tuple(sorted(found, key=lambda one: one.program_id))


def _need_limit(
    shortage: FloatArray, history: ErrorHistory, curtailed: FloatArray | None
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The most that may be bid: the forecast shortage with the worst error of the history, whatever was drawn."""
    worst = history.net_load_mw.max(axis=0, initial=0.0)
    need = np.ceil(np.maximum(shortage + worst, 0.0) - 1e-9).astype(np.int64)
    return need if curtailed is None else np.where(np.nan_to_num(curtailed) > 0, 0, need)


def _provincial_price(
    preclear: FloatArray | None, prices: Series, own: Supply, notes: list[str]
) -> FloatArray:
    """What a surplus MWh is worth: the pre-clearing price, else the mean of the last days known, else 0."""
    if preclear is not None and np.isfinite(preclear).all():
        return preclear
    at_home = {
        key: curves
        for key, curves in prices.items()
        if key[1] == "day_ahead" and key[0] not in own.seller_nodes
    }
    days = sorted({day for curves in at_home.values() for day in curves})[-PRICE_DAYS:]
    curves = [by_day[day] for by_day in at_home.values() for day in days if day in by_day]
    if not curves or not np.isfinite(np.array(curves)).all():
        notes.append("The provincial price is not known; a surplus is worth nothing in this bid.")
        return np.zeros(PERIODS)
    notes.append(
        f"A surplus is valued at the mean provincial day-ahead price of {days[0]} to {days[-1]}, by period; "
        "there is no pre-clearing price."
    )
    return np.asarray(np.maximum(np.mean(curves, axis=0), 0.0))


def _deliveries(
    home: Home, day: date, before: date, as_of: datetime | None
) -> Iterator[dict[str, str | int]]:
    first, after = day - timedelta(days=HISTORY_DAYS), day + timedelta(days=1)
    read = [(table, record_inputs(home, table, as_of=as_of)) for table in RECORDS]
    read += [
        ("atc", curve_inputs(home, "atc", day - timedelta(days=CAPABILITY_DAYS), after, as_of)),
        ("prices", curve_inputs(home, "prices", first, before, as_of)),
        ("system", curve_inputs(home, "system", first, after, as_of)),
    ]
    for table, inputs in read:
        for one in inputs:
            yield {"table": table, "delivery_id": one.delivery_id, "file": one.file_name, "rows": one.rows}
