"""Clears the offers of an event into awards, as a file for ``gridsettle ingest`` (demand_response.md A1, F1)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from demand_response.award import Cleared, Terms, award
from demand_response.events import Event
from demand_response.lifecycle import State, Step, advance
from jobs.dr_events import MonthEvents, given
from jobs.dr_state import event_folder, state
from market.money import scaled
from market.profiles import ProvincialRules, on, profile
from warehouse.home import Home
from warehouse.records import read_records

PRICE_DECIMALS, POWER_DECIMALS = 6, 3
AWARD_COLUMNS = ("event_id", "participant_id", "committed_kw", "price_cny", "price_unit")
SUMMARY = {
    "zh": {
        "awards": "中标 {count} 户, {kw} kW (挂牌 {listed} kW), 出清价 {price} 元 {unit}, {method}",
        "left": "储备库 {reserve} 户, 不合格 {refused} 户",
        "short": "申报不足 {kw} kW",
        "over": "整块中标超出 {kw} kW",
        "same": "与已记录的中标一致",
        "other": "与已记录的中标不同",
    },
    "en": {
        "awards": "{count} awards, {kw} kW of {listed} kW listed, clearing price {price} 元 {unit}, {method}",
        "left": "{reserve} in reserve, {refused} refused",
        "short": "{kw} kW were not offered",
        "over": "{kw} kW beyond the need, because blocks are whole",
        "same": "the awards on record are these",
        "other": "the awards on record are others",
    },
}
BEFORE_THE_CALL = (State.PLANNED, State.INVITED, State.AWARDED)


class OffersMissingError(LookupError):
    """The event has no offers to clear."""


@dataclass(frozen=True)
class ClearedEvent:
    """A cleared event. ``awards_file`` is None after the call: then ``as_recorded`` compares with what was awarded.

    as_recorded: True where the awards on record are exactly these, None where none are on record.
    """

    event: Event
    state: State
    price_unit: str
    cleared: Cleared
    as_recorded: bool | None
    awards_file: Path | None
    reserve_file: Path | None

    def summary(self, lang: str = "zh") -> list[str]:
        """A few lines for the terminal."""
        words, one = SUMMARY[lang], self.cleared
        price = "–" if one.clearing_price is None else _plain(one.clearing_price, PRICE_DECIMALS)
        lines = [
            f"{self.event.event_id}  {self.event.date}  {self.state.value}",
            words["awards"].format(
                count=len(one.awards),
                kw=_plain(sum(award.committed_w for award in one.awards), POWER_DECIMALS),
                listed=_plain(one.listed_w, POWER_DECIMALS),
                price=price,
                unit=self.price_unit,
                method=one.method,
            ),
            words["left"].format(reserve=len(one.reserve), refused=len(one.uncleared) - len(one.reserve)),
        ]
        if one.short_w:
            lines.append(words["short"].format(kw=_plain(one.short_w, POWER_DECIMALS)))
        if one.over_w:
            lines.append(words["over"].format(kw=_plain(one.over_w, POWER_DECIMALS)))
        if self.as_recorded is not None:
            lines.append(words["same" if self.as_recorded else "other"])
        return [*lines, *(str(file) for file in (self.awards_file, self.reserve_file) if file is not None)]

    def as_json(self) -> dict[str, Any]:
        """Plain values: kW and yuan as text."""
        one = self.cleared
        return {
            "event_id": self.event.event_id,
            "state": self.state.value,
            "method": one.method,
            "listed_kw": _plain(one.listed_w, POWER_DECIMALS),
            "short_kw": _plain(one.short_w, POWER_DECIMALS),
            "over_kw": _plain(one.over_w, POWER_DECIMALS),
            "price_unit": self.price_unit,
            "clearing_price_cny": None
            if one.clearing_price is None
            else _plain(one.clearing_price, PRICE_DECIMALS),
            "awards": [
                {
                    "participant_id": award.participant_id,
                    "committed_kw": _plain(award.committed_w, POWER_DECIMALS),
                    "price_cny": _plain(award.price, PRICE_DECIMALS),
                }
                for award in one.awards
            ],
            "uncleared": [
                {
                    "participant_id": left.participant_id,
                    "remaining_kw": _plain(left.remaining_w, POWER_DECIMALS),
                    "price_cny": _plain(left.price, PRICE_DECIMALS),
                    "reason": left.reason.value,
                }
                for left in one.uncleared
            ],
            "as_recorded": self.as_recorded,
            "awards_file": None if self.awards_file is None else str(self.awards_file),
            "reserve_file": None if self.reserve_file is None else str(self.reserve_file),
        }


def clear_event(
    home: Home, event_id: str, *, profile_name: str = "SD_2022", as_of: datetime | None = None
) -> ClearedEvent:
    """Clear an event's offers by the profile's terms of its day.

    Before the call the awards and the reserve list are written under ``reports/events/<event>``; the awards take
    force when that file is ingested. Raises EventUnknownError, OffersMissingError, ValueError for offers in another
    unit than the program's, AwardNotSolvedError.
    """
    rules, _ = profile(profile_name).settled
    events = MonthEvents.one(home, event_id, as_of)
    (event,) = events.events
    program = events.terms(event)
    offers = read_records(home, "dr_offers", as_of=as_of)
    cleared = award(
        _offers(offers[offers["event_id"] == event_id], event, program["price_unit"]),
        terms(event, given(program["price_cny"]), rules),
    )
    standing = state(home, events, event, as_of)
    recorded = events.awards(event)
    files = (None, None)
    if standing in BEFORE_THE_CALL:
        advance(event_id, standing, Step.AWARD)
        files = _write(event_folder(home, event_id), event_id, program["price_unit"], cleared)
    return ClearedEvent(
        event,
        standing,
        program["price_unit"],
        cleared,
        None if recorded.empty else _recorded(recorded) == _awards(cleared),
        *files,
    )


def terms(event: Event, price_cap_cny: Decimal | None, rules: ProvincialRules) -> Terms:
    """How the event is cleared on its day; the program's price is the cap of what may be offered."""
    if event.need_mw is None:
        raise ValueError(f"Event {event.event_id} names no need; deliver a dr_events file with need_mw.")

    def watts(kw: Decimal | None) -> int | None:
        return None if kw is None else scaled(kw, POWER_DECIMALS)

    return Terms(
        need_w=scaled(event.need_mw, 6),
        listing_factor=on(rules.dr_listing_factor, event.date, "dr_listing_factor"),
        pricing=on(rules.dr_award_pricing, event.date, "dr_award_pricing"),
        price_cap=None if price_cap_cny is None else scaled(price_cap_cny, PRICE_DECIMALS),
        divisible=on(rules.dr_offers_divisible, event.date, "dr_offers_divisible"),
        minimum_block_w=watts(on(rules.dr_minimum_block_kw, event.date, "dr_minimum_block_kw")) or 0,
        maximum_block_w=watts(on(rules.dr_maximum_block_kw, event.date, "dr_maximum_block_kw")),
    )


