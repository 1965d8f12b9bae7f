"""``gridsettle clear``: a session from files, whatever form they come in, and what is refused with a sentence."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import cli
from jobs.clear import ClearedSession, clear_session
from jobs.session_files import SessionFileError, SessionName
from market.periods import LABELS

SEGMENTS = "node,period,segment,mw,price_cny_per_mwh\n"
OFFERS = SEGMENTS + "甲,73,1,100,200\n甲,73,2,100,250\n乙,73,1,100,210\n"
BIDS = SEGMENTS + "丙,73,1,120,500\n丙,73,2,100,380\n"
PATHS = (
    "path_id,seq,section_id,seller_node,buyer_node,tariff_cny_per_mwh,loss_rate\n"
    "甲一,1,S1,甲,丙,20,0\n甲一,2,IN,甲,丙,10,0.1\n甲二,1,S2,甲,丙,100,0\n乙一,1,S3,乙,丙,10,0\n乙一,2,IN,乙,丙,10,0.1\n"
)
ATC = "section_id,period,mw\nIN,73,120\nS2,73,90\n"
TEXTS = {"offers": OFFERS, "bids": BIDS, "paths": PATHS, "atc": ATC}
Cleared = Callable[..., ClearedSession]


@pytest.fixture
def clear(tmp_path: Path) -> Cleared:
    """Write the session's files, those given replacing the case of docs/formulas/clearing.md, and clear it."""

    def run(
        *,
        encoding: str = "utf-8",
        session: SessionName | None = None,
        profile: str = "IPSPOT_2022_TRIAL",
        **texts,
    ) -> ClearedSession:
        files = {}
        for name, text in (TEXTS | texts).items():
            files[name] = tmp_path / f"{name}.csv"
            files[name].write_text(text, encoding=encoding)
        return clear_session(**files, out=tmp_path / "out", session=session, profile=profile)

    return run


def wide(
    key: str, names: list[str], *, period: int = 73, value: str = "120", stage: str = "day_ahead"
) -> str:
    """A curve table of one date with ``value`` in one period and 0 elsewhere."""
    rows = [f"{key},date,stage,{','.join(LABELS)}"]
    for name in names:
        cells = ["0"] * 96
        cells[period - 1] = value
        rows.append(f"{name},2022-07-22,{stage},{','.join(cells)}")
    return "\n".join(rows) + "\n"


def test_the_hand_worked_case_comes_out_of_files(clear: Cleared) -> None:
    done = clear()
    trades = pd.read_csv(done.folder / "trades.csv")
    assert trades["sell_mw"].tolist() == [60, 60, 12, 28, 50]
    assert trades["path_id"].tolist() == ["甲一", "乙一", "甲二", "甲二", "甲二"]
    prices = pd.read_csv(done.folder / "seller_prices.csv")
    assert dict(zip(prices["node"], prices["price_cny_per_mwh"], strict=True)) == {"甲": 265, "乙": 320.5}
    landed = pd.read_csv(done.folder / "landed_prices.csv", dtype=str)
    assert dict(zip(landed["path_id"], landed["price_cny_per_mwh"], strict=True)) == {
        "甲一": "326.667",
        "甲二": "365.000",
        "乙一": "377.222",
    }
    # 70,860 元 an hour is 17,715 a quarter-hour
    assert done.facts["buyer_cny"] == "17715.00"
    assert (done.facts["seller_cny"], done.facts["transmission_cny"]) == ("14745.00", "2970.00")


def test_csv_and_parquet_say_the_same_and_the_same_files_give_the_same_bytes(clear: Cleared) -> None:
    first = clear()
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    assert set(before) == {
        *(
            f"{name}.{kind}"
            for name in ("trades", "seller_prices", "landed_prices", "findings")
            for kind in ("csv", "parquet")
        ),
        "session.html",
        "session.json",
    }
    for name in ("trades", "seller_prices", "landed_prices", "findings"):
        table = pq.read_table(first.folder / f"{name}.parquet")
        rows = list(csv.reader((first.folder / f"{name}.csv").read_text().splitlines()))
        assert rows[0] == table.column_names
        assert rows[1:] == [[str(value) for value in row.values()] for row in table.to_pylist()]
    clear()
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before


def test_a_gb18030_file_and_another_row_order_clear_alike(clear: Cleared) -> None:
    plain = clear().clearing.trades
    turned = {
        name: text.splitlines()[0] + "\n" + "\n".join(reversed(text.splitlines()[1:])) + "\n"
        for name, text in TEXTS.items()
    }
    pd.testing.assert_frame_equal(clear(encoding="gb18030", **turned).clearing.trades, plain)


