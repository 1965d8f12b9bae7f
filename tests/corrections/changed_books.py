"""The scenarios' plain market in any month, and files that change one thing of it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import pandas as pd

from ingest.deliver import deliver_many
from market.periods import LABELS, Month
from market.profiles import RuleProfile, profile
from warehouse.home import Home, home
from warehouse.runs import Run

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
JULY = Month(2022, 7)
MONTHLY = ("meter_readings", "positions", "prices", "contract_curves", "capacity_available", "trades")

Row = dict[str, str]
Change = Callable[[Row], Row]
Lines = dict[tuple[str, str], Decimal | None]


def base_rows(table: str) -> list[Row]:
    with (BASE / f"{table}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def in_month(table: str, month: Month) -> list[Row]:
    """The base rows of July as if they were of ``month`` (days it does not have are left out)."""
    moved = []
    for row in base_rows(table):
        if "month" in row:
            moved.append({**row, "month": str(month)})
        elif int(row["date"][-2:]) <= (month.after - month.first).days:
            number = {"trade_id": f"IP-{month}"} if "trade_id" in row else {}
            moved.append({**row, **number, "date": f"{month}-{row['date'][-2:]}"})
    return moved


def give(at: Home, table: str, rows: Iterable[Row]) -> None:
    """Deliver rows as a file of their own; every row must be taken, or the same bytes have come before."""
    rows = list(rows)
    folder = at.root / "written"
    folder.mkdir(exist_ok=True)
    file = folder / f"{table}_{len(list(folder.iterdir())):04d}.csv"
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (receipt,) = deliver_many(at, [file])
    assert receipt.status in ("accepted", "duplicate"), receipt
    assert receipt.quarantined == 0, receipt


def revise(at: Home, table: str, change: Row, month: Month = JULY, **where: str) -> None:
    """Deliver the rows that ``where`` names again with other cells; ``all`` in ``change`` sets the 96 values."""
    rows = in_month(table, month) if table in MONTHLY else base_rows(table)
    cells = dict.fromkeys(LABELS, change["all"]) if "all" in change else {}
    cells |= {name: value for name, value in change.items() if name != "all"}
    chosen = [{**row, **cells} for row in rows if all(row[name] == value for name, value in where.items())]
    assert chosen, (table, where)
    give(at, table, chosen)


def copied(of: Home, to: Path) -> Home:
    """A home of its own with the same content."""
    shutil.copytree(of.root, to)
    return home(to)


def lines_of(run: Run) -> Lines:
    frame = pd.read_parquet(run.folder / "lines.parquet")
    return {(row.participant_id, row.charge_code): row.amount_cny for row in frame.itertuples()}


def differences_of(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.folder / "differences.parquet")


def with_capacity_price(price: str, name: str = "SD_2022") -> RuleProfile:
    """The packaged profile with another capacity price, under a hash of its own."""
    base = profile(name)
    provincial = base.settled[0]
    entries = tuple(
        entry.model_copy(update={"value": Decimal(price)}) for entry in provincial.capacity_price_cny_per_mwh
    )
    rules = provincial.model_copy(update={"capacity_price_cny_per_mwh": entries})
    return base.model_copy(update={"provincial": rules, "sha256": f"{price:0>64}"})
