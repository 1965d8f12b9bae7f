"""The morning bid: forecast, scenarios, optimum, check, bid file, page (architecture §5, §6; ruling 30).

A bid stands under ``reports/bids/<day>/`` as ``bids_<day>_v<N>.csv`` with its record (.json) and its page (.html).
Nothing is overwritten: another bid is the next version, and the same inputs give the version that is there. The
file is written only when the check finds nothing; where the solver finds nothing in time, or what it finds does not
pass, the next rung of ``jobs.bid_ladder`` takes its place and says so.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version as installed_version
from math import isfinite
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from jobs.bid_inputs import BidInputs, BidInputsMissingError, read_inputs
from jobs.bid_ladder import Chosen, Search, climb_down, search_apart
from market.money import yuan
from market.periods import TIME_ZONE
from market.periods import label as clock
from market.profiles import InterprovincialRules, profile
from optimization.bid_check import BidLimits, problems
from optimization.clearing import clear as market_clearing
from optimization.evaluation import Clear, flat_bid, import_by_clearing, imports, outcome
from optimization.forecast import gap_fan
from optimization.procurement import OVERRIDE, YESTERDAY, Solution
from optimization.purchase import Bid, Costs, Outcome, bid_mw, bid_of
from optimization.shadow_prices import Limit, binding_runs
from optimization.solver import HIGHS
from reports.bid_page import KIND_ZH, LABEL_ZH, BidPack, bid_page, repeated_page
from warehouse.home import Home
from warehouse.lock import exclusive

STAGE, ROUND = "day_ahead", 1
COLUMNS = (
    *("node", "date", "stage", "round", "period", "segment"),
    *("mw", "price_cny_per_mwh", "version", "submitted_at"),
)
DAYS_BACK = 7  # how old a bid may be that stands in for a day without data
FAN = (0.1, 0.25, 0.75, 0.9)
FLAT_PRICES = (10_000, 3_000)  # ruling 35
FLAT_ZH = "平报 {price} 元/MWh"


class NoBidYetError(LookupError):
    """No bid of that day has been made."""


@dataclass(frozen=True)
class BidResult:
    """A version of a day's bid. ``made``: False when it stood there already. ``facts`` is the record."""

    day: date
    version: int
    label: str
    file: Path
    record: Path
    page: Path
    made: bool
    facts: dict[str, Any]

    def summary(self, lang: str = "zh") -> Iterator[str]:
        """A few lines for the terminal."""
        facts, costs = self.facts, self.facts["costs"]
        bid = facts["bid"]
        if lang == "en":
            yield f"Bid {self.day} v{self.version}: {self.label}, {bid['segments']} segments, {bid['mwh']} MWh"
            if costs:
                yield f"Expected cost by clearing {costs['total']} 元; worst fifth {facts['cvar_worst_fifth_cny']:,.0f} 元"
            yield from (f"{name}: {cost['total']} 元" for name, cost in facts["comparison"].items())
        else:
            yield f"申报 {self.day} v{self.version}：{LABEL_ZH[self.label]}，{bid['segments']} 段，{bid['mwh']} MWh"
            if costs:
                yield f"期望费用(逐场景出清) {costs['total']} 元；最差五分之一平均 {facts['cvar_worst_fifth_cny']:,.0f} 元"
            yield from (f"{name}：{cost['total']} 元" for name, cost in facts["comparison"].items())
        if facts["reason"]:
            yield facts["reason"]
        yield str(self.file)
        yield str(self.page)


