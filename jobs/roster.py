"""Who is who on a day: participants, meters and contracts by validity (ruling 11), as array indices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from jobs.day_rosters import (
    OUTSIDE,
    PARTY_KINDS,
    SUPPLY_KINDS,
    USER_KINDS,
    BoolArray,
    ContractRows,
    DayRoster,
    Index,
    MeterRows,
    People,
)
from market.money import IntArray, scaled
from market.periods import Month
from market.tables import ParticipantKind
from settlement.findings import Finding, Severity

__all__ = [
    "METERED_KINDS",
    "OUTSIDE",
    "ROSTER_TABLES",
    "SUPPLY_KINDS",
    "USER_KINDS",
    "DayRoster",
    "Index",
    "Roster",
    "dated_in",
    "valid_in",
    "valid_on",
]
ROSTER_TABLES = ("participants", "meters", "contracts", "energy_shares")
METERED_KINDS = (
    ParticipantKind.WHOLESALE_USER,
    ParticipantKind.RETAIL_USER,
    ParticipantKind.AGENCY_USER,
    ParticipantKind.RESIDENTS,
    *SUPPLY_KINDS,
)


def valid_on(frame: pd.DataFrame, day: date) -> pd.DataFrame:
    """Rows with ``valid_from <= day < valid_to`` (open where ``valid_to`` is empty)."""
    begun = _each(frame["valid_from"], lambda start: start <= day)
    return _rows(frame, begun & _each(frame["valid_to"], _ends_after(day)))


def valid_in(frame: pd.DataFrame, month: Month) -> pd.DataFrame:
    """Rows that hold on any day of the month."""
    after = month.after
    begun = _each(frame["valid_from"], lambda start: start < after)
    return _rows(frame, begun & _each(frame["valid_to"], _ends_after(month.first)))


def dated_in(frame: pd.DataFrame, month: Month) -> pd.DataFrame:
    """Rows whose ``date`` lies in the month."""
    return _rows(frame, _each(frame["date"], lambda day: Month.of(day) == month))


def _rows(frame: pd.DataFrame, held: BoolArray) -> pd.DataFrame:
    """The rows that hold; all of them, as of most tables in most months, share the frame's memory until one writes."""
    return frame.copy(deep=False) if held.all() else frame[held]


def _ends_after(day: date) -> Callable[[object], bool]:
    return lambda end: end is None or pd.isna(end) or day < end


def _each(column: pd.Series, holds: Callable[[object], bool]) -> BoolArray:
    values = column.tolist()
    answers = {value: holds(value) for value in set(values)}  # dates: few differ
    return np.fromiter(map(answers.__getitem__, values), np.bool_, len(values))


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
        held: dict[str, list[str]] = defaultdict(list)
        named: dict[str, dict[str, str]] = {"city": {}, "node": {}}
        for who, kind, city, node in self._by_beginning():
            held[who].append(kind)
            for place, name in zip(named.values(), (city, node), strict=True):
                if name is not None and not pd.isna(name):
                    place[who] = name
        of_kind: dict[str, set[str]] = defaultdict(set)
        for who, kinds in held.items():
            for kind in kinds:
                of_kind[kind].add(who)

        def of_kinds(*kinds: ParticipantKind) -> tuple[str, ...]:
            return tuple(sorted(set().union(*(of_kind[kind] for kind in kinds))))

        people = sorted(held)
        self.kind: dict[str, str] = {who: held[who][-1] for who in people}
        self.city, self.node = ({who: place.get(who) or None for who in people} for place in named.values())
        books = self._vpp_books(self._participants, self._contracts)
        self.users = tuple(
            who
            for who in of_kinds(*USER_KINDS)
            if who in books or set(held[who]) & set(USER_KINDS) != {ParticipantKind.VPP}
        )
        self.generators = of_kinds(*SUPPLY_KINDS)
        self.price_makers = frozenset(of_kinds(ParticipantKind.GENERATOR))
        self.metered = of_kinds(*METERED_KINDS)
        self.agency_users = of_kinds(ParticipantKind.AGENCY_USER)
        self._grid_companies = of_kinds(ParticipantKind.GRID_COMPANY)
        self.party_ids = (*self.users, *self.generators)
        self.party_kind = {
            who: next(kind for kind in reversed(held[who]) if kind in PARTY_KINDS) for who in self.party_ids
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
        companies = self._grid_companies
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
                    f"{who} is a retail user without a retailer or virtual power plant that is valid in {self.month}; its energy would be "
                    "settled by nobody. Deliver a participants file that names its retailer.",
                    city=self.city.get(who),
                )

    @staticmethod
    def _vpp_books(participants: pd.DataFrame, contracts: pd.DataFrame) -> frozenset[str]:
        """Who has a customer or a contract: without either a virtual power plant holds no position."""
        retail = participants[participants["kind"] == ParticipantKind.RETAIL_USER]
        sides = (retail["retailer_id"], contracts["buyer_id"], contracts["seller_id"])
        return frozenset(who for side in sides for who in side if who and not pd.isna(who))

    def _by_beginning(self) -> Iterator[tuple[str, str, str | None, str | None]]:
        """Participant, kind, city and node of every record, in the order in which they begin."""
        columns = (self._participants[name].tolist() for name in ("participant_id", "kind", "city", "node"))
        rows, begins = list(zip(*columns, strict=True)), self._participants["valid_from"].tolist()
        return (rows[place] for place in sorted(range(len(rows)), key=begins.__getitem__))

    def _build_spans(self) -> Iterator[tuple[date, date, DayRoster]]:
        edges = {self.month.first, self.month.after}
        frames = (self._participants, self._meters, self._contracts)
        for frame in frames if self._shares is None else (*frames, self._shares):
            for column in ("valid_from", "valid_to"):
                edges |= {
                    edge
                    for edge in set(frame[column].tolist())
                    if edge is not None and not pd.isna(edge) and self.month.first < edge < self.month.after
                }
        ordered = sorted(edges)
        people = People(self._participants, self.metered, self.party_ids)
        meters = MeterRows(self._meters, self.metered)
        contracts = ContractRows(self._contracts, self.parties)
        for number, (first, after) in enumerate(pairwise(ordered)):
            yield first, after, self._build(number, first, people, meters, contracts)

    def _build(
        self, number: int, day: date, people: People, meters: MeterRows, contracts: ContractRows
    ) -> DayRoster:
        contract_ids, contract_price, buyer, seller, buyer_ids = contracts.on(day)
        here, holder, agency, active = people.on(
            day, (buyer, seller), lambda: self.party_ids.index(self.grid_company), self.residents_row
        )
        meter_ids, participant, multiplier, direction = meters.on(day, here)
        return DayRoster(
            number=number,
            meter_ids=meter_ids,
            participant=participant,
            multiplier=multiplier,
            direction=direction,
            holder=holder,
            contract_ids=contract_ids,
            contract_price=contract_price,
            buyer=buyer,
            seller=seller,
            buyer_ids=buyer_ids,
            agency=agency,
            active=active,
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
