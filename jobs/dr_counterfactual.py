"""How the price and the supply without an event's response are found, by what the profile and the records say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from demand_response.events import Kind, Program
from demand_response.sharing import EventCase
from jobs.dr_rota import rota_shares, with_rota
from jobs.dr_sessions import counterfactual_by_session, sessions_without, with_sessions
from jobs.roster import Roster
from market.profiles import ProvincialRules, on
from warehouse.home import Home


@dataclass(frozen=True)
class Counterfactual:
    """Puts into a case how its price without the response is found, and the orderly use it spared."""

    home: Home
    rules: ProvincialRules
    roster: Roster
    rota: pd.DataFrame
    as_of: datetime | None

    def __call__(self, case: EventCase, program: Program) -> EventCase:
        """The case by the counterfactual that the profile has on the event's day."""
        day, rules = case.event.date, self.rules
        by_session = counterfactual_by_session(day, rules)
        shares = rota_shares(self.rota, self.roster, day)
        counts = (
            any(shares)
            and program.kind == Kind.EMERGENCY
            and on(rules.dr_avoided_rota_counts, day, "dr_avoided_rota_counts")
        )
        if not by_session and not counts:
            return case
        sessions = sessions_without(self.home, day, case.response_wh, rules, self.as_of)
        if by_session:
            case = with_sessions(case, sessions)
        return with_rota(case, shares, sessions, rules) if counts else case
