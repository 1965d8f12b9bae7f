"""Fees, published standards, classes and register differences of a month, read as facts with dates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date

import pandas as pd

from jobs.roster import dated_in, valid_in
from market.money import scaled
from market.periods import Month
from market.profiles import ChargeMatrix
from settlement.facts import RESIDENTS_SALE, FeeAmount, MonthFacts
from settlement.findings import Finding, Severity


def month_facts(
    records: Mapping[str, pd.DataFrame], month: Month, matrix: ChargeMatrix
) -> tuple[MonthFacts, list[Finding]]:
    """The facts of the month and what is odd about them; records: participants, fee_pools, standards."""
    days = tuple(month.days())
    fees = dated_in(records["fee_pools"], month).sort_values(["charge_code", "date", "cause"])
    standards = valid_in(records["standards"], month)
    facts = MonthFacts(
        fees=tuple(
            FeeAmount(row.charge_code, row.date, row.participant_id, scaled(row.amount_cny, 2), row.cause)
            for row in fees.itertuples()
        ),
        standards={
            str(code): _by_day(rows, days, "price_cny_per_mwh", 3)
            for code, rows in standards.groupby("charge_code")
        },
        tariff_class=classes_by_day(valid_in(records["participants"], month), days),
    )
    return facts, [*_fee_findings(facts, matrix), *_standard_findings(standards, matrix), *_late(standards)]


def _by_day(rows: pd.DataFrame, days: tuple[date, ...], column: str, decimals: int) -> tuple[int | None, ...]:
    values: list[int | None] = []
    for day in days:
        holding = [row for row in rows.itertuples() if row.valid_from <= day and _open(row.valid_to, day)]
        values.append(scaled(getattr(holding[-1], column), decimals) if holding else None)
    return tuple(values)


def classes_by_day(participants: pd.DataFrame, days: tuple[date, ...]) -> dict[str, tuple[str | None, ...]]:
    """Class of every day by participant that has one; participants: rows valid in the month."""
    found: dict[str, tuple[str | None, ...]] = {}
    names = ("participant_id", "tariff_class", "valid_from", "valid_to")
    rows = list(zip(*(participants[name].tolist() for name in names), strict=True))
    whole = {of: (of,) * len(days) for of in set(participants["tariff_class"].tolist())}
    for who, of, first, after in sorted(rows, key=lambda row: row[2]):
        if not of:
            continue
        if first <= days[0] and _open(after, days[-1]):  # as nearly everybody: the whole month
            found[who] = whole[of]
            continue
        before = found.get(who, (None,) * len(days))
        found[who] = tuple(
            of if first <= day and _open(after, day) else other
            for day, other in zip(days, before, strict=True)
        )
    return found


def _open(end: object, day: date) -> bool:
    return end is None or pd.isna(end) or day < end  # type: ignore[operator]


def _fee_findings(facts: MonthFacts, matrix: ChargeMatrix) -> Iterator[Finding]:
    settled = {pool for charge in matrix.charges if charge.fee is not None for pool in charge.fee.pools}
    unsettled: dict[str, int] = defaultdict(int)
    for row in facts.fees:
        if row.pool not in settled:
            unsettled[row.pool] += row.fen
    for pool, fen in sorted(unsettled.items()):
        yield Finding(
            "fee_not_in_profile",
            Severity.BLOCK,
            pool,
            f"fee_pools has amounts of {pool}, which this profile does not settle. Add the fee with its payers to the "
            "profile's charges.yaml, or settle under the profile that has it and waive this finding by name.",
            evidence={"fen": fen},
            amount_at_stake_fen=abs(fen),
        )


def _standard_findings(standards: pd.DataFrame, matrix: ChargeMatrix) -> Iterator[Finding]:
    rolling = {charge.code for charge in matrix.charges if charge.fee is not None and charge.fee.rolling}
    for code in sorted(set(standards["charge_code"]) - rolling - {RESIDENTS_SALE}):
        yield Finding(
            "standard_not_used",
            Severity.REVIEW,
            code,
            f"A standard of {code} is published, but this profile has no rolling fee of that code; it is not used.",
        )


def _late(standards: pd.DataFrame) -> Iterator[Finding]:
    for row in standards.itertuples():
        if row.published_on >= row.valid_from:
            yield Finding(
                "standard_published_late",
                Severity.REVIEW,
                row.charge_code,
                f"The standard of {row.charge_code} from {row.valid_from} was published on {row.published_on}; it is due "
                "before the first (SD25 滚动清算). It is settled as delivered.",
            )


def before_its_date(profile_name: str, started: date, month: Month) -> Iterator[Finding]:
    """Said where a month is settled under rules that begin after it: what another rule would have done."""
    if started > month.first:
        yield Finding(
            "profile_before_its_date",
            Severity.INFORM,
            profile_name,
            f"{profile_name} is in force as a whole from {started}; {month} lies before it and is settled as if its rules "
            "had held then. Use it to compare rules, not to bill.",
        )
