"""追退补: recompute a final month with what came since; once approved, only the difference is posted.

The past run stays as it is. The correction is a run of its own, a full recalculation with the rules of the time;
``differences.parquet`` is what the current month takes over as its lines ``resettlement`` (market.md B.11).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from uuid import UUID

from jobs import access, actor, posted
from jobs.basis import Basis, past_basis
from jobs.month_files import compute_run, write_differences
from jobs.progress import Progress, silent
from jobs.settle_month import LOCK, MonthRun, basis_inputs
from market.periods import Month
from market.profiles import RuleProfile, profile
from settlement.run_life import Deed, State
from warehouse import runs
from warehouse.deliveries import newest_recorded_at
from warehouse.difference_tables import (
    DIFFERENCES,
)
from warehouse.home import Home
from warehouse.lock import exclusive
from warehouse.rule_files import keep_rules
from warehouse.run_log import run_standing

KIND = "correction"


class NotCorrectedError(ValueError):
    """The month cannot be corrected; the sentence says why and what would be right."""


def correct(
    home: Home,
    month: Month,
    *,
    into: Month | None = None,
    profile_name: str | RuleProfile | None = None,
    as_of: datetime | None = None,
    wait_seconds: float = 600,
    progress: Progress = silent,
) -> MonthRun:
    """Correct a final month; the same inputs, rules and month of posting give the correction that exists.

    into: the current month, by default the one after the newest final month. profile_name: other rules than those
    the month was settled by. Raises NotCorrectedError for a month that is not final, is outside the look-back of its
    rules, is posted into a month that is final, or has nothing new; NotAllowedError where the actor may not prepare.
    """
    who = actor.current(home)
    access.require(who, access.Act.SETTLE)
    with ExitStack() as stack:
        stack.enter_context(exclusive(home, LOCK, timeout=wait_seconds))
        original = posted.settled_final(home, str(month))
        if original is None:
            raise NotCorrectedError(
                f"{month} has no final run, so there is nothing to correct; settle it again as draft or final and what "
                "is new is in it."
            )
        posted.refuse_unposted_final(home, original)
        target = into or current_month(home)
        newest = runs.latest_run(home, KIND, str(month))
        previous = posted.last_posted(home, str(month)) or original
        rules = _rules(home, previous, profile_name)
        _check_window(home, month, target, rules)
        as_of = as_of or newest_recorded_at(home)
        identity = _identity(home, previous.run_id, month, target, rules, as_of)
        if newest is not None:
            same_base = newest.previous == previous.run_id
            again = identity if same_base else _identity(home, newest.previous, month, target, rules, as_of)
            if str(again.run_id) == newest.run_id:
                _refuse_rejected(home, newest)
                return MonthRun(newest, computed=False, differences=tuple(runs.verify(newest)))
        _check_something_new(identity, previous)
        keep_rules(home, rules)
        left = runs.orphan(home, identity.run_id)
        if left is not None:
            return MonthRun(runs.register(home, left, who.signature), computed=False)
        basis = _basis(home, previous, rules, as_of)
        compute = partial(compute_correction, basis, previous, progress)
        number = 1 if newest is None else newest.version + 1
        run = runs.write_run(home, identity, number, as_of, compute, who.signature)
        return MonthRun(run, computed=True)


def current_month(home: Home) -> Month:
    """The month that takes corrections: the one after the newest final month. Raises NotCorrectedError."""
    final = [run.month for run in runs.list_runs(home) if run.kind == "final" and _stands(home, run)]
    if not final:
        raise NotCorrectedError(
            "No month is final yet, so there is nothing to correct; settle a month as final first."
        )
    return Month.parse(max(final)).shifted(1)


def compute_correction(
    basis: Basis, previous: runs.Run, progress: Progress, folder: Path, run_id: UUID
) -> Mapping[str, Any]:
    """The month in full, and what it changes against the version before; rows, totals and status."""
    result = compute_run(basis, progress, folder, run_id)
    rows = write_differences(previous, basis.month, folder, run_id)
    return {**result, "rows": {**result["rows"], DIFFERENCES: rows}}


def _refuse_rejected(home: Home, run: runs.Run) -> None:
    """What was rejected is not offered again with the same inputs. Raises NotCorrectedError."""
    rejected = run_standing(home, run).by(Deed.REJECT)
    if rejected is not None:
        raise NotCorrectedError(
            f"{run.alias} holds everything that is known and was rejected by {rejected.person}: {rejected.reason} "
            "Deliver what mends that, then correct again."
        )


def _stands(home: Home, run: runs.Run) -> bool:
    return posted.state(home, run) is not State.REJECTED


def _basis(home: Home, previous: runs.Run, rules: RuleProfile, as_of: datetime | None) -> Basis:
    """What is known now, and what the month carried when it was settled.

    What waited for approval then is not spoken of again: the corrected month is closed and takes nothing over.
    """
    then = past_basis(home, previous, rules if rules.sha256 == previous.manifest["profile_sha256"] else None)
    final = then.origin or previous
    return replace(
        then, home=home, rules=rules, as_of=as_of, waiting=(), origin=final, billed=None, kind=KIND
    )


def _identity(
    home: Home, previous: str | None, month: Month, into: Month, rules: RuleProfile, as_of: datetime | None
) -> runs.RunIdentity:
    corrected = next(run for run in runs.list_runs(home) if run.run_id == previous)
    inputs = basis_inputs(_basis(home, corrected, rules, as_of))
    return runs.RunIdentity(
        KIND,
        str(month),
        rules.name,
        rules.sha256,
        inputs,
        previous,
        installed_version("gridsettle"),
        posted_into=str(into),
    )


def _rules(home: Home, previous: runs.Run, wanted: str | RuleProfile | None) -> RuleProfile:
    if wanted is None:
        return past_basis(home, previous).rules
    return wanted if isinstance(wanted, RuleProfile) else profile(wanted)


def _check_window(home: Home, month: Month, into: Month, rules: RuleProfile) -> None:
    back = into.months_since(month)
    if back < 1:
        raise NotCorrectedError(f"{month} cannot be posted into {into}; name a later month with --into.")
    settled, _ = rules.settled
    if back > settled.look_back_months:
        raise NotCorrectedError(
            f"{month} lies {back} months before {into}; {rules.name} looks back {settled.look_back_months} months "
            f"({settled.provenance['look_back_months'].clause}). Beyond the window the grid company settles metering "
            "errors at the user's guaranteed price, outside the market."
        )
    closed = posted.closed_from(home, str(into))
    if closed is not None:
        raise NotCorrectedError(
            f"{into} is closed: {closed.alias} exists. Name the month after the newest final one with --into."
        )


def _check_something_new(identity: runs.RunIdentity, previous: runs.Run) -> None:
    manifest = previous.manifest
    known = sorted(entry["sha256"] for entry in manifest["inputs"])
    if (
        sorted(entry.sha256 for entry in identity.inputs) == known
        and identity.profile_sha256 == manifest["profile_sha256"]
        and identity.software == manifest["software_version"]
    ):
        raise NotCorrectedError(
            f"Nothing came for {identity.month} since {previous.alias}: its inputs and rules are the same. Deliver "
            "what is to be corrected, or name other rules."
        )
