"""版本差异: what changed between two runs of a month, computed by exchanging one group of inputs after another.

The first and the last state are the two runs as they stand; between them the month is computed again with the
inputs that both name by hash. Groups whose deliveries are the same in both runs are not computed. What was computed
is kept (``jobs.kept_bridges``), so a statement printed again does not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from sqlalchemy import select

from jobs import access, actor, kept_bridges
from jobs.basis import Basis, past_basis
from jobs.month_calculation import calculate_basis
from jobs.progress import Progress, silent
from market.money import yuan
from market.profiles import RuleProfile
from market.tables import TABLES
from reports.bridge_text import bridge_csv, row_of
from settlement.bridge import BridgeRow, Cause, LineKey, attribute, by_cause
from warehouse import runs
from warehouse.deliveries import inbox_path
from warehouse.difference_tables import read_line_amounts
from warehouse.home import Home, engine
from warehouse.models import Delivery
from warehouse.sight import Sight

NAMED = {
    "meter_readings": Cause.READING,
    "meter_quality": Cause.READING,
    "registers": Cause.READING,
    "reactive_readings": Cause.READING,
    "maximum_demand": Cause.READING,
    "prices": Cause.PRICE,
    "tariffs": Cause.PRICE,
    "fee_pools": Cause.PRICE,
    "standards": Cause.PRICE,
    "positions": Cause.POSITION,
    "capacity_available": Cause.POSITION,
    "contracts": Cause.CONTRACT,
    "contract_curves": Cause.CONTRACT,
    "contract_records": Cause.CONTRACT,
    "packages": Cause.CONTRACT,
    "package_choices": Cause.CONTRACT,
    "trades": Cause.CONTRACT,
    "offers": Cause.EVENT,
    "bids": Cause.EVENT,
    "atc": Cause.EVENT,
    "system": Cause.EVENT,
    "rota": Cause.EVENT,
    "weather": Cause.EVENT,
    "manual_adjustments": Cause.MANUAL,
}


class NotBridgedError(ValueError):
    """The two runs are not versions of one month."""


@dataclass(frozen=True)
class Change:
    """What is different between the runs for one cause: delivered files that came and that no longer count."""

    cause: Cause
    came: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class Bridge:
    """From ``old`` to ``new``: every line that changed with its parts, and what was delivered.

    rows: those for the actor's eyes; province: whether that is all of them, and sums may be shown.
    """

    old: runs.Run
    new: runs.Run
    changes: tuple[Change, ...]
    rows: tuple[BridgeRow, ...]
    cities: Mapping[str, str | None]
    province: bool = True

    @cached_property
    def reasons(self) -> dict[LineKey, tuple[Cause, ...]]:
        """The causes of every line that changed, the largest part first: the statement's 原因."""
        return {
            (row.participant_id, row.charge_code): tuple(
                sorted(row.parts, key=lambda cause: (-abs(row.parts[cause]), list(Cause).index(cause)))
            )
            for row in self.rows
        }

    def waterfall(self) -> list[tuple[str, int, int]]:
        """``(step, charges, credits)`` in fen: the old run, every cause that moved money, the new run.

        Who sees a part of the lines gets what the causes moved in that part, without the runs' own sums.
        """
        moved = by_cause(self.rows)
        if not self.province:
            return [(str(cause), *moved[cause]) for cause in moved]
        return [
            ("old", *_sides(read_line_amounts(self.old.folder))),
            *((str(cause), *moved[cause]) for cause in moved),
            ("new", *_sides(read_line_amounts(self.new.folder))),
        ]

    def as_json(self) -> dict[str, Any]:
        """Both runs, what was delivered by cause, the waterfall, every line that changed; amounts 元 as text."""
        return {
            "old": {"run_id": self.old.run_id, "alias": self.old.alias},
            "new": {"run_id": self.new.run_id, "alias": self.new.alias},
            "changes": [
                {"cause": str(one.cause), "came": list(one.came), "gone": list(one.gone)}
                for one in self.changes
            ],
            "waterfall": [
                {"step": step, "charges_cny": str(yuan(charges)), "credits_cny": str(yuan(credits_))}
                for step, charges, credits_ in self.waterfall()
            ],
            "rows": [row_of(row, self.cities.get(row.participant_id)) for row in self.rows],
        }


