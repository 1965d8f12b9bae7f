"""月结: settle a month from the warehouse into an immutable run (architecture §2; rulings 13-14)."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from uuid import UUID

from jobs import access, actor, posted
from jobs.basis import LINES, Basis, past_basis
from jobs.collection import put_off_collection
from jobs.consumer_bills import CONSUMER_CURVES
from jobs.demand_response import EVENT_TABLES, LOOK_BACK, session_inputs
from jobs.month_calculation import MONTH_RECORDS
from jobs.month_files import compute_run
from jobs.month_inputs import MONTH_CURVES
from jobs.month_readings import reading_inputs
from jobs.progress import Progress, silent
from jobs.reclear import SESSION_CURVES, SESSION_RECORDS
from jobs.roster import dated_in
from market.periods import Month
from market.profiles import RuleProfile, profile
from warehouse import run_tables, runs
from warehouse.curves import curve_inputs
from warehouse.deliveries import newest_recorded_at
from warehouse.difference_tables import DIFFERENCES
from warehouse.home import Home
from warehouse.lock import SETTLEMENT, exclusive
from warehouse.records import read_records, table_inputs
from warehouse.rule_files import keep_rules

KINDS = ("draft", "final")
LOCK = SETTLEMENT


class NothingToSettleError(ValueError):
    """No meter readings of the month are in the warehouse."""


@dataclass(frozen=True)
class MonthRun:
    """The run and whether it was computed now or existed; ``differences`` is filled by ``force``.

    checked: the cities whose readings were checked for a new run; those of the others were taken over.
    """

    run: runs.Run
    computed: bool
    differences: tuple[str, ...] = ()
    checked: tuple[str, ...] | None = None


def settle(
    home: Home,
    month: Month,
    *,
    kind: str = "draft",
    profile_name: str | RuleProfile = "SD_2022",
    as_of: datetime | None = None,
    force: bool = False,
    wait_seconds: float = 600,
    progress: Progress = silent,
) -> MonthRun:
    """Settle a month; the same inputs, rules and software give the run that already exists.

    force: compute again in a temporary folder and compare byte by byte with the existing run.
    Raises NothingToSettleError, warehouse.lock's refusal after ``wait_seconds``, LedgerNotBalancedError,
    NotAllowedError where the actor may not prepare a run.
    """
    if kind not in KINDS:
        raise ValueError(
            f"{kind!r} is not a kind of run that settles a month; choose one of {', '.join(KINDS)}. A month that is "
            "final is corrected by `gridsettle run correct`."
        )
    rules = profile_name if isinstance(profile_name, RuleProfile) else profile(profile_name)
    as_of = as_of or newest_recorded_at(home)
    who = actor.current(home)
    access.require(who, access.Act.SETTLE)
    with ExitStack() as stack:
        stack.enter_context(exclusive(home, LOCK, timeout=wait_seconds))
        stack.enter_context(put_off_collection())
        billed = posted.billed_draft(home, str(month), rules.settled[0]) if kind == "final" else None
        basis = Basis(
            home,
            month,
            rules,
            as_of,
            _month_before(home, month),
            posted.posted_into(home, str(month)),
            posted.waiting_for(home, str(month)),
            billed,
            kind=kind,
        )
        identify = partial(_identity, basis, basis_inputs(basis))
        newest = runs.latest_run(home, kind, str(month))
        compute = partial(compute_run, basis, progress)
        if newest is not None and identify(newest.previous, _target(newest)).run_id == UUID(newest.run_id):
            differences = runs.verify(newest)
            if force:
                again = Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix="gridsettle-", dir=home.root))
                )
                differences += runs.recompute(again, newest, compute)
            return MonthRun(newest, computed=force, differences=tuple(differences))
        previous = newest or earlier_version(home, kind, str(month))
        into = None if billed is None else posted.open_after(home, month)
        identity = identify(None if previous is None else previous.run_id, into)
        if kind == "final":
            _refuse_corrected(home, month)
        keep_rules(home, rules)
        left = runs.orphan(home, identity.run_id)
        if left is not None:
            return MonthRun(runs.register(home, left, who.signature), computed=False)
        number = 1 if newest is None else newest.version + 1
        checked: list[tuple[str, ...] | None] = []
        compute = partial(compute_run, basis, progress, checked=checked)
        run = runs.write_run(home, identity, number, as_of, compute, who.signature)
        return MonthRun(run, computed=True, checked=checked[-1])


def earlier_version(home: Home, kind: str, month: str) -> runs.Run | None:
    """What a first final version is compared with: the month's newest draft."""
    return runs.latest_run(home, "draft", month) if kind == "final" else None


