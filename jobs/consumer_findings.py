"""What bills lacked and which published prices stand in for others, as findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal

from market.periods import Month
from market.profiles import RuleProfile
from settlement.findings import Finding, Severity
from settlement.retail.bill import Lack
from settlement.retail.tariffs import Tariff

SENTENCES = {
    "tariff_missing": "No tariff {subject} holds from {first} to {last}; the lines of {who} that rest on it are "
    "missing. Deliver a tariffs file with it.",
    "time_of_use_missing": "The profile has no time-of-use periods for {first} to {last}; the time-of-use lines of "
    "{who} are missing. Add the period set with its dates to consumer.yaml.",
    "package_missing": "{subject} is a retail user without a package in effect from {first} to {last}; its energy has "
    "no price. Deliver its package choice.",
    "package_incomplete": "Package {subject} {detail}; the energy of {who} has no price. Deliver the package again.",
    "agreed_energy_missing": "{subject} has a package with a deviation clause but no agreed energy; the deviation fee "
    "is missing. Deliver agreed_mwh with its choice.",
    "basic_fee_unknown": "{subject} has a two-part tariff but is recorded neither with demand nor capacity; its basic "
    "fee is missing. Deliver basic_fee in participants.",
    "capacity_missing": "{subject} pays its basic fee by capacity but has no capacity_kva; the fee is missing. "
    "Deliver it in participants.",
    "demand_missing": "{subject} pays its basic fee by demand but has no maximum demand of the month; the fee is "
    "missing. Deliver maximum_demand for its meters.",
    "standard_without_table": "{subject} has a power-factor standard that the profile has no table for; the adjustment "
    "is missing. Deliver power_factor_standard as 0.90, 0.85 or 0.80.",
    "reactive_missing": "{subject} is adjusted by its power factor but has no complete reactive readings; the "
    "adjustment is missing. Deliver reactive_readings for every day of its meters.",
    "adjustment_without_price": "The registers of {subject} differ from its days, but it used nothing on them, so it has "
    "no retail average price of its own; its month-end adjustment is missing. Deliver its readings, or correct the register.",
    "green_carry_missing": "What {subject} carried of green certificates from the month before is missing; its "
    "certificates are missing. Settle the month before first.",
}


def lack_findings(every: Iterable[Lack], city: Mapping[str, str | None]) -> Iterator[Finding]:
    """One finding for each thing that is missing, over all days and participants it touches."""
    grouped: dict[tuple[str, str], list[Lack]] = defaultdict(list)
    for lack in every:
        grouped[lack.what, lack.subject].append(lack)
    for (what, subject), lacks in sorted(grouped.items()):
        code, _, detail = what.partition(": ")
        touched = sorted({who for lack in lacks for who in lack.who})
        first, last = min(lack.days[0] for lack in lacks), max(lack.days[1] for lack in lacks)
        yield Finding(
            code,
            Severity.BLOCK,
            subject,
            SENTENCES[code].format(
                subject=subject, detail=detail, first=first, last=last, who=_some(touched)
            ),
            city=city.get(subject),
            evidence={"participants": touched[:50], "count": len(touched), "days": [str(first), str(last)]},
        )


def tariff_findings(
    used: Collection[Tariff], charged: Collection[str], month: Month, profile: RuleProfile
) -> Iterator[Finding]:
    """Prices of another province or of a later date that stand in, and what a bill's rule leaves open (ruling 31).

    used: the prices that bills rest on; charged: codes of the charges that somebody has.
    """
    home = profile.settled[0].home_node
    standing_in: dict[str, list[Tariff]] = defaultdict(list)
    for tariff in used:
        later = tariff.source_effective_from is not None and tariff.source_effective_from > month.first
        if tariff.region != home or later:
            standing_in[tariff.component].append(tariff)
    for component, tariffs in sorted(standing_in.items()):
        ordered = sorted(tariffs, key=lambda one: (one.tariff_class, one.voltage_band, one.valid_from))
        listed = "; ".join(
            f"{Decimal(one.price_e8).scaleb(-8).normalize():f} {one.unit} of {one.source}, {one.region}, "
            f"from {one.source_effective_from}"
            for one in ordered[:3]
        )
        yield Finding(
            "tariff_stands_in",
            Severity.INFORM,
            component,
            f"No figure of {home} for {component} in {month} is delivered; {listed} stands in for it. Deliver the "
            "tariff of the time where it is known.",
            evidence={"rows": [[one.tariff_class, one.voltage_band, one.source] for one in ordered]},
        )
    if "residents_bill" in charged:
        yield Finding(
            "residents_without_tiers",
            Severity.INFORM,
            str(month),
            "Residents are metered by gateway and not by household, so their catalogue price has no tiers: every "
            "kWh is billed at the price delivered as catalogue.",
        )
    for code, terms in (("retail_deviation", "X1/X2 and Y1/Y2"), ("retail_termination", "C1 and C2")):
        if code in charged:
            yield Finding(
                "package_terms_read",
                Severity.INFORM,
                code,
                f"The published rule names {terms} without their formula; {code} is settled by the reading written in "
                "docs/consumer_bills.md (ruling 7).",
            )


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
