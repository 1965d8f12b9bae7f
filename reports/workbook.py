"""The province's workbook (全省汇总): balance, accounts, charges, participants, findings, events, hashes."""

from __future__ import annotations

from decimal import Decimal

from reports.content import Charges, RunContent, known_total
from reports.event_numbers import clock, event_totals
from reports.labels import FINDINGS, KINDS, SEVERITIES, Labels
from reports.month_numbers import (
    PARTICIPANT,
    charge_totals,
    energy_balance,
    findings_by_city,
    kind_of,
    kinds_present,
    money_balance,
    party_totals,
)
from reports.sheets import Book, Sheet
from reports.statement_notes import versions_sheet

HEAD = 3  # row of the column heads, from 0


def province_workbook(content: RunContent, labels: Labels) -> bytes:
    """The workbook's bytes; the same run gives the same bytes."""
    book = Book(f"{labels('province_summary')} {content.head.month}", content.head.month.after, labels)
    _balance(book, content, labels)
    _accounts(book, content, labels)
    _charges(book, content, labels)
    _participants(book, content, labels)
    _findings(book, content, labels)
    _events(book, content, labels)
    versions_sheet(book, content, labels)
    return book.finish()


def _balance(book: Book, content: RunContent, labels: Labels) -> None:
    head = content.head
    sheet = book.sheet(labels("sheet_balance"), [30, 22, 20, 20, 14, 70])
    sheet.title(
        f"{labels('province_summary')}  {head.month}  {head.alias}",
        f"{labels('fingerprint')}: {head.fingerprint}",
    )
    sheet.head(HEAD, [labels("what"), labels("value"), "", "", labels("holds"), ""])
    money, energy = money_balance(content, labels), energy_balance(content)
    sheet.text(4, 0, f"{labels('sum_postings')} [{money.postings:,}]", "key")
    sheet.number(4, 1, money.postings_sum, "money")
    sheet.text(4, 4, labels("yes" if money.postings_sum == 0 else "no"))
    parts = (
        ("generation", energy.generation),
        ("import", energy.imported),
        ("use", energy.use),
        ("loss", energy.loss),
    )
    for row, (key, value) in enumerate(parts, 5):
        sheet.text(row, 0, f"{labels(key)} (MWh)", "key")
        sheet.number(row, 1, value, "energy")
    sheet.text(9, 0, labels("loss_rate"), "key")
    sheet.number(9, 1, energy.loss_rate, "share")
    sheet.text(10, 0, f"{labels('energy_residual')} (MWh)", "key")
    if energy.residual is None:
        sheet.number(10, 1, None, "energy")
    else:
        sheet.check(10, 1, "B6+B7-B8-B9", 6, energy.residual, "energy")
        sheet.text(10, 4, labels("yes" if energy.residual == 0 else "no"))
    heads = ("account", "opening", "movement", "closing", "holds", "closing_rule")
    sheet.head(12, [labels(key) for key in heads], freeze=False)
    for row, account in enumerate(money.accounts, 13):
        sheet.text(row, 0, account.name, "key")
        for column, value in enumerate((account.opening, account.movement, account.closing), 1):
            sheet.number(row, column, value, "money")
        sheet.text(row, 4, labels(account.state))
        sheet.text(row, 5, account.rule)
    row = 13 + len(money.accounts)
    sheet.text(row, 0, labels("participants_accounts"), "key")
    for column, value in enumerate(money.participants, 1):
        sheet.number(row, column, value, "money")


