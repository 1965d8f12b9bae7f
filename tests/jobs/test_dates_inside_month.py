"""What changes inside a month is split at the date: kinds, retailers, prices, shares of pools (ruling 11).

The base scenario: every quarter-hour of July 2022 is the same, MWh: W1 2.0, T1 1.0 (of R1), A1 0.3 and A2 0.1; users pay
490 in real time and 440 day ahead; half of July is 15 and 16 days of 96 quarter-hours.
"""

from __future__ import annotations

import csv
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ingest.deliver import deliver_many
from jobs.month_calculation import calculate
from market.periods import Month
from market.profiles import Dated, RuleProfile, profile
from warehouse.home import create, home

BASE = Path(__file__).resolve().parent.parent / "scenarios" / "base"
Lines = dict[tuple[str, str], tuple[Decimal, Decimal]]


def settled(tmp_path: Path, changed: dict[str, list[dict[str, str]]], rules: RuleProfile | None = None):  # type: ignore[no-untyped-def]
    """The base with rows put in place of those of the same first column."""
    files = tmp_path / "files"
    shutil.copytree(BASE, files)
    for table, new in changed.items():
        path = files / f"{table}.csv"
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        key = next(iter(rows[0]))
        replaced = {row[key] for row in new}
        rows = [row for row in rows if row[key] not in replaced] + [
            {**dict.fromkeys(rows[0], ""), **row} for row in new
        ]
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    at = home(tmp_path / "home")
    create(at)
    deliver_many(at, sorted(files.glob("*.csv")))
    return calculate(at, Month(2022, 7), rules or profile("SD_2022"))


def lines(done) -> Lines:  # type: ignore[no-untyped-def]
    return {
        (line.participant_id, line.charge_code): (
            Decimal(line.amount_fen).scaleb(-2),
            Decimal(line.quantity_wh or 0).scaleb(-6),
        )
        for line in done.result.lines
        if line.amount_fen is not None
    }


def who(participant: str, kind: str, first: str, after: str, **more: str) -> dict[str, str]:
    row = {"participant_id": participant, "name": participant, "kind": kind, "city": "jinan", "node": "SD_A"}
    return {**row, "tariff_class": "large_industry", "valid_from": first, "valid_to": after, **more}


@pytest.fixture(scope="module")
def moved(tmp_path_factory) -> Lines:  # type: ignore[no-untyped-def]
    """W1 goes to retailer R1 on 16 July, A2 leaves the agency for R1 on 11 July; W1's contract ends with June's terms."""
    done = settled(
        tmp_path_factory.mktemp("moved"),
        {
            "participants": [
                who("W1", "wholesale_user", "2022-01-01", "2022-07-16"),
                who("W1", "retail_user", "2022-07-16", "", retailer_id="R1"),
                who("A2", "agency_user", "2022-01-01", "2022-07-11"),
                who("A2", "retail_user", "2022-07-11", "", retailer_id="R1"),
            ],
            "contracts": [
                {
                    "contract_id": "C1",
                    "seller_id": "G1",
                    "buyer_id": "W1",
                    "price_cny_per_mwh": "400",
                    "valid_from": "2022-07-01",
                    "valid_to": "2022-07-16",
                }
            ],
        },
    )
    assert not [one for one in done.findings if one.severity == "block"]
    assert {"unsettled_positions", "unsettled_contract_curves"} <= {one.code for one in done.findings}
    return lines(done)


def test_a_wholesale_user_that_goes_to_a_retailer_settles_its_own_days_alone(moved: Lines) -> None:
    assert moved["W1", "energy_real_time"] == (Decimal(15 * 96 * 2 * 490), Decimal(2880))
    assert moved["W1", "energy_day_ahead"] == (15 * 96 * Decimal("1.8") * -50, Decimal(2592))
    assert moved["W1", "contract"][0] == 15 * 96 * Decimal("1.5") * (400 - 440)


def test_its_later_days_and_those_of_a_former_agency_user_are_in_the_retailers_book(moved: Lines) -> None:
    energy = 2976 + 16 * 96 * 2 + 21 * 96 * Decimal("0.1")
    assert moved["R1", "energy_real_time"] == (energy * 490, energy)
    assert moved["SGCC", "energy_real_time"][1] == 2976 * Decimal("0.4") - 21 * 96 * Decimal("0.1")


def test_shares_of_a_pool_follow_the_days_of_each_book(moved: Lines) -> None:
    keys = {who: moved[who, "congestion"][1] for who in ("W1", "R1", "SGCC")}
    assert keys == {"W1": Decimal(2880), "R1": Decimal("6249.6"), "SGCC": Decimal("988.8")}
    pool = sum(moved[who, "congestion"][0] for who in keys)
    for one, energy in keys.items():
        assert abs(moved[one, "congestion"][0] - pool * energy / sum(keys.values())) < Decimal("0.01")


def test_an_agency_user_bears_the_gain_or_loss_for_its_agency_days_alone(moved: Lines) -> None:
    # 8.82 by A1 892.8 and A2 96.0 MWh (ten days): 7.9637 and 0.8563
    assert moved["A1", "interprovincial_gain_loss"] == (Decimal("-7.96"), Decimal("892.8"))
    assert moved["A2", "interprovincial_gain_loss"] == (Decimal("-0.86"), Decimal(96))


def test_nobody_is_settled_twice_for_one_mwh(moved: Lines) -> None:
    used = sum(
        mwh for (_, code), (_, mwh) in moved.items() if code in ("energy_real_time", "residents_energy")
    )
    assert used == 2976 * (
        Decimal("3.9") + Decimal(4)
    )  # users and residents, and what the generators deliver


def test_a_capacity_price_that_changes_inside_the_month_holds_from_its_day(tmp_path: Path) -> None:
    base = profile("SD_2022")
    (first,) = base.settled[0].capacity_price_cny_per_mwh
    prices = (
        first.model_copy(update={"valid_to": date(2022, 7, 16)}),
        Dated[Decimal].model_validate(
            {**first.model_dump(), "value": "100", "valid_from": date(2022, 7, 16)}
        ),
    )
    rules = base.settled[0].model_copy(update={"capacity_price_cny_per_mwh": prices})
    done = settled(tmp_path, {}, base.model_copy(update={"provincial": rules}))
    expected = 15 * 96 * 2 * Decimal("99.1") + 16 * 96 * 2 * Decimal(100)
    assert lines(done)["W1", "capacity_compensation"][0] == expected
