"""A finding's sentence in Chinese: a run keeps English, and what varies in it stands in the Chinese sentence again.

The shapes are data (``data/reference/reports/findings_zh.yaml``), so a run of last year reads as well as one of today
and no finding is written twice (decision 0042).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml

NAMED = re.compile(r"\{(\w+)\}")


class Shape(NamedTuple):
    """An English sentence with what varies as groups, and the Chinese one with the same names."""

    english: re.Pattern[str]
    chinese: str


def in_chinese(code: str, sentence: str) -> str:
    """The sentence in Chinese; as it is where its shape is not known (it is never guessed or left out)."""
    for shape in _shapes().get(code, ()):
        found = shape.english.fullmatch(sentence)
        if found is not None:
            said = {name: _word(name, value) for name, value in found.groupdict(default="").items()}
            return shape.chinese.format_map(said)
    return sentence


def rule_in_chinese(rule: str) -> str:
    """The closing rule of a clearing account in Chinese, as it is where the table has none."""
    rules: Mapping[str, str] = _book()["account_rules"]  # type: ignore[assignment]
    return rules.get(rule, rule)


def is_known(code: str, sentence: str) -> bool:
    """True where the sentence has a Chinese form."""
    return any(shape.english.fullmatch(sentence) for shape in _shapes().get(code, ()))


def shape_of(english: str) -> re.Pattern[str]:
    """Text with {names} as a pattern; a name that comes again must stand for the same, ``more`` may be empty."""
    seen: set[str] = set()

    def group(name: str) -> str:
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{'.*?' if name == 'more' else '.+?'})"

    parts = NAMED.split(english)
    text = "".join(group(part) if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.compile(text, re.DOTALL)


def _word(name: str, value: str) -> str:
    """A word of a name's own table in Chinese; lists and counts that end in more are closed in Chinese."""
    word: str = _words().get(name, {}).get(value, value)
    word = re.sub(r" and (\d+) more such reads\.", r" 另有 \1 次。", word)
    word = re.sub(r"^ (\d+) more such reads\.$", r"另有 \1 次同类读数。", word)
    return re.sub(r" and (\d+) more$", r" 等（另 \1 项）", word)


@cache
def _book() -> Mapping[str, Mapping[str, object]]:
    text = files("data").joinpath("reference", "reports", "findings_zh.yaml").read_text("utf-8")
    book: Mapping[str, Mapping[str, object]] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return book


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return _book()["words"]  # type: ignore[return-value]


@cache
def _shapes() -> dict[str, tuple[Shape, ...]]:
    found: dict[str, tuple[Shape, ...]] = {}
    for code, shapes in _book()["sentences"].items():
        found[code] = tuple(Shape(shape_of(one["en"]), one["zh"]) for one in shapes)  # type: ignore[attr-defined]
    return found
