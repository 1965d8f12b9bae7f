"""What a report needs of a run: its head and its tables, with lines and daily amounts ready by participant.

Amounts are yuan, energy MWh; a charge to the participant is positive. None is missing, never zero.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from market.cards import Card
from market.curves import is_missing
from market.money import IntArray
from market.periods import Month
from market.profiles import ChargeMatrix, RuleProfile
from reports.labels import Labels
from settlement.bridge import BridgeRow


@dataclass(frozen=True)
class Party:
    """A participant by its record in the month; name and kind are None where no record is known."""

    participant_id: str
    name: str | None = None
    kind: str | None = None
    city: str | None = None


@dataclass(frozen=True)
class RunHead:
    """Which run a report prints. ``fingerprint`` is the hash over the hashes of the run's files.

    hands: (label, who and when) for each stage of the run's life that was done; ``anchor``: the last act on the run
    in the log of acts, as number and hash, by which a log that was cut or rewritten is found out.
    """

    run_id: str
    alias: str
    kind: str
    month: Month
    version: int
    status: str
    fingerprint: str
    previous_alias: str | None
    manifest: Mapping[str, Any]
    hands: tuple[tuple[str, str], ...] = ()
    anchor: str = ""


class LineRow(NamedTuple):
    """One statement line of the run."""

    participant_id: str
    charge_code: str
    city: str | None
    quantity_mwh: Decimal | None
    price_cny_per_mwh: Decimal | None
    amount_cny: Decimal | None
    quality: Decimal | None
    clause: str


class FindingRow(NamedTuple):
    """One finding of the run."""

    code: str
    severity: str
    subject: str
    city: str | None
    sentence: str
    evidence: Mapping[str, Any]
    amount_at_stake_cny: Decimal | None
    finding_id: str = ""


class Closed(NamedTuple):
    """Who dealt with a finding: ``deed`` is a code of ``reports.labels.DEEDS``."""

    deed: str
    person: str
    reason: str


class Adjustment(NamedTuple):
    """One manual adjustment that holds in the month. ``state``: pending, approved or refused (not posted)."""

    adjustment_id: str
    charge_code: str
    payer_id: str
    payee_id: str
    amount_cny: Decimal
    reason: str
    evidence: str
    entered_by: str
    approver: str
    valid_from: date
    valid_to: date
    state: str


@dataclass(frozen=True)
class VersionBridge:
    """From the version before to this one: lines that changed by participant and charge, and the whole by cause.

    steps: (``old``, a cause, or ``new``; charges; credits), yuan, in the order of causes. brought: cause -> delivered
    files that came and that no longer count.
    """

    rows: Mapping[str, Mapping[str, BridgeRow]]
    steps: tuple[tuple[str, Decimal, Decimal], ...]
    brought: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


class AccountRow(NamedTuple):
    """Opening + movement = closing."""

    account: str
    opening_cny: Decimal
    movement_cny: Decimal
    closing_cny: Decimal


class EventWindow(NamedTuple):
    """When a demand-response event ran: periods are 1-based, inclusive."""

    event_id: str
    day: date
    first_period: int
    last_period: int


class DailyColumn(NamedTuple):
    """One charge of one participant by day; NaN is missing."""

    charge_code: str
    days: NDArray[np.datetime64]
    quantity_mwh: NDArray[np.float64]
    amount_cny: NDArray[np.float64]


class DailyBook:
    """daily.parquet by participant. Floats are for showing days; every stated amount is a Decimal of its line."""

    def __init__(self, daily: pa.Table) -> None:
        if daily.num_rows == 0:
            self._starts: dict[str, tuple[int, int]] = {}
            return
        who = pc.dictionary_encode(daily["participant_id"].combine_chunks())
        code = pc.dictionary_encode(daily["charge_code"].combine_chunks())
        days = daily["date"].to_numpy()
        order = np.lexsort((days, code.indices.to_numpy(), who.indices.to_numpy()))
        self._codes = np.asarray(code.dictionary.to_pylist(), dtype=object)
        self._code = code.indices.to_numpy()[order]
        self._days = days[order]
        self._quantity = _floats(daily["quantity_mwh"])[order]
        self._amount = _floats(daily["amount"])[order]
        edges = np.searchsorted(who.indices.to_numpy()[order], np.arange(len(who.dictionary) + 1))
        self._starts = {
            name: (int(edges[place]), int(edges[place + 1]))
            for place, name in enumerate(who.dictionary.to_pylist())
        }

    def of(self, participant_id: str) -> Iterator[DailyColumn]:
        """The charges of a participant that have daily amounts, in no particular order."""
        first, after = self._starts.get(participant_id, (0, 0))
        if first == after:
            return
        inside = self._code[first:after]
        cuts = [0, *(np.flatnonzero(np.diff(inside)) + 1).tolist(), after - first]
        for start, end in pairwise(cuts):
            rows = slice(first + start, first + end)
            yield DailyColumn(
                str(self._codes[inside[start]]), self._days[rows], self._quantity[rows], self._amount[rows]
            )


@dataclass(frozen=True)
class RunContent:
    """A run as reports print it. ``previous`` is None where the run has no previous version at hand.

    bridge: what changed against it by cause; None where it cannot be computed, which ``unbridged`` says why.
    closed: finding_id -> who dealt with it.
    """

    head: RunHead
    profile: RuleProfile
    parties: Mapping[str, Party]
    lines: Mapping[str, tuple[LineRow, ...]]
    daily: DailyBook
    postings: int
    postings_sum: Decimal
    debits: Mapping[str, Decimal]
    accounts: tuple[AccountRow, ...]
    responses: tuple[Mapping[str, Any], ...]
    allocations: tuple[Mapping[str, Any], ...]
    findings: tuple[FindingRow, ...]
    previous: Mapping[str, tuple[LineRow, ...]] | None = None
    events: tuple[EventWindow, ...] = ()
    books: Mapping[str, str] = field(default_factory=dict)
    bridge: VersionBridge | None = None
    unbridged: str = ""
    adjustments: tuple[Adjustment, ...] = ()
    cards: Mapping[str, Card] = field(default_factory=dict)
    closed: Mapping[str, Closed] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        head: RunHead,
        profile: RuleProfile,
        tables: Mapping[str, pa.Table],
        parties: Mapping[str, Party],
        *,
        previous_lines: pa.Table | None = None,
        events: Sequence[EventWindow] = (),
        books: Mapping[str, str] | None = None,
        **beside: Any,
    ) -> RunContent:
        """From the run's Arrow tables by name (``lines``, ``daily`` …).

        books: the retailer or grid company in whose book a participant's energy is settled. beside: ``bridge``,
        ``unbridged``, ``adjustments``, ``cards``, ``closed``.
        """
        lines = lines_by_participant(tables["lines"])
        cities = {who: rows[0].city for who, rows in lines.items()}
        return cls(
            head=head,
            profile=profile,
            parties={who: parties.get(who) or Party(who, city=cities[who]) for who in lines} | dict(parties),
            lines=lines,
            daily=DailyBook(tables["daily"]),
            postings=tables["postings"].num_rows,
            postings_sum=pc.sum(tables["postings"]["amount_cny"]).as_py() or Decimal("0.00"),
            debits=_debits(tables["postings"]),
            accounts=tuple(AccountRow(**row) for row in tables["accounts"].to_pylist()),
            responses=tuple(tables["response"].to_pylist()),
            allocations=tuple(tables["allocation"].to_pylist()),
            findings=tuple(
                FindingRow(**{**row, "evidence": json.loads(row["evidence"])})
                for row in tables["findings"].select(FindingRow._fields).to_pylist()
            ),
            previous=None if previous_lines is None else lines_by_participant(previous_lines),
            events=tuple(events),
            books=books or {},
            **beside,
        )

    @property
    def matrix(self) -> ChargeMatrix:
        """The charge matrix of the run's profile."""
        return self.profile.settled[1]

    def is_open(self, finding: FindingRow) -> bool:
        """True while a finding that is more than information waits for somebody."""
        return finding.severity != "inform" and finding.finding_id not in self.closed

    def adjustments_of(self, participant_id: str) -> list[Adjustment]:
        """The manual adjustments that charge or credit a participant."""
        return [one for one in self.adjustments if participant_id in (one.payer_id, one.payee_id)]

    def all_lines(self) -> Iterator[LineRow]:
        """Every line, by participant and charge."""
        for rows in self.lines.values():
            yield from rows


