"""The second layer of a month: reads tariffs, packages and choices, and bills retail users, agency users, residents.

Without any tariff in the warehouse no bill is made and a finding says so; with them, what a bill lacks is missing on
the bill and a finding (ruling 14).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from jobs.consumer_findings import lack_findings, tariff_findings
from jobs.consumer_records import by_participant, given, holds, packages_of, tariffs_of
from jobs.consumer_use import UseCollector, maximum_demand
from jobs.month_inputs import MonthInputs
from jobs.reactive_use import reactive_energy
from jobs.roster import Roster, valid_in
from market.consumer import ConsumerRules
from market.dated import Dated, on
from market.money import scaled
from market.periods import Month
from market.profiles import ChargeMatrix, RuleProfile
from market.tables import ParticipantKind
from settlement.charges import KeepDays
from settlement.findings import Finding, Severity
from settlement.lines import Lines
from settlement.month import MonthSettlement
from settlement.retail.bill import Bills, Lack, energy_bills
from settlement.retail.books import Suppliers, with_bills
from settlement.retail.monthly import basic_fee, green_certificates, power_factor, termination
from settlement.retail.packages import Certificates, Choice, Package
from settlement.retail.tariffs import Tariff, TariffBook
from settlement.retail.use import ConsumerUse, Customer, Span, UseTotals
from warehouse.home import Home
from warehouse.run_tables import GREEN_CERTIFICATES
from warehouse.runs import Run

CONSUMER_RECORDS = ("tariffs", "packages", "package_choices", "maximum_demand")
CONSUMER_CURVES = ("reactive_readings",)
CONSUMERS_AT_A_TIME = 4_096  # what bills need beside the use of a month is in memory for these alone


class ConsumerMonth:
    """The consumers of a month with their terms. ``watch`` is given to MonthInputs, ``add_to`` bills in the end."""

    def __init__(
        self,
        home: Home,
        month: Month,
        roster: Roster,
        profile: RuleProfile,
        records: Mapping[str, pd.DataFrame],
        as_of: datetime | None,
        before: Run | None,
    ) -> None:
        self._home, self._month, self._roster, self._as_of, self._before = home, month, roster, as_of, before
        self._profile, self._records = profile, records
        self._people = by_participant(valid_in(records["participants"], month))
        self._kinds = _billed_kinds(profile.consumer)
        self.consumers = sorted(
            who for who, rows in self._people.items() if any(row.kind in self._kinds for row in rows)
        )
        self.tariffs = TariffBook(tariffs_of(records["tariffs"]))
        self.active = profile.consumer is not None and bool(self.tariffs) and bool(self.consumers)
        self._terms: dict[tuple[Any, ...], Customer] = {}
        self._odd: list[Finding] = []
        self.certificates: list[tuple[str, Certificates | None]] = []
        self.use: UseTotals | None = None  # once billed

    @cached_property
    def collector(self) -> UseCollector | None:
        """What watches the days; None where no bill is made."""
        rules = self._profile.consumer
        if rules is None or not self.active:
            return None
        packages = {row.package_id for row in self._records["packages"].itertuples() if row.linked_to}
        linked = frozenset(
            row.participant_id
            for row in self._records["package_choices"].itertuples()
            if row.package_id in packages
        )
        wholesale = (ParticipantKind.WHOLESALE_USER, ParticipantKind.RESIDENTS)  # nothing of theirs floats
        timed = frozenset(
            who for who in self.consumers if any(row.kind not in wholesale for row in self._people[who])
        )
        return UseCollector(self._month, self._roster, self.consumers, linked, timed, rules)

    def add_to(
        self,
        result: MonthSettlement,
        inputs: MonthInputs,
        matrix: ChargeMatrix,
        openings: Mapping[str, int],
        difference: Mapping[str, int | None],
        keep_days: KeepDays,
    ) -> tuple[MonthSettlement, list[Finding]]:
        """The month with bills and what is odd about them; the month itself where no tariff is delivered.

        difference: Wh by metered participant that its registers find beyond its days. keep_days: is given the days of
        the bills, those of some consumers after those of others.
        """
        rules, collector = self._profile.consumer, self.collector
        if rules is None or collector is None:
            return result, list(self._without_tariffs())
        use = collector.use(
            reactive_energy(self._home, self._month, self._roster, self.consumers, self._as_of),
            maximum_demand(
                self._records["maximum_demand"], valid_in(self._records["meters"], self._month), self._month
            ),
            difference,
        )
        self.use, spans = UseTotals.of(use), self._spans()
        lacks: list[Lack] = []
        used: set[Tariff] = set()
        charged: set[str] = set()

        def parts() -> Iterator[Bills]:
            base = _first_layer(result, rules, max(self._month.days()))
            carried = _carried(self._before)
            for first in range(0, len(use.participants), CONSUMERS_AT_A_TIME):
                rows = slice(first, first + CONSUMERS_AT_A_TIME)
                bills = self._bills(use.part(rows), [span.part(rows) for span in spans], rules, base, carried)
                keep_days(bills.series())
                lacks.extend(bills.lacks)
                used.update(bills.used)
                charged.update(bills.columns)
                yield bills

        fund = rules.government_fund
        suppliers = Suppliers(
            self._roster.grid_company,
            fund if self._roster.kind.get(fund) == ParticipantKind.FUND else None,
            self._roster.city,
            _measured(self._roster, inputs),
            rules.grid_company_own_charges,
        )
        both = with_bills(result, parts(), suppliers, matrix, openings)
        findings = [
            *{(one.code, one.subject): one for one in self._odd}.values(),
            *lack_findings(lacks, self._roster.city),
            *tariff_findings(used, charged, self._month, self._profile),
        ]
        if suppliers.fund is None and "government_funds" in charged:
            findings.append(_no_fund(self._month, fund))
        return both, findings

    def _bills(
        self,
        use: ConsumerUse,
        spans: Sequence[Span],
        rules: ConsumerRules,
        base: Mapping[str, Mapping[str, int | None]],
        carried: Mapping[str, int | None],
    ) -> Bills:
        """Every charge of some consumers."""
        bills = energy_bills(use, spans, self.tariffs, rules)
        basic_fee(bills, spans, rules)
        power_factor(bills, spans, rules, base)
        termination(bills, spans, self._month, rules)
        self.certificates += green_certificates(bills, spans, carried)
        return bills

    def _without_tariffs(self) -> Iterator[Finding]:
        if self._profile.consumer is not None and self.consumers:
            yield Finding(
                "bills_without_tariffs",
                Severity.REVIEW,
                str(self._month),
                f"No tariffs are delivered, so none of the {len(self.consumers)} users and residents of {self._month} gets "
                f"a bill; the wholesale layer is settled without them. Deliver a "
                "tariffs file, and packages with package_choices for retail users.",
                evidence={"consumers": len(self.consumers)},
            )

    def _spans(self) -> list[Span]:
        packages = packages_of(self._records["packages"])
        choices = self._choices()
        days = tuple(self._month.days())
        everybody, own = self._edges(), self._own_edges(choices)
        within = {edge for edge in everybody | own.keys() if days[0] < edge < self._month.after}
        customers: list[Customer | None] = [None] * len(self.consumers)
        spans = []
        for first, after in pairwise(sorted({days[0], self._month.after} | within)):
            anew = first == days[0] or first in everybody
            for row, who in enumerate(self.consumers):
                if anew or who in own.get(first, ()):
                    customers[row] = self._customer(who, first, choices.get(who, ()), packages)
            spans.append(Span((first - days[0]).days, (after - days[0]).days, tuple(customers)))
        return spans

    def _own_edges(self, choices: Mapping[str, Sequence[Choice]]) -> dict[date, set[str]]:
        """Days on which a consumer's own terms change, with those whose do."""
        found: dict[date, set[str]] = defaultdict(set)
        for who in self.consumers:
            for row in self._people[who]:
                for edge in (row.valid_from, row.valid_to):
                    if given(edge):
                        found[edge].add(who)
            for choice in choices.get(who, ()):
                for edge in (choice.effective_from, choice.effective_to):
                    if edge is not None:
                        found[edge].add(who)
        return found

    def _edges(self) -> set[date]:
        """Days on which something changes for everybody: a price, a package, a rule."""
        edges = self.tariffs.edges(self._month.first, self._month.after)
        packages = self._records["packages"]
        edges |= {edge for column in ("valid_from", "valid_to") for edge in packages[column] if given(edge)}
        rules = self._profile.consumer
        for name in type(rules).model_fields if rules is not None else ():
            entries = getattr(rules, name)
            if isinstance(entries, tuple):
                dated = [entry for entry in entries if isinstance(entry, Dated)]
                edges |= {edge for entry in dated for edge in (entry.valid_from, entry.valid_to) if edge}
        return edges

    def _customer(
        self,
        who: str,
        day: date,
        choices: Sequence[Choice],
        packages: Mapping[str, list[tuple[Any, Package]]],
    ) -> Customer | None:
        rules = self._profile.consumer
        row = next((row for row in self._people[who] if holds(row, day)), None)
        if rules is None or row is None or row.kind not in self._kinds:
            return None
        retail = row.kind == ParticipantKind.RETAIL_USER
        choice = next((one for one in choices if one.holds(day)), None) if retail else None
        package = None
        if choice is not None:
            package = next((one for of, one in packages.get(choice.package_id, ()) if holds(of, day)), None)
            if package is not None and package.retailer_id != row.retailer_id:
                self._odd.append(_of_other_retailer(who, package, row, day))
                package = None
        of = (row.kind, row.tariff_class, row.voltage_kv, row.retailer_id, row.capacity_kva)
        terms = self._terms.get(key := (*of, row.basic_fee, row.power_factor_standard))
        if terms is None:  # a hundred thousand consumers have few records that differ in this
            terms = self._terms[key] = Customer(
                kind=row.kind,
                tariff_class=row.tariff_class or "",
                band=rules.band(row.voltage_kv) if given(row.voltage_kv) else "",
                supplier=(row.retailer_id or "") if retail else self._roster.grid_company,
                capacity_kva=row.capacity_kva if given(row.capacity_kva) else None,
                basic_fee=row.basic_fee or None,
                standard=row.power_factor_standard if given(row.power_factor_standard) else None,
            )
        return terms if choice is None else replace(terms, package=package, choice=choice)

    def _choices(self) -> dict[str, list[Choice]]:
        """By participant, the latest to take effect first."""
        rules = self._profile.consumer
        found: dict[str, list[Choice]] = defaultdict(list)
        for row in self._records["package_choices"].itertuples():
            choice = Choice(
                row.participant_id,
                row.package_id,
                row.signed_on,
                row.valid_from,
                row.valid_to if given(row.valid_to) else None,
                scaled(row.agreed_mwh, 6) if given(row.agreed_mwh) else None,
                row.term_ends if given(row.term_ends) else None,
                row.ended_early_on if given(row.ended_early_on) else None,
            )
            found[row.participant_id].append(choice)
            early = choice.valid_from < choice.effective_from and self._month.first < choice.effective_from
            if early and choice.valid_from < self._month.after:
                self._odd.append(_next_month(choice))
            if rules is not None and not re.fullmatch(rules.package_code, row.package_id):
                self._odd.append(_odd_code(row.package_id))
        for choices in found.values():
            choices.sort(key=lambda one: (one.effective_from, one.signed_on), reverse=True)
        return found


