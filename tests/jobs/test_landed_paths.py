"""``gridsettle paths``: landed prices with their documents, and tables that can be ingested."""

from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import cli
from ingest.deliver import deliver_many
from jobs.paths import landed_table, prices_of, write_path_tables
from market.channels import FigureMissingError, Route, priced_paths
from market.paths import path_cost
from warehouse.home import create, home
from warehouse.records import read_records


def test_every_path_to_shandong_has_its_price_and_every_section_its_document() -> None:
    table = landed_table("SD")
    landed = {path.route.path_id: path.landed([300])[0] for path in table.paths}
    # 银东 by hand in docs/formulas/paths.md
    assert landed["NX-g20-SD"] == Decimal("422.650")
    assert table.missing == {}
    assert all(one.figure.document for one in table.sections())


def test_a_path_without_a_published_figure_says_why() -> None:
    table = landed_table("GD", buyer_region_section=False)
    assert set(table.missing) == {"FJ-g31-GD"}
    assert "No document gives the loss" in table.missing["FJ-g31-GD"]


def test_a_route_that_ends_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="NX-g21-ZJ does not end at SD"):
        landed_table("SD", routes=[Route.parse("NX,g21,ZJ")])
    with pytest.raises(FigureMissingError, match="no node XX"):
        landed_table("XX")


def test_prices_are_read_exactly() -> None:
    assert prices_of("0, 100,499.5") == (Decimal(0), Decimal(100), Decimal("499.5"))
    for text in ("1;2", "", "nan"):
        with pytest.raises(ValueError, match="write 元/MWh like"):
            prices_of(text)


def test_the_tables_of_the_paths_can_be_ingested_and_cost_the_same(tmp_path: Path) -> None:
    routes = [Route.parse("NX,g21,ZJ"), Route.parse("GS,g38,SD")]
    files = write_path_tables(tmp_path, routes, date(2022, 4, 1))
    at = home(tmp_path / "home")
    create(at)
    assert [receipt.status for receipt in deliver_many(at, files)] == ["accepted", "accepted"]
    paths, sections = read_records(at, "paths"), read_records(at, "sections")
    for day in (date(2022, 4, 30), date(2022, 5, 1)):
        rows = priced_paths(paths, sections, day)
        own = rows[rows["path_id"] == "NX-g21-ZJ"]
        stored = path_cost(list(zip(own["tariff_cny_per_mwh"], own["loss_rate"], strict=True)))
        assert stored == landed_table("ZJ", day=day, routes=routes[:1]).paths[0].cost


class TestCommand:
    def call(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str):
        monkeypatch.setattr(sys, "argv", ["gridsettle", "paths", *arguments])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    def test_json_has_exact_prices_and_documents(self, monkeypatch, capsys) -> None:
        status, out, _ = self.call(
            monkeypatch,
            capsys,
            "--json",
            "--route",
            "NX,g20,SD",
            "--seller-prices",
            "300",
            "--no-buyer-region",
        )
        table = json.loads(out)
        assert status == 0
        path = table["paths"][0]
        assert (path["coe"], path["price_coe_cny_per_mwh"]) == ("0.92535", "71.882780")
        assert path["landed"][0]["landed_price_cny_per_mwh"] == "401.883"
        assert [one["document"] for one in table["sections"]] == [
            "发改价格〔2026〕1077号附件1",
            "发改价格〔2019〕842号",
        ]

    def test_the_terminal_shows_prices_documents_and_what_is_missing(self, monkeypatch, capsys) -> None:
        status, out, _ = self.call(monkeypatch, capsys, "--buyer", "GD", "--no-buyer-region", "--lang", "en")
        assert status == 0
        for shown in ("YN-g40-GD", "842号", "No document gives the loss"):
            assert shown in out

    def test_tables_are_written_from_a_day_on(self, tmp_path, monkeypatch, capsys) -> None:
        status, _, error = self.call(monkeypatch, capsys, "--out", str(tmp_path))
        assert (status, "--date" in error) == (1, True)
        status, _, _ = self.call(monkeypatch, capsys, "--out", str(tmp_path), "--date", "2022-07-01")
        assert status == 0
        assert {path.name for path in tmp_path.iterdir()} == {"sections.csv", "paths.csv"}