def _offers(offers: pd.DataFrame, event: Event, unit: str) -> list[tuple[str, int, int]]:
    if offers.empty:
        raise OffersMissingError(
            f"Event {event.event_id} has no offers in the warehouse; ingest its dr_offers file first."
        )
    other = offers[offers["price_unit"] != unit]
    if not other.empty:
        first = other.iloc[0]
        raise ValueError(
            f"{first['participant_id']} offers event {event.event_id} {first['price_unit']}, but program "
            f"{event.program_id} is priced {unit}; prices of two units are not compared, deliver the offer anew."
        )
    return [
        (row.participant_id, scaled(row.offered_kw, POWER_DECIMALS), scaled(row.price_cny, PRICE_DECIMALS))
        for row in offers.itertuples()
    ]


def _awards(cleared: Cleared) -> dict[str, tuple[int, int]]:
    return {one.participant_id: (one.committed_w, one.price) for one in cleared.awards}


def _recorded(awards: pd.DataFrame) -> dict[str, tuple[int, int]]:
    return {
        row.participant_id: (scaled(row.committed_kw, POWER_DECIMALS), scaled(row.price_cny, PRICE_DECIMALS))
        for row in awards.itertuples()
    }


def _write(folder: Path, event_id: str, unit: str, cleared: Cleared) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    awards, reserve = folder / f"dr_awards_{event_id}.csv", folder / f"reserve_{event_id}.csv"
    _write_csv(
        awards,
        AWARD_COLUMNS,
        [
            (
                event_id,
                one.participant_id,
                _plain(one.committed_w, POWER_DECIMALS),
                _plain(one.price, PRICE_DECIMALS),
                unit,
            )
            for one in cleared.awards
        ],
    )
    _write_csv(
        reserve,
        ("event_id", "rank", "participant_id", "remaining_kw", "price_cny", "price_unit", "reason"),
        [
            (
                *(event_id, rank, one.participant_id),
                *(
                    _plain(one.remaining_w, POWER_DECIMALS),
                    _plain(one.price, PRICE_DECIMALS),
                    unit,
                    one.reason.value,
                ),
            )
            for rank, one in enumerate(cleared.uncleared, start=1)
        ],
    )
    return awards, reserve


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    making = path.with_name(f".{path.name}.making")
    making.write_text(text.getvalue(), encoding="utf-8")
    making.replace(path)


def _plain(value: int, decimals: int) -> str:
    """A whole number of 10**-decimals as it is written in files: 47460, 0.3."""
    text = format(Decimal(value).scaleb(-decimals), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
