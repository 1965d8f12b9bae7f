"""Tariffs and packages of consumers as the warehouse holds them, read as what bills are made of."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import pandas as pd

from market.money import scaled
from settlement.retail.packages import Package
from settlement.retail.tariffs import Tariff
from settlement.retail.time_of_use import PERIOD_NAMES

TEN_THOUSANDTHS = 4


def tariffs_of(frame: pd.DataFrame) -> list[Tariff]:
    """Published prices of consumers, 1e-8 元."""
    return [
        Tariff(
            row.component,
            row.tariff_class,
            row.voltage_band,
            scaled(row.price_cny, 8),
            row.price_unit,
            row.region,
            row.source,
            row.source_effective_from if given(row.source_effective_from) else None,
            row.valid_from,
            row.valid_to if given(row.valid_to) else None,
        )
        for row in frame.itertuples()
    ]


def packages_of(frame: pd.DataFrame) -> dict[str, list[tuple[Any, Package]]]:
    """Packages by id, each version with the row it holds by."""
    found: dict[str, list[tuple[Any, Package]]] = defaultdict(list)
    shares = {"fixed": 100, "spot_linked": 0, "reference_linked": 0}
    for row in frame.itertuples():
        fixed = shares.get(row.kind)
        if fixed is None:
            fixed = scaled(row.fixed_share, 2) if given(row.fixed_share) else 0
        package = Package(
            row.package_id,
            row.retailer_id,
            row.kind,
            fixed,
            tuple(_whole(getattr(row, f"{name}_cny_per_mwh"), 3) for name in PERIOD_NAMES),
            row.linked_to or None,
            _whole(row.spread_cny_per_mwh, 3) or 0,
            _whole(row.cap_cny_per_mwh, 3),
            _whole(row.x1_share, TEN_THOUSANDTHS),
            _whole(row.x2_share, TEN_THOUSANDTHS),
            _whole(row.y1_cny_per_mwh, 3) or 0,
            _whole(row.y2_cny_per_mwh, 3) or 0,
            _whole(row.c1_cny_per_mwh, 3),
            _whole(row.c2_cny, 2),
            _whole(row.green_share, TEN_THOUSANDTHS) or 0,
            _whole(row.green_cny_per_certificate, 3) or 0,
        )
        found[row.package_id].append((row, package))
    return found


def _whole(value: Any, decimals: int) -> int | None:
    return scaled(value, decimals) if given(value) else None


def by_participant(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Rows by participant, in the order in which they stand."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in frame.itertuples():
        found[row.participant_id].append(row)
    return found


def holds(row: Any, day: date) -> bool:
    """True on a day on which a row is valid."""
    return bool(row.valid_from <= day and (not given(row.valid_to) or day < row.valid_to))


def given(value: object) -> bool:
    """False for what is empty."""
    return value is not None and not pd.isna(value)  # type: ignore[call-overload]
