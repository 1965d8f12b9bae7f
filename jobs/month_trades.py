"""The month's inter-provincial trades with the sections of their paths, read and settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from jobs.roster import Roster, dated_in, valid_on
from market.periods import Month
from market.profiles import RuleProfile
from settlement.findings import Finding, Severity
from settlement.interprovincial import Section, Trade, TradeSettlement, settle_trades
from settlement.trade_checks import Province, checked_trades

TRADE_TABLES = ("sections", "paths", "trades")
NO_SECTION = ""


@dataclass(frozen=True)
class PathSections:
    """Of (path, day): the sections seller to buyer, where all are known. owners_of: who owns parts of a path."""

    sections: Mapping[tuple[str, date], Sequence[Section]]
    owners_of: Mapping[str, frozenset[str]]
    findings: tuple[Finding, ...]


def settled_trades(
    records: Mapping[str, pd.DataFrame], month: Month, roster: Roster, profile: RuleProfile
) -> tuple[TradeSettlement, list[Finding]]:
    """The month's trades in money and what is odd about them; ``records`` holds ``TRADE_TABLES``."""
    rules, _ = profile.settled
    traded = profile.traded
    delivered = dated_in(records["trades"], month).sort_values("trade_id")
    paths = records["paths"].sort_values(["path_id", "seq"])
    ends = {row.path_id: (row.seller_node, row.buyer_node) for row in paths.itertuples()}
    province = Province(rules.home_node, roster.grid_company, frozenset(roster.parties))
    trades, findings = checked_trades(_trades(delivered), ends, province, traded)
    known = path_sections(
        paths, records["sections"], sorted({(trade.path_id, trade.day) for trade in trades})
    )
    settled = settle_trades(
        trades,
        known.sections,
        rules.landed_price_tolerance_cny_per_mwh,
        daily_cap=traded.daily_price_cap_cny_per_mwh if traded.daily_price_cap_scaling else None,
        owners_of=known.owners_of,
    )
    return settled, [*findings, *known.findings]


def path_sections(
    paths: pd.DataFrame, sections: pd.DataFrame, wanted: Sequence[tuple[str, date]]
) -> PathSections:
    """Sections in force of every (path, day) asked for; a path that lacks one is left out and said.

    paths: rows by path and seq. A section needs exactly one row in force on the day, with an owner.
    """
    named: dict[str, list[str]] = defaultdict(list)
    for path_id, section_id in zip(paths["path_id"], paths["section_id"], strict=True):
        named[path_id].append(section_id)
    owners: dict[str, set[str]] = defaultdict(set)
    for section_id, owner in zip(sections["section_id"], sections["owner_id"], strict=True):
        owners[section_id] |= {owner} if _given(owner) else set()
    in_force = {day: _by_section(sections, day) for day in {day for _, day in wanted}}
    found: dict[tuple[str, date], Sequence[Section]] = {}
    lacking: dict[tuple[str, str], list[date]] = defaultdict(list)
    later: dict[str, Finding] = {}
    for path_id, day in wanted:
        steps = [(section_id, in_force[day].get(section_id, [])) for section_id in named[path_id]]
        broken = [section_id for section_id, rows in steps if len(rows) != 1 or not _given(rows[0].owner_id)]
        for section_id in broken if steps else [NO_SECTION]:
            lacking[path_id, section_id].append(day)
        if steps and not broken:
            found[path_id, day] = [_section(rows[0]) for _, rows in steps]
        for row in (row for _, rows in steps for row in rows):
            if (said := _effective_later(row, day)) is not None:
                later[row.section_id] = said
    return PathSections(
        found,
        {path_id: frozenset().union(*(owners[of] for of in named[path_id])) for path_id, _ in wanted},
        (*(_path_incomplete(*key, days) for key, days in sorted(lacking.items())), *later.values()),
    )


def _by_section(sections: pd.DataFrame, day: date) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in valid_on(sections, day).itertuples():
        rows[row.section_id].append(row)
    return rows


def _trades(frame: pd.DataFrame) -> list[Trade]:
    return [
        Trade(
            trade_id=row.trade_id,
            day=row.date,
            stage=row.stage,
            round_number=row.round,
            period=row.period,
            path_id=row.path_id,
            seller_node=row.seller_node,
            buyer_node=row.buyer_node,
            seller_id=row.seller_id,
            buyer_id=row.buyer_id,
            sell_mw=row.sell_mw,
            buy_mw=row.buy_mw,
            sell_price=row.sell_price,
            landed_price=row.landed_price,
            executed_sell_mw=row.executed_sell_mw,
            executed_buy_mw=row.executed_buy_mw,
        )
        for row in frame.itertuples()
    ]


def _section(row: Any) -> Section:
    loss_rate = Decimal(0) if row.loss_included else row.loss_rate
    return Section(row.section_id, row.owner_id, row.tariff_cny_per_mwh, loss_rate)


def _effective_later(row: Any, day: date) -> Finding | None:
    effective = row.source_effective_from
    if not _given(effective) or effective <= day:
        return None
    return Finding(
        "tariff_effective_later",
        Severity.INFORM,
        row.section_id,
        f"Section {row.section_id} is settled at {row.tariff_cny_per_mwh} 元/MWh of {row.source}, in "
        f"force from {effective}, after the days settled here; deliver the tariff of the time where "
        "this is not meant.",
        evidence={"source": row.source, "effective_from": str(effective)},
    )


def _path_incomplete(path_id: str, section_id: str, days: Sequence[date]) -> Finding:
    listed = ", ".join(map(str, days[:4])) + (f" and {len(days) - 4} more days" if len(days) > 4 else "")
    lacks = (
        f"section {section_id}, which does not have exactly one row in force with an owner"
        if section_id
        else "any section"
    )
    return Finding(
        "path_without_section",
        Severity.BLOCK,
        f"{path_id}/{section_id}" if section_id else path_id,
        f"Path {path_id} has trades on {listed} but lacks {lacks}; what the buyer owes, what the owners earn and the "
        "gain or loss of the month are missing. Deliver the section with its tariff, validity and owner.",
        evidence={"dates": list(map(str, days)), "section_id": section_id or None},
    )


def _given(value: object) -> bool:
    return value is not None and not pd.isna(value)
