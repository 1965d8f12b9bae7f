"""What a month is computed from: a home that shows its inputs, rules, the month before, corrections brought in.

A new run's basis is what is known now; a past run's basis is read from its manifest, every input by its hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from jobs.month_inputs import MonthInputs, UnifiedPrices
from jobs.roster import ROSTER_TABLES, Roster
from market.periods import Month
from market.profiles import RuleProfile, profile, profile_names
from settlement.corrections import Brought
from warehouse import runs
from warehouse.difference_tables import DIFFERENCES, read_brought
from warehouse.file_hash import file_sha256
from warehouse.home import Home, engine
from warehouse.models import Delivery
from warehouse.records import read_records
from warehouse.rule_files import kept_rules
from warehouse.sight import Sight

LINES = "lines.parquet"


class InputNotAtHandError(LookupError):
    """A run cannot be computed again: an input, a run it carries from, or its software is not here."""


@dataclass(frozen=True)
class Basis:
    """One month's inputs. ``home`` shows its deliveries; ``origin`` is the run whose unified prices stay.

    corrections: of past months, approved, posted into this one; waiting: prepared for it and not approved.
    billed: the draft that was billed, of a final run that hands over its difference to it (market.md B.11).
    kind: of the run; readings are estimated in the kinds that the profile names.
    """

    home: Home
    month: Month
    rules: RuleProfile
    as_of: datetime | None = None
    before: runs.Run | None = None
    corrections: tuple[runs.Run, ...] = ()
    waiting: tuple[runs.Run, ...] = ()
    billed: runs.Run | None = None
    origin: runs.Run | None = None
    kind: str = "draft"

    def brought(self) -> tuple[Brought, ...]:
        """The corrections of past months that are posted into this one, by month and version."""
        ordered = sorted(self.corrections, key=lambda run: (run.month, run.version))
        return tuple(read_brought(run.folder, run.run_id, run.month) for run in ordered)

    def unified(self, only: date | None = None) -> UnifiedPrices | None:
        """The unified user prices that a correction must not change, None where the month makes its own.

        only: of this day alone.
        """
        return None if self.origin is None else unified_prices(past_basis(self.home, self.origin), only)


def past_basis(home: Home, run: runs.Run, rules: RuleProfile | None = None) -> Basis:
    """The basis of a run that exists: inputs by hash, its own rules, what it carried.

    rules: its profile where it is not packaged and not kept. Raises InputNotAtHandError, RulesNotAtHandError.
    """
    manifest = run.manifest
    carried = carried_runs(home, manifest)
    return Basis(
        home=home.seeing(Sight(delivered_inputs(home, manifest))),
        month=Month.parse(run.month),
        rules=rules_of(home, manifest, rules),
        before=next((one for name, one in carried if name != DIFFERENCES and one.month != run.month), None),
        billed=next((one for name, one in carried if name == LINES and one.month == run.month), None),
        corrections=tuple(one for name, one in carried if name == DIFFERENCES),
        waiting=waiting_runs(home, manifest),
        origin=origin_of(home, run),
        kind=run.kind,
    )


def rules_of(home: Home, manifest: Mapping[str, Any], rules: RuleProfile | None = None) -> RuleProfile:
    """The rules a run was computed by: those given, the packaged, or the kept ones of the same hash."""
    name, sha256 = manifest["profile"], manifest["profile_sha256"]
    packaged = profile(name) if name in profile_names() else None
    for one in (rules, packaged):
        if one is not None and one.sha256 == sha256:
            return one
    return kept_rules(home, name, sha256)


def delivered_inputs(home: Home, manifest: Mapping[str, Any]) -> frozenset[str]:
    """The deliveries a run rests on. Raises InputNotAtHandError where the home lacks one."""
    wanted = {
        entry["sha256"]: entry["path"]
        for entry in manifest["inputs"]
        if not entry["path"].startswith(runs.CARRIED)
    }
    with engine(home).connect() as connection:
        there = set(connection.scalars(select(Delivery.delivery_id)))
    lacking = sorted(path for sha256, path in wanted.items() if sha256 not in there)
    if lacking:
        raise InputNotAtHandError(
            f"Run {manifest['alias']} rests on {len(lacking)} files that were never delivered to {home.root}: "
            f"{', '.join(lacking[:3])}{' …' if len(lacking) > 3 else ''}. Deliver them, or name the home that has them."
        )
    return frozenset(wanted)


def carried_runs(home: Home, manifest: Mapping[str, Any]) -> list[tuple[str, runs.Run]]:
    """The runs whose outputs are inputs of this one, with the file's name, each checked by its hash."""
    by_id = {run.run_id: run for run in runs.list_runs(home)}
    found = []
    for entry in manifest["inputs"]:
        if not entry["path"].startswith(runs.CARRIED):
            continue
        run_id, name = entry["path"].removeprefix(runs.CARRIED).split("/")
        run = by_id.get(run_id)
        if run is None or not (run.folder / name).is_file():
            raise InputNotAtHandError(
                f"Run {manifest['alias']} carries {name} of run {run_id}, which is not in {home.root}; restore that "
                "run from a backup."
            )
        if file_sha256(run.folder / name) != entry["sha256"]:
            raise InputNotAtHandError(
                f"{name} of run {run.alias} was changed after run {manifest['alias']} was computed from it; restore "
                "it from a backup."
            )
        found.append((name, run))
    return found


def waiting_runs(home: Home, manifest: Mapping[str, Any]) -> tuple[runs.Run, ...]:
    """The corrections a run speaks of without taking them. Raises InputNotAtHandError for one that is not here."""
    by_id = {run.run_id: run for run in runs.list_runs(home)}
    named = manifest.get("waiting", ())
    for run_id in named:
        if run_id not in by_id:
            raise InputNotAtHandError(
                f"Run {manifest['alias']} speaks of the correction {run_id}, which is not in {home.root}; restore "
                "that run from a backup."
            )
    return tuple(by_id[run_id] for run_id in named)


def origin_of(home: Home, run: runs.Run) -> runs.Run | None:
    """The run whose unified prices a correction keeps: the first of its chain that is no correction."""
    if run.kind != "correction":
        return None
    by_id = {one.run_id: one for one in runs.list_runs(home)}
    while run.kind == "correction":
        previous = by_id.get(run.previous or "")
        if previous is None:
            raise InputNotAtHandError(
                f"Run {run.alias} corrects run {run.previous}, which is not in {home.root}; restore that run from a "
                "backup."
            )
        run = previous
    return run


def unified_prices(basis: Basis, only: date | None = None) -> UnifiedPrices:
    """day -> stage -> (96,) 0.001 元/MWh: the user prices as the run of this basis had them."""
    records = [read_records(basis.home, name, as_of=basis.as_of) for name in ROSTER_TABLES]
    rules, _ = basis.rules.reaching_back_to(basis.month.first).settled
    inputs = MonthInputs(
        basis.home, basis.month, Roster(basis.month, *records), rules, {}, basis.as_of, only=only
    )
    return {
        day: {"day_ahead": prices.user_day_ahead, "real_time": prices.user_real_time}
        for day, prices in inputs.prices()
    }
