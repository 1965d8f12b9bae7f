"""The files of one clearing session: offers, bids, paths, transfer capability, what nodes lack or curtail.

They are read as deliveries are (encodings, exact decimals, sentences with file and line), but nothing is kept in
quarantine: a session with one bad row is not a session. Columns that clearing does not need are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ingest import parse
from ingest.cells import Cells
from ingest.faults import Faults
from ingest.files import read_file
from ingest.layout import laid_out
from market.channels import CLEARING_COLUMNS, NOTHING, priced_paths
from market.curves import MISSING
from market.periods import LABELS, PERIODS
from market.tables import STAGES, TABLES, Column, Kind

CURTAILMENT, GAP = "renewable_curtailment", "gap"
FAULTS_SHOWN = 5

SESSION = (
    Column("date", Kind.DATE, required=False),
    Column("stage", codes=STAGES, required=False),
    Column("round", Kind.INTEGER, required=False),
)
SEGMENTS = (  # more decimals than the input tables keep: a study may clear finer steps than the market's
    Column("node"),
    Column("period", Kind.INTEGER),
    Column("segment", Kind.INTEGER),
    Column("mw", Kind.DECIMAL, 9),
    Column("price_cny_per_mwh", Kind.DECIMAL, 6),
)
BIDS = (*SEGMENTS, Column("version", Kind.INTEGER, required=False))
PATHS = (
    Column("path_id"),
    Column("seq", Kind.INTEGER),
    Column("section_id"),
    Column("seller_node"),
    Column("buyer_node"),
)
RATES = (
    Column("tariff_cny_per_mwh", Kind.DECIMAL, 6),
    Column("loss_rate", Kind.DECIMAL, 12),
    Column("loss_included", Kind.FLAG, required=False),
)
CAPABILITY = (Column("section_id"), Column("period", Kind.INTEGER), Column("mw", Kind.DECIMAL, 9))


class SessionFileError(ValueError):
    """A file of a session cannot be taken; the sentence names file, line and remedy."""


@dataclass(frozen=True)
class SessionName:
    """Which session: None where neither the files nor the caller say it."""

    day: date | None = None
    stage: str | None = None
    round: int | None = None

    def matches(self, row: dict[str, Any]) -> bool:
        """A row belongs to the session unless it says otherwise."""
        wanted = {"date": self.day, "stage": self.stage, "round": self.round}
        return all(
            value is None or row.get(name) is None or row[name] == value for name, value in wanted.items()
        )


@dataclass(frozen=True)
class SourceFile:
    """A file the session was cleared from."""

    role: str
    name: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class SessionFiles:
    """The tables of one session as clear() takes them, decimals exact.

    curtailed, shortage: node, period, mw; None where no file tells. sources: the files read.
    """

    name: SessionName
    offers: pd.DataFrame
    bids: pd.DataFrame
    paths: pd.DataFrame
    atc: pd.DataFrame
    curtailed: pd.DataFrame | None
    shortage: pd.DataFrame | None
    sources: tuple[SourceFile, ...]


def read_session_files(
    offers: Path,
    bids: Path,
    paths: Path,
    atc: Path,
    *,
    sections: Path | None = None,
    system: Path | None = None,
    name: SessionName | None = None,
) -> SessionFiles:
    """Read a session. The files may hold several; ``name`` chooses one, and what is left open must be single.

    offers, bids: the input tables, or just node, period, segment, mw, price_cny_per_mwh; of a node's bids the
    newest version counts. paths: with tariff_cny_per_mwh and loss_rate (and loss_included) on every row, or the
    input table ``paths`` together with ``sections``. atc: the input table (96 columns), or section_id, period,
    mw. system: the input table, of which the series renewable_curtailment and gap are read.
    Raises SessionFileError, BadFileError, FileNotFoundError.
    """
    given = {
        "offers": offers,
        "bids": bids,
        "paths": paths,
        "atc": atc,
        "sections": sections,
        "system": system,
    }
    files = {role: path for role, path in given.items() if path is not None}
    cells = {role: _cells(path) for role, path in files.items()}
    tables = {
        "offers": _table(cells["offers"], (*SEGMENTS, *SESSION), offers),
        "bids": _table(cells["bids"], (*BIDS, *SESSION), bids),
    }
    session = _one_session(tables, files, name or SessionName())
    chosen = {role: _of_session(frame, session, files[role]) for role, frame in tables.items()}
    rates = None if sections is None else _sections(cells["sections"], sections)
    balance = None if system is None else _system(cells["system"], system, session)
    return SessionFiles(
        name=session,
        offers=chosen["offers"][[column.name for column in SEGMENTS]],
        bids=_newest_version(chosen["bids"])[[column.name for column in SEGMENTS]],
        paths=_paths(cells["paths"], paths, rates, session),
        atc=_atc(cells["atc"], atc, session),
        curtailed=None if balance is None else balance[CURTAILMENT],
        shortage=None if balance is None else balance[GAP],
        sources=tuple(
            SourceFile(role, path.name, sha256(path.read_bytes()).hexdigest(), len(cells[role]))
            for role, path in files.items()
        ),
    )


def _cells(path: Path) -> Cells:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; check the path.")
    cells = read_file(path)
    if cells.bad:
        worst = cells.bad[0]
        raise SessionFileError(f"{path.name} line {worst.line}: {worst.fault.sentence}")
    return cells


def _table(cells: Cells, columns: Sequence[Column], path: Path) -> pd.DataFrame:
    """Typed columns in the order asked for; optional ones the file lacks are left out."""
    lacking = [one.name for one in columns if one.required and one.name not in cells.columns]
    if lacking:
        raise SessionFileError(
            f"{path.name} lacks the column {', '.join(lacking)}; it needs "
            f"{', '.join(one.name for one in columns if one.required)}."
        )
    faults = Faults(len(cells))
    present = [one for one in columns if one.name in cells.columns]
    frame = pd.DataFrame({one.name: _series(parse.column_values(cells, one, faults), one) for one in present})
    _refuse(faults, cells, path)
    frame["line"] = cells.lines
    return frame


def _series(values: pa.Array, column: Column) -> pd.Series:
    plain = values.to_pylist()
    if column.kind is Kind.DECIMAL:
        plain = [None if value is None else _exact(value, column.decimals) for value in plain]
    return pd.Series(plain, dtype=object)


def _exact(whole: int, decimals: int) -> Decimal:
    """``_exact(400500, 3)`` is 400.5: without the zeros of the kept decimals, so that sentences read well."""
    number = Decimal(whole).scaleb(-decimals).normalize()
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def _refuse(faults: Faults, cells: Cells, path: Path) -> None:
    rows = np.flatnonzero(faults.bad).tolist()
    if rows:
        said = " ".join(f"Line {cells.lines[row]}: {faults.of(row).sentence}" for row in rows[:FAULTS_SHOWN])
        more = f" {len(rows) - FAULTS_SHOWN} more rows are wrong." if len(rows) > FAULTS_SHOWN else ""
        raise SessionFileError(f"{path.name}: {said}{more}")


def _one_session(tables: dict[str, pd.DataFrame], files: dict[str, Path], wanted: SessionName) -> SessionName:
    """What the caller left open is taken from the files, which then may hold one value only."""
    found: dict[str, Any] = {}
    for column, given in (("date", wanted.day), ("stage", wanted.stage), ("round", wanted.round)):
        found[column] = given
        if given is not None:
            continue
        known = SessionName(found["date"], found.get("stage"), found.get("round"))
        values = {
            row[column]
            for frame in tables.values()
            if column in frame.columns
            for row in frame.to_dict("records")
            if row[column] is not None and known.matches(row)
        }
        if len(values) > 1:
            listed = ", ".join(str(value) for value in sorted(values)[:4])
            raise SessionFileError(
                f"{files['offers'].name} and {files['bids'].name} hold {len(values)} sessions by {column} "
                f"({listed}{', …' if len(values) > 4 else ''}); clear one at a time and say which."
            )
        found[column] = next(iter(values), None)
    return SessionName(found["date"], found["stage"], found["round"])


def _of_session(frame: pd.DataFrame, session: SessionName, path: Path) -> pd.DataFrame:
    belongs = np.array([session.matches(row) for row in frame.to_dict("records")], dtype=np.bool_)
    if len(frame) and not belongs.any():
        raise SessionFileError(
            f"{path.name} has no row of the session {_words(session)}; choose a session it holds."
        )
    return frame[belongs]


def _words(session: SessionName) -> str:
    parts = (session.day, session.stage, None if session.round is None else f"round {session.round}")
    return " ".join(str(part) for part in parts if part is not None)


def _newest_version(bids: pd.DataFrame) -> pd.DataFrame:
    """Of each node's bids those of its newest version."""
    if "version" not in bids.columns or bids.empty:
        return bids
    version = bids["version"].map(lambda value: 0 if value is None else value)
    return bids[version == version.groupby(bids["node"]).transform("max")]


