"""The first layer of the benchmark's month beside readings and positions: trades, an event, fees."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.month.consumers import DAYS, SCENARIOS


def first_layer(inbox: Path, ids: list[str], units: list[str]) -> None:
    """Trades between provinces, demand-response events, what market operation fees need, and an amount by hand."""
    pd.DataFrame(
        {
            "section_id": ["S"],
            "name": ["S"],
            "tariff_cny_per_mwh": [50.8],
            "loss_rate": [0.07],
            "loss_included": [0],
            "capacity_mw": [4000],
            "source": ["benchmark"],
            "valid_from": ["2022-01-01"],
            "valid_to": [""],
            "owner_id": ["OWN"],
            "source_effective_from": [""],
        }
    ).to_csv(inbox / "sections.csv", index=False)
    pd.DataFrame(
        {"path_id": ["P"], "seq": [1], "section_id": ["S"], "seller_node": ["NX"], "buyer_node": ["SD"]}
    ).to_csv(inbox / "paths.csv", index=False)
    _trades(inbox, ids[0])
    _events(inbox, ids)
    _fees(inbox, units)
    pd.DataFrame(
        {
            "adjustment_id": ["ADJ-1"],
            "payer_id": ["SGCC"],
            "payee_id": [ids[0]],
            "charge_code": ["energy_real_time"],
            "amount_cny": ["120.50"],
            "reason": ["meter tested 0.5 % fast in June"],
            "evidence": ["report 7/2022"],
            "entered_by": ["finance1"],
            "approver": ["finance2"],
            "valid_from": ["2022-07-01"],
            "valid_to": ["2022-08-01"],
        }
    ).to_csv(inbox / "manual_adjustments.csv", index=False)


def _trades(inbox: Path, direct: str) -> None:
    """Every evening quarter-hour day ahead by the grid company, one within the day, and one by a user for itself."""
    landed = round((300 + 50.8 * 0.93) / 0.93, 3)
    keys = [
        (f"IP-{n}", day, "day_ahead", period, "SGCC")
        for n, (day, period) in enumerate((day, period) for day in DAYS for period in range(65, 97))
    ]
    keys += [(f"IP-I-{n}", day, "intraday", 80, "SGCC") for n, day in enumerate(DAYS)]
    keys += [(f"IP-D-{n}", day, "day_ahead", 60, direct) for n, day in enumerate(DAYS)]
    names = ["trade_id", "date", "stage", "period", "buyer_id"]
    pd.DataFrame(keys, columns=names).assign(
        round=1,
        path_id="P",
        seller_node="NX",
        buyer_node="SD",
        seller_id="OUT",
        sell_mw=100,
        buy_mw=93,
        sell_price=300,
        landed_price=landed,
        executed_sell_mw=100,
        executed_buy_mw=93,
    ).to_csv(inbox / "trades.csv", index=False)


def _events(inbox: Path, ids: list[str]) -> None:
    """Two programmes with an event of up to 100 users each: one pays for being ready and its cost is shared, the other
    has a fund."""
    event = SCENARIOS / "given_a_demand_response_event" / "when"
    rows = {
        table: pd.read_csv(event / f"{table}.csv", dtype=str).iloc[:1]
        for table in ("dr_programs", "dr_events", "dr_enrolments", "dr_awards")
    }
    program, funded = rows["dr_programs"], {"program_id": "DR-FUND"}
    pd.concat(
        [
            program.assign(capacity_price_cny_per_kw_month="2", fund_id=""),
            program.assign(**funded, capacity_price_cny_per_kw_month="", fund_id="FUND1"),
        ]
    ).to_csv(inbox / "dr_programs.csv", index=False)
    second = {"event_id": "DR-2", "date": "2022-07-19", "announced_at": "2022-07-18T10:00:00+08:00"}
    pd.concat([rows["dr_events"], rows["dr_events"].assign(**funded, **second)]).to_csv(
        inbox / "dr_events.csv", index=False
    )
    called, others = ids[:100], ids[100:200] or ids[:1]
    enrolled, awarded = rows["dr_enrolments"], rows["dr_awards"]
    pd.concat(
        [
            *(enrolled.assign(participant_id=who) for who in called),
            *(enrolled.assign(**funded, participant_id=who) for who in others),
        ]
    ).to_csv(inbox / "dr_enrolments.csv", index=False)
    pd.concat(
        [
            *(awarded.assign(participant_id=who, committed_kw=10) for who in called),
            *(awarded.assign(event_id="DR-2", participant_id=who, committed_kw=10) for who in others),
        ]
    ).to_csv(inbox / "dr_awards.csv", index=False)
    fund = {"fund_id": ["FUND1"], "month": ["2022-07"], "income_cny": ["4500"], "source": ["benchmark"]}
    pd.DataFrame(fund).to_csv(inbox / "dr_funds.csv", index=False)


def _fees(inbox: Path, units: list[str]) -> None:
    """A row of every named fee of the profile on every day, and at what price residents are supplied."""
    from market.profiles import profile

    named = [
        charge.code
        for charge in profile("SD_2022").settled[1].charges
        if getattr(charge, "fee", None) is not None and charge.fee.role == "named"
    ]
    rows = [
        {
            "charge_code": code,
            "date": day,
            "amount_cny": 1000 + i,
            "cause": "benchmark",
            "participant_id": units[i],
        }
        for i, code in enumerate(named)
        for day in DAYS
    ]
    if rows:
        pd.DataFrame(rows).to_csv(inbox / "fee_pools.csv", index=False)
    pd.DataFrame(
        {
            "charge_code": ["residents_sale"],
            "price_cny_per_mwh": ["546.9"],
            "valid_from": ["2022-01-01"],
            "valid_to": [""],
            "published_on": ["2021-12-28"],
            "source": ["benchmark"],
        }
    ).to_csv(inbox / "standards.csv", index=False)
