"""A run as an explanation reads it: its own tables, and the warehouse as the run knew it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import date
from fractions import Fraction
from functools import cache, cached_property, partial, reduce
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.accepted import Accepted, accepted_of_run
from jobs.basis import past_basis
from jobs.explain.book import book_records
from jobs.explain.energy import EnergyDay
from jobs.explain.sources import SourceFiles
from jobs.month_trades import TRADE_TABLES, settled_trades
from jobs.roster import ROSTER_TABLES, Roster
from market.money import IntArray, half_up, scaled
from market.periods import Month
from market.profiles import RuleProfile
from reports.explanation import Day
from settlement.interprovincial import TradeSettlement
from warehouse.home import Home
from warehouse.records import read_records
from warehouse.runs import Run


class NotExplainedError(ValueError):
    """The line does not exist, is of another kind, or cannot be computed again as the run has it."""


class RunData:
    """Tables of one run and the records and curves it was settled from, read as they are needed."""

    def __init__(self, home: Home, run: Run, rules: RuleProfile | None) -> None:
        self.run, self.manifest = run, run.manifest
        self.month = Month.parse(run.month)
        self.basis = past_basis(home, run, rules)
        self.home, self.as_of = self.basis.home, self.basis.as_of
        self.profile = (rules or self.basis.rules).reaching_back_to(self.month.first)
        self.matrix = self.profile.settled[1]
        self.files = SourceFiles(self.home, self.as_of)
        self._lines_of = cache(self._read_lines_of)
        self._books = cache(partial(book_records, self.home, as_of=self.as_of))
        self._rosters = cache(self._build_roster)

    @cached_property
    def lines(self) -> pd.DataFrame:
        """lines.parquet."""
        return pq.read_table(self.run.folder / "lines.parquet").to_pandas()

    def _read_lines_of(self, who: str) -> pd.DataFrame:
        of_who = [("participant_id", "=", who)]
        return pq.read_table(self.run.folder / "lines.parquet", filters=of_who).to_pandas()

    @cached_property
    def findings(self) -> list[dict[str, Any]]:
        """findings.parquet."""
        return pq.read_table(self.run.folder / "findings.parquet").to_pylist()

    @cached_property
    def purchases(self) -> dict[str, dict[str, Any]]:
        """interprovincial.parquet by trade_id."""
        file = self.run.folder / "interprovincial.parquet"
        if not file.is_file():
            raise NotExplainedError(
                f"Run {self.run.alias} was made before runs kept their trades; settle {self.month} again."
            )
        return {row["trade_id"]: row for row in pq.read_table(file).to_pylist()}

    def line(self, who: str, code: str) -> Any:
        """One statement line; NotExplainedError names the lines there are."""
        mine = self._lines_of(who)
        found = mine[mine["charge_code"] == code]
        if found.empty:
            known = ", ".join(mine["charge_code"]) or "none; lines.parquet lists who has lines"
            raise NotExplainedError(
                f"{who} has no line {code} in run {self.run.alias}; its charges are: {known}."
            )
        return next(found.astype(object).where(found.notna(), None).itertuples())

    def days(self, who: str, code: str) -> tuple[Day, ...]:
        """The line's days, which must round to it; none for a share of a pool.

        Days of trades are kept to 1e-9 元, so a sum that ends on half a fen may have been rounded from either side.
        """
        rows = _rows(self.run.folder / "daily.parquet", {"participant_id": who, "charge_code": code})
        days = tuple(Day(row["date"], row["quantity_mwh"], row["amount"]) for row in rows)
        amount = self.line(who, code).amount_cny
        known = [Fraction(day.amount_cny) for day in days if day.amount_cny is not None]
        if days and amount is not None:
            fen, half_last = sum(known, Fraction(0)) * 100, Fraction(len(days), 2 * 10**7)
            near = {half_up(fen - half_last), half_up(fen + half_last)}
            if (fee := self.matrix.charge(code).fee) is not None and fee.role == "shared":
                near |= {math.floor(fen), math.ceil(fen)}  # the last fen of a pool goes by largest remainder
            self.agree(code, who, scaled(amount, 2) in near, "the days", f"{float(fen) / 100:.9f}", amount)
        return days

    def fen(self, code: str) -> int:
        """Sum of a charge over everyone, fen."""
        amounts = self.lines.loc[self.lines["charge_code"] == code, "amount_cny"]
        return sum(scaled(amount, 2) for amount in amounts if not pd.isna(amount))

    def wh(self, code: str) -> dict[str, int | None]:
        """Quantity of every line of a charge, Wh by participant."""
        rows = self.lines[self.lines["charge_code"] == code]
        return {
            who: None if mwh is None or pd.isna(mwh) else scaled(mwh, 6)
            for who, mwh in zip(rows["participant_id"], rows["quantity_mwh"], strict=True)
        }

    def reference_fen(self) -> int:
        """What the import is worth at the provincial price, fen, as posted."""
        postings = pq.read_table(self.run.folder / "postings.parquet").to_pylist()
        return sum(
            scaled(row["amount_cny"], 2)
            for row in postings
            if row["charge_code"] == "interprovincial_reference" and row["account"] == "energy"
        )

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Any other table of the run."""
        return pq.read_table(self.run.folder / name).to_pylist()

    def found(self, code: str) -> bool:
        """True where the run has a finding of that code."""
        return any(finding["code"] == code for finding in self.findings)

    @cached_property
    def records(self) -> Mapping[str, pd.DataFrame]:
        """Participants, meters and contracts as the run knew them."""
        return {name: self.read(name) for name in ROSTER_TABLES}

    @cached_property
    def trade_records(self) -> Mapping[str, pd.DataFrame]:
        """Sections, paths and trades as the run knew them."""
        return {name: self.read(name) for name in TRADE_TABLES}

    def read(self, table: str, **holding: Collection[str]) -> pd.DataFrame:
        """A record table as the run knew it; holding: only rows of which a column has one of these values."""
        return read_records(self.home, table, as_of=self.as_of, holding=holding or None)

    @cached_property
    def roster(self) -> Roster:
        """Who is who in the month."""
        return Roster(self.month, *self.records.values())

    @cached_property
    def settled(self) -> TradeSettlement:
        """The month's trades settled again."""
        return settled_trades(self.trade_records, self.month, self.roster, self.profile)[0]

    @cached_property
    def accepted(self) -> Accepted:
        """What the run settled in the place of raw readings."""
        return accepted_of_run(self.run.folder)

    def book(self, *who: str) -> Mapping[str, pd.DataFrame]:
        """Participants, meters, contracts and shares that lines of these rest on, as the run knew them."""
        return self._books(who)

    def roster_of(self, *who: str) -> Roster:
        """Who is who, of those that lines of these rest on."""
        return self._rosters(who)

    def _build_roster(self, who: tuple[str, ...]) -> Roster:
        return Roster(self.month, *self._books(who).values())

    def energy(self, day: date, *who: str, with_imports: bool = False) -> EnergyDay:
        """One day's determinants of these participants as the settlement saw them; of none, the prices."""
        imports: Mapping[tuple[str, date], IntArray] = self.settled.imports if with_imports else {}
        unified = self.basis.unified(only=day)
        roster = self.roster_of(*who)
        return EnergyDay(
            self.home, self.month, roster, self.profile, self.as_of, day, imports, self.accepted, unified
        )

    def name(self, who: str) -> str:
        """The participant's name, empty where it has no record."""
        participants = self.book(who)["participants"]
        names = participants.loc[participants["participant_id"] == who, "name"]
        return "" if names.empty else str(names.iloc[-1])

    def agree(self, code: str, who: str, same: bool, what: str, again: object, of_run: object) -> None:
        """Refuse to explain a number that does not come out again."""
        if not same:
            raise NotExplainedError(
                f"{code} of {who}: {what} computed again give {again}, run {self.run.alias} has {of_run}. The rules "
                f"or the software changed since; explain the run with profile {self.manifest['profile']} "
                f"{self.manifest['profile_sha256'][:12]} and software {self.manifest['software_version']}."
            )


def _rows(file: Path, where: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of which these columns have these values; of groups without such a row nothing else is read."""
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(file, read_dictionary=list(where)) as opened:
        for group in range(opened.num_row_groups):
            keys = opened.read_row_group(group, columns=list(where))
            hits = [pc.equal(keys[name], value) for name, value in where.items()]
            mine = reduce(pc.and_, hits)
            if pc.any(mine).as_py():
                found += opened.read_row_group(group).filter(mine).to_pylist()
    return found
