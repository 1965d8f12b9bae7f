"""The run's Parquet files (architecture §4): whole numbers to exact decimals, deterministic ids and bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha1
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from market.money import NANO_PER_YUAN, IntArray, half_up, half_up_ratio
from market.periods import PERIODS
from market.profiles import ChargeMatrix
from settlement.findings import Finding
from settlement.interprovincial import WH_PER_MWH
from settlement.ledger import Balance, Line, Posting
from settlement.parties import DailySeries
from settlement.purchases import Purchase
from settlement.retail.packages import Certificates

ROWS_A_GROUP = 65_536
SCHEMA_VERSION = "1"
GREEN_CERTIFICATES = "green_certificates.parquet"
AUDIT = "audit.parquet"
ENERGY = pa.decimal128(18, 6)
PRICE = pa.decimal128(18, 6)
AMOUNT = pa.decimal128(18, 2)
EXACT_AMOUNT = pa.decimal128(38, 9)
SHARE = pa.decimal128(7, 6)
POWER = pa.decimal128(18, 3)
GREEN = pa.decimal128(28, 10)


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


def lines_table(lines: Sequence[Line], matrix: ChargeMatrix) -> pa.Table:
    """participant_id, charge_code, city, quantity_mwh, price_cny_per_mwh, amount_cny, quality, clause."""
    clause = {charge.code: charge.clause for charge in matrix.charges}
    return pa.table(
        {
            "participant_id": [line.participant_id for line in lines],
            "charge_code": [line.charge_code for line in lines],
            "city": pa.array([line.city for line in lines], pa.string()),
            "quantity_mwh": decimals_or_null([line.quantity_wh for line in lines], ENERGY),
            "price_cny_per_mwh": decimals_or_null([_mean_price(line) for line in lines], PRICE),
            "amount_cny": decimals_or_null([line.amount_fen for line in lines], AMOUNT),
            "quality": decimals_or_null([line.measured_ppm for line in lines], SHARE),
            "clause": [clause[line.charge_code] for line in lines],
        }
    )


def _mean_price(line: Line) -> int | None:
    """Mean price of the line in 1e-6 元/MWh, positive where a buyer pays or a seller is paid."""
    if not line.quantity_wh or line.amount_fen is None:
        return None
    sign = -1 if line.delivered else 1
    # fen / Wh = 10,000 元/MWh
    return half_up_ratio(sign * line.amount_fen * 10_000 * 1_000_000, line.quantity_wh)


def daily_table(series: Iterable[DailySeries]) -> pa.Table:
    """participant_id, charge_code, date, quantity_mwh, amount (unrounded); a missing value is null."""
    parts: list[pa.Table] = []
    for single, run in groupby(series, key=lambda one: one.quantity.size == 1):
        following = list(run)
        parts += [_singles(following)] if single else [_daily_part(one) for one in following]
    return pa.concat_tables(parts) if parts else pa.table({})


def _singles(series: Sequence[DailySeries]) -> pa.Table:
    """Series of one participant and day, as those of trades and events are, in one table."""
    missing = np.concatenate([one.missing.ravel() for one in series])
    gaps = missing if missing.any() else None
    return pa.table(
        {
            "participant_id": pa.array([one.participants[0] for one in series], pa.string()),
            "charge_code": pa.array([one.charge_code for one in series], pa.string()),
            "date": pa.array([one.days[0] for one in series], pa.date32()),
            "quantity_mwh": decimals(np.concatenate([one.quantity.ravel() for one in series]), ENERGY, gaps),
            "amount": decimals(np.concatenate([one.nano.ravel() for one in series]), EXACT_AMOUNT, gaps),
        }
    )


def _daily_part(one: DailySeries) -> pa.Table:
    rows, days = one.quantity.shape
    missing = one.missing.ravel()
    gaps = missing if missing.any() else None
    who = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(rows, dtype=np.int32), days), pa.array(one.participants)
    )
    dates = np.tile(np.array(one.days, dtype="datetime64[D]"), rows)
    code = pa.DictionaryArray.from_arrays(np.zeros(rows * days, dtype=np.int32), pa.array([one.charge_code]))
    return pa.table(
        {
            "participant_id": who.cast(pa.string()),
            "charge_code": code.cast(pa.string()),
            "date": pa.array(dates, pa.date32()),
            "quantity_mwh": decimals(one.quantity.ravel(), ENERGY, gaps),
            "amount": decimals(one.nano.ravel(), EXACT_AMOUNT, gaps),
        }
    )


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


def ids5(run_id: UUID, names: Iterable[str]) -> Iterator[str]:
    """``str(uuid5(run_id, name))`` of every name, without a UUID object for each: a run has a million of them."""
    start = sha1(run_id.bytes, usedforsecurity=False)
    for name in names:
        one = start.copy()
        one.update(name.encode())
        text = one.hexdigest()
        variant = "89ab"[int(text[16], 16) & 3]
        yield f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def postings_table(postings: Sequence[Posting], run_id: UUID) -> pa.Table:
    """posting_id, account, participant_id, charge_code, amount_cny (debit positive)."""
    return pa.table(
        {
            "posting_id": list(
                ids5(run_id, (f"posting|{one.charge_code}|{one.subject}|{one.side}" for one in postings))
            ),
            "account": [posting.account for posting in postings],
            "participant_id": pa.array([posting.participant_id for posting in postings], pa.string()),
            "charge_code": [posting.charge_code for posting in postings],
            "amount_cny": decimals_or_null([posting.amount_fen for posting in postings], AMOUNT),
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
            "finding_id": pa.array(
                list(ids5(run_id, (f"finding|{finding.code}|{finding.subject}" for finding in ordered))),
                pa.string(),
            ),
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
    metadata = {b"gridsettle.schema": SCHEMA_VERSION.encode()}
    pq.write_table(
        table.replace_schema_metadata(metadata),
        path,
        compression="zstd",
        use_dictionary=[
            name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)
        ],
        write_statistics=[name for name in ("participant_id",) if name in table.column_names],
        row_group_size=ROWS_A_GROUP,  # who looks for one participant reads its groups alone
        store_schema=False,
    )
    return int(table.num_rows)


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


def allocation_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """event_id, participant_id, tranche, driver (fen of benefit or Wh of energy), benefit_cny, charge_cny."""
    return pa.table(
        {
            "event_id": pa.array([row["event_id"] for row in rows], pa.string()),
            "participant_id": pa.array([row["participant_id"] for row in rows], pa.string()),
            "tranche": pa.array([row["tranche"] for row in rows], pa.string()),
            "driver": pa.array([row["driver"] for row in rows], pa.int64()),
            "benefit_cny": decimals_or_null([row["benefit_fen"] for row in rows], AMOUNT),
            "charge_cny": decimals_or_null([row["charge_fen"] for row in rows], AMOUNT),
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
