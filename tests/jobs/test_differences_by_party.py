"""What registers find beyond the days goes to the party that held the energy, shared where there were several."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jobs.month_parties import differences_by_party
from market.money import apportion

METERED, USERS = ("A", "B", "C"), ("G", "R1", "R2")
ROW = st.integers(-1, 3)  # nobody, a user, residents
SPANS = st.lists(st.tuples(*[st.tuples(ROW, st.integers(-50, 1000))] * 3), min_size=1, max_size=3)
WH = st.one_of(st.none(), st.integers(-10_000, 10_000))


@given(st.dictionaries(st.sampled_from(METERED), WH), SPANS)
def test_the_difference_of_a_customer_is_shared_by_the_energy_it_had_with_each_party(
    difference: dict, spans: list
) -> None:
    roster = SimpleNamespace(
        metered=METERED,
        users=USERS,
        spans=[
            SimpleNamespace(number=n, holder=np.array([row for row, _ in span]))
            for n, span in enumerate(spans)
        ],
    )
    inputs = SimpleNamespace(span_energy=np.array([[wh for _, wh in span] for span in spans], np.int64))
    expected: dict[str, int | None] = {}
    for who, wh in sorted(difference.items()):
        held: dict[str, int] = {}
        for span in spans:
            row, energy = span[METERED.index(who)]
            if 0 <= row < len(USERS):
                held[USERS[row]] = held.get(USERS[row], 0) + energy
        names = sorted(held)
        weights = [max(held[name], 0) for name in names]
        weights = weights if any(weights) else [1] * len(names)
        parts = [None] * len(names) if wh is None else apportion(wh, weights, names) if names else []
        for name, part in zip(names, parts, strict=True):
            before = expected.get(name, 0)
            expected[name] = None if part is None or before is None else before + part
    assert differences_by_party(difference, roster, inputs) == expected  # type: ignore[arg-type]
