"""Games in coalition form: the Shapley value, exact and sampled (C2; ruling 28).

A game is a dictionary {frozenset of players: worth} or a function of a frozenset; the empty set may be left
out and is worth 0. Results are exact fractions in player order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from demand_response.exact import Number, exact

MOST_PLAYERS = 20

Worth = Mapping[Any, Number] | Callable[[frozenset[Any]], Number]


def worths(v: Worth, players: Sequence[Hashable]) -> list[Fraction]:
    """Worth of every coalition; bit i of the position stands for ``players[i]``."""
    check_players(players)
    return [
        worth(v, frozenset(player for i, player in enumerate(players) if mask >> i & 1))
        for mask in range(1 << len(players))
    ]


def worth(v: Worth, coalition: frozenset[Any]) -> Fraction:
    """v(S). Raises ValueError for a coalition the dictionary does not name."""
    if not coalition and not (isinstance(v, Mapping) and coalition in v):
        return Fraction(0)
    if not isinstance(v, Mapping):
        return exact(v(coalition))
    if coalition not in v:
        named = ", ".join(sorted(map(str, coalition)))
        raise ValueError(
            f"The game gives no worth for the coalition {{{named}}}; name every non-empty coalition."
        )
    return exact(v[coalition])


def check_players(players: Sequence[Hashable]) -> None:
    """Raises ValueError for no player or a player named twice."""
    if len(players) == 0 or len(set(players)) != len(players):
        raise ValueError(f"The players are {list(players)}; name at least one, and each of them once.")


def shapley_exact(v: Worth, players: Sequence[Hashable]) -> list[Fraction]:
    """phi_i = sum over S without i of |S|! (n-|S|-1)! / n! (v(S+i) - v(S)); up to 20 players.

    Raises ValueError for more players, a player named twice, or a missing coalition.
    """
    n = len(players)
    if n > MOST_PLAYERS:
        raise ValueError(
            f"{n} players have {2**n:,} coalitions; the exact Shapley value takes up to {MOST_PLAYERS}, "
            "use shapley_sampled."
        )
    values = worths(v, players)
    scale = math.lcm(*(value.denominator for value in values))
    whole = [int(value * scale) for value in values]
    weight = [math.factorial(size) * math.factorial(n - size - 1) for size in range(n)]
    totals = [0] * n
    for mask, base in enumerate(whole):
        size = mask.bit_count()
        for i in range(n):
            if not mask >> i & 1:
                totals[i] += weight[size] * (whole[mask | 1 << i] - base)
    return [Fraction(total, scale * math.factorial(n)) for total in totals]


def shapley_sampled(v: Worth, players: Sequence[Hashable], samples: int, seed: int) -> list[Fraction]:
    """Mean marginal worth over ``samples`` random orders; sums to v(N) exactly, the same for the same seed.

    Raises ValueError for fewer than one sample, a player named twice, or a missing coalition.
    """
    check_players(players)
    if samples < 1:
        raise ValueError(f"{samples} samples give no mean; take at least 1.")
    known: dict[frozenset[Any], Fraction] = {}
    totals = [Fraction(0)] * len(players)
    generator = np.random.default_rng(seed)
    for _ in range(samples):
        coalition: frozenset[Any] = frozenset()
        before = Fraction(0)
        for i in generator.permutation(len(players)).tolist():
            coalition |= {players[i]}
            if coalition not in known:
                known[coalition] = worth(v, coalition)
            totals[i] += known[coalition] - before
            before = known[coalition]
    return [total / samples for total in totals]
