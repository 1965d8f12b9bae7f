"""The page of a session: what it counts, that it opens offline, and that a name in a file cannot become markup."""

from __future__ import annotations

import json
import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from market.profiles import profile
from optimization.clearing import clear
from optimization.clearing_inputs import ATC_COLUMNS, PATH_COLUMNS, SEGMENT_COLUMNS
from optimization.session_check import COLUMNS
from reports.session_numbers import PATHS_DRAWN, SessionNumbers
from reports.session_page import SessionPage, session_page
from reports.session_words import SessionLabels

# docs/formulas/clearing.md, in period 73, and a period 74 in which nothing meets
OFFERS = [("甲", 73, 1, 100, 200), ("甲", 73, 2, 100, 250), ("乙", 73, 1, 100, 210), ("乙", 74, 1, 50, 900)]
BIDS = [("丙", 73, 1, 120, 500), ("丙", 73, 2, 100, 380), ("丙", 74, 1, 50, 300)]
PATHS = [
    ("甲一", 1, "S1", "甲", "丙", 20, 0),
    ("甲一", 2, "IN", "甲", "丙", 10, 0.1),
    ("甲二", 1, "S2", "甲", "丙", 100, 0),
    ("乙一", 1, "S3", "乙", "丙", 10, 0),
    ("乙一", 2, "IN", "乙", "丙", 10, 0.1),
]
ATC = [("IN", 73, 120), ("S2", 73, 90), ("S2", 74, 0)]


def session(offers=OFFERS, bids=BIDS, paths=PATHS, atc=ATC) -> SessionNumbers:
    frames = [
        pd.DataFrame(rows, columns=list(columns))
        for rows, columns in (
            (offers, SEGMENT_COLUMNS),
            (bids, SEGMENT_COLUMNS),
            (paths, PATH_COLUMNS),
            (atc, ATC_COLUMNS),
        )
    ]
    return SessionNumbers(*frames, clear(*frames))


def page(numbers: SessionNumbers, lang: str = "zh", findings: list[tuple[str, ...]] | None = None) -> str:
    return session_page(
        SessionPage(
            date(2022, 7, 22),
            "day_ahead",
            1,
            profile("IPSPOT_2022_TRIAL"),
            numbers,
            pd.DataFrame(findings or [], columns=COLUMNS),
            [("offers", "offers.csv", "ab" * 32, 4)],
        ),
        SessionLabels(lang),
    )


def embedded(html: str) -> dict:
    return json.loads(re.search(r'id="session-data">(.*?)</script>', html, re.S)[1])


def test_money_and_energy_are_those_of_the_hand_worked_case() -> None:
    numbers = session()
    # an hour of it is 70,860 = 58,980 + 11,880 元 and 210 MWh sold, 198 bought; a period is a quarter of that
    assert (numbers.sell_mwh, numbers.buy_mwh) == pytest.approx((52.5, 49.5))
    assert numbers.seller_cny == pytest.approx(14_745)
    assert numbers.transmission_cny == pytest.approx(2_970)
    assert numbers.buyer_cny == pytest.approx(17_715, abs=0.0005 * 49.5)


def test_capability_used_counts_both_paths_of_a_section() -> None:
    uses = {one.name: one for one in session().sections()}
    assert (uses["IN"].highest_mw, uses["IN"].share, uses["IN"].full_periods) == pytest.approx((120, 1, 1))
    assert (uses["S2"].highest_mw, uses["S2"].share, uses["S2"].full_periods) == pytest.approx((90, 1, 1))
    assert (uses["S1"].share, uses["S1"].full_periods) == (None, 0)  # no limit
    assert np.isnan(session().used_share[1, 1])  # S2 is closed in period 74


def test_a_node_shows_its_stack_its_converted_bids_and_the_pair_behind_its_price() -> None:
    period = session().pictures()["periods"][0]
    seller = {node["node"]: node for node in period["nodes"]}["甲"]
    assert seller["offers"] == [[100, 200], [100, 250]]
    assert {bid["path"]: bid["steps"][0] for bid in seller["bids"]} == {
        "甲一": [133.333, 421],
        "甲二": [120, 400],
    }
    assert (seller["sold"], seller["price"], seller["pair"]) == (150, 265, [280, 250])
    assert [trade[0] for trade in period["trades"]] == [1, 2, 3, 4, 5]


def test_a_period_without_trades_is_there_and_says_so() -> None:
    period = session().pictures()["periods"][1]
    assert (period["label"], period["trades"]) == ("18:30", [])
    assert [node["price"] for node in period["nodes"]] == [None]


def test_a_pair_that_truncation_cut_away_is_not_shown() -> None:
    offers = [("甲", 73, 1, 10.6, 200), ("甲", 73, 2, 0.2, 210)]
    frames = [
        pd.DataFrame(offers, columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame([("丙", 73, 1, 99, 300)], columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame([("P", 1, "L", "甲", "丙", 0, 0)], columns=list(PATH_COLUMNS)),
        pd.DataFrame([], columns=list(ATC_COLUMNS)),
    ]
    numbers = SessionNumbers(*frames, clear(*frames, profile="IPSPOT_2026"))
    assert numbers.pictures()["periods"][0]["nodes"][0]["pair"] is None


def test_of_many_paths_only_those_that_traded_are_drawn() -> None:
    paths = [(f"P{k}", 1, f"L{k}", "甲", "丙", 10 * k, 0) for k in range(PATHS_DRAWN + 2)]
    numbers = session(offers=OFFERS[:2], bids=BIDS[:2], paths=paths, atc=[])
    assert [bid["path"] for bid in numbers.pictures()["periods"][0]["nodes"][0]["bids"]] == ["P0"]


@pytest.mark.parametrize(("lang", "title"), [("zh", "省间现货交易出清 2022-07-22 日前"), ("en", "day-ahead")])
def test_the_page_is_one_file_that_asks_nothing_from_outside(lang: str, title: str) -> None:
    html = page(session(), lang)
    assert title in html
    assert html.count("<script>") >= 2
    own = html.split("</script>", 1)[1]  # behind the library
    assert not re.search(r'(src|href)\s*=\s*["\']', own)
    assert html == page(session(), lang)


def test_the_page_carries_every_period_and_the_findings() -> None:
    html = page(session(), findings=[("price_off_step", "review", "SD", "SD bids 400.5.", "{}")])
    data = embedded(html)
    assert [period["period"] for period in data["periods"]] == [73, 74]
    assert "SD bids 400.5." in html
    assert "价格非整步长" in html


def test_a_name_from_a_file_stays_text() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    rename = {"甲": evil, "甲一": evil + "&1"}
    offers, bids, paths = (
        [tuple(rename.get(cell, cell) if isinstance(cell, str) else cell for cell in row) for row in rows]
        for rows in (OFFERS, BIDS, PATHS)
    )
    html = page(session(offers, bids, paths))
    assert "<img" not in html.split("</head>", 1)[1]
    assert evil in {node["node"] for node in embedded(html)["periods"][0]["nodes"]}


def test_a_session_in_which_nothing_traded_has_a_page() -> None:
    html = page(session(bids=[]))
    assert "本场没有成交" in html
    assert page(session(offers=[], bids=[]))
