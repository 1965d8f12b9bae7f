"""Orderly use (有序用电) that an emergency event spared: the rota's shares by payer, and what it is worth to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from demand_response.benefit import avoided_rota
from demand_response.sharing import EventCase, event_window
from jobs.dr_sessions import Sessions
from jobs.roster import Roster, valid_on
from market.money import IntArray, scaled
from market.periods import PERIODS, PERIODS_PER_HOUR
from market.profiles import ProvincialRules

WH_PER_MWH = 1_000_000


def rota_shares(rota: pd.DataFrame, roster: Roster, day: date) -> list[int]:
    """Whole weights of the payers (``roster.users``) in the rota of a day, millionths; all 0 without a rota.

    A retail or agency user stands in the row of its retailer or the grid company, which bears its charge.
    """
    holder, shares = roster.on(day).holder, [0] * len(roster.users)
    row_of = {who: int(holder[place]) for place, who in enumerate(roster.metered)}
    row_of |= {who: row for row, who in enumerate(roster.users)}
    for who, share in valid_on(rota, day)[["participant_id", "share"]].itertuples(index=False):
        row = row_of.get(who, -1)
        if 0 <= row < len(shares):
            shares[row] += scaled(share, 6)
    return shares


def with_rota(case: EventCase, shares: list[int], sessions: Sessions, rules: ProvincialRules) -> EventCase:
    """The case with the value of orderly use spared added to each payer's gain (demand_response.md A5 remarks, F3, 2).

    What would have gone unserved is what the channels could not have carried: the session in which the power would
    have been bought, cleared again without the response.
    """
    stage = "day_ahead" if case.known_to_day_ahead and sessions.day_ahead is not None else "intraday"
    session = sessions.day_ahead if stage == "day_ahead" else sessions.intraday
    if session is None:
        unknown = "orderly use spared is not counted, the session could not be cleared again"
        return replace(case, model=f"{case.model}; {unknown}")
    avoided: IntArray = np.zeros(PERIODS, np.int64)
    window = event_window(case.event)
    avoided[window] = np.floor(session.unserved_mw[window] * WH_PER_MWH / PERIODS_PER_HOUR)
    voll = scaled(rules.value_of_lost_load_cny_per_mwh, 3)
    units = [0] * (len(case.market.payers) - len(shares))  # what they generate is not cut off
    spared = avoided_rota(avoided, [*shares, *units], voll)
    gain = case.market.other_gain
    return replace(
        case,
        market=replace(case.market, other_gain=spared if gain is None else gain + spared),
        model=f"{case.model}; {avoided.sum() / WH_PER_MWH:,.3f} MWh of orderly use spared by the rota at "
        f"{rules.value_of_lost_load_cny_per_mwh:f} 元/MWh, {stage} session",
    )
