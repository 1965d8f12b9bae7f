"""Channels as sections of paths: the published landed prices, the buyer's region once, figures by date."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest

from ingest.channel_reference import channel_reference
from market.channel_tables import FILES, reference_tables
from market.channels import (
    FigureMissingError,
    PricedRoute,
    Reference,
    Route,
    path_tables,
    priced,
    priced_paths,
    routes_to,
    sections_of,
)
from market.paths import path_cost
from market.tables import TABLES

SELLER_PRICES = (0, 100, 200, 300, 500, 1000)
F2 = {  # market.md F.2: route, coe1, price_coe, landed for the seller prices above
    "NX,g20,SD": ("0.92535", "71.88", "77.7 185.7 293.8 401.9 618.0 1158.4"),
    "NX,g34,SD": ("0.93033", "79.72", "85.7 193.2 300.7 408.2 623.1 1160.6"),
    "GS,g38,SD": ("0.93546", "77.09", "82.4 189.3 296.2 403.1 616.9 1151.4"),
    "NMD,g25,SD": ("0.99290", "67.52", "68.0 168.7 269.4 370.1 571.6 1075.2"),
    "SX,R-NORTH,SD": ("0.97395", "32.18", "33.0 135.7 238.4 341.1 546.4 1059.8"),
}
WITH_REGION = {"NX,g20,SD": "422.7", "NX,g34,SD": "429.1", "GS,g38,SD": "423.9", "NMD,g25,SD": "390.1"}


@pytest.fixture
def reference() -> Reference:
    return channel_reference()


def route(reference: Reference, text: str, day: date | None = None, region: bool = True) -> PricedRoute:
    return priced(reference, Route.parse(text), day, buyer_region_section=region)


def shown(value: object, like: str) -> str:
    """Half up to as many decimals as the published number has."""
    return str(Decimal(str(value)).quantize(Decimal(like), ROUND_HALF_UP))


@pytest.mark.parametrize(("text", "published"), F2.items())
def test_the_whole_table_of_landed_prices_in_shandong_comes_out(
    reference: Reference, text: str, published: tuple[str, str, str]
) -> None:
    path = route(reference, text, region=False)
    assert shown(path.cost.coe, published[0]) == published[0]
    assert shown(path.cost.price_cny_per_mwh, published[1]) == published[1]
    landed = [shown(price, "0.1") for price in path.landed(SELLER_PRICES)]
    assert landed == published[2].split()


@pytest.mark.parametrize(("text", "landed"), WITH_REGION.items())
def test_with_the_region_of_the_buyer_300_lands_at_the_prices_of_the_last_line(
    reference: Reference, text: str, landed: str
) -> None:
    cost = route(reference, text).cost
    # 银东 lands at 422.65017…, of which 422.650 is published and 422.7 is the same number to one decimal
    exact = cost.landed(300)
    assert shown(Decimal(exact.numerator) / Decimal(exact.denominator), "0.1") == landed


def test_the_gate_cap_of_3000_is_worth_2704_to_2911_at_the_seller_nodes(reference: Reference) -> None:
    costs = [route(reference, text, region=False).cost for text in F2]
    at_3000, at_1500 = ([round(float(cost.converted(price))) for cost in costs] for price in (3000, 1500))
    assert (min(at_3000), max(at_3000)) == (2704, 2911)
    assert (min(at_1500), max(at_1500)) == (1316, 1429)


def test_the_region_of_the_buyer_is_charged_once_and_not_twice(reference: Reference) -> None:
    names = [one.section_id for one in sections_of(reference, Route.parse("NX,g20,SD"))]
    assert names == ["X-NX", "g20", "R-NORTH"]
    given = [one.section_id for one in sections_of(reference, Route.parse("SX,R-NORTH,SD"))]
    added = [one.section_id for one in sections_of(reference, Route.parse("SX,SD"))]
    assert given == added == ["X-SX", "R-NORTH"]


def test_another_region_on_the_way_does_not_stand_for_that_of_the_buyer(reference: Reference) -> None:
    names = [one.section_id for one in sections_of(reference, Route.parse("SN,R-NORTHWEST,g34,SD"))]
    assert names == ["X-SN", "R-NORTHWEST", "g34", "R-NORTH"]


def test_a_tariff_that_contains_the_loss_counts_none(reference: Reference) -> None:
    luga = route(reference, "NMD,g25,SD").sections[1]
    assert (luga.figure.loss_rate, luga.figure.loss_included, luga.loss_rate) == (Decimal("0.0269"), True, 0)


@pytest.mark.parametrize(
    ("text", "day", "tariff", "loss"),
    [
        ("NX,g21,ZJ", "2022-04-30", "65.9", "0.065"),  # 842号, loss beside the tariff
        ("NX,g21,ZJ", "2022-05-01", "48.8", "0"),  # 558号, loss inside
        ("NX,g20,SD", "2019-05-14", "53.5", "0.07"),  # 842号, column 原执行价格
        ("NX,g20,SD", "2019-05-15", "50.8", "0.07"),
        ("SC,g2,JS", "2018-09-01", "55", "0.07"),  # 1227号
    ],
)
def test_the_tariff_in_force_on_the_day_is_used(
    reference: Reference, text: str, day: str, tariff: str, loss: str
) -> None:
    channel = route(reference, text, date.fromisoformat(day)).sections[1]
    assert (channel.figure.tariff_cny_per_mwh, channel.loss_rate) == (Decimal(tariff), Decimal(loss))


def test_a_tariff_that_takes_effect_later_stands_with_a_remark(reference: Reference) -> None:
    export, _, region = route(reference, "NX,g20,SD", date(2022, 7, 22)).sections
    assert "In force only from 2026-08-01" in export.remark
    assert "In force only from 2026-08-01" in region.remark
    assert route(reference, "NX,g20,SD", date(2026, 8, 1)).sections[0].remark == ""


def test_a_document_without_a_day_is_said(reference: Reference) -> None:
    assert "names no day" in route(reference, "NX,g34,SD").sections[1].remark


def test_every_figure_names_its_document_and_losses_are_shares(reference: Reference) -> None:
    sections = [
        *(channel.section for channel in reference.channels.values()),
        *(province.export for province in reference.provinces.values()),
        *reference.regions.values(),
    ]
    assert (len(reference.channels), len(reference.provinces), len(reference.regions)) == (46, 32, 5)
    for section in sections:
        for figure in section.figures:
            assert figure.document
            assert figure.tariff_cny_per_mwh >= 0
            assert figure.loss_rate is None or 0 <= figure.loss_rate < Decimal("0.2")


def test_every_channel_joins_known_nodes(reference: Reference) -> None:
    for channel in reference.channels.values():
        assert {channel.from_node, channel.to_node, channel.seller_node} <= set(reference.provinces)


def test_a_loss_nobody_published_is_missing_and_not_zero(reference: Reference) -> None:
    with pytest.raises(FigureMissingError, match="No document gives the loss of g31 云霄直流"):
        route(reference, "FJ,g31,GD", region=False)


def test_a_region_without_a_published_tariff_is_missing(reference: Reference) -> None:
    with pytest.raises(FigureMissingError, match="The region 南方 has no published grid tariff"):
        route(reference, "YN,g40,GD")
    assert route(reference, "YN,g40,GD", region=False).sections[1].figure.tariff_cny_per_mwh == Decimal(
        "75.5"
    )


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("SD,R-NORTH,SD2", FigureMissingError, "no node SD2"),
        ("NX,g99,SD", FigureMissingError, "no channel or region g99"),
        ("NX,g21,SD", ValueError, "灵绍直流 joins 宁夏 and 浙江, neither in 华北"),
    ],
)
def test_a_route_that_does_not_exist_is_refused(
    reference: Reference, text: str, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        sections_of(reference, Route.parse(text))


@pytest.mark.parametrize("text", ["SD", "NX,,SD", "SD,g20,SD", ""])
def test_a_route_is_seller_channels_and_buyer_once_each(text: str) -> None:
    with pytest.raises(ValueError, match="for example NX,g20,SD"):
        Route.parse(text)


def test_a_province_does_not_trade_with_itself(reference: Reference) -> None:
    with pytest.raises(ValueError, match="does not trade with itself"):
        sections_of(reference, Route("SD", ("R-NORTH",), "SD"))


def test_all_channels_and_neighbours_of_a_province_are_its_routes(reference: Reference) -> None:
    ids = {one.path_id for one in routes_to(reference, "SD")}
    assert {"NX-g20-SD", "NMD-g25-SD", "NX-g34-SD", "GS-g38-SD", "SX-R-NORTH-SD"} <= ids
    assert not any(path_id.startswith("SD-") for path_id in ids)


class TestInputTables:
    ROUTES = (Route.parse("NX,g21,ZJ"), Route.parse("NMD,g25,SD"))

    def test_the_rows_have_the_columns_of_the_input_tables(self, reference: Reference) -> None:
        sections, paths = path_tables(reference, self.ROUTES, date(2022, 4, 1))
        assert list(sections.columns) == [column.name for column in TABLES["sections"].columns]
        assert list(paths.columns) == [column.name for column in TABLES["paths"].columns]
        for frame, name in ((sections, "sections"), (paths, "paths")):
            for column in TABLES[name].columns:
                assert not (column.required and frame[column.name].isna().any()), column.name

    def test_a_tariff_that_changes_has_a_row_before_and_a_row_after(self, reference: Reference) -> None:
        sections, _ = path_tables(reference, self.ROUTES, date(2022, 4, 1))
        changing = sections[sections["section_id"] == "g21"]
        assert changing[["tariff_cny_per_mwh", "valid_from", "valid_to"]].to_numpy().tolist() == [
            [Decimal("65.9"), date(2022, 4, 1), date(2022, 5, 1)],
            [Decimal("48.8"), date(2022, 5, 1), None],
        ]
        later, _ = path_tables(reference, self.ROUTES, date(2022, 7, 1))
        assert later.loc[later["section_id"] == "g21", "valid_from"].tolist() == [date(2022, 7, 1)]

    def test_a_later_figure_is_valid_at_once_and_keeps_its_true_day(self, reference: Reference) -> None:
        sections, _ = path_tables(reference, self.ROUTES, date(2022, 7, 1))
        export = sections[sections["section_id"] == "X-NX"].iloc[0]
        assert (export["valid_from"], export["source_effective_from"]) == (date(2022, 7, 1), date(2026, 8, 1))

    @pytest.mark.parametrize("day", [date(2022, 4, 30), date(2022, 5, 1), date(2026, 9, 1)])
    def test_the_rows_of_a_day_cost_what_the_route_costs(self, reference: Reference, day: date) -> None:
        sections, paths = path_tables(reference, self.ROUTES, date(2022, 4, 1))
        rows = priced_paths(paths, sections, day)
        for one in self.ROUTES:
            own = rows[rows["path_id"] == one.path_id]
            rates = list(zip(own["tariff_cny_per_mwh"], own["loss_rate"], strict=True))
            assert path_cost(rates) == priced(reference, one, day).cost

    def test_a_section_without_a_row_of_the_day_is_named(self, reference: Reference) -> None:
        sections, paths = path_tables(reference, self.ROUTES, date(2022, 7, 1))
        with pytest.raises(FigureMissingError, match="Section X-NX has 0 rows valid on 2022-06-30"):
            priced_paths(paths, sections, date(2022, 6, 30))
        twice = pd.concat([sections, sections[sections["section_id"] == "g25"]])
        with pytest.raises(FigureMissingError, match="Section g25 has 2 rows valid on 2022-07-02"):
            priced_paths(paths, twice, date(2022, 7, 2))


SMALL = {  # two provinces and a channel
    "channels": (
        "channel_id,name,from_prov,to_prov,rated_mw,tariff_cny_per_mwh,loss_rate_pct,tariff_includes_loss,"
        "source_doc,effective_from,seller_node\nc1,一号,AA,BB,1000,30,2,0,文一,2020-01-01,AA\n"
    ),
    "capacity_priced_channels": "channel_id\n",
    "provinces": (
        "prov,name,region_grid,export_tariff_cny_per_mwh,export_loss_rate_pct,export_kind,source_doc,"
        "effective_from\nAA,甲,一区,20,1,regular,文二,2020-01-01\nBB,乙,二区,20,1,regular,文二,2020-01-01\n"
    ),
    "regions": (
        "region_id,region_grid,energy_tariff_cny_per_mwh,loss_rate_pct,source_doc,effective_from,loss_source\n"
        "TWO,二区,10,1,文三,2020-01-01,文三\n"
    ),
    "section_limits": "section_id,name,limit_mw,channel_id\nL1,一号限额,800,c1\n",
}


class TestBadTables:
    def test_the_smaller_of_rating_and_limit_is_the_capacity(self) -> None:
        assert set(SMALL) == set(FILES)
        assert reference_tables(SMALL).channels["c1"].section.capacity_mw == 800

    @pytest.mark.parametrize(
        ("table", "old", "new", "sentence"),
        [
            ("channels", ",30,", ",dear,", "channels.csv line 2: tariff_cny_per_mwh is 'dear'"),
            ("channels", "文一", "", "channels.csv line 2: source_doc is empty"),
            ("provinces", "文二,2020-01-01\nBB", "文二,1.1.2020\nBB", "line 2: effective_from is '1.1.2020'"),
            ("regions", ",10,1,", ",10,,", "regions.csv line 2: loss_rate_pct is empty"),
        ],
    )
    def test_a_bad_cell_is_named_with_its_line(self, table: str, old: str, new: str, sentence: str) -> None:
        texts = {**SMALL, table: SMALL[table].replace(old, new)}
        with pytest.raises(ValueError, match=sentence):
            reference_tables(texts)
