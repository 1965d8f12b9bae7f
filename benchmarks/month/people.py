"""Who takes part in the benchmark's month: participants, meters, contracts, capacity, registers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.month.consumers import Others

CITIES = ("jinan", "qingdao", "yantai", "weifang", "linyi")
GENERATORS = 20


def people(inbox: Path, ids: list[str], units: list[str], others: Others) -> None:
    start = "2022-01-01"
    connected = {
        "voltage_kv": "10",
        "capacity_kva": "100000",
        "tariff_class": "large_industry",
        "basic_fee": "capacity",
    }
    rows = [
        {"participant_id": who, "kind": kind, "city": CITIES[i % 5], "node": "SD", **of_kind}
        for kind, whole, of_kind in (
            ("wholesale_user", ids, connected),
            ("generator", units, {"tariff_class": "coal"}),
        )
        for i, who in enumerate(whole)
    ]
    rows.append({"participant_id": "SGCC", "kind": "grid_company", "city": "province", "node": "SD"})
    more = others.frame.assign(city=[CITIES[i % 5] for i in range(len(others.frame))], node="SD")
    frame = pd.concat([pd.DataFrame(rows), more]).fillna("")
    frame["name"] = frame["participant_id"]
    frame["valid_from"], frame["valid_to"] = start, ""
    order = "participant_id name kind city node voltage_kv capacity_kva tariff_class retailer_id basic_fee valid_from valid_to"
    frame[order.split()].to_csv(inbox / "participants.csv", index=False)
    metered = [*ids, *others.metered, *units]
    pd.DataFrame(
        {
            "meter_id": [f"M-{who}" for who in metered],
            "participant_id": metered,
            "multiplier": 1,
            "direction": [1] * (len(metered) - len(units)) + [-1] * len(units),
            "valid_from": start,
            "valid_to": "",
        }
    ).to_csv(inbox / "meters.csv", index=False)
    pd.DataFrame(
        {
            "contract_id": [f"C-{who}" for who in ids],
            "seller_id": [units[i % len(units)] for i in range(len(ids))],
            "buyer_id": ids,
            "price_cny_per_mwh": contract_price(len(ids)) / 1000,
            "valid_from": start,
            "valid_to": "",
        }
    ).to_csv(inbox / "contracts.csv", index=False)
    pd.DataFrame({"participant_id": units, "month": "2022-07", "capacity_mw": 1000}).to_csv(
        inbox / "capacity_available.csv", index=False
    )


def registers(inbox: Path, metered: list[str], counted: np.ndarray) -> None:
    """A read at either end of the month for every consuming meter, 1 kWh above the sum of its days. counted: Wh."""
    pd.DataFrame(
        {
            "meter_id": [f"M-{who}" for who in metered],
            "flow": "forward",
            "rate": "total",
            "valid_from": "2022-07-01",
            "valid_to": "2022-08-01",
            "start_kwh": 0,
            "end_kwh": (counted + 1000) / 1000,
            "digits": 12,
            "multiplier": "",
        }
    ).to_csv(inbox / "registers.csv", index=False, float_format="%.3f")


def contract_price(users: int) -> np.ndarray:
    return 380_000 + (np.arange(users, dtype=np.int64) * 37) % 90_000
