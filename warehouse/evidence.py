"""Files that people lay before a decision, kept under their hash; the log of acts names the hash."""

from __future__ import annotations

import shutil
from pathlib import Path

from warehouse.file_hash import file_sha256
from warehouse.home import Home


def keep_evidence(home: Home, file: Path) -> str:
    """Copy a file into the home and return its sha256; the same bytes again change nothing.

    Raises FileNotFoundError where there is no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not a file; evidence is one file, a scan or a table.")
    digest = file_sha256(file)
    folder = home.evidence / digest
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / file.name
    if not kept.exists():
        making = folder / f".{file.name}.making"
        shutil.copyfile(file, making)
        making.replace(kept)
    return digest


def evidence_damage(home: Home) -> list[str]:
    """A sentence for every kept file that no longer has its hash."""
    return [
        f"Evidence {file.name} was changed after it was laid before a decision: it is not {file.parent.name[:12]}…"
        for file in sorted(home.evidence.glob("*/*"))
        if not file.name.startswith(".") and file_sha256(file) != file.parent.name
    ]
