"""The run's Parquet files (architecture §4): whole numbers to exact decimals, deterministic ids and bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from market.money import NANO_PER_YUAN, IntArray, half_up, half_up_ratio
from market.periods import PERIODS
from market.profiles import ChargeMatrix
from settlement.findings import Finding
from settlement.interprovincial import WH_PER_MWH
from settlement.ledger import Balance
from settlement.lines import NOT_MEASURED, Line, Lines, optional
from settlement.postings import Block, Posting, Postings
from settlement.purchases import Purchase
from settlement.retail.packages import Certificates

ROWS_A_GROUP = 65_536  # who looks for one participant reads its groups alone
SCHEMA_VERSION = "1"
METADATA = {b"gridsettle.schema": SCHEMA_VERSION.encode()}
GREEN_CERTIFICATES = "green_certificates.parquet"
AUDIT = "audit.parquet"
ACCOUNTS = "accounts.parquet"
ENERGY = pa.decimal128(18, 6)
PRICE = pa.decimal128(18, 6)
AMOUNT = pa.decimal128(18, 2)
EXACT_AMOUNT = pa.decimal128(38, 9)
SHARE = pa.decimal128(7, 6)
POWER = pa.decimal128(18, 3)
GREEN = pa.decimal128(28, 10)
Columns = TypeVar("Columns", Lines, Postings)
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
HEX_PLACES = [place for place in range(36) if place not in (8, 13, 18, 23)]  # of an id as text


def decimals(values: IntArray, kind: pa.DataType, missing: np.ndarray[Any, Any] | None = None) -> pa.Array:
    """int64 whole numbers as decimal128 of the type's scale without going through text or float."""
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    valid = None if missing is None else pa.array(~missing).buffers()[1]
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(words)])


def decimals_or_null(values: Sequence[int | None], kind: pa.DataType) -> pa.Array:
    """Whole numbers that may be missing, as decimal128 with nulls."""
    missing = np.array([value is None for value in values], dtype=np.bool_)
    return decimals(np.array([value or 0 for value in values], dtype=np.int64), kind, missing)


def lines_table(lines: Iterable[Line], matrix: ChargeMatrix) -> pa.Table:
    """participant_id, charge_code, city, quantity_mwh, price_cny_per_mwh, amount_cny, quality, clause."""
    of = Lines.of(lines)
    clause = {charge.code: charge.clause for charge in matrix.charges}
    return pa.table(
        {
            "participant_id": coded(of.who, of.names),
            "charge_code": coded(of.code, of.codes),
            "city": pa.array(of.city, pa.string()),
            "quantity_mwh": decimals(of.quantity.values, ENERGY, ~of.quantity.known),
            "price_cny_per_mwh": decimals_or_null(_mean_prices(of), PRICE),
            "amount_cny": decimals(of.amount.values, AMOUNT, ~of.amount.known),
            "quality": decimals(np.maximum(of.measured_ppm, 0), SHARE, of.measured_ppm == NOT_MEASURED),
            "clause": coded(of.code, [clause[code] for code in of.codes]),
        }
    )


def coded(places: NDArray[np.integer[Any]], texts: Sequence[str]) -> pa.Array:
    """A text column from places in a list of texts."""
    among = pa.array(texts, pa.string())
    return pa.DictionaryArray.from_arrays(places.astype(np.int32, copy=False), among).cast(pa.string())


def _mean_prices(lines: Lines) -> list[int | None]:
    """Mean price of each line in 1e-6 元/MWh, positive where a buyer pays or a seller is paid."""
    signs = np.where(lines.delivered, -1, 1).tolist()
    columns = (optional(lines.quantity), optional(lines.amount), signs)
    return [
        # fen / Wh = 10,000 元/MWh
        None if not wh or fen is None else half_up_ratio(sign * fen * 10_000 * 1_000_000, wh)
        for wh, fen, sign in zip(*columns, strict=True)
    ]


