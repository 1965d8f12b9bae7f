"""Objections (异议) as cases: filed in time, decided by another person than the one who filed, linked to a correction.

Pure: the acts of a case in their order give its state. What may follow is one table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    CORRECTED = "corrected"


class CaseDeed(StrEnum):
    """What may happen to a case; the values stand in the log of acts."""

    OPEN = "case.open"
    UPHOLD = "case.uphold"
    REJECT = "case.reject"
    WITHDRAW = "case.withdraw"
    LINK = "case.link"


LEADS: Mapping[CaseDeed, tuple[CaseState | None, CaseState]] = {
    CaseDeed.OPEN: (None, CaseState.OPEN),
    CaseDeed.UPHOLD: (CaseState.OPEN, CaseState.UPHELD),
    CaseDeed.REJECT: (CaseState.OPEN, CaseState.REJECTED),
    CaseDeed.WITHDRAW: (CaseState.OPEN, CaseState.WITHDRAWN),
    CaseDeed.LINK: (CaseState.UPHELD, CaseState.CORRECTED),
}


class CaseError(ValueError):
    """The case does not stand where this may be done."""


def case_state(deeds: Sequence[CaseDeed]) -> CaseState:
    """The state after these deeds, of which the first opened the case."""
    return LEADS[deeds[-1]][1]


def refuse(deeds: Sequence[CaseDeed], deed: CaseDeed) -> None:
    """Raise CaseError unless the deed may follow."""
    now = case_state(deeds)
    if LEADS[deed][0] is not now:
        raise CaseError(
            f"{deed} cannot be done while the case is {now}; it follows {LEADS[deed][0] or 'nothing'} only."
        )
