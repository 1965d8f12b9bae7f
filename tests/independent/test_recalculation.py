"""The settled sample month against the same month recalculated by hand, to the fen.

`recalculate.py` and `month_books.py` share no code with the product, so an agreement here is two readings of the
rules, not one formula compared with itself.
"""

from __future__ import annotations

import ast
import csv
import shutil
import sys
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from consumer_books import BILLED
from month_books import Books, read_sections
from recalculate import (
    Amount,
    Line,
    import_reference,
    imported,
    lost_energy,
    recalculate,
    settle,
    share,
    stated,
    user_price,
)
from response_books import response_lines

HERE = Path(__file__).parent
JULY = date(2022, 7, 1)
CHARGES = (
    "energy_real_time",
    "energy_day_ahead",
    "contract",
    "residents_energy",
    "loss",
    "month_adjustment",
    "month_adjustment_loss",
    "congestion",
    "position_mismatch",
    "capacity_compensation",
    "interprovincial_sale_day_ahead",
    "interprovincial_sale_intraday",
    "interprovincial_transmission",
    "interprovincial_gain_loss",
    "residents_cost_recovery",
    "residents_gain_loss",
    "startup_compensation",
    "startup_compensation_share",
    "heating_assessment",
    "heating_assessment_share",
    "unit_assessment",
    "unit_assessment_share",
    "excess_profit_recovery",
    "excess_profit_recovery_share",
    "regulation_service",
    "regulation_service_share",
    "regulation_opportunity",
    "regulation_opportunity_share",
)
RESPONSE = ("demand_response_payment", "demand_response_penalty", "demand_response_charge")
CARRIED = ("startup_compensation", "startup_compensation_share")  # a published standard collects more or less
GRID = "SGCC-SD"

pytestmark = pytest.mark.xdist_group("settled_sample")

Statement = dict[tuple[str, str], Amount]


@pytest.fixture(scope="module")
def by_hand(books: Books) -> dict[tuple[str, str], Line]:
    return settle(books)


@pytest.fixture(scope="module")
def every_line(books, by_hand, responses) -> dict[tuple[str, str], Line]:
    return by_hand | response_lines(books, responses)


@pytest.fixture(scope="module")
def product(settled_sample) -> dict[str, dict[str, Amount]]:
    """Charge code -> participant -> (yuan, MWh) as the run states them."""
    charges: dict[str, dict[str, Amount]] = {}
    columns = ["participant_id", "charge_code", "amount_cny", "quantity_mwh"]
    for row in pq.read_table(settled_sample.folder / "lines.parquet", columns=columns).to_pylist():
        charge = charges.setdefault(row["charge_code"], {})
        assert row["participant_id"] not in charge, f"{row} stands twice"
        charge[row["participant_id"]] = Amount(row["amount_cny"], row["quantity_mwh"])
    return charges


def of_charge(lines: dict[tuple[str, str], Line], *codes: str) -> dict[tuple[str, str], Line]:
    return {key: line for key, line in lines.items() if key[1] in codes}


def fen(lines: dict[tuple[str, str], Line], *codes: str) -> int:
    return sum(line.fen for line in of_charge(lines, *codes).values())


# --- The product agrees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [*CHARGES, *RESPONSE])
def test_the_product_charges_exactly_the_participants_the_recalculation_charges(code, product, every_line):
    assert set(product[code]) == {party for party, _ in of_charge(every_line, code)}


@pytest.mark.parametrize("code", [*CHARGES, *RESPONSE])
def test_every_amount_of_the_product_agrees_to_the_fen(code, product, every_line):
    disagreements = {
        party: (product[code][party].amount_cny, line.amount_cny)
        for (party, charge), line in stated(every_line).items()
        if charge == code and product[code][party].amount_cny != line.amount_cny
    }
    assert disagreements == {}, "participant: (product, by hand)"


