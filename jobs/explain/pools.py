"""A line that is a share of a pool: what the pool is made of, the key, and the share to the fen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from jobs.explain.run import RunData
from jobs.month_facts import classes_by_day
from jobs.roster import SUPPLY_KINDS, USER_KINDS, valid_in
from market.money import apportion, scaled, yuan
from market.tables import ParticipantKind
from reports.explanation import Pool, Share, Source
from settlement.capacity import capacity_keys
from settlement.parties import Parties
from settlement.passthrough import CODE as GAIN_LOSS
from settlement.passthrough import Keys, shares_of
from settlement.purchases import DIRECT, TRANSMISSION, sale_code

CREDITED = (sale_code("day_ahead"), sale_code("intraday"), TRANSMISSION, DIRECT)
OWN_POOLS = (GAIN_LOSS, "capacity_compensation", "congestion", "position_mismatch")
REFERENCE = "interprovincial_reference"


def pool_of(run: RunData, who: str, code: str) -> tuple[Pool, tuple[Source, ...]]:
    """The pool behind a line and the rows its key comes from. Raises NotExplainedError where it does not close."""
    if code == GAIN_LOSS:
        return _gain_loss(run, who), ()
    if code == "capacity_compensation":
        return _capacity(run, who, code)
    return _by_energy(run, who, code), ()


def _gain_loss(run: RunData, who: str) -> Pool:
    """Landed cost less provincial value, under the profile's policy (market.md A.11)."""
    pool = run.fen(GAIN_LOSS)
    made_of = [*((code, -run.fen(code)) for code in CREDITED), (REFERENCE, -run.reference_fen())]
    parties, keys = _parties_and_keys(run)
    shares, _ = shares_of(pool, run.matrix.charge(GAIN_LOSS), parties, keys)
    mine = [
        Share(
            share.group,
            yuan(share.pool_fen or 0),
            Decimal(share.keys[who] or 0).scaleb(-6),
            Decimal(sum(max(wh or 0, 0) for wh in share.keys.values())).scaleb(-6),
            "MWh",
            yuan(share.fen[who] or 0),
        )
        for share in shares
        if who in share.fen
    ]
    return _checked(run, who, GAIN_LOSS, pool, made_of, mine)


def _parties_and_keys(run: RunData) -> tuple[Parties, Keys]:
    """Who could pay and by which key, from the lines of the run."""
    kind = {**run.roster.kind, **run.roster.party_kind}
    metered, passed_on = run.wh("energy_real_time"), run.wh(GAIN_LOSS)
    users = {who: wh for who, wh in metered.items() if kind[who] in USER_KINDS}
    units = {who: wh for who, wh in metered.items() if kind[who] == ParticipantKind.GENERATOR}
    # a line that shares states its key: all of a unit's output, of a storage what it delivered
    generators = units | {who: wh for who, wh in passed_on.items() if kind[who] in SUPPLY_KINDS}
    agency = {who: wh for who, wh in passed_on.items() if who in run.roster.agency_users}
    fell_back = run.found("passthrough_key_zero")  # then the lines carry the residual's key, not the policy's
    deviation = {who: 0 if fell_back else passed_on.get(who, 0) for who in users}
    parties = Parties(
        users=tuple(users),
        generators=tuple(generators),
        grid_company=run.roster.grid_company,
        kind=kind,
        city={},
        measured_ppm={},
        agency_energy=agency,
        capacity_mw_micro={},
        without_contract=frozenset(),
    )
    return parties, Keys(users, generators, deviation)


def _by_energy(run: RunData, who: str, code: str) -> Pool:
    """Congestion and mismatch: minus (energy account less the import's value), apart, by users' energy (ruling 6)."""
    made_of: list[tuple[str, int]] = []
    if code == "congestion":
        made_of = [
            *((part.code, -run.fen(part.code)) for part in run.matrix.charges if part.account == "energy"),
            (REFERENCE, run.reference_fen()),
            ("position_mismatch", -run.fen("position_mismatch")),
            ("curve_mismatch", -run.fen("curve_mismatch")),
        ]
    pool = run.fen(code)
    keys = {payer: max(wh or 0, 0) for payer, wh in run.wh(code).items()}
    return _checked(run, who, code, pool, made_of, [_share(who, pool, keys, "MWh")])


def _capacity(run: RunData, who: str, code: str) -> tuple[Pool, tuple[Source, ...]]:
    """What users paid for capacity, to units by available capacity or, by class, by mean market output (B.4)."""
    capacity = run.read("capacity_available")
    units = capacity[
        (capacity["month"] == str(run.month)) & capacity["participant_id"].isin(run.roster.generators)
    ]
    days = tuple(run.month.days())
    classes = classes_by_day(valid_in(run.read("participants"), run.month), days)
    stated = {
        unit: scaled(mw, 6) for unit, mw in zip(units["participant_id"], units["capacity_mw"], strict=True)
    }
    of_class = {unit: classes[unit][-1] if unit in classes else None for unit in run.roster.generators}
    rules, sold = run.profile.settled[0], run.wh("energy_real_time")
    sold |= {who: wh for who, wh in run.wh(code).items() if run.roster.kind[who] == ParticipantKind.STORAGE}
    found = capacity_keys(rules, len(days), days[-1], of_class, stated, sold)
    keys = {unit: watts for unit, watts in found.items() if watts is not None}
    rows = run.lines[run.lines["charge_code"] == code].set_index("participant_id")["amount_cny"]
    pool = sum(scaled(rows[unit], 2) for unit in keys)
    collected = [(code, -sum(scaled(rows[user], 2) for user in rows.index if user not in keys))]
    shares = [_share(who, pool, dict(sorted(keys.items())), "MW")]
    own = units[units["participant_id"] == who]
    sources = run.files.records("capacity_available", own, "participant_id", ("capacity_mw",))
    return _checked(run, who, code, pool, collected, shares), tuple(sources)


def _share(who: str, pool: int, keys: Mapping[str, int], unit: str) -> Share:
    fen = dict(zip(keys, apportion(pool, list(keys.values()), list(keys)), strict=True))
    own, total = Decimal(keys[who]).scaleb(-6), Decimal(sum(keys.values())).scaleb(-6)
    return Share("all", yuan(pool), own, total, unit, yuan(fen[who]))


def _checked(
    run: RunData,
    who: str,
    code: str,
    pool: int,
    made_of: Sequence[tuple[str, int]],
    shares: Sequence[Share],
) -> Pool:
    parts = sum(fen for _, fen in made_of)
    run.agree(code, who, not made_of or parts == pool, "the parts of the pool", yuan(parts), yuan(pool))
    mine = sum((share.amount_cny for share in shares), Decimal(0))
    amount = run.line(who, code).amount_cny
    run.agree(code, who, mine == amount, "the shares", mine, amount)
    return Pool(yuan(pool), tuple((part, yuan(fen)) for part, fen in made_of if fen), tuple(shares))
