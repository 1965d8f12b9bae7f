"""日清: a day's run has the month's amounts of that day, says what is provisional and what only the month has."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.settle_day import settle_one_day, write_statements
from jobs.settle_month import NothingToSettleError, settle
from market.periods import Month
from market.profiles import profile
from warehouse.home import Home, create, home
from warehouse.runs import list_runs, verify

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
BASE = SCENARIOS / "base"
DAY = date(2022, 7, 22)
EVENT_CHARGES = {charge.code for charge in profile("SD_2022").settled[1].charges if charge.period == "event"}

pytestmark = pytest.mark.xdist_group("settled_sample")


def table(run, name: str) -> pd.DataFrame:
    return pd.read_parquet(run.folder / f"{name}.parquet")


def test_every_exact_amount_of_a_day_is_that_of_the_months_run(sample_home, settled_sample) -> None:
    run = settle_one_day(sample_home, DAY).run
    of_day = table(run, "daily").set_index(["participant_id", "charge_code", "date"])
    month = table(settled_sample, "daily")
    monthly = set(run.manifest["totals"]["not_in_a_day"])
    same_day = month[(month["date"] == DAY) & ~month["charge_code"].isin(monthly)]
    same_day = same_day.set_index(["participant_id", "charge_code", "date"])
    assert set(of_day.index) == set(same_day.index)
    assert len(of_day) > 500
    both = of_day.join(same_day, lsuffix="_day", rsuffix="_month")
    assert (both["amount_day"] == both["amount_month"]).all()  # to 1e-9 元, exactly
    assert (both["quantity_mwh_day"] == both["quantity_mwh_month"]).all()


def test_what_the_month_has_and_a_day_has_not_is_named(sample_home, settled_sample) -> None:
    totals = settle_one_day(sample_home, DAY).run.manifest["totals"]
    month = set(table(settled_sample, "lines")["charge_code"])
    day = set(table(settle_one_day(sample_home, DAY).run, "lines")["charge_code"])
    by_trade = {"interprovincial_sale_intraday", "interprovincial_direct"}  # no such trade on that day
    assert month - day - by_trade <= set(totals["not_in_a_day"])
    assert not day & set(totals["not_in_a_day"])
    assert {"congestion", "position_mismatch", "interprovincial_gain_loss"} <= set(totals["not_in_a_day"])
    assert set(totals["not_in_a_day"]) >= EVENT_CHARGES


def test_a_plain_day_by_hand(small_home: Home) -> None:
    # 96 quarter-hours: W1 2.0 MWh at 490, 1.8 at 440 − 490, 1.5 at 400 − 440; the import of the 22nd as in the month
    lines = table(settle_one_day(small_home, DAY).run, "lines")
    found = lines.set_index(["participant_id", "charge_code"])
    assert found.loc[("W1", "energy_real_time"), "amount_cny"] == Decimal("94080.00")
    assert found.loc[("W1", "energy_day_ahead"), "amount_cny"] == Decimal("-8640.00")
    assert found.loc[("W1", "contract"), "amount_cny"] == Decimal("-5760.00")
    assert found.loc[("G1", "energy_real_time"), "amount_cny"] == Decimal("-120000.00")
    assert found.loc[("OUT-NX", "interprovincial_sale_day_ahead"), "amount_cny"] == Decimal("-75.00")
    # loss: (96 · 0.1 + 0.231338) · 490 = 4,817.35562
    assert found.loc[("SGCC", "loss"), "amount_cny"] == Decimal("4817.36")
    assert ("SGCC", "contract") not in found.index


def test_inter_provincial_lines_are_provisional_until_d_plus_5_and_others_until_the_month(
    small_home: Home,
) -> None:
    lines = table(settle_one_day(small_home, DAY).run, "lines").set_index("charge_code")
    between = lines[lines.index.str.startswith("interprovincial")]
    assert set(between["provisional_until"]) == {date(2022, 7, 27)}
    assert lines.loc["energy_real_time", "provisional_until"].isna().all()


def test_the_same_day_again_is_the_same_run_and_a_late_reading_the_next_version(small_home: Home) -> None:
    first, second = settle_one_day(small_home, DAY), settle_one_day(small_home, DAY)
    assert (first.computed, second.computed) == (True, False)
    assert first.run.run_id == second.run.run_id
    assert first.run.alias == "2022-07-22 day v1"
    late = small_home.root / "meter_readings_late.csv"
    rows = (BASE / "meter_readings.csv").read_text(encoding="utf-8-sig").splitlines()
    late.write_text(
        "\n".join([rows[0], *(row.replace(",20,", ",19,", 1) for row in rows if f"M-W1,{DAY}" in row)]),
        encoding="utf-8",
    )
    deliver_many(small_home, [late])
    third = settle_one_day(small_home, DAY)
    assert (third.run.version, third.run.previous) == (2, first.run.run_id)
    assert verify(third.run) == []


def test_days_and_months_are_runs_of_their_own_kinds(small_home: Home) -> None:
    settle_one_day(small_home, DAY)
    month = settle(small_home, Month(2022, 7)).run
    assert (month.alias, month.previous) == ("2022-07 draft v1", None)
    assert [run.alias for run in list_runs(small_home)] == ["2022-07 draft v1", "2022-07-22 day v1"]


def test_a_day_with_a_missing_price_has_missing_amounts_and_is_blocked(tmp_path: Path) -> None:
    at = home(tmp_path / "home")
    create(at)
    files = {file.name: file for file in BASE.glob("*.csv")}
    files["prices.csv"] = SCENARIOS / "given_a_missing_price" / "when" / "prices.csv"
    deliver_many(at, list(files.values()))
    gaps = table(settle(at, Month(2022, 7)).run, "daily")
    day = gaps[(gaps["charge_code"] == "energy_real_time") & gaps["amount"].isna()]["date"].min()
    run = settle_one_day(at, day).run
    lines = table(run, "lines").set_index(["participant_id", "charge_code"])
    assert run.status == "blocked"
    assert lines.loc[("W1", "energy_real_time"), "amount_cny"] is None
    assert lines.loc[("W1", "contract"), "amount_cny"] == Decimal("-5760.00")
    assert "缺失" in (write_statements(at, run) / "statements" / f"day_{day}_W1.csv").read_text("utf-8-sig")


def test_a_day_without_readings_is_refused(small_home: Home) -> None:
    with pytest.raises(NothingToSettleError, match="no meter readings of 2022-08-01"):
        settle_one_day(small_home, date(2022, 8, 1))


def test_a_statement_says_what_it_is_until_when_one_may_object_and_what_is_not_in_it(
    small_home: Home,
) -> None:
    run = settle_one_day(small_home, DAY).run
    folder = write_statements(small_home, run)
    text = (folder / "statements" / f"day_{DAY}_W1.csv").read_text("utf-8-sig")
    assert "临时结果" in text
    assert "2022-07-26 17:30" in text  # D+4, market.md C.1
    assert "阻塞费用 Congestion" in text
    assert run.fingerprint in text
    assert "94080.00" in text
    assert "R1" not in text
    everybody = (folder / f"day_{DAY}.csv").read_text("utf-8-sig")
    assert everybody.count("省内实时电能量") == 5  # W1, R1, SGCC, G1, G2
