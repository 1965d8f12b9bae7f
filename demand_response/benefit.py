"""What an event is worth to those who did not respond (B1; rulings 25, 29; F3).

The price without the event is an estimate in floats from one day's supply stack and becomes whole mills
(0.001 元/MWh) before any money is made of it; exposures are whole Wh, benefits whole nano yuan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from demand_response.day_selection import FloatArray
from demand_response.exact import Number, exact
from market.curves import is_missing
from market.money import INT64_MAX, IntArray, OverflowBoundError, peak

KNOTS = np.linspace(0.0, 0.9, 10)  # quantiles of load; the last slope rests on a tenth of the day


@dataclass(frozen=True)
class NetBenefit:
    """``benefit`` and ``cost`` in the price's currency, ``unit_cost``: what a MWh costs with the payment in it."""

    passes: bool
    benefit: float
    cost: float
    unit_cost: float


def net_benefit_test(
    load_before_mwh: Number,
    load_after_mwh: Number,
    price_before: Number,
    price_after: Number,
    payment: Number | None = None,
) -> NetBenefit:
    """Does the lower price save buyers more than the response costs them (FERC 745; ruling 29)?

    benefit = (P0 - P1) Q1; cost = payment where given, else P1 (Q0 - Q1); equality does not pass. Compared
    exactly, reported as floats. Raises ValueError unless 0 < load_after_mwh <= load_before_mwh.
    """
    Q0, Q1, P0, P1 = (exact(x) for x in (load_before_mwh, load_after_mwh, price_before, price_after))
    if not 0 < Q1 <= Q0:
        raise ValueError(
            f"The load goes from {load_before_mwh} to {load_after_mwh} MWh; the test judges a reduction, "
            "so give 0 < load_after_mwh <= load_before_mwh."
        )
    benefit = (P0 - P1) * Q1
    cost = P1 * (Q0 - Q1) if payment is None else exact(payment)
    return NetBenefit(benefit > cost, float(benefit), float(cost), float(P1 + cost / Q1))


@dataclass(frozen=True)
class CurtailmentValue:
    """What a curtailed customer is paid, what it saves on its bill, and both together."""

    payment: float
    avoided_bill: float
    total: float


def curtailment_value(
    energy_mwh: Number, price: Number, avoided_rate: Number, *, pay_full_price: bool
) -> CurtailmentValue:
    """Value of curtailing at ``price`` a load that pays ``avoided_rate`` per MWh for supply (B1, TC-23).

    The older rule pays price - avoided_rate, so that the customer gains the price once; paying the full
    price (FERC 745) adds the avoided bill on top. Raises ValueError for a negative quantity.
    """
    energy, P, G = exact(energy_mwh), exact(price), exact(avoided_rate)
    if energy < 0:
        raise ValueError(f"The curtailed energy is {energy_mwh} MWh; give 0 or more.")
    paid = energy * (P if pay_full_price else P - G)
    return CurtailmentValue(float(paid), float(energy * G), float(paid + energy * G))


@dataclass(frozen=True, eq=False)
class SupplyCurve:
    """Price in mills at a load in Wh: ``base`` + sum of ``slopes`` x (load - ``knots``)+, slopes >= 0.

    Flat below the least load seen, rising ever more steeply, with the last slope beyond the greatest.
    """

    base: float
    knots: FloatArray
    slopes: FloatArray

    def price(self, load: IntArray | FloatArray | float) -> FloatArray:
        """Mills at each load (Wh); same shape."""
        above = np.maximum(np.asarray(load, dtype=np.float64)[..., None] - self.knots, 0)
        return np.asarray(self.base + above @ self.slopes, dtype=np.float64)


def supply_curve(load_wh: IntArray, price_mills: IntArray) -> SupplyCurve:
    """A convex, non-decreasing supply stack through one day's (load, price) points, by least squares.

    load_wh, price_mills: (n,), usually 96 quarter-hours of the system and its price. Hinges stand at the
    tenths of load, their weights are non-negative least squares. Raises ValueError for other shapes or fewer than two points.
    """
    load, price = np.asarray(load_wh, dtype=np.float64), np.asarray(price_mills, dtype=np.float64)
    if load.ndim != 1 or load.shape != price.shape or load.size < 2:
        raise ValueError(
            f"Loads have shape {load.shape} and prices {price.shape}; give one load and one price a period."
        )
    if is_missing(load_wh).any() or is_missing(price_mills).any():
        raise ValueError("A load or price is missing; leave the period out or load the missing data.")
    span = float(np.ptp(load))
    if span == 0:
        return SupplyCurve(float(price.mean()), np.zeros(1), np.zeros(1))
    knots = np.unique(np.quantile(load, KNOTS))
    hinges = np.maximum(load[:, None] - knots, 0) / span
    level = np.ones((load.size, 1))
    weights, _ = nnls(np.hstack([level, -level, hinges]), price)
    return SupplyCurve(float(weights[0] - weights[1]), knots, weights[2:] / span)


