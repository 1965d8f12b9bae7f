"""Runs: immutable folders, written whole or not at all (architecture §2 and §4; ruling 13).

A run is computed into ``runs/.making-<id>``, its manifest is written last, the folder is renamed into place
in one step, and one database transaction makes it visible. What a killed process left behind is never
listed; the next run of the same identity takes the folder over after checking its hashes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from settlement.run_life import Deed
from warehouse.audit_log import Signature, recording
from warehouse.file_hash import file_sha256
from warehouse.home import Home, engine
from warehouse.models import SettlementRun
from warehouse.stored import stored_hashes

NAMESPACE = UUID("6f6d1f0e-6a59-5f0b-9a53-0d6b5f5a2c11")
MANIFEST = "manifest.json"
CARRIED = "runs/"  # inputs that are outputs of other runs stand under this path
FAILED = "run.failed"
NOT_IDENTITY = ("started_at", "finished_at", "as_of")


class RunDamagedError(RuntimeError):
    """A file of a run does not have the hash its manifest names."""


class RunNotFoundError(LookupError):
    """No run has the id, the beginning of an id, or the alias asked for."""


@dataclass(frozen=True, order=True)
class InputFile:
    """One delivered file that took part: its path in the inbox, its hash and rows."""

    path: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class RunIdentity:
    """What makes a run the same run: kind, month, profile, inputs, previous run, software version.

    posted_into: the month that takes a correction's differences; None for what corrects nothing.
    waiting: ids of corrections that nobody approved yet and that this run speaks of without taking them.
    """

    kind: str
    month: str
    profile: str
    profile_sha256: str
    inputs: tuple[InputFile, ...]
    previous: str | None
    software: str
    posted_into: str | None = None
    waiting: tuple[str, ...] = ()

    @property
    def run_id(self) -> UUID:
        """uuid5 of the identity (ruling 13); ``as_of`` and clock times are no part of it."""
        grain: dict[str, Any] = {
            "kind": self.kind,
            "month": self.month,
            "profile_sha256": self.profile_sha256,
            "inputs": sorted(entry.sha256 for entry in self.inputs),
            "previous": self.previous,
            "software": self.software,
        }
        if self.posted_into is not None:
            grain["posted_into"] = self.posted_into
        if self.waiting:
            grain["waiting"] = sorted(self.waiting)
        return uuid5(NAMESPACE, json.dumps(grain, sort_keys=True))


@dataclass(frozen=True)
class Run:
    """A visible run."""

    run_id: str
    kind: str
    month: str
    version: int
    alias: str
    previous: str | None
    status: str
    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as written. Raises RunDamagedError where the folder or the manifest is gone."""
        file = self.folder / MANIFEST
        if not file.is_file():
            raise RunDamagedError(
                f"Run {self.alias} is in the database but {MANIFEST} is not in its folder {self.run_id}; "
                "restore the folder from a backup, a run is never made again under another name."
            )
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return content

    @property
    def fingerprint(self) -> str:
        """sha256 over the hashes of all outputs; printed on statements."""
        return fingerprint(self.manifest["outputs"])


def fingerprint(outputs: Sequence[Mapping[str, Any]]) -> str:
    """One hash for all outputs of a run, in order of path."""
    text = "\n".join(
        f"{entry['path']} {entry['sha256']}" for entry in sorted(outputs, key=lambda e: e["path"])
    )
    return sha256(text.encode()).hexdigest()


def list_runs(home: Home) -> list[Run]:
    """Every visible run, oldest first."""
    with Session(engine(home)) as session:
        rows = session.scalars(
            select(SettlementRun).order_by(SettlementRun.month, SettlementRun.kind, SettlementRun.version)
        )
        return [_run(home, row) for row in rows]


def find_run(home: Home, name: str) -> Run:
    """The run with this id, beginning of an id, or alias; RunNotFoundError names what exists."""
    runs = list_runs(home)
    fitting = [
        run
        for run in runs
        if name in (run.run_id, run.alias) or (len(name) >= 6 and run.run_id.startswith(name))
    ]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(f"{run.alias} ({run.run_id[:8]})" for run in runs) or "none yet"
    raise RunNotFoundError(f"{len(fitting)} runs are called {name!r}; there are: {known}.")


def latest_run(home: Home, kind: str, month: str) -> Run | None:
    """The newest version of a kind and month."""
    runs = [run for run in list_runs(home) if (run.kind, run.month) == (kind, month)]
    return max(runs, key=lambda run: run.version, default=None)


def output_as_input(run: Run, name: str) -> InputFile:
    """One output of a run as an input of another, by the hash its manifest names."""
    entry = next(entry for entry in run.manifest["outputs"] if entry["path"] == name)
    return InputFile(f"runs/{run.run_id}/{name}", entry["sha256"], entry["rows"])


