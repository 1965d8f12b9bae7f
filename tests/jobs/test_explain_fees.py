"""Lines of fees and monthly charges explain themselves by their days and the rows they rest on."""

from __future__ import annotations

from datetime import date

import pytest

from jobs.explain import NotExplainedError, explain

pytestmark = pytest.mark.xdist_group("settled_sample")


def test_a_unit_that_was_started_sees_the_rows_that_name_it(sample_home, settled_sample):
    told = explain(sample_home, settled_sample.run_id, "G003", "startup_compensation")
    assert [source.table for source in told.sources] == ["fee_pools"]
    assert "G003" in told.sources[0].key
    assert sum(day.amount_cny for day in told.days) == told.amount_cny


def test_who_shares_a_fee_sees_every_row_of_it_and_its_days(sample_home, settled_sample):
    told = explain(sample_home, settled_sample.run_id, "W0001", "excess_profit_recovery_share")
    assert len(told.sources) == 2
    assert abs(sum(day.amount_cny for day in told.days) - told.amount_cny) < 1


def test_a_fee_has_no_quarter_hours(sample_home, settled_sample):
    with pytest.raises(NotExplainedError, match="not by quarter-hour"):
        explain(sample_home, settled_sample.run_id, "W0001", "residents_gain_loss", date(2022, 7, 4))


def test_a_month_end_adjustment_sees_the_counters_and_multipliers_it_rests_on(sample_home, settled_sample):
    told = explain(sample_home, settled_sample.run_id, "W0140", "month_adjustment")
    read, meter = told.sources
    assert (read.table, meter.table) == ("registers", "meters")
    assert "M-W0140-01 valid_from 2022-07-01 valid_to 2022-08-01 start_kwh" in read.key
    assert "multiplier 132000" in meter.key
    of_retailer = explain(sample_home, settled_sample.run_id, "R01", "month_adjustment")
    customers = {source.key.split()[0] for source in of_retailer.sources if source.table == "registers"}
    assert len(customers) == 30
    assert all(meter.startswith("M-T") for meter in customers)
    own = explain(sample_home, settled_sample.run_id, "T0002", "retail_adjustment")
    assert {source.key.split()[0] for source in own.sources} == {"M-T0002-01"}
