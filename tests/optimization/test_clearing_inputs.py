"""Bad input to clear() is refused with a sentence: the table, the row and what would be right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from optimization.clearing import clear
from optimization.clearing_inputs import ATC_COLUMNS, PATH_COLUMNS, SEGMENT_COLUMNS

TRIAL = "IPSPOT_2022_TRIAL"


def tables() -> dict[str, pd.DataFrame]:
    """A market that clears: one seller, one buyer, a path of two sections."""
    return {
        "offers": pd.DataFrame([("A", 1, 1, 50, 200), ("A", 1, 2, 50, 210)], columns=list(SEGMENT_COLUMNS)),
        "bids": pd.DataFrame([("X", 1, 1, 80, 400), ("X", 2, 1, 80, 400)], columns=list(SEGMENT_COLUMNS)),
        "paths": pd.DataFrame(
            [("P", 1, "L1", "A", "X", 30.0, 0.02), ("P", 2, "L2", "A", "X", 51.1, 0.07)],
            columns=list(PATH_COLUMNS),
        ),
        "atc": pd.DataFrame([("L1", 1, 90), ("L1", 2, 90)], columns=list(ATC_COLUMNS)),
    }


def test_the_market_of_these_tests_clears() -> None:
    assert len(clear(**tables(), profile=TRIAL).trades) == 2


@pytest.mark.parametrize(
    ("table", "column", "value", "sentence"),
    [
        ("offers", "mw", -1, "offers: mw in row 2 is -1; power here is never negative"),
        ("bids", "mw", np.nan, "bids: mw in row 2 is nan; give a finite number"),
        (
            "bids",
            "price_cny_per_mwh",
            "dear",
            "bids: price_cny_per_mwh in row 2 is 'dear'; give a finite number",
        ),
        ("offers", "period", 1.5, "offers: period in row 2 is 1.5; give a whole number"),
        ("offers", "period", 0, "offers: period in row 2 is 0; periods count from 1"),
        ("offers", "node", None, "offers: node is empty in row 2"),
        ("offers", "node", 7, "The nodes mix text and numbers"),
        ("offers", "segment", 1, r"offers: node A, period 1, segment 1 stands twice \(rows 1 and 2\)"),
        ("paths", "seq", 3, "the seq of path P runs 1, 3; .* without a gap"),
        ("paths", "seq", 1, "the seq of path P runs 1, 1"),
        ("paths", "section_id", "L1", "path P passes a section twice"),
        ("paths", "buyer_node", "Y", "path P name 2 pairs of seller_node and buyer_node"),
        ("paths", "loss_rate", 7, "section L2 of path P has loss_rate 7; .* 6.5 % is written 0.065"),
        ("paths", "loss_rate", 1, "section L2 of path P has loss_rate 1"),
        ("paths", "loss_rate", -0.01, "section L2 of path P has loss_rate -0.01"),
        ("paths", "tariff_cny_per_mwh", np.inf, "paths: tariff_cny_per_mwh in row 2 is inf"),
        ("atc", "mw", -5, "atc: mw in row 2 is -5"),
        ("atc", "mw", np.nan, "or leave the row out where there is no limit"),
        ("atc", "period", 1, "atc: section L1, period 1 stands twice"),
    ],
)
def test_a_bad_value_is_named_with_table_and_row(table: str, column: str, value: Any, sentence: str) -> None:
    given = tables()
    given[table] = given[table].astype({column: object})
    given[table].loc[1, column] = value
    with pytest.raises(ValueError, match=sentence):
        clear(**given, profile=TRIAL)


@pytest.mark.parametrize("table", ["offers", "bids", "paths", "atc"])
def test_a_missing_column_is_named(table: str) -> None:
    given = tables()
    column = given[table].columns[-1]
    given[table] = given[table].drop(columns=column)
    with pytest.raises(ValueError, match=f"{table}: no column {column}; clear\\(\\) needs"):
        clear(**given, profile=TRIAL)


def test_columns_that_are_not_needed_are_ignored() -> None:
    given = tables()
    plain = clear(**given, profile=TRIAL)
    extra = {name: frame.assign(date="2022-07-01", stage="day_ahead") for name, frame in given.items()}
    pd.testing.assert_frame_equal(clear(**extra, profile=TRIAL).trades, plain.trades)


def test_the_tables_given_are_left_as_they_were() -> None:
    given, kept = tables(), tables()
    clear(**given, profile=TRIAL)
    for name, frame in given.items():
        pd.testing.assert_frame_equal(frame, kept[name])
