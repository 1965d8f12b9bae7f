"""Who bears the gain or loss of inter-provincial purchases (market.md A.11; S14 7.3 b; rulings 3, 5, 8).

Grain out: one line per payer of the month's pool, fen by largest remainder, ties by participant id; the lines
sum to the pool exactly. A positive pool is a charge: the purchases cost more than the provincial price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from market.money import apportion, yuan
from market.profiles import Charge
from market.tables import ParticipantKind
from settlement.findings import Finding, Severity
from settlement.lines import Lines
from settlement.parties import Parties

CODE = "interprovincial_gain_loss"
BY_DEVIATION = "market_users_by_positive_deviation"
HALVES = "gens_users_1to1"
WITH_KEY = (
    ParticipantKind.WHOLESALE_USER,
    ParticipantKind.RETAILER,
    ParticipantKind.VPP,
    ParticipantKind.GRID_COMPANY,
    ParticipantKind.GENERATOR,
    ParticipantKind.STORAGE,
    ParticipantKind.AGENCY_USER,
)


@dataclass(frozen=True)
class Keys:
    """Wh of the month by participant, None where missing.

    users: metered use in their book (a retailer's customers, the grid company's agency users). generators:
    delivered; of a storage what it delivered, without what it took. deviation: use above the day-ahead position, empty unless the policy asks for it.
    """

    users: Mapping[str, int | None]
    generators: Mapping[str, int | None]
    deviation: Mapping[str, int | None]


@dataclass(frozen=True)
class Share:
    """One group of payers, its part of the pool and its key: what ``run explain`` shows."""

    group: str
    pool_fen: int | None
    keys: Mapping[str, int | None]
    fen: Mapping[str, int | None]


def needs_deviation(policy: str) -> bool:
    """True for the one policy that needs ``settle_day(…, positive_deviation=True)``."""
    return policy == BY_DEVIATION


def gain_loss_lines(
    pool_fen: int | None, charge: Charge, parties: Parties, keys: Keys
) -> tuple[Lines, list[Finding]]:
    """Lines of the pool under the charge's policy; ``charge`` is of a matrix ``under`` that policy.

    pool_fen: landed cost less the provincial value, None when missing. What a key cannot place goes to the
    residual payers by monthly energy, with a finding. Raises ValueError for a payer kind without a key, or
    when nobody has energy.
    """
    shares, findings = shares_of(pool_fen, charge, parties, keys)
    quantity: dict[str, int | None] = {}
    fen: dict[str, int | None] = {}
    for share in shares:
        for who, part in share.fen.items():
            quantity[who] = share.keys[who]
            fen[who] = part if who not in fen else _added(fen[who], part)
    payers = sorted(fen)
    lines = Lines.of_charge(
        CODE,
        payers,
        [quantity[who] for who in payers],
        [fen[who] for who in payers],
        city=parties.city,
        measured_ppm=parties.measured_ppm,
    )
    return lines, findings


def shares_of(
    pool_fen: int | None, charge: Charge, parties: Parties, keys: Keys
) -> tuple[list[Share], list[Finding]]:
    """The pool by group of payers. Arguments and errors as ``gain_loss_lines``."""
    groups = _groups(charge, parties, keys)
    residual = _of_kinds(charge.residual_payers, parties, keys.users)
    if pool_fen is None or any(None in group.values() for group in groups.values()):
        unknown = groups if any(groups.values()) else {"residual": residual}
        return [Share(name, None, group, dict.fromkeys(group)) for name, group in unknown.items()], []
    parts = dict(zip(groups, apportion(pool_fen, [1] * len(groups), list(groups)), strict=True))
    shares, left = [], 0
    for name, group in groups.items():
        if parts[name] and not any((wh or 0) > 0 for wh in group.values()):
            left += parts[name]
        else:
            shares.append(Share(name, parts[name], group, _apportioned(parts[name], group)))
    if not left:
        return shares, []
    if None in residual.values():
        return [*shares, Share("residual", None, residual, dict.fromkeys(residual))], []
    if not any((wh or 0) > 0 for wh in residual.values()):
        raise ValueError(
            f"{yuan(left)} 元 of inter-provincial gain or loss cannot be passed on: under {charge.policy} no payer "
            "has a key, and no commercial or industrial user has energy in the month. Deliver their readings."
        )
    shares.append(Share("residual", left, residual, _apportioned(left, residual)))
    return shares, [_no_key(charge, left)]


def _groups(charge: Charge, parties: Parties, keys: Keys) -> dict[str, dict[str, int | None]]:
    strange = [kind for kind in charge.payers if kind not in WITH_KEY]
    if strange:
        raise ValueError(
            f"{', '.join(strange)} cannot pay {CODE}: no monthly energy is settled for that kind. Name users, "
            "generators or agency users as payers in charges.yaml."
        )
    if needs_deviation(str(charge.policy)) and len(keys.deviation) < len(parties.users):
        raise ValueError(
            f"{charge.policy} shares by positive deviation, which was not measured; call settle_day with "
            "positive_deviation=True."
        )
    agency = dict(parties.agency_energy) if ParticipantKind.AGENCY_USER in charge.payers else {}
    of_users = keys.deviation if needs_deviation(str(charge.policy)) else keys.users
    users = _of_kinds(charge.payers, parties, of_users)
    generators = {who: wh for who, wh in keys.generators.items() if parties.kind[who] in charge.payers}
    if charge.policy == HALVES:
        return {"generators": generators, "users": {**users, **agency}}
    return {"all": {**generators, **users, **agency}}


def _of_kinds(kinds: Sequence[str], parties: Parties, key: Mapping[str, int | None]) -> dict[str, int | None]:
    return {who: key[who] for who in parties.users if parties.kind[who] in kinds}


def _apportioned(fen: int, group: Mapping[str, int | None]) -> dict[str, int | None]:
    weights = [max(wh or 0, 0) for wh in group.values()]
    return dict(zip(group, apportion(fen, weights, list(group)), strict=True))


def _no_key(charge: Charge, left: int) -> Finding:
    return Finding(
        "passthrough_key_zero",
        Severity.REVIEW,
        str(charge.policy),
        f"{yuan(left)} 元 of the inter-provincial gain or loss find no key under {charge.policy} ({charge.key}); they "
        f"are shared by monthly energy over {', '.join(charge.residual_payers)} instead.",
        evidence={"policy": charge.policy, "fen": left},
        amount_at_stake_fen=abs(left),
    )


def _added(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right