class Charges:
    """Names and order of charges for one language; a charge the profile does not know keeps its code."""

    def __init__(self, matrix: ChargeMatrix, labels: Labels) -> None:
        self._by_code = {charge.code: charge for charge in matrix.charges}
        self._order = {charge.code: place for place, charge in enumerate(matrix.charges)}
        self._labels = labels

    def name(self, code: str) -> str:
        """省内实时电能量, or Real-time energy."""
        charge = self._by_code.get(code)
        if charge is None:
            return code
        return charge.name_zh if self._labels.lang == "zh" else charge.name_en

    def subject(self, code: str) -> str:
        """The published 科目编码, the charge's own code where none is published."""
        charge = self._by_code.get(code)
        return (charge.subject_code if charge else None) or code

    def place(self, code: str) -> tuple[int, str]:
        """Sort key: the profile's order, unknown codes last."""
        return (self._order.get(code, len(self._order)), code)

    def certainty(self, code: str) -> str | None:
        """How sure the charge's rule is, a code of ``reports.labels.CERTAINTIES``."""
        charge = self._by_code.get(code)
        return None if charge is None else str(charge.certainty)

    def key(self, code: str) -> str:
        """By what the charge is computed or shared, in the profile's words."""
        charge = self._by_code.get(code)
        return charge.key if charge else ""

    def is_share(self, code: str) -> bool:
        """True where the amount is a share of a pool, so that its mean price is a result and no cause."""
        charge = self._by_code.get(code)
        return charge is not None and (charge.counter_account is not None or charge.period == "event")

    def is_metered_month(self, code: str) -> bool:
        """True where the line's quantity is the participant's metered energy of the month."""
        charge = self._by_code.get(code)
        return charge is not None and charge.metered and charge.period != "event"


