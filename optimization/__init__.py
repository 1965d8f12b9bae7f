"""Forecast, scenarios, procurement and bid curves, inter-provincial clearing, hindsight: pure calculation."""
