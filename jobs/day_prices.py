"""The prices of one day: what was delivered, what is made from it, and what is odd about it (market.md B.2; ruling 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np

from jobs.input_gaps import DayNotes
from jobs.roster import Roster
from market.curves import MISSING, is_missing, total
from market.money import IntArray, scaled
from market.periods import LABELS, PERIODS
from market.profiles import ProvincialRules, on
from settlement.capacity import capacity_curve
from settlement.market_day import Prices
from settlement.prices import hourly_user_price
from warehouse.curves import CurveDay

UnifiedPrices = Mapping[date, Mapping[str, IntArray]]
"""day -> stage -> (96,) 0.001 元/MWh: user prices that are settled whatever the prices table says now."""

STAGES = ("day_ahead", "real_time")


def nonmarket_price(rules: ProvincialRules, day: date) -> int | None:
    """The price of non-market energy, 0.001 元/MWh; None where the rules settle all at the market price."""
    price = on(rules.nonmarket_price_cny_per_mwh, day, "nonmarket_price_cny_per_mwh")
    return None if price is None else scaled(price, 3)


class PriceBook:
    """Makes the prices of days. unified: the user prices of a month that is corrected, which never change (B.11)."""

    def __init__(self, roster: Roster, rules: ProvincialRules, unified: UnifiedPrices | None) -> None:
        self._rules, self._unified = rules, unified
        own = [str(roster.node[who]) for who in roster.generators]
        self._nodes = sorted(set(own))
        self._at = [self._nodes.index(node) for node in own]
        making = [who in roster.price_makers for who in roster.generators]
        self._makers = np.flatnonzero(making)
        at = np.array(self._at, np.intp)[self._makers]
        self._making = np.unique(at)  # ruling 6: the mean over generation, a storage's node apart
        self._maker_node = at

    def of(
        self, day: date, curve: CurveDay | None, market_energy: Callable[[], IntArray], notes: DayNotes
    ) -> Prices:
        """curve: ``prices`` of the day. market_energy: (generators, 96) Wh, asked for only where it weighs a price."""
        rules = self._rules
        book: dict[tuple[str, str], IntArray] = {}
        if curve is not None:
            nodes, stages = (curve.keys[key].to_pylist() for key in ("node", "stage"))
            book = dict(zip(zip(nodes, stages, strict=True), curve.values, strict=True))
        by_node = {
            stage: np.array([self._of_node(book, node, stage, day, notes) for node in self._nodes]).reshape(
                -1, PERIODS
            )
            for stage in STAGES
        }
        published = {stage: book.get((rules.user_price_node, stage)) for stage in STAGES}
        weight = None
        if rules.hour_weight == "generation" and any(price is None for price in published.values()):
            weight = self._weights(market_energy())
        user = {
            stage: hourly_user_price(by_node[stage][self._making], weight) if price is None else price
            for stage, price in published.items()
        }
        if self._unified is not None:
            kept = self._unified[day]
            notes.prices_kept += [stage for stage in STAGES if not np.array_equal(kept[stage], user[stage])]
            user = {stage: kept[stage] for stage in STAGES}
        reference = (
            user["day_ahead"]
            if rules.contract_reference_node == rules.user_price_node
            else self._of_node(book, rules.contract_reference_node, "day_ahead", day, notes)
        )
        return Prices(
            user_day_ahead=user["day_ahead"],
            user_real_time=user["real_time"],
            reference=reference,
            node_day_ahead=by_node["day_ahead"][self._at],
            node_real_time=by_node["real_time"][self._at],
            capacity=capacity_curve(rules, day),
            nonmarket=nonmarket_price(rules, day),
        )

    def _weights(self, energy: IntArray) -> IntArray:
        """(nodes, 96) of those whose generation makes the price; MISSING where that of one of them is."""
        makers = energy[self._makers]
        return np.array([total(makers[self._maker_node == node].T) for node in self._making])

    def _of_node(
        self, book: Mapping[tuple[str, str], IntArray], node: str, stage: str, day: date, notes: DayNotes
    ) -> IntArray:
        price = book.get((node, stage))
        if price is None:
            notes.price_gaps[node, stage].append(f"{day} (whole day)")
            return np.full(PERIODS, MISSING, np.int64)
        gaps = is_missing(price)
        if gaps.any():
            notes.price_gaps[node, stage] += [f"{day} {LABELS[i]}" for i in np.flatnonzero(gaps)]
        low = scaled(self._rules.clearing_price_floor_cny_per_mwh, 3)
        high = scaled(self._rules.clearing_price_cap_cny_per_mwh, 3)
        outside = ~gaps & ((price < low) | (price > high))
        if outside.any():
            notes.price_limits[node, stage] += [f"{day} {LABELS[i]}" for i in np.flatnonzero(outside)]
        return price
