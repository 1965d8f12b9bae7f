"""What became of a delivered file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Receipt:
    """The answer to one delivery.

    status: accepted; partly (some rows are in quarantine); rejected (nothing was taken; the same bytes may come
    again); duplicate (the same bytes were taken before; nothing was done, the counts are those of that time).
    rows = accepted + quarantined, rows of the file. revised: accepted rows whose key was known with other
    values. unchanged: accepted rows that the warehouse already held. repeated: rows that say again what another
    row of the file says. first, last: the days the file speaks about, where it has any.
    """

    status: str
    table: str | None
    file_name: str
    delivery_id: str
    rows: int
    accepted: int
    quarantined: int
    revised: int
    reason: str | None
    first_date: date | None
    last_date: date | None
    unchanged: int = 0
    repeated: int = 0
