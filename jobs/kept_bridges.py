"""Bridges between two runs, kept in the home by fingerprint; removing a file costs only time (decision 0047).

``bridges/<key>.json``: the sha256 of the rest on the first line, then the rows. A file that was changed is not used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version as installed_version
from pathlib import Path

from settlement.bridge import BridgeRow, Cause
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.runs import MANIFEST, Run

FORM = 1  # of what is kept; another number makes every kept bridge stale
LINES = "lines.parquet"


def bridge_key(old: Run, new: Run) -> str:
    """The fingerprint of all that the rows rest on: both runs, which name their inputs and rules, and the software."""
    files = [file_sha256(run.folder / name) for run in (old, new) for name in (MANIFEST, LINES)]
    return sha256(json.dumps([FORM, installed_version("gridsettle"), *files]).encode()).hexdigest()


def load(home: Home, key: str) -> list[BridgeRow] | None:
    """The rows kept under a fingerprint; None where nothing is, or where the file is not what was written."""
    file = _file(home, key)
    if not file.is_file():
        return None
    fingerprint, _, text = file.read_text("utf-8").partition("\n")
    return parsed(text) if sha256(text.encode()).hexdigest() == fingerprint else None


def keep(home: Home, key: str, rows: Sequence[BridgeRow]) -> None:
    """Write them in one step."""
    file = _file(home, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = written(rows)
    unfinished = file.with_name(f".{key}.{os.getpid()}.part")
    unfinished.write_text(f"{sha256(text.encode()).hexdigest()}\n{text}", "utf-8")
    unfinished.replace(file)


def written(rows: Sequence[BridgeRow]) -> str:
    """As JSON, a row a line."""
    return "\n".join(
        json.dumps(
            [row.participant_id, row.charge_code, row.before_fen, row.after_fen, row.parts],
            ensure_ascii=False,
        )
        for row in rows
    )


def parsed(text: str) -> list[BridgeRow]:
    """What ``written`` wrote."""
    return [
        BridgeRow(who, code, before, after, {Cause(cause): fen for cause, fen in parts.items()})
        for who, code, before, after, parts in map(json.loads, text.splitlines())
    ]


def _file(home: Home, key: str) -> Path:
    return home.bridges / f"{key}.json"
