"""差错电量: an error below a tenth of the month adjusts the monthly total alone, a larger one its own quarter-hours.

W1 uses 2 MWh in each of 2,976 quarter-hours, 5,952 MWh, at 490. On 12 July the hour of noon costs 515: node A is 200
dearer in one of its quarter-hours, over two nodes and four quarter-hours. Its own average is 490.034.
"""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from approvals import approved
from changed_books import JULY, copied, differences_of, lines_of, revise

from jobs.bridge import bridge
from jobs.correct_month import correct
from jobs.explain import explain
from jobs.reproduce import reproduce
from jobs.settle_month import settle
from market.profiles import RuleProfile, profile
from settlement.bridge import Cause
from warehouse import runs
from warehouse.home import Home


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


def findings(run: runs.Run) -> dict[str, str]:
    rows = pd.read_parquet(run.folder / "findings.parquet")
    return dict(zip(rows["code"], rows["sentence"], strict=True))


def test_a_small_error_is_priced_at_the_months_average_and_not_in_its_quarter_hour(at: Home) -> None:
    """0.1 MWh more at noon: 49.00 by the average, where its own quarter-hour would have cost 51.50."""
    run = read_again(at, {"12:00": "21"})
    assert changed(run)["W1", "energy_real_time"] == Decimal("49.00")
    assert changed(run)["W1", "capacity_compensation"] == Decimal("9.91")  # fees follow the corrected total
    quantity = pd.read_parquet(run.folder / "lines.parquet").set_index(["participant_id", "charge_code"])
    assert quantity.loc[("W1", "energy_real_time"), "quantity_mwh"] == Decimal("5952.100000")
    said = findings(run)
    assert "by +0.100 MWh at 490.034 元/MWh" in said["error_tariff_applied"]
    assert "error_tariff_not_applied" not in said
    assert set(pd.read_parquet(run.folder / "estimates.parquet")["method"]) == {"monthly_total"}


def test_the_bridge_the_explanation_and_the_second_computation_follow_the_rule(at: Home) -> None:
    run = read_again(at, {"12:00": "21"})
    told = bridge(at, run.previous or "", run.run_id)
    assert {cause for row in told.rows for cause in row.parts} == {Cause.READING}
    assert {
        (row.participant_id, row.charge_code): row.difference_fen for row in told.rows if row.difference_fen
    } == {key: int(100 * amount) for key, amount in changed(run).items() if amount}
    line = explain(at, run.run_id, "W1", "energy_real_time")
    assert line.amount_cny == lines_of(run)["W1", "energy_real_time"]
    assert reproduce(at, run.run_id).differences == ()


def test_energy_that_only_moved_between_quarter_hours_moves_no_money(at: Home) -> None:
    run = read_again(at, {"12:00": "19", "00:15": "21"})
    assert changed(run) == {}
    assert "by +0.000 MWh" in findings(run)["error_tariff_applied"]


def test_an_error_of_a_tenth_is_settled_in_its_own_quarter_hours(at: Home) -> None:
    """8 MWh more in each quarter-hour of the day are 768 of 6,720 MWh, 11.4 %: 92 at 490 and 4 at 515."""
    run = read_again(at, {"all": "100"})
    assert changed(run)["W1", "energy_real_time"] == 8 * (92 * Decimal("490.00") + 4 * Decimal("515.00"))
    said = findings(run)
    assert "1 meters of 2022-07" in said["error_by_quarter_hour"]
    assert "error_tariff_applied" not in said


def test_corrections_of_a_correction_end_where_one_would(at: Home, tmp_path) -> None:
    once = copied(at, tmp_path / "once")
    approved(at, read_again(at, {"12:00": "21"}))
    twice = read_again(at, {"12:00": "21", "13:00": "23"})
    assert lines_of(twice) == lines_of(read_again(once, {"12:00": "21", "13:00": "23"}))
    assert changed(twice)["W1", "energy_real_time"] == Decimal(
        "147.01"
    )  # 0.4 at 490.034 less the 49.00 before


def test_without_the_rule_the_quarter_hour_counts_and_a_finding_says_so(july_final: Home) -> None:
    run = read_again(july_final, {"12:00": "21"})
    assert changed(run)["W1", "energy_real_time"] == Decimal("49.00")
    assert "error_tariff_not_applied" in findings(run)
    assert profile("SD_2025").settled[0].correction_pricing == "error_tariff"
