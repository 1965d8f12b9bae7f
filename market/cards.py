"""Charge-code cards: what a charge is, its formula with the units of its inputs, and a hand-worked example.

A card says what the charge matrix of a profile does not: payers, payees, account, key, clause and dates of a sharing
stand there and are not written twice. A formula is arithmetic over the named inputs (``+ - * /``, ``sum``, ``max``,
``min``, ``share``, ``round_to``) so that a test can recompute lines from the very text that people read.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from market.dated import Strict

NAMES = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
FUNCTIONS = ("sum", "max", "min", "share", "round_to")
Given = Decimal | tuple[Decimal, ...] | dict[str, Decimal]


class Words(Strict):
    """A text in Chinese and English."""

    zh: str
    en: str

    def of(self, lang: str) -> str:
        """The text in ``zh`` or ``en``."""
        return self.zh if lang == "zh" else self.en


class CardInput(Strict):
    """A symbol of the formula: what it is, in which unit, at which grain, and the table or result it comes from."""

    symbol: str
    unit: str
    grain: Literal["quarter_hour", "hour", "day", "month", "event", "trade", "row"]
    source: str
    zh: str
    en: str


class CardFormula(Strict):
    """The amount of one line in 元, charge positive, of those named in ``of``."""

    of: str
    amount: str


class Example(Strict):
    """A line worked by hand: a scenario of ``tests/scenarios`` that has it, and the numbers that give it.

    given: values in the units of the inputs; a list is one value a period, a mapping one value a participant.
    ``repeat`` periods have the same values.
    """

    scenario: str
    participant_id: str
    of: str
    given: dict[str, Given]
    repeat: int = 1
    arithmetic: str
    amount_cny: Decimal


class Card(Strict):
    """What a clerk needs to know of a charge. Predecessors and successors are charge codes; dates as everywhere."""

    code: str
    rule: Words
    inputs: tuple[CardInput, ...] = Field(min_length=1)
    formulas: tuple[CardFormula, ...] = Field(min_length=1)
    rounding: Words
    not_additive: Words | None = None
    predecessors: tuple[str, ...] = ()
    successors: tuple[str, ...] = ()
    valid_from: date
    valid_to: date | None = None
    examples: tuple[Example, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _formula_and_inputs_agree(self) -> Card:
        used = {name for one in self.formulas for name in NAMES.findall(one.amount)} - set(FUNCTIONS)
        named = {one.symbol for one in self.inputs}
        if used != named:
            raise ValueError(
                f"Card {self.code}: the formulas use {sorted(used)}, the inputs name {sorted(named)}; "
                "every symbol needs one input and every input a formula."
            )
        of = {one.of for one in self.formulas}
        if strange := sorted({example.of for example in self.examples} - of):
            raise ValueError(f"Card {self.code}: examples are of {strange}, the formulas of {sorted(of)}.")
        return self

    def formula(self, of: str) -> str:
        """The expression of one side."""
        return next(one.amount for one in self.formulas if one.of == of)
