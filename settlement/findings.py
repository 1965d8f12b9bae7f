"""Findings: what is odd, as rows (architecture §2). A blocking finding keeps a run from approval."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """``inform`` is said, ``review`` wants a look, ``block`` must be resolved or waived by name."""

    INFORM = "inform"
    REVIEW = "review"
    BLOCK = "block"


@dataclass(frozen=True)
class Finding:
    """One finding. ``amount_at_stake_fen`` is None where the money is not known."""

    code: str
    severity: Severity
    subject: str
    sentence: str
    city: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    amount_at_stake_fen: int | None = None
