"""Rows out of quarantine: mended cells make a file of their own, which is delivered like any other.

A row that goes back in is newer than what it was put away from, but older than what was delivered since: where a
later delivery holds its key, it is refused, so that an old value never covers a newer one.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ingest import parse
from ingest.cells import Cells, concatenated
from ingest.faults import Faults
from ingest.files import batches
from ingest.layout import Layout, laid_out
from ingest.long import QUARTER, interval_of, read_long
from ingest.record_rows import read_record_rows
from ingest.take import known_references
from ingest.wide import read_wide
from market.curves import MISSING
from market.periods import LABELS, PERIODS
from market.tables import TABLES, Kind, Table
from warehouse.curve_files import day_of, key_columns
from warehouse.curve_parts import BoolArray, speaks
from warehouse.curves import curve_days
from warehouse.deliveries import inbox_path
from warehouse.home import Home, engine
from warehouse.models import Arrival, Delivery, QuarantineDecision
from warehouse.records import read_records

Row = dict[str, str]
Key = tuple[str, ...]
Holders = list[tuple[str, BoolArray]]  # deliveries that made a row, and the quarter-hours each brought
MINUTES = "minutes"


class Said(NamedTuple):
    """What a row speaks of: a key, and of readings the (96,) quarter-hours (of other rows all)."""

    key: Key
    periods: BoolArray


class ReleaseRefusedError(ValueError):
    """The rows cannot leave quarantine as they are; the sentence says why and how to mend it."""


@dataclass(frozen=True)
class Draft:
    """The file that carries rows out of quarantine. lines: by its own line, the line in the file a row came from."""

    name: str
    content: bytes
    lines: dict[int, int]


@dataclass(frozen=True)
class Examined:
    """Why drafted rows may not go in, as a sentence by line of the file they came from.

    wrong: a row has a fault still. covered: a delivery that came later holds its key.
    """

    wrong: dict[int, str]
    covered: dict[int, str]


def drafted(
    home: Home, delivery: Delivery, lines: Collection[int], corrections: Mapping[int, Mapping[str, str]]
) -> Draft:
    """The rows at ``lines`` of a delivered file with their corrected cells, as a CSV file of the same table.

    A long reading goes alone, with its length in the column ``minutes``: what the other readings of its meter told.
    Raises ReleaseRefusedError for a correction that names an unknown column, or a row without columns of its own
    that is not given whole.
    """
    table = TABLES[str(delivery.table_name)]
    header, layout, rows = _chosen(home, table, delivery, frozenset(lines))
    if layout is Layout.LONG and MINUTES not in header:
        header.append(MINUTES)
    for line in sorted(set(lines) - rows.keys()):
        rows[line] = _given_whole(header, line, corrections.get(line, {}))
    for line, cells in corrections.items():
        unknown = sorted(cells.keys() - set(header))
        if unknown:
            raise ReleaseRefusedError(
                f"Row {line} of {delivery.file_name} has no column {', '.join(unknown)}; it has {', '.join(header)}."
            )
        rows[line] |= cells
    if layout is Layout.LONG:
        _tell_minutes(home, table, delivery, rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    places: dict[int, int] = {}
    for line in sorted(rows):
        places[text.getvalue().count("\n") + 1] = line  # a cell may hold a line break
        writer.writerow(rows[line])
    text.write(
        "\n"
    )  # a blank line is no row, but sets the bytes apart from those of a file that held just these rows
    ends = sorted({min(lines), max(lines)})
    name = f"{table.name}_released_{delivery.delivery_id[:16]}_{'-'.join(map(str, ends))}.csv"
    return Draft(name, text.getvalue().encode(), places)


def examined(home: Home, delivery: Delivery, draft: Draft) -> Examined:
    """Parse and check a draft as its delivery will be, and look for what came later."""
    table = TABLES[str(delivery.table_name)]
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=home.quarantine) as folder:
        file = Path(folder) / draft.name
        file.write_bytes(draft.content)
        layout, cells = laid_out(table, concatenated(list(batches(file))), file.name)
    faults = Faults(len(cells))
    said = _said(home, table, layout, cells, faults)
    newer = newer_than(home, table, delivery, said)
    lines = [draft.lines[place] for place in cells.lines.tolist()]
    wrong = {lines[row]: faults.of(row).sentence for row in np.flatnonzero(faults.bad).tolist()}
    covered = {
        lines[
            row
        ]: f"{name}, which came after {delivery.file_name}, holds {', '.join(said[row].key)}; the older row would "
        "cover it. Reject the row, or deliver what is right as a file of its own."
        for row, name in newer.items()
    }
    return Examined(wrong, covered)


def newer_than(home: Home, table: Table, delivery: Delivery, said: Mapping[int, Said]) -> dict[int, str]:
    """By row, the name of a delivery that came later and holds what the row speaks of."""
    wanted = {one.key for one in said.values()}
    holders = _curve_holders(home, table, wanted) if table.is_curve else _record_holders(home, table, wanted)
    with Session(engine(home)) as session:
        came = first_arrivals(session)
        query = select(Delivery.delivery_id, Delivery.file_name)
        names = {row.delivery_id: row.file_name for row in session.execute(query)}
    mine = came.get(delivery.delivery_id, 0)
    return {
        row: names[holder]
        for row, one in said.items()
        for holder, periods in holders.get(one.key, ())
        if came.get(holder, 0) > mine and (periods & one.periods).any()
    }


def first_arrivals(session: Session) -> dict[str, int]:
    """By delivery, the number of its first arrival: the order in which files came, however often they did.

    Rows that waited and went in by themselves are as old as the file they came in.
    """
    query = select(Arrival.delivery_id, func.min(Arrival.number).label("first")).group_by(Arrival.delivery_id)
    came = {row.delivery_id: int(row.first) for row in session.execute(query)}
    by_themselves = select(QuarantineDecision.released_as, QuarantineDecision.delivery_id).where(
        QuarantineDecision.decision == "arrived"
    )
    for released_as, origin in session.execute(by_themselves):
        came[str(released_as)] = min(came[str(released_as)], came[origin])
    return came


def _chosen(
    home: Home, table: Table, delivery: Delivery, lines: frozenset[int]
) -> tuple[list[str], Layout, dict[int, Row]]:
    rows: dict[int, Row] = {}
    header: list[str] = []
    found = Layout.RECORDS
    for layout, cells in _laid(home, table, delivery):
        found, header = layout, list(cells.columns)
        for place in np.flatnonzero(np.isin(cells.lines, list(lines))).tolist():
            rows[int(cells.lines[place])] = _texts(table, cells, place)
    return header, found, rows


def _laid(home: Home, table: Table, delivery: Delivery) -> Iterator[tuple[Layout, Cells]]:
    path = home.inbox / inbox_path(delivery.delivery_id, delivery.file_name)
    for cells in batches(path):
        yield laid_out(table, cells, path.name)


def _given_whole(header: list[str], line: int, cells: Mapping[str, str]) -> Row:
    if set(header) - cells.keys():
        raise ReleaseRefusedError(
            f"The row on line {line} did not fit the header, so its cells cannot be told apart; give every column "
            f"({', '.join(header[:5])} …) as a correction, or deliver it as a file of its own."
        )
    return dict.fromkeys(header, "")


def _tell_minutes(home: Home, table: Table, delivery: Delivery, rows: dict[int, Row]) -> None:
    """Write the length of every long reading that does not say it into its row, where it can be told."""
    unsaid = {row["meter_id"] for row in rows.values() if not row.get(MINUTES)}
    starts: dict[str, list[int]] = defaultdict(list)
    for _, cells in _laid(home, table, delivery) if unsaid else ():
        _note_starts(cells, starts)
    drafted_rows = list(rows.values())
    own = {
        name: pa.array([row[name] for row in drafted_rows], pa.string())
        for name in ("meter_id", "interval_start")
    }
    _note_starts(Cells(own, np.arange(len(drafted_rows), dtype=np.int32)), starts)
    for row in drafted_rows:
        if not row.get(MINUTES):
            minutes = interval_of(np.array(starts[row["meter_id"]], dtype=np.int64))
            row[MINUTES] = "" if minutes is None else str(minutes)


def _note_starts(cells: Cells, starts: dict[str, list[int]]) -> None:
    minutes = parse.local_minutes(cells, "interval_start", Faults(len(cells))).tolist()
    for place, start in enumerate(minutes):
        if start != MISSING:
            starts[cells.text("meter_id", place)].append(start)


def _texts(table: Table, cells: Cells, place: int) -> Row:
    return {name: _text(table, cells, name, place) for name in cells.columns}


def _text(table: Table, cells: Cells, name: str, place: int) -> str:
    """A cell as text; a binary fraction with the decimals that are kept of it."""
    binary = name in cells.binary and bool(cells.binary[name][place])
    decimals = _decimals(table, name)
    text = cells.text(name, place)
    if not text or decimals is None or not (binary or _is_float(cells, name)):
        return text
    one = Cells({name: cells.columns[name].slice(place, 1)}, cells.lines[place : place + 1])
    if binary:
        one.binary[name] = np.ones(1, dtype=np.bool_)
    (whole,) = parse.whole_numbers(one, name, decimals, Faults(1)).tolist()
    return text if whole == MISSING else f"{Decimal(whole).scaleb(-decimals):f}"


def _is_float(cells: Cells, name: str) -> bool:
    return str(cells.columns[name].type) in ("double", "float", "halffloat")


def _decimals(table: Table, name: str) -> int | None:
    if table.is_curve and (name in LABELS or name == "kwh"):
        return table.curve_decimals
    for column in table.columns:
        if column.name == name and column.kind in (Kind.DECIMAL, Kind.INTEGER, Kind.FLAG):
            return column.decimals
    return None


def _said(home: Home, table: Table, layout: Layout, cells: Cells, faults: Faults) -> dict[int, Said]:
    """What every good row speaks of: of records the key, of curves the day and the rest of the key, and when."""
    known = known_references(home, table)
    always = np.ones(PERIODS, np.bool_)
    if layout is Layout.RECORDS:
        records = read_record_rows(table, cells, known, faults)
        place = {line: row for row, line in enumerate(cells.lines.tolist())}
        keys = zip(*(records.columns[name] for name in table.key), strict=True)
        return {
            place[line]: Said(tuple(map(str, key)), always)
            for line, key in zip(records.lines, keys, strict=True)
        }
    parsed = (read_wide if layout is Layout.WIDE else read_long)(table, cells, known, faults)
    rows = parsed.rows
    columns = [rows.keys[name].to_pylist() for name in key_columns(table)]
    of_curve = list(zip([str(day_of(day)) for day in rows.days], *columns, strict=True))
    spoken = speaks(rows.values, rows.quality)
    if layout is Layout.LONG:
        return {
            row: Said(of_curve[of], _periods(cells, row))
            for row, of in enumerate(parsed.member.tolist())
            if of >= 0 and not faults.bad[row]
        }
    return {
        row: Said(of_curve[of], spoken[of])
        for row, of in enumerate(parsed.member.tolist())
        if of >= 0 and not faults.bad[row]
    }


def _periods(cells: Cells, row: int) -> BoolArray:
    """(96,) the quarter-hours that a good long row covers."""
    one = Cells(
        {name: cells.columns[name].slice(row, 1) for name in cells.columns}, cells.lines[row : row + 1]
    )
    (start,) = parse.local_minutes(one, "interval_start", Faults(1)).tolist()
    first = start % (PERIODS * QUARTER) // QUARTER
    covered = np.zeros(PERIODS, np.bool_)
    covered[first : first + int(cells.text(MINUTES, row)) // QUARTER] = True
    return covered


def _curve_holders(home: Home, table: Table, keys: Collection[Key]) -> dict[Key, Holders]:
    if not keys:
        return {}
    days = [date.fromisoformat(key[0]) for key in keys]
    found: dict[Key, Holders] = {}
    names = key_columns(table)
    for day in curve_days(home, table.name, min(days), max(days) + timedelta(days=1)):
        there = zip(*(day.keys[name].to_pylist() for name in names), strict=True)
        for row, rest in enumerate(there):
            if (key := (str(day.date), *rest)) in keys:
                found[key] = day.brought(row)
    return found


def _record_holders(home: Home, table: Table, keys: Collection[Key]) -> dict[Key, Holders]:
    frame = read_records(home, table.name)
    always = np.ones(PERIODS, np.bool_)
    rows = zip(*(frame[name] for name in table.key), frame["delivery_id"], strict=True)
    known = {tuple(map(str, row[:-1])): str(row[-1]) for row in rows}
    return {key: [(known[key], always)] for key in keys if key in known}