def counterfactual(
    curve: SupplyCurve,
    load_wh: IntArray,
    response_wh: IntArray,
    *,
    headroom_mills: IntArray | None = None,
) -> IntArray:
    """Price rise without the event, mills, int64 (96,): price(load + response) - price(load), floored at 0.

    load_wh: the load that came about; response_wh: verified reduction, positive for a cut. Exactly 0 where
    there was no response. ``headroom_mills``: price cap minus actual price, which no rise can pass.
    Raises ValueError when the shapes differ or a figure is missing in a period with response.
    """
    headroom = np.full(load_wh.shape, INT64_MAX) if headroom_mills is None else headroom_mills
    if not load_wh.shape == response_wh.shape == headroom.shape:
        raise ValueError(
            f"The load has shape {load_wh.shape}, the response {response_wh.shape} and the headroom "
            f"{headroom.shape}; give each per period."
        )
    gaps = np.flatnonzero(
        (response_wh != 0) & (is_missing(load_wh) | is_missing(response_wh) | is_missing(headroom))
    )
    if gaps.size:
        raise ValueError(
            f"Period {int(gaps[0]) + 1} has a response but its load, response or headroom is missing "
            f"({gaps.size} periods in all); load the missing data before judging the price."
        )
    rise = np.maximum(curve.price(load_wh + response_wh) - curve.price(load_wh), 0)
    whole = np.floor(rise + 0.5).astype(np.int64)  # half up; what leaves a solver is on the market's step
    return np.where(response_wh == 0, 0, np.clip(whole, 0, np.maximum(headroom, 0)))


def position_or_contract(
    day_ahead_wh: IntArray, contract_wh: IntArray, has_day_ahead: NDArray[np.bool_]
) -> IntArray:
    """Q_DA, (rows, 96): the contract curve stands in where a participant has no day-ahead position (ruling 25)."""
    return np.where(has_day_ahead[:, None], day_ahead_wh, contract_wh)


def exposure_benefit(
    delta_da: IntArray,
    delta_rt: IntArray,
    day_ahead_wh: IntArray | None,
    contract_wh: IntArray,
    use_wh: IntArray,
    other_gain: IntArray | None = None,
) -> IntArray:
    """Saving of each participant from lower prices, nano yuan, int64 (rows,) (ruling 25, which replaces M7's Q).

    b = sum over quarter-hours of max(0, dP_DA (Q_DA - Q_c) + dP_RT (E - Q_DA) + other gain).
    delta_da, delta_rt: counterfactual - actual price, mills, (96,), 0 outside the event; delta_da is 0 for an
    event called after day-ahead clearing. day_ahead_wh, contract_wh, use_wh: Wh, (rows, 96); day_ahead_wh
    None: nobody has a day-ahead position, Q_DA = Q_c. Only the uncovered part gains: a full contract earns 0.
    other_gain: nano yuan, (rows, 96), what the price does not show (``retailer_gain``, ``avoided_rota``).
    Raises ValueError for shapes that do not fit, OverflowBoundError where int64 could be passed.
    """
    Q_DA, Q_c, E = contract_wh if day_ahead_wh is None else day_ahead_wh, contract_wh, use_wh
    other = np.zeros((1, 1), np.int64) if other_gain is None else other_gain
    if (
        not Q_DA.shape == Q_c.shape == E.shape
        or E.ndim != 2
        or {delta_da.shape, delta_rt.shape} != {E.shape[1:]}
        or other.shape not in {E.shape, (1, 1)}
    ):
        raise ValueError(
            f"Energies have shapes {Q_DA.shape}, {Q_c.shape}, {E.shape}, price changes {delta_da.shape}, "
            f"{delta_rt.shape} and other gains {other.shape}; give energies and gains as (participants, periods) and "
            "prices as (periods,)."
        )
    bound = E.shape[1] * (
        peak(delta_da) * (peak(Q_DA) + peak(Q_c)) + peak(delta_rt) * (peak(E) + peak(Q_DA)) + peak(other)
    )
    if bound > INT64_MAX or peak(Q_DA) + max(peak(Q_c), peak(E)) > INT64_MAX:
        raise OverflowBoundError(
            f"Benefits up to {bound:.3e} would pass the int64 bound {INT64_MAX:.3e}; check that no energy or price "
            "is missing and that units are Wh and 0.001 元/MWh."
        )
    gain = delta_da * (Q_DA - Q_c) + delta_rt * (E - Q_DA) + other
    return np.asarray(np.maximum(gain, 0).sum(axis=1), dtype=np.int64)


def retailer_gain(reduction_wh: IntArray, price_mills: IntArray, retail_price_mills: int) -> IntArray:
    """What a retailer gains because its customers drew less, nano yuan, (retailers, 96); negative where it loses.

    (P1 - retail price) x reduction of its customers: it buys less at the spot price and sells less at the retail
    price (A5 remarks). reduction_wh: (retailers, 96) Wh taken off by their customers. price_mills: (96,), actual.
    Raises OverflowBoundError where int64 could be passed.
    """
    margin = price_mills - retail_price_mills
    if peak(reduction_wh) * peak(margin) > INT64_MAX:
        raise OverflowBoundError(
            f"A reduction of {peak(reduction_wh)} Wh at a margin of {peak(margin)} mills passes int64; check the units."
        )
    return np.asarray(reduction_wh * margin, dtype=np.int64)


def avoided_rota(avoided_wh: IntArray, share: Sequence[int], value_of_lost_load_mills: int) -> IntArray:
    """Orderly use (有序用电) that an emergency event spared each participant, nano yuan, (participants, 96).

    VoLL x energy not cut off x the participant's part of the rota (轮次), rounded down. avoided_wh: (96,), the
    shortage the response covered. share: whole weights of the rota, at least one positive.
    Raises ValueError without a positive share or for a negative figure. Source: demand_response.md A5 remarks, F3, 2.
    """
    weights = [int(part) for part in share]
    if (
        min(weights, default=0) < 0
        or not any(weights)
        or value_of_lost_load_mills < 0
        or (avoided_wh < 0).any()
    ):
        raise ValueError(
            "The rota needs shares of 0 or more with one above 0, and energy and value of lost load of 0 or more."
        )
    worth, whole = [value_of_lost_load_mills * int(wh) for wh in avoided_wh], sum(weights)
    return np.array([[nano * part // whole for nano in worth] for part in weights], dtype=np.int64)
