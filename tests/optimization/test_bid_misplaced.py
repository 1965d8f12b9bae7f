"""A proposed bid with one mistake in it is never taken for a bid of the desk's own; a desk's own change is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optimization.bid_misplaced import misplaced

COLUMNS = ["period", "segment", "mw", "price_cny_per_mwh"]


def proposed(seed):
    """A bid as the model makes them: a run of periods, up to five falling segments, MW that follow a gap."""
    random = np.random.default_rng(seed)
    first, count = int(random.integers(2, 60)), int(random.integers(6, 30))
    rows = []
    for t in range(first, first + count):
        gap = 200 + 1_500 * np.sin(np.pi * (t - first + 0.5) / count) + random.uniform(0, 80)
        shares = random.dirichlet(np.full(random.integers(1, 6), 2.0))
        prices = np.sort(random.choice(np.arange(280, 900), shares.size, replace=False))[::-1]
        rows += [
            (t, n, max(1, round(gap * share)), int(price))
            for n, (share, price) in enumerate(zip(shares, prices, strict=True), start=1)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def rolled(bid, columns, by):
    return bid.assign(**{name: np.roll(bid[name], by) for name in columns})


MISTAKES = {
    "periods": lambda bid, by: bid.assign(period=bid["period"] + by),
    "MW rows": lambda bid, by: rolled(bid, ["mw"], by),
    "price rows": lambda bid, by: rolled(bid, ["price_cny_per_mwh"], by),
    "both rows": lambda bid, by: rolled(bid, ["mw", "price_cny_per_mwh"], by),
    "swapped": lambda bid, _: bid.rename(columns={"mw": "price_cny_per_mwh", "price_cny_per_mwh": "mw"}),
    "cumulative": lambda bid, _: bid.assign(mw=bid.groupby("period")["mw"].cumsum()),
    "kW": lambda bid, _: bid.assign(mw=bid["mw"] * 1_000),
    "GW": lambda bid, _: bid.assign(mw=bid["mw"] / 1_000),
    "MWh a quarter-hour": lambda bid, _: bid.assign(mw=(bid["mw"] / 4).round()),
    "元/kWh": lambda bid, _: bid.assign(price_cny_per_mwh=bid["price_cny_per_mwh"] / 1_000),
    "元/kWh made whole": lambda bid, _: bid.assign(
        price_cny_per_mwh=(bid["price_cny_per_mwh"] / 1_000).round()
    ),
}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(sorted(MISTAKES)), st.integers(1, 8), st.sampled_from([-1, 1]))
def test_every_seeded_mistake_is_caught(seed, mistake, by, sign):
    good = proposed(seed)
    bad = MISTAKES[mistake](good, by * sign)
    assume(not bad[COLUMNS].equals(good))
    assume(bad["period"].between(1, 96).sum() >= 3)
    assert len(misplaced(bad[bad["period"].between(1, 96)], good)) == 1, (mistake, by * sign)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(0.2, 2.0), st.integers(1, 6))
def test_what_a_desk_changes_by_hand_is_no_mistake(seed, factor, count):
    good, random = proposed(seed), np.random.default_rng(seed)
    chosen = random.choice(len(good), min(count, len(good)), replace=False)
    changed = good.copy()
    changed.loc[chosen, "mw"] = (changed.loc[chosen, "mw"] * factor).round().clip(lower=1).astype(int) + 1
    dearer = good.assign(price_cny_per_mwh=good["price_cny_per_mwh"] + 50)
    for bid in (good, changed, dearer, good.iloc[: len(good) // 2], proposed(seed + 1)):
        assert misplaced(bid, good) == []


@pytest.mark.parametrize(
    ("mistake", "by", "sentence"),
    [
        ("periods", 1, "with every row 1 period too late; undo it"),
        ("periods", -4, "with every row 4 periods too early"),
        ("MW rows", 1, "with its MW 1 row too low"),
        ("price rows", -2, "with its price 2 rows too high"),
        ("swapped", 0, "with the columns mw and price_cny_per_mwh swapped"),
        ("cumulative", 0, "with its MW added up over the segments"),
        ("kW", 0, "with kW instead of MW"),
        ("MWh a quarter-hour", 0, "with MWh of a quarter-hour instead of MW"),
        ("元/kWh", 0, "with 元/kWh instead of 元/MWh"),
    ],
)
def test_the_mistake_is_named(mistake, by, sentence):
    good = proposed(7)
    assert sentence in misplaced(MISTAKES[mistake](good, by), good)[0]


def test_a_bid_of_a_few_equal_rows_can_hide_no_mistake_and_one_changed_row_is_none():
    flat = pd.DataFrame([(t, 1, 500, 420) for t in range(70, 90)], columns=COLUMNS)
    assert misplaced(rolled(flat, ["mw"], 1), flat) == []
    changed = flat.copy()
    changed.loc[9, "mw"] = 450
    assert misplaced(changed, flat) == []
