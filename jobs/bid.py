"""A session's bid: forecast, scenarios, optimum, check, bid file, page (architecture §5, §6; ruling 30).

The bid of the morning and those of the rounds within the day go the same way. Nothing is overwritten: another bid is
the next version, and the same inputs give the version that is there. The file is written only when the check finds
nothing; where the solver finds nothing in time, or what it finds does not pass, the next rung of ``jobs.bid_ladder``
takes its place and says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from hashlib import sha256
from importlib.metadata import version as installed_version
from typing import Any

from jobs.bid_checks import limits_of
from jobs.bid_inputs import BidInputs, read_inputs
from jobs.bid_ladder import Chosen, Search, climb_down, search_apart
from jobs.bid_record import (
    costs_record,
    decided,
    decision_record,
    fan,
    finite,
    plain_record,
    relative_gap,
    scenarios_record,
    sentence,
    to_report,
)
from jobs.bid_session import DAY_AHEAD, Session
from jobs.bid_store import (
    BidResult,
    bid_of_file,
    file_name,
    keep,
    newest,
    newest_before,
    next_number,
    table_of,
)
from market.profiles import profile
from optimization.clearing import clear as market_clearing
from optimization.evaluation import Clear, flat_bid, import_by_clearing, imports, outcome
from optimization.procurement import NOTHING, OVERRIDE, YESTERDAY, NoBidFoundError, Solution
from optimization.purchase import Bid, Procurement
from optimization.shadow_prices import binding_runs
from optimization.solver import HIGHS
from optimization.why import why
from reports.bid_page import BidPack, bid_page, repeated_page
from reports.bid_words import LABEL_ZH
from warehouse.home import Home
from warehouse.lock import exclusive

FLAT_PRICES = (10_000, 3_000)  # ruling 35
FLAT_ZH = "平报 {price} 元/MWh"


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
            why = sentence("The day cannot be read", unread)
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
            limits_of(home, inputs),
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
            **plain_record(day, session, node, number, OVERRIDE, said, bid, table),
            "notes": [said, *wrong],
            "profile": name,
            "fingerprint": sha256(table).hexdigest(),
        }
        page = repeated_page(day, number, LABEL_ZH[OVERRIDE], said, bid, facts["bid"]["sha256"])
        return keep(home, day, session, number, table, facts, page)


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
        **plain_record(day, session, settled.home_node, number, label, reason, bid, table),
        "notes": [reason],
        **basis,
        "profile": profile_name,
        "fingerprint": fingerprint,
    }
    page = repeated_page(day, number, LABEL_ZH[label], reason, bid, facts["bid"]["sha256"])
    return keep(home, day, session, number, table, facts, page)


def _write(home: Home, inputs: BidInputs, chosen: Chosen, basis: dict[str, Any], clear: Clear) -> BidResult:
    """Keep the bid with its record and page; where they cannot be made, with a record and page that say so."""
    session = inputs.session
    number = next_number(home, inputs.day, session)
    gate = session.gate(inputs.day, inputs.problem.rules)
    table = table_of(chosen.bid, inputs.node, inputs.day, session, number, gate)
    plain = plain_record(
        inputs.day, session, inputs.node, number, chosen.label, chosen.reason, chosen.bid, table
    )
    try:
        facts, page = _explained(inputs, chosen, plain, clear)
    except Exception as failed:  # noqa: BLE001 - the bid has passed its check; it must not wait for its explanation
        said = sentence("The bid was checked but could not be explained", failed)
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
    before = decided(inputs, bid)
    facts = {
        **plain,
        "objective_cny": finite(None if solution is None else solution.objective_cny),
        "bound_cny": finite(None if solution is None else solution.bound_cny),
        "relative_gap": relative_gap(solution),
        "solver": "none" if solution is None else solution.solver,
        "costs": costs_record(cleared.expected()),
        "cvar_worst_fifth_cny": round(cleared.cvar_cny(), 2),
        "comparison": {name: costs_record(other.expected()) for name, other in comparison.items()},
        "scenarios": scenarios_record(inputs, cleared),
        "limits": [asdict(one) for run in binding_runs(limits) for one in run],
        "why": why(problem, bid, cleared),
        "decision": [decision_record(one) for one in before],
        "forecasts": [one.record() for one in inputs.outlooks],
        "position": inputs.position.record(),
        "notes": [*inputs.notes, *to_report(before)],
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
            fan=fan(inputs),
            bid=bid,
            outcome=cleared,
            comparison=comparison,
            limits=limits,
            relative_gap=relative_gap(solution),
            solver=facts["solver"],
            notes=facts["notes"],
            decision=before,
            forecasts=facts["forecasts"],
            position=facts["position"],
            session=inputs.session.folder if inputs.session.intraday else "",
        )
    )
    return facts, page