def make_bid(
    home: Home,
    day: date,
    *,
    as_of: datetime | None = None,
    profile_name: str = "IPSPOT_2022_TRIAL",
    provincial_profile: str = "SD_2022",
    scenario_count: int = 6,
    seed: int = 0,
    time_limit: float = 20.0,
    solver: str = HIGHS,
    search: Search = search_apart,
    clear: Clear = market_clearing,
) -> BidResult:
    """Make the day-ahead bid of ``day`` with what was known at its gate, and write it.

    as_of: revisions recorded later are not read; None for all. time_limit: seconds for the solver. search: where
    it runs, by default in a process of its own with a deadline. A day that cannot be read gets the newest bid of
    the week before, as it was. Raises BidInputsMissingError only where there is none; warehouse.lock.HomeBusyError.
    """
    with exclusive(home, f"bid-{day}"):
        try:
            inputs = read_inputs(
                home,
                day,
                as_of=as_of,
                profile_name=profile_name,
                provincial_profile=provincial_profile,
                scenario_count=scenario_count,
                seed=seed,
            )
        except BidInputsMissingError as missing:
            before = _newest_before(home, day)
            if before is None:
                raise
            return _repeat(home, day, before, str(missing), profile_name, provincial_profile)
        basis = {
            "inputs": list(inputs.deliveries),
            "profiles": {name: profile(name).sha256 for name in (profile_name, provincial_profile)},
            "scenario_count": scenario_count,
            "seed": seed,
            "time_limit_s": time_limit,
            "solver_asked": solver,
            "software": installed_version("gridsettle"),
        }
        fingerprint = sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()
        versions = _versions(home, day)
        if versions:
            newest = _read(home, day, versions[-1], made=False)
            if newest.facts["fingerprint"] == fingerprint:
                return newest
        before = _newest_before(home, day)
        chosen = climb_down(
            inputs,
            _limits(home, inputs),
            None if before is None else bid_of_file(before.file),
            search,
            time_limit=time_limit,
            solver=solver,
        )
        return _write(home, inputs, chosen, {**basis, "fingerprint": fingerprint}, clear)


def check_bid(home: Home, file: Path, *, profile_name: str = "IPSPOT_2022_TRIAL") -> list[str]:
    """What is wrong with a bid file, one sentence each; an empty list is a bid that may be handed in.

    The bid is held against the market's format, and against the gap, the transfer capability and yesterday's bid
    as the warehouse knows them. Raises FileNotFoundError where there is no file.
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
        inputs = read_inputs(home, day, profile_name=profile_name)
    except (ValueError, BidInputsMissingError) as unknown:
        return [f"{file.name} cannot be held against the day it is for: {unknown}"]
    return [*_heading(bid, inputs.node), *problems(bid, _limits(home, inputs))]


def versions_of(home: Home, day: date) -> list[BidResult]:
    """Every version of a day's bid, oldest first."""
    return [_read(home, day, number, made=False) for number in _versions(home, day)]


def keep_override(
    home: Home, day: date, bid: Bid, node: str, reason: str, by: str, wrong: Sequence[str]
) -> BidResult:
    """A bid made by hand as the next version. wrong: what the check says about it; kept with the reason."""
    rules = profile("IPSPOT_2022_TRIAL").traded
    with exclusive(home, f"bid-{day}"):
        number = (_versions(home, day) or [0])[-1] + 1
        table = _csv(bid, node, day, number, _gate(day, rules))
        said = f"{by}: {reason}"
        facts = {
            "day": day.isoformat(),
            "node": node,
            "version": number,
            "label": OVERRIDE,
            "reason": said,
            "bid": {
                "segments": len(bid),
                "mwh": f"{bid_mw(bid).sum() / 4:.2f}",
                "sha256": sha256(table).hexdigest(),
            },
            "solver": "none",
            "costs": {},
            "comparison": {},
            "limits": [],
            "notes": [said, *wrong],
            "fingerprint": sha256(table).hexdigest(),
        }
        page = repeated_page(day, number, LABEL_ZH[OVERRIDE], said, bid, facts["bid"]["sha256"])
        return _keep(home, day, number, table, facts, page)


def show_bid(home: Home, day: date) -> Iterator[str]:
    """Why the newest bid of a day looks as it does. Raises NoBidYetError."""
    versions = _versions(home, day)
    if not versions:
        raise NoBidYetError(
            f"There is no bid for {day} in {home.reports / 'bids'}; run `gridsettle bid {day}`."
        )
    shown = _read(home, day, versions[-1], made=False)
    yield from shown.summary()
    bid = pd.read_csv(shown.file)
    for period, rows in bid.groupby("period"):
        steps = "；".join(f"{row.mw} MW @ {row.price_cny_per_mwh}" for row in rows.itertuples())
        yield f"{clock(int(str(period)))}  {steps}"
    for run in binding_runs([Limit(**one) for one in shown.facts["limits"]]):
        first, last = run[0].period, run[-1].period
        when = "全天" if first is None or last is None else f"{clock(first)}–{clock(last)}"
        most = max(one.shadow_price_cny_per_mwh for one in run)
        yield f"{KIND_ZH[run[0].kind]} {run[0].name} {when}：影子价最高 {most:.2f}"
    yield from shown.facts["notes"]


