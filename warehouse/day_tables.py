"""The Parquet file of a day's provisional statement lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from market.profiles import ChargeMatrix
from settlement.daily import DayLine
from warehouse.run_tables import AMOUNT, ENERGY, decimals_or_null


def day_lines_table(
    lines: Sequence[DayLine], day: date, city: Mapping[str, str | None], matrix: ChargeMatrix
) -> pa.Table:
    """participant_id, charge_code, city, date, quantity_mwh, amount_cny (null: missing), provisional_until, clause."""
    clause = {charge.code: charge.clause for charge in matrix.charges}
    return pa.table(
        {
            "participant_id": pa.array([line.participant_id for line in lines], pa.string()),
            "charge_code": pa.array([line.charge_code for line in lines], pa.string()),
            "city": pa.array([city.get(line.participant_id) for line in lines], pa.string()),
            "date": pa.array([day] * len(lines), pa.date32()),
            "quantity_mwh": decimals_or_null([line.quantity_wh for line in lines], ENERGY),
            "amount_cny": decimals_or_null([line.amount_fen for line in lines], AMOUNT),
            "provisional_until": pa.array([line.provisional_until for line in lines], pa.date32()),
            "clause": pa.array([clause[line.charge_code] for line in lines], pa.string()),
        }
    )
