"""Which deliveries a reader may see, table by table: a past run's inputs, or some of one and some of another.

A home with a sight reads exactly as it did when only those deliveries were there. Deliveries are named by the
sha256 of their bytes, so the choice is by content and not by the moment a file came.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sight:
    """``rest``: the deliveries seen in every table that ``tables`` does not name."""

    rest: frozenset[str]
    tables: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)

    def of(self, table: str, delivered: Collection[str] | None = None) -> frozenset[str]:
        """What is seen of one table, of ``delivered`` where that is given."""
        seen = self.tables.get(table, self.rest)
        return seen if delivered is None else seen & frozenset(delivered)
