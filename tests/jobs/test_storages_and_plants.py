"""Storages and virtual power plants from files: what a line explains, what is odd about them, and on which days they settle.

The scenarios given_a_storage and given_a_virtual_power_plant have the money; prices and energy are worked there.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from ingest.deliver import deliver_many
from jobs.explain import explain
from jobs.month_calculation import Calculation, calculate
from jobs.report import write_reports
from jobs.settle_month import settle
from market.dated import Dated
from market.periods import LABELS, Month
from market.profiles import RuleProfile, profile
from warehouse.home import Home, create, home

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
JULY = Month(2022, 7)
PEOPLE = (
    "participant_id,name,kind,city,node,voltage_kv,capacity_kva,tariff_class,retailer_id,valid_from,valid_to"
)
T1 = "T1,青岛纺织,retail_user,qingdao,SD_B,35,6000,general_industry"
V1 = "V1,青岛虚拟电厂,vpp,qingdao,SD,,,,,2022-01-01,"
MOVED = Decimal("99.2") + Decimal(124)  # MWh that S1 delivers and takes in the month


def at_home(tmp_path: Path, *folders: str, **extra: str) -> Home:
    """The base month, the files of scenarios upon it, and further files by name."""
    files = {
        file.name: file for name in ("base", *folders) for file in sorted((SCENARIOS / name).rglob("*.csv"))
    }
    own = tmp_path / "files"
    own.mkdir(parents=True)
    for name, text in extra.items():
        (own / f"{name}.csv").write_text(text, encoding="utf-8")
    at = home(tmp_path / "home")
    create(at)
    receipts = deliver_many(at, [*files.values(), *sorted(own.glob("*.csv"))])
    assert [one.reason for one in receipts if one.quarantined] == []
    return at


def days_of(row: str, first: int, after: int, value: str) -> str:
    """Rows of a wide table, one value all day; ``row`` has {day} where the date stands."""
    return "".join(
        ",".join((row.format(day=f"2022-07-{n:02d}"), *[value] * 96)) + "\n" for n in range(first, after)
    )


def positions(rows: str) -> str:
    return ",".join(("participant_id", "date", "stage", *LABELS)) + "\n" + rows


def amounts(done: Calculation, who: str) -> dict[str, Decimal | None]:
    return {
        line.charge_code: None if line.amount_fen is None else Decimal(line.amount_fen).scaleb(-2)
        for line in done.result.lines
        if line.participant_id == who
    }


def codes(done: Calculation, *severities: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in done.findings:
        if not severities or one.severity in severities:
            found.setdefault(one.code, set()).add(one.subject)
    return found


def with_rule(name: str, value: tuple[str, ...]) -> RuleProfile:
    rules = profile("SD_2022")
    dated = Dated[tuple[str, ...]](
        value=value, unit="by hand", clause="by hand", valid_from=date(2021, 12, 1), certainty="design"
    )
    return rules.model_copy(update={"provincial": rules.provincial.model_copy(update={name: (dated,)})})


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The storage's month; 30 % of what G1 makes is outside the market."""
    return at_home(
        tmp_path_factory.mktemp("stored"),
        "given_a_storage/when",
        energy_shares="participant_id,what,share,valid_from,valid_to\nG1,nonmarket,0.3,2022-01-01,\n",
    )


def test_a_quarter_hour_of_a_storage_is_its_net_energy_at_the_price_of_its_node(stored: Home) -> None:
    run = settle(stored, JULY).run
    told = explain(stored, run.run_id, "S1", "energy_real_time", date(2022, 7, 5))
    by_period = {part.period: part for part in told.parts}
    noon, evening, night = (by_period[period] for period in (45, 77, 4))
    assert (noon.quantity_mwh, noon.price_cny_per_mwh, noon.amount_cny) == (
        Decimal("-0.5"),
        Decimal(-80),
        Decimal(-40),
    )
    assert (evening.quantity_mwh, evening.price_cny_per_mwh) == (Decimal("0.4"), Decimal(600))
    assert evening.amount_cny == Decimal(-240)
    assert night.amount_cny == 0
    assert {source.table for source in told.sources} == {"meter_readings", "meters", "prices"}
    assert {source.key.split()[0] for source in told.sources if source.table == "meters"} == {
        "M-S1-IN",
        "M-S1-OUT",
    }
    user = explain(stored, run.run_id, "W1", "energy_real_time", date(2022, 7, 5))
    assert not any("SD_S" in source.key for source in user.sources)


