"""What every rule of a profile carries: a frozen shape without unknown keys, its dates, and how sure its source is."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = TypeVar("Value")


class Certainty(StrEnum):
    """How sure a rule is: its text was read, a second source says so, our reading, or our design."""

    RULE_TEXT = "rule_text"
    SECONDARY = "secondary"
    AUTHORS_READING = "authors_reading"
    DESIGN = "design"


class Strict(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Provenance(Strict):
    """Where one value of a profile comes from and when it holds."""

    unit: str
    clause: str
    valid_from: date
    valid_to: date | None = None
    certainty: Certainty


class Dated(Strict, Generic[Value]):
    """One value with the days it holds: ``valid_from`` inclusive, ``valid_to`` exclusive, None open."""

    value: Value
    unit: str
    clause: str
    valid_from: date
    valid_to: date | None = None
    certainty: Certainty

    def holds(self, day: date) -> bool:
        """True on a day inside the validity."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class RuleNotInForceError(LookupError):
    """No entry of a dated rule holds on the day asked for."""


def on(rule: tuple[Dated[Value], ...], day: date, name: str) -> Value:
    """The value of a dated rule on ``day``; RuleNotInForceError when none or more than one entry holds."""
    holding = [entry for entry in rule if entry.holds(day)]
    if len(holding) != 1:
        raise RuleNotInForceError(
            f"{len(holding)} entries of {name} hold on {day}; the profile must have exactly one. "
            "Mend valid_from and valid_to of its entries."
        )
    return holding[0].value


class RuleSet(Strict):
    """Fields read from ``{value, unit, clause, ...}`` entries; what stands beside the value is ``provenance``."""

    provenance: dict[str, Provenance] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _take_values(cls, raw: dict[str, Any]) -> dict[str, Any]:
        if "provenance" in raw:  # a set that was read before and dumped
            return raw
        plain: dict[str, Any] = {"provenance": {}}
        for name, entry in raw.items():
            if isinstance(entry, list):
                plain[name] = entry
            elif isinstance(entry, dict) and "value" in entry and "clause" in entry:
                plain[name] = entry["value"]
                plain["provenance"][name] = {key: entry[key] for key in entry if key != "value"}
            else:
                raise ValueError(
                    f"Rule {name} must be written as {{value, unit, clause, valid_from, certainty}}."
                )
        return plain
