"""Who bears the cost of an event (谁受益、谁承担): one cost in fen, shared to the fen (A5; rulings 26, 27).

A charge to a participant is positive; a negative cost is a credit by the same weights. Drivers are whole
numbers, a negative driver counts as 0. The order of input rows never matters, ties go by participant id.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from numbers import Integral
from typing import Any, cast

import numpy as np
import pandas as pd

from demand_response.exact import Exact, exact
from demand_response.games import random_arrival, random_arrival_sampled, talmud
from market.money import apportion

EXACT_CLAIMS = 12
SAMPLES = 10_000
SEED = 0

DRIVERS = {
    "consumption": ("consumption_wh",),
    "users_and_nonmarket_generation": ("consumption_wh", "nonmarket_generation_wh"),
    "positive_deviation": ("deviation_wh",),
    "benefit": ("benefit_fen",),
    "two_tranche": ("benefit_fen",),
    "talmud": ("benefit_fen",),
    "shapley": ("benefit_fen",),
}
RULES = tuple(DRIVERS)
RESIDUAL_RULES = ("consumption", "users_and_nonmarket_generation")
COLUMNS = ["participant_id", "tranche", "driver", "charge_fen"]


def allocate(
    cost_fen: int,
    drivers: pd.DataFrame,
    rule: str = "two_tranche",
    residual_rule: str = "users_and_nonmarket_generation",
) -> pd.DataFrame:
    """Charges of one event: participant_id, tranche, driver, charge_fen; charges sum to ``cost_fen`` exactly.

    drivers: participant_id and the columns the rule names (``DRIVERS``); those of the residual rule are read
    only when something is left for it. ``benefit``, ``two_tranche``, ``talmud`` and ``shapley`` charge no one
    more than its benefit and leave the rest; every rule leaves all when no driver is positive. Rows are
    sorted by participant id, the rule's tranche first; a tranche that places nothing is left out.

    Raises ValueError for an unknown rule, a column or value that is missing, a participant named twice, or a
    residual nobody can bear. Source: M1, M3, M6, M7, M9 of A5, C3; ruling 27.
    """
    if rule not in RULES:
        raise ValueError(f"Allocation rule {rule!r} is not known; choose one of {', '.join(RULES)}.")
    if residual_rule not in RESIDUAL_RULES:
        raise ValueError(
            f"Residual rule {residual_rule!r} is not known; choose one of {', '.join(RESIDUAL_RULES)}."
        )
    cost, payers = _fen(cost_fen), _by_id(drivers)
    tranche = "benefit" if DRIVERS[rule] == ("benefit_fen",) else rule
    weights = _weights(payers, rule)
    bearable = sum(weights) if tranche == "benefit" else abs(cost) * any(weights)
    placed = min(abs(cost), bearable)
    left = abs(cost) - placed

    tranches = []
    if placed or not left:
        parts = _to_fen(placed, _key(placed, weights, rule), payers)
        tranches.append(_tranche(payers, tranche, weights, parts, cost))
    if left:
        base = _weights(payers, residual_rule)
        if not any(base):
            raise ValueError(
                f"{left} fen of {cost} cannot be placed: rule {rule} leaves them and no participant has a positive "
                f"driver for the residual rule {residual_rule}; choose another residual rule or complete the drivers."
            )
        tranches.append(_tranche(payers, "residual", base, _to_fen(left, base, payers), cost))
    return pd.concat(tranches, ignore_index=True)


def zonal(
    cost_fen: int, drivers: pd.DataFrame, states: Sequence[tuple[Exact, frozenset[str]]]
) -> pd.DataFrame:
    """M8: load-ratio shares over the zones that benefit, weighted by how likely each grid state is (NYISO B2.2).

    drivers: participant_id, zone, consumption_wh. states: (probability, zones that benefit), e.g. all zones
    without congestion and one side of a constrained interface with it; probabilities sum to 1.
    x_i = C sum_k Prob_k [zone_i in Benef_k] L_i / sum_{j in Benef_k} L_j.
    Returns the columns of ``allocate`` with tranche ``zonal``. Raises ValueError for probabilities that do not
    sum to 1, a state in which no zone has load, and as ``allocate`` does.
    """
    cost, payers = _fen(cost_fen), _by_id(drivers)
    if "zone" not in payers:
        raise ValueError(
            "The drivers have no column zone; the zonal rule needs the zone of each participant."
        )
    chances = [exact(probability) for probability, _ in states]
    if sum(chances) != 1 or min(chances) < 0:
        raise ValueError(
            f"The probabilities of the grid states are {[str(p) for p in chances]}; they must sum to 1."
        )
    load, zones = _weights(payers, "consumption"), payers["zone"].tolist()
    shares = [Fraction(0)] * len(load)
    for chance, (_, benefiting) in zip(chances, states, strict=True):
        inside = [w if zone in benefiting else 0 for w, zone in zip(load, zones, strict=True)]
        total = sum(inside)
        if chance and not total:
            raise ValueError(
                f"No participant has load in the zones {sorted(benefiting)}; a grid state must name a zone with load."
            )
        if total:
            unit = abs(cost) * chance / total
            shares = [share + unit * w for share, w in zip(shares, inside, strict=True)]
    return _tranche(payers, "zonal", load, _to_fen(abs(cost), shares, payers), cost)


def _key(placed: int, weights: list[int], rule: str) -> Sequence[Fraction | int]:
    """What the placed cost is proportional to: the exact shares of the rule, or the drivers themselves."""
    if placed and rule == "talmud":
        return talmud(placed, weights)
    if placed and rule == "shapley":
        if sum(weight > 0 for weight in weights) <= EXACT_CLAIMS:
            return random_arrival(placed, weights)
        return random_arrival_sampled(placed, weights, SAMPLES, SEED)
    return weights


def _to_fen(total: int, key: Sequence[Fraction | int], payers: pd.DataFrame) -> list[int]:
    """``total`` in proportion to ``key`` as whole fen, by largest remainder."""
    scale = math.lcm(*(part.denominator for part in key)) if Fraction in set(map(type, key)) else 1
    weights = key if scale == 1 else [part * scale for part in key]
    return apportion(total, cast("Sequence[int]", weights), list(map(str, payers["participant_id"].tolist())))


def _tranche(
    payers: pd.DataFrame, tranche: str, driver: list[int], fen: list[int], cost: int
) -> pd.DataFrame:
    charges = fen if cost >= 0 else [-part for part in fen]
    return pd.DataFrame(
        {
            "participant_id": payers["participant_id"],
            "tranche": tranche,
            "driver": pd.Series(driver, index=payers.index, dtype="int64"),
            "charge_fen": pd.Series(charges, index=payers.index, dtype="int64"),
        },
        columns=COLUMNS,
    )


def _fen(cost: int) -> int:
    if not isinstance(cost, Integral):
        raise ValueError(f"The cost is {cost!r}; give whole fen, so 90.00 yuan is 9000.")
    return int(cost)


def _by_id(drivers: pd.DataFrame) -> pd.DataFrame:
    """The drivers by participant id as text."""
    if "participant_id" not in drivers:
        raise ValueError("The drivers have no column participant_id; give one row a participant.")
    ids = drivers["participant_id"]
    if ids.isna().any() or ids.duplicated().any():
        wrong = ids[ids.isna() | ids.duplicated()].iloc[0]
        raise ValueError(
            f"Participant {wrong} is missing or stands twice in the drivers; give one row a participant."
        )
    names = list(map(str, ids.tolist()))
    if all(before <= after for before, after in pairwise(names)):
        return drivers.reset_index(drop=True)
    order = sorted(range(len(names)), key=names.__getitem__)
    return drivers.iloc[order].reset_index(drop=True)


def _weights(payers: pd.DataFrame, rule: str) -> list[int]:
    """The rule's driver of each payer, negative parts counted as 0."""
    parts = [_positive(payers, column, rule) for column in DRIVERS[rule]]
    return parts[0] if len(parts) == 1 else [sum(values) for values in zip(*parts, strict=True)]


def _positive(payers: pd.DataFrame, column: str, rule: str) -> list[int]:
    if column not in payers:
        raise ValueError(f"The drivers have no column {column}, which rule {rule} needs; add it.")
    values = payers[column]
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iu":
        return cast("list[int]", np.maximum(values.to_numpy(), 0).tolist())
    rows = zip(payers["participant_id"], values.tolist(), strict=True)
    return [max(0, _whole(value, column, participant)) for participant, value in rows]


def _whole(value: Any, column: str, participant: Any) -> int:
    number = None if pd.isna(value) else exact(value)
    if number is None or number.denominator != 1:
        raise ValueError(
            f"{column} of participant {participant} is {value}; drivers are whole numbers, and a missing one "
            "must be settled before the cost is shared."
        )
    return number.numerator