def _paths(cells: Cells, path: Path, sections: pd.DataFrame | None, session: SessionName) -> pd.DataFrame:
    if sections is not None:
        day = session.day
        if day is None:
            raise SessionFileError(
                f"{path.name} takes its tariffs from the sections of a day, and no file names the day; give it."
            )
        return priced_paths(_table(cells, PATHS, path).drop(columns="line"), sections, day)
    if any(rate.required and rate.name not in cells.columns for rate in RATES):
        raise SessionFileError(
            f"{path.name} has no tariff_cny_per_mwh and loss_rate; add them to every row, or give the table "
            "sections beside it."
        )
    frame = _table(cells, (*PATHS, *RATES), path)
    if "loss_included" in frame.columns:
        frame["loss_rate"] = frame["loss_rate"].where(frame["loss_included"] != 1, NOTHING)
    return frame[list(CLEARING_COLUMNS)]


def _sections(cells: Cells, path: Path) -> pd.DataFrame:
    wanted = ("section_id", *(rate.name for rate in RATES), "valid_from", "valid_to")
    frame = _table(cells, [TABLES["sections"].column(name) for name in wanted], path)
    return frame if "valid_to" in frame.columns else frame.assign(valid_to=None)


def _atc(cells: Cells, path: Path, session: SessionName) -> pd.DataFrame:
    """section_id, period, mw of the session's day and stage."""
    if "period" in cells.columns:
        frame = _table(cells, (*CAPABILITY, *SESSION), path)
        return _of_session(frame, session, path)[[column.name for column in CAPABILITY]]
    keys, values = _wide(cells, "atc", path)
    belongs = [session.matches(row) for row in keys.to_dict("records")]
    if not any(belongs):
        raise SessionFileError(
            f"{path.name} has no transfer capability of the session {_words(session)}; without a row a section "
            "would count as unlimited."
        )
    kept = np.flatnonzero(belongs)
    empty = np.argwhere(values[kept] == MISSING)
    if len(empty):
        row, period = kept[empty[0][0]], int(empty[0][1])
        raise SessionFileError(
            f"{path.name} line {keys['line'].iloc[row]}: section {keys['section_id'].iloc[row]} has no value at "
            f"{LABELS[period]}; write 0 where nothing can pass."
        )
    return _unpivoted(keys.iloc[kept], values[kept], "section_id", TABLES["atc"].curve_decimals)


