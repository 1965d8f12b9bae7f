"""Who is who on a day: participants, meters and contracts by validity (ruling 11), as array indices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.money import IntArray, scaled
from market.periods import Month
from market.tables import ParticipantKind
from settlement.findings import Finding, Severity

Index = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
OUTSIDE = -1
ROSTER_TABLES = ("participants", "meters", "contracts", "energy_shares")
USER_KINDS = (
    ParticipantKind.WHOLESALE_USER,
    ParticipantKind.RETAILER,
    ParticipantKind.VPP,
    ParticipantKind.GRID_COMPANY,
)
SUPPLY_KINDS = (
    ParticipantKind.GENERATOR,
    ParticipantKind.STORAGE,
)  # settle at their own node, delivery positive
PARTY_KINDS = (*USER_KINDS, *SUPPLY_KINDS)
METERED_KINDS = (
    ParticipantKind.WHOLESALE_USER,
    ParticipantKind.RETAIL_USER,
    ParticipantKind.AGENCY_USER,
    ParticipantKind.RESIDENTS,
    *SUPPLY_KINDS,
)


def valid_on(frame: pd.DataFrame, day: date) -> pd.DataFrame:
    """Rows with ``valid_from <= day < valid_to`` (open where ``valid_to`` is empty)."""
    return frame[
        _each(frame["valid_from"], lambda start: start <= day) & _each(frame["valid_to"], _ends_after(day))
    ]


def valid_in(frame: pd.DataFrame, month: Month) -> pd.DataFrame:
    """Rows that hold on any day of the month."""
    after = month.after
    begun = _each(frame["valid_from"], lambda start: start < after)
    return frame[begun & _each(frame["valid_to"], _ends_after(month.first))]


def dated_in(frame: pd.DataFrame, month: Month) -> pd.DataFrame:
    """Rows whose ``date`` lies in the month."""
    return frame[_each(frame["date"], lambda day: Month.of(day) == month)]


def _ends_after(day: date) -> Callable[[object], bool]:
    return lambda end: end is None or pd.isna(end) or day < end


def _each(column: pd.Series, holds: Callable[[object], bool]) -> np.ndarray:
    values = column.tolist()
    answers = {value: holds(value) for value in set(values)}  # dates: few differ
    return np.fromiter(map(answers.__getitem__, values), np.bool_, len(values))


@dataclass(frozen=True)
class DayRoster:
    """Indices that hold on one day.

    meter_ids with, per meter, participant (into Roster.metered), multiplier (0.001) and direction;
    holder: per metered participant the settling row (users first, then generators), RESIDENTS_ROW or OUTSIDE.
    agency: per metered participant, whether it is an agency user today. active: per party, whether it settles today.
    nonmarket, mechanism: share of a generator's output and of a user's book outside the market, 1e-6, None: none.
    """

    number: int
    meter_ids: pd.Index
    participant: Index
    multiplier: IntArray
    direction: IntArray
    holder: Index
    contract_ids: pd.Index
    contract_price: IntArray
    buyer: Index
    seller: Index
    buyer_ids: tuple[str, ...]
    agency: BoolArray
    active: BoolArray
    nonmarket: IntArray | None
    mechanism: IntArray | None


class Roster:
    """The month's participants, meters, contracts and shares of energy outside the market.

    Who changes its kind inside the month is in every group it belongs to on some day; ``kind`` is its last one,
    ``party_kind`` the one under which it settles wholesale. generators: units and storages, with ``price_makers`` the
    units among them. A virtual power plant settles in the months in which it has a customer or a contract.
    """

    def __init__(
        self,
        month: Month,
        participants: pd.DataFrame,
        meters: pd.DataFrame,
        contracts: pd.DataFrame,
        energy_shares: pd.DataFrame | None = None,
    ) -> None:
        self.month = month
        self._participants = valid_in(participants, month)
        self._meters = valid_in(meters, month)
        self._contracts = valid_in(contracts, month)
        self._shares = None if energy_shares is None else valid_in(energy_shares, month)
        by_date = self._participants.sort_values("valid_from", kind="stable")
        last = by_date.groupby("participant_id").last()
        self._kinds: dict[str, list[str]] = defaultdict(list)
        for who, kind in zip(by_date["participant_id"], by_date["kind"], strict=True):
            self._kinds[who].append(kind)
        self.kind: dict[str, str] = last["kind"].to_dict()
        self.city: dict[str, str | None] = {who: city or None for who, city in last["city"].items()}
        self.node: dict[str, str | None] = {who: node or None for who, node in last["node"].items()}
        self._books = self._vpp_books(self._participants, self._contracts)
        self.users = tuple(
            who
            for who in self._of_kinds(USER_KINDS)
            if who in self._books or set(self._kinds[who]) & set(USER_KINDS) != {ParticipantKind.VPP}
        )
        self.generators = self._of_kinds(SUPPLY_KINDS)
        self.price_makers = frozenset(self._of_kinds((ParticipantKind.GENERATOR,)))
        self.metered = self._of_kinds(METERED_KINDS)
        self.agency_users = self._of_kinds((ParticipantKind.AGENCY_USER,))
        self.party_ids = (*self.users, *self.generators)
        self.party_kind = {
            who: next(kind for kind in reversed(self._kinds[who]) if kind in PARTY_KINDS)
            for who in self.party_ids
        }
        self.parties = pd.Index(self.party_ids)
        self._spans: tuple[tuple[date, date, DayRoster], ...] = tuple(self._build_spans())

    @property
    def spans(self) -> tuple[DayRoster, ...]:
        """The rosters of the month in order; each holds from one change to the next."""
        return tuple(roster for _, _, roster in self._spans)

    @property
    def span_days(self) -> tuple[tuple[date, date], ...]:
        """First day and day after the last of each of the ``spans``."""
        return tuple((first, after) for first, after, _ in self._spans)

    @property
    def residents_row(self) -> int:
        """The settling row of residents, after users and generators."""
        return len(self.users) + len(self.generators)

    @cached_property
    def grid_company(self) -> str:
        """The one grid company of the province; ValueError when there is none or more than one."""
        companies = self._of_kinds((ParticipantKind.GRID_COMPANY,))
        if len(companies) != 1:
            raise ValueError(
                f"{len(companies)} participants have kind grid_company in {self.month}; deliver a participants "
                "file with exactly one, it buys between provinces and holds the agency book."
            )
        return companies[0]

    def on(self, day: date) -> DayRoster:
        """The roster of one day of the month."""
        for first, after, roster in self._spans:
            if first <= day < after:
                return roster
        raise ValueError(f"{day} is not in {self.month}.")

    def findings(self) -> Iterator[Finding]:
        """Participants with a meter or a retailer that nothing settles."""
        day = self._spans[-1][2]
        with_meter = np.zeros(len(self.metered), np.bool_)
        with_meter[day.participant] = True
        for position, who in enumerate(self.metered):
            if with_meter[position] and day.holder[position] == OUTSIDE:
                yield Finding(
                    "retailer_unknown",
                    Severity.BLOCK,
                    who,
                    f"{who} is a retail user without a retailer that is valid in {self.month}; its energy would be "
                    "settled by nobody. Deliver a participants file that names its retailer.",
                    city=self.city.get(who),
                )

    @staticmethod
    def _vpp_books(participants: pd.DataFrame, contracts: pd.DataFrame) -> frozenset[str]:
        """Who has a customer or a contract: without either a virtual power plant holds no position."""
        retail = participants[participants["kind"] == ParticipantKind.RETAIL_USER]
        sides = (retail["retailer_id"], contracts["buyer_id"], contracts["seller_id"])
        return frozenset(who for side in sides for who in side if who and not pd.isna(who))

    @staticmethod
    def _settles(who: str, today: Mapping[str, str], books: frozenset[str]) -> bool:
        kind = today.get(who)
        return kind in PARTY_KINDS and (kind != ParticipantKind.VPP or who in books)

    def _of_kinds(self, kinds: tuple[ParticipantKind, ...]) -> tuple[str, ...]:
        return tuple(sorted(who for who, held in self._kinds.items() if not set(held).isdisjoint(kinds)))

    def _build_spans(self) -> Iterator[tuple[date, date, DayRoster]]:
        edges = {self.month.first, self.month.after}
        frames = (self._participants, self._meters, self._contracts)
        for frame in frames if self._shares is None else (*frames, self._shares):
            for column in ("valid_from", "valid_to"):
                edges |= {
                    edge
                    for edge in frame[column]
                    if edge is not None and not pd.isna(edge) and self.month.first < edge < self.month.after
                }
        ordered = sorted(edges)
        for number, (first, after) in enumerate(pairwise(ordered)):
            yield first, after, self._build(number, first)

    def _build(self, number: int, day: date) -> DayRoster:
        participants = valid_on(self._participants, day).set_index("participant_id")
        meters = valid_on(self._meters, day)
        meters = meters[
            meters["participant_id"].isin(self.metered) & meters["participant_id"].isin(participants.index)
        ]
        contracts = valid_on(self._contracts, day)
        parties = self.parties
        today = participants["kind"].to_dict()
        books = self._vpp_books(participants, contracts)
        return DayRoster(
            number=number,
            meter_ids=pd.Index(meters["meter_id"]),
            participant=pd.Index(self.metered).get_indexer(meters["participant_id"]),
            multiplier=np.array([scaled(value, 3) for value in meters["multiplier"]], dtype=np.int64),
            direction=np.array(meters["direction"], dtype=np.int64),
            holder=self._holders(participants, parties),
            contract_ids=pd.Index(contracts["contract_id"]),
            contract_price=np.array(
                [scaled(value, 3) for value in contracts["price_cny_per_mwh"]], dtype=np.int64
            ),
            buyer=parties.get_indexer(contracts["buyer_id"]),
            seller=parties.get_indexer(contracts["seller_id"]),
            buyer_ids=tuple(contracts["buyer_id"]),
            agency=np.array(
                [today.get(who) == ParticipantKind.AGENCY_USER for who in self.metered], np.bool_
            ),
            active=np.array([self._settles(who, today, books) for who in self.party_ids], np.bool_),
            nonmarket=self._share("nonmarket", self.generators, day),
            mechanism=self._share("mechanism", self.users, day),
        )

    def _share(self, what: str, who: tuple[str, ...], day: date) -> IntArray | None:
        if self._shares is None:
            return None
        rows = valid_on(self._shares, day)
        rows = rows[rows["what"] == what]
        share = {
            one: scaled(part, 6)
            for one, part in zip(rows["participant_id"], rows["share"], strict=True)
            if self.kind.get(one) != ParticipantKind.STORAGE  # what it stores is nobody's priority output
        }
        return np.array([share.get(one, 0) for one in who], np.int64) if share else None

    def _holders(self, participants: pd.DataFrame, parties: pd.Index) -> Index:
        kinds, retailers = participants["kind"].to_dict(), participants["retailer_id"].to_dict()
        row_of = {who: row for row, who in enumerate(parties)}

        def holder(who: str) -> int:
            kind = kinds.get(who)
            if kind == ParticipantKind.RESIDENTS:
                return self.residents_row
            if kind == ParticipantKind.AGENCY_USER:
                return row_of[self.grid_company]
            if kind == ParticipantKind.RETAIL_USER:
                return row_of.get(retailers[who], OUTSIDE)
            return row_of.get(who, OUTSIDE)

        return np.array([holder(who) for who in self.metered], dtype=np.intp)
