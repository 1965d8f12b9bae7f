"""What stands beside the money of a statement: findings and estimates, the rules, the versions and their hashes."""

from __future__ import annotations

from decimal import Decimal

from reports.content import RunContent
from reports.labels import CERTAINTIES, DEEDS, FINDINGS, SEVERITIES, Labels
from reports.schema import statement_schema
from reports.sheets import Book
from reports.statement_facts import Statement

HEAD = 3
FIRST = HEAD + 1
FINDING_HEADS = ("severity", "finding_name", "finding_subject", "sentence", "at_stake", "finding_state")
RULE_HEADS = ("subject_code", "charge", "rule", "formula", "rounding_rule", "clause", "certainty")


def findings_sheet(book: Book, what: Statement) -> None:
    """异常与估算: what concerns the participant and who dealt with it; below, energy that was not measured by day."""
    labels = what.labels
    sheet = book.sheet(labels("sheet_findings"), [10, 22, 24, 90, 18, 28])
    note = "" if what.measured is None else f"{labels('measured_share')}: {what.measured:.2%}. "
    sheet.title(labels("sheet_findings"), note if what.findings else note + labels("no_findings"))
    sheet.head(HEAD, [labels(key) for key in FINDING_HEADS])
    row = FIRST
    for finding in what.findings:
        closed = what.content.closed.get(finding.finding_id)
        state = (
            f"{labels.of(DEEDS, closed.deed)} {closed.person}: {closed.reason}"
            if closed
            else labels("finding_open" if what.content.is_open(finding) else "finding_said")
        )
        texts = (
            labels.of(SEVERITIES, finding.severity),
            labels.of(FINDINGS, finding.code),
            finding.subject,
            labels.sentence(finding.code, finding.sentence),
        )
        for column, text in enumerate(texts):
            sheet.text(row, column, text, "wrap")
        at_stake = finding.amount_at_stake_cny
        sheet.maybe(row, 4, at_stake, "money", applies=at_stake is not None)
        sheet.text(row, 5, state, "wrap")
        row += 1
    curve = None if what.metered is None else what.metered.curve
    if curve is None or not curve.estimated:
        return
    row += 1
    sheet.head(row, [labels("date"), labels("estimated_energy")], freeze=False)
    first = row + 1
    for day, wh in sorted(curve.estimated.items()):
        row += 1
        sheet.day(row, 0, day)
        sheet.number(row, 1, Decimal(wh).scaleb(-6), "energy")
    sheet.text(row + 1, 0, labels("total"), "total")
    whole = Decimal(sum(curve.estimated.values())).scaleb(-6)
    sheet.sum(row + 1, 1, first, row, whole, "total_energy")


def rules_sheet(book: Book, what: Statement) -> None:
    """规则与参数: the rule of every charge on the statement, as its card says it."""
    labels, content = what.labels, what.content
    sheet = book.sheet(labels("sheet_rules"), [18, 26, 70, 44, 40, 40, 12])
    manifest = content.head.manifest
    sheet.title(
        labels("sheet_rules"), f"{content.profile.title}  {manifest['profile']}  {manifest['profile_sha256']}"
    )
    sheet.head(HEAD, [labels(key) for key in RULE_HEADS])
    for row, line in enumerate(what.lines, FIRST):
        code = line.charge_code
        card, certainty = content.cards.get(code), what.charges.certainty(code)
        texts = (
            what.charges.subject(code),
            what.charges.name(code),
            card.rule.of(labels.lang) if card else what.charges.key(code),
            "; ".join(one.amount for one in card.formulas) if card else "",
            card.rounding.of(labels.lang) if card else "",
            line.clause,
            labels.of(CERTAINTIES, certainty),
        )
        for column, text in enumerate(texts):
            sheet.text(row, column, text, "wrap")


def versions_sheet(book: Book, content: RunContent, labels: Labels) -> None:
    """版本与指纹: run, rules and software, and the hash of every file that went in and came out."""
    head = content.head
    sheet = book.sheet(labels("sheet_versions"), [70, 12, 70])
    sheet.title(labels("sheet_versions"), labels("printed_from"))
    sheet.head(HEAD, [labels("file"), labels("rows"), "sha256"])
    facts = [
        ("run_alias", head.alias),
        ("run_id", head.run_id),
        ("fingerprint", head.fingerprint),
        ("log_anchor", head.anchor or labels("none")),
        ("previous_version", head.manifest["previous"] or labels("none")),
        ("profile", f"{head.manifest['profile']} {head.manifest['profile_sha256']}"),
        ("software", head.manifest["software_version"]),
        ("as_of", head.manifest["as_of"] or ""),
        ("schema_version", str(statement_schema().version)),
    ]
    row = FIRST
    for key, value in facts:
        sheet.text(row, 0, labels(key), "key")
        sheet.blank(row, 1)
        sheet.text(row, 2, str(value))
        row += 1
    for key in ("outputs", "inputs"):
        sheet.text(row, 0, labels(key), "total")
        sheet.blank(row, 1, "total")
        sheet.blank(row, 2, "total")
        row += 1
        for entry in head.manifest[key]:
            sheet.text(row, 0, entry["path"])
            sheet.number(row, 1, entry["rows"], "integer")
            sheet.text(row, 2, entry["sha256"])
            row += 1