def _system(cells: Cells, path: Path, session: SessionName) -> dict[str, pd.DataFrame]:
    """By series: node, period, mw; a missing value counts as nothing known and is left out."""
    keys, values = _wide(cells, "system", path)
    unnamed = replace(session, stage=None, round=None)
    belongs = np.array([unnamed.matches(row) for row in keys.to_dict("records")], dtype=np.bool_)
    found = {}
    for series in (CURTAILMENT, GAP):
        kept = np.flatnonzero(belongs & (keys["series"] == series).to_numpy())
        found[series] = _unpivoted(keys.iloc[kept], values[kept], "node", TABLES["system"].curve_decimals)
    return found


def _wide(cells: Cells, table: str, path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    definition = TABLES[table]
    _, cells = laid_out(definition, cells, path.name)
    frame = _table(cells, definition.columns, path)
    faults = Faults(len(cells))
    values = np.empty((len(cells), PERIODS), dtype=np.int64)
    for place, label in enumerate(LABELS):
        values[:, place] = parse.whole_numbers(cells, label, definition.curve_decimals, faults)
    _refuse(faults, cells, path)
    return frame, values


def _unpivoted(keys: pd.DataFrame, values: np.ndarray, name: str, decimals: int) -> pd.DataFrame:
    rows = [
        (key, period, _exact(value, decimals))
        for key, curve in zip(keys[name], values.tolist(), strict=True)
        for period, value in enumerate(curve, start=1)
        if value != MISSING
    ]
    return pd.DataFrame(rows, columns=[name, "period", "mw"])
