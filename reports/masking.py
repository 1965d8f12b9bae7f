"""Masked lines: pseudonyms by a keyed hash, and groups of class × city with at least five participants each.

A pseudonym is HMAC-SHA256 of the id under the home's secret: the same id has the same pseudonym in every export of a
home, and who has the export but not the secret can neither compute nor test one. Where a class has fewer than five
participants in a city, the city is left out; where it has fewer than five without it, its lines are left out. A group
whose sum is four fifths one participant's shows no sum. Exact amounts stay: who knows a user's energy to the Wh can
find its row, so a masked export is for analysts of the company, its groups for anyone.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

import pandas as pd

LEAST_GROUP = 5
DOMINANT = Decimal("0.8")
ANY_CITY = "*"


@dataclass(frozen=True)
class Masked:
    """lines: pseudonym, class, city, charge_code, quantity_mwh, amount_cny, quality. groups: class, city, charge_code,
    participants, quantity_mwh, amount_cny (None where one participant dominates). suppressed: participants left out."""

    lines: pd.DataFrame
    groups: pd.DataFrame
    suppressed: int


def pseudonym(participant_id: str, secret: bytes) -> str:
    """Sixteen hexadecimal digits of the keyed hash."""
    return hmac.new(secret, participant_id.encode(), sha256).hexdigest()[:16]


def masked(lines: pd.DataFrame, parties: pd.DataFrame, secret: bytes) -> Masked:
    """lines: a run's lines. parties: participant_id, kind, tariff_class, city, one row a participant."""
    known = parties[parties["participant_id"].isin(set(lines["participant_id"]))]
    place = _places(known)
    kept = lines[lines["participant_id"].isin(place.index)]
    rows = pd.DataFrame(
        {
            "pseudonym": [pseudonym(who, secret) for who in kept["participant_id"]],
            "class": place.loc[kept["participant_id"], "class"].to_numpy(),
            "city": place.loc[kept["participant_id"], "city"].to_numpy(),
            **{
                name: kept[name].to_numpy()
                for name in ("charge_code", "quantity_mwh", "amount_cny", "quality")
            },
        }
    ).sort_values(["pseudonym", "charge_code"], kind="stable", ignore_index=True)
    return Masked(rows, _groups(rows), int(lines["participant_id"].nunique() - len(place)))


def _places(parties: pd.DataFrame) -> pd.DataFrame:
    """Class and city to be shown, by participant; who would stand in a smaller group is left out.

    The rest of a class, whose cities are left out, counts as one group: it too has five or is left out.
    """
    tariff = parties["tariff_class"].fillna("").astype(str)
    classes = parties["kind"].astype(str) + tariff.where(tariff == "", "/" + tariff)
    found = pd.DataFrame({"class": classes.to_numpy(), "city": parties["city"].fillna("").to_numpy()})
    found.index = pd.Index(parties["participant_id"])
    in_city = found.groupby(["class", "city"])["city"].transform("size")
    found.loc[(in_city < LEAST_GROUP) | (found["city"] == ""), "city"] = ANY_CITY
    group = found.groupby(["class", "city"])["city"].transform("size")
    return found[group >= LEAST_GROUP]


def _groups(rows: pd.DataFrame) -> pd.DataFrame:
    made = []
    for (of_class, city, code), group in rows.groupby(["class", "city", "charge_code"], sort=True):
        members = group["pseudonym"].nunique()
        amounts = [amount for amount in group["amount_cny"] if amount is not None]
        whole = sum(map(abs, amounts), Decimal(0))
        shown = (
            members >= LEAST_GROUP
            and len(amounts) == len(group)
            and max(map(abs, amounts)) <= DOMINANT * whole
        )
        quantities = list(group["quantity_mwh"])
        energy = sum(quantities, Decimal(0)) if shown and all(one is not None for one in quantities) else None
        made.append((of_class, city, code, members, energy, sum(amounts, Decimal(0)) if shown else None))
    columns = ["class", "city", "charge_code", "participants", "quantity_mwh", "amount_cny"]
    return pd.DataFrame(made, columns=columns)
