"""A file stands whole or not at all: a reader never meets half of one."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write beside it, then put it in place in one step."""
    making = path.with_name(f".{path.name}.making")
    making.write_bytes(content)
    making.replace(path)
