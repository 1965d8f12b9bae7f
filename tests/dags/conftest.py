"""Airflow for these tests: a home of its own with SQLite, set up before anything imports airflow."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HAS_AIRFLOW = find_spec("airflow") is not None
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="gridsettle-airflow-")) if HAS_AIRFLOW else None

if AIRFLOW_HOME is not None:
    os.environ |= {
        "AIRFLOW_HOME": str(AIRFLOW_HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
