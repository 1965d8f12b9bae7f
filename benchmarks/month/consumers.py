"""The second layer of the benchmark's month: retail and agency users, residents, packages and tariffs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

DAYS = [date(2022, 7, 1) + timedelta(days=n) for n in range(31)]
SCENARIOS = Path(__file__).resolve().parents[2] / "tests" / "scenarios"


@dataclass(frozen=True)
class Others:
    """Retail and agency users and residents; ``of``: which of ``books`` (retailers, the grid company) holds each."""

    frame: pd.DataFrame
    metered: list[str]
    books: list[str]
    of: np.ndarray


def second_layer(inbox: Path, count: int) -> Others:
    """Consumers with what their bills need: packages, tariffs and who chose what."""
    retailers = [f"R{n}" for n in range(4)]
    retail = [f"T{n:06d}" for n in range(count // 2)]
    agency = [f"A{n:06d}" for n in range(count - count // 2)]
    rows = [{"participant_id": who, "kind": "retailer"} for who in retailers]
    rows += [
        {"participant_id": who, "kind": "retail_user", "retailer_id": retailers[i % 4]}
        for i, who in enumerate(retail)
    ]
    rows += [{"participant_id": who, "kind": "agency_user"} for who in agency]
    rows += [{"participant_id": "RES", "kind": "residents"}, {"participant_id": "FUND-GOV", "kind": "fund"}]
    rows += [{"participant_id": "OUT", "kind": "outside"}, {"participant_id": "OWN", "kind": "channel_owner"}]
    rows += [{"participant_id": "FUND1", "kind": "fund"}]
    frame = pd.DataFrame(rows)
    consumer = frame["kind"].isin(["retail_user", "agency_user"])
    two_part = consumer & (np.arange(len(frame)) % 2 == 0)
    frame["tariff_class"] = np.where(two_part, "large_industry", np.where(consumer, "general_industry", ""))
    frame["basic_fee"] = np.where(two_part, "capacity", "")
    frame.loc[frame["kind"] == "residents", "tariff_class"] = "residents"
    frame["voltage_kv"] = np.where(consumer, "10", "")
    frame.loc[frame["kind"] == "residents", "voltage_kv"] = "10"
    frame["capacity_kva"] = np.where(consumer, "500", "")
    scenario = SCENARIOS / "given_tariffs_and_packages" / "when"
    pd.read_csv(scenario / "tariffs.csv", dtype=str).to_csv(inbox / "tariffs.csv", index=False)
    package = pd.read_csv(scenario / "packages.csv", dtype=str)
    packages = pd.concat(
        [
            package.assign(
                retailer_id=who,
                package_id=f"FIXD22{i:04d}",
                cap_cny_per_mwh="480" if i == 0 else "",
                c1_cny_per_mwh="8",
                c2_cny="100000",
            )
            for i, who in enumerate(retailers)
        ]
    )
    packages.to_csv(inbox / "packages.csv", index=False)
    choice = pd.read_csv(scenario / "package_choices.csv", dtype=str)
    choices = pd.DataFrame(
        {
            **{name: choice[name].iloc[0] for name in choice.columns if name != "participant_id"},
            "participant_id": retail,
            "package_id": [f"FIXD22{i % 4:04d}" for i in range(len(retail))],
            "ended_early_on": ["2022-07-20" if i % 100 == 0 else "" for i in range(len(retail))],
        }
    )
    choices[list(choice.columns)].to_csv(inbox / "package_choices.csv", index=False)
    of = [i % 4 for i in range(len(retail))] + [4] * len(agency) + [5]
    return Others(frame, [*retail, *agency, "RES"], [*retailers, "SGCC"], np.array(of))
