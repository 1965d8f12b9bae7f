"""Published prices by component, class, voltage and day; a user's price is the sum of its components (market.md B.7).

Prices are whole numbers of 1e-8 元 ("e8") of their unit, so that Wh times e8 元/kWh is 1e-11 元.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

ALL = "all"


@dataclass(frozen=True)
class Tariff:
    """One row of the table tariffs: a price of one component and where it was published."""

    component: str
    tariff_class: str
    voltage_band: str
    price_e8: int
    unit: str
    region: str
    source: str
    source_effective_from: date | None
    valid_from: date
    valid_to: date | None = None

    def holds(self, day: date) -> bool:
        """True on a day inside the validity (ruling 11)."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class TariffBook:
    """All rows of the table, found by component, class, voltage band and day."""

    def __init__(self, rows: Iterable[Tariff]) -> None:
        self._rows: dict[tuple[str, str, str], list[Tariff]] = defaultdict(list)
        for row in rows:
            self._rows[row.component, row.tariff_class, row.voltage_band].append(row)
        for found in self._rows.values():
            found.sort(key=lambda row: row.valid_from, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def find(self, component: str, tariff_class: str, voltage_band: str, day: date) -> Tariff | None:
        """The row in force: of the class and voltage before rows for all; of two that hold, the later one."""
        for of_class in (tariff_class, ALL):
            for of_band in (voltage_band, ALL):
                for row in self._rows.get((component, of_class, of_band), ()):
                    if row.holds(day):
                        return row
        return None

    def edges(self, first: date, after: date) -> set[date]:
        """Days within ``first`` … ``after`` on which a price begins or ends."""
        edges = {
            edge
            for rows in self._rows.values()
            for row in rows
            for edge in (row.valid_from, row.valid_to)
            if edge
        }
        return {edge for edge in edges if first < edge < after}

    def price(
        self, components: Sequence[str], tariff_class: str, voltage_band: str, day: date
    ) -> Mapping[str, Tariff | None]:
        """Every component with its row in force, None where there is none; the price is the sum of their e8."""
        return {name: self.find(name, tariff_class, voltage_band, day) for name in components}


def sum_e8(parts: Mapping[str, Tariff | None]) -> int | None:
    """P = Σ components (market.md B.7, DL809); None where one is missing."""
    known = [part.price_e8 for part in parts.values() if part is not None]
    return sum(known) if len(known) == len(parts) else None
