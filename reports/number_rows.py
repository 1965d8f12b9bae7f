"""A worksheet that writes a row of plain numbers in one go: 96 points cost what one cell costs (decision 0041).

xlsxwriter keeps and writes every cell by itself, which for a day of 96 quarter-hours is nearly all of a statement's
time. A run of numbers stands in its table as one cell and is written as the cells it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet


class NumberRun(NamedTuple):
    """Finite numbers in neighbouring cells of a row; the formats repeat from the left."""

    numbers: Sequence[float]
    formats: Sequence[Format]


class NumberRows(Worksheet):  # type: ignore[misc]
    """A worksheet that also takes runs of numbers; everything else is xlsxwriter's."""

    def write_run(self, row: int, column: int, numbers: Sequence[float], formats: Sequence[Format]) -> None:
        """Write finite numbers into ``row`` from ``column`` on; rows and columns count from 0."""
        self._check_dimensions(row, column)
        self._check_dimensions(row, column + len(numbers) - 1)
        self.table[row][column] = NumberRun(numbers, formats)

    def _write_cell(self, row: int, col: int, cell: Any) -> None:
        if not isinstance(cell, NumberRun):
            super()._write_cell(row, col, cell)
            return
        styles = [one._get_xf_index() for one in cell.formats]
        styles *= -(-len(cell.numbers) // len(styles))
        columns = _columns(col, len(cell.numbers))
        after = row + 1
        self.fh.write(
            "".join(
                [
                    f'<c r="{column}{after}" s="{style}"><v>{number!r}</v></c>'
                    for column, style, number in zip(columns, styles, cell.numbers, strict=False)
                ]
            )
        )

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        """Ours are SUM, ROUND, ABS and IF; none of the functions that xlsxwriter looks for, name by name."""
        del expand_future_functions
        return formula.removeprefix("=")


@cache
def _columns(first: int, count: int) -> tuple[str, ...]:
    return tuple(xl_col_to_name(place) for place in range(first, first + count))
