"""How fast readings go in, and how much memory that takes: ``python -m benchmarks.ingest [--readings 1 10 100]``.

Each case runs in a process of its own in a fresh home; wide Parquet is measured against bare pyarrow that reads and
writes the same file in the same process (architecture §3). A reading is one quarter-hour of one meter. The peak is
that of the whole process, interpreter and libraries with it.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FORMS = ("parquet", "csv", "long", "xlsx")
MOST = {"xlsx": 10}
METERS = 2000
MILLION = 1_000_000
ANY_DAY = b"YYYY-MM-DD"


def main() -> None:
    """Measure every form at every size and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, nargs="+", default=[1, 10, 100], help="millions")
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=FORMS)
    parser.add_argument("--folder", type=Path, default=None, help="where the files are made")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure(arguments.one[0], int(arguments.one[1]), Path(arguments.one[2]))
        return
    print(
        f"{'form':8} {'readings':>11} {'file MB':>8} {'seconds':>8} {'cpu s':>7} {'readings/s':>11} {'peak MB':>8} ratio"
    )
    for form in arguments.forms:
        for millions in arguments.readings:
            if millions > MOST.get(form, 100):
                continue
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                make(form, millions, Path(folder))
                command = [sys.executable, "-m", "benchmarks.ingest", "--one", form, str(millions), folder]
                done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{form:8} {done['readings']:>11,} {done['file_mb']:>8.1f} {done['seconds']:>8.2f} {done['cpu']:>7.2f} "
                f"{done['readings'] / done['seconds']:>11,.0f} {done['peak_mb']:>8.0f} {done.get('ratio', '')}",
                flush=True,
            )


def make(form: str, millions: int, folder: Path) -> None:
    """A file of readings in rows by date, in a process of its own so that its memory does not count."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    from market.periods import LABELS

    rng = np.random.default_rng(1)
    days = max(round(millions * MILLION / 96 / METERS), 1)
    ids = pa.array([f"M{number:06d}" for number in range(METERS)])
    quality = pa.array(["measured"] * METERS)

    def day_table(number: int) -> pa.Table:
        day = date(2021, 1, 1) + timedelta(days=number)
        values = np.round(rng.random((METERS, 96)) * 50, 3)
        columns = {"meter_id": ids, "date": pa.array([day] * METERS), "quality": quality}
        return pa.table(columns | {label: pa.array(values[:, place]) for place, label in enumerate(LABELS)})

    if form == "parquet":
        with pq.ParquetWriter(folder / "meter_readings.parquet", day_table(0).schema) as writer:
            for number in range(days):
                writer.write_table(day_table(number))
    elif form == "csv":
        with (folder / "meter_readings.csv").open("wb") as stream:
            for number in range(days):
                pa_csv.write_csv(day_table(number), stream, pa_csv.WriteOptions(include_header=number == 0))
    elif form == "long":
        bodies = [_long_day(rng) for _ in range(min(days, 8))]  # days after the eighth repeat their readings
        with (folder / "meter_readings.csv").open("wb") as stream:
            stream.write(b"meter_id,interval_start,kwh,quality\n")
            for number in range(days):
                day = date(2021, 1, 1) + timedelta(days=number)
                stream.write(bodies[number % len(bodies)].replace(ANY_DAY, str(day).encode()))
    else:
        import xlsxwriter

        book = xlsxwriter.Workbook(folder / "meter_readings.xlsx", {"constant_memory": True})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["meter_id", "date", "quality", *LABELS])
        for number in range(days):
            for place, row in enumerate(day_table(number).to_pylist()):
                values = [str(value) if isinstance(value, date) else value for value in row.values()]
                sheet.write_row(1 + number * METERS + place, 0, values)
        book.close()


def _long_day(rng: np.random.Generator) -> bytes:
    """The rows of every meter on ANY_DAY."""
    stamps = [f"{start // 60:02d}:{start % 60:02d}:00+08:00" for start in range(0, 1440, 15)]
    rows = [
        b"M%06d,%sT%s,%s,measured\n" % (place, ANY_DAY, stamp.encode(), str(value / 1000).encode())
        for place in range(METERS)
        for stamp, value in zip(stamps, rng.integers(0, 50_000, 96).tolist(), strict=True)
    ]
    return b"".join(rows)


def measure(form: str, millions: int, folder: Path) -> None:
    """Deliver the file into a fresh home and print what it took as JSON."""
    del millions  # stands in the command line for whoever looks at the processes
    from ingest.deliver import deliver
    from warehouse.home import create, home

    at = home(folder / "home")
    create(at)
    people = "".join(f"U{n},u{n},wholesale_user,city{n % 16},2020-01-01,\n" for n in range(METERS))
    meters = "".join(f"M{n:06d},U{n},1,1,2020-01-01,\n" for n in range(METERS))
    (folder / "participants.csv").write_text("participant_id,name,kind,city,valid_from,valid_to\n" + people)
    (folder / "meters.csv").write_text(
        "meter_id,participant_id,multiplier,direction,valid_from,valid_to\n" + meters
    )
    deliver(at, folder / "participants.csv")
    deliver(at, folder / "meters.csv")
    file = next(folder.glob("meter_readings.*"))
    begun, used = time.perf_counter(), time.process_time()
    receipt = deliver(at, file)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    assert receipt.status == "accepted", receipt
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {
        "readings": receipt.rows * (1 if form == "long" else 96),
        "file_mb": file.stat().st_size / 1e6,
        "seconds": seconds,
        "cpu": cpu,
        "peak_mb": peak,
    }
    if form == "parquet":
        bare, bare_cpu = rewrite(file, folder / "again.parquet")
        result["ratio"] = (
            f"{seconds / bare:.1f}x of bare pyarrow ({bare:.2f} s; by cpu {cpu / bare_cpu:.1f}x)"
        )
    shutil.rmtree(at.root)
    print(json.dumps(result))


def rewrite(file: Path, target: Path) -> tuple[float, float]:
    """Seconds and processor seconds in which bare pyarrow reads a file and writes it again, batch by batch."""
    import pyarrow.parquet as pq

    begun, used = time.perf_counter(), time.process_time()
    with (
        pq.ParquetFile(file) as opened,
        pq.ParquetWriter(target, opened.schema_arrow, compression="zstd") as writer,
    ):
        for batch in opened.iter_batches():
            writer.write_batch(batch)
    return time.perf_counter() - begun, time.process_time() - used


if __name__ == "__main__":
    main()
