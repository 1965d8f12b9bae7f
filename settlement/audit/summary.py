"""What an audit comes to: by rule, and by city with the share that passed by itself and the age of what is open.

Pure: days are counted to the date that is given, never to the clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from settlement.audit.catalogue import CATALOGUE, AuditRule
from settlement.findings import Severity

PROVINCE = "province"
AGES = (2, 5, 10)  # days, inclusive upper ends; the last bucket is open


@dataclass(frozen=True)
class Noted:
    """A finding with where it stands: found on a day, closed on a day or open.

    accounts: the participants it touches.
    """

    code: str
    severity: Severity
    queue: str
    found_on: date
    closed_on: date | None = None
    accounts: tuple[str, ...] = ()
    at_stake_cny: Decimal | None = None


@dataclass(frozen=True)
class RuleRow:
    """One rule: findings by severity, how many are open, 元 at stake of what is open.

    looked_at: how many subjects it was asked about; 0 where its input was not delivered, None where not counted.
    """

    rule_id: str
    name_zh: str
    name_en: str
    looked_at: int | None
    findings: int
    block: int
    review: int
    inform: int
    open: int
    at_stake_cny: Decimal


@dataclass(frozen=True)
class CityRow:
    """One queue. accounts: participants with a line; passed: of them, those no exception touches.

    ages: open exceptions by age in days, up to 2, 5, 10 and above. oldest_days: of the oldest open one, None: none.
    worked_days: mean days from found to closed of what is closed, None: none.
    """

    city: str
    accounts: int
    passed: int
    exceptions: int
    open: int
    open_blocking: int
    ages: tuple[int, int, int, int]
    oldest_days: int | None
    worked_days: Decimal | None
    at_stake_cny: Decimal

    @property
    def pass_share(self) -> Decimal | None:
        """自动通过率: accounts that nobody had to look at; None for a queue without accounts."""
        return None if not self.accounts else Decimal(self.passed) / self.accounts


def by_rule(found: Iterable[Noted], looked_at: Mapping[str, int | None] | None = None) -> list[RuleRow]:
    """Every rule of the catalogue in its order, those that found nothing too; looked_at: rule -> subjects."""
    of_code: dict[str, list[Noted]] = defaultdict(list)
    for one in found:
        of_code[one.code].append(one)
    return [
        _rule_row(rule, [one for code in rule.codes for one in of_code[code]], looked_at or {})
        for rule in CATALOGUE
    ]


def _rule_row(rule: AuditRule, found: Sequence[Noted], looked_at: Mapping[str, int | None]) -> RuleRow:
    severities = Counter(one.severity for one in found)
    still_open = [one for one in found if one.closed_on is None]
    return RuleRow(
        rule.rule_id,
        rule.name_zh,
        rule.name_en,
        looked_at.get(rule.rule_id),
        len(found),
        severities[Severity.BLOCK],
        severities[Severity.REVIEW],
        severities[Severity.INFORM],
        sum(one.severity is not Severity.INFORM for one in still_open),
        _stake(still_open),
    )


def by_city(found: Iterable[Noted], city_of: Mapping[str, str], on: date) -> list[CityRow]:
    """Every queue with accounts or exceptions, the province last; then nothing else is added up.

    city_of: participant with a line -> its queue.
    """
    exceptions = [one for one in found if one.severity is not Severity.INFORM]
    touched = {who for one in exceptions for who in one.accounts}
    accounts: dict[str, list[str]] = defaultdict(list)
    for who, city in city_of.items():
        accounts[city].append(who)
    queues: dict[str, list[Noted]] = defaultdict(list)
    for one in exceptions:
        queues[one.queue].append(one)
    names = sorted(accounts.keys() | queues.keys(), key=lambda name: (name == PROVINCE, name))
    return [_city_row(name, accounts[name], touched, queues[name], on) for name in names]


def _city_row(
    name: str, accounts: Sequence[str], touched: set[str], queue: Sequence[Noted], on: date
) -> CityRow:
    still_open = [one for one in queue if one.closed_on is None]
    ages = [max((on - one.found_on).days, 0) for one in still_open]
    worked = [(one.closed_on - one.found_on).days for one in queue if one.closed_on is not None]
    return CityRow(
        name,
        len(accounts),
        len([who for who in accounts if who not in touched]),
        len(queue),
        len(still_open),
        sum(one.severity is Severity.BLOCK for one in still_open),
        _buckets(ages),
        max(ages, default=None),
        Decimal(sum(worked)) / len(worked) if worked else None,
        _stake(still_open),
    )


def _buckets(ages: Sequence[int]) -> tuple[int, int, int, int]:
    first, second, third = AGES
    return (
        sum(age <= first for age in ages),
        sum(first < age <= second for age in ages),
        sum(second < age <= third for age in ages),
        sum(age > third for age in ages),
    )


def _stake(found: Iterable[Noted]) -> Decimal:
    return sum((abs(one.at_stake_cny) for one in found if one.at_stake_cny is not None), Decimal("0.00"))