def _newest_before(home: Home, day: date) -> BidResult | None:
    """The newest bid of the days before, at most DAYS_BACK back, that was not itself a repetition."""
    for back in range(1, DAYS_BACK + 1):
        earlier = day - timedelta(days=back)
        versions = _versions(home, earlier)
        if versions:
            found = _read(home, earlier, versions[-1], made=False)
            if found.label != YESTERDAY:
                return found
    return None


def bid_of_file(file: Path) -> Bid:
    """The bid of a file that passed the format check."""
    rows = pd.read_csv(file)
    return bid_of(
        zip(rows["period"].tolist(), rows["mw"].tolist(), rows["price_cny_per_mwh"].tolist(), strict=True)
    )


def _repeat(
    home: Home, day: date, before: BidResult, why: str, profile_name: str, provincial: str
) -> BidResult:
    """The bid of an earlier day for a day of which too little is known to judge one."""
    bid = bid_of_file(before.file)
    reason = f"{why} This bid repeats that of {before.day}."
    basis = {"repeats": f"{before.day} v{before.version}", "because": why}
    fingerprint = sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()
    versions = _versions(home, day)
    if versions:
        newest = _read(home, day, versions[-1], made=False)
        if newest.facts["fingerprint"] == fingerprint:
            return newest
    rules, (settled, _) = profile(profile_name).traded, profile(provincial).settled
    number = (versions or [0])[-1] + 1
    table = _csv(bid, settled.home_node, day, number, _gate(day, rules))
    facts = {
        "day": day.isoformat(),
        "node": settled.home_node,
        "version": number,
        "label": YESTERDAY,
        "reason": reason,
        "bid": {
            "segments": len(bid),
            "mwh": f"{bid_mw(bid).sum() / 4:.2f}",
            "sha256": sha256(table).hexdigest(),
        },
        "solver": "none",
        "costs": {},
        "comparison": {},
        "limits": [],
        "notes": [reason],
        **basis,
        "fingerprint": fingerprint,
    }
    page = repeated_page(day, number, LABEL_ZH[YESTERDAY], reason, bid, facts["bid"]["sha256"])
    return _keep(home, day, number, table, facts, page)


def _limits(home: Home, inputs: BidInputs) -> BidLimits:
    problem, yesterday = inputs.problem, inputs.day - timedelta(days=1)
    versions = _versions(home, yesterday)
    before = None
    if versions:
        rows = pd.read_csv(_file(home, yesterday, versions[-1], "csv"))
        before = np.zeros(96)
        np.add.at(before, rows["period"].to_numpy(dtype=np.int64) - 1, rows["mw"].to_numpy(dtype=float))
    return BidLimits(
        rules=problem.rules,
        gap_mw=problem.scenarios.expected_gap_mw(),
        need_limit_mw=problem.need_limit_mw.astype(np.float64),
        capability_mw=problem.capability_mw,
        curtailed_mw=inputs.curtailed_mw,
        yesterday_mw=before,
    )


def _heading(bid: pd.DataFrame, node: str) -> Iterator[str]:
    for column, wanted in (("node", node), ("stage", STAGE)):
        if column in bid.columns and set(bid[column]) - {wanted}:
            found = ", ".join(sorted(set(bid[column]) - {wanted}))
            yield f"The bid is for {column} {found}; a day-ahead bid of this house is for {wanted}."


