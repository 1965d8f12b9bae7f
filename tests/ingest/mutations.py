"""Real sample files cut small, and ways in which they may arrive damaged."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

RECORDS = (
    "participants",
    "meters",
    "contracts",
    "prices",
    "trades",
    "offers",
    "sections",
    "paths",
    "dr_events",
)
NASTY = (
    "", " ", "0", "-0", "-1", "+5", "NaN", "nan", "inf", "-Infinity", "1e400", "1e-7", "1E5", "0x10", "9" * 40, "1,5",
    "1 000", "１２", "１．５", "٣", "½", "12.3.4", "=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+A1", "'", '"', '""', '"a',
    'a"b', "2022-02-30", "0000-00-00", "9999-12-31", "-2022-07-01", "2022-7-1", "1900-01-01", "2022-07-01T25:00:00",
    "2022-07-01T00:15:00+08:00", "24:00", "../../etc/passwd", "..", "/", "\\", "a\nb", "a\rb", "a\tb", "\x00", "\x1f",
    "\ufeff", "\u3000", "\u202e", "龘" * 50, "x" * 5000, "济南", "😀", "null", "None", "#DIV/0!", "true", "jinan;drop",
)  # fmt: skip


def cut_sample(sample: Path, rows: int = 6) -> dict[str, bytes]:
    """Files of a few rows each: CSV as delivered, readings wide and long, Parquet, XLSX, GB18030."""
    files = {}
    for name in RECORDS:
        lines = (sample / f"{name}.csv").read_bytes().splitlines(keepends=True)
        files[f"{name}.csv"] = b"".join(lines[: rows + 1])
    readings = pq.read_table(sample / "meter_readings_2022-07_jinan.parquet").slice(0, rows)
    files["meter_readings_a.parquet"] = _parquet(readings)
    files["meter_readings_b.csv"] = _csv(readings)
    day = readings.column("date").to_pylist()[0]
    meter = readings.column("meter_id").to_pylist()[0]
    long = [f"{meter},{day}T{hour:02d}:00:00+08:00,{hour}.25,measured\n" for hour in range(24)]
    files["meter_readings_long.csv"] = ("meter_id,interval_start,kwh,quality\n" + "".join(long)).encode()
    files["participants_gb.csv"] = files["participants.csv"].decode("utf-8-sig").encode("gb18030")
    for name in ("contracts", "prices"):
        files[f"{name}_x.xlsx"] = _xlsx(files[f"{name}.csv"])
    return files


def mutated(name: str, content: bytes, rng: random.Random) -> bytes:
    """The file with one to three things wrong with it."""
    for _ in range(rng.randint(1, 3)):
        content = rng.choice(_ways(name))(content, rng)
    return content


Way = Callable[[bytes, random.Random], bytes]


def _ways(name: str) -> tuple[Way, ...]:
    if name.endswith(".xlsx"):
        return flip, cut, in_a_part, in_a_part, in_a_cell_of_a_sheet
    if name.endswith(".parquet"):
        return flip, cut, other_type, nasty_column, other_type
    return (
        flip,
        cut,
        insert,
        double,
        drop_row,
        repeat_row,
        join_rows,
        swap_rows,
        cell,
        cell,
        cell,
        column,
        encode,
    )


def flip(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def insert(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    piece = rng.choice((b'"', b"\n", b"\r", b",", b"\xff", b"\xef\xbb\xbf", b"\0", b"\r\n\r\n", b"\xa1\xa1"))
    return content[:place] + piece + content[place:]


def double(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    piece = content[start : start + rng.randrange(1, 300)]
    return content[:start] + piece + content[start:]


def _rows(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True) or [b""]


def drop_row(content: bytes, rng: random.Random) -> bytes:
    rows = _rows(content)
    del rows[rng.randrange(len(rows))]
    return b"".join(rows)


def repeat_row(content: bytes, rng: random.Random) -> bytes:
    rows = _rows(content)
    rows.insert(rng.randrange(len(rows) + 1), rng.choice(rows))
    return b"".join(rows)


def join_rows(content: bytes, rng: random.Random) -> bytes:
    rows = _rows(content)
    place = rng.randrange(len(rows))
    rows[place] = rows[place].rstrip(b"\r\n")
    return b"".join(rows)


def swap_rows(content: bytes, rng: random.Random) -> bytes:
    rows = _rows(content)
    rng.shuffle(rows)
    return b"".join(rows)


def cell(content: bytes, rng: random.Random) -> bytes:
    rows = _rows(content)
    place = rng.randrange(len(rows))
    cells = rows[place].split(b",")
    value = rng.choice(NASTY)
    quoted = rng.random() < 0.3
    text = '"' + value.replace('"', '""') + '"' if quoted else value
    cells[rng.randrange(len(cells))] = text.encode("utf-8", "surrogatepass")
    rows[place] = b",".join(cells)
    if not rows[place].endswith(b"\n"):
        rows[place] += b"\n"
    return b"".join(rows)


def column(content: bytes, rng: random.Random) -> bytes:
    """A column twice, away, renamed or moved."""
    rows = [row.rstrip(b"\r\n").split(b",") for row in _rows(content)]
    place = rng.randrange(len(rows[0]))
    what = rng.randrange(4)
    for number, row in enumerate(rows):
        if place >= len(row):
            continue
        if what == 0:
            row.insert(place, row[place])
        elif what == 1:
            del row[place]
        elif what == 2 and number == 0:
            row[place] = rng.choice(
                (b"", b" ", b"date", b"00:00", b"\xe7\x94\xb5\xe9\x87\x8f", row[place].upper())
            )
        elif what == 3:
            row.append(row.pop(place))
    return b"\n".join(b",".join(row) for row in rows) + b"\n"


def encode(content: bytes, rng: random.Random) -> bytes:
    text = content.decode("utf-8", "replace")
    codec = rng.choice(
        ("utf-16", "utf-16-le", "gb18030", "utf-8-sig", "latin-1", "utf-7", "big5", "shift_jis")
    )
    return text.encode(codec, "replace")


def in_a_part(content: bytes, rng: random.Random) -> bytes:
    """Damage inside one part of a workbook that unpacks without complaint."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = {name: packed.read(name) for name in packed.namelist()}
    except Exception:  # noqa: BLE001  it was damaged before
        return flip(content, rng)
    name = rng.choice(sorted(parts))
    way = rng.choice((flip, cut, double, _tag))
    parts[name] = way(parts[name], rng)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for part, data in parts.items():
            packed.writestr(part, data)
    return target.getvalue()


