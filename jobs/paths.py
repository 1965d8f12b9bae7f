"""Landed prices of seller prices over the paths to a province, with the document behind every number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ingest.channel_reference import channel_reference
from market.channels import (
    FigureMissingError,
    PricedRoute,
    PricedSection,
    Route,
    path_tables,
    priced,
    routes_to,
)

USUAL_PRICES = tuple(Decimal(price) for price in (0, 100, 200, 300, 500, 1000))


@dataclass(frozen=True)
class LandedTable:
    """Paths with their cost, and the landed price of each seller price; ``missing``: path_id -> why it has none.

    day: the day of the figures, None for the newest. Prices 元/MWh; landed has one entry a seller price.
    """

    buyer_node: str
    day: date | None
    seller_prices: tuple[Decimal, ...]
    paths: tuple[PricedRoute, ...]
    missing: dict[str, str]

    def sections(self) -> list[PricedSection]:
        """Every section the paths pass, once, by its id."""
        found = {one.section.section_id: one for path in self.paths for one in path.sections}
        return [found[section_id] for section_id in sorted(found)]

    def as_json(self) -> dict[str, Any]:
        """Plain values; decimals stay exact."""
        return {
            "buyer_node": self.buyer_node,
            "date": self.day,
            "paths": [
                {
                    "path_id": path.route.path_id,
                    "seller_node": path.route.seller_node,
                    "sections": [one.section.section_id for one in path.sections],
                    "coe": path.cost.coe,
                    "price_coe_cny_per_mwh": path.cost.price_cny_per_mwh,
                    "landed": [
                        {"seller_price_cny_per_mwh": price, "landed_price_cny_per_mwh": landed}
                        for price, landed in zip(
                            self.seller_prices, path.landed(self.seller_prices), strict=True
                        )
                    ],
                }
                for path in self.paths
            ],
            "sections": [
                {
                    "section_id": one.section.section_id,
                    "name": one.section.name,
                    "tariff_cny_per_mwh": one.figure.tariff_cny_per_mwh,
                    "loss_rate": one.figure.loss_rate,
                    "loss_included": one.figure.loss_included,
                    "loss_counted": one.loss_rate,
                    "document": one.figure.document,
                    "effective_from": one.figure.effective_from,
                    "remark": one.remark,
                }
                for one in self.sections()
            ],
            "missing": self.missing,
        }


def landed_table(
    buyer_node: str,
    *,
    seller_prices: Sequence[Decimal] = USUAL_PRICES,
    day: date | None = None,
    routes: Sequence[Route] | None = None,
    buyer_region_section: bool = True,
) -> LandedTable:
    """Landed prices over ``routes``, or over every channel and neighbour that reaches the buyer.

    A path without a published figure stands in ``missing`` with the reason. Raises FigureMissingError for a
    buyer node that is not known, ValueError for routes that end elsewhere.
    """
    reference = channel_reference()
    reference.province(buyer_node)
    wanted = routes_to(reference, buyer_node) if routes is None else list(dict.fromkeys(routes))
    elsewhere = [route.path_id for route in wanted if route.buyer_node != buyer_node]
    if elsewhere:
        raise ValueError(
            f"{', '.join(elsewhere)} does not end at {buyer_node}; name that buyer, or another route."
        )
    paths, missing = [], {}
    for route in wanted:
        try:
            paths.append(priced(reference, route, day, buyer_region_section=buyer_region_section))
        except FigureMissingError as reason:
            missing[route.path_id] = str(reason)
    return LandedTable(buyer_node, day, tuple(seller_prices), tuple(paths), missing)


def write_path_tables(
    folder: Path, routes: Sequence[Route], first: date, *, buyer_region_section: bool = True
) -> list[Path]:
    """``sections.csv`` and ``paths.csv`` of these routes in the form of the input tables, ready to be ingested."""
    reference = channel_reference()
    sections, paths = path_tables(reference, routes, first, buyer_region_section=buyer_region_section)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in (("sections", sections), ("paths", paths)):
        written.append(folder / f"{name}.csv")
        frame.to_csv(written[-1], index=False, lineterminator="\n")
    return written


def prices_of(text: str) -> tuple[Decimal, ...]:
    """``prices_of("0,100,499.5")``; ValueError for a part that is no number."""
    try:
        prices = tuple(Decimal(part.strip()) for part in text.split(","))
    except InvalidOperation as wrong:
        raise ValueError(f"{text!r} is no list of prices; write 元/MWh like 0,100,499.5.") from wrong
    if not all(price.is_finite() for price in prices):
        raise ValueError(f"{text!r} is no list of prices; write 元/MWh like 0,100,499.5.")
    return prices
