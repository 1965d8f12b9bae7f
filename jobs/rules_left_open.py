"""What the rules of a month leave open or leave out, said in every run that it concerns (rulings 7, 31)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from jobs.day_prices import UnifiedPrices
from jobs.roster import Roster
from market.dated import on
from market.periods import Month
from market.profiles import ProvincialRules, RuleProfile
from settlement.findings import Finding, Severity


def error_tariff_findings(
    month: Month, rules: ProvincialRules, unified: UnifiedPrices | None
) -> list[Finding]:
    """What a correction under rules without a tariff of errors leaves out (market.md B.11).

    unified: the prices that stay, None where nothing is corrected.
    """
    if unified is None or rules.correction_pricing == "error_tariff":
        return []
    return [
        Finding(
            "error_tariff_not_applied",
            Severity.INFORM,
            str(month),
            f"Every corrected quantity of {month} is priced in its own quarter-hour. The rule that adjusts the monthly "
            "total alone for an error below 10 % of its energy is not applied: its rules say so (correction_pricing; SD25, "
            "market.md B.11; docs/corrections.md).",
        )
    ]


def capacity_findings(roster: Roster, profile: RuleProfile, has_packages: bool) -> Iterator[Finding]:
    """Capacity money is shared and charged in one way where the rule distinguishes by figures nobody published (B.4)."""
    month = roster.month
    if roster.generators and not _named(profile, month.first):
        yield Finding(
            "capacity_by_output_open",
            Severity.INFORM,
            str(month),
            f"The rules of {month} name no class of unit whose capacity counts by its output (capacity_by_output; BOOK17, "
            "market.md B.4), because none is published: every unit has its share of capacity compensation by available "
            "capacity. Enter the classes in the profile when they are known.",
        )
    if has_packages and not _factors(profile, month.first):
        yield Finding(
            "capacity_factors_open",
            Severity.INFORM,
            str(month),
            f"The rules of {month} have no factors of the capacity price by period for packages (capacity_factors; BOOK17, "
            "market.md B.4), because none is published: every package pays the one price. Enter the factors in the profile "
            "when they are known.",
        )


def _named(profile: RuleProfile, day: date) -> tuple[str, ...]:
    return on(profile.settled[0].capacity_by_output, day, "capacity_by_output")


def _factors(profile: RuleProfile, day: date) -> bool:
    """True where packages have factors, or nothing of packages is settled."""
    rules = profile.consumer
    return rules is None or bool(on(rules.capacity_factors, day, "capacity_factors"))
