"""Limits of the audit rules over a settled month (多元智能审核, market.md C.6), as dated data.

Each field is a list of ``{value, unit, clause, valid_from[, valid_to], certainty}`` in ``audit.yaml``;
``AuditRules.limits`` picks the values that hold on a day. Limits of readings stand in ``readings.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pydantic import model_validator

from market.dated import Dated, Strict, on
from market.tables import PARTICIPANT_KEYS, VOLTAGE_BANDS, ParticipantKind


class TariffClassFit(Strict):
    """Who may be billed by a class: kinds, voltage bands, capacity from ``from_kva`` up to below ``to_kva``."""

    tariff_class: str
    kinds: tuple[ParticipantKind, ...]
    bands: tuple[str, ...] = VOLTAGE_BANDS
    from_kva: Decimal = Decimal(0)
    to_kva: Decimal | None = None


class MeanPrice(Strict):
    """The range of what a kind pays a kWh: all its lines over the energy of ``energy_of``."""

    kind: ParticipantKind
    energy_of: str
    low_cny_per_kwh: Decimal
    high_cny_per_kwh: Decimal


class RequiredKeys(Strict):
    """What the record of a kind must hold; ``meter`` is a meter of its own."""

    kind: ParticipantKind
    keys: tuple[str, ...]

    @model_validator(mode="after")
    def _known(self) -> RequiredKeys:
        if strangers := set(self.keys) - {*PARTICIPANT_KEYS, "meter"}:
            raise ValueError(f"Keys {sorted(strangers)} are no columns of participants, nor meter.")
        return self


@dataclass(frozen=True)
class AuditLimits:
    """The limits of one day; docs/audit.md says which rule takes which."""

    tariff_classes: tuple[TariffClassFit, ...]
    mean_prices: tuple[MeanPrice, ...]
    mean_price_without: tuple[str, ...]
    power_factor_low: Decimal
    demand_over_capacity: Decimal
    basic_fee_change_days: int
    required_keys: tuple[RequiredKeys, ...]
    contract_energy_mwh: Decimal
    contract_side_mwh: Decimal
    tail_cny: Decimal
    closure_cny: Decimal
    look_back_months: int


class AuditRules(Strict):
    """``audit.yaml`` of a profile."""

    tariff_classes: tuple[Dated[tuple[TariffClassFit, ...]], ...]
    mean_prices: tuple[Dated[tuple[MeanPrice, ...]], ...]
    mean_price_without: tuple[Dated[tuple[str, ...]], ...]
    power_factor_low: tuple[Dated[Decimal], ...]
    demand_over_capacity: tuple[Dated[Decimal], ...]
    basic_fee_change_days: tuple[Dated[int], ...]
    required_keys: tuple[Dated[tuple[RequiredKeys, ...]], ...]
    contract_energy_mwh: tuple[Dated[Decimal], ...]
    contract_side_mwh: tuple[Dated[Decimal], ...]
    tail_cny: tuple[Dated[Decimal], ...]
    closure_cny: tuple[Dated[Decimal], ...]
    look_back_months: tuple[Dated[int], ...]

    def limits(self, day: date) -> AuditLimits:
        """The limits that hold on ``day``. Raises RuleNotInForceError where one has no entry, or two."""
        return AuditLimits(
            **{name: on(getattr(self, name), day, name) for name in AuditLimits.__match_args__}
        )
