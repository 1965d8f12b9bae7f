"""The reports as people open them: LibreOffice computes every check again, Chromium shows and prints the page."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from openpyxl import load_workbook
from programs import Opened, converted, fonts_of_pdf, printed, program, text_of_pdf, with_wrong_results
from small_month import made_content
from test_reports_month_page import province
from test_reports_statement import flat_curve
from test_statement_causes import METERS, two_causes

from reports.labels import Labels
from reports.metered import Metered
from reports.month_page import month_page
from reports.statement import statement
from reports.workbook import province_workbook

SOAK = bool(os.environ.get("GRIDSETTLE_SOAK"))
ERRORS = ("#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#N/A", "#NUM!", "Err:")
CHINESE_FONTS = (
    "WenQuanYi",
    "Noto",
    "SourceHan",
    "CJK",
    "Droid",
    "YaHei",
    "SimSun",
    "PingFang",
    "Uming",
    "Ukai",
)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A statement with two causes and its province, every stored result of a formula made wrong, computed again."""
    program("soffice", "libreoffice")
    folder = tmp_path_factory.mktemp("office")
    content = two_causes()
    made = {
        "statement": statement(content, "W1", Metered(flat_curve(), METERS), [], Labels()),
        "province": province_workbook(content, Labels()),
    }
    wrong = []
    for name, raw in made.items():
        (folder / f"as_written_{name}.xlsx").write_bytes(raw)
        wrong.append(with_wrong_results(folder / f"as_written_{name}.xlsx", folder / f"{name}.xlsx"))
    out = folder / "computed"
    out.mkdir()
    return converted(wrong, "xlsx", out)


def test_in_libreoffice_every_check_computes_to_zero_and_ok(books: list[Path]) -> None:
    book = load_workbook(books[0], data_only=True)
    verdicts = [row[3].value for row in book["汇总"].iter_rows() if row[3].value in ("OK", "不符")]
    assert verdicts == ["OK"] * 6
    lines = book["科目明细"]
    assert (lines["E8"].value, lines["E9"].value) == (pytest.approx(123439.79), 0)
    assert book["分时(96点)"].cell(36, 98).value == pytest.approx(2.976)
    assert book["差异桥"]["F5"].value == 0
    assert abs(book["分日"].cell(38, 3).value) < 0.005


def test_in_libreoffice_no_cell_is_an_error(books: list[Path]) -> None:
    for file in books:
        for sheet in load_workbook(file, data_only=True):
            cells = [cell for row in sheet.iter_rows() for cell in row]
            assert cells
            bad = [
                cell.coordinate
                for cell in cells
                if cell.data_type == "e" or str(cell.value).startswith(ERRORS)
            ]
            assert bad == [], sheet.title
            assert 99 not in {
                cell.value for cell in cells if cell.data_type == "n" and sheet.title != "分时(96点)"
            }


@pytest.mark.skipif(not SOAK, reason="printing from LibreOffice runs in the long tests")
def test_the_statement_prints_from_libreoffice_in_a_chinese_font(books: list[Path]) -> None:
    (pdf,) = converted([books[0]], "pdf", books[0].parent)
    text = text_of_pdf(pdf)
    assert "电费结算单" in text
    assert "123,439.79" in text
    assert [font for font in fonts_of_pdf(pdf) if any(name in font for name in CHINESE_FONTS)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program("chromium", "chromium-browser", "google-chrome")
    file = tmp_path_factory.mktemp("page") / "month_2022-07.html"
    file.write_text(month_page(two_causes(), province(), Labels()), "utf-8")
    return file


def test_chromium_opens_the_month_page_offline_without_a_complaint(page: Path) -> None:
    opened = Opened(page, page.parent)
    assert opened.console == []
    assert opened.asked == []
    for figure in ("123,464.79", "2022-07 draft v1", made_content().head.fingerprint):
        assert figure in opened.dom
    assert opened.dom.count('class="main-svg"') >= 2  # the charts were drawn


def test_a_page_that_asks_outside_or_complains_is_found_out(tmp_path: Path) -> None:
    program("chromium", "chromium-browser", "google-chrome")
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://outside.invalid/x.png"><script>nothing()</script>', "utf-8")
    opened = Opened(bad, tmp_path)
    assert opened.asked == ["http://outside.invalid/x.png"]
    assert "nothing is not defined" in opened.console[0]


def test_the_month_page_prints_with_its_figures(page: Path) -> None:
    pdf = printed(page, page.parent)
    text = text_of_pdf(pdf)
    assert "月度结算报告" in text
    assert "123,464.79" in text
    assert [font for font in fonts_of_pdf(pdf) if any(name in font for name in CHINESE_FONTS)]
