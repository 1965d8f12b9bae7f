"""What the rules of a month leave open or leave out, said in every run that it concerns (rulings 7, 31)."""

from __future__ import annotations

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


def capacity_findings(roster: Roster, profile: RuleProfile, has_packages: bool) -> list[Finding]:
    """Capacity money is shared and charged in one way where the rule distinguishes by figures nobody published (B.4)."""
    day = roster.month.first
    open_keys = [
        name
        for name, concerned in (
            ("capacity_by_output", bool(roster.generators) and not _named(profile, day)),
            ("capacity_factors", has_packages and not _factors(profile, day)),
        )
        if concerned
    ]
    if not open_keys:
        return []
    return [
        Finding(
            "capacity_rules_open",
            Severity.INFORM,
            str(roster.month),
            f"Of capacity compensation the rules of {roster.month} leave {', '.join(open_keys)} empty, because the "
            "classes of unit and the factors of packages (BOOK17, market.md B.4) are not published: every unit has its "
            "share by available capacity, every package the one price. Enter them in the profile when they are known.",
            evidence={"keys": open_keys},
        )
    ]


def _named(profile: RuleProfile, day: date) -> tuple[str, ...]:
    return on(profile.settled[0].capacity_by_output, day, "capacity_by_output")


def _factors(profile: RuleProfile, day: date) -> bool:
    """True where packages have factors, or nothing of packages is settled."""
    rules = profile.consumer
    return rules is None or bool(on(rules.capacity_factors, day, "capacity_factors"))
