"""Clears one inter-provincial session from files: trades, prices, findings, and the page people read.

Written to the folder: trades, seller_prices, landed_prices and findings as CSV and Parquet, session.html, and
session.json with what was cleared from which files. The same files give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.session_files import SessionFiles, SessionName, read_session_files
from market.money import half_up
from market.profiles import RuleProfile
from market.profiles import profile as packaged_profile
from optimization.clearing import Clearing, clear
from optimization.session_check import barred, session_findings
from reports.session_numbers import SessionNumbers
from reports.session_page import SessionPage, session_page
from reports.session_words import SessionLabels

DECIMALS = {
    "sell_mw": 6,
    "buy_mw": 6,
    "sell_price": 6,
    "converted_buy_price": 6,
    "spread": 6,
    "price_cny_per_mwh": 3,
}


@dataclass(frozen=True)
class ClearedSession:
    """A session and where it was written. ``facts`` is session.json; ``findings`` as in Clearing."""

    session: SessionName
    clearing: Clearing
    findings: pd.DataFrame
    facts: dict[str, Any]
    folder: Path
    page: Path

    def summary(self, lang: str = "zh") -> list[str]:
        """A few lines for the terminal."""
        facts = self.facts
        if lang == "en":
            counted = (
                f"{facts['trades']} trades, {facts['sell_mwh']} MWh sold, {facts['buy_mwh']} MWh bought; "
                f"buyers pay {facts['buyer_cny']} 元, sellers receive {facts['seller_cny']} 元, "
                f"section owners {facts['transmission_cny']} 元"
            )
        else:
            counted = (
                f"成交 {facts['trades']} 笔，卖方 {facts['sell_mwh']} MWh，买方 {facts['buy_mwh']} MWh；"
                f"买方支出 {facts['buyer_cny']} 元，卖方收入 {facts['seller_cny']} 元，"
                f"输电费 {facts['transmission_cny']} 元"
            )
        return [counted, str(self.page)]


def clear_session(
    offers: Path,
    bids: Path,
    paths: Path,
    atc: Path,
    out: Path,
    *,
    sections: Path | None = None,
    system: Path | None = None,
    session: SessionName | None = None,
    profile: str = "IPSPOT_2022_TRIAL",
    lang: str = "zh",
) -> ClearedSession:
    """Clear one session and write it to ``out``.

    Offers of nodes that lack power and bids of nodes that curtail renewables, where ``system`` tells, are kept out
    with a blocking finding; everything else is cleared as declared, and what breaks the format is a finding.
    Raises SessionFileError, BadFileError or ValueError with a sentence; nothing is written then.
    """
    words = SessionLabels(lang)
    rules = packaged_profile(profile)
    files = read_session_files(offers, bids, paths, atc, sections=sections, system=system, name=session)
    declared = session_findings(
        files.offers,
        files.bids,
        files.paths,
        rules.traded,
        curtailed=files.curtailed,
        shortage=files.shortage,
    )
    may_sell = files.offers[~barred(files.offers, files.shortage)]
    may_buy = files.bids[~barred(files.bids, files.curtailed)]
    cleared = clear(may_sell, may_buy, files.paths, files.atc, rules)
    findings = pd.concat([declared, cleared.findings], ignore_index=True)
    numbers = SessionNumbers(may_sell, may_buy, files.paths, files.atc, cleared)
    facts = _facts(files, rules, numbers, findings)
    page = session_page(
        SessionPage(
            files.name.day,
            files.name.stage,
            files.name.round,
            rules,
            numbers,
            findings,
            [(one.role, one.name, one.sha256, one.rows) for one in files.sources],
        ),
        words,
    )
    out.mkdir(parents=True, exist_ok=True)
    for name, frame in (
        ("trades", cleared.trades),
        ("seller_prices", cleared.seller_prices),
        ("landed_prices", cleared.landed_prices),
        ("findings", findings),
    ):
        _write_table(out, name, frame)
    _write(out / "session.html", page.encode())
    _write(out / "session.json", (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode())
    return ClearedSession(files.name, cleared, findings, facts, out, out / "session.html")


def _facts(
    files: SessionFiles, rules: RuleProfile, numbers: SessionNumbers, findings: pd.DataFrame
) -> dict[str, Any]:
    name = files.name
    return {
        "date": None if name.day is None else name.day.isoformat(),
        "stage": name.stage,
        "round": name.round,
        "profile": rules.name,
        "profile_sha256": rules.sha256,
        "inputs": [vars(one) for one in files.sources],
        "trades": len(numbers.clearing.trades),
        "sell_mwh": str(_rounded(numbers.sell_mwh, 6)),
        "buy_mwh": str(_rounded(numbers.buy_mwh, 6)),
        "seller_cny": str(_rounded(numbers.seller_cny, 2)),
        "transmission_cny": str(_rounded(numbers.transmission_cny, 2)),
        "buyer_cny": str(_rounded(numbers.buyer_cny, 2)),
        "findings": {
            severity: int((findings["severity"] == severity).sum())
            for severity in ("block", "review", "inform")
        },
    }


def _rounded(value: float, decimals: int) -> Decimal:
    return Decimal(half_up(Decimal(value).scaleb(decimals))).scaleb(-decimals)


def _write_table(folder: Path, name: str, frame: pd.DataFrame) -> None:
    columns: dict[str, pa.Array] = {}
    for column in frame.columns:
        values: Sequence[Any] = frame[column].tolist()
        if column in DECIMALS:
            exact = [_rounded(value, DECIMALS[column]) for value in values]
            columns[column] = pa.array(exact, pa.decimal128(18, DECIMALS[column]))
        elif pd.api.types.is_integer_dtype(frame[column].dtype):
            columns[column] = pa.array(values, pa.int64())
        else:
            columns[column] = pa.array([str(value) for value in values], pa.string())
    table = pa.table(columns)
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(table.column_names)
    rows.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    _write(folder / f"{name}.parquet", parquet.getvalue())
    _write(folder / f"{name}.csv", text.getvalue().encode())


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    making = path.with_name(f".{path.name}.making")
    making.write_bytes(content)
    making.replace(path)