@pytest.mark.parametrize("code", [*CHARGES, *RESPONSE])
def test_every_quantity_of_the_product_agrees_to_the_wh(code, product, every_line):
    disagreements = {
        party: (product[code][party].quantity_mwh, line.quantity_mwh)
        for (party, charge), line in stated(every_line).items()
        if charge == code and product[code][party].quantity_mwh != line.quantity_mwh
    }
    assert disagreements == {}, "participant: (product, by hand)"


def test_no_charge_of_the_run_goes_without_a_recalculation_by_hand(product, every_line):
    of_first_layer = {code for _, code in every_line}
    assert (
        product.keys() - of_first_layer - set(BILLED) == set()
    )  # BILLED: line by line in test_consumer_books.py
    assert of_first_layer - product.keys() == set()


def test_the_product_pays_for_demand_response_what_it_charges_for_it(product):
    assert sum(line.amount_cny for code in RESPONSE for line in product[code].values()) == 0


def test_the_responses_of_the_sample_are_paid_in_full_in_part_and_not_at_all(responses):
    every = [one for _, came_to in responses for one in came_to]
    assert {bool(one.reduced) for one in every} == {True, False}
    assert any(one.penalty for one in every)
    assert any(one.payee == "VPP01" for one in every)


# --- The recalculation holds by itself -----------------------------------------------------------------------------


