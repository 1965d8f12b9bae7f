"""数据导出: the lines of a run for the actor's eyes, in clear or masked.

In clear a participant gets its own lines, a checker its cities'. Masked, an analyst gets every line under a pseudonym
that is stable in this home and cannot be turned back without its secret; names and ids are not in it, and nobody
stands in a group of fewer than five.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from jobs import access, actor
from jobs.access import Act
from jobs.roster import valid_in
from market.periods import Month
from reports.exported import groups_csv, lines_csv, masked_csv
from reports.masking import Masked, masked
from warehouse import runs
from warehouse.audit_log import recording
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.records import read_records
from warehouse.runs import Run

SECRET_BYTES = 32


@dataclass(frozen=True)
class Exported:
    """The files, the lines in them, and how many participants were left out to keep groups of five."""

    files: tuple[Path, ...]
    lines: int
    suppressed: int = 0


def export(home: Home, run_name: str, *, masked_rows: bool = False, into: Path | None = None) -> Exported:
    """Write a run's lines as CSV (UTF-8 with BOM) and log that it was done.

    into: a folder; by default ``exports/<run_id>`` of the home. Raises NotAllowedError, RunDamagedError.
    """
    who = actor.current(home)
    act = Act.EXPORT_MASKED if masked_rows else Act.EXPORT
    access.require(who, act)
    run = runs.find_run(home, run_name)
    problems = runs.verify(run)
    if problems:
        raise runs.RunDamagedError(f"{run.alias} is not exported. {' '.join(problems)}")
    lines = pq.read_table(run.folder / "lines.parquet").to_pandas()
    folder = into or home.root / "exports" / run.run_id
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{run.month}_{run.kind}-v{run.version}"
    if masked_rows:
        of = masked(lines, _parties(home, run), secret(home))
        contents = {f"masked_{stem}.csv": masked_csv(of), f"groups_{stem}.csv": groups_csv(of)}
        done = _done(of)
    else:
        own = [
            access.sees(who, city, participant)
            for city, participant in zip(lines["city"], lines["participant_id"], strict=True)
        ]
        lines = lines[own]
        contents = {f"lines_{stem}_{who.person}.csv": lines_csv(lines, run.alias)}
        done = (len(lines), 0)
    files = tuple(_written(folder / name, content) for name, content in contents.items())
    with recording(home) as log:
        detail = {"alias": run.alias, "lines": done[0], "files": [file.name for file in files]}
        log.append(who.signature, act, run.run_id, "", evidence_sha256=file_sha256(files[0]), detail=detail)
    return Exported(files, *done)


def secret(home: Home) -> bytes:
    """The home's key of pseudonyms, made once, readable by its owner alone. Raises ValueError where others may read it."""
    file = home.root / "masking.key"
    if not file.is_file():
        making = file.with_name(f".masking.{os.getpid()}.making")
        handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_hex(SECRET_BYTES).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(making, file)  # two at once: the first one's key stays
        except FileExistsError:
            pass
        finally:
            making.unlink()
    if file.stat().st_mode & 0o077:
        raise ValueError(
            f"{file.name} can be read by others than its owner, so pseudonyms could be turned back; run "
            f"`chmod 600 {file.name}` in {home.root}, and take a new key if it was read."
        )
    return file.read_bytes()


def _parties(home: Home, run: Run) -> pd.DataFrame:
    """participant_id, kind, tariff_class, city as the run knew them: the last of the month."""
    as_of = run.manifest["as_of"]
    known = read_records(home, "participants", as_of=None if as_of is None else datetime.fromisoformat(as_of))
    rows = valid_in(known, Month.parse(run.month)).sort_values("valid_from", kind="stable")
    return rows.groupby("participant_id", as_index=False).last()[
        ["participant_id", "kind", "tariff_class", "city"]
    ]


def _done(of: Masked) -> tuple[int, int]:
    return len(of.lines), of.suppressed


def _written(path: Path, content: bytes) -> Path:
    making = path.with_suffix(".making")
    making.write_bytes(content)
    making.replace(path)
    return path
