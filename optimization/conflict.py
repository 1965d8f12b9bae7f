"""Names what cannot be met together when no plan closes the gap: an elastic relaxation of the day.

Every limit of the day may be passed at a price; what the cheapest plan passes, and by how much, is the conflict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from market.periods import label
from optimization.evaluation import Imports, outcome
from optimization.purchase import Procurement

PASSED_MW = 1e-3


@dataclass(frozen=True)
class Conflict:
    """A period whose limits cannot be met together: missing_mw in the worst scenario, and what stands in the way."""

    period: int
    missing_mw: float
    limits: tuple[str, ...]

    def sentence(self) -> str:
        """For the reader of the bid."""
        return (
            f"Period {self.period} ({label(self.period)}): {self.missing_mw:.0f} MW of the gap cannot be closed by "
            f"{', '.join(self.limits)} together; raise one of them or correct the forecast."
        )


def conflicts(problem: Procurement) -> list[Conflict]:
    """Periods in which everything that may be bought, called and cut is less than the gap of some scenario.

    Empty while orderly use has no limit: then every gap can be closed, at the value of lost load.
    """
    if problem.orderly_use_mw is None:
        return []
    gap = problem.scenarios.gap_mw
    total = np.full(gap.shape[1], np.inf) if problem.import_limit_mw is None else problem.import_limit_mw
    most = np.where(gap > 0, np.minimum(gap, np.minimum(problem.bid_limit_mw(), total)), 0.0)
    free = Imports(
        most, np.zeros_like(most), np.zeros((len(gap), len(problem.supply.path_ids), gap.shape[1]))
    )
    elastic = outcome(free, replace(problem, orderly_use_mw=None, risk_weight=0.0))
    missing = elastic.short_mw - problem.orderly_use_mw
    found = []
    for t in np.flatnonzero((missing > PASSED_MW).any(axis=0)).tolist():
        limits = [
            f"orderly use ({problem.orderly_use_mw[t]:.0f} MW)",
            *(f"programme {one.program_id} ({one.capability_mw:.0f} MW)" for one in problem.demand_response),
            min(
                (float(total[t]), f"total import ({total[t]:.0f} MW)"),
                (float(problem.capability_mw[t]), f"transfer capability ({problem.capability_mw[t]:.0f} MW)"),
                (float(problem.need_limit_mw[t]), f"the declared need ({problem.need_limit_mw[t]} MW)"),
                key=lambda one: one[0],
            )[1],
        ]
        found.append(Conflict(t + 1, float(missing[:, t].max()), tuple(limits)))
    return found
