"""The rows in quarantine and what became of them.

A decision is final and stays: released (with the delivery that carries the row now), rejected, arrived (what the
row refers to was delivered later, and the row went in by itself) or superseded (the same, but a delivery that came
later already held its key).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, select

from warehouse.home import Home, engine
from warehouse.models import Delivery, QuarantineDecision, QuarantinedRow


class NotInQuarantineError(LookupError):
    """No such row waits; the sentence says what does."""


@dataclass(frozen=True)
class Entry:
    """One quarantined row and what became of it. decision: ``waiting`` until somebody or something decides."""

    delivery_id: str
    file_name: str
    table: str
    sender: str
    recorded_at: datetime
    line: int
    code: str
    sentence: str
    content: dict[str, Any]
    decision: str
    actor: str | None
    reason: str | None
    decided_at: datetime | None
    correction: dict[str, str] | None
    released_as: str | None


def entries(
    home: Home,
    *,
    decided: bool | None = False,
    delivery: str | None = None,
    codes: Collection[str] | None = None,
) -> list[Entry]:
    """Rows in quarantine, oldest delivery first, by line. decided: False those that wait, True the others, None all.

    delivery: the beginning of a delivery id. codes: only rows with one of these. Raises NotInQuarantineError for one that is unknown or not unique.
    """
    query = _query()
    if decided is not None:
        has = QuarantineDecision.decision.is_not(None)
        query = query.where(has if decided else ~has)
    if delivery is not None:
        query = query.where(QuarantinedRow.delivery_id == whole_id(home, delivery))
    if codes is not None:
        query = query.where(QuarantinedRow.code.in_(codes))
    with engine(home).connect() as connection:
        return [
            Entry(**{**row._mapping, "decision": row.decision or "waiting"})
            for row in connection.execute(query)
        ]


def whole_id(home: Home, beginning: str) -> str:
    """The id of the one delivery with quarantined rows that begins so. Raises NotInQuarantineError."""
    with engine(home).connect() as connection:
        query = select(QuarantinedRow.delivery_id).distinct()
        known = sorted(connection.scalars(query.where(QuarantinedRow.delivery_id.startswith(beginning))))
    if len(known) != 1:
        raise NotInQuarantineError(
            f"{len(known)} deliveries with quarantined rows begin with {beginning!r}; take the delivery's name from "
            "`gridsettle ingest quarantine list`."
        )
    return known[0]


def _query() -> Select[Any]:
    decision = QuarantineDecision
    same = and_(decision.delivery_id == QuarantinedRow.delivery_id, decision.line == QuarantinedRow.line)
    return (
        select(
            QuarantinedRow.delivery_id,
            Delivery.file_name,
            Delivery.table_name.label("table"),
            Delivery.sender,
            Delivery.recorded_at,
            QuarantinedRow.line,
            QuarantinedRow.code,
            QuarantinedRow.sentence,
            QuarantinedRow.content,
            decision.decision,
            decision.actor,
            decision.reason,
            decision.decided_at,
            decision.correction,
            decision.released_as,
        )
        .join(Delivery, Delivery.delivery_id == QuarantinedRow.delivery_id)
        .outerjoin(decision, same)
        .order_by(Delivery.recorded_at, QuarantinedRow.delivery_id, QuarantinedRow.line)
    )
