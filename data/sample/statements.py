"""The trading centre's statement for a settled month, with exactly five errors planted in it."""

from __future__ import annotations

import hashlib
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from writing import SEED, write_csv

from market.profiles import profile

FEN = Decimal("0.01")
ERRORS = ("amount_off_by_one_fen", "amount_3_percent_high", "line_missing", "doubled", "sign_flipped")
SMALLEST = Decimal("1000.00")  # an error is planted in a line worth at least this much


def write(lines_path: Path, folder: Path, truth: Path, month: str) -> list[list[object]]:
    """statements_received.csv from a run's lines.parquet, and seeded_errors.csv; returns the errors.

    The trading centre sends the wholesale layer; bills of consumers are the grid company's own.
    Lines without an amount are left out. The five lines are chosen by a hash of their key and the seed.
    Raises ValueError when the run has fewer than five lines worth an error.
    """
    lines = _lines(lines_path)
    marked = {_key(line): error for error, line in zip(ERRORS, _five(lines, lines_path.name), strict=True)}
    stated, errors = [], []
    for line in lines:
        quantity, amount = line["quantity_mwh"] or Decimal(0), line["amount_cny"]
        error = marked.get(_key(line))
        told = _told(error, quantity, amount)
        if told is not None:
            stated.append(
                [line["participant_id"], month, line["charge_code"], f"{told[0]:.6f}", f"{told[1]:.2f}"]
            )
        if error is not None:
            shown = (f"{told[0]:.6f}", f"{told[1]:.2f}") if told else (None, None)
            errors.append(
                [
                    error,
                    line["participant_id"],
                    line["charge_code"],
                    f"{quantity:.6f}",
                    f"{amount:.2f}",
                    *shown,
                ]
            )
    header = "participant_id month charge_code quantity_mwh amount_cny"
    write_csv(folder / "statements_received.csv", header, stated)
    write_csv(
        truth / "seeded_errors.csv",
        (
            "error participant_id charge_code true_quantity_mwh true_amount_cny stated_quantity_mwh "
            "stated_amount_cny"
        ),
        errors,
    )
    return errors


def _lines(path: Path) -> list[dict[str, Any]]:
    columns = ["participant_id", "charge_code", "quantity_mwh", "amount_cny"]
    rows = pq.read_table(path, columns=columns).to_pylist()
    sent = {charge.code for charge in profile("SD_2022").settled[1].charges if charge.layer == "wholesale"}
    return sorted(
        (row for row in rows if row["amount_cny"] is not None and row["charge_code"] in sent), key=_key
    )


def _five(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    worth = [line for line in lines if abs(line["amount_cny"]) >= SMALLEST and line["quantity_mwh"]]
    if len(worth) < len(ERRORS):
        raise ValueError(
            f"{name} has {len(worth)} lines of at least {SMALLEST} 元 with a quantity; "
            f"{len(ERRORS)} are needed, so give the lines of a whole settled month."
        )
    return sorted(worth, key=lambda line: hashlib.sha256(f"{SEED}|{_key(line)}".encode()).digest())[
        : len(ERRORS)
    ]


def _told(error: str | None, quantity: Decimal, amount: Decimal) -> tuple[Decimal, Decimal] | None:
    """Quantity and amount as the statement gives them; None for a line it leaves out."""
    match error:
        case "amount_off_by_one_fen":
            return quantity, amount + FEN
        case "amount_3_percent_high":
            return quantity, (amount * Decimal("1.03")).quantize(FEN, ROUND_HALF_UP)
        case "line_missing":
            return None
        case "doubled":
            return 2 * quantity, 2 * amount
        case "sign_flipped":
            return quantity, -amount
        case _:
            return quantity, amount


def _key(line: dict[str, Any]) -> tuple[str, str]:
    return line["participant_id"], line["charge_code"]