def test_transfer_capability_may_come_as_the_input_table(clear: Cleared) -> None:
    named = {
        name: text.replace("node,", "node,date,stage,round,", 1).replace(
            ",73,", ",2022-07-22,day_ahead,1,73,"
        )
        for name, text in (("offers", OFFERS), ("bids", BIDS))
    }
    done = clear(
        **named,
        atc=wide("section_id", ["IN"]) + wide("section_id", ["S2"], value="90").splitlines()[1] + "\n",
    )
    assert done.session == SessionName(date(2022, 7, 22), "day_ahead", 1)
    assert done.clearing.trades["sell_mw"].tolist() == pytest.approx([60, 60, 12, 28, 50])
    assert "2022-07-22 日前" in done.page.read_text()


def test_tariffs_may_come_from_the_table_sections_of_the_day(clear: Cleared, tmp_path: Path) -> None:
    sections = tmp_path / "sections.csv"
    sections.write_text(
        "section_id,name,tariff_cny_per_mwh,loss_rate,loss_included,source,valid_from,valid_to\n"
        "S1,一,99,0,0,旧,2020-01-01,2022-07-01\nS1,一,20,0,0,新,2022-07-01,\n"
        "S2,二,100,0.05,1,新,2022-07-01,\nS3,三,10,0,0,新,2022-07-01,\nIN,入,10,0.1,0,新,2022-07-01,\n"
    )
    bare = "\n".join(line.rsplit(",", 2)[0] for line in PATHS.splitlines()) + "\n"
    day = SessionName(date(2022, 7, 22))
    with pytest.raises(SessionFileError, match="no tariff_cny_per_mwh and loss_rate"):
        clear(paths=bare)
    files = {name: tmp_path / f"{name}.csv" for name in TEXTS}
    for name, text in (TEXTS | {"paths": bare}).items():
        files[name].write_text(text)
    done = clear_session(**files, out=tmp_path / "out", sections=sections, session=day)
    assert done.clearing.trades["sell_mw"].tolist() == pytest.approx([60, 60, 12, 28, 50])
    with pytest.raises(SessionFileError, match="no file names the day"):
        clear_session(**files, out=tmp_path / "out", sections=sections)


def test_of_a_node_the_newest_version_of_its_bid_counts(clear: Cleared) -> None:
    versioned = "node,period,segment,mw,price_cny_per_mwh,version\n丙,73,1,500,900,1\n丙,73,1,120,500,2\n丙,73,2,100,380,2\n"
    assert clear(bids=versioned).clearing.trades["sell_mw"].tolist() == pytest.approx([60, 60, 12, 28, 50])


def test_a_side_without_rows_clears_nothing(clear: Cleared) -> None:
    done = clear(offers=SEGMENTS)
    assert (done.facts["trades"], done.facts["sell_mwh"]) == (0, "0.000000")
    assert "本场没有成交" in done.page.read_text()


