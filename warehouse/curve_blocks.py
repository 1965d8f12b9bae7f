"""Reading curves block by block: a date of a table as several ``CurveDay``s of a bounded number of rows.

``curve_days`` has days in memory; where a day of a province is too much, the parts of a day (row groups of city
files) come one after another, decoded when they are asked for. Where a revision touches a day, the parts that share a
key are merged first and stand in memory together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from types import TracebackType

import pyarrow as pa

from warehouse.curve_files import has_quality, key_columns
from warehouse.curve_groups import Plan, RowGroups, curve_definition
from warehouse.curve_parts import File, Part, newest_win, sharing_keys
from warehouse.curves import CurveDay, assembled
from warehouse.home import Home

BLOCK_ROWS = 4096  # 3 MiB of values: what is done with a block finds them in the processor's cache
WHOLE = 1 << 62


class CurveBlocks:
    """The days of a curve table for one thread; a ``with`` block closes its files.

    plan: of ``visible_files``. Days are asked for in order. rows: at most as many in a block.
    """

    def __init__(self, home: Home, table: str, plan: Plan, rows: int = BLOCK_ROWS) -> None:
        self._definition = curve_definition(table)
        quality = ["quality"] if has_quality(self._definition) else []
        self._keys = key_columns(self._definition)
        self._wanted = [*self._keys, *quality, "values"]
        self._plan, self._rows = plan, rows
        self._stack = ExitStack()
        self._groups = RowGroups(home, self._definition, self._stack)
        self._last: dict[int, dict[str, pa.StringArray]] = {}

    def __enter__(self) -> CurveBlocks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def of(self, day: date) -> Iterator[CurveDay]:
        """The blocks of a day, together the rows of ``curve_days`` in their order; none for a day without rows.

        The keys of a block are the very objects of the block at its place on the day before while they are the same.
        """
        for place, parts in enumerate(_grouped(self._parts(day), self._rows)):
            block = assembled(self._definition, day, parts, self._last.get(place, {}))
            self._last[place] = block.keys
            yield block

    def _parts(self, day: date) -> Iterator[Part]:
        found = [
            (file, group) for file in self._plan.files if (group := self._groups.group(file, day)) is not None
        ]
        merged = self._merged(found) if any(file.revised for file, _ in found) else {}
        for file, group in found:
            if file.path not in merged:
                yield from self._groups.batches(file, group, self._wanted, self._rows)
            elif merged[file.path].source.rows:
                yield merged.pop(file.path)

    def _merged(self, found: Sequence[tuple[File, int]]) -> dict[str, Part]:
        """By file the parts that have a key in common with another, the newest of each key winning."""
        keys = [self._groups.read(file, group, 0, self._keys) for file, group in found]
        shared = [one for one, shares in zip(found, sharing_keys(keys), strict=True) if shares]
        parts = [self._groups.read(file, group, 0, self._wanted) for file, group in shared]
        if parts:
            parts = newest_win(parts)
        return {file.path: part for (file, _), part in zip(shared, parts, strict=True)}


def _grouped(parts: Iterator[Part], rows: int) -> Iterator[list[Part]]:
    group: list[Part] = []
    for part in parts:
        if group and sum(one.source.rows for one in group) + part.source.rows > rows:
            yield group
            group = []
        group.append(part)
    if group:
        yield group
