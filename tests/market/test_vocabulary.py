"""Paths, periods, calendars, tables and profiles."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import profiles
from market.calendars import ChinaCalendar
from market.paths import path_cost, rounded_price, section_revenue_per_mwh
from market.periods import LABELS, Month, label
from market.profiles import Charge, ChargeMatrix, Dated, RuleNotInForceError, profile
from market.tables import TABLES, table_of_file


def test_the_published_example_of_a_path_comes_out_to_the_last_digit() -> None:
    cost = path_cost([(Decimal(30), Decimal("0.02")), (Decimal("51.1"), Decimal("0.07"))])  # market.md A.7
    assert cost.coe == Decimal("0.9114")
    assert cost.price_cny_per_mwh == Decimal("75.97254")
    assert cost.converted(500) == Decimal("379.72746")


@pytest.mark.parametrize(
    ("sections", "landed_at_300"),
    [
        ([("25", "0.005"), ("50.8", "0.07")], "401.9"),  # 宁夏→银东
        ([("25", "0.005"), ("58.95", "0.065")], "408.2"),  # 宁夏→昭沂
        ([("26.8", "0.0071"), ("41.2", "0")], "370.1"),  # 蒙东→鲁固, tariff contains the loss
        ([("21.7", "0.0019"), ("10.8", "0.0242")], "341.1"),  # 山西→华北AC
    ],
)
def test_landed_prices_in_shandong_are_those_of_the_published_table(
    sections: list[tuple[str, str]], landed_at_300: str
) -> None:
    cost = path_cost([(Decimal(tariff), Decimal(loss)) for tariff, loss in sections])  # market.md F.2
    assert round(float(cost.landed(300)), 1) == float(landed_at_300)


def test_a_path_without_sections_costs_nothing() -> None:
    assert (path_cost([]).coe, path_cost([]).price_cny_per_mwh) == (1, 0)  # ruling 10


@pytest.mark.parametrize("loss", ["1", "-0.01", "6.5"])
def test_a_loss_that_is_no_share_is_refused(loss: str) -> None:
    with pytest.raises(ValueError, match=r"6.5 % is written 0.065"):
        path_cost([(Decimal(10), Decimal(loss))])


@given(
    st.lists(
        st.tuples(st.decimals(0, 100, places=2), st.decimals(0, Decimal("0.2"), places=4)),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 10_000),
)
def test_buyer_pays_seller_and_sections_exactly(sections: list[tuple[Decimal, Decimal]], price: int) -> None:
    cost = path_cost(sections)
    transmission = sum(section_revenue_per_mwh(sections), Decimal(0))
    assert cost.landed(price) * Fraction(cost.coe) == price + Fraction(transmission)
    assert cost.converted(0) == -cost.price_cny_per_mwh
    assert transmission == cost.price_cny_per_mwh


def test_published_prices_are_rounded_half_up_to_a_thousandth() -> None:
    assert rounded_price(Fraction(10005, 10_000_000)) == Decimal("0.001")
    assert rounded_price(Fraction(1, 2000)) == Decimal("0.001")


def test_a_day_has_96_end_stamped_periods() -> None:
    assert (len(LABELS), LABELS[0], LABELS[-1]) == (96, "00:15", "24:00")
    with pytest.raises(ValueError, match="does not exist"):
        label(97)


@pytest.mark.parametrize("text", ["2022-13", "202207", "2022-7"])
def test_a_month_is_written_year_dash_month(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        Month.parse(text)


def test_the_close_of_july_2022_falls_on_these_working_days() -> None:
    china = ChinaCalendar()
    august = date(2022, 8, 1)
    assert [china.working_day(august, n).day for n in (5, 8, 10)] == [5, 10, 12]


def test_the_national_holiday_moves_the_fifth_working_day_of_october() -> None:
    # 2022-10-01..07 is holiday, Saturday 8 and Sunday 9 are make-up days
    china = ChinaCalendar()
    assert china.day_type(date(2022, 10, 8)) == "workday"
    assert china.day_type(date(2022, 10, 3)) == "holiday"
    assert china.working_day(date(2022, 10, 1), 5) == date(2022, 10, 12)


def test_a_file_belongs_to_the_longest_table_name_it_starts_with() -> None:
    names = {"meter_readings_2022-07_jinan": "meter_readings", "contract_curves": "contract_curves"}
    assert {stem: table_of_file(stem).name for stem in names} == names  # type: ignore[union-attr]
    assert table_of_file("weathering") is None


def test_every_table_keys_on_its_own_columns() -> None:
    for table in TABLES.values():
        assert set(table.key) <= {column.name for column in table.columns}
        assert set(table.depends_on) <= set(TABLES)


@pytest.mark.parametrize("name", profiles.profile_names())
def test_every_value_of_a_packaged_profile_names_its_clause(name: str) -> None:
    loaded = profile(name)
    rules = loaded.provincial or loaded.interprovincial
    assert rules is not None
    dated = {
        field for field, value in rules if isinstance(value, tuple) and value and isinstance(value[0], Dated)
    }
    assert set(rules.provenance) | dated | {"provenance"} == set(type(rules).model_fields)
    assert all(entry.clause for entry in rules.provenance.values())


def test_a_profile_that_is_not_packaged_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="SD_2022"):
        profile("SD_1999")


def test_a_charge_without_a_payee_is_refused_when_the_profile_loads() -> None:
    one_sided = {
        "code": "x",
        "subject_code": None,
        "name_zh": "x",
        "name_en": "x",
        "account": "energy",
        "payers": ["wholesale_user"],
        "key": "k",
        "period": "month",
        "metered": True,
        "clause": "c",
        "certainty": "design",
    }
    with pytest.raises(ValueError, match="only one side"):
        Charge.model_validate(one_sided)


def test_a_charge_on_an_unknown_account_is_refused_when_the_profile_loads() -> None:
    matrix = profile("SD_2022").matrix
    assert matrix is not None
    with pytest.raises(ValueError, match="not declared"):
        ChargeMatrix(accounts=matrix.accounts[1:], transfers=matrix.transfers, charges=matrix.charges)


def test_a_rule_holds_from_its_first_day_to_before_its_last() -> None:
    common = {"unit": "元/MWh", "clause": "c", "certainty": "design"}
    rule = (
        Dated[Decimal](value=Decimal(1), valid_from=date(2022, 1, 1), valid_to=date(2022, 7, 15), **common),
        Dated[Decimal](value=Decimal(2), valid_from=date(2022, 7, 15), **common),
    )
    assert [profiles.on(rule, date(2022, 7, day), "x") for day in (14, 15)] == [1, 2]
    with pytest.raises(RuleNotInForceError, match="0 entries"):
        profiles.on(rule, date(2021, 1, 1), "x")
