"""Files that wait to be ingested: which they are and whose they are.

Nothing is moved or removed: the same bytes again are a no-op, so a file may lie where it came.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ingest.deliver import deliver_many, in_order
from ingest.receipt import Receipt
from market.periods import Month
from market.tables import table_of_file
from warehouse.curve_files import PROVINCE
from warehouse.home import Home

FOLDER = "arrivals"  # in the home; where files are looked for when no path is given
METER_TABLE = "meter_readings"
CITY = re.compile(r"_([^\W\d_][^_]*)$")  # the last word of a name, unless it starts with a digit


class FileRejectedError(ValueError):
    """A file was refused whole; the sentences say why and how to mend each."""


def waiting(home: Home, paths: Sequence[str] = ()) -> list[Path]:
    """The files at these paths and in these folders, in the order in which tables refer to each other.

    A relative path starts at the home. Without paths the files in ``arrivals``, none where it does not exist.
    Raises FileNotFoundError for a path that leads nowhere.
    """
    if paths:
        return in_order(home.root / path for path in paths)
    folder = home.root / FOLDER
    return in_order([folder]) if folder.is_dir() else []


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
