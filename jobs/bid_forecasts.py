"""What the morning expects of each series: the published forecast, or where there is none our own, and how good both were.

Series are load, wind and sun at the home node (MW), prices at the seller nodes and the provincial price (元/MWh). The
actual values behind them end where the morning's knowledge ends; ``optimization.forecast_models`` cuts them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from market.calendars import ChinaCalendar
from optimization.forecast import FloatArray
from optimization.forecast_models import LAG, NAIVE, PUBLISHED, WEEK, Made, own_forecast
from optimization.forecast_score import Score, score

LOAD, WIND, SOLAR = "load", "wind", "solar"
SELLER_PRICE, PROVINCIAL_PRICE = "seller_price", "provincial_price"
SIGN = {LOAD: 1.0, WIND: -1.0, SOLAR: -1.0}  # in load less wind less sun

Curves = Mapping[date, FloatArray]


@dataclass(frozen=True)
class Outlook:
    """One series of the day. made: the forecast that is used. scores: of each model over the mornings before."""

    series: str
    node: str
    made: Made
    scores: Mapping[str, Score]

    def pairs(self, actual: Curves) -> dict[date, tuple[FloatArray, FloatArray]]:
        """Past day -> (what came, what was forecast)."""
        return {d: (actual[d], curve) for d, curve in self.made.past.items() if d in actual}

    @property
    def curve(self) -> FloatArray:
        """(96,) of the day."""
        return self.made.curve

    def record(self) -> dict[str, Any]:
        """For the JSON beside the bid."""
        scores = {
            name: {key: None if value is None else round(value, 4) for key, value in asdict(one).items()}
            for name, one in self.scores.items()
        }
        return {"series": self.series, "node": self.node, "model": self.made.model, "scores": scores}


def outlook(
    series: str,
    node: str,
    day: date,
    published: Curves,
    actual: Curves,
    *,
    lag: int = LAG,
    score_own: bool = False,
) -> Outlook | None:
    """What is expected of a series; None where nothing is published and its history carries no model.

    published: forecasts by delivery day, of ``day`` where there is one. actual: what came, by day. score_own: judge our
    own models beside a published forecast too.
    """
    said = published.get(day)
    kind = ChinaCalendar().day_type
    if said is not None and np.isfinite(said).all():
        past = {d: curve for d, curve in published.items() if d in actual and d < day}
        made, judged = Made(PUBLISHED, said, past, {}), {PUBLISHED: past}
        if score_own and (own := own_forecast(actual, day, kind, lag=lag)) is not None:
            judged[own.model] = dict(own.past)
    else:
        own = own_forecast(actual, day, kind, lag=lag)
        if own is None:
            return None
        made, judged = own, {own.model: dict(own.past)}
    judged.setdefault(NAIVE, _naive(actual, judged[made.model]))
    common = set.intersection(*(set(curves) for curves in judged.values()))
    scores = {
        name: found
        for name, curves in judged.items()
        if (found := score({d: curves[d] for d in common}, actual, lag=lag)) is not None
    }
    return Outlook(series, node, made, scores)


def _naive(actual: Curves, days: Iterable[date]) -> dict[date, FloatArray]:
    """The same weekday a week before, which every morning knows."""
    before = {d: d - timedelta(days=WEEK) for d in days}
    return {
        d: actual[week] for d, week in before.items() if week in actual and np.isfinite(actual[week]).all()
    }
