"""``run explain``: from a line of a run to its days, quarter-hours, trades and rows of delivered files."""

from jobs.explain.line import explain, explain_every_day
from jobs.explain.run import NotExplainedError

__all__ = ["NotExplainedError", "explain", "explain_every_day"]
