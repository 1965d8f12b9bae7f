"""The records that the lines of some participants rest on: theirs and their customers', generators', the grid company's.

A line of somebody needs no other: the user price is made of generators (ruling 6), a book of its customers. Reading
them alone is what makes an explanation quick in a province of ten thousand users.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import pandas as pd

from jobs.roster import ROSTER_TABLES
from market.tables import ParticipantKind
from warehouse.home import Home
from warehouse.records import read_records

PRICE_MAKERS = (ParticipantKind.GENERATOR, ParticipantKind.GRID_COMPANY)
MANY = 1000  # above it a whole table is read as quickly


def book_records(home: Home, who: Collection[str], as_of: datetime | None) -> Mapping[str, pd.DataFrame]:
    """ROSTER_TABLES without the rows that the lines of ``who`` do not rest on; whole for the grid company's book."""
    whose = {"participant_id": who, "retailer_id": who, "kind": [str(kind) for kind in PRICE_MAKERS]}
    near = read_records(home, "participants", as_of=as_of, holding=whose)
    ids = sorted({*who, *near["participant_id"]})
    kinds = set(near.loc[near["participant_id"].isin(who), "kind"])
    if ParticipantKind.GRID_COMPANY in kinds or len(ids) > MANY:
        return {table: read_records(home, table, as_of=as_of) for table in ROSTER_TABLES}
    mine = {"participant_id": ids}
    holding = dict.fromkeys(ROSTER_TABLES, mine) | {"contracts": {"buyer_id": who, "seller_id": who}}
    return {table: read_records(home, table, as_of=as_of, holding=holding[table]) for table in ROSTER_TABLES}
