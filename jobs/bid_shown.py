"""Why a bid looks as it does, for the terminal: its segments, the limits that bind, the parts of its cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from jobs.bid_session import DAY_AHEAD, Session
from jobs.bid_store import (
    NoBidYetError,
    versions_of,
)
from market.periods import label as clock
from optimization.shadow_prices import Limit, binding_runs
from reports.bid_words import KIND_ZH
from warehouse.home import Home

PART_ZH = {
    "purchase": "购电",
    "response": "需求响应",
    "commitment": "合同与日内调整",
    "shortage": "缺电",
    "surplus": "富余电量",
}
MEANS_ZH = {
    "import": "省间现货",
    "demand_response": "需求响应",
    "commitment": "合同与日内调整",
    "orderly_use": "有序用电",
}


def show_bid(home: Home, day: date, session: Session = DAY_AHEAD) -> Iterator[str]:
    """Why the newest bid of a session looks as it does. Raises NoBidYetError."""
    versions = versions_of(home, day, session)
    if not versions:
        raise NoBidYetError(
            f"There is no {session.subject(day)} in {home.reports / 'bids'}; run `gridsettle bid {day}`."
        )
    shown = versions[-1]
    yield from shown.summary()
    bid = pd.read_csv(shown.file)
    for period, rows in bid.groupby("period"):
        steps = "；".join(f"{row.mw} MW @ {row.price_cny_per_mwh}" for row in rows.itertuples())
        yield f"{clock(int(str(period)))}  {steps}"
    for run in binding_runs([Limit(**one) for one in shown.facts["limits"]]):
        first, last = run[0].period, run[-1].period
        when = "全天" if first is None or last is None else f"{clock(first)}–{clock(last)}"
        most = max(one.shadow_price_cny_per_mwh for one in run)
        yield f"{KIND_ZH[run[0].kind]} {run[0].name} {when}：影子价最高 {most:.2f}"
    yield from _why_lines(shown.facts.get("why", {}))
    yield from shown.facts["notes"]


def _why_lines(found: dict[str, Any]) -> Iterator[str]:
    """Parts of the cost, the merit order where the gap is largest, and what a MW more would cost by period."""
    for part in found.get("parts", []):
        if Decimal(part["cny"]):
            yield f"{PART_ZH[part['component']]} {part['name']}：{Decimal(part['cny']):,} 元"
    order = found.get("merit_order", {"means": []})
    for one in order["means"]:
        mw = "" if one["mw"] is None else f"，{one['mw']:,.0f} MW"
        yield f"{order['time']} {MEANS_ZH[one['kind']]} {one['name']}：{one['cny_per_mwh']:,.2f} 元/MWh{mw}"
    for one in found.get("periods", []):
        best = one["next_best"]
        yield f"{one['time']} 再增 1 MW：{MEANS_ZH[best['kind']]} {best['name']} {best['cny_per_mwh']:,.2f} 元/MWh"
