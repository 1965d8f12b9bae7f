"""The statement on paper: what stands on it, in letters and not in boxes, or a sentence in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import typst
from programs import fonts_of_pdf, text_of_pdf
from small_month import made_content
from test_statement_causes import two_causes

from jobs.doctor import examine
from jobs.report import write_reports
from reports import chinese_fonts
from reports.chinese_fonts import NoChineseFontError, chinese_font
from reports.content import Party, RunContent
from reports.labels import Labels
from reports.statement_facts import Statement
from reports.statement_pdf import statement_pdf
from settlement.findings import Finding, Severity
from warehouse.home import Home


def needs_font() -> str:
    try:
        return chinese_font()
    except NoChineseFontError as missing:
        pytest.skip(str(missing))


def paper(content: RunContent, folder: Path) -> Path:
    needs_font()
    file = folder / "statement.pdf"
    findings = list(content.findings)
    file.write_bytes(statement_pdf(Statement(content, "W1", None, findings, Labels())))
    return file


def test_lines_causes_fingerprint_and_anchor_stand_on_the_paper(tmp_path: Path) -> None:
    content = two_causes()
    text = text_of_pdf(paper(content, tmp_path))
    for said in (
        "电费结算单",
        "202207-W1-D2",
        "123,464.79",
        "123,456.79",
        "8.00",
        "计量数据、价格",
        "审计日志锚",
    ):
        assert said in text
    assert text.count(content.head.fingerprint) == 2  # in the head and at the foot of the page


def test_it_is_drawn_in_a_chinese_font(tmp_path: Path) -> None:
    pdf = paper(made_content(), tmp_path)
    family = needs_font().replace(" ", "").lower()
    assert any(family[:8] in font.lower().replace("-", "") for font in fonts_of_pdf(pdf))


def test_a_name_or_reason_cannot_become_markup(tmp_path: Path) -> None:
    evil = '#panic("x") $x$ *bold* _it_ <label> @ref'
    content = made_content(
        people=[Party("W1", evil, "wholesale_user", "jinan")],
        findings=[Finding("missing_reading", Severity.REVIEW, "W1", evil)],
    )
    text = text_of_pdf(paper(content, tmp_path))
    assert text.count('#panic("x") $x$ *bold*') == 2


def test_the_same_statement_is_the_same_bytes() -> None:
    needs_font()
    statement = Statement(two_causes(), "W1", None, [], Labels())
    assert statement_pdf(statement) == statement_pdf(statement)


def test_without_a_chinese_font_paper_is_refused_with_how_to_mend_it(
    printed_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = typst.Fonts(include_system_fonts=False)
    monkeypatch.setattr(chinese_fonts, "fonts", lambda: bare)
    with pytest.raises(NoChineseFontError, match=r"apt-get install fonts-wqy-microhei"):
        write_reports(printed_home, "2022-07 draft v1", participants=["W1"], pdf=True)
    (check,) = [one for one in examine(printed_home) if one.name == "Chinese font"]
    assert not check.passed
    assert "boxes" in check.sentence


def test_paper_is_printed_where_it_is_asked_for(printed_home: Home) -> None:
    needs_font()
    written = write_reports(printed_home, "2022-07 draft v1", participants=["W1"], pdf=True)
    assert [path.name for path in written.papers] == ["2022-07_W1_draft-v1.pdf"]
    assert written.papers[0].read_bytes().startswith(b"%PDF")
