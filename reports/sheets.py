"""The look of every workbook: fonts, number formats, frozen heads, print set-up; text is always text.

Bytes depend on the content alone: the workbook is dated by its month, never by the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from math import ceil, isnan
from typing import Any, NamedTuple

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_rowcol_to_cell

from reports.labels import Labels
from reports.number_rows import NumberRows

FONT = "Microsoft YaHei"
INK, RULE, HEAD, SOFT, ALERT, GOOD = "#1F2933", "#C9D1D9", "#1F4E79", "#EEF3F8", "#B3261E", "#1B7F4B"
MONEY = "#,##0.00;[Red]-#,##0.00"
ENERGY = "0.000000;[Red]-0.000000"
PRICE = "#,##0.000000;[Red]-#,##0.000000"
EXACT_MONEY = "#,##0.00####;[Red]-#,##0.00####"
LINE_HEIGHT = 12.5  # points
OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}

Number = Decimal | float | int


class Check(NamedTuple):
    """A check cell: on which sheet, its name, the cell that must be 0, and what it is today."""

    sheet: str
    name: str
    cell: str
    value: float


class Book:
    """One workbook in memory with its few formats."""

    def __init__(self, title: str, month_after: date, labels: Labels) -> None:
        self._stream = BytesIO()
        self._book = xlsxwriter.Workbook(self._stream, OPTIONS)
        # No clock: a workbook is as old as the end of its month.
        self._book.set_properties({"title": title, "created": datetime.combine(month_after, time())})
        self.missing = labels("missing")
        self.verdicts = labels("check_ok"), labels("check_fails")
        self.formats = self._formats()
        self.checks: list[Check] = []

    def sheet(self, name: str, widths: Sequence[float], *, pages_wide: int = 1) -> Sheet:
        """A worksheet printed on A4 landscape, as wide as ``pages_wide`` pages."""
        worksheet = self._book.add_worksheet(name, NumberRows)
        worksheet.hide_gridlines(2)
        worksheet.set_landscape()
        worksheet.set_paper(9)
        worksheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        worksheet.fit_to_pages(pages_wide, 0)
        worksheet.set_footer("&L&8&A&R&8&P / &N")
        for column, width in enumerate(widths):
            worksheet.set_column(column, column, width)
        return Sheet(worksheet, self, widths)

    def finish(self) -> bytes:
        """Close the workbook; its bytes."""
        self._book.close()
        return self._stream.getvalue()

    def _formats(self) -> dict[str, Format]:
        base: dict[str, Any] = {"font_name": FONT, "font_size": 9, "font_color": INK, "valign": "vcenter"}
        cell = {**base, "bottom": 1, "bottom_color": RULE}
        styles: dict[str, dict[str, Any]] = {
            "title": {**base, "font_size": 15, "bold": True, "font_color": HEAD},
            "note": {**base, "font_color": "#5B6770", "italic": False},
            "head": {
                **base,
                "bold": True,
                "font_color": "#FFFFFF",
                "bg_color": HEAD,
                "align": "center",
                "text_wrap": True,
                "border": 1,
                "border_color": "#FFFFFF",
            },
            "key": {**cell, "bg_color": SOFT, "bold": True},
            "text": {**cell, "align": "left"},
            "centre": {**cell, "align": "center", "bold": True},
            "wrap": {**cell, "align": "left", "valign": "top", "text_wrap": True},
            "integer": {**cell, "num_format": "#,##0;[Red]-#,##0"},
            "money": {**cell, "num_format": MONEY},
            "exact": {**cell, "num_format": EXACT_MONEY},
            "energy": {**cell, "num_format": ENERGY},
            "price": {**cell, "num_format": PRICE},
            "share": {**cell, "num_format": "0.00%"},
            "date": {**cell, "num_format": "yyyy-mm-dd", "align": "left"},
            "missing": {**cell, "align": "right", "bold": True, "font_color": ALERT},
            "total": {**cell, "bold": True, "bg_color": SOFT, "top": 1, "top_color": HEAD},
            "total_money": {
                **cell,
                "bold": True,
                "bg_color": SOFT,
                "top": 1,
                "top_color": HEAD,
                "num_format": MONEY,
            },
            "total_exact": {
                **cell,
                "bold": True,
                "bg_color": SOFT,
                "top": 1,
                "top_color": HEAD,
                "num_format": EXACT_MONEY,
            },
            "total_energy": {
                **cell,
                "bold": True,
                "bg_color": SOFT,
                "top": 1,
                "top_color": HEAD,
                "num_format": ENERGY,
            },
            "good": {"font_color": GOOD, "bold": True},
            "bad": {"font_color": "#FFFFFF", "bg_color": ALERT, "bold": True},
        }
        return {name: self._book.add_format(style) for name, style in styles.items()}


class Sheet:
    """Writes cells by their meaning; rows and columns count from 0."""

    def __init__(self, worksheet: NumberRows, book: Book, widths: Sequence[float]) -> None:
        self.worksheet, self._book, self._formats, self._widths = worksheet, book, book.formats, widths
        self._lines: dict[int, int] = {}

    def title(self, title: str, note: str = "") -> None:
        """The first two rows."""
        self.worksheet.set_row(0, 26)
        self.worksheet.write_string(0, 0, title, self._formats["title"])
        self.worksheet.write_string(1, 0, note, self._formats["note"])

    def head(self, row: int, names: Sequence[str], *, freeze: bool = True) -> None:
        """A row of column heads; frozen, everything above and on it stays in view and on every printed page."""
        for column, name in enumerate(names):
            self.worksheet.write_string(row, column, name, self._formats["head"])
        if freeze:
            self.freeze(row + 1)

    def freeze(self, rows: int, columns: int = 0) -> None:
        """Keep the first rows and columns in view and on every printed page."""
        self.worksheet.freeze_panes(rows, columns)
        self.worksheet.repeat_rows(0, rows - 1)
        if columns:
            self.worksheet.repeat_columns(0, columns - 1)

    def text(self, row: int, column: int, value: str | None, style: str = "text") -> None:
        """Always text, whatever it begins with. A row is as high as its longest wrapped text needs."""
        self.worksheet.write_string(row, column, value or "", self._formats[style])
        if style == "wrap" and value:
            lines = ceil(text_width(value) / self._widths[column])
            if lines > self._lines.get(row, 1):
                self._lines[row] = lines
                self.worksheet.set_row(row, 3 + LINE_HEIGHT * lines)

    def number(self, row: int, column: int, value: Number | None, style: str) -> None:
        """A number, or the word for missing."""
        if value is None or isnan(value):
            self.worksheet.write_string(row, column, self._book.missing, self._formats["missing"])
        else:
            self.worksheet.write_number(row, column, float(value), self._formats[style])

    def maybe(self, row: int, column: int, value: Number | None, style: str, *, applies: bool) -> None:
        """A number where one applies, else an empty cell: what does not apply is not missing."""
        if applies:
            self.number(row, column, value, style)
        else:
            self.blank(row, column)

    def numbers(self, row: int, column: int, values: Sequence[float], *styles: str) -> None:
        """A row of numbers whose styles repeat from the left; NaN is written as missing."""
        if not isnan(sum(values)):
            self.worksheet.write_run(row, column, values, [self._formats[style] for style in styles])
            return
        for place, value in enumerate(values):
            self.number(row, column + place, value, styles[place % len(styles)])

    def blank(self, row: int, column: int, style: str = "text") -> None:
        """An empty cell of a style: what does not apply here."""
        self.worksheet.write_blank(row, column, None, self._formats[style])

    def day(self, row: int, column: int, value: date) -> None:
        """A date cell."""
        self.worksheet.write_datetime(row, column, value, self._formats["date"])

    def sum(self, row: int, column: int, first: int, last: int, value: Number, style: str) -> None:
        """A live SUM over rows first..last of this column; ``value`` is what it gives."""
        span = f"{xl_rowcol_to_cell(first, column)}:{xl_rowcol_to_cell(last, column)}"
        self.worksheet.write_formula(row, column, f"=SUM({span})", self._formats[style], float(value))

    def row_sum(self, row: int, first: int, last: int, column: int, value: Number, style: str) -> None:
        """A live SUM over columns first..last of this row."""
        span = f"{xl_rowcol_to_cell(row, first)}:{xl_rowcol_to_cell(row, last)}"
        self.worksheet.write_formula(row, column, f"=SUM({span})", self._formats[style], float(value))

    def less(self, row: int, column: int, of: int, by: int, value: Number, style: str) -> str:
        """A live difference of two rows of this column; its own cell."""
        cells = [xl_rowcol_to_cell(place, column) for place in (of, by)]
        self.worksheet.write_formula(
            row, column, f"=ROUND({cells[0]}-{cells[1]},9)", self._formats[style], float(value)
        )
        return str(xl_rowcol_to_cell(row, column))

    def span(self, row: int, first: int, last: int) -> str:
        """SUM over columns first..last of a row, for a formula."""
        return f"SUM({xl_rowcol_to_cell(row, first)}:{xl_rowcol_to_cell(row, last)})"

    def check(
        self, row: int, column: int, formula: str, decimals: int, value: Number, style: str, *, name: str = ""
    ) -> None:
        """A live check cell, green at 0 and red elsewhere; ``value`` is what it gives today.

        name: under which the book lists it with its verdict; without one it stands alone.
        """
        stated = round(float(value), decimals) + 0.0
        self.worksheet.write_formula(
            row, column, f"=ROUND({formula},{decimals})", self._formats[style], stated
        )
        self._coloured(row, column, "0")
        if name:
            sheet = self.worksheet.get_name()
            self._book.checks.append(Check(sheet, name, reference(sheet, row, column), stated))

    def same(self, row: int, column: int, cell: str, value: Number) -> None:
        """A live cell that shows another one."""
        self.worksheet.write_formula(row, column, f"={cell}", self._formats["exact"], float(value))

    def verdict(self, row: int, column: int, check: Check) -> None:
        """OK where the check cell is 0, live."""
        good, bad = self._book.verdicts
        self.worksheet.write_formula(
            row,
            column,
            f'=IF({check.cell}=0,"{good}","{bad}")',
            self._formats["centre"],
            bad if check.value else good,
        )
        self._coloured(row, column, f'"{good}"')

    def _coloured(self, row: int, column: int, good: str) -> None:
        for criteria, colours in (("==", "good"), ("!=", "bad")):
            self.worksheet.conditional_format(
                row,
                column,
                row,
                column,
                {"type": "cell", "criteria": criteria, "value": good, "format": self._formats[colours]},
            )


def text_width(text: str) -> float:
    """How wide text of 9 points stands, in the units of column widths; a Chinese letter is twice a Latin one."""
    chinese = (len(text.encode("utf-8")) - len(text)) / 2
    return 0.92 * (len(text) - chinese) + 1.85 * chinese


def reference(sheet: str, row: int, column: int) -> str:
    """A cell of another sheet, for a formula."""
    return f"'{sheet}'!{xl_rowcol_to_cell(row, column, row_abs=True, col_abs=True)}"
