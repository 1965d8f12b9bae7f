"""The sections of a path on a day: exactly one row in force with an owner, or the path's costs are not known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd

from ingest.deliver import deliver_many
from jobs.month_calculation import calculate
from jobs.month_trades import path_sections
from market.periods import Month
from market.profiles import profile
from settlement.findings import Severity
from settlement.interprovincial import Section
from settlement.passthrough import CODE
from warehouse.home import Home, create, home

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
DAY = date(2022, 7, 22)
PATHS = pd.DataFrame(
    {"path_id": ["NX-YD", "NX-YD"], "seq": [1, 2], "section_id": ["NX", "YD"]},
)


def sections(*more: dict, **yd: object) -> pd.DataFrame:
    plain = {
        "tariff_cny_per_mwh": Decimal("50.8"),
        "loss_rate": Decimal("0.07"),
        "loss_included": 0,
        "valid_from": date(2022, 1, 1),
        "valid_to": None,
        "source": "842号",
        "source_effective_from": None,
    }
    rows = [
        {"section_id": "NX", "owner_id": "OWN-NX", **plain},
        {"section_id": "YD", "owner_id": "OWN-YD", **plain, **yd},
        *({"section_id": "YD", "owner_id": "OWN-YD", **plain, **one} for one in more),
    ]
    return pd.DataFrame(rows).astype(object)


def known(frame: pd.DataFrame, path_id: str = "NX-YD"):
    return path_sections(PATHS, frame, [(path_id, DAY)])


def test_a_path_whose_sections_hold_has_its_costs_and_nothing_is_said() -> None:
    found = known(sections())
    assert found.sections["NX-YD", DAY] == [
        Section("NX", "OWN-NX", Decimal("50.8"), Decimal("0.07")),
        Section("YD", "OWN-YD", Decimal("50.8"), Decimal("0.07")),
    ]
    assert found.findings == ()


def test_a_tariff_that_contains_the_loss_is_settled_without_loss() -> None:
    assert known(sections(loss_included=1)).sections["NX-YD", DAY][1].loss_rate == 0


def test_a_section_that_ended_leaves_the_path_unknown_and_names_who_may_be_owed() -> None:
    found = known(sections(valid_to=DAY))
    assert found.sections == {}
    assert found.owners_of["NX-YD"] == {"OWN-NX", "OWN-YD"}
    (said,) = found.findings
    assert (said.code, said.severity, said.subject) == ("path_without_section", Severity.BLOCK, "NX-YD/YD")


def test_a_section_with_two_tariffs_on_one_day_is_not_guessed() -> None:
    twice = known(sections({"valid_from": date(2022, 7, 1), "tariff_cny_per_mwh": Decimal(1)}))
    assert twice.sections == {}
    assert [finding.subject for finding in twice.findings] == ["NX-YD/YD"]


def test_tariffs_that_follow_each_other_are_one_a_day() -> None:
    followed = known(
        sections({"valid_from": DAY, "tariff_cny_per_mwh": Decimal(1)}, valid_to=DAY),
    )
    assert followed.sections["NX-YD", DAY][1].tariff == 1
    assert followed.findings == ()


def test_a_section_without_an_owner_leaves_nobody_to_pay() -> None:
    assert [finding.subject for finding in known(sections(owner_id=None)).findings] == ["NX-YD/YD"]


def test_a_path_without_any_section_is_not_free() -> None:
    found = known(sections(), "unknown")
    assert found.sections == {}
    assert [finding.subject for finding in found.findings] == ["unknown"]


def test_a_tariff_of_a_later_document_is_said_once_a_section() -> None:
    later = sections(source_effective_from=date(2026, 8, 1))
    both = path_sections(PATHS, later, [("NX-YD", DAY), ("NX-YD", DAY.replace(day=23))])
    assert [finding.code for finding in both.findings] == ["tariff_effective_later"]
    assert known(sections(source_effective_from=date(2019, 5, 15))).findings == ()


# --- The daily cap comes with the inter-provincial profile (S14 7.3 d) ----------------------------------------


def dear_month(folder: Path) -> Home:
    """The plain month with its trade at 1,800 元/MWh instead of 300."""
    at = home(folder / "home")
    create(at)
    base = SCENARIOS / "base"
    trades = folder / "trades.csv"
    text = (base / "trades.csv").read_text(encoding="utf-8")
    trades.write_text(text.replace(",300,401.883,", ",1800,2022.892,"), encoding="utf-8")
    deliver_many(at, [*(file for file in base.glob("*.csv") if file.name != "trades.csv"), trades])
    return at


def test_the_2026_rules_scale_a_dear_day_and_the_trial_rules_do_not(tmp_path: Path) -> None:
    at, trial = dear_month(tmp_path), profile("SD_2022")
    later = trial.model_copy(update={"interprovincial": profile("IPSPOT_2026").traded})
    for rules, sold, said in ((trial, -45_000, []), (later, -37_500, ["daily_price_cap_applied"])):
        done = calculate(at, Month(2022, 7), rules)
        amounts = {(line.participant_id, line.charge_code): line.amount_fen for line in done.result.lines}
        # 0.25 MWh at 1,800, scaled by 5/6 to 1,500; transmission stays 6.22 and 11.75
        assert amounts["OUT-NX", "interprovincial_sale_day_ahead"] == sold
        assert amounts["OWN-NX", "interprovincial_transmission"] == -622
        assert amounts["OWN-YD", "interprovincial_transmission"] == -1_175
        # landed cost less 231,338 Wh · 440
        assert sum(fen for (_, code), fen in amounts.items() if code == CODE) == -sold + 1_797 - 10_179
        of_base = (
            "bills_without_tariffs",
            "month_without_registers",
            "capacity_by_output_open",
        )  # the base has neither tariffs nor registers, and no rule for capacity by output
        assert [one.code for one in done.findings if one.code not in of_base] == said