def _billed_kinds(rules: ConsumerRules | None) -> frozenset[str]:
    """Kinds that get a bill: those that pay a published price at any time, and retail users."""
    priced = () if rules is None else [charge for one in rules.price_charges for charge in one.value]
    return frozenset(kind for charge in priced for kind in charge.kinds) | {ParticipantKind.RETAIL_USER}


def _first_layer(
    result: MonthSettlement, rules: ConsumerRules, last_day: date
) -> dict[str, dict[str, int | None]]:
    """Fen of the wholesale lines that a power-factor adjustment rests on, by charge and participant."""
    found: dict[str, dict[str, int | None]] = defaultdict(dict)
    for line in Lines.of(result.lines).with_codes(on(rules.power_factor_base, last_day, "power_factor_base")):
        found[line.charge_code][line.participant_id] = line.amount_fen
    return found


def _measured(roster: Roster, inputs: MonthInputs) -> dict[str, int]:
    """Share of each participant's energy that was measured, 1e-6."""
    energy = inputs.energy
    share = np.where(energy == 0, 1_000_000, inputs.measured * 1_000_000 // np.maximum(energy, 1))
    return dict(zip(roster.metered, share.tolist(), strict=True))


def _carried(before: Run | None) -> dict[str, int | None]:
    """Green energy left over from the month before, 1e-4 Wh by participant."""
    if before is None or not (before.folder / GREEN_CERTIFICATES).is_file():
        return {}
    rows = pq.read_table(before.folder / GREEN_CERTIFICATES).to_pylist()
    return {
        row["participant_id"]: None if row["carried_out_mwh"] is None else scaled(row["carried_out_mwh"], 10)
        for row in rows
    }


def _of_other_retailer(who: str, package: Package, row: Any, day: date) -> Finding:
    return Finding(
        "package_of_other_retailer",
        Severity.BLOCK,
        who,
        f"{who} is a customer of {row.retailer_id} on {day}, but the package {package.package_id} it chose is of "
        f"{package.retailer_id}; its energy has no price. Deliver the choice of a package of {row.retailer_id}.",
        city=row.city or None,
        evidence={"package_id": package.package_id, "date": str(day)},
    )


def _next_month(choice: Choice) -> Finding:
    return Finding(
        "package_takes_effect_next_month",
        Severity.REVIEW,
        choice.participant_id,
        f"{choice.participant_id} signed {choice.package_id} on {choice.signed_on} with effect from "
        f"{choice.valid_from}; a package takes effect in the next month (SD25 12.2), so it holds from "
        f"{choice.effective_from}.",
        evidence={"package_id": choice.package_id, "effective_from": str(choice.effective_from)},
    )


def _odd_code(package_id: str) -> Finding:
    return Finding(
        "package_code_odd",
        Severity.REVIEW,
        package_id,
        f"Package {package_id} is not named by four letters, two digits and four digits (SD25 12.2); it is settled "
        "as delivered. Ask the trading centre for its code.",
    )


def _no_fund(month: Month, fund: str) -> Finding:
    return Finding(
        "fund_unknown",
        Severity.BLOCK,
        str(month),
        f"Government funds are charged in {month}, but there is no participant {fund} of kind fund, whom the profile "
        "names as their payee. Deliver it in participants.",
    )
