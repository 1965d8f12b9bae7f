"""Inter-provincial channels as sections of paths: export of the seller's province, channels, the buyer's region.

A path's transmission price is the sum along it (market.md A.3; S14 3.3.1, 3.4.2 a): the export tariff of the
sending province (送出省), the channels (专项工程), and the regional grid of the buyer (区域共用电网), which is
charged once (ruling 22). Every figure carries its document and the day it takes effect. Nothing is read here;
``market.channel_tables`` makes a Reference from the text of the reference tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import pandas as pd

from market.paths import Number, PathCost, path_cost, rounded_price
from market.tables import TABLES

NOTHING = Decimal(0)
CLEARING_COLUMNS = (
    "path_id",
    "seq",
    "section_id",
    "seller_node",
    "buyer_node",
    "tariff_cny_per_mwh",
    "loss_rate",
)


class FigureMissingError(LookupError):
    """A tariff or a loss that a path needs is not published, or a name is not in the reference tables."""


@dataclass(frozen=True)
class Figure:
    """One published tariff. loss_rate: share of the energy, None where no document gives it. effective_from: None
    where the document names no day. remark: what a reader of the number must know."""

    tariff_cny_per_mwh: Decimal
    loss_rate: Decimal | None
    loss_included: bool
    document: str
    effective_from: date | None
    remark: str = ""

    def charged_loss(self, section: Section) -> Decimal:
        """The loss rate a path counts: none where the tariff contains it (S14 3.3.2)."""
        if self.loss_included:
            return NOTHING
        if self.loss_rate is None:
            raise FigureMissingError(
                f"No document gives the loss of {section.section_id} {section.name} ({self.document}): "
                f"{self.remark} Name another route, or add the figure to the reference tables."
            )
        return self.loss_rate


@dataclass(frozen=True)
class Section:
    """What a path passes and pays for; figures oldest first. capacity_mw: rated or limited, None where unknown."""

    section_id: str
    name: str
    figures: tuple[Figure, ...]
    capacity_mw: Decimal | None = None

    def on(self, day: date | None) -> tuple[Figure, str]:
        """The figure in force on ``day``, or the newest for None, and what must be said about its date.

        Before the first known figure the first one stands, and the remark says so (ruling 31).
        """
        begun = [
            one
            for one in self.figures
            if day is None or one.effective_from is None or one.effective_from <= day
        ]
        figure = begun[-1] if begun else self.figures[0]
        said = [figure.remark] if figure.remark else []
        if not begun:
            said.append(f"In force only from {figure.effective_from}; no earlier figure is known.")
        elif figure.effective_from is None:
            said.append("The document names no day from which it is in force.")
        return figure, " ".join(said)


@dataclass(frozen=True)
class Channel:
    """A channel (专项工程). from_node, to_node: its ends; seller_node: whose export tariff it usually follows."""

    section: Section
    from_node: str
    to_node: str
    seller_node: str


@dataclass(frozen=True)
class Province:
    """A trading node: one for a province, two for Inner Mongolia and Hebei, whose grids are priced apart."""

    node: str
    name: str
    region: str
    export: Section


@dataclass(frozen=True)
class Reference:
    """The reference tables. channels by channel id, provinces by node, regions by their Chinese name."""

    channels: Mapping[str, Channel]
    provinces: Mapping[str, Province]
    regions: Mapping[str, Section]

    def province(self, node: str) -> Province:
        """The province of a node; FigureMissingError for a node the tables do not have."""
        if node not in self.provinces:
            raise FigureMissingError(
                f"There is no node {node} in the reference tables; known are {', '.join(self.provinces)}."
            )
        return self.provinces[node]

    def region_section(self, region: str) -> Section:
        """A regional grid as a section; FigureMissingError for a region without a published tariff."""
        if region not in self.regions:
            raise FigureMissingError(
                f"The region {region} has no published grid tariff; known are {', '.join(self.regions)}. "
                "Build the path without the buyer's region section if its channels already cover it."
            )
        return self.regions[region]

    def passed(self, section_id: str) -> Section:
        """A channel by its id or a regional grid by its section id, as a route names them."""
        by_id = {section.section_id: section for section in self.regions.values()}
        if section_id in self.channels:
            return self.channels[section_id].section
        if section_id in by_id:
            return by_id[section_id]
        raise FigureMissingError(
            f"There is no channel or region {section_id}; channels are named like {next(iter(self.channels))}, "
            f"regions {', '.join(by_id)}."
        )


@dataclass(frozen=True)
class Route:
    """From a seller node over channels (and regional grids between them) to a buyer node, in this order."""

    seller_node: str
    via: tuple[str, ...]
    buyer_node: str

    @property
    def path_id(self) -> str:
        """``NX-g20-SD``."""
        return "-".join((self.seller_node, *self.via, self.buyer_node))

    @classmethod
    def parse(cls, text: str) -> Route:
        """``Route.parse("NX,g20,SD")``; ValueError for fewer than two names or a name that stands twice."""
        names = [name.strip() for name in text.split(",")]
        if len(names) < 2 or not all(names) or len(set(names)) < len(names):
            raise ValueError(
                f"{text!r} is no route; write seller, channels and buyer once each, for example NX,g20,SD."
            )
        return cls(names[0], tuple(names[1:-1]), names[-1])


def routes_to(reference: Reference, buyer_node: str) -> list[Route]:
    """Every channel that ends at the buyer, from its usual seller, and every neighbour in the buyer's region."""
    buyer = reference.province(buyer_node)
    over_channels = [
        Route(channel.seller_node, (channel_id,), buyer_node)
        for channel_id, channel in reference.channels.items()
        if channel.to_node == buyer_node
    ]
    if buyer.region not in reference.regions:
        return over_channels
    grid = reference.regions[buyer.region].section_id
    return over_channels + [
        Route(province.node, (grid,), buyer_node)
        for province in reference.provinces.values()
        if province.region == buyer.region and province.node != buyer_node
    ]


