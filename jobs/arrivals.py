"""Files that wait to be ingested: which they are and whose they are.

Nothing is moved or removed: the same bytes again are a no-op, so a file may lie where it came.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ingest.deliver import deliver_many, in_order, now
from ingest.ledger import Clock
from ingest.receipt import Receipt
from market.periods import Month
from market.tables import table_of_file
from warehouse.curve_files import PROVINCE
from warehouse.home import Home

FOLDER = "arrivals"  # in the home; where files are looked for when no path is given
METER_TABLE = "meter_readings"
CITY = re.compile(r"_([^\W\d_][^_]*)$")  # the last word of a name, unless it starts with a digit


QUIET = timedelta(seconds=30)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class EscapingPathError(ValueError):
    """A path leads out of where it may lead."""


class FileRejectedError(ValueError):
    """A file was refused whole; the sentences say why and how to mend each."""


def waiting(
    home: Home, paths: Sequence[str] = (), *, day: date | None = None, clock: Clock = now
) -> list[Path]:
    """The files at these paths and in these folders, in the order in which tables refer to each other.

    A relative path starts at the home and stays in it. Without paths the files in ``arrivals``, none where it does
    not exist; of these only those that nobody has written to for QUIET. day: leave out files whose name speaks of
    a later day, so that a past day is taken in as it would have been then; what came late for earlier days goes in.
    Raises FileNotFoundError for a path that leads nowhere, EscapingPathError for one that leads out of the home.
    """
    if paths:
        found = in_order(_inside(home, path) for path in paths)
    else:
        folder = home.root / FOLDER
        found = [file for file in in_order([folder]) if _quiet(file, clock())] if folder.is_dir() else []
    return [file for file in found if day is None or (last := _last_day(file)) is None or last <= day]


def named_day(text: str) -> date | None:
    """The day of a run as Airflow writes it; None for a run by hand without one."""
    return date.fromisoformat(text) if text not in ("", "None") else None


def _inside(home: Home, path: str) -> Path:
    if Path(path).is_absolute():
        return Path(path)
    root = home.root.resolve()
    if not (root / path).resolve().is_relative_to(root):
        raise EscapingPathError(
            f"{path} leads out of the home {home.root}; name a path in it, or an absolute one."
        )
    return home.root / path


def _quiet(file: Path, moment: datetime) -> bool:
    """A file that is still growing waits for the next look; a rename into place keeps the time of the last byte."""
    return moment - datetime.fromtimestamp(file.stat().st_mtime, UTC) >= QUIET


def _last_day(file: Path) -> date | None:
    """The latest day in a file's name; None where it names none, or something that is no day."""
    try:
        return max(map(date.fromisoformat, DAY.findall(file.stem)), default=None)
    except ValueError:
        return None


def is_meter_file(file: Path) -> bool:
    """True for a file of meter readings, by its name."""
    table = table_of_file(file.stem)
    return table is not None and table.name == METER_TABLE


def meter_files_by_city(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Meter files by the city that ends their names, ``province`` where none does; cities sorted."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in filter(is_meter_file, files):
        ending = CITY.search(file.stem.removeprefix(METER_TABLE))
        found[ending[1] if ending else PROVINCE].append(file)
    return dict(sorted(found.items()))


def deliver_waiting(home: Home, files: Sequence[Path], sender: str) -> list[Receipt]:
    """Deliver every file. Raises FileRejectedError at the end when one was refused; the others are in."""
    receipts = deliver_many(home, files, sender=sender)
    refused = [
        f"{receipt.file_name}: {receipt.reason}" for receipt in receipts if receipt.status == "rejected"
    ]
    if refused:
        raise FileRejectedError("\n".join(refused))
    return receipts


def months(receipts: Iterable[Receipt]) -> list[Month]:
    """The months that the delivered rows speak about, in order."""
    found: set[Month] = set()
    for receipt in receipts:
        if receipt.first_date is not None and receipt.last_date is not None:
            month = Month.of(receipt.first_date)
            while month.first <= receipt.last_date:
                found.add(month)
                month = Month.of(month.after)
    return sorted(found)


def brings_capability(receipts: Iterable[Receipt], day: date | None) -> bool:
    """Whether transfer capability of a delivery day is new or revised; False without a day."""
    return day is not None and any(
        one.table == "atc"
        and one.status in ("accepted", "partly")
        and one.accepted > one.unchanged
        and one.first_date is not None
        and one.last_date is not None
        and one.first_date <= day <= one.last_date
        for one in receipts
    )
