"""Reads a month from the warehouse, one day at a time, as the determinants of settlement.

Memory is bounded by a few days of curves. What is not there becomes ``MISSING`` and a finding, never zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.accepted import Accepted, accepted_day, measured_wh
from jobs.roster import OUTSIDE, DayRoster, Index, Roster
from market.curves import MISSING, filled, is_missing
from market.money import IntArray, half_up_array, scaled
from market.periods import LABELS, PERIODS, Month
from market.profiles import ProvincialRules, on
from settlement.capacity import capacity_curve
from settlement.findings import Finding, Severity
from settlement.market_day import Contracts, MarketDay, Prices
from settlement.metering import wh_of_reading
from settlement.prices import hourly_user_price
from warehouse.curves import CurveDay, curve_days
from warehouse.home import Home

UnifiedPrices = Mapping[date, Mapping[str, IntArray]]
"""day -> stage -> (96,) 0.001 元/MWh: user prices that are settled whatever the prices table says now."""

MONTH_CURVES = ("meter_readings", "meter_quality", "positions", "contract_curves", "prices")
NO_ROWS: Index = np.zeros(0, np.intp)

# sees each day's meter rows: day, participant of each row, Wh (rows, 96), participants with a gap, prices
Watch = Callable[[date, Index, IntArray, Index, Prices], None]


@dataclass(frozen=True)
class Gap:
    """Something that should be there and is not: kind of thing, its id, the participant it touches."""

    what: str
    subject: str
    participant: str | None


@dataclass(frozen=True)
class _Meters:
    """Rows of a day's meter curves: ``used`` of them (None: all) with their meter, party and settling row.

    order, starts, holders: rows in order of settling row, where each group starts, and that row.
    absent: meters without a row. delivering: rows of meters that deliver.
    """

    used: Index | None
    place: Index
    participant: Index
    multiplier: IntArray
    delivering: Index
    order: Index | None
    starts: Index
    holders: slice | Index
    absent: Index


class MonthInputs:
    """Streams the days of a month; energies, measured shares and gaps are ready when the stream has ended.

    span_energy[s, i], span_measured[s, i]: Wh of roster.metered[i] in the s-th span of the roster, and of it by
    measured readings; span_incomplete where a reading of it is missing. energy, measured, incomplete: of the month.
    use_of[day]: (users + generators, 96) kept for the days in ``keep``. only: stream this day of the month alone.
    accepted: what the run settles in the place of raw readings.
    unified: the user prices of a month that is corrected; a correction never changes them (market.md B.11).
    """

    def __init__(
        self,
        home: Home,
        month: Month,
        roster: Roster,
        rules: ProvincialRules,
        imports: Mapping[tuple[str, date], IntArray],
        as_of: datetime | None,
        keep: frozenset[date] = frozenset(),
        only: date | None = None,
        accepted: Accepted | None = None,
        watch: Watch | None = None,
        unified: UnifiedPrices | None = None,
    ) -> None:
        self._watch, self._seen_energy = watch, (NO_ROWS, np.zeros((0, PERIODS), np.int64), NO_ROWS)
        self._unified = unified
        self._price_kept: dict[str, list[date]] = defaultdict(list)
        self._home, self._month, self._rules, self._as_of = home, month, rules, as_of
        self._imports, self._keep = imports, keep
        self._days = tuple(month.days()) if only is None else (only,)
        self._accepted: Accepted = accepted or {}
        self.roster = roster
        shape = (len(roster.spans), len(roster.metered))
        self.span_energy, self.span_measured = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.span_incomplete = np.zeros(shape, np.bool_)
        self._meter_energy = [np.zeros(len(span.meter_ids), np.int64) for span in roster.spans]
        self._meter_incomplete = [np.zeros(len(span.meter_ids), np.bool_) for span in roster.spans]
        self.kept: dict[date, MarketDay] = {}
        self.contract_wh: dict[str, int | None] = {}  # of the days seen; None where a quarter-hour is missing
        self._gaps: dict[Gap, list[date]] = defaultdict(list)
        self._price_gaps: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._price_limits: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._meters: tuple[object, object, _Meters] | None = None
        self._seen: dict[str, tuple[object, pd.Index, Index]] = {}

    @property
    def energy(self) -> IntArray:
        """Wh of the month by metered participant."""
        return np.asarray(self.span_energy.sum(axis=0))

    @property
    def measured(self) -> IntArray:
        """Of it by measured readings."""
        return np.asarray(self.span_measured.sum(axis=0))

    @property
    def incomplete(self) -> np.ndarray:
        """Where a reading of the month is missing."""
        return np.asarray(self.span_incomplete.any(axis=0))

    def days(self) -> Iterator[MarketDay]:
        """Every day of the month in order, or the one day asked for."""
        streams = {table: self._stream(table) for table in MONTH_CURVES}
        for day in self._days:
            curves = {table: next(stream) for table, stream in streams.items()}
            market = self._day(day, self.roster.on(day), curves)
            if day in self._keep:
                self.kept[day] = market
            yield market

    def meter_energy(self, wanted: Collection[str]) -> dict[str, list[tuple[date, int | None]]]:
        """Of each meter wanted, Wh of its days by span of the roster, with the span's first day; None where one is missing."""
        found: dict[str, list[tuple[date, int | None]]] = defaultdict(list)
        for (first, _), span in zip(self.roster.span_days, self.roster.spans, strict=True):
            energy, gaps = self._meter_energy[span.number], self._meter_incomplete[span.number]
            for meter, wh, gap in zip(span.meter_ids, energy.tolist(), gaps.tolist(), strict=True):
                if meter in wanted:
                    found[meter].append((first, None if gap else wh))
        return found

    def findings(self) -> list[Finding]:
        """Gaps and odd prices seen while streaming."""
        return [
            *(self._gap_finding(gap, days) for gap, days in self._gaps.items()),
            *(self._price_gap_finding(*key, stamps) for key, stamps in self._price_gaps.items()),
            *(self._price_limit_finding(*key, stamps) for key, stamps in self._price_limits.items()),
            *(self._price_kept_finding(stage, days) for stage, days in sorted(self._price_kept.items())),
        ]

    def _stream(self, table: str) -> Iterator[CurveDay | None]:
        after = self._days[-1] + timedelta(days=1)
        by_day = curve_days(self._home, table, self._days[0], after, as_of=self._as_of)
        following = next(by_day, None)
        for day in self._days:
            if following is not None and following.date == day:
                yield following
                following = next(by_day, None)
            else:
                yield None

    def _day(self, day: date, roster: DayRoster, curves: Mapping[str, CurveDay | None]) -> MarketDay:
        users = self.roster.users
        readings = accepted_day(
            day, curves["meter_readings"], curves["meter_quality"], self._accepted.get(day)
        )
        energy = self._energy(day, roster, readings)
        delivered = energy[len(users) : self.roster.residents_row]
        generation = np.where(is_missing(delivered), MISSING, -delivered)
        nonmarket, mechanism = self._outside_market(day, roster, energy[: len(users)], generation)
        positions = self._positions(day, roster, curves["positions"])
        market = MarketDay(
            day=day,
            use=energy[: len(users)],
            position=positions[: len(users)],
            residents=energy[self.roster.residents_row],
            generation=generation,
            schedule=positions[len(users) :],
            import_day_ahead=self._imported("day_ahead", day),
            import_intraday=self._imported("intraday", day),
            contracts=self._contracts(day, roster, curves["contract_curves"]),
            prices=self._prices(day, curves["prices"], _market_part(generation, nonmarket)),
            nonmarket=nonmarket,
            mechanism=mechanism,
        )
        if self._watch is not None:
            self._watch(day, *self._seen_energy, market.prices)
        return market

    def _outside_market(
        self, day: date, roster: DayRoster, use: IntArray, generation: IntArray
    ) -> tuple[IntArray | None, IntArray | None]:
        """Non-market energy of generators and 机制电量 of users, where the rules of the day know them (B.2, B.4)."""
        nonmarket = mechanism = None
        if self._nonmarket_price(day) is not None:
            ppm = np.zeros(len(generation), np.int64) if roster.nonmarket is None else roster.nonmarket
            nonmarket = _share_of(generation, ppm)
        if roster.mechanism is not None and on(
            self._rules.capacity_less_mechanism, day, "capacity_less_mechanism"
        ):
            mechanism = _share_of(use, roster.mechanism)
        return nonmarket, mechanism

    def _imported(self, stage: str, day: date) -> IntArray:
        return self._imports.get((stage, day), np.zeros(PERIODS, np.int64))

    def _energy(self, day: date, roster: DayRoster, curve: CurveDay | None) -> IntArray:
        """(users + generators + residents, 96) Wh; consumption positive, delivery negative."""
        meters = self._meters_of(roster, curve)
        for place in meters.absent:
            self._gap("missing_meter_day", roster, place, day)
        self._meter_incomplete[roster.number][meters.absent] = True
        grouped = np.zeros((self.roster.residents_row + 1, PERIODS), np.int64)
        touched = roster.participant[meters.absent]
        if curve is not None:
            wh = wh_of_reading(_rows_of(curve.values, meters.used), meters.multiplier)
            gaps = is_missing(wh).any(axis=1) if curve.has_missing else None
            if gaps is not None:
                for row in np.flatnonzero(gaps):
                    self._gap("missing_reading", roster, meters.place[row], day)
                touched = np.concatenate([touched, meters.participant[gaps]])
                self._meter_incomplete[roster.number][meters.place[gaps]] = True
                wh = np.where(is_missing(wh), 0, wh)
            self._account(roster.number, meters, wh, _taken(curve.quality, meters.used), gaps)
            wh[meters.delivering] *= -1
            ordered = _rows_of(wh, meters.order)
            if len(meters.starts) == len(ordered):
                grouped[meters.holders] = ordered
            elif len(meters.starts):
                grouped[meters.holders] = np.add.reduceat(ordered, meters.starts, axis=0)
        if self._watch is not None:
            seen = (NO_ROWS, np.zeros((0, PERIODS), np.int64)) if curve is None else (meters.participant, wh)
            self._seen_energy = (*seen, touched)
        if len(touched):
            self.span_incomplete[roster.number, touched] = True
            rows = roster.holder[touched]
            grouped[rows[rows != OUTSIDE]] = MISSING
        return grouped

    def _gap(self, what: str, roster: DayRoster, place: int, day: date) -> None:
        who = self.roster.metered[roster.participant[place]]
        self._gaps[Gap(what, str(roster.meter_ids[place]), who)].append(day)

    def _account(
        self,
        span: int,
        meters: _Meters,
        wh: IntArray,
        quality: pa.StringArray | None,
        gaps: np.ndarray | None,
    ) -> None:
        totals, measured = np.abs(wh.sum(axis=1)), np.abs(measured_wh(wh, quality))
        if gaps is not None:
            totals[gaps] = measured[gaps] = 0
        np.add.at(self.span_energy[span], meters.participant, totals)
        np.add.at(self.span_measured[span], meters.participant, measured)
        self._meter_energy[span][meters.place] += totals  # a meter has one row a day

    def _meters_of(self, roster: DayRoster, curve: CurveDay | None) -> _Meters:
        """How the day's curves, in their own order, belong to meters and settling rows; kept while keys stay."""
        rows, present = self._rows("meter_readings", roster.meter_ids, curve, "meter_id")
        keys = None if curve is None else curve.keys["meter_id"]
        if self._meters is not None and self._meters[0] is roster and self._meters[1] is keys:
            return self._meters[2]
        height = 0 if curve is None else len(curve.values)
        place = np.full(height, OUTSIDE, np.intp)
        place[rows[present]] = np.flatnonzero(present)
        used = np.flatnonzero(place != OUTSIDE)
        place = place[used]
        participant = roster.participant[place]
        holder = roster.holder[participant]
        settled = np.flatnonzero(holder != OUTSIDE)
        order = settled[np.argsort(holder[settled], kind="stable")]
        holders, starts = np.unique(holder[order], return_index=True)
        meters = _Meters(
            used=None if len(used) == height else used,
            place=place,
            participant=participant,
            multiplier=roster.multiplier[place],
            delivering=np.flatnonzero(roster.direction[place] == -1),
            order=None if _identity(order, len(place)) else order,
            starts=starts,
            holders=_span(holders),
            absent=np.flatnonzero(~present),
        )
        self._meters = (roster, keys, meters)
        return meters

    def _positions(self, day: date, roster: DayRoster, curve: CurveDay | None) -> IntArray:
        """(users + generators, 96) Wh; zero for a party that does not settle on the day."""
        parties = self.roster.parties
        if curve is not None:
            wanted = _equal(curve.keys["stage"], "day_ahead")
            if not wanted.all():
                keys = {name: key.filter(pa.array(wanted)) for name, key in curve.keys.items()}
                curve = replace(curve, keys=keys, values=curve.values[wanted], quality=None)
        everyone = None if roster.active.all() else roster.active
        aligned = self._aligned(
            day,
            parties,
            curve,
            "positions",
            "participant_id",
            "missing_position",
            self.roster.party_ids,
            everyone,
        )
        return aligned if everyone is None else np.where(everyone[:, None], aligned, 0)

    def _contracts(self, day: date, roster: DayRoster, curve: CurveDay | None) -> Contracts:
        quantity = self._aligned(
            day,
            roster.contract_ids,
            curve,
            "contract_curves",
            "contract_id",
            "missing_contract_curve",
            roster.buyer_ids,
        )
        self._sum_contracts(roster, quantity)
        return Contracts(quantity, roster.contract_price, roster.buyer, roster.seller)

    def _sum_contracts(self, roster: DayRoster, quantity: IntArray) -> None:
        sums, gaps = filled(quantity).sum(axis=1).tolist(), is_missing(quantity).any(axis=1).tolist()
        for contract, wh, gap in zip(roster.contract_ids, sums, gaps, strict=True):
            before = self.contract_wh.get(contract, 0)
            self.contract_wh[contract] = None if gap or before is None else before + wh

    def _aligned(
        self,
        day: date,
        wanted: pd.Index,
        curve: CurveDay | None,
        table: str,
        key: str,
        gap: str,
        participants: Sequence[str | None],
        needed: np.ndarray | None = None,
    ) -> IntArray:
        rows, present = self._rows(table, wanted, curve, key)
        asked = np.ones(len(wanted), np.bool_) if needed is None else needed
        for position in np.flatnonzero(present & ~asked):
            self._gaps[Gap(f"unsettled_{table}", str(wanted[position]), None)].append(day)
        for position in np.flatnonzero(~present & asked):
            self._gaps[Gap(gap, str(wanted[position]), participants[position])].append(day)
        if curve is None:
            return np.full((len(wanted), PERIODS), MISSING, np.int64)
        if present.all():
            aligned = curve.values if _identity(rows, len(curve.values)) else curve.values[rows]
        else:
            aligned = np.full((len(wanted), PERIODS), MISSING, np.int64)
            aligned[present] = curve.values[rows[present]]
        if curve.has_missing:
            for position in np.flatnonzero(is_missing(aligned).any(axis=1) & present & asked):
                self._gaps[Gap(gap, str(wanted[position]), participants[position])].append(day)
        return aligned

    def _rows(
        self, table: str, wanted: pd.Index, curve: CurveDay | None, key: str
    ) -> tuple[Index, np.ndarray]:
        """Row of every wanted key in the day's curves, and whether it is there."""
        if curve is None:
            return np.full(len(wanted), -1, np.intp), np.zeros(len(wanted), np.bool_)
        keys = curve.keys[key]
        seen = self._seen.get(table)
        if seen is not None and seen[1] is wanted and seen[0] is keys:
            rows = seen[2]
        else:
            rows = pd.Index(keys.to_numpy(zero_copy_only=False)).get_indexer(wanted)
            self._seen[table] = (keys, wanted, rows)
        present = rows >= 0
        if present.sum() < len(curve.values):
            for stranger in sorted(set(keys.to_pylist()) - set(wanted)):
                self._gaps[Gap(f"unsettled_{table}", stranger, None)].append(curve.date)
        return rows, present

    def _prices(self, day: date, curve: CurveDay | None, generation: IntArray) -> Prices:
        book: dict[tuple[str, str], IntArray] = {}
        if curve is not None:
            nodes, stages = (curve.keys[key].to_pylist() for key in ("node", "stage"))
            book = {(nodes[i], stages[i]): curve.values[i] for i in range(len(curve.values))}
        own = [str(self.roster.node[who]) for who in self.roster.generators]
        nodes_used = sorted(set(own))
        by_node = {
            stage: np.array([self._node_price(book, node, stage, day) for node in nodes_used]).reshape(
                -1, PERIODS
            )
            for stage in ("day_ahead", "real_time")
        }
        makers = [i for i, who in enumerate(self.roster.generators) if who in self.roster.price_makers]
        making = sorted(
            {own[i] for i in makers}
        )  # ruling 6: the mean over generation, a storage's node apart
        weight = None
        if self._rules.hour_weight == "generation":
            weight = np.array(
                [generation[[i for i in makers if own[i] == node]].sum(axis=0) for node in making]
            )
        unified = [nodes_used.index(node) for node in making]
        user = {
            stage: book[published]
            if (published := (self._rules.user_price_node, stage)) in book
            else hourly_user_price(by_node[stage][unified], weight)
            for stage in ("day_ahead", "real_time")
        }
        if self._unified is not None:
            user = {stage: self._kept_price(day, stage, price) for stage, price in user.items()}
        reference = (
            user["day_ahead"]
            if self._rules.contract_reference_node == self._rules.user_price_node
            else self._node_price(book, self._rules.contract_reference_node, "day_ahead", day)
        )
        at = [nodes_used.index(node) for node in own]
        return Prices(
            user_day_ahead=user["day_ahead"],
            user_real_time=user["real_time"],
            reference=reference,
            node_day_ahead=by_node["day_ahead"][at],
            node_real_time=by_node["real_time"][at],
            capacity=capacity_curve(self._rules, day),
            nonmarket=None if (fixed := self._nonmarket_price(day)) is None else scaled(fixed, 3),
        )

    def _nonmarket_price(self, day: date) -> Decimal | None:
        return on(self._rules.nonmarket_price_cny_per_mwh, day, "nonmarket_price_cny_per_mwh")

    def _kept_price(self, day: date, stage: str, now: IntArray) -> IntArray:
        assert self._unified is not None  # noqa: S101  # asked only where prices are kept
        kept = self._unified[day][stage]
        if not np.array_equal(kept, now):
            self._price_kept[stage].append(day)
        return kept

    def _node_price(
        self, book: Mapping[tuple[str, str], IntArray], node: str, stage: str, day: date
    ) -> IntArray:
        price = book.get((node, stage))
        if price is None:
            self._price_gaps[node, stage].append(f"{day} (whole day)")
            return np.full(PERIODS, MISSING, np.int64)
        gaps = is_missing(price)
        self._price_gaps_in(node, stage, day, gaps)
        low = scaled(self._rules.clearing_price_floor_cny_per_mwh, 3)
        high = scaled(self._rules.clearing_price_cap_cny_per_mwh, 3)
        outside = ~gaps & ((price < low) | (price > high))
        if outside.any():
            self._price_limits[node, stage] += [f"{day} {LABELS[i]}" for i in np.flatnonzero(outside)]
        return price

    def _price_gaps_in(self, node: str, stage: str, day: date, gaps: np.ndarray) -> None:
        if gaps.any():
            self._price_gaps[node, stage] += [f"{day} {LABELS[i]}" for i in np.flatnonzero(gaps)]

    def _gap_finding(self, gap: Gap, days: list[date]) -> Finding:
        sentence = {
            "missing_meter_day": "Meter {0} of {1} has no readings on {2}; its amounts are missing. Deliver them.",
            "missing_reading": "Meter {0} of {1} has gaps in its readings on {2}; its amounts are missing. "
            "Deliver the missing quarter-hours.",
            "missing_position": "Participant {0} has no complete day-ahead position on {2}; its day-ahead amount is "
            "missing. Deliver the position, zero if it declared nothing.",
            "missing_contract_curve": "Contract {0} (buyer {1}) is valid but has no complete curve on {2}; the "
            "contract amount of both sides is missing. Deliver the curve.",
            "unsettled_meter_readings": "Meter {0} has readings on {2} but is not valid then for anyone who settles; "
            "its energy is in nobody's account. Deliver the meter or the participant with its validity.",
            "unsettled_positions": "{0} has a position on {2} but settles nothing wholesale then; it is not used.",
            "unsettled_contract_curves": "Contract {0} has a curve on {2} but is not valid then; it is not used.",
        }[gap.what]
        return Finding(
            gap.what,
            Severity.REVIEW if gap.what.startswith("unsettled_") else Severity.BLOCK,
            gap.subject,
            sentence.format(gap.subject, gap.participant or "outside", _some(list(map(str, days)))),
            city=self.roster.city.get(gap.participant) if gap.participant else None,
            evidence={"dates": list(map(str, days)), "participant_id": gap.participant},
        )

    def _price_gap_finding(self, node: str, stage: str, stamps: list[str]) -> Finding:
        return Finding(
            "missing_price",
            Severity.BLOCK,
            f"{node}/{stage}",
            f"The {stage.replace('_', '-')} price of node {node} is missing on {_some(stamps)}; every amount that "
            "rests on it is missing. Deliver a prices file with these values.",
            evidence={"missing": stamps},
        )

    def _price_limit_finding(self, node: str, stage: str, stamps: list[str]) -> Finding:
        low, high = self._rules.clearing_price_floor_cny_per_mwh, self._rules.clearing_price_cap_cny_per_mwh
        return Finding(
            "price_out_of_limits",
            Severity.REVIEW,
            f"{node}/{stage}",
            f"The {stage.replace('_', '-')} price of node {node} lies outside {low}..{high} 元/MWh on "
            f"{_some(stamps)} (R24, SD822); it is settled as delivered. Ask the dispatch centre.",
            evidence={"periods": stamps},
        )

    def _price_kept_finding(self, stage: str, days: list[date]) -> Finding:
        return Finding(
            "unified_price_kept",
            Severity.REVIEW,
            stage,
            f"What is known now would change the unified {stage.replace('_', '-')} price of "
            f"{_some(list(map(str, days)))}; a correction never changes a unified price (SD25, market.md B.11), so the "
            "price of the settled month stands. Ask the trading centre if the published price was wrong.",
            evidence={"dates": list(map(str, days))},
        )