def write_run(
    home: Home,
    identity: RunIdentity,
    version: int,
    as_of: datetime | None,
    compute: Callable[[Path, UUID], Mapping[str, Any]],
    by: Signature,
) -> Run:
    """Compute a run into place. ``compute(folder, run_id)`` writes the tables and returns rows, totals, status.

    The caller holds the home's settlement lock. Raises whatever ``compute`` raises; nothing is left visible.
    """
    run_id = identity.run_id
    making = home.runs / f".making-{run_id}"
    started = datetime.now(UTC)
    clear_leftovers(home)
    making.mkdir(parents=True)
    try:
        result = compute(making, run_id)
        manifest = _manifest(identity, version, as_of, started, result, making)
        _write_durably(making / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        final = home.runs / str(run_id)
        making.rename(final)
    except BaseException as failure:
        shutil.rmtree(making, ignore_errors=True)
        if isinstance(failure, Exception):  # somebody's Ctrl-C is no failure
            _log_failure(home, identity, version, failure, by)
        raise
    return register(home, final, by)


def _log_failure(home: Home, identity: RunIdentity, version: int, failure: Exception, by: Signature) -> None:
    """What a run failed of is on record, though nothing of it is visible."""
    alias = f"{identity.month} {identity.kind} v{version}"
    with recording(home) as log:
        detail = {"alias": alias, "month": identity.month}
        log.append(by, FAILED, str(identity.run_id), f"{type(failure).__name__}: {failure}", detail=detail)


def recompute(folder: Path, run: Run, compute: Callable[[Path, UUID], Mapping[str, Any]]) -> list[str]:
    """Compute a run again in ``folder`` and compare; returns a sentence for every output that differs."""
    result = compute(folder, UUID(run.run_id))
    again = {entry["path"]: entry["sha256"] for entry in _outputs(folder, result["rows"])}
    before = {entry["path"]: entry["sha256"] for entry in run.manifest["outputs"]}
    return [
        f"{path}: the run holds {before.get(path, 'no such file')}, computing again gives {again.get(path, 'none')}."
        for path in sorted(before.keys() | again.keys())
        if before.get(path) != again.get(path)
    ]


def register(home: Home, folder: Path, by: Signature) -> Run:
    """Make a complete run folder visible and log who prepared it: one transaction."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    names = ("run_id", "kind", "month", "version", "alias", "previous", "status")
    row = {name: manifest[name] for name in names}
    digest = file_sha256(folder / MANIFEST)
    with recording(home) as log:
        log.connection.execute(
            insert(SettlementRun).values(**row, manifest_sha256=digest, created_at=datetime.now(UTC))
        )
        stored = stored_hashes(log.connection, delivered(manifest))
        detail = {"alias": row["alias"], "fingerprint": fingerprint(manifest["outputs"]), "stored": stored}
        rules = home.rules / f"{manifest['profile_sha256']}.json"
        if rules.is_file():
            detail["rules_file_sha256"] = file_sha256(rules)
        log.append(by, Deed.PREPARE, row["run_id"], "", evidence_sha256=digest, detail=detail)
    return Run(**row, folder=home.runs / row["run_id"])


def delivered(manifest: Mapping[str, Any]) -> list[str]:
    """The deliveries a run rests on: its inputs that are no outputs of other runs."""
    inputs = manifest["inputs"]
    return [entry["sha256"] for entry in inputs if not entry["path"].startswith(CARRIED)]


def verify(run: Run) -> list[str]:
    """Hash every file of a run again; returns a sentence for every file that is missing, changed or extra."""
    problems = []
    outputs = {entry["path"]: entry["sha256"] for entry in run.manifest["outputs"]}
    for path, digest in outputs.items():
        file = run.folder / path
        if not file.is_file():
            problems.append(
                f"{path} of run {run.alias} is missing; restore it from a backup or settle again."
            )
        elif file_sha256(file) != digest:
            problems.append(f"{path} of run {run.alias} was changed after the run was written.")
    known = {*outputs, MANIFEST}
    problems += [
        f"{file.name} in run {run.alias} is not named by its manifest."
        for file in sorted(run.folder.iterdir())
        if file.name not in known
    ]
    return problems


def orphan(home: Home, run_id: UUID) -> Path | None:
    """A complete folder that a killed process did not get to register, or None."""
    folder = home.runs / str(run_id)
    return folder if (folder / MANIFEST).is_file() else None


def clear_leftovers(home: Home) -> None:
    """Remove what killed computations left; the caller holds the lock."""
    home.runs.mkdir(parents=True, exist_ok=True)
    for leftover in home.runs.glob(".making-*"):
        shutil.rmtree(leftover)


def _run(home: Home, row: SettlementRun) -> Run:
    return Run(
        row.run_id,
        row.kind,
        row.month,
        row.version,
        row.alias,
        row.previous,
        row.status,
        home.runs / row.run_id,
    )


def _manifest(
    identity: RunIdentity,
    version: int,
    as_of: datetime | None,
    started: datetime,
    result: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    return {
        "run_id": str(identity.run_id),
        "kind": identity.kind,
        "month": identity.month,
        "version": version,
        "alias": f"{identity.month} {identity.kind} v{version}",
        "previous": identity.previous,
        "status": result["status"],
        "as_of": None if as_of is None else as_of.isoformat(),
        "profile": identity.profile,
        "profile_sha256": identity.profile_sha256,
        "software_version": identity.software,
        "inputs": [asdict(entry) for entry in sorted(identity.inputs)],
        "outputs": _outputs(folder, result["rows"]),
        "posted_into": identity.posted_into,
        "waiting": sorted(identity.waiting),
        "totals": result["totals"],
        "started_at": started.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
    }


def _outputs(folder: Path, rows: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"path": path, "sha256": file_sha256(folder / path), "rows": rows[path]} for path in sorted(rows)]


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
