"""A city's readings after a delivery: what is odd in them, and what a final run would estimate.

What is found is kept in the home, so that the month's runs take it over while nothing of the city changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.check_scopes import scope_of_meters
from jobs.estimates import Estimate
from jobs.month_readings import check_city, read_roster
from market.curves import is_missing
from market.periods import Month
from market.profiles import profile
from settlement.findings import Finding
from warehouse.home import Home


@dataclass(frozen=True)
class CityReadings:
    """One city's month. findings: of the readings as delivered. estimates: of a final run of today."""

    city: str
    month: Month
    findings: tuple[Finding, ...]
    estimates: tuple[Estimate, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Findings by code."""
        return dict(sorted(Counter(finding.code for finding in self.findings).items()))

    @property
    def estimated(self) -> int:
        """Quarter-hours that the ladder fills or replaces."""
        return sum(int((one.changed & ~is_missing(one.accepted)).sum()) for one in self.estimates)

    def sentences(self, most: int = 20) -> Iterator[str]:
        """What was found, then at most so many findings; `gridsettle readings` lists them all."""
        yield (
            f"{self.city}, {self.month}: {len(self.findings)} findings; a final run would estimate {self.estimated} "
            "quarter-hours."
        )
        yield from (f"{finding.code}: {finding.sentence}" for finding in self.findings[:most])
        if len(self.findings) > most:
            yield f"{len(self.findings) - most} more findings."


def cities_to_check(home: Home, month: Month) -> list[str]:
    """The cities with a meter in the month, ``province`` for meters of none; empty when nobody has one."""
    roster, records = read_roster(home, month, None)
    if not any(len(span.meter_ids) for span in roster.spans):
        return []
    return sorted(set(scope_of_meters(roster, records["meters"]).values()))


def check_readings_of_city(
    home: Home, month: Month, city: str, *, profile_name: str = "SD_2022"
) -> CityReadings:
    """Check and estimate one city's month. Raises UnknownProfileError for a profile that is not there."""
    rules = profile(profile_name).reaching_back_to(month.first)
    found = {kind: check_city(home, month, city, rules, kind) for kind in ("draft", "final")}
    as_delivered = (*found["draft"].gaps, *found["draft"].findings)
    return CityReadings(city, month, as_delivered, found["final"].estimates)