def _accounts(book: Book, content: RunContent, labels: Labels) -> None:
    sheet = book.sheet(labels("sheet_accounts"), [34, 30, 22, 22, 22])
    sheet.title(labels("sheet_accounts"), labels("sign_note"))
    heads = ("account", "participant_name", "opening", "movement", "closing")
    sheet.head(HEAD, [labels(key) for key in heads])
    ordered = sorted(content.accounts, key=lambda row: (row.account.startswith(PARTICIPANT), row.account))
    first = HEAD + 1
    for row, account in enumerate(ordered, first):
        who = account.account.removeprefix(PARTICIPANT)
        party = content.parties.get(who) if who != account.account else None
        sheet.text(row, 0, account.account)
        sheet.text(row, 1, party.name if party else "")
        for column, value in enumerate(account[1:], 2):
            sheet.number(row, column, value, "money")
    money = [
        [account.opening_cny for account in ordered],
        [account.movement_cny for account in ordered],
        [account.closing_cny for account in ordered],
    ]
    _sums(sheet, first, 2, money, labels)


def _charges(book: Book, content: RunContent, labels: Labels) -> None:
    charges = Charges(content.matrix, labels)
    totals = charge_totals(content, charges)
    kinds = kinds_present(totals)
    widths = [28, 26, 20, 20, 20, 20, 20, 9, 9, 9]
    sheet = book.sheet(labels("sheet_charges"), [*widths, *[18] * len(kinds)])
    sheet.title(labels("by_charge"), labels("sign_note"))
    quantity = labels("quantity")
    names = [labels(key) for key in ("subject_code", "charge")]
    names += [f"{labels('use')}\n{quantity}", f"{labels('generation')}\n{quantity}"]
    names += [labels(key) for key in ("charges", "credits", "net", "payers", "payees", "missing_lines")]
    sheet.head(HEAD, [*names, *(labels.of(KINDS, kind) or labels("none") for kind in kinds)])
    sheet.worksheet.set_row(HEAD, 28)
    sheet.freeze(HEAD + 1, 2)
    first = HEAD + 1
    for row, one in enumerate(totals, first):
        sheet.text(row, 0, charges.subject(one.code))
        sheet.text(row, 1, charges.name(one.code))
        sheet.number(row, 2, one.use_mwh, "energy")
        sheet.number(row, 3, one.supply_mwh, "energy")
        for column, value in enumerate((one.charges, one.credits, one.net), 4):
            sheet.number(row, column, value, "money")
        for column, count in enumerate((one.payers, one.payees, one.missing), 7):
            sheet.number(row, column, count, "integer")
        for column, kind in enumerate(kinds, 10):
            if kind in one.by_kind:
                sheet.number(row, column, one.by_kind[kind], "money")
            else:
                sheet.blank(row, column)
    money = [[one.charges for one in totals], [one.credits for one in totals], [one.net for one in totals]]
    _sums(sheet, first, 4, money, labels)
    by_kind = [[one.by_kind.get(kind, Decimal(0)) for one in totals] for kind in kinds]
    _sums(sheet, first, 10, by_kind, labels)


def _participants(book: Book, content: RunContent, labels: Labels) -> None:
    sheet = book.sheet(labels("sheet_participants"), [18, 34, 16, 12, 22, 22, 22, 12, 12])
    sheet.title(labels("sheet_participants"), labels("sign_note"))
    heads = ("participant_id", "participant_name", "participant_kind", "city", "net", "charges", "credits")
    sheet.head(HEAD, [labels(key) for key in (*heads, "missing_lines", "quality")])
    totals = party_totals(content)
    first = HEAD + 1
    for row, one in enumerate(totals, first):
        party = one.party
        sheet.text(row, 0, party.participant_id)
        sheet.text(row, 1, party.name)
        sheet.text(row, 2, labels.of(KINDS, kind_of(content, party.participant_id)))
        sheet.text(row, 3, labels.city(one.city))
        sheet.number(row, 4, None if one.missing else one.net, "money")
        sheet.number(row, 5, one.charges, "money")
        sheet.number(row, 6, one.credits, "money")
        sheet.number(row, 7, one.missing, "integer")
        if one.measured is None:
            sheet.blank(row, 8)
        else:
            sheet.number(row, 8, one.measured, "share")
    stated = [one.net for one in totals if not one.missing]
    money = [stated, [one.charges for one in totals], [one.credits for one in totals]]
    _sums(sheet, first, 4, money, labels, rows=len(totals))
    sheet.worksheet.autofilter(HEAD, 0, HEAD + len(totals), 8)