def basis_inputs(basis: Basis) -> tuple[runs.InputFile, ...]:
    """Every file that the month rests on: what was delivered and what other runs hand over, by hash (ruling 13)."""
    return (
        *month_inputs(basis.home, basis.month, basis.as_of, basis.rules, basis.kind),
        *_carried_from(basis.before),
        *(runs.output_as_input(run, DIFFERENCES) for run in basis.corrections),
        *(
            runs.output_as_input(run, name)
            for run in _given(basis.billed)
            for name in (LINES, run_tables.ACCOUNTS)
        ),
    )


def month_inputs(
    home: Home, month: Month, as_of: datetime | None, rules_used: RuleProfile, kind: str = "draft"
) -> tuple[runs.InputFile, ...]:
    """The delivered files that the month rests on, by hash (ruling 13)."""
    days = _event_days(home, month, as_of)
    history = min((day - LOOK_BACK for day in days), default=month.first)
    delivered = [
        *table_inputs(home, (*MONTH_RECORDS, *EVENT_TABLES), as_of=as_of),
        *table_inputs(home, SESSION_RECORDS, as_of=as_of, first=month.first, after=month.after),
        *(
            entry
            for table in (*MONTH_CURVES, *SESSION_CURVES, *CONSUMER_CURVES)
            if table != "meter_readings"
            for entry in curve_inputs(home, table, month.first, month.after, as_of=as_of)
        ),
        *reading_inputs(home, month, rules_used, kind, as_of, history),
        *session_inputs(
            home,
            days,
            rules_used.settled[0],
            as_of,
            rota=not read_records(home, "rota", as_of=as_of).empty,
        ),
    ]
    if not any(curve_inputs(home, "meter_readings", month.first, month.after, as_of=as_of)):
        raise NothingToSettleError(
            f"There are no meter readings of {month} in the warehouse; run `gridsettle ingest` on the month's files."
        )
    return tuple(sorted({runs.InputFile(f"{sha[:16]}/{name}", sha, rows) for sha, name, rows in delivered}))


def _event_days(home: Home, month: Month, as_of: datetime | None) -> list[date]:
    return list(dated_in(read_records(home, "dr_events", as_of=as_of), month)["date"])


def _identity(
    basis: Basis, inputs: tuple[runs.InputFile, ...], previous: str | None, into: str | None
) -> runs.RunIdentity:
    return runs.RunIdentity(
        basis.kind,
        str(basis.month),
        basis.rules.name,
        basis.rules.sha256,
        inputs,
        previous,
        installed_version("gridsettle"),
        posted_into=into,
        waiting=tuple(run.run_id for run in basis.waiting),
    )


def _target(run: runs.Run) -> str | None:
    """The month that takes a run's difference, None for one that hands nothing over."""
    into: str | None = run.manifest.get("posted_into")
    return into


def _refuse_corrected(home: Home, month: Month) -> None:
    """A correction that is approved is posted; one that waits is compared with the final run that is there."""
    made = posted.standing_corrections(home, str(month))
    if made:
        raise ValueError(
            f"{month} was corrected already by {made[-1].alias}; correct it again with `gridsettle run correct` "
            "instead of settling it as final once more, or reject that correction first if it is not approved."
        )


def _given(run: runs.Run | None) -> tuple[runs.Run, ...]:
    return () if run is None else (run,)


def _month_before(home: Home, month: Month) -> runs.Run | None:
    """The run that the month's accounts carry forward from: the final one of the month before, else its draft."""
    before = str(Month.of(month.first - timedelta(days=1)))
    final = runs.latest_run(home, "final", before)
    if final is None:
        return runs.latest_run(home, "draft", before)
    return past_basis(home, final).billed or final  # the books go on from what was billed


def _carried_from(before: runs.Run | None) -> tuple[runs.InputFile, ...]:
    """The closing balances are an input like any other, and part of the run's identity (ruling 13)."""
    if before is None:
        return ()
    return tuple(
        runs.InputFile(f"runs/{before.run_id}/{entry['path']}", entry["sha256"], entry["rows"])
        for entry in before.manifest["outputs"]
        if entry["path"] in (run_tables.ACCOUNTS, run_tables.GREEN_CERTIFICATES)
    )
