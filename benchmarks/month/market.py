"""The first layer of the benchmark's month beside readings and positions: trades, an event, fees."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.month.consumers import DAYS, SCENARIOS


def first_layer(inbox: Path, ids: list[str], units: list[str]) -> None:
    """Trades between provinces, a demand-response event, and what market operation fees need."""
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
    keys = [(day, period) for day in DAYS for period in range(65, 97)]
    landed = round((300 + 50.8 * 0.93) / 0.93, 3)
    pd.DataFrame(
        {
            "trade_id": [f"IP-{n}" for n in range(len(keys))],
            "date": [day for day, _ in keys],
            "stage": "day_ahead",
            "round": 1,
            "period": [period for _, period in keys],
            "path_id": "P",
            "seller_node": "NX",
            "buyer_node": "SD",
            "seller_id": "OUT",
            "buyer_id": "SGCC",
            "sell_mw": 100,
            "buy_mw": 93,
            "sell_price": 300,
            "landed_price": landed,
            "executed_sell_mw": 100,
            "executed_buy_mw": 93,
        }
    ).to_csv(inbox / "trades.csv", index=False)
    event = SCENARIOS / "given_a_demand_response_event" / "when"
    for table in ("dr_programs", "dr_events"):
        pd.read_csv(event / f"{table}.csv", dtype=str).to_csv(inbox / f"{table}.csv", index=False)
    enrolment = pd.read_csv(event / "dr_enrolments.csv", dtype=str).iloc[:1]
    award = pd.read_csv(event / "dr_awards.csv", dtype=str).iloc[:1]
    called = ids[:100]
    pd.concat([enrolment.assign(participant_id=who) for who in called]).to_csv(
        inbox / "dr_enrolments.csv", index=False
    )
    pd.concat([award.assign(participant_id=who, committed_kw=10) for who in called]).to_csv(
        inbox / "dr_awards.csv", index=False
    )
    _fees(inbox, units)


def _fees(inbox: Path, units: list[str]) -> None:
    """A row of every named fee of the profile on every day; nothing where the profile has none."""
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
