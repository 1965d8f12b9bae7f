"""What the warehouse made of a run's deliveries, by hash: the curve files, and the rows of every record table.

The delivered file alone proves nothing about a run: what is settled is read from here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256

from sqlalchemy import Connection, select

from warehouse.file_hash import file_sha256
from warehouse.home import Home, engine
from warehouse.models import RECORDS, CurveFile
from warehouse.record_columns import STRETCH

CURVES = "curve files"


def stored_hashes(connection: Connection, delivery_ids: Collection[str]) -> dict[str, str]:
    """One hash for the curve files of these deliveries and one a record table that holds rows of them.

    They stay the same as long as nobody changes what is stored: a delivery is written once, whole.
    """
    ids = sorted(delivery_ids)
    files = select(CurveFile.path, CurveFile.sha256).where(CurveFile.delivery_id.in_(ids))
    found = {CURVES: _hash(f"{row.path} {row.sha256}" for row in connection.execute(files))}
    for name, table in RECORDS.items():  # one after the other: all rows of a month as text are much
        rows = connection.execute(select(table).where(table.c.delivery_id.in_(ids)))
        found[name] = _hash(repr(tuple(row)) for stretch in rows.partitions(STRETCH) for row in stretch)
    return {name: digest for name, digest in found.items() if digest is not None}


def stored_damage(
    home: Home, alias: str, delivery_ids: Collection[str], written: Mapping[str, str] | None
) -> list[str]:
    """A sentence for every curve file and record table that is not as it was when the run was computed.

    written: the hashes in the log of acts; None for a run of a version that took none.
    """
    with engine(home).connect() as connection:
        now = {} if written is None else stored_hashes(connection, delivery_ids)
        files = connection.execute(
            select(CurveFile.path, CurveFile.sha256)
            .where(CurveFile.delivery_id.in_(sorted(delivery_ids)))
            .order_by(CurveFile.path)
        ).all()
    problems = []
    for row in files:
        file = home.curves / row.path
        if not file.is_file():
            problems.append(
                f"curves/{row.path}, which {alias} was computed from, is gone; restore it from a backup."
            )
        elif row.sha256 is None:
            problems.append(f"No hash of curves/{row.path} is on record; restore the database from a backup.")
        elif file_sha256(file) != row.sha256:
            problems.append(
                f"curves/{row.path}, which {alias} was computed from, was changed after it was written; restore it "
                "from a backup."
            )
    before = written or {}
    problems += [
        f"The {name if name == CURVES else f'rows of {name}'} on record in the database are not those that {alias} "
        "was computed from; restore the database from a backup."
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    return problems


def _hash(texts: Iterable[str]) -> str | None:
    """One hash whatever the order of the texts; None of none."""
    ordered = sorted(texts)  # not as the database sorts: collations differ
    digest = sha256()
    for text in ordered:
        digest.update(text.encode() + b"\n")
    return digest.hexdigest() if ordered else None
