"""Rule profiles: the market's rules as dated data (architecture §2, rulings 2, 15).

A profile is a folder under ``data/reference/profiles``: ``rules.yaml`` and, for a provincial one,
``charges.yaml``, ``clock.yaml``, ``readings.yaml``, ``reconcile.yaml``, ``audit.yaml`` and, for the bills of
the second layer, ``consumer.yaml``. Every value is written as ``{value, unit, clause, valid_from[, valid_to], certainty}``; a value
without its clause is refused. A rule that can change inside a month is a list of such entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from market.audit_rules import AuditRules
from market.clock import Clock
from market.consumer import ConsumerRules
from market.dated import Certainty as Certainty  # noqa: PLC0414 - this module offers them too
from market.dated import Dated as Dated  # noqa: PLC0414
from market.dated import RuleNotInForceError as RuleNotInForceError  # noqa: PLC0414
from market.dated import RuleSet as RuleSet  # noqa: PLC0414
from market.dated import Strict as Strict  # noqa: PLC0414
from market.dated import on as on  # noqa: PLC0414
from market.inheritance import extended
from market.reading_rules import ReadingRules
from market.reconcile_rules import ReconcileRules
from market.sharing import Fee, Sharing
from market.tables import ParticipantKind

PassthroughPolicy = Literal[
    "agency_users", "gens_users_1to1", "curve_matching_all", "market_users_by_positive_deviation"
]  # market.md A.11
PriceCeiling = Literal[
    "shanxi_table", "provincial_expectation", "cap"
]  # market.md D: above it a bid is reported


class InterprovincialRules(RuleSet):
    """Formats and limits of the inter-provincial spot market (market.md A.4-A.8, F.5)."""

    floor_cny_per_mwh: Decimal
    cap_cny_per_mwh: Decimal
    segments: int
    mw_step: Decimal
    price_step_cny_per_mwh: Decimal
    truncate_seller_mw: bool
    ramp_mw: Decimal | None
    ramp_tolerance_mw: Decimal | None
    daily_price_cap_scaling: bool
    daily_price_cap_cny_per_mwh: Decimal | None
    intraday_rounds: int
    intraday_round_minutes: int
    intraday_close_minutes: int
    bids_open: time
    gate_closure: time
    first_bid_on_disk: time
    approval_alarm: time
    approved_by: time
    price_ceiling: PriceCeiling
    price_ceiling_factor: Decimal

    @model_validator(mode="after")
    def _fits_together(self) -> InterprovincialRules:
        if self.floor_cny_per_mwh > self.cap_cny_per_mwh:
            raise ValueError(
                f"The floor {self.floor_cny_per_mwh} lies above the cap {self.cap_cny_per_mwh} 元/MWh."
            )
        if self.intraday_rounds * self.intraday_round_minutes != 24 * 60:
            raise ValueError(
                f"{self.intraday_rounds} intraday rounds of {self.intraday_round_minutes} minutes do not fill a "
                "day; their product is 1,440 minutes."
            )
        if self.daily_price_cap_scaling and self.daily_price_cap_cny_per_mwh is None:
            raise ValueError("daily_price_cap_scaling is on; give daily_price_cap_cny_per_mwh its value.")
        return self


class DeviationBand(Strict):
    """Contract energy between ``low`` and ``high`` times actual energy keeps its gain; outside, ``factor`` of it."""

    low: Decimal
    high: Decimal
    factor: Decimal

    @model_validator(mode="after")
    def _low_below_high(self) -> DeviationBand:
        if not 0 <= self.low <= self.high:
            raise ValueError(
                f"A deviation band reaches from {self.low} to {self.high}; give 0 <= low <= high."
            )
        return self


class ProvincialRules(RuleSet):
    """Settlement rules of the receiving province (market.md B, C; rulings 5-8)."""

    home_node: str
    user_price_node: str
    contract_reference_node: str
    hour_weight: Literal["generation", "simple"]
    clearing_price_floor_cny_per_mwh: Decimal
    clearing_price_cap_cny_per_mwh: Decimal
    capacity_price_cny_per_mwh: tuple[Dated[Decimal], ...]
    capacity_time_factors: tuple[Dated[tuple[tuple[tuple[int, ...], int, int, Decimal], ...]], ...]
    capacity_less_mechanism: tuple[Dated[bool], ...]
    capacity_by_output: tuple[Dated[tuple[str, ...]], ...]
    storage_charging_without: tuple[Dated[tuple[str, ...]], ...]
    nonmarket_price_cny_per_mwh: tuple[Dated[Decimal | None], ...]
    deviation_band_users: tuple[Dated[DeviationBand | None], ...]
    deviation_band_generators: tuple[Dated[DeviationBand | None], ...]
    passthrough_policy: PassthroughPolicy
    interprovincial_profile: str
    loss_rate_low: Decimal
    loss_rate_high: Decimal
    landed_price_tolerance_cny_per_mwh: Decimal
    value_of_lost_load_cny_per_mwh: Decimal
    day_ahead_results_at: time
    look_back_months: int
    billed_on: Literal["draft", "final"]
    correction_pricing: Literal["own_quarter_hour", "error_tariff"]
    error_tariff_threshold: Decimal
    error_tariff_kinds: tuple[str, ...]
    draft_working_day: int
    final_working_day: int
    bills_working_day: int
    dr_allocation_rule: Literal[
        "consumption",
        "users_and_nonmarket_generation",
        "positive_deviation",
        "benefit",
        "two_tranche",
        "talmud",
        "shapley",
    ]
    dr_residual_rule: Literal["consumption", "users_and_nonmarket_generation"]
    dr_time_coefficients: tuple[tuple[int, Decimal], ...]
    dr_adjustment_hours: int
    dr_adjustment_buffer_hours: int
    dr_adjustment_cap: tuple[Decimal, Decimal]
    dr_listing_factor: tuple[Dated[Decimal], ...]
    dr_award_pricing: tuple[Dated[Literal["uniform", "pay_as_bid"]], ...]
    dr_offers_divisible: tuple[Dated[bool], ...]
    dr_minimum_block_kw: tuple[Dated[Decimal], ...]
    dr_maximum_block_kw: tuple[Dated[Decimal | None], ...]
    dr_certified_rrmse_below: tuple[Dated[Decimal], ...]
    dr_counterfactual: tuple[Dated[Literal["provincial_stack", "interprovincial"]], ...]
    dr_economic_events_allocated: tuple[Dated[bool], ...]
    dr_deviation_tolerance: tuple[Dated[Decimal], ...]
    dr_retailer_gain_at_cny_per_mwh: tuple[Dated[Decimal | None], ...]
    dr_avoided_rota_counts: tuple[Dated[bool], ...]
    dr_zone_of_node: tuple[Dated[tuple[tuple[str, str], ...]], ...]
    dr_grid_states: tuple[Dated[tuple[tuple[Decimal, tuple[str, ...]], ...]], ...]


class PolicyTerms(Strict):
    """Who pays a charge under one policy, by which key and clause."""

    payers: tuple[ParticipantKind, ...]
    key: str
    metered: bool
    clause: str
    certainty: Certainty


class Charge(Strict):
    """One row of the charge matrix: who pays whom, by which key, on which account, by which clause.

    A charge whose payers a policy of the profile chooses names its own ``policy``, the terms of the
    ``other_policies`` and the ``residual_payers``, who pay by monthly energy what a policy's key cannot place.
    """

    code: str
    subject_code: str | None
    name_zh: str
    name_en: str
    account: str
    payers: tuple[ParticipantKind, ...]
    payees: tuple[ParticipantKind, ...] = ()
    counter_account: str | None = None
    key: str
    period: Literal["quarter_hour", "hour", "day", "month", "event"]
    metered: bool
    clause: str
    certainty: Certainty
    layer: Literal["wholesale", "consumer"] = "wholesale"
    policy: PassthroughPolicy | None = None
    other_policies: dict[PassthroughPolicy, PolicyTerms] = Field(default_factory=dict)
    residual_payers: tuple[ParticipantKind, ...] = ()
    additive: bool = True
    fee: Fee | None = None
    sharing: tuple[Sharing, ...] = ()

    @model_validator(mode="after")
    def _two_sides(self) -> Charge:
        if not self.payers or not (self.payees or self.counter_account):
            raise ValueError(
                f"Charge {self.code} has only one side; name its payers and its payees, or the account it closes."
            )
        unpaid = [policy for policy, terms in self.other_policies.items() if not terms.payers]
        if unpaid:
            raise ValueError(f"Charge {self.code} has no payers under {', '.join(unpaid)}; name their kinds.")
        if self.fee is not None and self.fee.role == "shared" and not self.sharing:
            raise ValueError(
                f"Charge {self.code} shares a fee but has no sharing; name payers and their keys."
            )
        if self.policy is not None and not self.residual_payers:
            raise ValueError(
                f"Charge {self.code} has policies but no residual_payers; name who pays where a key is zero."
            )
        return self

    def under(self, policy: PassthroughPolicy) -> Charge:
        """The charge with the payers, key and clause of ``policy``; itself where no policy moves it.

        Raises ValueError for a policy without terms.
        """
        if self.policy in (None, policy):
            return self
        if policy not in self.other_policies:
            raise ValueError(
                f"Charge {self.code} has no payers under {policy}; add its terms to other_policies in charges.yaml."
            )
        terms = self.other_policies[policy]
        return self.model_copy(
            update={name: getattr(terms, name) for name in PolicyTerms.model_fields} | {"policy": policy}
        )


class ClearingAccount(Strict):
    """A clearing account and the rule by which it closes (ruling 3); bounded: by half a fen a line (ruling 8)."""

    code: str
    name_zh: str
    name_en: str
    closes: Literal["zero", "carry_forward"]
    rule: str
    bounded: bool = False


class Transfer(Strict):
    """A movement between two clearing accounts."""

    code: str
    name_zh: str
    name_en: str
    debit: str
    credit: str
    clause: str


class ChargeMatrix(Strict):
    """All charges, transfers and clearing accounts of a profile."""

    accounts: tuple[ClearingAccount, ...]
    transfers: tuple[Transfer, ...]
    charges: tuple[Charge, ...]

    @model_validator(mode="after")
    def _accounts_exist(self) -> ChargeMatrix:
        known = {account.code for account in self.accounts}
        used = {charge.account for charge in self.charges}
        used |= {side for transfer in self.transfers for side in (transfer.debit, transfer.credit)}
        if used - known:
            raise ValueError(f"Accounts {sorted(used - known)} are used but not declared under accounts.")
        return self

    def under(self, policy: PassthroughPolicy) -> ChargeMatrix:
        """The matrix with every charge under ``policy``; ValueError where one has no terms for it."""
        return self.model_copy(update={"charges": tuple(charge.under(policy) for charge in self.charges)})

    def charge(self, code: str) -> Charge:
        """The charge of that code; KeyError with a sentence when the profile has none."""
        for charge in self.charges:
            if charge.code == code:
                return charge
        raise KeyError(f"Charge {code} is not in this profile; its charges.yaml lists what is settled.")


class RuleProfile(Strict):
    """A named set of rules. ``sha256`` identifies the exact text it was read from.

    A provincial profile carries the inter-provincial rules of the profile that it names.
    """

    name: str
    title: str
    sha256: str
    interprovincial: InterprovincialRules | None = None
    provincial: ProvincialRules | None = None
    matrix: ChargeMatrix | None = None
    clock: Clock | None = None
    consumer: ConsumerRules | None = None
    readings: ReadingRules | None = None
    reconcile: ReconcileRules | None = None
    audit: AuditRules | None = None

    @model_validator(mode="after")
    def _policy_has_payers(self) -> RuleProfile:
        if self.provincial is not None and self.matrix is not None:
            self.matrix.under(self.provincial.passthrough_policy)
        return self

    @model_validator(mode="after")
    def _storages_do_not_pay_what_charging_is_without(self) -> RuleProfile:
        if self.provincial is None or self.matrix is None:
            return self
        without = {code for one in self.provincial.storage_charging_without for code in one.value}
        paying = {one.code for one in self.matrix.charges if ParticipantKind.STORAGE in one.payers}
        if self.consumer is not None:
            priced = (charge for one in self.consumer.price_charges for charge in one.value)
            paying |= {charge.charge for charge in priced if ParticipantKind.STORAGE in charge.kinds}
        unknown = without - {one.code for one in self.matrix.charges}
        if unknown or without & paying:
            raise ValueError(
                f"storage_charging_without names {', '.join(sorted(unknown | without & paying))}, which the profile does "
                "not have or lets a storage pay; name charges of the matrix without storage among their payers."
            )
        return self

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Between processes a profile goes as its text; the classes of its dated values are made at run time."""
        return RuleProfile.model_validate_json, (self.model_dump_json(),)

    def reaching_back_to(self, day: date) -> RuleProfile:
        """The profile with its earliest rules held from ``day`` on: what a later rule would do to an earlier month.

        A rule or sharing that holds from an earlier day stays as it is; the ``sha256`` stays, the text is the same.
        """
        if self.provincial is None or self.matrix is None:
            return self
        dated = {name: _reaching_back(entries, day) for name, entries in _dated_fields(self.provincial)}
        limited = {
            part: rules.model_copy(
                update={name: _reaching_back(getattr(rules, name), day) for name in type(rules).model_fields}
            )
            for part, rules in (
                ("readings", self.readings),
                ("reconcile", self.reconcile),
                ("audit", self.audit),
            )
            if rules is not None
        }
        charges = tuple(
            one.model_copy(update={"sharing": _reaching_back(one.sharing, day)}) if one.sharing else one
            for one in self.matrix.charges
        )
        second = {
            name: _reaching_back(entries, day)
            for name, entries in (_dated_fields(self.consumer) if self.consumer else ())
        }
        return self.model_copy(
            update={
                "provincial": self.provincial.model_copy(update=dated),
                "matrix": self.matrix.model_copy(update={"charges": charges}),
                "consumer": None if self.consumer is None else self.consumer.model_copy(update=second),
                "clock": None if self.clock is None else self.clock.reaching_back_to(day),
                **limited,
            }
        )

    @property
    def in_force_from(self) -> date:
        """The latest day from which a rule or sharing of the profile is there at all."""
        rules, matrix = self.settled
        dated = [entries for _, entries in _dated_fields(rules)]
        sharings = [charge.sharing for charge in matrix.charges if charge.sharing]
        first: list[date] = [
            min(one.valid_from for one in entries) for entries in (*dated, *sharings) if entries
        ]
        return max(first)

    @property
    def settled(self) -> tuple[ProvincialRules, ChargeMatrix]:
        """The provincial rules and the charge matrix under their pass-through policy.

        Raises ValueError for a profile that settles nothing.
        """
        if self.provincial is None or self.matrix is None:
            raise ValueError(
                f"Profile {self.name} has no settlement rules; choose a provincial one such as SD_2022."
            )
        return self.provincial, self.matrix.under(self.provincial.passthrough_policy)

    @property
    def traded(self) -> InterprovincialRules:
        """The inter-provincial rules; ValueError for a profile without them."""
        if self.interprovincial is None:
            raise ValueError(
                f"Profile {self.name} has no inter-provincial rules; choose one such as IPSPOT_2022_TRIAL."
            )
        return self.interprovincial

    @property
    def clocked(self) -> Clock:
        """The clock; ValueError for a profile without one."""
        if self.clock is None:
            raise ValueError(
                f"Profile {self.name} has no clock; choose a provincial one such as SD_2022 or write its clock.yaml."
            )
        return self.clock

    @property
    def reconciled(self) -> ReconcileRules:
        """The tolerances of a reconciliation; ValueError for a profile without them."""
        if self.reconcile is None:
            raise ValueError(
                f"Profile {self.name} has no tolerances to compare by; write its reconcile.yaml (docs/reconcile.md)."
            )
        return self.reconcile

    def rule(self, name: str, day: date) -> Any:
        """The value in force on ``day`` of a rule by its name, the provincial rules before the inter-provincial.

        Raises KeyError for a name that neither has, RuleNotInForceError where no entry of it holds.
        """
        for rules in (self.provincial, self.interprovincial):
            if rules is not None and name in type(rules).model_fields:
                value = getattr(rules, name)
                dated = name not in rules.provenance
                return on(value, day, name) if dated else value
        raise KeyError(f"Profile {self.name} has no rule {name}; its rules.yaml lists what it has.")


