"""The pre-balance (日前预电力平衡) of a day and how wrong such forecasts have been.

Curves (96,) in MW at the home node; a positive balance is a shortage to be bought in, a negative one a margin.
Errors are actual minus forecast, taken from whole past days and never smoothed, so a scenario keeps a day's shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from market.periods import PERIODS, PERIODS_PER_HOUR

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PreBalance:
    """What the province expects, each (96,) MW; NaN where unknown."""

    load: FloatArray
    reserve: FloatArray
    wind: FloatArray
    solar: FloatArray
    thermal_available: FloatArray
    tie_line_mlt: FloatArray

    def shortage_mw(self) -> FloatArray:
        """(96,) MW, positive where the province is short, negative where it has a margin (market.md D, F.6)."""
        return self.load + self.reserve - self.wind - self.solar - self.thermal_available - self.tie_line_mlt


@dataclass(frozen=True)
class ErrorHistory:
    """Forecast errors of past days, by date.

    net_load_mw: (days, 96), actual - forecast of load less wind less sun. price: (days, nodes, 96) 元/MWh at
    ``seller_nodes``. ``left_out`` names days that could not be used and why.
    """

    days: tuple[date, ...]
    seller_nodes: tuple[str, ...]
    net_load_mw: FloatArray
    price: FloatArray
    left_out: Mapping[date, str]


def error_history(
    net_load: Mapping[date, tuple[FloatArray, FloatArray]],
    prices: Mapping[str, Mapping[date, tuple[FloatArray, FloatArray]]],
    seller_nodes: Sequence[str],
) -> ErrorHistory:
    """Errors of the days on which everything is known.

    net_load: date -> (actual, forecast), each (96,) MW. prices: seller node -> date -> (actual, forecast), 元/MWh.
    A day with a missing value or without one of the prices is left out and named, not filled.
    """
    days: list[date] = []
    left_out: dict[date, str] = {}
    for day in sorted(net_load):
        pairs = {"load": net_load[day]}
        absent = [node for node in seller_nodes if day not in prices.get(node, {})]
        if absent:
            left_out[day] = f"no price or no price forecast at {', '.join(absent)}"
            continue
        pairs |= {f"price at {node}": prices[node][day] for node in seller_nodes}
        broken = [name for name, pair in pairs.items() if not np.isfinite(np.stack(pair)).all()]
        if broken:
            left_out[day] = f"missing values in {', '.join(broken)}"
            continue
        days.append(day)
    load_errors = [net_load[day][0] - net_load[day][1] for day in days]
    price_errors = [[prices[node][day][0] - prices[node][day][1] for node in seller_nodes] for day in days]
    return ErrorHistory(
        days=tuple(days),
        seller_nodes=tuple(seller_nodes),
        net_load_mw=np.array(load_errors, dtype=np.float64).reshape(len(days), PERIODS),
        price=np.array(price_errors, dtype=np.float64).reshape(len(days), len(seller_nodes), PERIODS),
        left_out=left_out,
    )


def quantiles_by_hour(errors: FloatArray, shares: Sequence[float]) -> FloatArray:
    """Empirical quantiles of errors (days, 96), pooled over the four periods of an hour: (shares, 96).

    Raises ValueError without days.
    """
    if len(errors) == 0:
        raise ValueError(
            "There is no past day to take forecast errors from; load load_forecast and load_actual."
        )
    hours = errors.reshape(len(errors), -1, PERIODS_PER_HOUR).swapaxes(0, 1).reshape(PERIODS // 4, -1)
    return np.repeat(np.quantile(hours, list(shares), axis=1), PERIODS_PER_HOUR, axis=1)


def gap_fan(shortage_mw: FloatArray, errors: FloatArray, shares: Sequence[float]) -> FloatArray:
    """Quantiles (shares, 96) of the gap in MW, never below 0: the forecast shortage plus hourly error quantiles."""
    return np.maximum(shortage_mw + quantiles_by_hour(errors, shares), 0.0)