def _market_part(generation: IntArray, nonmarket: IntArray | None) -> IntArray:
    if nonmarket is None:
        return generation
    return np.where(is_missing(generation), MISSING, generation - nonmarket)


def _share_of(energy: IntArray, ppm: IntArray) -> IntArray:
    """Energy times a share of 1e-6, to Wh, half up; MISSING stays."""
    if not ppm.any():
        return np.where(is_missing(energy), MISSING, 0)
    known = np.where(is_missing(energy), 0, energy)
    return np.where(is_missing(energy), MISSING, half_up_array(known * ppm[:, None], 1_000_000))


def _rows_of(values: np.ndarray, rows: Index | None) -> np.ndarray:
    return values if rows is None else values[rows]


def _taken(texts: pa.StringArray | None, rows: Index | None) -> pa.StringArray | None:
    return texts if texts is None or rows is None else texts.take(pa.array(rows))


def _span(rows: Index) -> slice | Index:
    """A slice where rows follow each other without a gap: writing to it needs no index."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _identity(rows: Index, height: int) -> bool:
    return len(rows) == height and bool((rows == np.arange(height)).all())


def _equal(texts: pa.StringArray, wanted: str) -> np.ndarray:
    return np.asarray(pc.equal(texts, pa.scalar(str(wanted))).to_numpy(zero_copy_only=False))


def _some(items: list[str]) -> str:
    return ", ".join(items) if len(items) <= 4 else f"{', '.join(items[:3])} and {len(items) - 3} more"