def test_negative_prices_and_capability_of_zero_are_taken(clear: Cleared) -> None:
    done = clear(
        offers=SEGMENTS + "甲,73,1,100,-50\n", atc=ATC.replace("IN,73,120", "IN,73,0"), profile="IPSPOT_2026"
    )
    assert set(done.clearing.trades["path_id"]) == {"甲二"}
    assert done.findings.empty


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            {"offers": OFFERS.replace("250", "dear")},
            "offers.csv: Line 3: The cell price_cny_per_mwh holds 'dear'",
        ),
        (
            {"offers": OFFERS.replace("mw,", "power,")},
            "offers.csv lacks the column mw; it needs node, period",
        ),
        ({"bids": BIDS.replace("丙,73,2", "丙,97,2")}, "bids.csv: Line 3: The cell period holds 97"),
        ({"bids": BIDS + "丙,73\n"}, "bids.csv line 4: The row has 2 cells, the header has 5"),
        ({"bids": BIDS + "丙,73,2,5,5\n"}, "bids: node 丙, period 73, segment 2 stands twice"),
        ({"paths": PATHS.replace(",0.1", ",10")}, "loss_rate 10; a loss is a share"),
        ({"atc": ATC.replace("120", "")}, "atc.csv: Line 2: The cell mw is empty"),
        ({"atc": ATC + "IN,73,5\n"}, "atc: section IN, period 73 stands twice"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_remedy(
    clear: Cleared, tmp_path: Path, texts: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        clear(**texts)
    assert not (tmp_path / "out").exists()


def test_many_faults_are_counted_and_the_first_are_shown(clear: Cleared) -> None:
    rows = "".join(f"甲,{t},1,x,200\n" for t in range(1, 20))
    with pytest.raises(SessionFileError, match="14 more rows are wrong"):
        clear(offers=SEGMENTS + rows)


def test_a_file_of_two_sessions_is_cleared_one_at_a_time(clear: Cleared) -> None:
    header = "node,date,stage,round,period,segment,mw,price_cny_per_mwh\n"
    offers = header + "甲,2022-07-22,day_ahead,1,73,1,100,200\n甲,2022-07-23,day_ahead,1,73,1,50,200\n"
    with pytest.raises(SessionFileError, match=r"hold 2 sessions by date \(2022-07-22, 2022-07-23\)"):
        clear(offers=offers)
    done = clear(offers=offers, session=SessionName(date(2022, 7, 23)))
    assert done.clearing.trades["sell_mw"].sum() == 50
    with pytest.raises(SessionFileError, match="no row of the session 2022-07-24"):
        clear(offers=offers, session=SessionName(date(2022, 7, 24)))


def test_capability_of_another_stage_does_not_serve_a_session(clear: Cleared) -> None:
    header = "node,date,stage,round,period,segment,mw,price_cny_per_mwh\n"
    offers = header + "甲,2022-07-22,intraday,10,73,1,100,200\n"
    with pytest.raises(SessionFileError, match="a section would count as unlimited"):
        clear(offers=offers, atc=wide("section_id", ["IN"]))


def test_a_hole_in_transfer_capability_is_no_zero(clear: Cleared) -> None:
    with pytest.raises(
        SessionFileError, match="section IN has no value at 18:15; write 0 where nothing can pass"
    ):
        clear(atc=wide("section_id", ["IN"], value=""))


def test_a_node_that_lacks_power_does_not_sell_and_one_that_curtails_does_not_buy(
    clear: Cleared, tmp_path: Path
) -> None:
    def system(series: str, node: str) -> Path:
        path = tmp_path / "system.csv"
        text = wide("node", [node]).replace("node,date,stage", "series,node,date", 1)
        path.write_text(text.replace(f"{node},2022-07-22,day_ahead", f"{series},{node},2022-07-22"))
        return path

    files = {name: tmp_path / f"{name}.csv" for name in TEXTS}
    for name, text in TEXTS.items():
        files[name].write_text(text)
    short = clear_session(**files, out=tmp_path / "out", system=system("gap", "乙"))
    assert set(short.clearing.trades["seller_node"]) == {"甲"}
    assert short.findings["code"].tolist() == ["selling_in_shortage"]
    assert short.facts["findings"] == {"block": 1, "review": 0, "inform": 0}
    curtailing = clear_session(**files, out=tmp_path / "out", system=system("renewable_curtailment", "丙"))
    assert curtailing.clearing.trades.empty
    assert (
        "丙 bids 220 MW in period 73 (18:15) while 120 MW of renewables are curtailed"
        in (curtailing.folder / "findings.csv").read_text()
    )


def test_what_breaks_the_format_is_a_finding_and_is_cleared_as_declared(clear: Cleared) -> None:
    done = clear(bids=BIDS.replace("380", "380.5"))
    assert done.findings["code"].tolist() == ["price_off_step"]
    assert done.facts["trades"] == 5


class TestCommand:
    def call(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object):
        monkeypatch.setattr(sys, "argv", ["gridsettle", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    def files(self, tmp_path: Path, **texts: str) -> list[object]:
        arguments: list[object] = ["--out", tmp_path / "out"]
        for name, text in (TEXTS | texts).items():
            (tmp_path / f"{name}.csv").write_text(text)
            arguments += [f"--{name}", tmp_path / f"{name}.csv"]
        return arguments

    def test_it_says_what_was_cleared_and_where_the_page_is(self, tmp_path, monkeypatch, capsys) -> None:
        status, out, _ = self.call(monkeypatch, capsys, "clear", *self.files(tmp_path))
        assert status == 0
        assert "成交 5 笔" in out
        assert "session.html" in out

    def test_machines_get_json(self, tmp_path, monkeypatch, capsys) -> None:
        status, out, _ = self.call(monkeypatch, capsys, "clear", *self.files(tmp_path), "--json")
        facts = json.loads(out)
        assert (status, facts["trades"], facts["buyer_cny"]) == (0, 5, "17715.00")
        assert facts == json.loads((tmp_path / "out" / "session.json").read_text()) | {
            "folder": facts["folder"],
            "page": facts["page"],
        }

    def test_a_bad_file_is_status_one_with_its_line(self, tmp_path, monkeypatch, capsys) -> None:
        arguments = self.files(tmp_path, offers=OFFERS.replace("250", "dear"))
        status, _, error = self.call(monkeypatch, capsys, "clear", *arguments)
        assert status == 1
        assert "Line 3" in error

    def test_an_unknown_profile_is_named(self, tmp_path, monkeypatch, capsys) -> None:
        status, _, error = self.call(
            monkeypatch, capsys, "clear", *self.files(tmp_path), "--profile", "IPSPOT_1999"
        )
        assert status == 1
        assert "IPSPOT_2026" in error
