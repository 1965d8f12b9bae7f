"""What the checks of a city's month found, kept in the home by fingerprint; removing a file costs only time.

``checks/<month>/<key>.json``: the sha256 of the rest on the first line, then findings and estimates. A file that was
changed is not used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from jobs.estimates import Estimate
from market.periods import Month
from settlement.findings import Finding, Severity
from settlement.vee.ladder import Method
from warehouse.home import Home


@dataclass(frozen=True)
class Checked:
    """One scope's findings and estimates. gaps: findings of R25 on the readings as delivered."""

    findings: tuple[Finding, ...]
    estimates: tuple[Estimate, ...]
    gaps: tuple[Finding, ...] = ()


def load(home: Home, month: Month, key: str) -> Checked | None:
    """What is kept under a fingerprint; None where nothing is, or where the file is not what was written."""
    file = _file(home, month, key)
    if not file.is_file():
        return None
    fingerprint, _, text = file.read_text("utf-8").partition("\n")
    return parsed(text) if sha256(text.encode()).hexdigest() == fingerprint else None


def keep(home: Home, month: Month, key: str, checked: Checked) -> None:
    """Write it in one step."""
    file = _file(home, month, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = written(checked)
    unfinished = file.with_name(f".{key}.{os.getpid()}.part")
    unfinished.write_text(f"{sha256(text.encode()).hexdigest()}\n{text}", "utf-8")
    unfinished.replace(file)


def written(checked: Checked) -> str:
    """As JSON."""
    return json.dumps(
        {
            "findings": [vars(finding) for finding in checked.findings],
            "gaps": [vars(finding) for finding in checked.gaps],
            "estimates": [
                {
                    "day": str(one.day),
                    "meter_id": one.meter_id,
                    "participant_id": one.participant_id,
                    "raw": one.raw.tolist(),
                    "accepted": one.accepted.tolist(),
                    "rejected": np.flatnonzero(one.rejected).tolist(),
                    "methods": one.methods,
                }
                for one in checked.estimates
            ],
        },
        ensure_ascii=False,
    )


def parsed(text: str) -> Checked:
    """What ``written`` wrote."""
    found = json.loads(text)
    return Checked(
        _findings(found["findings"]), tuple(map(_estimate, found["estimates"])), _findings(found["gaps"])
    )


def _findings(said: Sequence[dict[str, Any]]) -> tuple[Finding, ...]:
    return tuple(Finding(**{**finding, "severity": Severity(finding["severity"])}) for finding in said)


def _estimate(said: dict[str, Any]) -> Estimate:
    raw = np.array(said["raw"], np.int64)
    rejected = np.zeros(raw.shape, np.bool_)
    rejected[said["rejected"]] = True
    methods: Sequence[str | None] = said["methods"]
    return Estimate(
        date.fromisoformat(said["day"]),
        said["meter_id"],
        said["participant_id"],
        raw,
        np.array(said["accepted"], np.int64),
        rejected,
        tuple(None if method is None else Method(method) for method in methods),
    )


def _file(home: Home, month: Month, key: str) -> Path:
    return home.checks / str(month) / f"{key}.json"
