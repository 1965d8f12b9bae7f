"""All that a participant's statement says, worked out once and then printed as a workbook, CSV or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from reports.bridge_text import CAUSES
from reports.content import Adjustment, Charges, DailyColumn, FindingRow, Party, RunContent
from reports.labels import CITIES, KINDS, RUN_KINDS, SEVERITIES, STATUSES, Labels
from reports.metered import Metered
from reports.statement_lines import Net, StatementLine, causes_of, measured_share, net_of, statement_lines
from settlement.run_life import MANUAL_ADJUSTMENT

KIND_LETTER = {"draft": "D", "final": "F", "correction": "C"}
TOP = 5


def statement_number(content: RunContent, participant_id: str) -> str:
    """Month, participant, kind and version: 202207-W0001-D1."""
    head = content.head
    letter = KIND_LETTER.get(head.kind, head.kind)
    return f"{str(head.month).replace('-', '')}-{participant_id}-{letter}{head.version}"


@dataclass(frozen=True)
class Statement:
    """One participant's statement. ``metered`` is None where nothing is metered."""

    content: RunContent
    participant_id: str
    metered: Metered | None
    findings: Sequence[FindingRow]
    labels: Labels

    @cached_property
    def charges(self) -> Charges:
        """Names and order of the profile's charges."""
        return Charges(self.content.matrix, self.labels)

    @cached_property
    def party(self) -> Party:
        """The participant by its record."""
        return self.content.parties.get(self.participant_id) or Party(self.participant_id)

    @cached_property
    def lines(self) -> list[StatementLine]:
        """Every line, and those that this version dropped."""
        return statement_lines(self.content, self.participant_id, self.charges)

    @cached_property
    def net(self) -> Net:
        """What is paid or received, and how it changed."""
        return net_of(self.lines, has_previous=self.content.previous is not None)

    @cached_property
    def daily(self) -> list[DailyColumn]:
        """The charges that have days, in the profile's order."""
        columns = self.content.daily.of(self.participant_id)
        return sorted(columns, key=lambda column: self.charges.place(column.charge_code))

    @cached_property
    def adjustments(self) -> list[Adjustment]:
        """The manual adjustments of the month that name the participant."""
        return self.content.adjustments_of(self.participant_id)

    @cached_property
    def measured(self) -> Decimal | None:
        """The smallest share of measured energy on any line."""
        return measured_share(self.lines)

    @cached_property
    def by_hand(self) -> tuple[int, Decimal | None]:
        """How many manual adjustments are posted, and the line they make."""
        posted = sum(one.state != "refused" for one in self.adjustments)
        line = next((one for one in self.lines if one.charge_code == MANUAL_ADJUSTMENT), None)
        return posted, Decimal("0.00") if line is None else line.amount_cny

    @cached_property
    def causes(self) -> list[tuple[str, Decimal]]:
        """Why the participant's net changed, the largest part first."""
        return causes_of(self.lines)

    @cached_property
    def largest_changes(self) -> list[StatementLine]:
        """The lines that changed most."""
        changed = [line for line in self.lines if line.difference_cny]
        return sorted(changed, key=lambda line: abs(line.difference_cny or 0), reverse=True)[:TOP]

    @property
    def number(self) -> str:
        """The statement's number."""
        return statement_number(self.content, self.participant_id)

    def head(self) -> list[tuple[str, str]]:
        """(label, text): whose statement it is, which run it prints and who stands behind it."""
        head, labels = self.content.head, self.labels
        rows = [
            ("statement_no", self.number),
            ("participant_id", self.participant_id),
            ("participant_name", self.party.name or ""),
            ("participant_kind", labels.of(KINDS, self.party.kind)),
            ("city", labels.of(CITIES, self.party.city)),
            ("month", str(head.month)),
            ("run_alias", head.alias),
            ("run_kind", labels.of(RUN_KINDS, head.kind)),
            ("version", f"v{head.version}"),
            ("status", labels.of(STATUSES, head.status)),
            ("previous_version", head.previous_alias or labels("none")),
            ("run_id", head.run_id),
            ("fingerprint", head.fingerprint),
            ("profile", f"{head.manifest['profile']}  {head.manifest['profile_sha256']}"),
            *head.hands,
            ("log_anchor", head.anchor or labels("none")),
        ]
        return [(labels(key), text) for key, text in rows]

    def open_findings(self) -> list[FindingRow]:
        """Findings of this participant that nobody resolved or waived yet, the gravest first."""
        order = list(SEVERITIES)
        waiting = [one for one in self.findings if self.content.is_open(one)]
        return sorted(waiting, key=lambda one: (order.index(one.severity), one.code, one.subject))

    def open_count(self) -> str:
        """阻断 1, 待核 2; the word for none where nothing is open."""
        counts = [
            f"{self.labels.of(SEVERITIES, severity)} {count}"
            for severity in SEVERITIES
            if (count := sum(one.severity == severity for one in self.open_findings()))
        ]
        return ", ".join(counts) or self.labels("none")

    def reasons(self) -> list[tuple[str, Decimal]]:
        """The largest causes of the change by name."""
        return [(self.labels.of(CAUSES, cause), amount) for cause, amount in self.causes[:TOP]]
