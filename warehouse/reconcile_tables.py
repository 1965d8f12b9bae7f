"""comparison.parquet: both sides of every participant and subject, exact."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from settlement.reconcile.compare import Compared
from warehouse.run_tables import AMOUNT, ENERGY, decimals_or_null


def comparison_table(compared: Sequence[Compared]) -> pa.Table:
    """participant_id, subject, city, our and their quantity_mwh and amount_cny, difference_cny, verdict, partner."""
    return pa.table(
        {
            "participant_id": [one.participant_id for one in compared],
            "subject": [one.subject for one in compared],
            "city": pa.array([one.city for one in compared], pa.string()),
            "our_quantity_mwh": decimals_or_null([one.our_wh for one in compared], ENERGY),
            "their_quantity_mwh": decimals_or_null([one.their_wh for one in compared], ENERGY),
            "our_amount_cny": decimals_or_null([one.our_fen for one in compared], AMOUNT),
            "their_amount_cny": decimals_or_null([one.their_fen for one in compared], AMOUNT),
            "difference_cny": decimals_or_null([one.difference_fen for one in compared], AMOUNT),
            "verdict": [str(one.verdict) for one in compared],
            "partner": pa.array([one.partner for one in compared], pa.string()),
        }
    )
