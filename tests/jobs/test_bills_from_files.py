"""Bills from files: what is lacking is said and missing, terms take effect on their day, certificates carry on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ingest.deliver import deliver_many
from jobs import consumer_bills
from jobs.basis import past_basis
from jobs.consumer_use import maximum_demand
from jobs.explain.line import explain
from jobs.explain.run import NotExplainedError
from jobs.month_calculation import calculate_basis
from jobs.settle_month import settle
from market.periods import Month
from market.profiles import profile
from warehouse.home import Home, create, home
from warehouse.run_tables import accounts_table, findings_table, lines_table
from warehouse.runs import Run

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
BASE, BILLS = SCENARIOS / "base", SCENARIOS / "given_tariffs_and_packages" / "when"
JULY, AUGUST = Month(2022, 7), Month(2022, 8)
OTHER_MONTHS = ("meter_readings", "positions", "prices", "reactive_readings")


def delivered(folder: Path, changes: dict[str, str] | None = None) -> Home:
    """A home with the scenario of bills, some of its files with another text."""
    at = home(folder / "home")
    create(at)
    files = {file.stem: file for file in (*BASE.glob("*.csv"), *BILLS.glob("*.csv"))}
    for table, text in (changes or {}).items():
        files[table] = folder / f"{table}.csv"
        files[table].write_text(text)
    assert all(receipt.status == "accepted" for receipt in deliver_many(at, list(files.values())))
    return at


def of(table: str) -> str:
    return (BILLS / f"{table}.csv").read_text()


def lines(run: Run) -> dict[tuple[str, str], Decimal | None]:
    rows = pq.read_table(run.folder / "lines.parquet").to_pylist()
    return {(row["participant_id"], row["charge_code"]): row["amount_cny"] for row in rows}


def findings(run: Run) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in pq.read_table(run.folder / "findings.parquet").to_pylist():
        found.setdefault(row["code"], []).append((row["severity"], row["subject"]))
    return found


def test_what_a_bill_lacks_is_missing_and_said(tmp_path: Path) -> None:
    without_a_day = "\n".join(
        row for row in of("reactive_readings").splitlines() if not row.startswith("M-A2,lagging,2022-07-09")
    )
    at = delivered(
        tmp_path,
        {
            "package_choices": of("package_choices")
            .replace("2022-06-15", "2022-07-05")
            .replace("2022-07-01", "2022-07-05"),
            "reactive_readings": without_a_day,
            "participants": "\n".join(
                row for row in of("participants").splitlines() if "FUND-GOV" not in row
            ),
            "tariffs": of("tariffs").replace(
                "line_loss,all,all,0.02,cny_per_kwh,SD", "line_loss,all,all,0.02,cny_per_kwh,HB"
            ),
        },
    )
    run = settle(at, JULY).run
    found, amounts = findings(run), lines(run)
    assert found["package_takes_effect_next_month"] == [("review", "T1")]
    assert found["package_missing"] == [("block", "T1")]
    assert found["reactive_missing"] == [("block", "A2")]
    assert found["fund_unknown"] == [("block", "2022-07")]
    assert found["tariff_stands_in"] == [("inform", "line_loss")]
    assert amounts["T1", "retail_energy"] is None
    assert amounts["R1", "retail_margin"] is None
    assert amounts["A2", "power_factor"] is None
    assert amounts["A1", "power_factor"] == Decimal("61199.58")  # as in the scenario
    assert ("FUND-GOV", "government_funds") not in amounts
    assert run.status == "blocked"


def test_a_package_of_another_retailer_prices_nothing_and_an_odd_code_is_said(tmp_path: Path) -> None:
    at = delivered(
        tmp_path,
        {
            "participants": of("participants") + "R2,售电公司二,retailer,jinan,SD,,,,,2022-01-01,,,\n",
            "packages": of("packages").replace("LSGD220001,R1", "lsgd-1,R2"),
            "package_choices": of("package_choices").replace("LSGD220001", "lsgd-1"),
        },
    )
    run = settle(at, JULY).run
    assert findings(run)["package_of_other_retailer"] == [("block", "T1")]
    assert findings(run)["package_code_odd"] == [("review", "lsgd-1")]
    assert lines(run)["T1", "retail_energy"] is None


def test_a_meter_swap_and_a_change_of_class_are_split_at_the_date(tmp_path: Path) -> None:
    """A2 is of large industry from 15 July (T&D 130 for 200, 800 kVA) and has a meter with multiplier 2 from then."""
    people = of("participants").splitlines()
    at_two = next(row for row in people if row.startswith("A2,"))
    first = at_two.replace("2022-01-01,,", "2022-01-01,2022-07-15,")
    then = at_two.replace("general_industry", "large_industry").replace(
        "2022-01-01,,,", "2022-07-15,,capacity,"
    )
    meters = (
        (BASE / "meters.csv")
        .read_text()
        .replace("M-A2,A2,1,1,2022-01-01,", "M-A2,A2,1,1,2022-01-01,2022-07-15")
    )
    meters += "M-A2N,A2,2,1,2022-07-15,\n"
    readings = []
    for table in ((BASE / "meter_readings.csv").read_text(), of("reactive_readings")):
        rows = table.splitlines()
        for n, row in enumerate(rows):
            day = row.split(",")[1 if table.startswith("meter_id,date") else 2]
            if row.startswith("M-A2,") and day >= "2022-07-15":
                rows[n] = row.replace("M-A2,", "M-A2N,")
        readings.append("\n".join(rows))
    at = delivered(
        tmp_path,
        {
            "participants": "\n".join([row for row in people if row != at_two] + [first, then]),
            "meters": meters,
            "meter_readings": readings[0],
            "reactive_readings": readings[1],
        },
    )
    run = settle(at, JULY).run
    amounts = lines(run)
    # 9.6 MWh a day for 14 days at 200, then 19.2 a day for 17 days at 130
    assert amounts["A2", "transmission_fee"] == Decimal("26880.00") + Decimal("42432.00")
    # 800 kVA x 26.3 x 17 / 31 = 11,538.064…
    assert amounts["A2", "basic_fee"] == Decimal("11538.06")
    assert "reactive_missing" not in findings(run)


def test_green_energy_below_a_whole_mwh_is_carried_into_the_next_month(tmp_path: Path) -> None:
    at = delivered(tmp_path)
    july = settle(at, JULY).run
    folder = tmp_path / "august"
    folder.mkdir()
    for name in OTHER_MONTHS:
        source = BILLS if name == "reactive_readings" else BASE
        text = (source / f"{name}.csv").read_text().replace("2022-07-", "2022-08-")
        (folder / f"{name}_2022-08.csv").write_text(text)
    (folder / "capacity_available_2022-08.csv").write_text(
        (BASE / "capacity_available.csv").read_text().replace("2022-07", "2022-08")
    )
    deliver_many(at, [folder])
    august = settle(at, AUGUST).run
    (before,), (after,) = (
        pq.read_table(run.folder / "green_certificates.parquet").to_pylist() for run in (july, august)
    )
    assert (before["certificates"], before["carried_out_mwh"]) == (297, Decimal("0.6"))  # 297.6 MWh
    assert after["carried_in_mwh"] == before["carried_out_mwh"]
    assert (after["certificates"], after["carried_out_mwh"]) == (298, Decimal("0.2"))  # 0.6 + 297.6
    assert lines(august)["T1", "green_certificates"] == Decimal("7450.00")
    assert f"runs/{july.run_id}/green_certificates.parquet" in {
        one["path"] for one in august.manifest["inputs"]
    }
    opening, closing = (
        pd.read_parquet(run.folder / "accounts.parquet").set_index("account").loc["agency_result"]
        for run in (august, july)
    )
    assert opening["opening_cny"] == closing["closing_cny"] != 0


def test_a_bill_is_explained_by_its_days_and_not_by_quarter_hours(tmp_path: Path) -> None:
    at = delivered(tmp_path)
    run = settle(at, JULY).run
    found = explain(at, run.alias, "A1", "time_of_use")
    assert len(found.days) == 31
    for who, code, day in (
        ("A1", "time_of_use", date(2022, 7, 1)),
        ("A1", "basic_fee", None),
        ("R1", "retail_margin", None),
    ):
        with pytest.raises(NotExplainedError, match="second layer"):
            explain(at, run.alias, who, code, day)


def meter(name: str, who: str, multiplier: str, begins: str, ends: str | None = None) -> dict[str, object]:
    return {
        "meter_id": name,
        "participant_id": who,
        "multiplier": Decimal(multiplier),
        "direction": 1,
        "valid_from": date.fromisoformat(begins),
        "valid_to": None if ends is None else date.fromisoformat(ends),
    }


def demand(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"meter_id": name, "month": "2022-07", "demand_kw": Decimal(kw)} for name, kw in rows]
    )


def test_demands_of_meters_side_by_side_are_added_and_of_one_after_another_the_higher_counts() -> None:
    meters = pd.DataFrame(
        [
            meter("A", "TWO", "10", "2022-01-01"),
            meter("B", "TWO", "10", "2022-01-01"),
            meter("C", "SWAP", "1", "2022-01-01", "2022-07-10"),
            meter("D", "SWAP", "2", "2022-07-10"),
        ]
    )
    found = maximum_demand(demand(("A", "1.5"), ("B", "2"), ("C", "50"), ("D", "30.0005")), meters, JULY)
    assert found == {"TWO": 35_000, "SWAP": 60_001}


def test_a_meter_without_its_demand_leaves_the_participants_demand_missing() -> None:
    meters = pd.DataFrame([meter("A", "TWO", "10", "2022-01-01"), meter("B", "TWO", "10", "2022-01-01")])
    assert maximum_demand(demand(("A", "1.5")), meters, JULY) == {"TWO": None}


def test_bills_made_in_parts_are_the_bills_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = delivered(tmp_path)
    whole = settle(at, JULY).run
    monkeypatch.setattr(consumer_bills, "CONSUMERS_AT_A_TIME", 1)
    done = calculate_basis(past_basis(at, whole))
    tables = {
        "lines": lines_table(done.result.lines, profile("SD_2022").settled[1]),
        "accounts": accounts_table(done.result.accounts),
        "findings": findings_table(done.findings, UUID(whole.run_id)),
    }
    for name, table in tables.items():
        assert table.equals(pq.read_table(whole.folder / f"{name}.parquet").replace_schema_metadata(None)), (
            name
        )
