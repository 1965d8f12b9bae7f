"""From a line to days, quarter-hours, trades and file rows: the parts give the line, the rows are there."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import cli
from ingest.deliver import deliver_many
from jobs.explain import NotExplainedError, explain
from jobs.settle_month import settle
from market.periods import Month
from market.profiles import RuleProfile, profile
from reports.explanation import Explanation
from reports.explanation_text import explanation_lines
from warehouse.home import Home, create, home
from warehouse.runs import find_run

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
DIRECT = SCENARIOS / "given_a_user_who_buys_between_provinces" / "when" / "trades.csv"
JULY, DAY = Month(2022, 7), date(2022, 7, 22)
ALIAS = "2022-07 draft v1"
CENT = Decimal("0.01")
GAIN_LOSS = "interprovincial_gain_loss"


def under(policy: str) -> RuleProfile:
    base = profile("SD_2022")
    rules = base.provincial.model_copy(update={"passthrough_policy": policy})  # type: ignore[union-attr]
    return base.model_copy(update={"provincial": rules, "sha256": f"{base.sha256}/{policy}"})


def made(folder: Path, *replaced: Path) -> Home:
    """The plain month of the scenarios, some of its files replaced, settled once."""
    at = home(folder)
    create(at)
    files = {file.name: file for file in (SCENARIOS / "base").glob("*.csv")}
    deliver_many(at, list((files | {file.name: file for file in replaced}).values()))
    return at


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Home:
    """A month in which the grid company and W1 buy between provinces."""
    at = made(tmp_path_factory.mktemp("explained"), DIRECT)
    settle(at, JULY)
    return at


def lines_of(at: Home) -> list[dict]:
    (run,) = at.runs.glob("*-*")
    return pq.read_table(run / "lines.parquet").to_pylist()


def fen(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def total(amounts) -> Decimal:
    return sum(amounts, Decimal(0))


# --- The parts give the line ---------------------------------------------------------------------------------


def test_every_line_is_the_rounded_sum_of_its_days_or_its_share_of_a_pool(small: Home) -> None:
    kinds = set()
    for line in lines_of(small):
        found = explain(small, ALIAS, line["participant_id"], line["charge_code"])
        if found.days:
            kinds.add("days")
            assert fen(total(day.amount_cny for day in found.days)) == line["amount_cny"], line
        else:
            kinds.add("pool")
            assert total(share.amount_cny for share in found.pool.shares) == line["amount_cny"], line
            assert all(abs(share.exact_cny - share.amount_cny) < CENT for share in found.pool.shares)
            if found.pool.made_of:
                assert total(amount for _, amount in found.pool.made_of) == found.pool.amount_cny
    assert kinds == {"days", "pool"}


def test_every_day_is_the_exact_sum_of_its_quarter_hours_or_trades(small: Home) -> None:
    for line in lines_of(small):
        who, code = line["participant_id"], line["charge_code"]
        found = explain(small, ALIAS, who, code, DAY)
        for day in (day for day in found.days if day.date == DAY):
            parts = found.parts or found.trades
            assert abs(total(part.amount_cny for part in parts) - day.amount_cny) <= Decimal("5e-9"), line
        if found.parts:
            (day,) = (day for day in found.days if day.date == DAY)
            assert total(part.quantity_mwh for part in found.parts) == day.quantity_mwh
            assert len(found.parts) == 96


def test_every_quarter_hour_is_its_energy_times_its_price(small: Home) -> None:
    for who, code, sign in (
        ("W1", "energy_real_time", 1),
        ("G1", "energy_day_ahead", -1),
        ("G1", "contract", -1),
    ):
        parts = explain(small, ALIAS, who, code, DAY).parts
        assert {part.amount_cny - sign * part.quantity_mwh * part.price_cny_per_mwh for part in parts} == {0}
    # README of the plain month: W1 uses 2.0 MWh at 490 in every quarter-hour
    assert {
        (part.quantity_mwh, part.price_cny_per_mwh, part.amount_cny)
        for part in explain(small, ALIAS, "W1", "energy_real_time", DAY).parts
    } == {(2, 490, 980)}


def test_the_days_of_a_month_are_the_days_of_the_line(small: Home) -> None:
    found = explain(small, ALIAS, "SGCC", "loss")
    assert [day.date for day in found.days] == list(JULY.days())
    one = explain(small, ALIAS, "SGCC", "loss", DAY).parts[72]
    # 0.1 MWh and the 2 · 0.231338 MWh that came from outside
    assert one.made_of == {"generation": 4, "import": Decimal("0.462676"), "use": Decimal("3.9")}
    assert one.quantity_mwh == Decimal("0.562676")


# --- From a pass-through line to the trades behind it -----------------------------------------------------------


def test_a_pass_through_line_shows_pool_key_share_and_the_trade_behind_it(small: Home) -> None:
    found = explain(small, ALIAS, "A1", GAIN_LOSS, DAY)
    (share,) = found.pool.shares
    # README: a gain of 8.82 by 892.8 : 297.6 MWh (2,976 quarter-hours of 0.3 and 0.1), the odd fen to A1
    assert (found.pool.amount_cny, share.key, share.total_key) == (
        Decimal("-8.82"),
        Decimal("892.8"),
        Decimal("1190.4"),
    )
    assert (share.exact_cny, share.amount_cny) == (Decimal("-6.615"), Decimal("-6.62"))
    assert dict(found.pool.made_of) == {
        "interprovincial_sale_day_ahead": 75,
        "interprovincial_sale_intraday": 75,
        "interprovincial_transmission": Decimal("35.94"),
        "interprovincial_direct": Decimal("20.38"),
        "interprovincial_reference": Decimal("-215.14"),
    }
    (trade,) = found.trades  # W1's own trade is not behind the agency users' line
    assert trade.trade_id == "IP-1"
    assert trade.seller_cny == 75
    assert [(one.section_id, one.owner_id, one.amount_cny) for one in trade.sections] == [
        ("NX", "OWN-NX", Decimal("6.21875")),
        ("YD", "OWN-YD", Decimal("11.751945")),
    ]
    assert trade.transmission_cny == Decimal("17.970695")
    assert (trade.reference_price_cny_per_mwh, trade.reference_cny) == (440, Decimal("101.78872"))
    assert trade.gain_loss_cny == Decimal("92.970695") - Decimal("101.78872")


def test_a_direct_buyers_line_is_its_own_trade_at_the_real_time_price(small: Home) -> None:
    found = explain(small, ALIAS, "W1", "interprovincial_direct", DAY)
    (trade,) = found.trades
    assert (trade.trade_id, trade.stage, trade.reference_price_cny_per_mwh) == ("IP-2", "intraday", 490)
    assert trade.amount_cny == Decimal("-20.384925")


@pytest.fixture(scope="module")
def by_policy(tmp_path_factory) -> tuple[Home, dict[str, str]]:
    """The plain month settled under three policies, and under the third again when everyone bought what it uses."""
    at = made(tmp_path_factory.mktemp("policies"))
    deviation = "market_users_by_positive_deviation"
    alias = {
        policy: settle(at, JULY, profile_name=under(policy)).run.alias
        for policy in ("gens_users_1to1", "curve_matching_all", deviation)
    }
    bought = {"W1": "2", "R1": "1", "SGCC": "0.4"}
    with (SCENARIOS / "base" / "positions.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row if row[0] not in bought else [*row[:3], *[bought[row[0]]] * 96] for row in csv.reader(file)
        ]
    exact = at.root / "positions_exact.csv"
    with exact.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    deliver_many(at, [exact])
    return at, alias | {"nobody deviates": settle(at, JULY, profile_name=under(deviation)).run.alias}


@pytest.mark.parametrize(
    ("policy", "who", "group", "amount"),
    [
        # half of 8.82 by delivery 2.5 : 1.5 and half by use 2 : 1 : 0.4
        ("gens_users_1to1", "G1", "generators", "-2.76"),  # 2.75625
        ("gens_users_1to1", "W1", "users", "-2.59"),  # 2.594
        ("curve_matching_all", "G2", "all", "-1.79"),  # 8.82 · 1.5 / 7.4 = 1.788
        ("market_users_by_positive_deviation", "W1", "all", "-8.82"),  # W1 alone uses more than it bought
        ("market_users_by_positive_deviation", "R1", "all", "0.00"),
        ("nobody deviates", "SGCC", "residual", "-1.04"),  # 8.82 · 0.4 / 3.4 = 1.038
    ],
)
def test_a_share_is_explained_under_every_policy(
    by_policy, policy: str, who: str, group: str, amount: str
) -> None:
    at, alias = by_policy
    name = "market_users_by_positive_deviation" if policy == "nobody deviates" else policy
    found = explain(at, alias[policy], who, GAIN_LOSS, rules=under(name))
    (share,) = found.pool.shares
    assert found.pool.amount_cny == Decimal("-8.82")
    assert (share.group, share.amount_cny, found.amount_cny) == (group, Decimal(amount), Decimal(amount))


def test_the_shares_are_those_of_the_formula_book(by_policy) -> None:
    at, alias = by_policy
    book = {  # docs/formulas/interprovincial.md
        "gens_users_1to1": {"G1": "-2.76", "G2": "-1.65", "R1": "-1.30", "SGCC": "-0.52", "W1": "-2.59"},
        "curve_matching_all": {"G1": "-2.98", "G2": "-1.79", "R1": "-1.19", "SGCC": "-0.48", "W1": "-2.38"},
        "market_users_by_positive_deviation": {"R1": "0.00", "SGCC": "0.00", "W1": "-8.82"},
    }
    for policy, shares in book.items():
        rows = pq.read_table(find_run(at, alias[policy]).folder / "lines.parquet").to_pylist()
        found = {
            row["participant_id"]: str(row["amount_cny"]) for row in rows if row["charge_code"] == GAIN_LOSS
        }
        assert found == shares, policy


# --- Down to the rows of the files ------------------------------------------------------------------------------


def test_every_row_named_stands_in_its_file(small: Home) -> None:
    tables = set()
    for line in lines_of(small):
        found = explain(small, ALIAS, line["participant_id"], line["charge_code"], DAY)
        for source in (*found.sources, *(trade.source for trade in found.trades)):
            rows = (small.inbox / source.file).read_text(encoding="utf-8-sig").splitlines()
            first, *rest = source.key.split()
            assert rows[source.line - 1].startswith(f"{first},"), source
            if str(DAY) in rest:
                assert f",{DAY}," in rows[source.line - 1]
            tables.add(source.table)
    assert tables == {
        "meter_readings",
        "meters",
        "positions",
        "prices",
        "contracts",
        "contract_curves",
        "trades",
        "sections",
        "capacity_available",
    }


def test_a_retailers_energy_rests_on_its_customers_meters_and_no_others(small: Home) -> None:
    found = explain(small, ALIAS, "R1", "energy_real_time", DAY)
    meters = [source.key for source in found.sources if source.table == "meters"]
    assert len(meters) == 1
    assert "participant_id T1" in meters[0]


def test_a_corrected_reading_is_followed_to_the_file_that_corrected_it(tmp_path: Path) -> None:
    at = made(tmp_path)
    corrected = tmp_path / "meter_readings_corrected.csv"
    header, *rows = (SCENARIOS / "base" / "meter_readings.csv").read_text(encoding="utf-8").splitlines()
    (of_day,) = (row.split(",") for row in rows if row.startswith(f"M-W1,{DAY},"))
    of_day[-1] = "2001"
    corrected.write_text("\n".join([header, ",".join(of_day), ""]), encoding="utf-8")
    deliver_many(at, [corrected])
    settle(at, JULY)
    for day, file in ((DAY, "meter_readings_corrected.csv"), (DAY.replace(day=21), "meter_readings.csv")):
        (source,) = (
            one
            for one in explain(at, ALIAS, "W1", "energy_real_time", day).sources
            if one.table == "meter_readings"
        )
        assert source.file.endswith(f"/{file}")


# --- What cannot be explained is said --------------------------------------------------------------------------


def test_a_line_that_does_not_exist_is_refused_and_the_others_named(small: Home) -> None:
    with pytest.raises(NotExplainedError, match=r"its charges are: .*contract"):
        explain(small, ALIAS, "W1", "loss")


def test_a_day_of_another_month_is_refused(small: Home) -> None:
    with pytest.raises(NotExplainedError, match="2022-08-01 is not in 2022-07"):
        explain(small, ALIAS, "W1", "energy_real_time", date(2022, 8, 1))


def test_a_missing_amount_names_what_it_waits_for(tmp_path: Path) -> None:
    at = made(tmp_path, SCENARIOS / "given_a_missing_price" / "when" / "prices.csv")
    settle(at, JULY)
    found = explain(at, ALIAS, "W1", "energy_real_time")
    assert found.amount_cny is None
    assert "price of node" in found.missing_because[0]
    assert [day.date for day in found.days if day.amount_cny is None]
    assert any("缺失" in line for line in explanation_lines(found, "zh"))


def test_a_trade_on_a_path_without_costs_is_shown_with_what_is_known(tmp_path: Path) -> None:
    at = made(tmp_path, SCENARIOS / "given_a_tariff_that_ended" / "when" / "sections.csv")
    settle(at, JULY)
    for who, code in (("A1", GAIN_LOSS), ("OWN-YD", "interprovincial_transmission")):
        found = explain(at, ALIAS, who, code, DAY)
        assert (found.amount_cny, found.trades[0].seller_cny) == (None, 75)
        assert found.trades[0].transmission_cny is None
        assert "Path NX-YD" in found.missing_because[0]


def test_a_number_that_does_not_come_out_again_is_not_explained(small: Home) -> None:
    base = profile("SD_2022")
    dearer = tuple(
        entry.model_copy(update={"value": Decimal(100)})
        for entry in base.provincial.capacity_price_cny_per_mwh
    )
    other = base.model_copy(
        update={"provincial": base.provincial.model_copy(update={"capacity_price_cny_per_mwh": dearer})}
    )
    with pytest.raises(NotExplainedError, match="The rules or the software changed"):
        explain(small, ALIAS, "W1", "capacity_compensation", DAY, rules=other)


# --- In words, as JSON, and on the sample -----------------------------------------------------------------------


def written(found: Explanation, lang: str) -> str:
    return "\n".join(explanation_lines(found, lang))


def test_the_words_are_chinese_unless_english_is_asked_for(small: Home) -> None:
    found = explain(small, ALIAS, "A1", GAIN_LOSS, DAY)
    chinese, english = written(found, "zh"), written(found, "en")
    assert (
        "份额 (全体): -8.82 × 892.80 / 1,190.40 MWh (75.000000 %) = -6.615000 → -6.62 元 (最大余数取整)"
        in chinese
    )
    assert "Share (all payers): -8.82 × 892.80" in english
    for text in (chinese, english):
        assert "75.00" in text
        assert "11.751945" in text
        assert "trades.csv" in text


def test_the_command_prints_words_or_json(small: Home, monkeypatch, capsys) -> None:
    monkeypatch.setenv("GRIDSETTLE_HOME", str(small.root))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gridsettle", "run", "explain", *arguments])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    status, out, _ = call(ALIAS, "A1", GAIN_LOSS, "--date", str(DAY), "--json")
    content = json.loads(out)
    assert status == 0
    assert content["pool"]["shares"][0]["amount_cny"] == "-6.62"
    assert content["trades"][0]["source"]["line"] == 2
    assert "分摊池" in call(ALIAS, "A1", GAIN_LOSS)[1]
    assert "Pool" in call(ALIAS, "A1", GAIN_LOSS, "--lang", "en")[1]
    status, _, error = call(ALIAS, "A1", "nonsense")
    assert status == 1
    assert "has no line nonsense" in error


@pytest.mark.parametrize("day", [None, date(2022, 7, 26)], ids=["month", "day"])
@pytest.mark.parametrize(
    ("who", "code"),
    [("A0001", GAIN_LOSS), ("SGCC-SD", "energy_real_time"), ("OWN-HB", "interprovincial_transmission")],
)
def test_a_line_of_the_sample_is_explained_within_two_seconds(
    sample_home, settled_sample, who, code, day
) -> None:
    started = time.process_time()
    found = explain(sample_home, settled_sample.alias, who, code, day)
    assert time.process_time() - started < 2
    assert found.amount_cny is not None


def test_the_trades_of_the_sample_add_up_to_the_pool_within_the_fen_of_its_lines(
    sample_home, sample_folder, settled_sample
) -> None:
    found = explain(sample_home, settled_sample.alias, "A0001", GAIN_LOSS)
    with (sample_folder / "trades.csv").open(encoding="utf-8", newline="") as file:
        assert {trade.trade_id for trade in found.trades} == {row["trade_id"] for row in csv.DictReader(file)}
    exact = total(trade.gain_loss_cny for trade in found.trades)
    lines = pq.read_table(settled_sample.folder / "lines.parquet", columns=["charge_code"])[
        "charge_code"
    ].to_pylist()
    rounded = (
        sum(code.startswith(("interprovincial_sale", "interprovincial_transmission")) for code in lines) + 1
    )
    assert abs(exact - found.pool.amount_cny) <= rounded * Decimal("0.005")


def test_to_explain_a_line_no_solver_chart_or_workbook_is_loaded():
    heavy = (
        *(
            "airflow",
            "alembic",
            "duckdb",
            "highspy",
            "holidays",
            "jinja2",
            "matplotlib",
            "openpyxl",
            "polars",
        ),
        *("pydantic_settings", "pyomo", "reportlab", "scipy", "sklearn", "xlsxwriter"),
    )
    loaded = "import sys, cli, jobs.explain, reports.explanation_text, jobs.actor; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in told.stdout.split()} & set(heavy) == set()
