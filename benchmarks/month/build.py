"""A month of any number of users through the product's own ingestion, and the same data as long tables."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.month.consumers import DAYS, second_layer
from benchmarks.month.files import Long, Wide
from benchmarks.month.market import first_layer
from benchmarks.month.people import GENERATORS, contract_price, people, registers

LONG_TABLES_UP_TO = 20_000


def build(folder: Path, users: int) -> None:
    """Deliver the month into ``folder/home`` and lay the same data down as long tables in ``folder/long``."""
    from ingest.deliver import deliver_many
    from market.periods import LABELS
    from warehouse.home import create, home

    inbox, long = folder / "files", folder / "long"
    for place in (inbox, long):
        place.mkdir(parents=True)
    draw = np.random.default_rng(2022)
    everybody, users = users, users * 6 // 10
    ids = [f"W{n:06d}" for n in range(users)]
    units = [f"G{n:03d}" for n in range(GENERATORS)]
    others = second_layer(inbox, everybody - users)
    people(inbox, ids, units, others)
    first_layer(inbox, ids, units)
    small = draw.lognormal(3, 1.0, len(others.metered))[:, None]
    scale = draw.lognormal(5, 1.2, users)[:, None]
    shape = 1 + 0.4 * np.sin(np.linspace(0, 2 * np.pi, 96) - 2)[None, :]
    writers = {name: Wide(inbox, name, LABELS) for name in ("meter_readings", "positions", "contract_curves")}
    writers["reactive_readings"] = Wide(inbox, "reactive_readings", LABELS)
    compared = everybody <= LONG_TABLES_UP_TO
    joined = Long(long / "joined.parquet", ("use", "position", "contract"))
    parts = {name: Long(long / f"{name}.parquet", (name,)) for name in ("use", "position", "contract")}
    prices, counted = [], np.zeros(everybody + 1, np.int64)
    for day in DAYS:
        use = np.rint(scale * shape * draw.normal(1, 0.1, (users, 96)).clip(0.2) * 1000).astype(np.int64)
        more = np.rint(small * shape * draw.normal(1, 0.1, (len(small), 96)).clip(0.2) * 1000).astype(
            np.int64
        )
        position = np.rint(use * draw.normal(1, 0.05, (users, 1)) / 1000).astype(np.int64) * 1000
        contract = np.rint(use * 0.8 / 1000).astype(np.int64) * 1000
        counted += np.concatenate([use.sum(axis=1), more.sum(axis=1)])
        supply = (
            np.rint(
                np.outer(np.full(GENERATORS, 1.03 / GENERATORS), use.sum(axis=0) + more.sum(axis=0)) / 1000
            ).astype(np.int64)
            * 1000
        )
        writers["meter_readings"](
            [f"M-{who}" for who in (*ids, *others.metered, *units)],
            day,
            np.vstack([use, more, supply]) / 1000,
            quality="measured",
        )
        books = np.vstack([more[others.of == book].sum(axis=0) for book in range(len(others.books))])
        writers["positions"](
            (*ids, *others.books, *units), day, np.vstack([position, books, supply]) / 1e6, stage="day_ahead"
        )
        writers["reactive_readings"](
            [f"M-{who}" for who in (*ids, *others.metered[:-1])],
            day,
            np.rint(np.vstack([use, more[:-1]]) * 0.4) / 1000,
            flow="lagging",
            quality="measured",
        )
        writers["contract_curves"]([f"C-{who}" for who in ids], day, contract / 1e6)
        if compared:
            joined.write(users, day, use, position, contract)
            for name, values in (("use", use), ("position", position), ("contract", contract)):
                parts[name].write(users, day, values)
        prices.append(
            np.rint(draw.normal(400_000, 150_000, (2, 96)).clip(-80_000, 1_500_000)).astype(np.int64)
        )
    for close in (*writers.values(), joined, *parts.values()):
        close.close()
    _prices(inbox, prices, LABELS)
    registers(inbox, [*ids, *others.metered], counted)
    at = home(folder / "home")
    create(at)
    started = time.perf_counter()
    receipts = deliver_many(at, [inbox])
    assert all(one.status == "accepted" for one in receipts), [vars(one) for one in receipts]
    values = (4 * users + 2 * len(others.metered)) * len(DAYS) * 96 / 1e6
    print(f"ingested {values:.1f} M values in {time.perf_counter() - started:.1f} s")
    user_price = np.concatenate(
        [np.repeat(np.rint(_hourly(day)), 4, axis=1).astype(np.int64) for day in prices], axis=1
    )
    pd.DataFrame(
        {
            "date": np.repeat(np.array(DAYS, dtype="datetime64[us]"), 96),
            "period": np.tile(np.arange(1, 97, dtype=np.int16), 31),
            "day_ahead": user_price[0],
            "real_time": user_price[1],
        }
    ).to_parquet(long / "price.parquet")
    pd.DataFrame({"user": np.arange(users, dtype=np.int32), "price": contract_price(users)}).to_parquet(
        long / "contract_price.parquet"
    )


def _hourly(day: np.ndarray) -> np.ndarray:
    total = day.reshape(2, 24, 4).sum(axis=2)
    return np.sign(total) * ((np.abs(total) * 2 + 4) // 8)


def _prices(inbox: Path, prices: list[np.ndarray], labels: tuple[str, ...]) -> None:
    rows = [
        {
            "node": "SD",
            "stage": stage,
            "date": day,
            **dict(zip(labels, (values[s] / 1000).tolist(), strict=True)),
        }
        for day, values in zip(DAYS, prices, strict=True)
        for s, stage in enumerate(("day_ahead", "real_time"))
    ]
    pd.DataFrame(rows).to_csv(inbox / "prices.csv", index=False, float_format="%.3f")
