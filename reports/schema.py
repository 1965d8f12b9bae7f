"""The layout of the statement that readers rely on: sheet names and headings, frozen by version."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import Field, model_validator

from market.dated import Strict


class Heading(Strict):
    """One heading and the version of the layout that brought it."""

    zh: str
    en: str
    since: Annotated[int, Field(ge=1)] = 1


class SheetLayout(Strict):
    """A sheet's name and the headings of its table, left to right (``down``: the first column, top to bottom).

    repeats: headings that stand once a charge. optional: the sheet is left out where it would be empty.
    """

    zh: str
    en: str
    since: int = 1
    optional: bool = False
    down: bool = False
    headings: tuple[Heading, ...]
    repeats: tuple[Heading, ...] = ()

    @model_validator(mode="after")
    def _new_ones_at_the_end(self) -> SheetLayout:
        since = [heading.since for heading in self.headings]
        if since != sorted(since):
            raise ValueError(
                f"Sheet {self.en}: a heading of a later version stands before an earlier one; put it last."
            )
        return self


class StatementSchema(Strict):
    """The workbook of a statement, its CSV, and the version of both."""

    version: int
    sheets: tuple[SheetLayout, ...]
    csv: tuple[Heading, ...]

    @model_validator(mode="after")
    def _is_its_newest(self) -> StatementSchema:
        newest = max(heading.since for sheet in self.sheets for heading in (*sheet.headings, *sheet.repeats))
        newest = max(
            newest, *(sheet.since for sheet in self.sheets), *(heading.since for heading in self.csv)
        )
        if newest != self.version:
            raise ValueError(f"The newest heading is of version {newest}, the layout says {self.version}.")
        return self


@cache
def statement_schema() -> StatementSchema:
    """The packaged layout."""
    text = files("data").joinpath("reference", "reports", "statement.yaml").read_text("utf-8")
    return StatementSchema.model_validate(yaml.safe_load(text))