def test_the_recalculation_imports_nothing_of_the_product():
    own = {path.stem for path in HERE.glob("*.py")}
    for name in (
        "recalculate.py",
        "month_books.py",
        "consumer_books.py",
        "more_charges.py",
        "under_2025.py",
        "response_books.py",
        "stored_market.py",
    ):
        for node in ast.walk(ast.parse((HERE / name).read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                assert module.split(".")[0] in {*sys.stdlib_module_names, "pyarrow", *own}, module


def test_generation_and_import_are_use_and_the_stated_loss_in_every_quarter_hour(books):
    step = 500_000  # Wh: 0.0001 kWh of the last plant's meter, multiplier at most 5,000,000
    use = [sum(column) for column in zip(books.residents_use, *books.use.values(), strict=True)]
    for lost, used in zip(lost_energy(books), use, strict=True):
        assert abs(lost - used * Fraction("0.0307")) <= step  # line-loss rate 3.07 %, market.md F.3


def test_all_lines_together_leave_only_the_fen_of_rounded_contracts_and_what_a_standard_carries_over(by_hand):
    assert abs(fen(by_hand, "contract")) * 2 <= len(of_charge(by_hand, "contract"))
    carried = fen(by_hand, *CARRIED)
    assert carried != 0
    assert fen(by_hand, *CHARGES) == fen(by_hand, "contract") + carried


def test_every_fee_without_a_standard_is_shared_to_the_fen(by_hand):
    for code in ("heating_assessment", "unit_assessment", "excess_profit_recovery", "regulation_service"):
        assert fen(by_hand, code) == -fen(by_hand, f"{code}_share") != 0, code


def test_the_energy_account_closes_at_zero(by_hand, books):
    paid = fen(
        by_hand,
        "energy_real_time",
        "energy_day_ahead",
        "residents_energy",
        "loss",
        "congestion",
        "position_mismatch",
    )
    assert paid == import_reference(books)


def test_capacity_collected_is_capacity_paid(by_hand, books):
    lines = of_charge(by_hand, "capacity_compensation")
    collected = sum(line.fen for (party, _), line in lines.items() if party in books.use)
    paid = sum(line.fen for (party, _), line in lines.items() if party in books.capacity)
    assert collected == -paid > 0
    assert len(lines) == len(books.use) + len(books.capacity)


def test_what_the_interprovincial_purchase_costs_is_the_reference_value_and_the_gain_or_loss(by_hand, books):
    landed = -fen(
        by_hand,
        "interprovincial_sale_day_ahead",
        "interprovincial_sale_intraday",
        "interprovincial_transmission",
    )
    assert landed == import_reference(books) + fen(by_hand, "interprovincial_gain_loss")


def test_sellers_and_owners_get_what_the_published_landed_prices_ask_within_their_rounding(
    by_hand, sample_folder
):
    """Ruling 5: the gap is at most 0.0005 yuan/MWh of what was bought, and half a fen a line."""
    with (sample_folder / "trades.csv").open(encoding="utf-8") as file:
        trades = list(csv.DictReader(file))
    bought_mwh = sum(Fraction(row["executed_buy_mw"]) / 4 for row in trades)
    asked = sum(Fraction(row["executed_buy_mw"]) / 4 * Fraction(row["landed_price"]) for row in trades)
    codes = (
        "interprovincial_sale_day_ahead",
        "interprovincial_sale_intraday",
        "interprovincial_transmission",
    )
    paid = -Fraction(fen(by_hand, *codes), 100)
    in_mw_of_six_decimals = sum(Fraction(row["landed_price"]) for row in trades) / 4 * Fraction("0.0000005")
    half_fens = len(of_charge(by_hand, *codes)) * Fraction("0.005")
    assert abs(paid - asked) <= bought_mwh * Fraction("0.0005") + in_mw_of_six_decimals + half_fens


def test_a_tariff_that_includes_loss_is_settled_without_loss(sample_folder):
    to_lg = read_sections(sample_folder, JULY)["NMD-LG"]
    assert [section.owner for section in to_lg] == ["OWN-NMD", "OWN-LG", "OWN-HB"]
    assert [section.loss for section in to_lg] == [Fraction("0.0071"), 0, Fraction("0.0242")]


def test_a_cancelled_trade_earns_nothing(books):
    assert any(trade.sold_wh == 0 == trade.bought_wh for trade in books.trades)
    assert sum(imported(books, "day_ahead", "intraday")) == sum(trade.bought_wh for trade in books.trades)


def test_the_shares_of_a_pool_go_to_the_largest_remainders_and_ties_to_the_smaller_id():
    # 10 over 1:1:1 is 3.33 each: the last fen to A. 7 over 5:3:2 is 3.5, 2.1, 1.4: the last fen to A.
    assert share(10, {"B": 1, "A": 1, "C": 1}) == {"A": 4, "B": 3, "C": 3}
    assert share(-7, {"A": 5, "B": 3, "C": 2}) == {"A": -4, "B": -2, "C": -1}


# --- A recalculation that agrees with everything proves nothing: one kWh must move the right lines ------------------


def one_kwh_more(sample: Path, copy: Path, meter_id: str) -> Path:
    """A copy of the sample in which the reading of 15 July 12:00 is 1 kWh higher, before the multiplier."""
    shutil.copytree(sample, copy)
    changed = 0
    for path in copy.glob("meter_readings*.parquet"):
        table = pq.read_table(path)
        keys = zip(table["meter_id"].to_pylist(), table["date"].to_pylist(), strict=True)
        rows = [n for n, key in enumerate(keys) if key == (meter_id, date(2022, 7, 15))]
        if rows:
            field = table.schema.field("12:00")
            values = table["12:00"].to_pylist()
            values[rows[0]] += 1
            column = table.schema.get_field_index("12:00")
            pq.write_table(table.set_column(column, field, pa.array(values, field.type)), path)
            changed += len(rows)
    assert changed == 1
    return copy


NOON_OF_15_JULY = 14 * 96 + 47


def multiplier(sample: Path, meter_id: str) -> int:
    with (sample / "meters.csv").open(encoding="utf-8") as file:
        return next(int(row["multiplier"]) for row in csv.DictReader(file) if row["meter_id"] == meter_id)


def differences(before: Statement, after: Statement) -> dict[tuple[str, str], Decimal]:
    """What every line that moved, in amount or quantity, moved by in yuan."""
    assert before.keys() == after.keys()
    return {key: after[key].amount_cny - was.amount_cny for key, was in before.items() if after[key] != was}


def total(lines: dict[tuple[str, str], Decimal], code: str) -> Decimal:
    return sum((amount for (_, charge), amount in lines.items() if charge == code), Decimal(0))


def test_one_kwh_more_of_an_agency_user_moves_its_energy_its_keys_and_nothing_else(
    sample_folder, tmp_path, books, by_hand
):
    """The reading moves the grid company's book; the loss falls by as much, so no pool of energy money changes size,
    but every share by monthly energy does: congestion, mismatch, gain or loss; and generators share more capacity."""
    after = recalculate(one_kwh_more(sample_folder, tmp_path / "2022-07", "M-A0001-01"))
    difference = differences(stated(by_hand), after)
    mwh = Decimal(multiplier(sample_folder, "M-A0001-01")) / 1000
    price = Decimal(user_price(books, "real_time")[NOON_OF_15_JULY]) / 1000
    expected = {(GRID, code) for code in ("energy_real_time", "loss", "capacity_compensation")}
    expected |= {(unit, "capacity_compensation") for unit in books.capacity}
    # its register counted the kWh already: it is no longer beyond the days
    expected |= {(GRID, code) for code in ("month_adjustment", "month_adjustment_loss")}
    expected |= {(user, code) for user in books.use for code in ("congestion", "position_mismatch")}
    gain_loss = {(user, "interprovincial_gain_loss") for user in books.agency_wh}
    # a share that moves by less than a fen may stay at its fen
    grown = mwh * 1_000_000 / sum(books.agency_wh.values())
    below_a_fen = {key for key in gain_loss if abs(by_hand[key].fen) * grown < 1}
    assert len(below_a_fen) < 10
    small = {(user, code) for user in books.use for code in ("residents_gain_loss", "unit_assessment_share")}
    small |= {
        (GRID, "startup_compensation_share")
    }  # by energy too, but of pools so small that most stay at their fen
    moved = difference.keys() - small
    assert expected | gain_loss - below_a_fen <= moved <= expected | gain_loss
    assert {code for _, code in difference.keys() & small} >= {"residents_gain_loss"}
    # the multiplier makes whole fen of 0.001 yuan/MWh, so no rounding stands between
    assert difference[GRID, "energy_real_time"] == mwh * price == -difference[GRID, "loss"]
    assert difference[GRID, "capacity_compensation"] == mwh * Decimal("99.1")
    assert difference[GRID, "month_adjustment"] == -difference[GRID, "month_adjustment_loss"] < 0
    pools = ("capacity_compensation", "congestion", "position_mismatch", "interprovincial_gain_loss")
    for code in (*pools, "residents_gain_loss", "unit_assessment_share"):
        assert total(difference, code) == 0


def test_one_kwh_more_of_a_generator_moves_its_energy_the_loss_and_the_congestion_pool(
    sample_folder, tmp_path, books, by_hand
):
    """The generator earns its nodal price, the loss pays the user price, congestion carries what lies between."""
    after = recalculate(one_kwh_more(sample_folder, tmp_path / "2022-07", "M-G001-01"))
    difference = differences(stated(by_hand), after)
    mwh = Decimal(multiplier(sample_folder, "M-G001-01")) / 1000
    nodal = Decimal(books.price[books.node["G001"], "real_time"][NOON_OF_15_JULY]) / 1000
    price = Decimal(user_price(books, "real_time")[NOON_OF_15_JULY]) / 1000
    by_generation = {"heating_assessment_share", "unit_assessment_share", "regulation_service_share"}
    small = {(unit, code) for unit in books.generation for code in by_generation}
    small |= {("G001", "startup_compensation_share")}
    assert difference.keys() - small == {("G001", "energy_real_time"), (GRID, "loss")} | {
        (user, "congestion") for user in books.use
    }
    assert difference["G001", "energy_real_time"] == -mwh * nodal
    assert difference[GRID, "loss"] == mwh * price
    assert total(difference, "congestion") == mwh * (nodal - price)
    assert all(total(difference, code) == 0 for code in by_generation)
