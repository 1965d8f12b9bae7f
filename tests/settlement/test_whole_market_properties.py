"""Whatever the market: both layers together balance, close by their rule, carry on, and know no order.

Users, generators, storages and a virtual power plant, consumers of every kind, purchases between provinces, an event, fees,
registers above and below the days, prices of any sign.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_markets import PROFILES, World, reordered, with_trades_and_events, world
from small_consumers import (
    FIXED,
    LINKED,
    OTHERS,
    RESIDENTS,
    SUPPLIERS,
    agency,
    billed,
    curves,
    retail,
    use_of,
    wholesale,
)

from settlement.ledger import participant_account
from settlement.month import MonthSettlement
from settlement.retail.books import with_bills
from settlement.retail.use import ConsumerUse, Customer, Span, levelled

SEEDS = st.integers(0, 10**9)
BOTH = pytest.mark.parametrize("name", sorted(PROFILES))
MID = 14
Totals = dict[tuple[str, str], int]

OF_A_PLANT = replace(LINKED, package_id="SPOT220003", retailer_id="V1")
BEFORE: dict[str, Customer | None] = {
    "A1": agency(),
    "A2": agency(tariff_class="general_industry", basic_fee=None),
    "RES": RESIDENTS,
    "T1": retail("T1", FIXED),
    "T2": retail("T2", LINKED),
    "T3": retail("T3", LINKED),
    "T4": retail("T4", OF_A_PLANT),
    "W1": wholesale(),
}
AFTER = {**BEFORE, "T3": retail("T3", OTHERS), "A2": retail("A2", LINKED)}


def consumers(seed: int, name: str) -> ConsumerUse:
    draw = np.random.default_rng(seed)
    names = tuple(BEFORE)
    energy = curves(seed, len(names))
    use = use_of(names, energy, rules=PROFILES[name].consumer)
    difference = {who: int(draw.integers(-(10**7), 10**7)) for who in names if draw.integers(0, 2)}
    return replace(use, levelled=levelled(names, use.energy, difference))


def in_order(use: ConsumerUse, rows: list[int]) -> ConsumerUse:
    return replace(
        use,
        participants=tuple(use.participants[row] for row in rows),
        periods=use.periods[rows],
        missing=use.missing[rows],
        spot={stage: of[rows] for stage, of in use.spot.items()},
        spot_missing={stage: of[rows] for stage, of in use.spot_missing.items()},
        levelled=None if use.levelled is None else use.levelled[rows],
    )


def settled(one: World, use: ConsumerUse, openings: Mapping[str, int] | None = None) -> MonthSettlement:
    """Both layers of the month."""
    first = one.settle(openings)
    lines: dict[str, dict[str, int | None]] = defaultdict(dict)
    for line in first.lines:
        lines[line.charge_code][line.participant_id] = line.amount_fen
    spans = [
        Span(0, MID, tuple(BEFORE[who] for who in use.participants)),
        Span(MID, 31, tuple(AFTER[who] for who in use.participants)),
    ]
    bills = billed(use, spans, rules=one.rules.consumer, first_layer=lines)
    return with_bills(first, [bills], SUPPLIERS, one.rules.settled[1], openings or {})


def whole_market(seed: int, name: str) -> World:
    return with_trades_and_events(world(seed, name), seed)


def by_line(result: MonthSettlement) -> Totals:
    found = {(line.participant_id, line.charge_code): line.amount_fen for line in result.lines}
    assert len(found) == len(result.lines)
    assert None not in found.values()
    return found  # type: ignore[return-value]


@BOTH
@settings(max_examples=12)
@given(SEEDS)
def test_both_layers_balance_and_every_account_closes_by_its_rule(name: str, seed: int) -> None:
    one = whole_market(seed, name)
    openings = {"startup": 12_345, "agency_result": -77, "rounding": 3}
    result = settled(one, consumers(seed, name), openings)
    assert sum(posting.amount_fen for posting in result.postings) == 0
    unpaid = {found.subject for found in result.findings if found.code == "pool_without_key"}
    matrix = one.rules.settled[1]
    held = {matrix.charge(code).account for code in unpaid}
    closing = {account.account: account for account in result.accounts}
    for account in matrix.accounts:
        if account.closes == "zero" and account.code not in held:
            assert closing[account.code].closing_fen == 0, account.code
    own = sum(one.movement_fen for one in result.accounts if one.account.startswith("participant:"))
    clearing = sum(one.movement_fen for one in result.accounts if not one.account.startswith("participant:"))
    assert own + clearing == 0


@BOTH
@settings(max_examples=12)
@given(SEEDS)
def test_what_a_statement_adds_up_to_is_what_stands_on_the_account_and_was_posted(
    name: str, seed: int
) -> None:
    result = settled(whole_market(seed, name), consumers(seed, name))
    stated: dict[str, int] = defaultdict(int)
    for (who, _), fen in by_line(result).items():
        stated[participant_account(who)] += fen
    posted: dict[str, int] = defaultdict(int)
    for posting in result.postings:
        if posting.participant_id is not None:
            posted[participant_account(posting.participant_id)] += posting.amount_fen
    own = {one.account: one.closing_fen for one in result.accounts if one.account.startswith("participant:")}
    assert own == dict(stated) == dict(posted)


@BOTH
@settings(max_examples=8)
@given(SEEDS, SEEDS)
def test_no_order_of_rows_participants_or_consumers_matters(name: str, seed: int, order: int) -> None:
    one, use = whole_market(seed, name), consumers(seed, name)
    rows = np.random.default_rng(order).permutation(len(use.participants)).tolist()
    shuffled = replace(reordered(one, order), trades=one.trades[::-1], events=one.events[::-1])
    assert by_line(settled(shuffled, in_order(use, rows))) == by_line(settled(one, use))


@BOTH
@settings(max_examples=5)
@given(SEEDS)
def test_what_both_layers_carry_is_the_next_months_opening_over_three_months(name: str, seed: int) -> None:
    matrix = PROFILES[name].settled[1]
    carrying = {account.code for account in matrix.accounts if account.closes == "carry_forward"}
    assert {"agency_result", "rounding", "startup"} <= carrying
    openings = dict.fromkeys(carrying, 0)
    moved = dict.fromkeys(carrying, 0)
    for month in range(3):
        result = settled(whole_market(seed + month, name), consumers(seed + month, name), openings)
        for account in result.accounts:
            if account.account in carrying:
                assert account.opening_fen == openings[account.account]
                moved[account.account] += account.movement_fen
        openings = {one.account: one.closing_fen for one in result.accounts if one.account in carrying}
    assert openings == moved


def test_a_wholesale_user_pays_network_fees_on_its_register_and_nothing_of_a_book() -> None:
    use = consumers(5, "SD_2022")
    lines = by_line(settled(whole_market(5, "SD_2022"), use))
    second = {charge.code for charge in PROFILES["SD_2022"].settled[1].charges if charge.layer == "consumer"}
    assert {code for who, code in lines if who == "W1"} & second == {
        *("line_loss_fee", "transmission_fee", "system_operation_fee", "government_funds"),
        *("basic_fee", "power_factor"),
    }
    row = use.participants.index("W1")
    kwh = int(use.by_register[row].sum())
    assert lines["W1", "transmission_fee"] == (2 * kwh * 12_630_000 + 10**9) // (2 * 10**9)
