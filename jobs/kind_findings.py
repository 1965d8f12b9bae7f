"""What is odd about the kinds of the month's participants: meters that nothing settles by, storages and their terms."""

from __future__ import annotations

import pandas as pd

from jobs.roster import METERED_KINDS, Roster
from market.profiles import ProvincialRules, on
from market.tables import ParticipantKind
from settlement.findings import Finding, Severity


def kind_findings(roster: Roster, meters: pd.DataFrame) -> list[Finding]:
    """Participants with a meter of a kind that is not settled by its own meter: a retailer, a channel owner."""
    with_meter = set(meters["participant_id"])
    return [
        Finding(
            "kind_not_settled",
            Severity.BLOCK,
            who,
            f"{who} is of kind {kind} and has a meter, but nothing is settled by a meter of that kind; its energy is in "
            "nobody's account. Deliver the meter with the participant whose energy it counts, or waive this finding by "
            "name.",
            city=roster.city.get(who),
        )
        for who, kind in sorted(roster.kind.items())
        if who in with_meter and kind not in METERED_KINDS
    ]


def storage_findings(roster: Roster, rules: ProvincialRules, shares: pd.DataFrame) -> list[Finding]:
    """What storages do not pay on the energy that they take (no rule text says it, the profile does), and shares of
    energy outside the market that are delivered for one.
    """
    storages = [who for who in roster.generators if roster.party_kind[who] == ParticipantKind.STORAGE]
    shared = set(shares["participant_id"])
    without = on(rules.storage_charging_without, roster.month.first, "storage_charging_without")
    odd = [
        Finding(
            "storage_outside_market",
            Severity.REVIEW,
            who,
            f"energy_shares has energy outside the market for {who}, a storage; all that it delivers and takes settles at "
            "the market price and the share is not used. Withdraw the row, or deliver the participant's kind.",
            city=roster.city.get(who),
        )
        for who in storages
        if who in shared
    ]
    if not storages or not without:
        return odd
    return [
        *odd,
        Finding(
            "storage_charging_without",
            Severity.INFORM,
            str(roster.month),
            f"{len(storages)} storages pay the real-time price of their node for what they take, and on it none of "
            f"{', '.join(without)}: no rule text was found, the profile has it as the authors' reading "
            "(storage_charging_without; decision 0058).",
            evidence={"participants": storages[:50]},
        ),
    ]
