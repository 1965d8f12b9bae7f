"""Shanxi (market.md B.5) as a test profile: another province's payers are data, its energy formula is the same money."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_markets import FIRST, PROFILES, World, with_trades_and_events, world
from small_market import with_charges

from market.profiles import RuleProfile
from settlement.facts import FeeAmount

SEEDS = st.integers(0, 10**9)
WRITTEN = yaml.safe_load((Path(__file__).parent / "shanxi.yaml").read_text("utf-8"))
START, AGC = 100_001_00, 60_000_07  # fen


@pytest.fixture(scope="module")
def shanxi() -> RuleProfile:
    base = with_charges(PROFILES["SD_2022"], WRITTEN["accounts"], WRITTEN["charges"])
    rules = base.provincial.model_copy(update=WRITTEN["rules"])
    return base.model_copy(update={"provincial": rules, "name": "SX_V15_test"})


def month(seed: int, rules: RuleProfile) -> World:
    """A random month under the profile; contracts settle against the unified day-ahead price, as in B.5."""
    one = with_trades_and_events(replace(world(seed, "SD_2022"), rules=rules), seed)
    units = one.parties.generators
    facts = replace(
        one.facts,
        fees=(
            FeeAmount("sx_startup", FIRST, units[0], START, ""),
            FeeAmount("sx_agc", FIRST, units[0], AGC, ""),
        ),
        standards={},
        tariff_class={unit: ("wind" if n else "coal",) * len(one.days) for n, unit in enumerate(units)},
    )
    days = tuple(
        replace(day, prices=replace(day.prices, reference=day.prices.user_day_ahead)) for day in one.days
    )
    return replace(one, facts=facts, days=days)


def with_wind(rules: RuleProfile) -> World:
    return next(one for seed in range(50) if len((one := month(seed, rules)).parties.generators) == 3)


def test_starts_go_to_renewables_and_users_one_to_one_and_regulation_20_30_50(shanxi: RuleProfile) -> None:
    one = with_wind(shanxi)
    fen: dict[tuple[str, str], int] = {}
    for line in one.settle().lines:
        kind = one.parties.kind.get(line.participant_id, "")
        group = {"G1": "thermal"}.get(line.participant_id, "wind") if kind == "generator" else "users"
        fen[line.charge_code, group] = fen.get((line.charge_code, group), 0) + (line.amount_fen or 0)
    half = START // 2
    assert {fen["sx_startup_share", "wind"], fen["sx_startup_share", "users"]} <= {half, half + 1}
    assert ("sx_startup_share", "thermal") not in fen
    assert [round(fen["sx_agc_share", group] / AGC, 6) for group in ("thermal", "wind", "users")] == [
        0.2,
        0.3,
        0.5,
    ]


def test_the_gain_or_loss_between_provinces_is_borne_by_generators_and_users_one_to_one(
    shanxi: RuleProfile,
) -> None:
    one = next(m for seed in range(50) if (m := month(seed, shanxi)).trades)
    lines = [line for line in one.settle().lines if line.charge_code == "interprovincial_gain_loss"]
    of_units = sum(line.amount_fen or 0 for line in lines if line.participant_id in one.parties.generators)
    of_users = sum(line.amount_fen or 0 for line in lines if line.participant_id in one.parties.users)
    units = [unit for unit in one.parties.generators if one.parties.kind[unit] == "generator"]
    assert len(lines) == len(units) + len(one.parties.users)
    assert abs(of_units - of_users) <= 1


@settings(max_examples=10)
@given(SEEDS)
def test_shanxis_energy_formula_is_the_money_of_ours_and_every_account_closes(shanxi, seed: int) -> None:
    """C = ΣQ_c·P_c + Σ(Q_DA − Q_c)·P_DAu + Σ(Q_act − Q_DA)·P_RTu + C_调平  (SX15 §9; B.5)."""
    one = month(seed, shanxi)
    result = one.settle()
    lines = {(line.participant_id, line.charge_code): line.amount_fen or 0 for line in result.lines}
    users = one.parties.users
    nano = dict.fromkeys(users, 0)
    for day in one.days:
        deals = day.contracts
        for row, who in enumerate(users):
            bought = (deals.buyer == row).astype(int) - (deals.seller == row)
            agreed = bought @ deals.quantity
            nano[who] += int(bought * deals.price @ deals.quantity.sum(axis=1))
            nano[who] += int((day.position[row] - agreed) @ day.prices.user_day_ahead)
            nano[who] += int((day.use[row] - day.position[row]) @ day.prices.user_real_time)
    for who, exact in nano.items():
        ours = sum(lines.get((who, code), 0) for code in ("energy_real_time", "energy_day_ahead", "contract"))
        assert abs(ours * 10**7 - exact) <= 3 * 5 * 10**6  # three lines, half a fen each
    unpaid = {found.subject for found in result.findings if found.code == "pool_without_key"}
    held = {one.rules.settled[1].charge(code).account for code in unpaid}
    closing = {account.account: account.closing_fen for account in result.accounts}
    for account in one.rules.settled[1].accounts:
        if account.closes == "zero" and account.code not in held:
            assert closing[account.code] == 0, account.code
