"""Reads what is known before the window of a session closes, as the problem of the bid.

Known of the delivery day itself: its forecasts and its transfer capability; before a round within the day also what
was bought and called. Known of the past: actual load, prices and their forecasts up to the day before the morning,
which is still running. Nothing else is read, so a replay sees what the desk saw. A series without a published
forecast gets our own (``jobs.bid_forecasts``); what is no forecast (reserve, available plants, contracts) is never made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from jobs.bid_forecasts import LOAD, PROVINCIAL_PRICE, SELLER_PRICE, SIGN, SOLAR, WIND, Outlook, outlook
from jobs.bid_market import CAPABILITY_DAYS, capability, demand_response, paths_to
from jobs.bid_position import NONE, Position, position
from jobs.bid_reading import BidInputsMissingError, Known, Series, read_curves, read_system
from jobs.bid_session import DAY_AHEAD, DAY_AHEAD_STAGE, INTRADAY_STAGE, Session
from jobs.bid_terms import INTRADAY, INTRADAY_MW, INTRADAY_PRICE, contract_bands, import_room, intraday
from market.periods import PERIODS
from market.profiles import profile
from optimization import scenarios as draw_scenarios
from optimization.forecast import ErrorHistory, FloatArray, PreBalance, error_history
from optimization.forecast_models import LAG, PUBLISHED
from optimization.purchase import Procurement
from optimization.scenarios import Scenarios
from optimization.supply import supply
from warehouse.curves import curve_inputs
from warehouse.home import Home
from warehouse.records import record_inputs

HISTORY_DAYS = 60
DECLARED = ("reserve", "thermal_available", "tie_line_mlt")  # of the pre-balance, never forecast
SELLER_FORECAST = "seller_price_forecast"
PRECLEAR, CURTAILMENT = "preclear_price", "renewable_curtailment"
KNOWN_BEFORE_THE_GATE = (
    *(f"{name}_forecast" for name in SIGN),
    *DECLARED,
    SELLER_FORECAST,
    PRECLEAR,
    CURTAILMENT,
    f"{INTRADAY_PRICE}_forecast",
    INTRADAY_MW,
)
ACTUAL = (*SIGN, INTRADAY_PRICE)  # of the home node, as <name>_actual
RECORDS = ("sections", "paths", "dr_programs", "dr_enrolments", "import_limits", "contract_bands")
OF_A_BAND = ("contracts", "participants")
OF_THE_DAY = ("trades", "dr_events", "dr_awards", "dr_cancellations")  # read before a round


@dataclass(frozen=True)
class BidInputs:
    """The problem of a session and where it comes from.

    shortage_mw: (96,) forecast of the pre-balance less what the position covers, signed. paths: rows as for clear().
    outlooks: what was expected of each series, and how good it was. notes: what the reader of the bid must know, one
    sentence each. deliveries: the files read.
    """

    day: date
    session: Session
    node: str
    balance: PreBalance
    shortage_mw: FloatArray
    history: ErrorHistory
    problem: Procurement
    curtailed_mw: FloatArray | None
    paths: pd.DataFrame
    position: Position
    outlooks: tuple[Outlook, ...]
    notes: tuple[str, ...]
    deliveries: tuple[dict[str, str | int], ...]


@dataclass(frozen=True)
class _Past:
    """What came, by series and day; ``series`` are the published forecasts, of the day too."""

    day: date
    lag: int
    score_own: bool
    series: Series
    actual: Mapping[tuple[str, str], Mapping[date, FloatArray]]

    def outlook(self, name: str, node: str, published: str) -> Outlook | None:
        return outlook(
            name,
            node,
            self.day,
            self.series.get((published, node), {}),
            self.actual.get((name, node), {}),
            lag=self.lag,
            score_own=self.score_own,
        )


def read_inputs(
    home: Home,
    day: date,
    *,
    session: Session = DAY_AHEAD,
    as_of: datetime | None = None,
    known: Known | None = None,
    profile_name: str = "IPSPOT_2022_TRIAL",
    provincial_profile: str = "SD_2022",
    scenario_count: int = 6,
    seed: int = 0,
    score_own: bool = False,
    limits_only: bool = False,
) -> BidInputs:
    """Everything for a session's bid as known at ``as_of``, or as ``known`` says.

    score_own: judge our own forecasts beside published ones (some seconds). limits_only: what a check needs, without
    the worth of a surplus. Raises BidInputsMissingError naming the
    table, series and day that is not there, ValueError for a round the profile does not have.
    """
    known = known or Known(as_of=as_of)
    rules = profile(profile_name).traded
    provincial, _ = profile(provincial_profile).settled
    node, session, notes = provincial.home_node, session.of(rules), list[str]()
    lag = LAG - 1 if session.intraday else LAG  # within the day, the day before is over
    past = _past(home, day, node, known, lag, score_own)

    power = {name: past.outlook(name, node, f"{name}_forecast") for name in SIGN}
    balance = _balance(past, power, node)
    paths = paths_to(home, node, day, known)
    gate = session.gate(day, rules)
    held = position(home, day, session, gate, paths, known, notes) if session.intraday else NONE
    atc = _capability(home, set(paths["section_id"]), day, known, held, session, notes)
    own = supply(paths, atc, node)
    prices = {seller: past.outlook(SELLER_PRICE, seller, SELLER_FORECAST) for seller in own.seller_nodes}
    expected = [one for one in prices.values() if one is not None]
    if not expected:
        raise BidInputsMissingError(
            f"No seller node ({', '.join(own.seller_nodes)}) has a {SELLER_FORECAST} for {day} or prices to make one from; "
            "ingest the system table."
        )
    notes += [
        f"{seller} has no complete price forecast for {day}; its paths are not bid for."
        for seller, found in prices.items()
        if found is None
    ]
    provincial_outlook = None if limits_only else past.outlook(PROVINCIAL_PRICE, node, PRECLEAR)
    later = (
        None
        if session.intraday or limits_only
        else past.outlook(INTRADAY_PRICE, node, f"{INTRADAY_PRICE}_forecast")
    )
    outlooks = [one for one in (*power.values(), *expected, later, provincial_outlook) if one is not None]
    notes += [_said(one, day) for one in outlooks if one.made.model != PUBLISHED]
    history = _errors(past, power, expected, later, node, notes)
    shortage = balance.shortage_mw() - held.bought_mw - held.called_mw
    joined = later if later is not None and INTRADAY in history.seller_nodes else None
    carried = own.carried_by_node()[[own.seller_nodes.index(one.node) for one in expected]]
    everything = draw_scenarios.draw(
        shortage,
        np.array([one.curve for one in (*expected, joined) if one is not None]),
        history,
        count=scenario_count,
        seed=seed,
        floor=float(rules.floor_cny_per_mwh),
        cap=float(rules.cap_cny_per_mwh),
        carried_mw=carried if joined is None else np.vstack([carried, np.zeros(PERIODS)]),
    )
    drawn = everything.at_nodes(own.seller_nodes)
    later_prices = (
        None if later is None else later.curve if joined is None else everything.seller_price[:, -1]
    )
    terms = () if limits_only else contract_bands(home, day, known, notes)
    if not session.intraday and not limits_only:
        terms += intraday(later_prices, past.series, node, day, notes)
    curtailed = past.series.get((CURTAILMENT, node), {}).get(day)
    called = demand_response(home, day, known, session, rules.intraday_close_minutes, provincial)
    problem = Procurement(
        supply=own,
        scenarios=_only_open(drawn, session.open(rules)),
        demand_response=tuple(
            replace(one, capability_mw=max(0.0, one.capability_mw - held.called_of(one.program_id)))
            for one in called
        ),
        need_limit_mw=np.where(session.open(rules), _need_limit(shortage, history, curtailed), 0),
        provincial_price=_worth(provincial_outlook, notes),
        value_of_lost_load=float(provincial.value_of_lost_load_cny_per_mwh),
        rules=rules,
        commitments=terms,
        import_limit_mw=import_room(home, node, day, known, balance.tie_line_mlt + held.bought_mw, notes),
    )
    return BidInputs(
        day=day,
        session=session,
        node=node,
        balance=balance,
        shortage_mw=shortage,
        history=history,
        problem=problem,
        curtailed_mw=curtailed,
        paths=paths,
        position=held,
        outlooks=tuple(outlooks),
        notes=tuple(notes),
        deliveries=tuple(_deliveries(home, day, lag, known, session)),
    )


def _past(home: Home, day: date, node: str, known: Known, lag: int, score_own: bool) -> _Past:
    first, before = day - timedelta(days=HISTORY_DAYS), day - timedelta(days=lag - 1)
    read = read_system(
        home,
        first,
        day + timedelta(days=1),
        (*KNOWN_BEFORE_THE_GATE, *(f"{n}_actual" for n in ACTUAL)),
        known,
    )
    prices = read_curves(home, "prices", first, before, ("node", "stage"), known)
    sellers = set(paths_to(home, node, day, known)["seller_node"])
    actual: dict[tuple[str, str], Mapping[date, FloatArray]] = {
        (name, node): {d: c for d, c in read.get((f"{name}_actual", node), {}).items() if d < before}
        for name in ACTUAL
    }
    actual |= {(SELLER_PRICE, one): prices.get((one, DAY_AHEAD_STAGE), {}) for one in sellers}
    actual[PROVINCIAL_PRICE, node] = provincial_prices(prices, sellers)
    return _Past(
        day, lag, score_own, {key: curves for key, curves in read.items() if "_actual" not in key[0]}, actual
    )


def provincial_prices(prices: Series, sellers: set[str]) -> dict[date, FloatArray]:
    """Mean day-ahead price of the home nodes by day, where all that are published are complete."""
    at_home = [
        curves for (node, stage), curves in prices.items() if stage == DAY_AHEAD_STAGE and node not in sellers
    ]
    days = sorted({d for curves in at_home for d in curves})
    means = {d: np.mean([curves[d] for curves in at_home if d in curves], axis=0) for d in days}
    return {d: np.asarray(mean) for d, mean in means.items() if np.isfinite(mean).all()}


def _balance(past: _Past, power: Mapping[str, Outlook | None], node: str) -> PreBalance:
    declared = {name: past.series.get((name, node), {}).get(past.day) for name in DECLARED}
    absent = [f"{name}_forecast" for name, one in power.items() if one is None]
    absent += [n for n, curve in declared.items() if curve is None or not np.isfinite(curve).all()]
    if absent:
        raise BidInputsMissingError(
            f"The pre-balance of {node} on {past.day} lacks {', '.join(absent)} in full; ingest the system table of that day."
        )
    load, wind, solar = (power[name].curve for name in (LOAD, WIND, SOLAR))  # type: ignore[union-attr]
    reserve, thermal, tie_line = (declared[name] for name in DECLARED)
    return PreBalance(load, reserve, wind, solar, thermal, tie_line)  # type: ignore[arg-type]


def _said(one: Outlook, day: date) -> str:
    """A series nobody published a forecast of."""
    scored = one.scores.get(one.made.model)
    how = f"; its mean error over {scored.days} mornings was {scored.mean_error:.1f}" if scored else ""
    return f"There is no published forecast of {one.series} at {one.node} for {day}; ours is used ({one.made.model}{how})."


def _errors(
    past: _Past,
    power: Mapping[str, Outlook | None],
    expected: list[Outlook],
    later: Outlook | None,
    node: str,
    notes: list[str],
) -> ErrorHistory:
    """Errors of whole past days, of load less wind less sun and of every price; what has no actual counts as forecast.

    later: the price within the day; its error joins as that of a node INTRADAY where every past day has one.
    """
    pairs = {name: one.pairs(past.actual[name, node]) for name, one in power.items() if one is not None}
    absent = [name for name in (WIND, SOLAR) if not pairs[name]]
    if absent:
        notes.append(
            f"There is no {' and no '.join(f'{name}_actual' for name in absent)}; its error is not in the scenarios."
        )
    sides = [name for name in SIGN if name not in absent]
    days = set.intersection(*(set(pairs[name]) for name in sides))
    net = {
        d: (
            np.asarray(sum(SIGN[name] * pairs[name][d][0] for name in sides)),
            np.asarray(sum(SIGN[name] * pairs[name][d][1] for name in sides)),
        )
        for d in days
    }
    prices = {one.node: one.pairs(past.actual[SELLER_PRICE, one.node]) for one in expected}
    nodes = [one.node for one in expected]
    history = error_history(net, prices, nodes)
    if later is not None and history.days:
        pairs = later.pairs(past.actual[INTRADAY_PRICE, node])
        joined = error_history(net, prices | {INTRADAY: pairs}, [*nodes, INTRADAY])
        if joined.days == history.days:
            return joined
        notes.append(
            "The price within the day did not come on every past day; its error is not in the scenarios."
        )
    if not history.days:
        notes.append(
            "There is no past day with load, prices and their forecasts; the forecast is the only scenario."
        )
    return history


def _capability(
    home: Home,
    sections: set[str],
    day: date,
    known: Known,
    held: Position,
    session: Session,
    notes: list[str],
) -> pd.DataFrame:
    """Day-ahead what is published; within the day what is published for it, else what the earlier trades left."""
    if session.intraday:
        published = read_curves(home, "atc", day, day + timedelta(days=1), ("section_id", "stage"), known)
        if any(stage == INTRADAY_STAGE and section in sections for section, stage in published):
            return capability(home, sections, day, known, notes, INTRADAY_STAGE)
        notes.append(
            f"There is no intraday transfer capability of {day}; the day-ahead one less what was bought is used."
        )
    rows = capability(home, sections, day, known, notes)
    none = np.zeros(PERIODS)
    used = [held.used_mw.get(s, none)[t - 1] for s, t in zip(rows["section_id"], rows["period"], strict=True)]
    return rows.assign(mw=np.maximum(rows["mw"] - np.array(used), 0.0))


def _only_open(drawn: Scenarios, open_periods: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Scenarios:
    """A round decides nothing outside its periods."""
    return replace(drawn, gap_mw=np.where(open_periods, drawn.gap_mw, 0.0))


def _need_limit(
    shortage: FloatArray, history: ErrorHistory, curtailed: FloatArray | None
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The most that may be bid: the forecast shortage with the worst error of the history, whatever was drawn."""
    worst = history.net_load_mw.max(axis=0, initial=0.0)
    need = np.ceil(np.maximum(shortage + worst, 0.0) - 1e-9).astype(np.int64)
    return need if curtailed is None else np.where(np.nan_to_num(curtailed) > 0, 0, need)


