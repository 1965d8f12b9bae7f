"""Comparisons as findings with the money at stake: one a line, one a pair, one a group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from market.money import yuan
from settlement.findings import Finding, Severity
from settlement.reconcile.compare import Compared, Stated, Verdict
from settlement.reconcile.patterns import DIFFER, Group, differing

LISTED = 50
PREFIX = "reconcile_"

SENTENCES = {
    Verdict.MISSING_THERE: "the trading centre states nothing where we have {ours}; ask for the line or withdraw ours",
    Verdict.MISSING_HERE: "the trading centre states {theirs}, and we have no such line; find what it is made from",
    Verdict.OURS_UNKNOWN: "our line has no amount yet, so {theirs} cannot be compared; mend the missing input",
    Verdict.OTHER_QUANTITY: "the energy differs, {their_mwh} MWh there and {our_mwh} here at one price: {theirs} against "
    "{ours}; compare the readings or positions",
    Verdict.OTHER_PRICE: "another price on the same energy: {theirs} against {ours}; compare the prices of the month",
    Verdict.OTHER_AMOUNT: "another amount on the same energy: {theirs} against {ours}; compare pool and key of the share",
    Verdict.OTHER_QUANTITY_AND_PRICE: "energy and price both differ, {their_mwh} MWh there and {our_mwh} here: {theirs} "
    "against {ours}; compare the readings first",
    Verdict.SIGN_REVERSED: "the sign is reversed: {theirs} against {ours}; ask who pays whom",
    Verdict.DUPLICATE_ROW: "the line is counted again there: {theirs} against {ours}; ask for the row to be withdrawn",
    Verdict.FACTOR: "the statement is {ratio} times our amount: {theirs} against {ours}; ask for the unit",
}


def findings(
    compared: Sequence[Compared], groups: Sequence[Group], strangers: Sequence[Stated]
) -> list[Finding]:
    """Every difference once; what a group explains is said by the group."""
    grouped = differing(groups)
    alone = [
        one
        for one in compared
        if one.verdict in DIFFER | {Verdict.OURS_UNKNOWN}
        and (one.participant_id, one.subject) not in grouped
        and not (one.verdict is Verdict.OURS_UNKNOWN and not one.their_rows)
    ]
    return [
        *(_of_line(one) for one in alone if one.verdict is not Verdict.SWAPPED),
        *_of_swaps(alone),
        *(_of_group(group) for group in groups),
        *_of_strangers(strangers),
    ]


def _of_line(one: Compared) -> Finding:
    sentence = SENTENCES[one.verdict].format(
        ours=_yuan(one.our_fen),
        theirs=_yuan(one.their_fen),
        our_mwh=_mwh(one.our_wh),
        their_mwh=_mwh(one.their_wh),
        ratio="" if one.ratio is None else _ratio(one.ratio),
    )
    return Finding(
        PREFIX + one.verdict,
        Severity.REVIEW,
        f"{one.participant_id}/{one.subject}",
        f"{one.subject} of {one.participant_id}: {sentence}.",
        city=one.city,
        evidence=_evidence(one),
        amount_at_stake_fen=abs(one.difference_fen),
    )


def _of_swaps(compared: Sequence[Compared]) -> Iterator[Finding]:
    for one in compared:
        if one.verdict is Verdict.SWAPPED and one.partner is not None and one.participant_id < one.partner:
            yield Finding(
                PREFIX + Verdict.SWAPPED,
                Severity.REVIEW,
                f"{one.participant_id}/{one.partner}/{one.subject}",
                f"{one.subject}: the statement gives {one.participant_id} the line of {one.partner} and the other way "
                f"round ({_yuan(one.their_fen)} against {_yuan(one.our_fen)}); ask for both to be put right.",
                city=one.city,
                evidence={**_evidence(one), "participants": [one.participant_id, one.partner]},
                amount_at_stake_fen=abs(one.difference_fen),
            )


def _of_group(group: Group) -> Finding:
    lines = len(group.lines)
    total = group.difference_fen
    if group.what == "factor":
        ratio = group.ratio or Fraction(1)
        said = (
            f"{lines} lines of {group.name} are stated at {_ratio(ratio)} times our amounts; ask for unit, tax or sign of "
            "the whole column"
        )
        stake = sum(abs(one.difference_fen) for one in group.lines)
    elif group.what == "adds_up":
        said = (
            f"{lines} differences of {group.name} lie within the tolerance of a line, together they come to "
            f"{_yuan(total)}; ask how the centre rounds"
        )
        stake = abs(total)
    else:
        said = (
            f"{group.one_sided} of {lines} small differences of {group.name} lean to one side ({_yuan(total)} together), "
            "which rounding alone does not do; ask how the centre rounds"
        )
        stake = abs(total)
    return Finding(
        PREFIX + ("factor_of_many" if group.what == "factor" else group.what),
        Severity.INFORM if group.what == "drift" else Severity.REVIEW,
        f"{group.side}/{group.name}",
        f"{said}.",
        city=group.lines[0].city if group.side == "participant" else None,
        evidence={
            "lines": [[one.participant_id, one.subject, one.difference_fen] for one in group.lines[:LISTED]],
            "count": lines,
        },
        amount_at_stake_fen=stake,
    )


def _of_strangers(strangers: Sequence[Stated]) -> Iterator[Finding]:
    for code in sorted({row.charge_code for row in strangers}):
        rows = [row for row in strangers if row.charge_code == code]
        yield Finding(
            f"{PREFIX}unknown_code",
            Severity.REVIEW,
            code,
            f"The statement has {len(rows)} rows of {code}, which the profile maps to no charge; nothing of them is "
            "compared. Name the code in reconcile.yaml.",
            evidence={
                "participants": sorted(row.participant_id for row in rows)[:LISTED],
                "count": len(rows),
            },
            amount_at_stake_fen=sum(abs(row.fen) for row in rows),
        )


def _evidence(one: Compared) -> dict[str, object]:
    return {
        "participant_id": one.participant_id,
        "charge_code": one.subject,
        "ours": [_mwh(one.our_wh), None if one.our_fen is None else str(yuan(one.our_fen))],
        "theirs": [_mwh(one.their_wh), None if one.their_fen is None else str(yuan(one.their_fen))],
    }


def _yuan(fen: int | None) -> str:
    return "no amount" if fen is None else f"{yuan(fen)} 元"


def _mwh(wh: int | None) -> str | None:
    return None if wh is None else f"{Decimal(wh).scaleb(-6):f}"


def _ratio(ratio: Fraction) -> str:
    return f"{float(ratio):.6g}"
