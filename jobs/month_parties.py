"""Who settles wholesale in a month, each by the days on which it does (ruling 11)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pandas as pd

from jobs.month_inputs import MonthInputs
from jobs.roster import Roster, valid_in
from market.money import IntArray, apportion, scaled
from market.periods import Month
from settlement.parties import Parties


def parties_of(
    roster: Roster, inputs: MonthInputs, records: Mapping[str, pd.DataFrame], month: Month
) -> Parties:
    """Users and generators with their measured shares, agency energy and capacity; ``inputs`` has been streamed."""
    settling = (*roster.users, *roster.generators)
    energy, measured = inputs.energy.tolist(), inputs.measured.tolist()
    shares = {who: _ppm(energy[i], measured[i]) for i, who in enumerate(roster.metered)}
    books = zip(settling, *(of.tolist() for of in _by_party(inputs, len(settling))), strict=True)
    shares |= {who: _ppm(of_book, of_it) for who, of_book, of_it, holders in books if holders}
    contracts = valid_in(records["contracts"], month)
    sides = set(contracts["buyer_id"]) | set(contracts["seller_id"])
    capacity = records["capacity_available"]
    return Parties(
        users=roster.users,
        generators=roster.generators,
        grid_company=roster.grid_company,
        kind=dict(roster.party_kind),
        city=roster.city,
        measured_ppm=shares,
        agency_energy=_agency_energy(roster, inputs),
        capacity_mw_micro={
            who: scaled(mw, 6)
            for who, of, mw in zip(
                capacity["participant_id"], capacity["month"], capacity["capacity_mw"], strict=True
            )
            if of == str(month)
        },
        without_contract=frozenset(who for who in settling if who not in sides),
    )


def differences_by_party(
    difference: Mapping[str, int | None], roster: Roster, inputs: MonthInputs
) -> dict[str, int | None]:
    """Wh by settling user: what the registers of its customers find beyond their days; None where one is missing.

    difference: Wh by metered participant. A customer that changed its party inside the month has its difference shared
    by the energy it had with each.
    """
    held = _held_with(frozenset(difference), roster, inputs)
    found: dict[str, int | None] = {}
    for who, wh in sorted(difference.items()):
        energy = held.get(who, {})
        names = sorted(energy)
        if not names:
            continue  # residents: the grid company holds both their energy and the loss
        if wh is None:
            found |= dict.fromkeys(names, None)
            continue
        if len(names) == 1:
            before = found.get(names[0], 0)
            found[names[0]] = None if before is None else before + wh
            continue
        weights = [max(energy[name], 0) for name in names]
        weights = weights if any(weights) else [1] * len(names)
        for name, part in zip(names, apportion(wh, weights, names), strict=True):
            before = found.get(name, 0)
            found[name] = None if before is None else before + part
    return found


def _held_with(wanted: frozenset[str], roster: Roster, inputs: MonthInputs) -> dict[str, dict[str, int]]:
    """By metered participant wanted, Wh with each settling user; of one that had the same all month 0, it shares nothing."""
    asked = np.array([i for i, who in enumerate(roster.metered) if who in wanted], np.intp)
    holders = np.array([span.holder[asked] for span in roster.spans])
    with_user = (holders >= 0) & (holders < len(roster.users))
    lowest = np.where(with_user, holders, len(roster.users)).min(axis=0).tolist()
    highest = np.where(with_user, holders, -1).max(axis=0).tolist()
    held: dict[str, dict[str, int]] = {}
    for place, (i, low, high) in enumerate(zip(asked.tolist(), lowest, highest, strict=True)):
        if low == high:
            held[roster.metered[i]] = {roster.users[low]: 0}
        elif low < high:
            several = held[roster.metered[i]] = defaultdict(int)
            for span, row in zip(roster.spans, holders[:, place].tolist(), strict=True):
                if 0 <= row < len(roster.users):
                    several[roster.users[row]] += int(inputs.span_energy[span.number, i])
    return held


def _by_party(inputs: MonthInputs, parties: int) -> tuple[IntArray, IntArray, IntArray]:
    """Energy, measured energy and number of holders by settling row, each span by its own holders."""
    energy, measured, holders = (np.zeros(parties, np.int64) for _ in range(3))
    for span in inputs.roster.spans:
        held = np.flatnonzero((span.holder >= 0) & (span.holder < parties))
        rows = span.holder[held]
        np.add.at(energy, rows, inputs.span_energy[span.number, held])
        np.add.at(measured, rows, inputs.span_measured[span.number, held])
        np.add.at(holders, rows, 1)
    return energy, measured, holders


def _agency_energy(roster: Roster, inputs: MonthInputs) -> dict[str, int | None]:
    """Wh of each agency user on the days on which it is one (S14 7.3 b); None where a reading of these is missing."""
    agency = np.array([span.agency for span in roster.spans])
    energy = np.where(agency, inputs.span_energy, 0).sum(axis=0).tolist()
    gaps: list[bool] = np.asarray((agency & inputs.span_incomplete).any(axis=0)).tolist()
    place = {who: i for i, who in enumerate(roster.metered)}
    return {who: None if gaps[place[who]] else energy[place[who]] for who in roster.agency_users}


def _ppm(energy: int, measured: int) -> int:
    return 1_000_000 if energy == 0 else measured * 1_000_000 // energy
