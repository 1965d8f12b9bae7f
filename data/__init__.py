"""Reference tables and rule profiles as package resources; the sample month lies in ``data/sample``."""
