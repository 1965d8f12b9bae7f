"""Where a rule distinguishes by figures that nobody published, the run says that it does not, and stops saying so once
they are in the profile."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from jobs.roster import Roster
from jobs.rules_left_open import capacity_findings
from market.consumer import CapacityFactors
from market.dated import Dated
from market.periods import Month
from market.profiles import RuleProfile, profile
from reports.finding_sentences import is_known

JULY = Month(2022, 7)
START = date(2022, 1, 1)
PEOPLE = pd.DataFrame(
    [["GRID", "grid_company", "province", "SD", None, START, None], ["G1", "generator", "jinan", "SD", None, START, None]],
    columns=["participant_id", "kind", "city", "node", "retailer_id", "valid_from", "valid_to"],
).astype(object)  # fmt: skip
METERS = pd.DataFrame(
    columns=["meter_id", "participant_id", "multiplier", "direction", "valid_from", "valid_to"], dtype=object
)
CONTRACTS = pd.DataFrame(
    columns=["contract_id", "seller_id", "buyer_id", "price_cny_per_mwh", "valid_from", "valid_to"],
    dtype=object,
)


def roster(people: pd.DataFrame = PEOPLE) -> Roster:
    return Roster(JULY, people, METERS, CONTRACTS)


def dated(value, unit):
    return (Dated(value=value, unit=unit, clause="B.4", valid_from=START, certainty="secondary"),)


def with_figures(*, classes: bool, factors: bool) -> RuleProfile:
    """SD_2022 as it would be with a class of unit, with a package's factors, or both."""
    rules = profile("SD_2022")
    one = CapacityFactors(package_code="TIME", sharp="2", peak="1.5", flat="1", valley="0.5", deep_valley="0")
    provincial, consumer = rules.provincial, rules.consumer
    if classes:
        provincial = provincial.model_copy(update={"capacity_by_output": dated(("wind",), "classes")})
    if factors:
        consumer = consumer.model_copy(update={"capacity_factors": dated((one,), "factors")})
    return rules.model_copy(update={"provincial": provincial, "consumer": consumer})


@pytest.mark.parametrize(
    ("classes", "factors", "left_open"),
    [
        (False, False, ["capacity_by_output_open", "capacity_factors_open"]),
        (True, False, ["capacity_factors_open"]),
        (False, True, ["capacity_by_output_open"]),
        (True, True, []),
    ],
)
def test_what_is_not_in_the_profile_is_named(classes: bool, factors: bool, left_open: list[str]) -> None:
    found = list(capacity_findings(roster(), with_figures(classes=classes, factors=factors), True))
    assert [one.code for one in found] == left_open
    assert all(is_known(one.code, one.sentence) for one in found)


def test_a_month_without_packages_and_generators_is_not_concerned() -> None:
    nobody = roster(PEOPLE[PEOPLE["kind"] == "grid_company"])
    assert list(capacity_findings(nobody, profile("SD_2022"), False)) == []
    (only_units,) = capacity_findings(roster(), profile("SD_2022"), False)
    assert only_units.code == "capacity_by_output_open"
