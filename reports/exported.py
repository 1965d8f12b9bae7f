"""Exported lines as CSV that Excel opens: UTF-8 with BOM, CRLF, text that cannot become a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

import pandas as pd

from reports.lines_csv import BOM, inert
from reports.masking import Masked

LINE = (
    "participant_id",
    "charge_code",
    "city",
    "quantity_mwh",
    "price_cny_per_mwh",
    "amount_cny",
    "quality",
    "clause",
)


def lines_csv(lines: pd.DataFrame, alias: str) -> bytes:
    """Lines in clear, with the run they are of."""
    rows = ((alias, *(getattr(row, name) for name in LINE)) for row in lines.itertuples())
    return _csv(("run", *LINE), rows)


def masked_csv(of: Masked) -> bytes:
    """Masked lines."""
    return _csv(list(of.lines.columns), of.lines.itertuples(index=False))


def groups_csv(of: Masked) -> bytes:
    """Sums of the groups; empty where one participant would show through."""
    return _csv(list(of.groups.columns), of.groups.itertuples(index=False))


def _csv(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return (BOM + out.getvalue()).encode("utf-8")


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124  # NaN
        return ""
    return inert(value) if isinstance(value, str) else value