def sections_of(
    reference: Reference, route: Route, *, buyer_region_section: bool = True
) -> tuple[Section, ...]:
    """The sections of a route from seller to buyer.

    buyer_region_section: the buyer's regional grid ends the path, unless the route already passes it: it is
    charged once (S14 3.4.2 a; ruling 22). Raises FigureMissingError for an unknown name and ValueError for a
    route within one node or over a channel that does not reach the buyer's region.
    """
    seller, buyer = reference.province(route.seller_node), reference.province(route.buyer_node)
    if seller.node == buyer.node:
        raise ValueError(
            f"{route.path_id} begins and ends in {buyer.node}; a province does not trade with itself."
        )
    passed = [seller.export, *(reference.passed(name) for name in route.via)]
    _check_reach(reference, route, buyer)
    if buyer_region_section:
        grid = reference.region_section(buyer.region)
        if grid not in passed:
            passed.append(grid)
    return tuple(passed)


@dataclass(frozen=True)
class PricedSection:
    """A section of a path on a day: its figure, the loss the path counts, and what must be said of it."""

    section: Section
    figure: Figure
    loss_rate: Decimal
    remark: str


@dataclass(frozen=True)
class PricedRoute:
    """A route on a day, with every figure behind its cost."""

    route: Route
    sections: tuple[PricedSection, ...]

    @property
    def cost(self) -> PathCost:
        """Loss coefficient and transmission price (market.md A.7)."""
        return path_cost([(one.figure.tariff_cny_per_mwh, one.loss_rate) for one in self.sections])

    def landed(self, seller_prices: Sequence[Number]) -> list[Decimal]:
        """Landed prices of seller prices, half up to 0.001 元/MWh."""
        cost = self.cost
        return [rounded_price(cost.landed(price)) for price in seller_prices]


