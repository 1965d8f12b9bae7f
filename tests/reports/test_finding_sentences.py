"""Findings read in Chinese: every sentence the code can write has a Chinese shape, and nothing in it is lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.profiles import profile
from reports.finding_sentences import NAMED, _shapes, in_chinese, is_known
from reports.labels import FINDINGS, Labels

ROOT = Path(__file__).resolve().parents[2]
PATCHES = {"same": "retailer", "verb": "verb"}  # a name the Chinese sentence says by another one


def written(node: ast.expr) -> str | None:
    """The text of a string or f-string with X for what varies; None where it is put together elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = written(node.left), written(node.right)
        return None if None in sides else "".join(side or "" for side in sides)
    return None


def sentences() -> Iterator[tuple[str, str]]:
    """Every finding whose code and sentence stand in its call, and every table of sentences by code."""
    for room in ("settlement", "jobs"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") == "Finding"
                    and len(node.args) > 3
                ):
                    code, sentence = written(node.args[0]), written(node.args[3])
                    if code in FINDINGS and sentence is not None:
                        yield code, sentence
                if isinstance(node, ast.Dict):
                    for key, value in zip(node.keys, node.values, strict=True):
                        code, sentence = key and written(key), written(value)
                        if (
                            code in FINDINGS
                            and sentence
                            and " " in sentence
                            and file.parent.name != "explain"
                        ):
                            yield code, NAMED.sub("X", sentence).replace("{0}", "X")


def test_every_sentence_in_the_code_has_its_chinese_shape() -> None:
    found = sorted(set(sentences()))
    assert len(found) > 70
    unknown = [(code, sentence) for code, sentence in found if not is_known(code, sentence)]
    assert unknown == [], "give these sentences a shape in data/reference/reports/findings_zh.yaml"


def test_every_code_with_a_name_has_a_sentence() -> None:
    assert FINDINGS.keys() - _shapes().keys() == set()


@pytest.mark.parametrize("code", sorted(_shapes()))
def test_what_varies_in_the_english_sentence_stands_in_the_chinese_one(code: str) -> None:
    for shape in _shapes()[code]:
        english, chinese = set(shape.english.groupindex), set(NAMED.findall(shape.chinese))
        assert chinese <= english
        assert english - chinese <= {"unit", "same"}  # "period(s)", and a name said twice


@pytest.mark.parametrize("name", ["SD_2022", "SD_2025"])
def test_every_clearing_account_says_in_chinese_how_it_closes(name: str) -> None:
    rules = {account.rule for account in profile(name).settled[1].accounts}
    assert {rule for rule in rules if Labels().closing_rule(rule) == rule} == set()


def test_numbers_and_names_are_carried_over_and_known_words_translated() -> None:
    sentence = (
        "The real-time price of node SD_B is missing on 2022-07-03 19:15, 2022-07-03 19:30, 2022-07-03 19:45 and 4 more; "
        "every amount that rests on it is missing. Deliver a prices file with these values."
    )
    said = in_chinese("missing_price", sentence)
    assert said == (
        "节点 SD_B 的实时电价在 2022-07-03 19:15, 2022-07-03 19:30, 2022-07-03 19:45 等（另 4 项） 缺失，依赖它的金额全部缺失。"
        "请补送含这些时段的 prices。"
    )


def test_a_sentence_of_an_unknown_shape_stays_as_it_was_written() -> None:
    assert in_chinese("missing_price", "Something new about {braces}.") == "Something new about {braces}."
    assert in_chinese("no_such_code", "Something new.") == "Something new."


def test_english_pages_keep_the_sentence() -> None:
    sentence = "Event E1: not enough history"
    assert Labels("en").sentence("response_not_settled", sentence) == sentence
    assert (
        Labels("zh").sentence("response_not_settled", sentence)
        == "事件 E1 的响应无法结算：not enough history"
    )
