"""What the day offers: paths to the home node, what they carry, and the demand response that can be called."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from jobs.bid_reading import BidInputsMissingError, Known, read_curves, records
from jobs.bid_session import Session
from jobs.roster import valid_on
from market.periods import PERIODS
from market.profiles import ProvincialRules
from optimization.purchase import DemandResponse
from warehouse.home import Home

CAPABILITY_DAYS = 14  # how far back transfer capability is looked for before it lands
RESULT_MINUTES = 60  # a round is cleared by T-60 (market.md A.6)
BEFORE_THE_GAP_IS_KNOWN = ("agreed", "day_ahead")  # products called with the bid


def paths_to(home: Home, node: str, day: date, known: Known) -> pd.DataFrame:
    """Paths to the node with each section's tariff and loss of the day, as clear() takes them."""
    sections = valid_on(records(home, "sections", known), day)
    paths = records(home, "paths", known)
    own = paths[paths["buyer_node"] == node]
    joined = own.merge(
        sections[["section_id", "tariff_cny_per_mwh", "loss_rate", "loss_included"]],
        on="section_id",
        how="left",
    )
    absent = sorted(joined.loc[joined["tariff_cny_per_mwh"].isna(), "section_id"].unique())
    if own.empty or absent:
        what = f"sections {', '.join(absent)} valid on that day" if absent else f"paths that end at {node}"
        raise BidInputsMissingError(
            f"No bid for {day}: the warehouse has no {what}; ingest sections and paths."
        )
    included = (
        joined["loss_included"] == 1
    )  # a tariff that contains the loss comes without loss (market.md A.3)
    joined["loss_rate"] = joined["loss_rate"].mask(included, Decimal(0))
    columns = ["path_id", "seq", "section_id", "seller_node", "buyer_node", "tariff_cny_per_mwh", "loss_rate"]
    return joined[columns]


def capability(
    home: Home, sections: set[str], day: date, known: Known, notes: list[str], stage: str = "day_ahead"
) -> pd.DataFrame:
    """section_id, period, mw of the day, or of the last day published before it; a missing value is 0 MW."""
    published = read_curves(
        home,
        "atc",
        day - timedelta(days=CAPABILITY_DAYS),
        day + timedelta(days=1),
        ("section_id", "stage"),
        known,
    )
    by_section = {
        section: curves for (section, of), curves in published.items() if of == stage and section in sections
    }
    days = [one for curves in by_section.values() for one in curves]
    if not days:
        raise BidInputsMissingError(
            f"There is no transfer capability of {day} or the {CAPABILITY_DAYS} days before; ingest the table atc."
        )
    newest = max(days)
    if newest < day:
        notes.append(
            f"Transfer capability of {day} has not been published; that of {newest} is used. "
            "Make the bid again when it lands."
        )
    rows = []
    for section, curves in sorted(by_section.items()):
        if newest not in curves:
            notes.append(f"Section {section} has no transfer capability for {newest}; it counts as closed.")
        curve = curves.get(newest, np.full(PERIODS, np.nan))
        holes = np.flatnonzero(np.isnan(curve)) + 1
        if newest in curves and holes.size:
            notes.append(
                f"Section {section} lacks transfer capability in period {holes[0]} and others; it counts as closed there."
            )
        rows += [(section, t, float(np.nan_to_num(curve[t - 1]))) for t in range(1, PERIODS + 1)]
    return pd.DataFrame(rows, columns=["section_id", "period", "mw"])


def demand_response(
    home: Home, day: date, known: Known, session: Session, close_minutes: int, rules: ProvincialRules
) -> tuple[DemandResponse, ...]:
    """The programmes that can still be called, with their enrolled capability.

    Within the day those agreed or called the day before are past, and so is one whose notice is longer than the time
    from the closing of the window to the round; one whose notice ends before the round clears is called with the bid.
    """
    programs = valid_on(records(home, "dr_programs", known), day)
    enrolled = valid_on(records(home, "dr_enrolments", known), day)
    enrolled_kw = enrolled.groupby("program_id")["capability_kw"].sum()
    found = []
    for program in programs[programs["direction"] == "cut"].to_dict("records"):
        early, notice = program["product"] in BEFORE_THE_GAP_IS_KNOWN, int(program["notice_minutes"])
        if session.intraday and (early or notice > close_minutes):
            continue
        price = float(program["price_cny"]) * 1000  # 元/kWh -> 元/MWh, 元/kW -> 元/MW
        minimum = math.ceil(int(program["minimum_minutes"]) / 15)
        longest = program["maximum_minutes"]
        found.append(
            DemandResponse(
                program_id=str(program["program_id"]),
                capability_mw=float(enrolled_kw.get(program["program_id"], 0)) / 1000,
                cny_per_mwh=price if program["price_unit"] == "per_kwh" else 0.0,
                cny_per_mw_event=price if program["price_unit"] == "per_kw_event" else 0.0,
                minimum_periods=minimum,
                maximum_periods=PERIODS if longest is None or pd.isna(longest) else int(longest) // 15,
                called_with_the_bid=notice > RESULT_MINUTES if session.intraday else early,
                time_coefficients=tuple(
                    (start, float(factor)) for start, factor in rules.dr_time_coefficients
                ),
            )
        )
    return tuple(sorted(found, key=lambda one: one.program_id))
