"""What was printed of a run: every report file by its hash, listed beside them, the list's hash in the log of acts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warehouse.audit_log import Entry, Signature, entries, recording
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.runs import Run

PRINTED = "printed.json"
PRINT = "run.print"


def log_print(home: Home, run: Run, by: Signature, files: Sequence[Path]) -> Entry:
    """List the printed files with those printed before, and log the list."""
    folder = home.reports / run.run_id
    folder.mkdir(parents=True, exist_ok=True)
    now = {file.relative_to(folder).as_posix(): file_sha256(file) for file in files}
    before = {name: digest for name, digest in _listed(folder).items() if (folder / name).is_file()}
    listed = {"run_id": run.run_id, "fingerprint": run.fingerprint, "files": before | now}
    making = folder / f".{PRINTED}.making"
    making.write_text(json.dumps(listed, ensure_ascii=False, indent=1, sort_keys=True), "utf-8")
    making.replace(folder / PRINTED)
    with recording(home) as log:
        return log.append(
            by,
            PRINT,
            run.run_id,
            "",
            evidence_sha256=file_sha256(folder / PRINTED),
            detail={"alias": run.alias, "files": len(now)},
        )


def print_damage(home: Home, run: Run) -> list[str]:
    """A sentence for every report that is not as it was printed; a run never printed has none."""
    acts = entries(home, run.run_id, [PRINT])
    folder = home.reports / run.run_id
    if not acts:
        return []
    if not (folder / PRINTED).is_file() or file_sha256(folder / PRINTED) != acts[-1].evidence_sha256:
        return [f"The list of what was printed of {run.alias} ({PRINTED}) was changed; print the run again."]
    return [
        f"The report {name} of {run.alias} "
        + ("is gone" if not (folder / name).is_file() else "was changed after it was printed")
        + "; print the run again."
        for name, digest in _listed(folder).items()
        if not (folder / name).is_file() or file_sha256(folder / name) != digest
    ]


def _listed(folder: Path) -> dict[str, Any]:
    if not (folder / PRINTED).is_file():
        return {}
    listed: dict[str, Any] = json.loads((folder / PRINTED).read_text("utf-8"))["files"]
    return listed
