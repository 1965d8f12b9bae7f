"""Events settled from the warehouse one day at a time, without settling the month around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from types import MappingProxyType

import pandas as pd

from demand_response.batch import LoadBook
from demand_response.events import Event
from jobs.dr_capacity import capacity_pools
from jobs.dr_case import SettledEvent, settle_one
from jobs.dr_counterfactual import Counterfactual
from jobs.dr_events import EVENT_TABLES, MonthEvents
from jobs.dr_funds import limit_by_funds
from jobs.dr_loads import LOOK_BACK, read_loads
from jobs.dr_sessions import session_inputs
from jobs.month_inputs import MONTH_CURVES, MonthInputs
from jobs.month_trades import TRADE_TABLES, settled_trades
from jobs.roster import Roster
from market.periods import Month
from market.profiles import ProvincialRules, RuleProfile
from settlement.findings import Finding
from settlement.market_day import MarketDay
from warehouse.curves import curve_inputs
from warehouse.deliveries import Input
from warehouse.home import Home
from warehouse.records import read_records, record_inputs

RECORDS = ("participants", "meters", "contracts", *TRADE_TABLES)


@dataclass
class EventDays:
    """Settles events of one month as known at ``as_of``; ``findings`` grows with every event settled."""

    home: Home
    month: Month
    events: MonthEvents
    profile: RuleProfile
    as_of: datetime | None
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def of_event(cls, home: Home, event_id: str, profile: RuleProfile, as_of: datetime | None) -> EventDays:
        """One event alone. Raises EventUnknownError."""
        events = MonthEvents.one(home, event_id, as_of)
        return cls(home, Month.of(events.events[0].date), events, profile, as_of)

    @classmethod
    def of_month(cls, home: Home, month: Month, profile: RuleProfile, as_of: datetime | None) -> EventDays:
        """Every event of a month."""
        return cls(home, month, MonthEvents.read(home, month, as_of), profile, as_of)

    @property
    def rules(self) -> ProvincialRules:
        """The provincial rules."""
        return self.profile.settled[0]

    @cached_property
    def records(self) -> Mapping[str, pd.DataFrame]:
        """Participants, meters, contracts and trades."""
        return {name: read_records(self.home, name, as_of=self.as_of) for name in RECORDS}

    @cached_property
    def roster(self) -> Roster:
        """Who is who in the month."""
        return Roster(self.month, *(self.records[name] for name in ("participants", "meters", "contracts")))

    @cached_property
    def book(self) -> LoadBook:
        """Loads of everyone awarded, over the look-back and the event days."""
        first, last = min(self.events.days), max(self.events.days)
        return read_loads(
            self.home, self.events.metered(), first - LOOK_BACK, last + timedelta(days=1), self.as_of
        )

    def market(self, day: date) -> MarketDay:
        """The province on one day."""
        inputs = MonthInputs(
            self.home, self.month, self.roster, self.rules, self._imports, self.as_of, only=day
        )
        (market,) = inputs.days()
        return market

    def settle(self, event: Event) -> SettledEvent:
        """One event: baseline, response, payment, and the case it is shared from."""
        counterfactual = Counterfactual(
            self.home, self.rules, self.roster, self.events.tables["rota"], self.as_of
        )
        return settle_one(
            event,
            self.events,
            self.book,
            self.market(event.date),
            self.roster,
            self.rules,
            self.findings,
            counterfactual,
        )

    def settle_all(self, openings: Mapping[str, int] = MappingProxyType({})) -> Iterator[SettledEvent]:
        """Every event, by date and id, as its fund pays it where it has one.

        openings: fen by account, of the month before: what funds hold. Meaningful over all events of the month.
        """
        settled = [self.settle(event) for event in self.events.events]
        pools = capacity_pools(self.events, self.month)
        funds = self.events.tables["dr_funds"]
        return iter(limit_by_funds(settled, pools, funds, openings, self.month).settled)

    def inputs(self) -> list[Input]:
        """The delivered files these events rest on, each once, by hash."""
        first, last = min(self.events.days), max(self.events.days)
        after = last + timedelta(days=1)
        found = [
            *(
                entry
                for table in (*RECORDS, *EVENT_TABLES)
                for entry in record_inputs(self.home, table, as_of=self.as_of)
            ),
            *(
                entry
                for table in MONTH_CURVES
                for entry in curve_inputs(
                    self.home,
                    table,
                    first - LOOK_BACK if table == "meter_readings" else first,
                    after,
                    as_of=self.as_of,
                )
            ),
            *session_inputs(
                self.home, self.events.days, self.rules, self.as_of, rota=not self.events.tables["rota"].empty
            ),
        ]
        return sorted(set(found))

    @cached_property
    def _imports(self) -> Mapping[object, object]:
        trades, _ = settled_trades(self.records, self.month, self.roster, self.profile)
        return trades.imports
