"""How the money of a charge is shared: payers, keys, parts and dates, as data of the charge matrix (market.md B.3).

A charge with a ``fee`` is settled from the tables ``fee_pools`` and ``standards`` alone: adding one with its payers is
data only. Other charges use the same terms for what their account leaves to be shared.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from market.tables import ParticipantKind

KeyName = Literal[
    "use", "generation", "nonmarket_generation", "deviating_generation", "discharge", "throughput"
]
OF_USERS: tuple[KeyName, ...] = ("use",)
OF_STORAGES: tuple[KeyName, ...] = ("discharge", "throughput")  # delivered; delivered and taken
NOT_ADDITIVE: tuple[KeyName, ...] = (
    "deviating_generation",
)  # |Σ| is not Σ||: a split participant weighs more


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShareTerm(_Terms):
    """Kinds that pay by one key of energy; ``classes`` narrows them to tariff classes.

    Terms of one ``group`` share by the sum of their keys; groups share the pool by their ``part``, which is
    written at one term of the group.
    """

    payers: tuple[ParticipantKind, ...] = Field(min_length=1)
    by: KeyName
    classes: tuple[str, ...] = ()
    group: str = "all"
    part: Decimal = Field(default=Decimal(1), gt=0)

    @model_validator(mode="after")
    def _key_belongs_to_payers(self) -> ShareTerm:
        alone = {
            ParticipantKind.GENERATOR: ("generation", "nonmarket_generation", "deviating_generation"),
            ParticipantKind.STORAGE: OF_STORAGES,
        }
        for kind, keys in alone.items():
            if kind in self.payers and (self.by not in keys or len(self.payers) > 1):
                raise ValueError(
                    f"{', '.join(self.payers)} cannot share by {self.by}: write {kind} in a term of its own, by "
                    f"{' or '.join(keys)}."
                )
        if not set(alone) & set(self.payers) and self.by not in OF_USERS:
            raise ValueError(f"{', '.join(self.payers)} cannot share by {self.by}; users share by use.")
        return self


class Sharing(_Terms):
    """Who shares from ``valid_from`` (inclusive) to ``valid_to`` (exclusive, None open)."""

    terms: tuple[ShareTerm, ...] = Field(min_length=1)
    valid_from: date
    valid_to: date | None = None

    def holds(self, day: date) -> bool:
        """True on a day inside the validity."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class Fee(_Terms):
    """A market operation fee: what ``fee_pools`` brings under one of ``pools`` is paid to or by who is named there.

    role ``named``: this charge is the line of the participant named in a row. role ``shared``: this charge is the
    counter-side. rolling: where table ``standards`` has the charge, payers pay standard × key and the account carries
    what is too much or too little to the next month; without one the pool itself is shared.
    """

    pools: tuple[str, ...] = Field(min_length=1)
    role: Literal["named", "shared"]
    rolling: bool = False