@pytest.mark.parametrize(("who", "energy"), [("S1", Decimal("99.2")), ("G1", Decimal("7464.8"))])
def test_the_gain_or_loss_of_a_month_is_shared_by_what_a_storage_delivers_and_all_that_a_unit_makes(
    stored: Home, who: str, energy: Decimal
) -> None:
    run = settle(stored, JULY, profile_name="SD_2025").run
    told = explain(stored, run.run_id, who, "interprovincial_gain_loss")
    (share,) = told.pool.shares
    everything = Decimal("7464.8") + 4464 + Decimal("99.2") + 5952 + 2976 + Decimal("1190.4")
    assert (share.key, share.total_key) == (energy, everything)


def test_by_output_a_storage_is_paid_for_capacity_by_what_it_charged_and_discharged(tmp_path: Path) -> None:
    people = (SCENARIOS / "given_a_storage" / "when" / "participants_s1.csv").read_text("utf-8")
    at = at_home(
        tmp_path,
        "given_a_storage/when",
        participants_s1_classed=people.replace("110,3000,,", "110,3000,battery,"),
    )
    rules = with_rule("capacity_by_output", ("battery",))
    run = settle(at, JULY, profile_name=rules).run
    told = explain(at, run.run_id, "S1", "capacity_compensation", rules=rules)
    (share,) = told.pool.shares
    mean = MOVED / 744  # 0.3 MW beside 3 and 1 available
    assert (told.quantity_mwh, share.key, share.total_key) == (MOVED, mean, Decimal("4.3"))
    assert told.amount_cny == (Decimal("-1002733.44") * mean / Decimal("4.3")).quantize(Decimal("0.01"))


def test_a_share_outside_the_market_of_a_storage_is_said_and_not_used(tmp_path: Path) -> None:
    at = at_home(
        tmp_path,
        "given_a_storage/when",
        energy_shares="participant_id,what,share,valid_from,valid_to\nS1,nonmarket,0.5,2022-01-01,\n",
    )
    done = calculate(at, JULY, profile("SD_2025"))
    assert codes(done)["storage_outside_market"] == {"S1"}
    assert "priority_generation" not in amounts(done, "S1")
    assert amounts(done, "S1")["energy_real_time"] == Decimal("-69440.00")


@pytest.mark.parametrize("table", ["matrix", "consumer"])
def test_a_profile_that_lets_a_storage_pay_what_its_charging_is_without_is_refused(table: str) -> None:
    written = profile("SD_2022").model_dump(mode="json")
    if table == "matrix":
        charges = {one["code"]: one for one in written["matrix"]["charges"]}
        charges["capacity_compensation"]["payers"].append("storage")
    else:
        for one in written["consumer"]["price_charges"][0]["value"]:
            if one["charge"] == "transmission_fee":
                one["kinds"].append("storage")
    with pytest.raises(
        ValueError, match=r"storage_charging_without names (capacity_compensation|transmission_fee),"
    ):
        RuleProfile.model_validate(written)


def test_a_plant_settles_from_the_day_of_its_first_customer(tmp_path: Path) -> None:
    """T1 goes from R1 to V1 on 16 July: half of its energy is V1's, and V1 owes a position for these days alone."""
    at = at_home(
        tmp_path,
        participants_v1=f"{PEOPLE}\n{V1}\n{T1},R1,2022-01-01,2022-07-16\n{T1},V1,2022-07-16,\n",
        positions_v1=positions(days_of("V1,{day},day_ahead", 16, 32, "0.9")),
    )
    done = calculate(at, JULY, profile("SD_2022"))
    assert not codes(done, "block")
    own = amounts(done, "V1")
    assert own["energy_real_time"] == 16 * 96 * 1 * 490
    assert own["energy_day_ahead"] == 16 * 96 * Decimal("0.9") * -50
    assert amounts(done, "R1")["energy_real_time"] == 15 * 96 * 1 * 490


