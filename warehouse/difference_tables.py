"""differences.parquet of a correction and corrections.parquet of the month it is posted into.

One row a participant and charge of the corrected month, then one row a clearing account (participant_id null).
The rows of one correction sum to 0.00: what participants owe more is what the accounts receive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from market.money import scaled
from settlement.corrections import Brought, Difference, LineAmount, LineKey
from settlement.ledger import participant_account
from warehouse.run_tables import AMOUNT, ENERGY, decimals_or_null

DIFFERENCES = "differences.parquet"
CORRECTIONS = "corrections.parquet"


def differences_table(brought: Sequence[Brought]) -> pa.Table:
    """correction, source_month, account, participant_id, charge_code, city, previous and corrected, difference."""
    rows = [row for one in brought for row in (*_line_rows(one), *_account_rows(one))]

    def text(name: str) -> pa.Array:
        return pa.array([row[name] for row in rows], pa.string())

    return pa.table(
        {
            **{name: text(name) for name in ("correction", "source_month", "account")},
            **{name: text(name) for name in ("participant_id", "charge_code", "city")},
            "previous_mwh": decimals_or_null([row["previous_wh"] for row in rows], ENERGY),
            "corrected_mwh": decimals_or_null([row["corrected_wh"] for row in rows], ENERGY),
            "previous_cny": decimals_or_null([row["previous_fen"] for row in rows], AMOUNT),
            "corrected_cny": decimals_or_null([row["corrected_fen"] for row in rows], AMOUNT),
            "difference_cny": decimals_or_null([row["fen"] for row in rows], AMOUNT),
        }
    )


def read_brought(folder: Path, run_id: str, source_month: str) -> Brought:
    """The correction whose run stands in ``folder``."""
    rows = pq.read_table(folder / DIFFERENCES).to_pylist()
    lines = tuple(
        Difference(
            row["source_month"],
            row["participant_id"],
            row["charge_code"],
            row["city"],
            _whole(row["previous_mwh"], 6),
            _whole(row["corrected_mwh"], 6),
            _whole(row["previous_cny"], 2),
            _whole(row["corrected_cny"], 2),
        )
        for row in rows
        if row["participant_id"] is not None
    )
    clearing = {
        row["account"]: scaled(row["difference_cny"], 2) for row in rows if row["participant_id"] is None
    }
    return Brought(run_id, source_month, lines, clearing)


def read_line_amounts(folder: Path) -> dict[LineKey, LineAmount]:
    """lines.parquet of a run by participant and charge."""
    columns = ["participant_id", "charge_code", "city", "quantity_mwh", "amount_cny"]
    table = pq.read_table(folder / "lines.parquet", columns=columns)
    return {
        (who, code): LineAmount(city, _whole(mwh, 6), _whole(cny, 2))
        for who, code, city, mwh, cny in zip(*(table[name].to_pylist() for name in columns), strict=True)
    }


def read_clearing_movements(folder: Path) -> dict[str, int]:
    """Fen that each clearing account moved by, from accounts.parquet of a run."""
    table = pq.read_table(folder / "accounts.parquet", columns=["account", "movement_cny"])
    own = participant_account("")
    return {
        account: scaled(cny, 2)
        for account, cny in zip(*(column.to_pylist() for column in table.columns), strict=True)
        if not account.startswith(own)
    }


def _whole(value: Any, decimals: int) -> int | None:
    return None if value is None else scaled(value, decimals)


def _line_rows(one: Brought) -> Iterable[Mapping[str, Any]]:
    for line in one.lines:
        yield {
            "correction": one.run_id,
            "account": participant_account(line.participant_id),
            **{name: getattr(line, name) for name in Difference.__slots__},
            "fen": line.fen,
        }


def _account_rows(one: Brought) -> Iterable[Mapping[str, Any]]:
    for account, fen in sorted(one.clearing.items()):
        yield {
            **dict.fromkeys(Difference.__slots__),
            "correction": one.run_id,
            "source_month": one.source_month,
            "account": account,
            "fen": fen,
        }