def cause_of(table: str) -> Cause:
    """The group of inputs a table belongs to; who and what takes part is master data."""
    if table.startswith("dr_"):
        return Cause.EVENT
    return NAMED.get(table, Cause.MASTER_DATA)


def bridge(
    home: Home,
    old_name: str,
    new_name: str,
    *,
    rules: Sequence[RuleProfile] = (),
    progress: Progress = silent,
) -> Bridge:
    """Explain the difference between two runs of one month by cause, found by id, its beginning, or alias.

    rules: profiles of the runs that are neither packaged nor kept in the home. Raises NotBridgedError,
    RunNotFoundError, InputNotAtHandError, RulesNotAtHandError.
    """
    who = actor.current(home)
    access.require(who, access.Act.READ_LINES)
    old, new = runs.find_run(home, old_name), runs.find_run(home, new_name)
    if old.month != new.month or "day" in (old.kind, new.kind):
        raise NotBridgedError(
            f"{old.alias} and {new.alias} are not versions of one month; a bridge leads from one version of a month "
            "to another."
        )
    ends = (_End.of(home, old, rules), _End.of(home, new, rules))
    changes = _changes(ends)
    key = kept_bridges.bridge_key(old, new)
    rows = kept_bridges.load(home, key)
    if rows is None:
        after = _amounts(new)
        steps = _steps(ends, [change.cause for change in changes], after, progress)
        rows = attribute(_amounts(old), steps, after)
        kept_bridges.keep(home, key, rows)
    cities = {
        who: line.city for run in (old, new) for (who, _), line in read_line_amounts(run.folder).items()
    }
    shown = tuple(row for row in rows if access.sees(who, cities.get(row.participant_id), row.participant_id))
    whole = access.sees_province(who)
    return Bridge(old, new, changes if whole else (), shown, cities if whole else {}, whole)


@dataclass(frozen=True)
class _End:
    """One of the two runs: its basis, its deliveries by table, when the newest was recorded."""

    run: runs.Run
    basis: Basis
    deliveries: Mapping[str, Mapping[str, str]]
    recorded_at: Mapping[str, datetime]

    @classmethod
    def of(cls, home: Home, run: runs.Run, rules: Sequence[RuleProfile]) -> _End:
        given = next((one for one in rules if one.sha256 == run.manifest["profile_sha256"]), None)
        basis = past_basis(home, run, given)
        sight = basis.home.sees
        assert sight is not None  # noqa: S101  # a past run's basis always sees its own inputs
        columns = (Delivery.delivery_id, Delivery.table_name, Delivery.file_name, Delivery.recorded_at)
        with engine(home).connect() as connection:
            known = [row for row in connection.execute(select(*columns)) if row.delivery_id in sight.rest]
        deliveries: dict[str, dict[str, str]] = {}
        for row in known:
            deliveries.setdefault(str(row.table_name), {})[row.delivery_id] = inbox_path(
                row.delivery_id, row.file_name
            )
        return cls(run, basis, deliveries, {row.delivery_id: row.recorded_at for row in known})

    @property
    def software(self) -> str:
        return str(self.run.manifest["software_version"])

    @property
    def carried(self) -> set[str]:
        """What other months' runs hand over: closing accounts and corrections."""
        billed = self.basis.billed  # compared with, not carried: it moves nothing in this month
        mine = f"{runs.CARRIED}{billed.run_id}/" if billed else None
        inputs = [
            one for one in self.run.manifest["inputs"] if mine is None or not one["path"].startswith(mine)
        ]
        return {
            f"{one['path']} {one['sha256'][:12]}" for one in inputs if one["path"].startswith(runs.CARRIED)
        }

    def of_cause(self, cause: Cause) -> dict[str, str]:
        return {
            delivery: path
            for table, found in self.deliveries.items()
            if cause_of(table) is cause
            for delivery, path in found.items()
        }

    def sees(self, table: str, other: _End) -> frozenset[str]:
        """The run's deliveries of a table, and those of the other run that it knew and had no use for.

        A run names only what it used: readings of the months before an event, for instance, while it has one.
        """
        newest = max(self.recorded_at.values())
        mine, others = self.deliveries.get(table, {}), other.deliveries.get(table, {})
        return frozenset(mine) | {one for one in others if other.recorded_at[one] <= newest}


