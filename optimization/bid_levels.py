"""Bid prices worth considering in a period: each just above a landed price of some scenario.

Between two neighbouring landed prices a lower bid clears the same MW and pays less, so a whole-yuan price just
above a landed price is all a bid needs. Nearby ones are joined to the dearest of them, which clears all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

NEAR_CNY_PER_MWH = 1e-9  # a landed price of 400.0000000001 is a binary 400


def levels(landed: Iterable[float], floor: int, cap: int, count: int) -> list[int]:
    """At most ``count`` whole prices from dear to cheap; the dearest is the near-certain one.

    landed: finite landed prices of all scenarios and paths of a period, 元/MWh. Prices above the cap cannot be bid
    and are left out; if nothing can be reached the list is empty. Raises ValueError for count < 1.
    """
    if count < 1:
        raise ValueError(f"{count} bid levels were asked for; give at least 1.")
    prices = sorted({max(floor, math.ceil(price - NEAR_CNY_PER_MWH)) for price in landed})
    groups = [price for price in prices if price <= cap]
    while len(groups) > count:
        gaps = [after - before for before, after in pairwise(groups)]
        del groups[
            gaps.index(min(gaps))
        ]  # the cheaper of the nearest two: its supply clears at the dearer one
    return groups[::-1]