def _dated_fields(rules: RuleSet) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The rules of a set that are lists of dated entries, by name."""
    for name in type(rules).model_fields:
        if name != "provenance" and name not in rules.provenance:
            yield name, getattr(rules, name)


def _reaching_back(entries: tuple[Any, ...], day: date) -> tuple[Any, ...]:
    if not entries or any(entry.valid_from <= day for entry in entries):
        return entries
    first = min(entries, key=lambda entry: entry.valid_from)
    return tuple(
        entry.model_copy(update={"valid_from": day}) if entry is first else entry for entry in entries
    )


def profile_names() -> list[str]:
    """The packaged profiles."""
    return sorted(
        entry.name for entry in files("data").joinpath("reference/profiles").iterdir() if entry.is_dir()
    )


@cache
def profile(name: str) -> RuleProfile:
    """A packaged profile, read and checked once. Raises ValueError for a name that is not packaged.

    A profile that ``extends`` another is that one with its own values and charges in place of those of the same name.
    """
    if name not in profile_names():
        raise ValueError(f"There is no rule profile {name!r}; packaged are {', '.join(profile_names())}.")
    content, exact = _read(name)
    if "provincial" in content:
        traded = profile(content["provincial"]["interprovincial_profile"]["value"])
        content["interprovincial"] = traded.traded
        exact.append(traded.sha256.encode())
    digest = sha256(b"\0".join(exact)).hexdigest()
    return RuleProfile.model_validate({**content, "name": name, "sha256": digest})


PARTS = ("rules", "charges", "clock", "consumer", "readings", "reconcile", "audit")


def _yaml(text: bytes) -> Any:
    """Safe YAML by the C parser: ten times as fast, and every command reads the profile."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _read(name: str) -> tuple[dict[str, Any], list[bytes]]:
    """The written profile, on top of the one it extends, and the exact texts it was read from."""
    folder = files("data").joinpath("reference/profiles", name)
    texts = {
        part: folder.joinpath(f"{part}.yaml").read_bytes()
        for part in PARTS
        if folder.joinpath(f"{part}.yaml").is_file()
    }
    content: dict[str, Any] = _yaml(texts["rules"])
    if "charges" in texts:
        content["matrix"] = _yaml(texts["charges"])
    for part in ("clock", "readings", "reconcile", "audit"):
        if part in texts:
            content[part] = _yaml(texts[part])
    if "consumer" in texts:
        second = _yaml(texts["consumer"])
        content["consumer"] = second["rules"]
        matrix = content.setdefault("matrix", {})
        for rows in ("accounts", "transfers", "charges"):
            matrix[rows] = [*matrix.get(rows, ()), *second.get(rows, ())]
    exact = [texts[part] for part in sorted(texts)]
    if "extends" not in content:
        return content, exact
    base, of_base = _read(content.pop("extends"))
    return extended(base, content), [*exact, *of_base]