def _tag(content: bytes, rng: random.Random) -> bytes:
    """Another number or word in an attribute or a value."""
    found = list(re.finditer(rb'"[^"]*"|>[^<]+<', content))
    if not found:
        return content
    place = rng.choice(found)
    value = rng.choice(
        (b"-1", b"99999999999", b"", b"x", b"1e999", b"A0", b"XFE1", b"&amp;", b"&lol;", b"\xff")
    )
    return content[: place.start() + 1] + value + content[place.end() - 1 :]


def in_a_cell_of_a_sheet(content: bytes, rng: random.Random) -> bytes:
    try:
        book = openpyxl.load_workbook(io.BytesIO(content))
    except Exception:  # noqa: BLE001  it was damaged before
        return flip(content, rng)
    sheet = book.worksheets[0]
    values = (1.5, -0.0, 1e308, True, None, 10**20, "=A1", "#N/A", "2022-07-01", "x" * 3000, "１２", -3)
    where = sheet.cell(
        rng.randint(1, max(sheet.max_row, 1) + 1), rng.randint(1, max(sheet.max_column, 1) + 1)
    )
    where.value = rng.choice(values)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def other_type(content: bytes, rng: random.Random) -> bytes:
    table = _table(content)
    if table is None:
        return flip(content, rng)
    place = rng.randrange(table.num_columns)
    count = table.num_rows
    array = rng.choice(
        (
            pa.array([None] * count, pa.string()),
            pa.array([float("nan")] * count),
            pa.array([float("inf"), *[1.25] * count][:count]),
            pa.array([2**63 - 1] * count),
            pa.array([b"\xff\xfe"] * count),
            pa.array([[1]] * count),
            pa.array([1.5] * count, pa.float32()),
            pa.array([True] * count),
            pa.array(["2022-07-01"] * count).dictionary_encode(),
            pa.array([10**18] * count, pa.timestamp("ns", "UTC")),
            pa.array([1] * count, pa.duration("s")),
            pa.array([2**40] * count, pa.timestamp("s")),
            pa.array([2**30] * count, pa.date32()),
            pa.array([-1] * count, pa.time32("s")),
        )
    )
    return _parquet(table.set_column(place, table.column_names[place], array))


def nasty_column(content: bytes, rng: random.Random) -> bytes:
    table = _table(content)
    if table is None:
        return flip(content, rng)
    place = rng.randrange(table.num_columns)
    texts = pa.array([rng.choice(NASTY) for _ in range(table.num_rows)], pa.string())
    return _parquet(table.set_column(place, table.column_names[place], texts))


def _table(content: bytes) -> pa.Table | None:
    try:
        return pq.read_table(io.BytesIO(content))
    except Exception:  # noqa: BLE001  it was damaged before
        return None


def _parquet(table: pa.Table) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target)
    return target.getvalue()


def _csv(table: pa.Table) -> bytes:
    target = io.BytesIO()
    pa_csv.write_csv(table, target, pa_csv.WriteOptions(quoting_style="none"))
    return target.getvalue().replace(b'"', b"")


def _xlsx(content: bytes) -> bytes:
    book = openpyxl.Workbook()
    for row in content.decode("utf-8-sig").splitlines():
        book.active.append([float(one) if re.fullmatch(r"\d+\.\d+", one) else one for one in row.split(",")])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