def _changes(ends: tuple[_End, _End]) -> tuple[Change, ...]:
    """What differs, in the order of causes."""
    old, new = ends
    found = []
    for cause in Cause:
        before, after = old.of_cause(cause), new.of_cause(cause)
        came = [after[one] for one in after.keys() - before.keys()]
        gone = [before[one] for one in before.keys() - after.keys()]
        if cause is Cause.RULE:
            came += [new.basis.rules.name] if old.basis.rules.sha256 != new.basis.rules.sha256 else []
            came += [f"gridsettle {new.software}"] if old.software != new.software else []
        if cause is Cause.CORRECTION:
            came += sorted(new.carried - old.carried)
            gone += sorted(old.carried - new.carried)
        if came or gone:
            found.append(Change(cause, tuple(sorted(came)), tuple(sorted(gone))))
    return tuple(found)


def _steps(
    ends: tuple[_End, _End],
    changed: Sequence[Cause],
    after: Mapping[LineKey, int | None],
    progress: Progress,
) -> list[tuple[Cause, Mapping[LineKey, int | None]]]:
    """The lines after every exchange; the last is the new run itself where this software made it."""
    old, new = ends
    here = installed_version("gridsettle")
    steps: list[tuple[Cause, Mapping[LineKey, int | None]]] = []
    if old.software != here:  # what another software would do to the same inputs is a change of rule
        steps.append((Cause.RULE, _lines(old.basis)))
    inputs = [cause for cause in changed if not (cause is Cause.RULE and _same_rules(old, new))]
    computed = inputs if new.software != here else inputs[:-1]
    switched: list[Cause] = []
    for cause in progress(computed, "bridge", total=len(computed)):
        switched.append(cause)
        steps.append((cause, _lines(_between(old, new, switched))))
    if new.software != here:
        steps.append((Cause.RULE, after))
    elif inputs:
        steps.append((inputs[-1], after))
    return steps


def _same_rules(old: _End, new: _End) -> bool:
    return old.basis.rules.sha256 == new.basis.rules.sha256


def _between(old: _End, new: _End, switched: Sequence[Cause]) -> Basis:
    """The old run's inputs with the groups ``switched`` taken from the new one."""
    seen = {
        table: new.sees(table, old) if cause_of(table) in switched else old.sees(table, new)
        for table in TABLES
    }
    return replace(
        old.basis,
        home=old.basis.home.seeing(Sight(frozenset(), seen)),
        rules=(new if Cause.RULE in switched else old).basis.rules,
        before=(new if Cause.CORRECTION in switched else old).basis.before,
        corrections=(new if Cause.CORRECTION in switched else old).basis.corrections,
        origin=new.basis.origin or old.basis.origin,
        kind=(new if Cause.READING in switched else old).basis.kind,
    )


def _lines(basis: Basis) -> dict[LineKey, int | None]:
    result = calculate_basis(basis).result
    return {(line.participant_id, line.charge_code): line.amount_fen for line in result.lines}


def _amounts(run: runs.Run) -> dict[LineKey, int | None]:
    return {key: line.amount_fen for key, line in read_line_amounts(run.folder).items()}


def _sides(lines: Mapping[LineKey, object]) -> tuple[int, int]:
    fen = [amount for line in lines.values() if (amount := getattr(line, "amount_fen", None)) is not None]
    return sum(one for one in fen if one > 0), sum(one for one in fen if one < 0)


def write_bridge(home: Home, new_name: str) -> Path:
    """The bridge from a run's previous version as ``reports/<run_id>/bridge.csv``; its path.

    Raises NotBridgedError for a run without one, and what ``bridge`` raises.
    """
    run = runs.find_run(home, new_name)
    if run.previous is None:
        raise NotBridgedError(f"{run.alias} has no version before it; a bridge needs two.")
    found = bridge(home, run.previous, run.run_id)
    file = home.reports / run.run_id / "bridge.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    making = file.with_suffix(".making")
    making.write_text(bridge_csv(found.rows, found.cities), "utf-8-sig")
    making.replace(file)
    return file