def _findings(book: Book, content: RunContent, labels: Labels) -> None:
    sheet = book.sheet(labels("sheet_cities"), [12, 9, 22, 26, 100, 20])
    cities = findings_by_city(content)
    summary = ";  ".join(
        f"{labels.city(city)}: "
        + ", ".join(f"{labels.of(SEVERITIES, severity)} {counts[severity]}" for severity in counts)
        for city, counts in cities.items()
    )
    sheet.title(labels("findings_by_city"), summary or labels("no_findings_month"))
    heads = ("city", "severity", "finding_name", "finding_subject", "sentence", "at_stake")
    sheet.head(HEAD, [labels(key) for key in heads])
    order, severities = list(cities), list(SEVERITIES)
    ordered = sorted(
        content.findings,
        key=lambda one: (order.index(one.city), severities.index(one.severity), one.code, one.subject),
    )
    for row, finding in enumerate(ordered, HEAD + 1):
        texts = (
            labels.city(finding.city),
            labels.of(SEVERITIES, finding.severity),
            labels.of(FINDINGS, finding.code),
            finding.subject,
            labels.sentence(finding.code, finding.sentence),
        )
        for column, text in enumerate(texts):
            sheet.text(row, column, text, "wrap")
        if finding.amount_at_stake_cny is None:
            sheet.blank(row, 5)
        else:
            sheet.number(row, 5, finding.amount_at_stake_cny, "money")
    if ordered:
        sheet.worksheet.autofilter(HEAD, 0, HEAD + len(ordered), 5)


def _events(book: Book, content: RunContent, labels: Labels) -> None:
    sheet = book.sheet(labels("sheet_response"), [24, 26, 30, 16, 16, 12, 12, 16, 16, 18, 18, 20])
    totals = event_totals(content)
    note = ";  ".join(
        f"{one.event_id} {one.window.day} {clock(one.window)}" for one in totals if one.window is not None
    )
    sheet.title(labels("demand_response"), note if totals else labels("no_events"))
    heads = ["event", "participant_id", "participant_name", "committed", "responded", "response_rate"]
    heads += ["minutes", "confirmed", "quantity", "payment", "penalty", "finding_code"]
    sheet.head(HEAD, [labels(key) for key in heads])
    rows = sorted(content.responses, key=lambda row: (row["event_id"], row["participant_id"]))
    for at, row in enumerate(rows, HEAD + 1):
        party = content.parties.get(row["participant_id"])
        sheet.text(at, 0, row["event_id"])
        sheet.text(at, 1, row["participant_id"])
        sheet.text(at, 2, party.name if party else "")
        cells = (
            ("committed_kw", "exact"),
            ("responded_kw", "exact"),
            ("rate", "share"),
            ("effective_minutes", "integer"),
            ("confirmed_kw", "exact"),
            ("energy_mwh", "energy"),
            ("payment_cny", "money"),
            ("penalty_cny", "money"),
        )
        for column, (name, style) in enumerate(cells, 3):
            sheet.number(at, column, row[name], style)
        sheet.text(at, 11, row["code"])


def _sums(
    sheet: Sheet,
    first: int,
    column: int,
    values: list[list[Decimal]],
    labels: Labels,
    rows: int | None = None,
) -> None:
    """A row of live sums below the table, one a list of values."""
    count = len(values[0]) if rows is None and values else rows or 0
    if not count:
        return
    last = first + count - 1
    sheet.text(last + 1, 0, labels("total"), "total")
    for offset, column_values in enumerate(values):
        sheet.sum(last + 1, column + offset, first, last, known_total(column_values), "total_money")