def interprovincial_table(purchases: Sequence[Purchase]) -> pa.Table:
    """One row a trade: energy, settled prices, seller and transmission revenue, provincial value, gain or loss.

    Amounts are exact to 1e-9 元, positive what the buyer pays; gain_loss_cny is landed cost less provincial
    value. Null is missing.
    """
    trades = [purchase.settled.trade for purchase in purchases]
    nano = [_purchase_nano(purchase) for purchase in purchases]

    def wide(values: Sequence[int | None]) -> pa.Array:
        return pa.array(
            [None if value is None else Decimal(value).scaleb(-9) for value in values], EXACT_AMOUNT
        )

    def text(values: Sequence[str]) -> pa.Array:
        return pa.array(values, pa.string())

    return pa.table(
        {
            "trade_id": text([trade.trade_id for trade in trades]),
            "date": pa.array([trade.day for trade in trades], pa.date32()),
            "stage": text([trade.stage for trade in trades]),
            "period": pa.array([trade.period for trade in trades], pa.int32()),
            "path_id": text([trade.path_id for trade in trades]),
            "seller_id": text([trade.seller_id for trade in trades]),
            "buyer_id": text([trade.buyer_id for trade in trades]),
            "sold_mwh": decimals_or_null([half_up(trade.sold_mwh * WH_PER_MWH) for trade in trades], ENERGY),
            "bought_mwh": decimals_or_null([trade.bought_wh for trade in trades], ENERGY),
            "sell_price_cny_per_mwh": decimals_or_null(
                [half_up(purchase.settled.sell_price * 1_000_000) for purchase in purchases], PRICE
            ),
            "landed_price_cny_per_mwh": decimals_or_null(
                [
                    None if (landed := purchase.settled.landed_price) is None else half_up(landed * 1_000_000)
                    for purchase in purchases
                ],
                PRICE,
            ),
            "reference_price_cny_per_mwh": decimals_or_null(
                [
                    None if purchase.reference_price is None else purchase.reference_price * 1000
                    for purchase in purchases
                ],
                PRICE,
            ),
            "seller_cny": wide([one.seller for one in nano]),
            "transmission_cny": wide([one.transmission for one in nano]),
            "reference_cny": wide([one.reference for one in nano]),
            "gain_loss_cny": wide([one.gain_loss for one in nano]),
        }
    )


class _Nano(NamedTuple):
    seller: int
    transmission: int | None
    reference: int | None

    @property
    def gain_loss(self) -> int | None:
        if self.transmission is None or self.reference is None:
            return None
        return self.seller + self.transmission - self.reference


def _purchase_nano(purchase: Purchase) -> _Nano:
    transmission = purchase.settled.transmission_cny
    return _Nano(
        half_up(purchase.settled.seller_cny * NANO_PER_YUAN),
        None if transmission is None else half_up(transmission * NANO_PER_YUAN),
        purchase.reference_nano,
    )


def ids5(run_id: UUID, names: Iterable[str]) -> pa.Array:
    """``str(uuid5(run_id, name))`` of every name, without a UUID object for each: a run has a million of them."""
    start = sha1(run_id.bytes, usedforsecurity=False)

    def digest(name: str) -> bytes:
        one = start.copy()
        one.update(name.encode())
        return one.digest()

    ids = np.frombuffer(b"".join(map(digest, names)), np.uint8).reshape(-1, 20)[:, :16].copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x50  # version 5
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80  # the variant of RFC 9562
    text = np.full((len(ids), 36), ord("-"), np.uint8)
    text[:, HEX_PLACES] = HEX[np.stack([ids >> 4, ids & 0x0F], axis=2).reshape(-1, 32)]
    ends = np.arange(len(ids) + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(ends), pa.py_buffer(text))


def postings_table(postings: Iterable[Posting], run_id: UUID) -> pa.Table:
    """posting_id, account, participant_id, charge_code, amount_cny (debit positive)."""
    blocks = [_postings_of(block, run_id) for block in Postings.of(postings).blocks]
    return pa.concat_tables(blocks or [_postings_of(block, run_id) for block in Postings.of([]).blocks])


def _postings_of(block: Block, run_id: UUID) -> pa.Table:
    grain = zip(block.charge_code.tolist(), block.subject.tolist(), block.side.tolist(), strict=True)
    return pa.table(
        {
            "posting_id": ids5(run_id, (f"posting|{code}|{subject}|{side}" for code, subject, side in grain)),
            "account": pa.array(block.account, pa.string()),
            "participant_id": pa.array(block.participant_id, pa.string()),
            "charge_code": pa.array(block.charge_code, pa.string()),
            "amount_cny": decimals(block.amount_fen, AMOUNT),
        }
    )


def accounts_table(accounts: Sequence[Balance]) -> pa.Table:
    """account, opening_cny, movement_cny, closing_cny."""
    return pa.table(
        {
            "account": [balance.account for balance in accounts],
            "opening_cny": decimals_or_null([balance.opening_fen for balance in accounts], AMOUNT),
            "movement_cny": decimals_or_null([balance.movement_fen for balance in accounts], AMOUNT),
            "closing_cny": decimals_or_null([balance.closing_fen for balance in accounts], AMOUNT),
        }
    )


def findings_table(findings: Sequence[Finding], run_id: UUID) -> pa.Table:
    """finding_id, code, severity, subject, city, sentence, evidence (JSON), amount_at_stake_cny."""
    ordered = sorted(findings, key=lambda finding: (finding.severity, finding.code, finding.subject))
    return pa.table(
        {
            "finding_id": ids5(run_id, (f"finding|{finding.code}|{finding.subject}" for finding in ordered)),
            "code": pa.array([finding.code for finding in ordered], pa.string()),
            "severity": pa.array([str(finding.severity) for finding in ordered], pa.string()),
            "subject": pa.array([finding.subject for finding in ordered], pa.string()),
            "city": pa.array([finding.city for finding in ordered], pa.string()),
            "sentence": pa.array([finding.sentence for finding in ordered], pa.string()),
            "evidence": pa.array(
                [json.dumps(finding.evidence, ensure_ascii=False, sort_keys=True) for finding in ordered],
                pa.string(),
            ),
            "amount_at_stake_cny": decimals_or_null(
                [finding.amount_at_stake_fen for finding in ordered], AMOUNT
            ),
        }
    )


