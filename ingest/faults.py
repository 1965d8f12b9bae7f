"""What can be wrong with a file or a row, as data: a code, a sentence, the place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

CODES = {
    "wrong_cell_count": "the row has more or fewer cells than the header",
    "bad_quotes": "the row's quotation marks do not pair",
    "formula_in_cell": "a cell holds a spreadsheet formula instead of a value",
    "error_in_cell": "a cell holds a spreadsheet error such as #DIV/0!",
    "missing_value": "a cell that must be filled is empty",
    "bad_text": "a text holds a control character such as a line break",
    "bad_number": "a cell is not a plain decimal number",
    "too_many_decimals": "a number has more decimals than are kept",
    "out_of_range": "a number is too large to be kept as a whole number of its smallest unit",
    "bad_date": "a cell is not a calendar day written YYYY-MM-DD",
    "bad_month": "a cell is not a month written YYYY-MM",
    "bad_instant": "a cell is not a moment with its offset",
    "bad_code": "a cell is not one of the codes of its column",
    "bad_period": "a period lies outside 1 to 96, or the first lies behind the last",
    "leading_midnight_value": "the column 00:00, which belongs to the day before, is filled",
    "bad_interval": "a reading does not start on a quarter-hour, half-hour or hour of its meter's interval",
    "unknown_interval": "nothing tells whether a reading covers 15, 30 or 60 minutes",
    "bad_validity": "valid_to does not lie behind valid_from",
    "conflicting_rows": "several rows of the file have the same key and different values",
    "unknown_participant": "no participant of that id has been delivered",
    "unknown_meter": "no meter of that id has been delivered",
    "unknown_contract": "no contract of that id has been delivered",
    "unknown_section": "no section of that id has been delivered",
    "unknown_path": "no path of that id has been delivered",
    "unknown_program": "no program of that id has been delivered",
    "unknown_event": "no event of that id has been delivered",
}


class BadFileError(ValueError):
    """The whole file is refused; the sentence says why and how to mend it."""


class Fault(NamedTuple):
    """Why a row is not taken."""

    code: str
    sentence: str
    column: str | None = None


class BadRow(NamedTuple):
    """A row that could not even be laid out in columns."""

    line: int
    fault: Fault
    cells: dict[str, Any]


class Faults:
    """The first fault of each row, and how many more it has. Rows are counted from 0 without the header."""

    def __init__(self, rows: int) -> None:
        self.bad: NDArray[np.bool_] = np.zeros(rows, dtype=np.bool_)
        self._first: dict[int, Fault] = {}
        self._more: dict[int, int] = {}

    def add(self, row: int, code: str, sentence: str, column: str | None = None) -> None:
        """Note a fault of one row."""
        if self.bad[row]:
            self._more[row] = self._more.get(row, 0) + 1
            return
        self.bad[row] = True
        self._first[row] = Fault(code, sentence, column)

    def add_all(
        self, rows: Iterable[int], code: str, sentence: Callable[[int], str], column: str | None = None
    ) -> None:
        """Note the same kind of fault in several rows; ``sentence(row)`` words each."""
        for row in rows:
            self.add(int(row), code, sentence(int(row)), column)

    def of(self, row: int) -> Fault:
        """The first fault of a bad row, its sentence naming how many more there are."""
        fault, more = self._first[row], self._more.get(row, 0)
        if not more:
            return fault
        noun = "fault" if more == 1 else "faults"
        return fault._replace(sentence=f"{fault.sentence} The row has {more} more {noun}.")