def _worth(provincial: Outlook | None, notes: list[str]) -> FloatArray:
    """What a surplus MWh is worth: the expected provincial price, never less than nothing; 0 where nothing is known."""
    if provincial is None:
        notes.append("The provincial price is not known; a surplus is worth nothing in this bid.")
        return np.zeros(PERIODS)
    return np.asarray(np.maximum(provincial.curve, 0.0))


def _deliveries(
    home: Home, day: date, lag: int, known: Known, session: Session
) -> Iterator[dict[str, str | int]]:
    first, after = day - timedelta(days=HISTORY_DAYS), day + timedelta(days=1)
    before = day - timedelta(days=lag - 1)

    def curves(table: str, start: date, end: date) -> list[object]:
        return list(curve_inputs(home, table, start, end, known.as_of, delivered=known.delivered))

    tables = (*RECORDS, *(OF_THE_DAY if session.intraday else ()))

    def of_records(table: str) -> list[object]:
        return list(record_inputs(home, table, as_of=known.as_of, delivered=known.delivered))

    read = [(table, of_records(table)) for table in tables]
    if dict(read)["contract_bands"]:
        read += [(table, of_records(table)) for table in OF_A_BAND]
        read += [("contract_curves", curves("contract_curves", day, after))]
    read += [
        ("atc", curves("atc", day - timedelta(days=CAPABILITY_DAYS), after)),
        ("prices", curves("prices", first, before)),
        ("system", curves("system", first, after)),
    ]
    for table, inputs in read:
        for one in inputs:
            yield {"table": table, "delivery_id": one.delivery_id, "file": one.file_name, "rows": one.rows}
