"""Clearing again: where offers and bids of a session are known, its trades must be what the rule makes of them.

Grain: one session (date, stage, round). Compared are the power of every period and path (1e-6 MW), the
seller-node and the landed price (0.001 元/MWh), as cleared and before any cancellation by the security check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd

from market.channels import FigureMissingError, priced_paths
from market.curves import is_missing
from market.periods import LABELS, Month
from market.profiles import RuleProfile
from optimization.clearing import Clearing, clear
from settlement.findings import Finding, Severity
from warehouse.curves import curve_days
from warehouse.home import Home
from warehouse.records import read_records

SESSION_RECORDS = ("offers", "bids")
SESSION_CURVES = ("atc",)
KEY = ["period", "path_id"]
MW_TOLERANCE, PRICE_TOLERANCE = 1.5e-6, 0.0015  # one step of what is published, and half for its rounding
COMPARED = {"sell_mw": MW_TOLERANCE, "sell_price": PRICE_TOLERANCE, "landed_price": PRICE_TOLERANCE}


class Session(NamedTuple):
    """One session of the inter-provincial market."""

    day: date
    stage: str
    round: int

    def __str__(self) -> str:
        return f"{self.day} {self.stage} round {self.round}"


def clearing_findings(
    home: Home, month: Month, records: Mapping[str, pd.DataFrame], rules: RuleProfile, as_of: datetime | None
) -> list[Finding]:
    """A review finding for every session whose trades differ from clearing its offers and bids again.

    records: ``trades``, ``paths`` and ``sections``. Sessions without both offers and bids are left alone.
    """
    offers, bids = (
        read_records(home, table, as_of=as_of, first=month.first, after=month.after)
        for table in SESSION_RECORDS
    )
    sessions = sorted(_sessions(offers) & _sessions(bids))
    if not sessions:
        return []
    capability = dict(_capability(home, month, as_of))
    findings = []
    for session in sessions:
        try:
            paths = priced_paths(records["paths"], records["sections"], session.day)
        except FigureMissingError as lacking:
            findings.append(_not_cleared(session, str(lacking)))
            continue
        cleared = clear(
            _of(offers, session),
            _newest_version(_of(bids, session)),
            paths,
            capability.get((session.day, session.stage), _NO_LIMIT),
            rules,
        )
        differing = _differing(_of(records["trades"], session), cleared)
        if differing:
            findings.append(_differs(session, differing))
    return findings


_NO_LIMIT = pd.DataFrame(
    {"section_id": pd.Series(dtype=object), "period": pd.Series(dtype="int64"), "mw": pd.Series(dtype=object)}
)


def _sessions(frame: pd.DataFrame) -> set[Session]:
    named = frame[["date", "stage", "round"]].drop_duplicates()
    return {Session(*row) for row in named.itertuples(index=False)}


def _of(frame: pd.DataFrame, session: Session) -> pd.DataFrame:
    same = (frame["date"] == session.day) & (frame["stage"] == session.stage)
    return frame[same & (frame["round"] == session.round)]


def _newest_version(bids: pd.DataFrame) -> pd.DataFrame:
    return bids[bids["version"] == bids.groupby("node")["version"].transform("max")]


def _capability(
    home: Home, month: Month, as_of: datetime | None
) -> Iterator[tuple[tuple[date, str], pd.DataFrame]]:
    for curve in curve_days(home, "atc", month.first, month.after, as_of=as_of):
        stages = np.array(curve.keys["stage"].to_pylist(), dtype=object)
        sections = np.array(curve.keys["section_id"].to_pylist(), dtype=object)
        for stage in sorted(set(stages)):
            rows = np.flatnonzero(stages == stage)
            row, period = np.nonzero(~is_missing(curve.values[rows]))
            known = curve.values[rows][row, period].tolist()
            yield (
                (curve.date, str(stage)),
                pd.DataFrame(
                    {
                        "section_id": sections[rows][row],
                        "period": period + 1,
                        "mw": [Decimal(value).scaleb(-3) for value in known],
                    }
                ),
            )


def _differing(trades: pd.DataFrame, cleared: Clearing) -> list[str]:
    """Sentences, one a period and path that differs."""
    power = cleared.trades.groupby(["period", "path_id", "seller_node"], as_index=False)["sell_mw"].sum()
    seller = cleared.seller_prices.rename(columns={"node": "seller_node", "price_cny_per_mwh": "sell_price"})
    landed = cleared.landed_prices.rename(columns={"price_cny_per_mwh": "landed_price"})
    again = power.merge(seller, on=["period", "seller_node"]).merge(landed, on=KEY)
    stated = trades.assign(**{name: trades[name].astype(float) for name in COMPARED})
    totals = stated.groupby(KEY, as_index=False).agg(
        {"sell_mw": "sum", "sell_price": "first", "landed_price": "first"}
    )
    both = totals.merge(again, on=KEY, how="outer", suffixes=("", "_again"), indicator=True).sort_values(KEY)
    sentences = []
    for row in both.to_dict("records"):
        where = f"{LABELS[int(row['period']) - 1]} {row['path_id']}"
        if row["_merge"] == "left_only":
            sentences.append(f"{where}: {row['sell_mw']:g} MW traded, nothing cleared")
        elif row["_merge"] == "right_only":
            sentences.append(f"{where}: {row['sell_mw_again']:g} MW cleared, no trade")
        else:
            sentences += [
                f"{where}: {name} {row[name]:g} against {row[f'{name}_again']:g}"
                for name, tolerance in COMPARED.items()
                if abs(row[name] - row[f"{name}_again"]) > tolerance
            ]
    return sentences


def _differs(session: Session, differing: list[str]) -> Finding:
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return Finding(
        "clearing_differs",
        Severity.REVIEW,
        str(session),
        f"The trades of {session} are not what its offers and bids clear to (S14 4.3.2): {'; '.join(differing[:3])}{more}. "
        "They are settled as delivered; ask the trading centre.",
        evidence={"differing": differing},
    )


def _not_cleared(session: Session, why: str) -> Finding:
    return Finding(
        "clearing_not_repeated",
        Severity.REVIEW,
        str(session),
        f"The session {session} could not be cleared again: {why}",
    )
