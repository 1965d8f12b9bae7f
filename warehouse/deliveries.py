"""Which deliveries a reader may see: the ingest ledger as a condition and as lists."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from warehouse.home import Home, engine
from warehouse.models import Delivery

TAKEN = ("accepted", "partly")


class Input(NamedTuple):
    """One delivered file that took part in something, with how many of its rows did."""

    delivery_id: str
    file_name: str
    rows: int

    @property
    def path(self) -> str:
        """Where the file stands, relative to the inbox."""
        return inbox_path(self.delivery_id, self.file_name)


def inbox_path(delivery_id: str, file_name: str) -> str:
    """Where a delivered file stands, relative to the inbox."""
    return f"{delivery_id[:16]}/{file_name}"


def visible(as_of: datetime | None, delivered: Collection[str] | None) -> ColumnElement[bool]:
    """True for deliveries that were taken, were recorded by ``as_of``, and are among ``delivered``.

    as_of: a moment with its zone; None for now. delivered: delivery ids; None for all.
    """
    conditions: list[ColumnElement[bool]] = [Delivery.status.in_(TAKEN)]
    if as_of is not None:
        conditions.append(Delivery.recorded_at <= as_of)
    if delivered is not None:
        conditions.append(Delivery.delivery_id.in_(sorted(delivered)))
    return and_(*conditions)


def newest_recorded_at(home: Home, delivered: Collection[str] | None = None) -> datetime | None:
    """When the newest of the visible deliveries was recorded (UTC); None when there is none."""
    with engine(home).connect() as connection:
        return connection.scalar(select(func.max(Delivery.recorded_at)).where(visible(None, delivered)))


def file_names(connection: Connection, delivery_ids: Collection[str]) -> dict[str, str]:
    """The file name of each delivery."""
    rows = connection.execute(
        select(Delivery.delivery_id, Delivery.file_name).where(Delivery.delivery_id.in_(sorted(delivery_ids)))
    )
    return {row.delivery_id: row.file_name for row in rows}
