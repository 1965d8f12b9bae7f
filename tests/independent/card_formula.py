"""Calculates the formula that is printed on a charge-code card, exactly.

Only what a card may contain is understood: numbers, names, ``+ - * /``, ``sum``, ``max``, ``min`` and ``share``.
Vectors are numpy arrays of whole numbers or fractions, one value a period; a mapping is one value a participant.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from recalculate import share as share_fen

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


def total(values: Any) -> Any:
    return sum(values.values()) if isinstance(values, Mapping) else sum(np.asarray(values).tolist())


def largest(left: Any, right: Any) -> Any:
    return np.maximum(left, right) if isinstance(left, np.ndarray) else max(left, right)


def smallest(left: Any, right: Any) -> Any:
    return np.minimum(left, right) if isinstance(left, np.ndarray) else min(left, right)


def evaluate(formula: str, given: Mapping[str, Any], to_fen: Callable[[Any], int]) -> Any:
    """The value of a formula: an amount in the units of ``given``, or fen by participant where it ends in a share.

    to_fen: turns an amount of those units into fen, half up; a pool is rounded before it is shared.
    """

    def share(pool: Any, keys: Mapping[str, Any]) -> dict[str, int]:
        if all(key == 0 for key in keys.values()):
            return dict.fromkeys(keys, 0)
        scale = 10**6  # keys are MWh, MW or 元 with at most six decimals
        return share_fen(to_fen(pool), {who: int(key * scale) for who, key in keys.items()})

    functions = {"sum": total, "max": largest, "min": smallest, "share": share}

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Expression(body=body):
                return value(body)
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return OPERATORS[type(op)](value(operand))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return functions[name](*map(value, arguments))
            case ast.Name(id=name):
                return given[name]
            case ast.Constant(value=int() as number):
                return number
        raise ValueError(f"{ast.dump(node)} is not part of a card's formula")

    return value(ast.parse(formula, mode="eval"))


def exact(value: Any, repeat: int) -> Any:
    """A value of a card as fractions: a list or a repeated number becomes a vector, a mapping stays one."""
    if isinstance(value, Mapping):
        return {who: Fraction(number) for who, number in value.items()}
    if isinstance(value, tuple):
        return np.array([Fraction(number) for number in value], dtype=object)
    return np.array([Fraction(value)] * repeat, dtype=object) if repeat > 1 else Fraction(value)
