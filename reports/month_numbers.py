"""The province's month in numbers: balances, charges, kinds, participants, cities, change against the last version.

Amounts are yuan (Decimal), a charge positive; sums over lines leave out missing amounts and count them beside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from market.tables import ParticipantKind
from reports.content import Charges, LineRow, Party, RunContent, known_total
from reports.labels import SEVERITIES, Labels
from reports.statement_lines import findings_by_participant, measured_share

SUPPLY = (
    ParticipantKind.GENERATOR,
    ParticipantKind.STORAGE,
    ParticipantKind.OUTSIDE,
    ParticipantKind.CHANNEL_OWNER,
)
PARTICIPANT = "participant:"
PROVINCE = "province"
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class AccountCheck:
    """A clearing account; turnover is its debits. ``state``: yes, no, or waiting (a missing line keeps it open)."""

    code: str
    name: str
    opening: Decimal
    turnover: Decimal
    movement: Decimal
    closing: Decimal
    closes: str
    rule: str
    state: str


@dataclass(frozen=True)
class MoneyBalance:
    """Postings sum to zero; clearing accounts close by their rule; participants' accounts end with balances."""

    postings: int
    postings_sum: Decimal
    accounts: tuple[AccountCheck, ...]
    participants: tuple[Decimal, Decimal, Decimal]

    @property
    def holds(self) -> bool:
        """True when everything closes."""
        return self.postings_sum == 0 and all(account.state == "yes" for account in self.accounts)


@dataclass(frozen=True)
class EnergyBalance:
    """MWh; None is missing. Generation + import = use + loss."""

    generation: Decimal | None
    imported: Decimal | None
    use: Decimal | None
    loss: Decimal | None

    @property
    def residual(self) -> Decimal | None:
        """Generation + import - use - loss, 0 when the energy closes."""
        if self.generation is None or self.imported is None or self.use is None or self.loss is None:
            return None
        return self.generation + self.imported - self.use - self.loss

    @property
    def loss_rate(self) -> Decimal | None:
        """Loss as a share of generation and import."""
        if self.loss is None or self.generation is None or self.imported is None:
            return None
        source = self.generation + self.imported
        return self.loss / source if source else None


@dataclass
class ChargeTotal:
    """One charge over the province; by_kind holds known amounts by the participant's kind."""

    code: str
    use_mwh: Decimal = Decimal(0)
    supply_mwh: Decimal = Decimal(0)
    charges: Decimal = ZERO
    credits: Decimal = ZERO
    payers: int = 0
    payees: int = 0
    missing: int = 0
    by_kind: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    @property
    def net(self) -> Decimal:
        """Charges less credits."""
        return self.charges + self.credits


@dataclass(frozen=True)
class PartyTotal:
    """A participant's month: known charges and credits, and how many lines are missing."""

    party: Party
    city: str | None
    charges: Decimal
    credits: Decimal
    missing: int
    measured: Decimal | None

    @property
    def net(self) -> Decimal:
        """Charges less credits, without what is missing."""
        return self.charges + self.credits


@dataclass(frozen=True)
class CityWork:
    """A city's participants, how many passed by themselves, and what of its findings waits.

    passed: participants without a finding that somebody must deal with (多元智能审核: 自动通过).
    """

    city: str | None
    participants: int
    passed: int
    counts: Counter[str]
    open: int
    at_stake: Decimal

    @property
    def pass_share(self) -> Decimal | None:
        """None where the city has no participant."""
        return Decimal(self.passed) / self.participants if self.participants else None


@dataclass(frozen=True)
class BridgeRow:
    """One charge between two versions: sums of charges and credits, and how many participants' lines changed."""

    code: str
    before_charges: Decimal
    now_charges: Decimal
    before_credits: Decimal
    now_credits: Decimal
    changed: int


def money_balance(content: RunContent, labels: Labels) -> MoneyBalance:
    """Every clearing account with its rule and whether it holds."""
    definitions = {account.code: account for account in content.matrix.accounts}
    charge_account = {charge.code: charge.account for charge in content.matrix.charges}
    missing = [line for line in content.all_lines() if line.amount_cny is None]
    open_accounts = {charge_account.get(line.charge_code) for line in missing}
    lines = sum(len(rows) for rows in content.lines.values())
    checks = []
    for row in content.accounts:
        definition = definitions.get(row.account)
        if definition is None:
            continue
        if definition.closes == "zero":
            holds = row.closing_cny == 0
        else:  # what carries forward holds by opening + movement = closing; rounding also by ruling 8
            holds = row.opening_cny + row.movement_cny == row.closing_cny and not (
                definition.bounded and 2 * abs(row.movement_cny) > Decimal("0.01") * lines
            )
        waits = bool(missing) and (row.account in open_accounts or "energy" in open_accounts)
        checks.append(
            AccountCheck(
                row.account,
                definition.name_zh if labels.lang == "zh" else definition.name_en,
                row.opening_cny,
                content.debits.get(row.account, ZERO),
                row.movement_cny,
                row.closing_cny,
                definition.closes,
                labels.closing_rule(definition.rule),
                "yes" if holds else "waiting" if waits else "no",
            )
        )
    own = [row for row in content.accounts if row.account.startswith(PARTICIPANT)]
    return MoneyBalance(
        content.postings,
        content.postings_sum,
        tuple(checks),
        (
            known_total([row.opening_cny for row in own]),
            known_total([row.movement_cny for row in own]),
            known_total([row.closing_cny for row in own]),
        ),
    )


