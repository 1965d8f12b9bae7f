"""Whose code is whose: every charge of ours and every code of the statement belongs to one subject (market.md C.3).

A subject is what both sides can be compared by. It is named by a charge code; most hold one charge and the codes
under which the trading centre may state it, a few hold several charges that the centre states as one sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from market.profiles import ChargeMatrix
from market.reconcile_rules import SubjectMap


@dataclass(frozen=True)
class Subjects:
    """of_ours, of_theirs: code -> subject. charges: subject -> charges of ours. priced: energy times a price, where
    another amount on the same energy is another price; the rest are shares of a pool."""

    of_ours: Mapping[str, str]
    of_theirs: Mapping[str, str]
    charges: Mapping[str, tuple[str, ...]]
    priced: frozenset[str]


def subjects(matrix: ChargeMatrix, maps: Sequence[SubjectMap]) -> Subjects:
    """The subjects of a profile. Only the wholesale layer is compared; bills of consumers are the grid company's own.

    A charge that no map names is a subject of its own, stated under its code or its published subject code.
    Raises ValueError where one code would belong to two subjects.
    """
    wholesale = {charge.code: charge for charge in matrix.charges if charge.layer == "wholesale"}
    of_ours: dict[str, str] = {}
    of_theirs: dict[str, str] = {}
    for one in maps:
        for code in one.ours:
            if code in wholesale:
                _put(of_ours, code, one.subject)
                _put(of_theirs, code, one.subject)
        for code in one.theirs:
            _put(of_theirs, code, one.subject)
    for code, charge in wholesale.items():
        if code in of_ours:
            continue
        of_ours[code] = code
        _put(of_theirs, code, code)
        if charge.subject_code is not None and charge.subject_code not in of_theirs:
            of_theirs[charge.subject_code] = code
    charges: dict[str, tuple[str, ...]] = {}
    for code, subject in of_ours.items():
        charges[subject] = (*charges.get(subject, ()), code)
    shares = {
        code for code, charge in wholesale.items() if charge.counter_account or charge.period == "event"
    }
    priced = frozenset(subject for subject, codes in charges.items() if not shares & set(codes))
    return Subjects(of_ours, of_theirs, charges, priced)


def _put(codes: dict[str, str], code: str, subject: str) -> None:
    if codes.setdefault(code, subject) != subject:
        raise ValueError(
            f"Code {code} belongs to {codes[code]} and to {subject}; name it under one subject of reconcile.yaml."
        )
