"""Comparisons of a run with the trading centre's statement: immutable folders, named by hash in the log of acts.

A reconciliation comes after its run and is no part of it. Its findings are worked with the run's own; the newest
one that the log names counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import UUID

from warehouse.audit_log import Entry, Signature, entries, recording
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.runs import MANIFEST, Run

RECONCILE = "run.reconcile"


@dataclass(frozen=True)
class Reconciliation:
    """One comparison of a run. ``seq``: its entry in the log of acts."""

    folder: Path
    seq: int

    @property
    def manifest(self) -> dict[str, Any]:
        """What was compared with what, and the hashes of its tables."""
        content: dict[str, Any] = json.loads((self.folder / MANIFEST).read_text("utf-8"))
        return content


def newest_reconciliation(home: Home, run: Run, log: Iterable[Entry]) -> Reconciliation | None:
    """The last one the log names; log: the entries of the run."""
    acts = [entry for entry in log if entry.act == RECONCILE]
    if not acts:
        return None
    return Reconciliation(_folder(home, run, acts[-1].facts["reconciliation"]), acts[-1].seq)


def keep_reconciliation(
    home: Home,
    run: Run,
    key: UUID,
    facts: Mapping[str, Any],
    write: Callable[[Path], Mapping[str, int]],
    by: Signature,
) -> tuple[Reconciliation, bool]:
    """Write a comparison into place and log it; True where it is new.

    key: the identity of what was compared; the same again that is already the newest writes and logs nothing.
    write(folder) writes the tables and returns their rows. Killed in between, the next call finishes it.
    """
    folder = _folder(home, run, str(key))
    if not (folder / MANIFEST).is_file():
        making = folder.with_name(f".making-{key}")
        rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        rows = write(making)
        outputs = [
            {"path": name, "sha256": file_sha256(making / name), "rows": rows[name]} for name in sorted(rows)
        ]
        content = {"reconciliation": str(key), "run_id": run.run_id, **facts, "outputs": outputs}
        (making / MANIFEST).write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
        making.rename(folder)
    with recording(home) as log:
        last = newest_reconciliation(home, run, log.entries(run.run_id))
        if last is not None and last.folder == folder:
            return last, False
        entry = log.append(
            by,
            RECONCILE,
            run.run_id,
            "",
            evidence_sha256=file_sha256(folder / MANIFEST),
            detail={"alias": run.alias, "reconciliation": str(key)},
        )
    return Reconciliation(folder, entry.seq), True


def reconciliation_damage(home: Home, run: Run) -> list[str]:
    """A sentence for every comparison of the run that is not as it was written."""
    problems = []
    for entry in entries(home, run.run_id, [RECONCILE]):
        kept = Reconciliation(_folder(home, run, entry.facts["reconciliation"]), entry.seq)
        file = kept.folder / MANIFEST
        if not file.is_file() or file_sha256(file) != entry.evidence_sha256:
            problems.append(
                f"{MANIFEST} of reconciliation {kept.folder.name} of {run.alias} is gone or was changed; restore it from "
                "a backup."
            )
            continue
        problems += [
            f"{output['path']} of reconciliation {kept.folder.name} of {run.alias} is gone or was changed."
            for output in kept.manifest["outputs"]
            if not (kept.folder / output["path"]).is_file()
            or file_sha256(kept.folder / output["path"]) != output["sha256"]
        ]
    return problems


def _folder(home: Home, run: Run, key: str) -> Path:
    return home.reconciliations / run.run_id / key
