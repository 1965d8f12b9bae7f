"""What besides the market decides an event's money: cancellations, appeals, barred days, the rota, capacity fees, funds."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest

from demand_response.lifecycle import State
from demand_response.sharing import share
from ingest.deliver import deliver_many
from jobs.dr_capacity import capacity_pools
from jobs.dr_day import EventDays
from jobs.dr_events import cancellation_findings
from jobs.dr_funds import limit_by_funds
from jobs.dr_list import list_events
from jobs.dr_report import write_allocation_page
from jobs.dr_rota import with_rota
from jobs.dr_sessions import Sessions
from jobs.settle_month import settle
from market.periods import Month
from market.profiles import profile
from settlement.findings import Severity
from warehouse.home import Home, home

JULY = Month(2022, 7)
FIRST, SECOND, THIRD = "DR-20220718-EM", "DR-20220719-DA", "DR-20220721-DA"
NO_FUND = pd.DataFrame({"fund_id": [], "month": [], "income_cny": []})


def copied(at: Home, to) -> Home:
    """The same home elsewhere; files are linked, the database is a copy."""
    for folder in ("curves", "inbox"):
        shutil.copytree(at.root / folder, to / folder, copy_function=os.link)
    for folder in ("quarantine", "locks"):
        shutil.copytree(at.root / folder, to / folder)
    for file in (*at.root.glob("gridsettle.db*"), at.users, at.anchors):
        if file.is_file():
            shutil.copy2(file, to / file.name)
    shutil.copytree(at.root / "runs", to / "runs")
    (to / "reports").mkdir()
    return home(to)


def delivered(at: Home, folder, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    receipts = deliver_many(at, [folder])
    assert [(one.status, one.quarantined) for one in receipts] == [("accepted", 0)] * len(files)


@pytest.fixture(scope="module")
def month(sample_home, settled_sample, sample_folder, tmp_path_factory):
    """The sample month with a fund that is short, a capacity price, one event called off, and two appeals."""
    at = copied(sample_home, tmp_path_factory.mktemp("terms"))
    header, day_ahead, intraday = (
        (sample_folder / "dr_programs.csv").read_text(encoding="utf-8-sig").splitlines()
    )
    delivered(
        at,
        tmp_path_factory.mktemp("terms_first"),
        participants="participant_id,name,kind,city,node,voltage_kv,capacity_kva,tariff_class,retailer_id,valid_from,valid_to\n"
        "FUND1,尖峰电价专项资金,fund,,,,,,,2022-01-01,\n",
    )
    delivered(
        at,
        tmp_path_factory.mktemp("terms_second"),
        dr_programs=f"{header},penalty_price_cny_per_kwh,capacity_price_cny_per_kw_month,fund_id\n"
        f"{day_ahead},,2,\n{intraday},,,FUND1\n",
        dr_funds="fund_id,month,income_cny,source\nFUND1,2022-07,5000000,by hand\n",
        dr_cancellations=f"event_id,cancelled_at,reason\n{THIRD},2022-07-21T09:00:00+08:00,gap closed\n",
        dr_appeals="event_id,participant_id,appealed_at,reason,outcome,decided_at,decision\n"
        f"{SECOND},W0002,2022-07-22T09:00:00+08:00,meter read late,,,\n"
        f"{SECOND},W0001,2022-07-20T09:00:00+08:00,too early,,,\n",
    )
    return at, settle(at, JULY).run, settled_sample


def table(run, name: str) -> pd.DataFrame:
    return pd.read_parquet(run.folder / f"{name}.parquet")


def total(run, code: str) -> Decimal:
    lines = table(run, "lines")
    return lines.loc[lines["charge_code"] == code, "amount_cny"].sum()


def test_an_event_that_was_called_off_is_neither_paid_nor_shared_and_says_so(month) -> None:
    at, run, _ = month
    assert set(table(run, "response")["event_id"]) == {FIRST, SECOND}
    findings = table(run, "findings").set_index("code")
    assert findings.loc["event_cancelled", "subject"] == THIRD
    states = {row.event_id: row.state for row in list_events(at, JULY)}
    assert states[THIRD] == State.CANCELLED


def test_a_fund_that_is_short_pays_everyone_the_same_share_to_the_fen(month) -> None:
    _, run, before = month
    claims = table(before, "response").set_index(["event_id", "participant_id"])["payment_cny"].loc[FIRST]
    paid = table(run, "response").set_index(["event_id", "participant_id"])["payment_cny"].loc[FIRST]
    assert paid.sum() == Decimal("5000000.00") < claims.sum()
    for who, claim in claims.items():
        assert abs(Fraction(paid[who]) - Fraction(claim) * 5_000_000 / Fraction(claims.sum())) <= Fraction(
            1, 100
        )
    assert total(run, "demand_response_fund") == Decimal("5000000.00")
    assert total(run, "demand_response_fund_income") == 0


def test_what_a_fund_pays_is_charged_to_nobody(month) -> None:
    _, run, _ = month
    shares = table(run, "allocation")
    assert shares.loc[shares["event_id"] == FIRST, "charge_cny"].sum() == 0


def test_the_account_of_demand_response_closes_with_funds_and_capacity_fees_in_it(month) -> None:
    _, run, _ = month
    accounts = table(run, "accounts").set_index("account")
    assert accounts.loc["demand_response", "closing_cny"] == 0
    assert accounts.loc["demand_response_fund", "closing_cny"] == 0
    assert accounts.loc["participant:FUND1", "closing_cny"] == 0  # received 5,000,000 and paid it
    assert table(run, "postings")["amount_cny"].sum() == 0


def test_capability_is_paid_by_kw_and_price_and_shared_over_the_months_use(month, sample_folder) -> None:
    _, run, _ = month
    enrolments = pd.read_csv(sample_folder / "dr_enrolments.csv", dtype=str)
    capability = sum(map(Decimal, enrolments.loc[enrolments["program_id"] == "DR-DA-2022", "capability_kw"]))
    assert total(run, "demand_response_capacity") == -2 * capability  # 2 元/kW·month, the whole month
    shares = table(run, "allocation")
    pool = shares[shares["event_id"] == "DR-DA-2022/2022-07"]
    assert pool["charge_cny"].sum() == 2 * capability
    use = table(run, "lines").set_index(["charge_code", "participant_id"])["quantity_mwh"]
    largest = pool.loc[pool["charge_cny"].map(float).idxmax(), "participant_id"]
    assert use["energy_real_time"].loc[list(pool["participant_id"])].map(float).idxmax() == largest


def test_an_appeal_is_open_until_decided_and_one_before_d_plus_2_is_not_admitted(month) -> None:
    _, run, _ = month
    findings = table(run, "findings")
    assert list(findings.loc[findings["code"] == "appeal_open", "subject"]) == [f"{SECOND}/W0002"]
    (early,) = findings.loc[findings["code"] == "appeal_not_admissible", "sentence"]
    assert "W0001 can appeal from 2022-07-21" in early


def test_the_allocation_page_of_such_a_month_says_what_the_run_says(month) -> None:
    at, run, _ = month
    page = write_allocation_page(at, run.run_id).read_text(encoding="utf-8")
    assert "DR-DA-2022/2022-07" in page
    assert "FUND1" in page


def test_a_cancellation_after_the_start_undoes_nothing_and_blocks(sample_home) -> None:
    days = days_with(
        sample_home,
        SECOND,
        dr_cancellations=pd.DataFrame(
            {"event_id": [SECOND], "cancelled_at": ["2022-07-19T17:00:00+08:00"], "reason": ["late"]}
        ),
    )
    assert not days.events.is_cancelled(days.events.events[0])
    (found,) = cancellation_findings(days.events)
    assert (found.code, found.severity, found.subject) == ("cancellation_too_late", Severity.BLOCK, SECOND)


def test_a_rota_without_a_session_to_clear_again_says_that_nothing_was_counted(sample_home) -> None:
    (settled,) = days_with(sample_home, FIRST).settle_all()
    rules = profile("SD_2022").settled[0]
    case = with_rota(settled.case, [1] * len(settled.case.market.payers), Sessions(None, None), rules)
    assert case.market.other_gain is None
    assert "not counted, the session could not be cleared again" in case.model


def days_with(at: Home, event: str, **changed: pd.DataFrame) -> EventDays:
    days = EventDays.of_event(at, event, profile("SD_2022"), None)
    days.events = replace(days.events, tables={**days.events.tables, **changed})
    return days


def test_a_day_of_orderly_use_is_no_baseline_day_of_that_participant_alone(sample_home) -> None:
    plain = {one.participant_id: one for one in next(days_with(sample_home, SECOND).settle_all()).outcomes}
    day = plain["W0001"].baseline.days_used[0]
    barred = pd.DataFrame(
        {"participant_id": ["W0001"], "date": [day], "cause": ["orderly_use"], "source": ["by hand"]}
    )
    (settled,) = days_with(sample_home, SECOND, dr_exclusions=barred).settle_all()
    found = {one.participant_id: one for one in settled.outcomes}
    assert found["W0001"].baseline.excluded[day] == "orderly_use"
    assert day not in found["W0001"].baseline.days_used
    assert found["W0002"].baseline.days_used == plain["W0002"].baseline.days_used
    assert found["W0002"].payment_fen == plain["W0002"].payment_fen


def rota(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [(who, Decimal(share), date(2022, 1, 1), None, "by hand") for who, share in rows],
        columns=["participant_id", "share", "valid_from", "valid_to", "source"],
    )


def test_orderly_use_that_an_emergency_event_spared_is_worth_lost_load_by_rota_share(sample_home) -> None:
    (plain,) = days_with(sample_home, FIRST).settle_all()
    (settled,) = days_with(sample_home, FIRST, rota=rota(("W0001", "0.75"), ("W0005", "0.25"))).settle_all()
    before, after = share(plain.case), share(settled.case)
    gained = {
        who: new - old
        for who, new, old in zip(
            after.drivers["participant_id"],
            after.drivers["benefit_fen"],
            before.drivers["benefit_fen"],
            strict=True,
        )
    }
    # 1,470 to 3,010 MWh an event could not have been bought; at 20,000 元/MWh the two bear all of the cost
    assert {who for who, fen in gained.items() if fen} == {"W0001", "W0005"}
    assert gained["W0001"] > 2 * gained["W0005"] > 0
    assert "of orderly use spared by the rota at 20000 元/MWh" in settled.case.model
    assert sum(after.charged("benefit").values()) == after.cost_fen
    assert after.charged("benefit")["W0001"] > after.cost_fen // 2


def test_without_a_rota_nothing_is_added(sample_home) -> None:
    (settled,) = days_with(sample_home, FIRST).settle_all()
    assert settled.case.market.other_gain is None
    assert "rota" not in settled.case.model


def income(month: str, yuan: int) -> pd.DataFrame:
    return pd.DataFrame({"fund_id": ["F"], "month": [month], "income_cny": [Decimal(yuan)]})


def test_a_fund_with_enough_pays_in_full_and_carries_the_rest_over(sample_home) -> None:
    days = days_with(sample_home, FIRST)
    (plain,) = days.settle_all()
    cost = sum(one.payment_fen for one in plain.outcomes)
    one = replace(plain, program=replace(plain.program, fund_id="F"))
    limited = limit_by_funds([one], [], income("2022-07", 10_000_000), {"participant:F": -250}, JULY)
    (fund,) = limited.funds
    assert (fund.paid_fen, fund.factor) == (cost, 1)
    assert fund.carried_fen == 250 + 10_000_000_00 - cost
    assert [o.payment_fen for o in limited.settled[0].outcomes] == [o.payment_fen for o in plain.outcomes]


def test_what_a_fund_keeps_is_its_opening_of_the_next_month_even_without_an_event() -> None:
    limited = limit_by_funds([], [], income("2022-06", 1), {"participant:F": -777}, JULY)
    (fund,) = limited.funds
    assert (fund.opening_fen, fund.income_fen, fund.carried_fen) == (777, 0, 777)


def test_a_fund_waits_while_a_claim_on_it_is_unknown(sample_home) -> None:
    (plain,) = days_with(sample_home, FIRST).settle_all()
    gap = replace(
        plain.outcomes[0], payment_fen=None, penalty_fen=None, code="event_day_gap", missing_reason="gap"
    )
    one = replace(
        plain, program=replace(plain.program, fund_id="F"), outcomes=(gap, *plain.outcomes[1:]), case=None
    )
    limited = limit_by_funds([one], [], income("2022-07", 1), {}, JULY)
    outcomes = limited.settled[0].outcomes
    assert all(outcome.payment_fen is None for outcome in outcomes)
    assert [outcome.code for outcome in outcomes] == ["event_day_gap"] + ["fund_waits"] * (len(outcomes) - 1)


def test_programmes_without_a_fund_are_untouched(sample_home) -> None:
    settled = list(days_with(sample_home, FIRST).settle_all())
    assert limit_by_funds(settled, [], NO_FUND, {}, JULY).settled == tuple(settled)


def test_an_agreed_product_has_a_fee_only_in_a_month_with_an_event_and_for_what_was_not_called(
    sample_home,
) -> None:
    days = EventDays.of_month(sample_home, JULY, profile("SD_2022"), None)
    programs = days.events.tables["dr_programs"]
    agreed = programs.assign(product="agreed", capacity_price_cny_per_kw_month=Decimal("0.3"))
    events = replace(days.events, tables={**days.events.tables, "dr_programs": agreed})
    pools = {pool.program_id: pool for pool in capacity_pools(events, JULY)}
    enrolled = events.tables["dr_enrolments"].set_index(["program_id", "participant_id"])["capability_kw"]
    awards = events.tables["dr_awards"]
    called = awards[awards["event_id"] == FIRST].set_index("participant_id")["committed_kw"]
    free = enrolled["DR-EM-2022", "W0002"] - called["W0002"]
    assert pools["DR-EM-2022"].fees["W0002"] == round(max(free, 0) * 30)
    quiet = replace(events, events=())
    assert capacity_pools(quiet, JULY) == []


def test_a_programme_without_a_capacity_price_has_no_fee(sample_home) -> None:
    assert capacity_pools(EventDays.of_month(sample_home, JULY, profile("SD_2022"), None).events, JULY) == []