def audit_table(looked_at: Mapping[str, int | None]) -> pa.Table:
    """rule_id, looked_at: how many subjects each audit rule was asked about, null where it is not counted."""
    return pa.table(
        {
            "rule_id": pa.array(sorted(looked_at), pa.string()),
            "looked_at": pa.array([looked_at[rule] for rule in sorted(looked_at)], pa.int64()),
        }
    )


def write_table(table: pa.Table, path: Path) -> int:
    """Write one file with fixed options (same rows, same bytes); returns the number of rows."""
    return write_groups([table], path)


def write_groups(tables: Iterable[pa.Table], path: Path) -> int:
    """The same from tables of ROWS_A_GROUP rows one after the other (the last may be shorter), at least one."""
    with ExitStack() as stack:
        file, rows = None, 0
        for table in tables:
            file = file or stack.enter_context(writer(table.schema, path))
            file.write_table(table.replace_schema_metadata(METADATA), row_group_size=ROWS_A_GROUP)
            rows += table.num_rows
    return rows


def in_groups(every: Columns) -> Iterator[Columns]:
    """Lines or postings in parts for ``write_groups``."""
    for first in range(0, max(len(every), 1), ROWS_A_GROUP):
        yield every[first : first + ROWS_A_GROUP]


def writer(schema: pa.Schema, path: Path) -> Any:
    """An open file of a run, with the options that all of them have."""
    return pq.ParquetWriter(
        path,
        schema.with_metadata(METADATA),
        compression="zstd",
        use_dictionary=[name for name in schema.names if pa.types.is_string(schema.field(name).type)],
        write_statistics=[name for name in ("participant_id",) if name in schema.names],
        store_schema=False,
    )


def baseline_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """event_id, participant_id, baseline (96 Wh, null outside the event), method, adjustment, excluded_days."""
    schema = pa.schema(
        [
            ("event_id", pa.string()),
            ("participant_id", pa.string()),
            ("baseline", pa.list_(pa.int64(), PERIODS)),
            ("method", pa.string()),
            ("adjustment", pa.string()),
            ("excluded_days", pa.list_(pa.struct([("date", pa.date32()), ("reason", pa.string())]))),
        ]
    )
    return pa.Table.from_pylist(list(rows), schema=schema)


def response_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """One row an event and participant: commitment, response, payment and penalty; null is missing."""

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return decimals_or_null([row[name] for row in rows], kind)

    return pa.table(
        {
            "event_id": pa.array([row["event_id"] for row in rows], pa.string()),
            "participant_id": pa.array([row["participant_id"] for row in rows], pa.string()),
            "committed_kw": column("committed_w", POWER),
            "responded_kw": column("responded_w", POWER),
            "rate": column("rate_ppm", ENERGY),
            "effective_minutes": pa.array([row["effective_minutes"] for row in rows], pa.int32()),
            "confirmed_kw": column("confirmed_w", POWER),
            "energy_mwh": column("energy_wh", ENERGY),
            "payment_cny": column("payment_fen", AMOUNT),
            "penalty_cny": column("penalty_fen", AMOUNT),
            "code": pa.array([row["code"] for row in rows], pa.string()),
        }
    )


def allocation_table(frames: Sequence[pd.DataFrame]) -> pa.Table:
    """event_id, participant_id, tranche, driver (fen of benefit or Wh of energy), benefit_cny, charge_cny."""

    def column(name: str) -> list[Any]:
        return [value for frame in frames for value in frame[name].tolist()]

    return pa.table(
        {
            "event_id": pa.array(column("event_id"), pa.string()),
            "participant_id": pa.array(column("participant_id"), pa.string()),
            "tranche": pa.array(column("tranche"), pa.string()),
            "driver": pa.array([int(value) for value in column("driver")], pa.int64()),
            "benefit_cny": decimals_or_null([int(value) for value in column("benefit_fen")], AMOUNT),
            "charge_cny": decimals_or_null([int(value) for value in column("charge_fen")], AMOUNT),
        }
    )


def certificates_table(rows: Sequence[tuple[str, Certificates | None]]) -> pa.Table:
    """participant_id, carried_in_mwh, green_mwh, certificates (whole MWh), carried_out_mwh; null is missing."""

    def energy(name: str) -> pa.Array:
        return pa.array(
            [None if made is None else Decimal(getattr(made, name)).scaleb(-10) for _, made in rows], GREEN
        )

    return pa.table(
        {
            "participant_id": pa.array([who for who, _ in rows], pa.string()),
            "carried_in_mwh": energy("carried_in"),
            "green_mwh": energy("green"),
            "certificates": pa.array(
                [None if made is None else made.certificates for _, made in rows], pa.int64()
            ),
            "carried_out_mwh": energy("carried_out"),
        }
    )