def lines_by_participant(table: pa.Table) -> dict[str, tuple[LineRow, ...]]:
    """lines.parquet as rows by participant, in the order of the file."""
    columns = [table[name].to_pylist() for name in LineRow._fields]
    grouped: dict[str, list[LineRow]] = {}
    for values in zip(*columns, strict=True):
        grouped.setdefault(values[0], []).append(LineRow(*values))
    return {who: tuple(rows) for who, rows in grouped.items()}


def total(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """The sum, None where any part is missing."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal("0.00")) if len(known) == len(amounts) else None


def known_total(amounts: Sequence[Decimal | None]) -> Decimal:
    """The sum of what is known."""
    return sum((amount for amount in amounts if amount is not None), Decimal("0.00"))


def megawatt_hours(wh: IntArray) -> NDArray[np.float64]:
    """Wh as MWh, NaN where missing."""
    return np.where(is_missing(wh), np.nan, wh / 1e6)


def _debits(postings: pa.Table) -> dict[str, Decimal]:
    """The sum of positive postings by account: what went through it."""
    debit = postings.filter(pc.greater(postings["amount_cny"], Decimal("0.00")))
    sums = debit.group_by("account").aggregate([("amount_cny", "sum")])
    return dict(zip(sums["account"].to_pylist(), sums["amount_cny_sum"].to_pylist(), strict=True))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values = pc.cast(column, pa.float64()).combine_chunks()
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
