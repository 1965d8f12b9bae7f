"""差错电量: an error below a tenth of the month adjusts the monthly total alone, a larger one its own quarter-hours.

W1 uses 2 MWh in each of 2,976 quarter-hours, 5,952 MWh, at 490. On 12 July the hour of noon costs 515: node A is 200
dearer in one of its quarter-hours, over two nodes and four quarter-hours. Its own average is 490.034.
"""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from approvals import approved
from changed_books import BASE, JULY, base_rows, copied, differences_of, give, lines_of, revise

from ingest.deliver import deliver_many
from jobs.bridge import bridge
from jobs.correct_month import correct
from jobs.explain import explain
from jobs.reproduce import reproduce
from jobs.settle_month import settle
from market.periods import LABELS
from market.profiles import RuleProfile, profile
from settlement.bridge import Cause
from warehouse import runs
from warehouse.home import Home

T1 = [row for row in base_rows("meter_readings") if row["meter_id"] == "M-T1"]


def with_error_tariff(name: str = "SD_2022") -> RuleProfile:
    base = profile(name)
    provincial = base.settled[0].model_copy(update={"correction_pricing": "error_tariff"})
    return base.model_copy(update={"provincial": provincial, "sha256": "e" * 64})


@pytest.fixture(scope="module")
def _dear_noon(_drafted, tmp_path_factory):
    """July is final under the tariff of errors."""
    at = copied(_drafted, tmp_path_factory.mktemp("noon") / "home")
    revise(at, "prices", {"12:00": "700"}, node="SD_A", stage="real_time", date="2022-07-12")
    settle(at, JULY, kind="final", profile_name=with_error_tariff())
    return at


@pytest.fixture
def at(_dear_noon, tmp_path):
    return copied(_dear_noon, tmp_path / "home")


def read_again(at: Home, cells: dict[str, str], day: str = "2022-07-12") -> runs.Run:
    revise(at, "meter_readings", cells, meter_id="M-W1", date=day)
    return correct(at, JULY).run


def changed(run: runs.Run) -> dict[tuple[str, str], Decimal]:
    rows = differences_of(run)
    rows = rows[rows["participant_id"].notna()]
    return {(row.participant_id, row.charge_code): row.difference_cny for row in rows.itertuples()}


def findings(run: runs.Run) -> dict[tuple[str, str], str]:
    rows = pd.read_parquet(run.folder / "findings.parquet")
    return dict(zip(zip(rows["code"], rows["subject"], strict=True), rows["sentence"], strict=True))


def test_small_errors_adjust_the_total_and_large_ones_their_quarter_hours(at: Home) -> None:
    """One correction, three meters: W1 0.1 MWh more at noon; A1 the same energy at other times; T1 a fifth more.

    W1 pays 49.00 by the average, where its own quarter-hour would have cost 51.50.
    """
    revise(at, "meter_readings", {"12:00": "299", "00:15": "301"}, meter_id="M-A1", date="2022-07-12")
    give(
        at,
        "meter_readings",
        [row | {label: str(Decimal(row[label]) * 6 / 5) for label in LABELS} for row in T1],
    )
    run = read_again(at, {"12:00": "21"})
    assert changed(run)["W1", "energy_real_time"] == Decimal("49.00")
    assert changed(run)["W1", "capacity_compensation"] == Decimal("9.91")  # fees follow the corrected total
    lines = pd.read_parquet(run.folder / "lines.parquet").set_index(["participant_id", "charge_code"])
    assert lines.loc[("W1", "energy_real_time"), "quantity_mwh"] == Decimal("5952.100000")
    assert ("SGCC", "energy_real_time") not in changed(run)  # A1 is of its book
    said = findings(run)
    assert "of W1 were wrong by 0.100 MWh" in said["error_tariff_applied", "M-W1"]
    assert "by +0.100 MWh at 490.034 元/MWh" in said["error_tariff_applied", "M-W1"]
    assert "by +0.000 MWh" in said["error_tariff_applied", "M-A1"]
    assert "1 meters of 2022-07" in said["error_by_quarter_hour", "2022-07"]
    assert "error_tariff_not_applied" not in {code for code, _ in said}
    estimates = pd.read_parquet(run.folder / "estimates.parquet")
    assert (set(estimates["method"]), set(estimates["meter_id"])) == ({"monthly_total"}, {"M-W1", "M-A1"})
    told = bridge(at, run.previous or "", run.run_id)
    assert {cause for row in told.rows for cause in row.parts} == {Cause.READING}
    assert {
        (row.participant_id, row.charge_code): row.difference_fen for row in told.rows if row.difference_fen
    } == {key: int(100 * amount) for key, amount in changed(run).items() if amount}
    assert (
        explain(at, run.run_id, "W1", "energy_real_time").amount_cny
        == lines_of(run)["W1", "energy_real_time"]
    )
    assert reproduce(at, run.run_id).differences == ()


def test_corrections_of_a_correction_end_where_one_would(at: Home) -> None:
    approved(at, read_again(at, {"12:00": "21"}))
    twice = read_again(at, {"12:00": "21", "13:00": "23"})
    assert changed(twice)["W1", "energy_real_time"] == Decimal(
        "147.01"
    )  # 0.4 at 490.034 less the 49.00 before


def test_the_rules_of_2025_have_the_tariff_and_those_of_2022_say_that_they_have_not() -> None:
    assert profile("SD_2025").settled[0].correction_pricing == "error_tariff"
    assert profile("SD_2022").settled[0].correction_pricing == "own_quarter_hour"


def test_a_bill_under_the_tariff_of_errors_by_hand(base_home: Home, tmp_path) -> None:
    """A1 took 1.2 MWh more at nine, a peak hour: 894.0 MWh for 892.8, 0.13 % and so its total alone.

    The bill of given_tariffs_and_packages, every price per MWh on 894.0: energy 357,600.00 (the agency price of the
    month, 400), past deviation -8,940.00, capacity 88,595.40, line loss 17,880.00, T&D 116,220.00, system operation
    3,576.00, funds 894.0 · 27.16875 = 24,288.86. What floats is 521.1, and the shape stays flat over the day: time of
    use 894.0 · 521.1 · 0.9 / 24 = 17,469.88, 23.45 more (the peak hour alone would have cost 312.66). Power factor 9.5 %
    of 645,001.28 is 61,275.12.
    """
    at = copied(base_home, tmp_path / "home")
    deliver_many(at, [BASE.parent / "given_tariffs_and_packages" / "when"])
    settle(at, JULY, kind="final", profile_name=with_error_tariff())
    revise(at, "meter_readings", {"09:15": "1500"}, meter_id="M-A1", date="2022-07-12")
    run = correct(at, JULY).run
    assert "by +1.200 MWh" in findings(run)["error_tariff_applied", "M-A1"]
    more = {
        "agency_energy": "480.00", "agency_deviation": "-12.00", "agency_capacity": "118.92",
        "line_loss_fee": "24.00", "transmission_fee": "156.00", "system_operation_fee": "4.80",
        "government_funds": "32.60", "time_of_use": "23.45", "power_factor": "75.54",
    }  # fmt: skip
    assert {
        code: str(amount) for (who, code), amount in changed(run).items() if who == "A1" and amount
    } == more
