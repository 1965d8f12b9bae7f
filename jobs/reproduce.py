"""复现: any past run from its manifest, here or in another home, compared byte by byte.

Inputs are chosen by their hash. In another home the deliveries are made again in the order in which they came, and
the runs that this one rests on are copied and checked; then the run is computed there and takes its place.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from ingest.deliver import deliver
from jobs import access, actor
from jobs.basis import (
    InputNotAtHandError,
    carried_runs,
    delivered_inputs,
    past_basis,
    rules_of,
    waiting_runs,
)
from jobs.correct_month import KIND as CORRECTION
from jobs.correct_month import compute_correction
from jobs.month_files import compute_run
from jobs.progress import Progress, silent
from jobs.settle_month import KINDS, LOCK
from market.profiles import RuleProfile
from warehouse import runs
from warehouse.audit_log import Signature
from warehouse.deliveries import TAKEN, inbox_path
from warehouse.file_hash import file_sha256
from warehouse.home import Home, create, engine
from warehouse.lock import exclusive
from warehouse.models import Delivery
from warehouse.rule_files import keep_rules

Compute = Callable[[Path, UUID], Mapping[str, Any]]


@dataclass(frozen=True)
class Reproduced:
    """The run, where its second computation stands, and a sentence for every output that differs."""

    run: runs.Run
    folder: Path
    differences: tuple[str, ...]


def reproduce(
    home: Home,
    run_name: str,
    *,
    into: Home | None = None,
    rules: RuleProfile | None = None,
    progress: Progress = silent,
) -> Reproduced:
    """Compute a run again and compare; ``into`` names another home that gets everything it rests on.

    rules: its profile where it is neither packaged nor kept. Raises RunNotFoundError, InputNotAtHandError with a
    sentence where an input or the software version is not at hand, RulesNotAtHandError.
    """
    run = runs.find_run(home, run_name)
    _check_software(run)
    used = rules_of(home, run.manifest, rules)
    if into is None:
        with tempfile.TemporaryDirectory(prefix="gridsettle-", dir=home.root) as made:
            differences = runs.recompute(Path(made), run, _compute(home, run, used, progress))
        return Reproduced(run, run.folder, (*runs.verify(run), *differences))
    if into.database_url == home.database_url:
        raise InputNotAtHandError(
            f"{into.root} has the same database as {home.root}; name another home, and unset GRIDSETTLE_DATABASE_URL "
            "where it points both to one server."
        )
    create(into)
    who = actor.current(into)
    access.require(who, access.Act.SETTLE)
    _carry_inputs(home, run, into, progress)
    keep_rules(into, used)
    with ExitStack() as stack:
        stack.enter_context(exclusive(into, LOCK))
        for one in _rests_on(home, run):
            _copy_run(one, into, who.signature)
        made = into.root / f".reproducing-{run.run_id}"
        stack.callback(shutil.rmtree, made, ignore_errors=True)
        made.mkdir(exist_ok=True)
        differences = runs.recompute(made, run, _compute(into, run, used, progress))
        if not differences:
            shutil.copyfile(run.folder / runs.MANIFEST, made / runs.MANIFEST)
            _put_in_place(made, run, into, who.signature)
    return Reproduced(run, into.runs / run.run_id, tuple(differences))


def _compute(home: Home, run: runs.Run, rules: RuleProfile, progress: Progress) -> Compute:
    basis = past_basis(home, run, rules)
    if run.kind == CORRECTION:
        previous = runs.find_run(home, run.previous or "")
        return partial(compute_correction, basis, previous, progress)
    return partial(compute_run, basis, progress)


def _check_software(run: runs.Run) -> None:
    if run.kind not in (*KINDS, CORRECTION):
        raise InputNotAtHandError(
            f"{run.alias} is of kind {run.kind}; draft, final and correction are reproduced."
        )
    made_by, here = run.manifest["software_version"], installed_version("gridsettle")
    if made_by != here:
        raise InputNotAtHandError(
            f"Run {run.alias} was computed by gridsettle {made_by}, and {here} is installed; install {made_by} to "
            "reproduce it."
        )


def _carry_inputs(home: Home, run: runs.Run, into: Home, progress: Progress) -> None:
    """Deliver again, oldest first, what the home had taken when the run's newest input came.

    All of it, not only the inputs: a row is taken when what it refers to is there.
    """
    wanted = delivered_inputs(home, run.manifest)
    columns = (Delivery.delivery_id, Delivery.file_name, Delivery.sender, Delivery.recorded_at)
    with engine(home).connect() as connection:
        taken = connection.execute(
            select(*columns)
            .where(Delivery.status.in_(TAKEN))
            .order_by(Delivery.recorded_at, Delivery.delivery_id)
        ).all()
    newest = max(row.recorded_at for row in taken if row.delivery_id in wanted)
    known = [row for row in taken if row.recorded_at <= newest]
    lacking = []
    for row in known:
        file = home.inbox / inbox_path(row.delivery_id, row.file_name)
        if not file.is_file() or file_sha256(file) != row.delivery_id:
            lacking.append(inbox_path(row.delivery_id, row.file_name))
    if lacking:
        raise InputNotAtHandError(
            f"{len(lacking)} files that run {run.alias} needs are not in the inbox of {home.root} as they were "
            f"delivered: {', '.join(lacking[:3])}{' …' if len(lacking) > 3 else ''}. Restore them from a backup."
        )
    for row in progress(known, "ingest", total=len(known)):
        deliver(into, home.inbox / inbox_path(row.delivery_id, row.file_name), sender=row.sender)


def _rests_on(home: Home, run: runs.Run) -> list[runs.Run]:
    """The versions before a run and the runs it carries from, with all that those rest on, oldest first."""
    by_id = {one.run_id: one for one in runs.list_runs(home)}
    found: dict[str, runs.Run] = {}

    def add(one: runs.Run) -> None:
        before = [carried for _, carried in carried_runs(home, one.manifest)]
        before += waiting_runs(home, one.manifest)
        before += [by_id[one.previous]] if one.previous in by_id else []
        for earlier in before:
            if earlier.run_id not in found:
                add(earlier)
                found[earlier.run_id] = earlier

    add(run)
    return list(found.values())


def _copy_run(run: runs.Run, into: Home, by: Signature) -> None:
    damaged = runs.verify(run)
    if damaged:
        raise InputNotAtHandError(" ".join(damaged))
    making = into.runs / f".making-{run.run_id}"
    shutil.copytree(run.folder, making, dirs_exist_ok=True)
    _put_in_place(making, run, into, by)


def _put_in_place(made: Path, run: runs.Run, into: Home, by: Signature) -> None:
    """The folder gets its name, then its row; what an earlier attempt left complete is taken as it is."""
    folder = into.runs / run.run_id
    if runs.orphan(into, UUID(run.run_id)) is None:
        made.rename(folder)
    else:
        shutil.rmtree(made)
    if run.run_id not in {one.run_id for one in runs.list_runs(into)}:
        runs.register(into, folder, by)
