"""Validation and estimation of readings (market.md C.5, C.6): one rule, one function on arrays; docs/readings.md."""