def test_a_day_without_its_position_is_missing_and_a_position_before_the_first_customer_is_not_used(
    tmp_path: Path,
) -> None:
    at = at_home(
        tmp_path,
        participants_v1=f"{PEOPLE}\n{V1}\n{T1},R1,2022-01-01,2022-07-16\n{T1},V1,2022-07-16,\n",
        positions_v1=positions(days_of("V1,{day},day_ahead", 15, 31, "0.9")),
    )
    done = calculate(at, JULY, profile("SD_2022"))
    found = {one.code: one.evidence["dates"] for one in done.findings if one.subject == "V1"}
    assert found == {"missing_position": ["2022-07-31"], "unsettled_positions": ["2022-07-15"]}
    assert amounts(done, "V1")["energy_day_ahead"] is None


@pytest.mark.parametrize("position", [None, "0"])
def test_a_plant_with_a_contract_and_no_customer_settles_the_contract(
    tmp_path: Path, position: str | None
) -> None:
    curve = ",".join(("contract_id", "date", *LABELS)) + "\n" + days_of("C9,{day}", 1, 32, "0.1")
    given = (
        {}
        if position is None
        else {"positions_v1": positions(days_of("V1,{day},day_ahead", 1, 32, position))}
    )
    at = at_home(
        tmp_path,
        participants_v1=f"{PEOPLE}\n{V1}\n",
        contracts_c9="contract_id,seller_id,buyer_id,price_cny_per_mwh,valid_from,valid_to\nC9,G1,V1,410,2022-07-01,\n",
        contract_curves_c9=curve,
        **given,
    )
    done = calculate(at, JULY, profile("SD_2022"))
    assert amounts(done, "V1")["contract"] == 2976 * Decimal("0.1") * (410 - 440)
    assert codes(done, "block").get("missing_position") == ({"V1"} if position is None else None)


@pytest.mark.parametrize("named", ["S1", "G1", "W1"])
def test_a_retail_user_cannot_be_the_customer_of_a_storage_a_generator_or_a_wholesale_user(
    tmp_path: Path, named: str
) -> None:
    at = at_home(tmp_path, "given_a_storage/when", participants_t1=f"{PEOPLE}\n{T1},{named},2022-01-01,\n")
    done = calculate(at, JULY, profile("SD_2022"))
    assert codes(done, "block")["retailer_unknown"] == {"T1"}
    assert amounts(done, "S1")["energy_real_time"] == Decimal("-69440.00")


def test_a_plant_without_customers_has_no_line_and_its_own_meter_is_said_to_be_nobodys(
    tmp_path: Path,
) -> None:
    at = at_home(tmp_path, participants_v1=f"{PEOPLE}\n{V1}\n")
    done = calculate(at, JULY, profile("SD_2022"))
    assert amounts(done, "V1") == {}
    assert not [one for one in done.findings if "V1" in one.sentence]
    metered = at_home(
        tmp_path / "metered",
        participants_v1=f"{PEOPLE}\n{V1}\n",
        meters_v1="meter_id,participant_id,multiplier,direction,valid_from,valid_to\nM-V1,V1,1,1,2022-01-01,\n",
    )
    assert codes(calculate(metered, JULY, profile("SD_2022")), "block")["kind_not_settled"] == {"V1"}


@pytest.mark.parametrize("rules", ["SD_2022", "SD_2025"])
def test_a_storage_has_a_statement_that_says_what_it_does_not_pay_on_charging(
    stored: Home, rules: str
) -> None:
    run = settle(stored, JULY, profile_name=rules).run
    made = write_reports(stored, run.run_id, participants=["S1"])
    (statement,) = made.statements
    book = load_workbook(statement)
    texts = [
        str(value) for sheet in book for row in sheet.iter_rows(values_only=True) for value in row if value
    ]
    assert "济南储能电站" in texts
    assert any("储能充电电量不缴容量电费" in text for text in texts)