def energy_balance(content: RunContent) -> EnergyBalance:
    """The run's energy totals."""
    totals = content.head.manifest["totals"]
    names = ("generation_mwh", "import_mwh", "use_mwh", "loss_mwh")
    return EnergyBalance(*(None if totals[name] is None else Decimal(totals[name]) for name in names))


def charge_totals(content: RunContent, charges: Charges) -> list[ChargeTotal]:
    """Every charge that has a line, in the profile's order."""
    totals: dict[str, ChargeTotal] = {}
    for line in content.all_lines():
        kind = kind_of(content, line.participant_id)
        one = totals.setdefault(line.charge_code, ChargeTotal(line.charge_code))
        if line.quantity_mwh is not None:
            if kind in SUPPLY:
                one.supply_mwh += line.quantity_mwh
            else:
                one.use_mwh += line.quantity_mwh
        if line.amount_cny is None:
            one.missing += 1
            continue
        one.by_kind[kind] += line.amount_cny
        if line.amount_cny > 0:
            one.charges += line.amount_cny
            one.payers += 1
        elif line.amount_cny < 0:
            one.credits += line.amount_cny
            one.payees += 1
    return sorted(totals.values(), key=lambda one: charges.place(one.code))


def kind_of(content: RunContent, participant_id: str) -> str:
    """The participant's kind; empty where no record is known."""
    party = content.parties.get(participant_id)
    return (party.kind if party else None) or ""


def kinds_present(totals: Iterable[ChargeTotal]) -> list[str]:
    """Kinds with any amount, in the vocabulary's order."""
    present = {kind for one in totals for kind in one.by_kind}
    ordered: list[str] = [kind for kind in ParticipantKind if kind in present]
    return ordered + sorted(present - set(ordered))


def party_totals(content: RunContent) -> list[PartyTotal]:
    """Every participant with a line, the largest payer first; ties by id."""
    totals = []
    for who, rows in content.lines.items():
        amounts = [row.amount_cny for row in rows if row.amount_cny is not None]
        party = content.parties.get(who) or Party(who)
        totals.append(
            PartyTotal(
                party,
                party.city or rows[0].city,
                known_total([amount for amount in amounts if amount > 0]),
                known_total([amount for amount in amounts if amount < 0]),
                len(rows) - len(amounts),
                measured_share(rows),
            )
        )
    return sorted(totals, key=lambda one: (-one.net, one.party.participant_id))


def findings_by_city(content: RunContent) -> dict[str | None, Counter[str]]:
    """City -> severity -> count; the city with the most blocking findings first, the province's own last."""
    counts: dict[str | None, Counter[str]] = defaultdict(Counter)
    for finding in content.findings:
        counts[finding.city][finding.severity] += 1

    def urgency(city: str | None) -> tuple[bool, list[int], str]:
        return city is None, [-counts[city][severity] for severity in SEVERITIES], city or ""

    return {city: counts[city] for city in sorted(counts, key=urgency)}


def city_work(content: RunContent) -> list[CityWork]:
    """Every city with a participant or a finding, the most urgent first, the province's own last."""
    concerned = findings_by_participant(content)
    counts = findings_by_city(content)
    people: dict[str | None, list[str]] = defaultdict(list)
    for who, rows in content.lines.items():
        party = content.parties.get(who)
        city = (party.city if party else None) or rows[0].city
        people[None if city == PROVINCE else city].append(who)
    order = [*counts, *sorted(people.keys() - counts.keys(), key=lambda city: (city is None, city or ""))]
    work = []
    for city in order:
        mine = people.get(city, [])
        held = [one for one in content.findings if one.city == city and content.is_open(one)]
        work.append(
            CityWork(
                city,
                len(mine),
                sum(all(one.severity == "inform" for one in concerned[who]) for who in mine),
                counts.get(city, Counter()),
                len(held),
                known_total([abs(one.amount_at_stake_cny) for one in held if one.amount_at_stake_cny]),
            )
        )
    return sorted(work, key=lambda one: one.city is None)


def bridge(content: RunContent, charges: Charges) -> list[BridgeRow]:
    """Charge by charge against the previous version; empty where there is none."""
    if content.previous is None:
        return []
    before = _by_charge(content.previous.values())
    now = _by_charge(content.lines.values())
    rows = []
    for code in sorted(before.keys() | now.keys(), key=charges.place):
        old, new = before.get(code, {}), now.get(code, {})
        rows.append(
            BridgeRow(
                code,
                known_total([value for value in old.values() if value is not None and value > 0]),
                known_total([value for value in new.values() if value is not None and value > 0]),
                known_total([value for value in old.values() if value is not None and value < 0]),
                known_total([value for value in new.values() if value is not None and value < 0]),
                sum(old.get(who, ZERO) != new.get(who, ZERO) for who in old.keys() | new.keys()),
            )
        )
    return rows


def _by_charge(groups: Iterable[Sequence[LineRow]]) -> dict[str, dict[str, Decimal | None]]:
    sums: dict[str, dict[str, Decimal | None]] = defaultdict(dict)
    for rows in groups:
        for row in rows:
            sums[row.charge_code][row.participant_id] = row.amount_cny
    return sums
