"""What a delivery changed in a record table, column by column, and its energy and money where the row has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, select

from market.curves import filled
from market.money import scaled, wide_sum
from market.tables import Kind, Table
from warehouse.curves import curve_days
from warehouse.home import Home, engine
from warehouse.models import RECORDS, Delivery

WH_A_MW_QUARTER = 250_000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class RecordChange:
    """One key. changed: by column, the text before and after; all columns of a new key have an empty before."""

    key: tuple[str, ...]
    known_before: bool
    changed: dict[str, tuple[str, str]]
    net_wh: int = 0
    moved_wh: int = 0
    nano: int | None = None


def record_changes(home: Home, table: Table, delivery: Delivery) -> Iterator[RecordChange]:
    """The changes of a delivery, by key."""
    now = RECORDS[table.name].alias("now")
    before = RECORDS[table.name].alias("before")
    same = and_(
        *(now.c[name] == before.c[name] for name in table.key), before.c.revision == now.c.revision - 1
    )
    names = [column.name for column in table.columns]
    query = (
        select(
            *(now.c[name].label(f"now_{name}") for name in names),
            *(before.c[name].label(f"before_{name}") for name in names),
            now.c.revision,
        )
        .outerjoin(before, same)
        .where(now.c.delivery_id == delivery.delivery_id)
        .order_by(*(now.c[name] for name in table.key))
    )
    with engine(home).connect() as connection:
        rows = connection.execute(query).mappings().all()
    weigh = _WEIGHED.get(table.name)
    for row in rows:
        old = {name: row[f"before_{name}"] if row["revision"] > 1 else None for name in names}
        new = {name: row[f"now_{name}"] for name in names}
        changed = {
            column.name: (
                _text(old[column.name], column.kind, column.decimals),
                _text(new[column.name], column.kind, column.decimals),
            )
            for column in table.columns
            if old[column.name] != new[column.name]
        }
        net, moved, nano = weigh(home, old if row["revision"] > 1 else {}, new) if weigh else (0, 0, None)
        yield RecordChange(
            tuple(str(new[name]) for name in table.key), row["revision"] > 1, changed, net, moved, nano
        )


def _text(value: Any, kind: Kind, decimals: int) -> str:
    if value is None:
        return ""
    return f"{Decimal(value).scaleb(-decimals):f}" if kind is Kind.DECIMAL else str(value)


Weighed = tuple[int, int, int | None]


def _contract(home: Home, old: Row, new: Row) -> Weighed:
    """A contract's price, on all energy of its curves; a new contract moves money with its curves only."""
    if not old:
        return 0, 0, 0
    change = new["price_cny_per_mwh"] - old["price_cny_per_mwh"]
    wh = 0
    for day in curve_days(home, "contract_curves", new["valid_from"], new["valid_from"].replace(year=2100)):
        here = [
            row for row, key in enumerate(day.keys["contract_id"].to_pylist()) if key == new["contract_id"]
        ]
        wh += wide_sum(filled(day.values[here]))
    return 0, 0, wh * change


def _trade(home: Home, old: Row, new: Row) -> Weighed:
    """What the buyer pays for executed power: MW (1e-6) for a quarter-hour at the landed price."""
    del home

    def paid(row: Row) -> tuple[int, int]:
        if not row:
            return 0, 0
        wh = row["executed_buy_mw"] * WH_A_MW_QUARTER // scaled(1, 6)
        return wh, wh * row["landed_price"]

    (before, owed), (after, owes) = paid(old), paid(new)
    return after - before, abs(after - before), owes - owed


def _received(home: Home, old: Row, new: Row) -> Weighed:
    """A line of the trading centre's statement: its own quantity and amount."""
    del home
    wh = new["quantity_mwh"] - (old["quantity_mwh"] if old else 0)
    fen = new["amount_cny"] - (old["amount_cny"] if old else 0)
    return wh, abs(wh), fen * 10_000_000


_WEIGHED: dict[str, Callable[[Home, Row, Row], Weighed]] = {
    "contracts": _contract,
    "trades": _trade,
    "statements_received": _received,
}
