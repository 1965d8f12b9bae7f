"""Long meter readings: one row a meter and interval of 15, 30 or 60 minutes, into days of 96 quarter-hours.

A coarser reading is split evenly in whole 1e-6 kWh; what does not divide goes to its first quarter-hour, so the
parts add up to it exactly. The quality of a day is that of its filled readings, by quarter-hour where they differ
(``market.quality``). A file is silent on a quarter-hour that it has no reading for; an empty reading of the quality
``missing`` withdraws what was known.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest import check, parse
from ingest.cells import Cells
from ingest.faults import Faults
from ingest.wide import Parsed
from market.curves import MISSING
from market.money import IntArray
from market.periods import PERIODS
from market.quality import PLACE, spoken
from market.tables import QUALITIES, Column, Quality, Table
from warehouse.curve_files import CurveRows

QUARTER = 15
DAY = PERIODS * QUARTER
INTERVALS = (15, 30, 60)


def read_long(table: Table, cells: Cells, known: dict[str, set[str]], faults: Faults) -> Parsed:
    """Typed curve rows, one a meter and day; a quarter-hour without a reading is missing.

    The interval of a meter is the column ``minutes`` where the file has it, else the largest of 60, 30 and 15
    that divides every distance between the meter's readings in the file.
    """
    meters = parse.column_values(cells, table.column("meter_id"), faults)
    quality = parse.column_values(cells, table.column("quality"), faults)
    starts = parse.local_minutes(cells, "interval_start", faults)
    parse.require(cells, "interval_start", faults)
    energy = parse.whole_numbers(cells, "kwh", table.curve_decimals, faults)
    check.references(table, {"meter_id": meters}, known, faults)
    same = check.same_values([quality])
    repeated = check.repetitions(
        check.key_codes([meters, pa.array(starts)]),
        lambda left, right: same(left, right) & (energy[left] == energy[right]),
        cells.lines,
        lambda row: f"meter_id {meters[row].as_py()}, interval_start {cells.text('interval_start', row)}",
        faults,
    )
    codes = check.key_codes([meters])
    intervals = _intervals(cells, codes, starts, ~repeated, faults)
    _check_starts(cells, starts, intervals, faults)
    _check_overlaps(cells, codes, starts, intervals, ~repeated, faults)
    taken = np.flatnonzero(~faults.bad & ~repeated)
    return _as_days(cells, meters, quality, starts, energy, intervals, taken, int(repeated.sum()))


def _intervals(
    cells: Cells, codes: IntArray, starts: IntArray, counted: NDArray[np.bool_], faults: Faults
) -> IntArray:
    if "minutes" in cells.columns:
        column = Column("minutes", codes=tuple(str(minutes) for minutes in INTERVALS))
        parse.require(cells, "minutes", faults)
        minutes = parse.whole_numbers(cells, "minutes", 0, faults)
        wrong = np.flatnonzero((minutes != MISSING) & ~np.isin(minutes, INTERVALS))
        faults.add_all(
            wrong,
            "bad_interval",
            lambda row: f"The cell minutes holds {minutes[row]}; it takes one of {', '.join(column.codes)}.",
            "minutes",
        )
        return np.where(np.isin(minutes, INTERVALS), minutes, QUARTER)
    rows = np.flatnonzero(counted & ~faults.bad)
    divisor = _common_distance(codes[rows], starts[rows], int(codes.max(initial=-1)) + 1)[codes]
    found = np.zeros(len(codes), dtype=np.int64)
    for minutes_long in INTERVALS:
        found[(divisor > 0) & (divisor <= max(INTERVALS)) & (divisor % minutes_long == 0)] = minutes_long
    on_quarter = starts % QUARTER == 0
    faults.add_all(
        np.flatnonzero(~faults.bad & on_quarter & (found == 0)),
        "unknown_interval",
        lambda _: (
            "The distances between this meter's readings do not tell whether they cover 15, 30 or 60 "
            "minutes; add a column minutes."
        ),
        "interval_start",
    )
    return np.where(found == 0, QUARTER, found)


def interval_of(starts: IntArray) -> int | None:
    """How long the readings of one meter are, by the distances of their starts in minutes; None where these do not tell."""
    divisor = int(_common_distance(np.zeros(len(starts), dtype=np.int64), starts, 1)[0])
    fitting = [minutes for minutes in INTERVALS if 0 < divisor <= max(INTERVALS) and divisor % minutes == 0]
    return max(fitting, default=None)


def _common_distance(codes: IntArray, starts: IntArray, size: int) -> IntArray:
    """By meter, the greatest common divisor of the distances between its readings; 0 for a single reading."""
    common = np.zeros(size, dtype=np.int64)
    on_quarter = starts % QUARTER == 0
    order = np.lexsort([starts[on_quarter], codes[on_quarter]])
    owner, start = codes[on_quarter][order], starts[on_quarter][order]
    step = np.diff(start)
    step[np.diff(owner) != 0] = 0
    np.gcd.at(common, owner[1:], step)
    return common


def _check_starts(cells: Cells, starts: IntArray, intervals: IntArray, faults: Faults) -> None:
    faults.add_all(
        np.flatnonzero((starts != MISSING) & (starts % intervals != 0)),
        "bad_interval",
        lambda row: (
            f"The reading starts at {cells.text('interval_start', row)}, but readings of "
            f"{intervals[row]} minutes start on full {intervals[row]} minutes."
        ),
        "interval_start",
    )


def _check_overlaps(
    cells: Cells,
    codes: IntArray,
    starts: IntArray,
    intervals: IntArray,
    counted: NDArray[np.bool_],
    faults: Faults,
) -> None:
    """Readings of different length over the same quarter-hour (only with a column ``minutes``)."""
    rows = np.flatnonzero(counted & ~faults.bad)
    order = rows[np.lexsort([starts[rows], codes[rows]])]
    same_meter = codes[order[1:]] == codes[order[:-1]]
    into_next = same_meter & (starts[order[:-1]] + intervals[order[:-1]] > starts[order[1:]])
    clashing = np.zeros(len(order), dtype=np.bool_)
    clashing[:-1] |= into_next
    clashing[1:] |= into_next
    faults.add_all(
        order[clashing],
        "conflicting_rows",
        lambda row: (
            f"The reading from {cells.text('interval_start', row)} over {intervals[row]} minutes covers "
            "a quarter-hour that another reading of the meter covers too; keep one of them."
        ),
    )


def _as_days(
    cells: Cells,
    meters: pa.StringArray,
    quality: pa.StringArray,
    starts: IntArray,
    energy: IntArray,
    intervals: IntArray,
    taken: IntArray,
    repeated: int,
) -> Parsed:
    days = (starts[taken] // DAY).astype(np.int32)
    codes = check.key_codes([meters.take(pa.array(taken)), pa.array(days)])
    _, first, row_of = np.unique(codes, return_index=True, return_inverse=True)
    values = np.full((len(first), PERIODS), MISSING, dtype=np.int64)
    said = np.full((len(first), PERIODS), -1, dtype=np.int64)
    period = starts[taken] % DAY // QUARTER
    parts = intervals[taken] // QUARTER
    whole = energy[taken]
    coded = quality.dictionary_encode()
    known = {
        quality.value: PLACE[quality] for quality in Quality
    }  # another code is a fault, its row not taken
    meaning = np.array([known.get(code, 0) for code in coded.dictionary.to_pylist()], dtype=np.int64)
    meant = meaning[coded.indices.take(pa.array(taken)).to_numpy()]
    for part in range(max(INTERVALS) // QUARTER):
        has = parts > part
        share = whole[has] // parts[has] + (whole[has] % parts[has] if part == 0 else 0)
        places = row_of[has], period[has] + part
        values[places] = np.where(whole[has] == MISSING, MISSING, share)
        empty = (whole[has] == MISSING) & (meant[has] != PLACE[Quality.MISSING])
        said[places] = np.where(empty, -1, meant[has])
    lines = np.full(len(first), np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(lines, row_of, cells.lines[taken])
    member = np.full(len(cells), -1, dtype=np.int64)
    member[taken] = row_of
    rows = CurveRows(
        {"meter_id": meters.take(pa.array(taken[first]))},
        days[first],
        pa.array(_qualities(said), pa.string()),
        values,
        lines,
    )
    return Parsed(rows, member, repeated, whole=False)


def _qualities(said: IntArray) -> list[str]:
    """Of every day what its readings say; the common days, of one code that withdraws nothing, at once."""
    low = np.where(said < 0, len(QUALITIES), said).min(axis=1).tolist()
    high = said.max(axis=1).tolist()
    return [
        QUALITIES[most].value if least == most and most != PLACE[Quality.MISSING] else spoken(said[row])
        for row, (least, most) in enumerate(zip(low, high, strict=True))
    ]
