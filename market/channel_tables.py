"""The reference tables of channels, provinces and regions: their text as a Reference (see their README).

Percentages stand as published and become shares here. A channel's row may carry the tariff before the present
one; a channel paid by capacity has the energy tariff 0 (发改价格〔2022〕1604号, 〔2019〕842号附件).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from market.channels import Channel, Figure, Province, Reference, Section

FILES = ("channels", "capacity_priced_channels", "provinces", "regions", "section_limits")
OCCASIONAL = "Occasional export (临时互济); the document counts no loss."


def reference_tables(texts: Mapping[str, str]) -> Reference:
    """The Reference of the five tables, given as name -> CSV text.

    Raises ValueError naming table, line and column for a cell that is empty, no number or no day.
    """
    rows = {name: _rows(name, texts[name]) for name in FILES}
    limits = {row.text("channel_id"): row.number("limit_mw") for row in rows["section_limits"]}
    channels = {}
    for row in (*rows["channels"], *rows["capacity_priced_channels"]):
        channel = _channel(row, limits)
        channels[channel.section.section_id] = channel
    return Reference(
        channels=channels,
        provinces={row.needed("prov"): _province(row) for row in rows["provinces"]},
        regions={row.needed("region_grid"): _region(row) for row in rows["regions"]},
    )


class _Row:
    """One line of a table; its cells are read by column name."""

    def __init__(self, table: str, line: int, cells: Mapping[str, str | None]) -> None:
        self._table, self._line, self._cells = table, line, cells

    def text(self, column: str) -> str:
        return (self._cells.get(column) or "").strip()

    def needed(self, column: str) -> str:
        if not self.text(column):
            raise ValueError(f"{self._where(column)} is empty; give it its value.")
        return self.text(column)

    def number(self, column: str) -> Decimal:
        try:
            return Decimal(self.needed(column))
        except InvalidOperation as wrong:
            raise ValueError(
                f"{self._where(column)} is {self.text(column)!r}, which is no number."
            ) from wrong

    def share(self, column: str) -> Decimal:
        """A percentage as a share."""
        return self.number(column) / 100

    def share_if_known(self, column: str) -> Decimal | None:
        return self.share(column) if self.text(column) else None

    def day(self, column: str) -> date | None:
        if not self.text(column):
            return None
        try:
            return date.fromisoformat(self.text(column))
        except ValueError as wrong:
            raise ValueError(f"{self._where(column)} is {self.text(column)!r}; write YYYY-MM-DD.") from wrong

    def _where(self, column: str) -> str:
        return f"{self._table}.csv line {self._line}: {column}"


def _rows(table: str, text: str) -> list[_Row]:
    return [_Row(table, line, cells) for line, cells in enumerate(csv.DictReader(io.StringIO(text)), start=2)]


def _channel(row: _Row, limits: Mapping[str, Decimal]) -> Channel:
    channel_id = row.needed("channel_id")
    figures = []
    if row.text("previous_tariff_cny_per_mwh"):
        figures.append(
            Figure(
                row.number("previous_tariff_cny_per_mwh"),
                row.share("previous_loss_rate_pct"),
                row.text("previous_tariff_includes_loss") == "1",
                row.needed("previous_source_doc"),
                row.day("previous_effective_from"),
            )
        )
    figures.append(
        Figure(
            row.number("tariff_cny_per_mwh"),
            row.share_if_known("loss_rate_pct"),
            row.text("tariff_includes_loss") == "1",
            row.needed("source_doc"),
            row.day("effective_from"),
            row.text("note"),
        )
    )
    known = [row.number("rated_mw")] if row.text("rated_mw") else []
    known += [limits[channel_id]] if channel_id in limits else []
    return Channel(
        Section(channel_id, row.needed("name"), tuple(figures), min(known, default=None)),
        row.needed("from_prov"),
        row.needed("to_prov"),
        row.needed("seller_node"),
    )


def _province(row: _Row) -> Province:
    figure = Figure(
        row.number("export_tariff_cny_per_mwh"),
        row.share("export_loss_rate_pct"),
        False,
        row.needed("source_doc"),
        row.day("effective_from"),
        OCCASIONAL if row.needed("export_kind") == "occasional" else "",
    )
    node, name = row.needed("prov"), row.needed("name")
    return Province(node, name, row.needed("region_grid"), Section(f"X-{node}", f"{name}送出", (figure,)))


def _region(row: _Row) -> Section:
    figure = Figure(
        row.number("energy_tariff_cny_per_mwh"),
        row.share("loss_rate_pct"),
        False,
        row.needed("source_doc"),
        row.day("effective_from"),
        row.needed("loss_source"),
    )
    return Section(f"R-{row.needed('region_id')}", f"{row.needed('region_grid')}区域共用电网", (figure,))