def priced(
    reference: Reference, route: Route, day: date | None, *, buyer_region_section: bool = True
) -> PricedRoute:
    """A route with the figures in force on ``day``, the newest for None. Raises as ``sections_of``."""
    sections = []
    for section in sections_of(reference, route, buyer_region_section=buyer_region_section):
        figure, remark = section.on(day)
        sections.append(PricedSection(section, figure, figure.charged_loss(section), remark))
    return PricedRoute(route, tuple(sections))


def path_tables(
    reference: Reference, routes: Sequence[Route], first: date, *, buyer_region_section: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the tables ``sections`` and ``paths`` (market.tables) for these routes, valid from ``first`` on.

    A section has one row for each tariff in force from ``first`` on. A figure that takes effect only later, and
    has none before it, is valid from ``first`` with its true day in ``source_effective_from`` (ruling 31).
    owner_id is empty: who owns a section is the delivering desk's. Raises as ``sections_of``.
    """
    chains = {
        route: sections_of(reference, route, buyer_region_section=buyer_region_section)
        for route in dict.fromkeys(routes)
    }
    used = {section.section_id: section for chain in chains.values() for section in chain}
    sections = [row for _, section in sorted(used.items()) for row in _section_rows(section, first)]
    paths = [
        (route.path_id, seq, section.section_id, route.seller_node, route.buyer_node)
        for route, chain in chains.items()
        for seq, section in enumerate(chain, start=1)
    ]
    return _frame("sections", sections), _frame("paths", paths)


def priced_paths(paths: pd.DataFrame, sections: pd.DataFrame, day: date) -> pd.DataFrame:
    """Rows of the tables ``paths`` and ``sections`` as clear() takes them: tariff and loss in force on ``day``.

    A tariff that contains the loss comes with loss rate 0 (market.md A.3). Raises FigureMissingError naming a
    section without a row, or with several, valid on that day.
    """
    ends = sections["valid_to"]
    holds = (sections["valid_from"] <= day) & (ends.isna() | (ends.where(ends.notna(), date.max) > day))
    valid = sections[holds]
    for section_id in dict.fromkeys(paths["section_id"].tolist()):
        rows = int((valid["section_id"] == section_id).sum())
        if rows != 1:
            raise FigureMissingError(
                f"Section {section_id} has {rows} rows valid on {day}; it needs one. "
                "Mend valid_from and valid_to in the table sections."
            )
    joined = paths.merge(
        valid[["section_id", "tariff_cny_per_mwh", "loss_rate", "loss_included"]], on="section_id"
    )
    contained = joined["loss_included"].astype(int) == 1
    joined["loss_rate"] = joined["loss_rate"].where(~contained, NOTHING)
    return joined[list(CLEARING_COLUMNS)].sort_values(["path_id", "seq"], ignore_index=True)


def _check_reach(reference: Reference, route: Route, buyer: Province) -> None:
    channels = [reference.channels[name] for name in route.via if name in reference.channels]
    if channels:
        ends = [reference.province(node) for node in (channels[-1].from_node, channels[-1].to_node)]
        if buyer.region not in {province.region for province in ends}:
            raise ValueError(
                f"{route.path_id}: {channels[-1].section.name} joins {ends[0].name} and {ends[1].name}, neither "
                f"in {buyer.region}, where {buyer.name} lies; end the route with a channel that reaches it."
            )


def _section_rows(section: Section, first: date) -> Iterator[tuple[Any, ...]]:
    for place, (figure, after) in enumerate(zip_longest(section.figures, section.figures[1:])):
        ends = None if after is None else after.effective_from
        if ends is not None and ends <= first:
            continue
        starts = first if place == 0 or figure.effective_from is None else max(figure.effective_from, first)
        yield (
            section.section_id,
            section.name,
            figure.tariff_cny_per_mwh,
            figure.charged_loss(section) if figure.loss_rate is None else figure.loss_rate,
            int(figure.loss_included),
            section.capacity_mw,
            figure.document,
            starts,
            ends,
            None,
            figure.effective_from,
        )


def _frame(table: str, rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    columns = [column.name for column in TABLES[table].columns]
    return pd.DataFrame(rows, columns=columns, dtype=object)
