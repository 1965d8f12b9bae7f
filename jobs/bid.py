"""A session's bid: forecast, scenarios, optimum, check, bid file, page (architecture §5, §6; ruling 30).

The bid of the morning and those of the rounds within the day go the same way. Nothing is overwritten: another bid is the next version, and the same inputs give the version that is there. The
file is written only when the check finds nothing; where the solver finds nothing in time, or what it finds does not
pass, the next rung of ``jobs.bid_ladder`` takes its place and says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from importlib.metadata import version as installed_version
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jobs.bid_inputs import BidInputs, BidInputsMissingError, read_inputs
from jobs.bid_ladder import Chosen, Search, climb_down, search_apart
from jobs.bid_session import DAY_AHEAD, Session
from jobs.bid_store import (
    COLUMNS,
    BidResult,
    NoBidYetError,
    bid_of_file,
    file_name,
    keep,
    newest,
    newest_before,
    next_number,
    table_of,
    versions_of,
)
from market.money import yuan
from market.periods import PERIODS_PER_HOUR
from market.periods import label as clock
from market.profiles import profile
from optimization.bid_check import BidLimits, problems
from optimization.bid_misplaced import misplaced
from optimization.clearing import clear as market_clearing
from optimization.decision import Decision, decisions
from optimization.evaluation import Clear, flat_bid, import_by_clearing, imports, outcome
from optimization.forecast import FloatArray, gap_fan
from optimization.procurement import NOTHING, OVERRIDE, YESTERDAY, NoBidFoundError, Solution
from optimization.purchase import BID_COLUMNS, Bid, Costs, Outcome, Procurement, bid_mw
from optimization.shadow_prices import Limit, binding_runs
from optimization.solver import HIGHS
from optimization.why import why
from reports.bid_page import BidPack, bid_page, repeated_page
from reports.bid_words import KIND_ZH, LABEL_ZH
from warehouse.home import Home
from warehouse.lock import exclusive

FAN = (0.1, 0.25, 0.75, 0.9)
FLAT_PRICES = (10_000, 3_000)  # ruling 35
FLAT_ZH = "平报 {price} 元/MWh"
PART_ZH = {
    "purchase": "购电",
    "response": "需求响应",
    "commitment": "合同与日内调整",
    "shortage": "缺电",
    "surplus": "富余电量",
}
MEANS_ZH = {
    "import": "省间现货",
    "demand_response": "需求响应",
    "commitment": "合同与日内调整",
    "orderly_use": "有序用电",
}


def make_bid(
    home: Home,
    day: date,
    *,
    session: Session = DAY_AHEAD,
    as_of: datetime | None = None,
    profile_name: str = "IPSPOT_2022_TRIAL",
    provincial_profile: str = "SD_2022",
    scenario_count: int = 6,
    seed: int = 0,
    time_limit: float = 20.0,
    solver: str = HIGHS,
    search: Search = search_apart,
    clear: Clear = market_clearing,
    score_own: bool = False,
    stand_by: bool = False,
) -> BidResult:
    """Make the bid of a session of ``day`` with what was known when its window closed, and write it.

    as_of: revisions recorded later are not read; None for all. time_limit: seconds for the solver. search: where
    it runs, by default in a process of its own with a deadline. score_own: judge our own forecasts beside published
    ones. stand_by: only the bid that stands until a better one is approved, made without a search; the newest version
    where there is one. A day that cannot be read gets the newest bid of the week before, as it was; a round that cannot
    be read buys nothing. Raises BidInputsMissingError only where there is none; warehouse.lock.HomeBusyError.
    """
    session.of(profile(profile_name).traded)
    with exclusive(home, _lock(day, session)):
        there = newest(home, day, session)
        if stand_by and there is not None:
            return replace(there, made=False)
        try:
            inputs = read_inputs(
                home,
                day,
                session=session,
                as_of=as_of,
                profile_name=profile_name,
                provincial_profile=provincial_profile,
                scenario_count=scenario_count,
                seed=seed,
                score_own=score_own,
            )
        except Exception as unread:  # whatever it is, the gate closes at its hour
            before = None if session.intraday else newest_before(home, day)
            if before is None and not session.intraday:
                raise
            why = _sentence("The day cannot be read", unread)
            return _repeat(home, day, session, before, why, profile_name, provincial_profile)
        basis = {
            "inputs": list(inputs.deliveries),
            "profiles": {name: profile(name).sha256 for name in (profile_name, provincial_profile)},
            "scenario_count": scenario_count,
            "seed": seed,
            "time_limit_s": time_limit,
            "solver_asked": solver,
            "software": installed_version("gridsettle"),
            **({"stand_by": True} if stand_by else {}),
        }
        fingerprint = sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()
        if there is not None and there.facts["fingerprint"] == fingerprint:
            return replace(there, made=False)
        before = None if session.intraday else newest_before(home, day)
        chosen = climb_down(
            inputs,
            _limits(home, inputs),
            None if before is None else bid_of_file(before.file),
            _not_yet if stand_by else search,
            time_limit=time_limit,
            solver=solver,
        )
        facts = {**basis, "profile": profile_name, "fingerprint": fingerprint}
        return _write(home, inputs, chosen, facts, clear)


def _lock(day: date, session: Session) -> str:
    return session.subject(day).replace(" ", "-")


def _not_yet(problem: Procurement, time_limit: float, solver: str) -> Solution:  # noqa: ARG001 - a Search
    raise NoBidFoundError("The search has not run yet; this bid stands until a better one is approved.")


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
        *problems(bid, _limits(home, inputs)),
        *_misplaced(home, day, inputs.session, bid),
    ]


def _session_of(bid: pd.DataFrame) -> Session:
    """Of the first row; a file without stage and round is a day-ahead bid."""
    if "stage" not in bid.columns:
        return DAY_AHEAD
    return Session(str(bid["stage"].iloc[0]), int(str(bid["round"].iloc[0])) if "round" in bid.columns else 1)


def keep_override(
    home: Home, bid: Bid, replaced: BidResult, reason: str, by: str, wrong: Sequence[str]
) -> BidResult:
    """A bid made by hand as the next version after ``replaced``. wrong: what the check says about it; kept with the
    reason."""
    day, session = replaced.day, replaced.session
    name = replaced.facts.get("profile", "IPSPOT_2022_TRIAL")
    with exclusive(home, _lock(day, session)):
        number = next_number(home, day, session)
        node = replaced.facts["node"]
        table = table_of(bid, node, day, session, number, session.gate(day, profile(name).traded))
        said = f"{by}: {reason}"
        facts = {
            **_plain(day, session, node, number, OVERRIDE, said, bid, table),
            "notes": [said, *wrong],
            "profile": name,
            "fingerprint": sha256(table).hexdigest(),
        }
        page = repeated_page(day, number, LABEL_ZH[OVERRIDE], said, bid, facts["bid"]["sha256"])
        return keep(home, day, session, number, table, facts, page)


def show_bid(home: Home, day: date, session: Session = DAY_AHEAD) -> Iterator[str]:
    """Why the newest bid of a session looks as it does. Raises NoBidYetError."""
    versions = versions_of(home, day, session)
    if not versions:
        raise NoBidYetError(
            f"There is no {session.subject(day)} in {home.reports / 'bids'}; run `gridsettle bid {day}`."
        )
    shown = versions[-1]
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
    yield from _why_lines(shown.facts.get("why", {}))
    yield from shown.facts["notes"]


def _why_lines(found: dict[str, Any]) -> Iterator[str]:
    """Parts of the cost, the merit order where the gap is largest, and what a MW more would cost by period."""
    for part in found.get("parts", []):
        if Decimal(part["cny"]):
            yield f"{PART_ZH[part['component']]} {part['name']}：{Decimal(part['cny']):,} 元"
    order = found.get("merit_order", {"means": []})
    for one in order["means"]:
        mw = "" if one["mw"] is None else f"，{one['mw']:,.0f} MW"
        yield f"{order['time']} {MEANS_ZH[one['kind']]} {one['name']}：{one['cny_per_mwh']:,.2f} 元/MWh{mw}"
    for one in found.get("periods", []):
        best = one["next_best"]
        yield f"{one['time']} 再增 1 MW：{MEANS_ZH[best['kind']]} {best['name']} {best['cny_per_mwh']:,.2f} 元/MWh"


def _repeat(
    home: Home,
    day: date,
    session: Session,
    before: BidResult | None,
    why: str,
    profile_name: str,
    provincial: str,
) -> BidResult:
    """For a session of which too little is known to judge a bid: the bid of an earlier day, or none at all."""
    if before is None:
        bid: Bid = ()
        label, reason, basis = NOTHING, f"{why} Nothing is bought in this round.", {"because": why}
    else:
        bid, label, reason = (
            bid_of_file(before.file),
            YESTERDAY,
            f"{why} This bid repeats that of {before.day}.",
        )
        basis = {"repeats": f"{before.day} v{before.version}", "because": why}
    fingerprint = sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()
    there = newest(home, day, session)
    if there is not None and there.facts["fingerprint"] == fingerprint:
        return there
    rules, (settled, _) = profile(profile_name).traded, profile(provincial).settled
    number = next_number(home, day, session)
    table = table_of(bid, settled.home_node, day, session, number, session.gate(day, rules))
    facts = {
        **_plain(day, session, settled.home_node, number, label, reason, bid, table),
        "notes": [reason],
        **basis,
        "profile": profile_name,
        "fingerprint": fingerprint,
    }
    page = repeated_page(day, number, LABEL_ZH[label], reason, bid, facts["bid"]["sha256"])
    return keep(home, day, session, number, table, facts, page)


def _plain(
    day: date,
    session: Session,
    node: str,
    number: int,
    label: str,
    reason: str | None,
    bid: Bid,
    table: bytes,
) -> dict[str, Any]:
    """The record of a bid that was not judged."""
    return {
        "day": day.isoformat(),
        "stage": session.stage,
        "round": session.round,
        "node": node,
        "version": number,
        "label": label,
        "reason": reason,
        "bid": {
            "segments": len(bid),
            "mwh": f"{bid_mw(bid).sum() / PERIODS_PER_HOUR:.2f}",
            "sha256": sha256(table).hexdigest(),
        },
        "solver": "none",
        "costs": {},
        "comparison": {},
        "limits": [],
        "decision": [],
        "forecasts": [],
        "notes": [],
    }


def _sentence(what: str, error: Exception) -> str:
    """Our own errors are sentences; any other gets one, with its kind."""
    if isinstance(error, BidInputsMissingError):
        return str(error)
    return f"{what} ({type(error).__name__}: {error})."


def _limits(home: Home, inputs: BidInputs) -> BidLimits:
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


def _write(home: Home, inputs: BidInputs, chosen: Chosen, basis: dict[str, Any], clear: Clear) -> BidResult:
    """Keep the bid with its record and page; where they cannot be made, with a record and page that say so."""
    session = inputs.session
    number = next_number(home, inputs.day, session)
    gate = session.gate(inputs.day, inputs.problem.rules)
    table = table_of(chosen.bid, inputs.node, inputs.day, session, number, gate)
    plain = _plain(inputs.day, session, inputs.node, number, chosen.label, chosen.reason, chosen.bid, table)
    try:
        facts, page = _explained(inputs, chosen, plain, clear)
    except Exception as failed:  # noqa: BLE001 - the bid has passed its check; it must not wait for its explanation
        said = _sentence("The bid was checked but could not be explained", failed)
        facts = {**plain, "notes": [said, *inputs.notes]}
        page = repeated_page(
            inputs.day, number, LABEL_ZH[chosen.label], said, chosen.bid, plain["bid"]["sha256"]
        )
    return keep(home, inputs.day, session, number, table, {**facts, **basis}, page)


def _explained(
    inputs: BidInputs, chosen: Chosen, plain: dict[str, Any], clear: Clear
) -> tuple[dict[str, Any], str]:
    """Record and page: what the bid costs when cleared, what others would, which limits bind."""
    problem, bid, solution = inputs.problem, chosen.bid, chosen.solution
    cleared = outcome(import_by_clearing(bid, problem, inputs.paths, clear), problem)
    others = {FLAT_ZH.format(price=price): flat_bid(problem, price) for price in FLAT_PRICES} | {"不购电": ()}
    comparison = {name: outcome(imports(other, problem), problem) for name, other in others.items()}
    limits = () if solution is None else solution.limits
    before = _before(inputs, bid)
    facts = {
        **plain,
        "objective_cny": _finite(None if solution is None else solution.objective_cny),
        "bound_cny": _finite(None if solution is None else solution.bound_cny),
        "relative_gap": _gap(solution),
        "solver": "none" if solution is None else solution.solver,
        "costs": _costs(cleared.expected()),
        "cvar_worst_fifth_cny": round(cleared.cvar_cny(), 2),
        "comparison": {name: _costs(other.expected()) for name, other in comparison.items()},
        "scenarios": _scenarios(inputs, cleared),
        "limits": [asdict(one) for run in binding_runs(limits) for one in run],
        "why": why(problem, bid, cleared),
        "decision": [_decision(one) for one in before],
        "forecasts": [one.record() for one in inputs.outlooks],
        "position": inputs.position.record(),
        "notes": [*inputs.notes, *_reported(before)],
    }
    page = bid_page(
        BidPack(
            day=inputs.day,
            version=plain["version"],
            label=chosen.label,
            reason=chosen.reason,
            file_name=file_name(inputs.day, inputs.session, plain["version"], "csv"),
            sha256=plain["bid"]["sha256"],
            gate=f"{inputs.session.gate(inputs.day, problem.rules):%m-%d %H:%M}",
            problem=problem,
            fan=_fan(inputs),
            bid=bid,
            outcome=cleared,
            comparison=comparison,
            limits=limits,
            relative_gap=_gap(solution),
            solver=facts["solver"],
            notes=facts["notes"],
            decision=before,
            forecasts=facts["forecasts"],
            position=facts["position"],
            session=inputs.session.folder if inputs.session.intraday else "",
        )
    )
    return facts, page


def _before(inputs: BidInputs, bid: Bid) -> tuple[Decision, ...]:
    """Whether to buy, period by period, and up to which price."""
    return decisions(
        inputs.problem,
        bid,
        inputs.shortage_mw,
        inputs.history.net_load_mw,
        inputs.curtailed_mw,
        inputs.day,
        inputs.session.open(inputs.problem.rules),
    )


def _decision(one: Decision) -> dict[str, Any]:
    rounded = {k: round(value, 6) if isinstance(value, float) else value for k, value in asdict(one).items()}
    return {**rounded, "reason": one.reason.value}


def _reported(before: Sequence[Decision]) -> Iterator[str]:
    above = [one for one in before if one.above_ceiling]
    if above:
        yield (
            f"In {len(above)} periods ({clock(above[0].period)} and others) a segment stands above the price ceiling; report "
            "it before bidding (SX15 §10)."
        )


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


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