def _write(home: Home, inputs: BidInputs, chosen: Chosen, basis: dict[str, Any], clear: Clear) -> BidResult:
    problem, bid, day = inputs.problem, chosen.bid, inputs.day
    number = (_versions(home, day) or [0])[-1] + 1
    table = _csv(bid, inputs.node, day, number, _gate(day, problem.rules))
    cleared = outcome(import_by_clearing(bid, problem, inputs.paths, clear), problem)
    others = {FLAT_ZH.format(price=price): flat_bid(problem, price) for price in FLAT_PRICES} | {"不购电": ()}
    comparison = {name: outcome(imports(other, problem), problem) for name, other in others.items()}
    solution = chosen.solution
    limits = () if solution is None else solution.limits
    digest = sha256(table).hexdigest()
    facts = {
        "day": day.isoformat(),
        "node": inputs.node,
        "version": number,
        "label": chosen.label,
        "reason": chosen.reason,
        "bid": {"segments": len(bid), "mwh": f"{bid_mw(bid).sum() / 4:.2f}", "sha256": digest},
        "objective_cny": None if solution is None else solution.objective_cny,
        "bound_cny": None if solution is None or not isfinite(solution.bound_cny) else solution.bound_cny,
        "relative_gap": _gap(solution),
        "solver": "none" if solution is None else solution.solver,
        "costs": _costs(cleared.expected()),
        "cvar_worst_fifth_cny": round(cleared.cvar_cny(), 2),
        "comparison": {name: _costs(other.expected()) for name, other in comparison.items()},
        "scenarios": _scenarios(inputs, cleared),
        "limits": [asdict(one) for run in binding_runs(limits) for one in run],
        "notes": list(inputs.notes),
        **basis,
    }
    page = bid_page(
        BidPack(
            day=day,
            version=number,
            label=chosen.label,
            reason=chosen.reason,
            file_name=_file(home, day, number, "csv").name,
            sha256=digest,
            gate=f"{problem.rules.gate_closure:%H:%M}",
            problem=problem,
            fan=_fan(inputs),
            bid=bid,
            outcome=cleared,
            comparison=comparison,
            limits=limits,
            relative_gap=_gap(solution),
            solver=facts["solver"],
            notes=inputs.notes,
        )
    )
    return _keep(home, day, number, table, facts, page)


def _keep(home: Home, day: date, number: int, table: bytes, facts: dict[str, Any], page: str) -> BidResult:
    record = json.dumps(facts, ensure_ascii=False, indent=1).encode()
    # The CSV comes last: a version exists when its bid file does.
    for suffix, content in (("html", page.encode()), ("json", record), ("csv", table)):
        _put(_file(home, day, number, suffix), content)
    return _read(home, day, number, made=True)


def _csv(bid: Bid, node: str, day: date, number: int, gate: datetime) -> bytes:
    """The rows of the bids table. A bid counts as submitted when the gate closes: what stands then is what counts."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (
            node,
            day,
            STAGE,
            ROUND,
            one.period,
            one.segment,
            one.mw,
            one.price_cny_per_mwh,
            number,
            gate.isoformat(),
        )
        for one in bid
    )
    return text.getvalue().encode()


def _gate(day: date, rules: InterprovincialRules) -> datetime:
    return datetime.combine(day - timedelta(days=1), rules.gate_closure, ZoneInfo(TIME_ZONE))


def _gap(solution: Solution | None) -> float | None:
    return None if solution is None or not isfinite(solution.bound_cny) else solution.relative_gap


def _costs(costs: Costs) -> dict[str, str]:
    parts = {name.removesuffix("_fen"): str(yuan(fen)) for name, fen in asdict(costs).items()}
    return {**parts, "total": str(costs.total_cny)}


def _scenarios(inputs: BidInputs, cleared: Outcome) -> dict[str, Any]:
    scenarios, history = inputs.problem.scenarios, inputs.history
    return {
        "names": list(scenarios.names),
        "probability": [round(float(share), 9) for share in scenarios.probability],
        "cost_cny": [round(float(cost), 2) for cost in cleared.scenario_cost_cny()],
        "history_days": [day.isoformat() for day in history.days],
        "left_out": {day.isoformat(): why for day, why in history.left_out.items()},
    }


def _fan(inputs: BidInputs) -> dict[float, Any]:
    if not inputs.history.days:
        return {}
    return dict(zip(FAN, gap_fan(inputs.shortage_mw, inputs.history.net_load_mw, FAN), strict=True))


def _folder(home: Home, day: date) -> Path:
    return home.reports / "bids" / day.isoformat()


def _file(home: Home, day: date, number: int, suffix: str) -> Path:
    return _folder(home, day) / f"bids_{day}_v{number}.{suffix}"


def _versions(home: Home, day: date) -> list[int]:
    found = _folder(home, day).glob(f"bids_{day}_v*.csv")
    return sorted(int(path.stem.rpartition("_v")[2]) for path in found)


def _read(home: Home, day: date, number: int, *, made: bool) -> BidResult:
    record = _file(home, day, number, "json")
    facts = json.loads(record.read_text(encoding="utf-8"))
    return BidResult(
        day=day,
        version=number,
        label=facts["label"],
        file=_file(home, day, number, "csv"),
        record=record,
        page=_file(home, day, number, "html"),
        made=made,
        facts=facts,
    )


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
