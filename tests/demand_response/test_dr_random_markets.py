"""500 random markets: every pool closes to the fen per event, day and month, and nobody pays beyond its benefit."""

import datetime as dt
from collections import defaultdict

import numpy as np
import pytest

from demand_response.allocation import RULES
from demand_response.events import Event
from demand_response.sharing import EventCase, EventMarket, Policy, event_response, share

MARKETS = 500
BY_BENEFIT = ("benefit", "two_tranche", "talmud", "shapley")


def month(seed):
    """One to three events on one or two days of a small market with random exposures, prices and costs."""
    random = np.random.default_rng(seed)
    payers = int(random.integers(1, 25))
    for number in range(int(random.integers(1, 4))):
        first = int(random.integers(1, 90))
        event = Event(
            event_id=f"E{number}",
            program_id="P",
            date=dt.date(2022, 7, 18 + int(random.integers(0, 2))),
            first_period=first,
            last_period=int(random.integers(first, 97)),
        )
        width = event.last_period - event.first_period + 1
        use = random.integers(0, 50_000, (payers, 96)) * 1000
        position = (use * random.uniform(0, 1.6, (payers, 1))).astype(np.int64)
        contract = (use * random.choice([0, 0.5, 1, 2], (payers, 1))).astype(np.int64)
        load = np.sort(random.integers(5_000_000_000, 9_000_000_000, 96))
        price = 200_000 + (np.arange(96) ** 2) * int(random.integers(0, 60))
        market = EventMarket(
            payers=tuple(f"p{n:02d}" for n in range(payers)),
            use_wh=use,
            day_ahead_wh=position,
            contract_wh=contract,
            load_wh=load,
            price_day_ahead=price,
            price_real_time=price + random.integers(-5_000, 5_000, 96),
            nonmarket_wh=random.integers(0, 10**9, payers),
        )
        cut = random.integers(0, 40_000_000, width)
        yield EventCase(
            event,
            int(random.integers(-50_000, 20_000_000)),
            event_response(event, [tuple(cut.tolist())]),
            market,
            Policy(rule=str(random.choice(RULES[:-1])), price_cap=1_500_000),
            known_to_day_ahead=bool(random.integers(0, 2)),
        )


@pytest.mark.parametrize("hundred", range(5))
def test_i1_i2_pools_close_and_benefit_bounds_what_is_paid(hundred):
    used = defaultdict(int)
    for seed in range(hundred * MARKETS // 5, (hundred + 1) * MARKETS // 5):
        paid, charged = defaultdict(int), defaultdict(int)
        for case in month(seed):
            shared = share(case)
            benefit = dict(zip(shared.drivers["participant_id"], shared.drivers["benefit_fen"], strict=True))
            assert sum(shared.charged().values()) == case.cost_fen
            for who, fen in shared.charged("benefit").items():
                assert abs(fen) <= benefit[who]
                assert fen == 0 or benefit[who] > 0
            if case.policy.rule in BY_BENEFIT and shared.benefit_fen >= abs(case.cost_fen):
                assert set(shared.charged("residual").values()) <= {0}
            for key in (case.event.date, "month"):
                paid[key] += case.cost_fen
                charged[key] += sum(shared.charged().values())
            used[case.policy.rule] += 1
            used["residual"] += any(shared.charged("residual").values())
            used["credit"] += case.cost_fen < 0
        assert paid == charged
    assert set(RULES[:-1]) | {"residual", "credit"} <= set(used)  # every rule and both odd cases were met
