"""How long a morning bid takes, and what of it is the solver: ``python -m benchmarks.procurement [scenarios …]``.

A random day with a fixed seed: 96 periods at risk, 6 seller nodes with 12 paths and four offers each, five segments,
two programmes of demand response. Printed for each number of scenarios, in CPU seconds: search (curves found and
cleared), build (Pyomo), hand-over (standard form and passModel), solve, and HiGHS alone on the same matrix; then the
whole way from data to a checked bid. The bound is 60 s of wall time on two cores for 20 scenarios.
"""

from __future__ import annotations

import sys
from time import perf_counter, process_time

import highspy
import numpy as np
import pandas as pd

from market.profiles import profile
from optimization import procurement, solver
from optimization.bid_check import BidLimits, problems
from optimization.purchase import DemandResponse, Procurement, bid_frame
from optimization.scenarios import Scenarios
from optimization.supply import supply

NODES, PATHS_A_NODE, STEPS, PERIODS = 6, 2, 4, 96
BOUND_SECONDS = 60.0
TIME_LIMIT = 30.0


def day(scenarios: int) -> Procurement:
    """A day in which every period may be short."""
    random = np.random.default_rng(20220722)
    rows = []
    for n in range(NODES):
        for p in range(PATHS_A_NODE):
            path = f"N{n}-{p}"
            rows.append((path, 1, f"OUT-{n}", f"N{n}", "SD", str(random.integers(20, 35)), "0.005"))
            rows.append(
                (
                    path,
                    2,
                    f"DC-{n}-{p}",
                    f"N{n}",
                    "SD",
                    str(random.integers(35, 70)),
                    f"0.0{random.integers(20, 75)}",
                )
            )
    names = ["path_id", "seq", "section_id", "seller_node", "buyer_node", "tariff_cny_per_mwh", "loss_rate"]
    paths = pd.DataFrame(rows, columns=names)
    limits = [
        (section, t, float(random.integers(150, 500)))
        for section in sorted(set(paths["section_id"]))
        for t in range(1, PERIODS + 1)
    ]
    own = supply(paths, pd.DataFrame(limits, columns=["section_id", "period", "mw"]), "SD")
    hour = np.arange(PERIODS) / 4
    shape = 900 + 900 * np.exp(-(((hour - 19) / 3) ** 2)) + 500 * np.exp(-(((hour - 10) / 3) ** 2))
    gap = np.maximum(
        shape * np.exp(0.3 * random.standard_normal((scenarios, 1)))
        + 120 * random.standard_normal((scenarios, PERIODS)),
        0,
    )
    price = (
        300
        * np.exp(0.2 * random.standard_normal((scenarios, NODES, 1)))
        * (1 + 0.3 * np.exp(-(((hour - 19) / 3) ** 2)))
    )
    factor = np.array([0.9, 1.0, 1.25, 1.7])[None, None, :, None] * np.exp(
        0.05 * random.standard_normal((scenarios, NODES, STEPS, 1))
    )
    share = np.array([0.4, 0.3, 0.25, 0.25])[None, None, :, None] * np.exp(
        0.2 * random.standard_normal((scenarios, NODES, 1, 1))
    )
    carried = own.carried_by_node()
    found = Scenarios(
        names=tuple(f"s{n}" for n in range(scenarios)),
        probability=np.full(scenarios, 1 / scenarios),
        seller_nodes=own.seller_nodes,
        gap_mw=gap,
        seller_price=price,
        offer_price=np.sort(factor * price[:, :, None], axis=2),
        offer_mw=share * carried[None, :, None],
    )
    programmes = (
        DemandResponse("DA", 500.0, 1500.0, 0.0, 4, 16, True),
        DemandResponse("ID", 300.0, 0.0, 6000.0, 4, 16, False),
    )
    need = np.ceil(gap.max(axis=0)).astype(np.int64)
    rules = profile("IPSPOT_2022_TRIAL").traded
    return Procurement(own, found, programmes, need, np.full(PERIODS, 250.0), 20_000.0, rules)


class Clock:
    """CPU seconds of the steps of ``solve``, taken by wrapping its own functions."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.last: solver.Handed | None = None
        self.alone = 0.0

    def wrap(self, module: object, name: str, step: str) -> None:
        inner = getattr(module, name)

        def timed(*args: object, **options: object) -> object:
            begun = process_time()
            result = inner(*args, **options)
            self.spent[step] = self.spent.get(step, 0.0) + process_time() - begun
            return result

        setattr(module, name, timed)


def highs_alone(handed: solver.Handed, options: tuple[float, float]) -> float:
    """CPU seconds of a fresh HiGHS on the same matrix, with the start it was given."""
    fresh = highspy.Highs()
    fresh.silent()
    fresh.passModel(handed.highs.getLp())
    for name, value in (
        ("threads", 1),
        ("random_seed", 0),
        ("time_limit", options[0]),
        ("mip_rel_gap", options[1]),
    ):
        fresh.setOptionValue(name, value)
    begun = process_time()
    fresh.run()
    return process_time() - begun


def main() -> None:
    """Print the table."""
    sizes = [int(one) for one in sys.argv[1:]] or [5, 10, 20]
    clock = Clock()
    clock.wrap(procurement, "build", "build")
    clock.wrap(solver, "hand_over", "hand-over")
    print(
        "| scenarios | columns x rows | search | build | hand-over | solve | HiGHS alone | ratio | data to checked bid, wall (CPU) | label, gap |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    procurement.solve(day(2), time_limit=1.0)  # what is loaded once does not count
    inner = solver._highs

    def solved(handed: solver.Handed, time_limit: float | None, gap: float | None) -> solver.Answer:
        begun = process_time()
        answer = inner(handed, time_limit, gap)
        clock.spent["solve"] = clock.spent.get("solve", 0.0) + process_time() - begun
        if gap is not None:
            clock.alone += highs_alone(handed, (time_limit or 1e9, gap))
            clock.last = handed
        return answer

    solver._highs = solved
    for scenarios in sizes:
        clock.spent, clock.alone = {}, 0.0
        wall, cpu = perf_counter(), process_time()
        problem = day(scenarios)
        found = procurement.solve(problem, time_limit=TIME_LIMIT)
        need = problem.need_limit_mw.astype(float)
        wrong = problems(
            bid_frame(found.bid, "SD"),
            BidLimits(problem.rules, problem.scenarios.expected_gap_mw(), need, problem.capability_mw),
        )
        wall, cpu = perf_counter() - wall - clock.alone, process_time() - cpu - clock.alone
        spent = clock.spent
        own = spent["build"] + spent["hand-over"] + spent["solve"]
        lp = clock.last.highs.getLp() if clock.last else None
        size = f"{lp.num_col_:,} x {lp.num_row_:,}" if lp else ""
        print(
            f"| {scenarios} | {size} | {cpu - own:.1f} | {spent['build']:.2f} | {spent['hand-over']:.2f} | {spent['solve']:.1f} | "
            f"{clock.alone:.1f} | {own / clock.alone:.2f} | {wall:.1f} ({cpu:.1f}) | {found.label}, "
            f"{found.relative_gap:.2%}{'' if not wrong else ', ' + wrong[0]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
