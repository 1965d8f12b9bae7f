"""The sample month made rough, so that every rounding has something to round; product against recalculation again.

The sample's prices are built so that each hour's mean is a whole 0.001 yuan/MWh, its multipliers are whole numbers
and sales between provinces whole MW: agreement there says nothing about halves. Here the hourly means fall on every
twentieth, halves and negative halves among them, Wh and sold energy are fractional, and one retailer also sells by
contract. A whole month is delivered and settled once more, so this runs with `make soak`.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from month_books import CLOCK, csv_rows, read_books
from recalculate import Amount, settle, stated

Row = dict[str, str]


def rewrite(folder: Path, table: str, change: Callable[[int, Row], None]) -> None:
    rows = csv_rows(folder, table)
    for number, row in enumerate(rows):
        change(number, row)
    with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def roughen_price(number: int, row: Row) -> None:
    for quarter, clock in enumerate(CLOCK):
        extra = (7 * number + 3 * quarter + 11 * (quarter // 4)) % 20
        row[clock] = str(Decimal(row[clock]) + Decimal(extra) / 1000)


def roughen_multiplier(number: int, row: Row) -> None:
    if row["multiplier"] == "1":
        row["multiplier"] = "1.5"


def roughen_sale(number: int, row: Row) -> None:
    """Two sales of three are cut by a fraction of a MW, the purchase in proportion."""
    sold = Decimal(row["executed_sell_mw"])
    if sold > 1:
        left = sold - number % 3 * Decimal("0.123457")
        bought = Decimal(row["executed_buy_mw"]) * left / sold
        row["executed_sell_mw"] = str(left)
        row["executed_buy_mw"] = str(bought.quantize(Decimal("0.000001")))


def sell_from_a_retailer(number: int, row: Row) -> None:
    if row["buyer_id"] == "W0001":
        row["seller_id"] = "R01"


@pytest.fixture(scope="module")
def rough_month(sample_folder: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rough") / "2022-07"
    shutil.copytree(sample_folder, folder)
    rewrite(folder, "prices", roughen_price)
    rewrite(folder, "meters", roughen_multiplier)
    rewrite(folder, "trades", roughen_sale)
    rewrite(folder, "contracts", sell_from_a_retailer)
    return folder


@pytest.mark.skipif(
    not os.environ.get("GRIDSETTLE_SOAK"),
    reason="a second whole month; runs with GRIDSETTLE_SOAK=1 (make soak)",
)
@pytest.mark.xdist_group("settled_sample")
def test_the_product_agrees_to_the_fen_on_a_month_where_everything_must_be_rounded(rough_month, tmp_path):
    from ingest.deliver import deliver_many
    from jobs.settle_month import settle as settle_month
    from market.periods import Month
    from warehouse.home import create, home

    books = read_books(rough_month, date(2022, 7, 1))
    nodes = [books.price[node, "real_time"] for node in sorted(set(books.node.values()))]
    hour_sums = [sum(sum(node[h : h + 4]) for node in nodes) for h in range(0, books.length, 4)]
    assert any(total > 0 and total % 20 == 10 for total in hour_sums), "no half to round up"
    assert any(total < 0 and total % 20 == 10 for total in hour_sums), "no half to round away from zero"

    at = home(tmp_path)
    create(at)
    deliver_many(at, [rough_month])
    run = settle_month(at, Month(2022, 7)).run
    columns = ["participant_id", "charge_code", "amount_cny", "quantity_mwh"]
    product = {
        (row["participant_id"], row["charge_code"]): Amount(row["amount_cny"], row["quantity_mwh"])
        for row in pq.read_table(run.folder / "lines.parquet", columns=columns).to_pylist()
        if not row["charge_code"].startswith("demand_response")
    }
    by_hand = stated(settle(books))
    assert product.keys() == by_hand.keys()
    assert {key: (product[key], by_hand[key]) for key in by_hand if product[key] != by_hand[key]} == {}
