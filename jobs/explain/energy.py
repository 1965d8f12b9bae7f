"""The quarter-hours of one day of an energy line, and the rows of files they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

import numpy as np
import pandas as pd

from jobs.accepted import Accepted
from jobs.explain.sources import SourceFiles
from jobs.month_inputs import MonthInputs, UnifiedPrices
from jobs.roster import Roster, valid_on
from market.curves import MISSING, is_missing
from market.money import IntArray
from market.periods import PERIODS, Month
from market.profiles import RuleProfile
from reports.explanation import Part, Source
from settlement.market_day import MarketDay
from warehouse.home import Home

RESIDENTS = "residents"
WITH_METERS = ("energy_real_time", "capacity_compensation", "residents_energy")
STAGES_OF = {
    "energy_real_time": ("real_time",),
    "energy_day_ahead": ("day_ahead", "real_time"),
    "residents_energy": ("real_time",),
    "loss": ("real_time",),
}


class EnergyDay:
    """One day as the settlement saw it: the same reading, the same determinants."""

    def __init__(
        self,
        home: Home,
        month: Month,
        roster: Roster,
        profile: RuleProfile,
        as_of: datetime | None,
        day: date,
        imports: Mapping[tuple[str, date], IntArray],
        accepted: Accepted,
        unified: UnifiedPrices | None = None,
    ) -> None:
        self._day, self._roster = day, roster
        self._rules = profile.settled[0]
        self._inputs = MonthInputs(
            home,
            month,
            roster,
            self._rules,
            imports,
            as_of,
            only=day,
            accepted=accepted,
            unified=unified,
        )

    def parts(self, code: str, who: str) -> tuple[Part, ...]:
        """Quantity × price of every quarter-hour of a line; contracts one by one."""
        if code == "contract":
            return self._contract_parts(who)
        quantity, price, sign = self._determinants(code, who)
        made_of = self._balance() if code == "loss" else None
        return tuple(
            _part(
                self._day,
                period,
                "",
                int(quantity[period - 1]),
                int(price[period - 1]),
                sign,
                {} if made_of is None else {name: int(curve[period - 1]) for name, curve in made_of.items()},
            )
            for period in range(1, PERIODS + 1)
        )

    def sources(
        self, code: str, who: str, records: Mapping[str, pd.DataFrame], files: SourceFiles
    ) -> tuple[Source, ...]:
        """Meters with readings, positions, contracts with curves, prices: whatever the line's day rests on."""
        day, found = self._day, []
        if code in WITH_METERS:
            whose = RESIDENTS if code == "residents_energy" else who
            found += self.meter_sources(whose, records["meters"], files)
        if code == "energy_day_ahead":
            found += files.curves("positions", day, [who], "participant_id", "day_ahead")
        if code == "contract":
            rows = valid_on(records["contracts"], day)
            rows = rows[(rows["buyer_id"] == who) | (rows["seller_id"] == who)]
            found += files.records("contracts", rows, "contract_id", ("price_cny_per_mwh",))
            found += files.curves("contract_curves", day, list(rows["contract_id"]), "contract_id")
            node = self._rules.contract_reference_node
            found += (
                self.user_price_sources("day_ahead", files)
                if node == self._rules.user_price_node
                else files.curves("prices", day, [node], "node", "day_ahead")
            )
        for stage in STAGES_OF.get(code, ()):
            own = [str(self._roster.node[who])] if self._is_generator(who) else None
            found += (
                self.user_price_sources(stage, files)
                if own is None
                else files.curves("prices", day, own, "node", stage)
            )
        return tuple(found)

    def meter_sources(self, who: str, meters: pd.DataFrame, files: SourceFiles) -> list[Source]:
        """Readings and meters of a book: a party's with its customers', ``residents``, or one customer's own."""
        today = self._roster.on(self._day)
        if who == RESIDENTS or who in self._roster.parties:
            row = (
                self._roster.residents_row
                if who == RESIDENTS
                else int(self._roster.parties.get_indexer([who])[0])
            )
            mine = today.meter_ids[today.holder[today.participant] == row]
        else:
            metered = list(self._roster.metered)
            place = metered.index(who) if who in metered else -1
            mine = today.meter_ids[today.participant == place]
        valid = valid_on(meters, self._day)
        records = valid[valid["meter_id"].isin(mine)]
        return [
            *files.curves("meter_readings", self._day, list(mine), "meter_id"),
            *files.records("meters", records, "meter_id", ("participant_id", "multiplier")),
        ]

    def user_price_sources(self, stage: str, files: SourceFiles) -> list[Source]:
        """The published user price, or the nodes it is the mean of (ruling 6)."""
        published = files.curves("prices", self._day, [self._rules.user_price_node], "node", stage)
        nodes = sorted({str(self._roster.node[unit]) for unit in self._roster.price_makers})
        return published or files.curves("prices", self._day, nodes, "node", stage)

    @cached_property
    def _market(self) -> MarketDay:
        return next(self._inputs.days())

    def _is_generator(self, who: str) -> bool:
        return who in self._roster.generators

    def _determinants(self, code: str, who: str) -> tuple[IntArray, IntArray, int]:
        """(96,) Wh, (96,) 0.001 元/MWh, and 1 for a charge or -1 for what a generator or storage is paid."""
        market, price = self._market, self._market.prices
        if code == "residents_energy":
            return market.residents, price.user_real_time, 1
        if code == "loss":
            balance = self._balance()
            return (
                _minus(_plus(balance["generation"], balance["import"]), balance["use"]),
                price.user_real_time,
                1,
            )
        if self._is_generator(who):
            unit = self._roster.generators.index(who)
            real_time = price.node_real_time[unit]
            if code == "energy_real_time":
                outside = 0 if market.nonmarket is None else market.nonmarket[unit]
                return _minus(market.generation[unit], np.broadcast_to(outside, PERIODS)), real_time, -1
            return market.schedule[unit], _minus(price.node_day_ahead[unit], real_time), -1
        user = self._roster.users.index(who)
        if code == "energy_day_ahead":
            return market.position[user], _minus(price.user_day_ahead, price.user_real_time), 1
        flat = np.full(PERIODS, price.capacity)
        used, at = market.use[user], price.user_real_time
        if code == "capacity_compensation":
            apart = 0 if market.mechanism is None else market.mechanism[user]
            used, at = _minus(used, np.broadcast_to(apart, PERIODS)), flat
        return used, at, 1

    def _balance(self) -> dict[str, IntArray]:
        market = self._market
        return {
            "generation": _sum(market.generation),
            "import": market.import_day_ahead + market.import_intraday,
            "use": _sum(np.concatenate([market.use, market.residents[None, :]])),
        }

    def _contract_parts(self, who: str) -> tuple[Part, ...]:
        """Σ q·(P_c − P_ref) of each contract, the seller with the other sign."""
        market, today = self._market, self._roster.on(self._day)
        place = int(self._roster.parties.get_indexer([who])[0])
        parts = []
        for row, contract_id in enumerate(today.contract_ids):
            sign = int(today.buyer[row] == place) - int(today.seller[row] == place)
            if sign == 0:
                continue
            spread = _minus(np.full(PERIODS, today.contract_price[row]), market.prices.reference)
            parts += [
                _part(
                    self._day,
                    period,
                    str(contract_id),
                    int(market.contracts.quantity[row, period - 1]),
                    int(spread[period - 1]),
                    sign,
                    {},
                )
                for period in range(1, PERIODS + 1)
            ]
        return tuple(parts)


def _part(
    day: date, period: int, subject: str, wh: int, mills: int, sign: int, made_of: Mapping[str, int]
) -> Part:
    known = MISSING not in (wh, mills)
    return Part(
        date=day,
        period=period,
        subject=subject,
        quantity_mwh=None if wh == MISSING else Decimal(wh).scaleb(-6),
        price_cny_per_mwh=None if mills == MISSING else Decimal(mills).scaleb(-3),
        amount_cny=Decimal(sign * wh * mills).scaleb(-9) if known else None,
        made_of={name: Decimal(part).scaleb(-6) for name, part in made_of.items() if part != MISSING},
    )


def _plus(left: IntArray, right: IntArray) -> IntArray:
    return np.where(is_missing(left) | is_missing(right), MISSING, left + right)


def _minus(left: IntArray, right: IntArray) -> IntArray:
    return np.where(is_missing(left) | is_missing(right), MISSING, left - right)


def _sum(rows: IntArray) -> IntArray:
    return np.where(is_missing(rows).any(axis=0), MISSING, np.where(is_missing(rows), 0, rows).sum(axis=0))
