"""Demand response of the sample month: programs, enrolments, three events, and the cut put into the load.

The cut is the one change made to the users' curves. What was cut is kept as truth, so that a baseline and a
response can be judged against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from interprovincial import BID_DAY
from people import AGGREGATOR, USERS, Participant
from prices import Prices
from writing import DATES, JULY, Floats, by_day, generator, plain, write_csv

EVENING = slice(68, 88)  # periods 69 ... 88, 17:00 to 22:00
LENGTHS = (12, 8, 10)  # quarter-hours of an event, the dearest evening first
QUOTA = {"wholesale_user": 20, "retail_user": 10, "agency_user": 8}
IRREGULAR_RETAIL = 2
REGULAR, IRREGULAR = 0.025, (0.05, 0.12)  # relative error of the mean of five working days
SMALLEST_KW = 300.0
METHODS = ("mean_5", "high_4_of_5", "mean_10_of_10")
ADJUSTMENTS = ("additive", "multiplicative", "none")
DAY_AHEAD, EMERGENCY = "DR-DA-2022", "DR-EM-2022"
DAY_AHEAD_EVENTS = (2, 3)  # announced before day-ahead clearing, so that their response moved that price too
OFFERED_FEN_PER_KWH = {
    2: (50, 95),
    3: (18, 17),
}  # lowest offer and width: one event dearer than what it saves, one not
ACCEPTED = {1: 0.9, 2: 1.0, 3: 0.8}  # share of the offers each event takes, by event number
UNDER, OVER, NONE = 5, 2, 1  # awards answered with too little, too much, not at all


@dataclass(frozen=True)
class Enrolment:
    """A user's enrolment; the same terms in every program it is enrolled in."""

    participant_id: str
    tier: int
    aggregator_id: str
    method: str
    adjustment: str
    capability_kw: int
    programs: tuple[str, ...]


@dataclass(frozen=True)
class Event:
    """The ``number``-th event, on day ``day`` of DATES, periods first ... last inclusive."""

    number: int
    event_id: str
    program_id: str
    day: int
    first: int
    last: int
    announced_at: str


@dataclass(frozen=True)
class Offer:
    """An offer and, when taken, its award."""

    event: Event
    participant_id: str
    offered_kw: int
    price: str
    awarded: bool
    cleared_price: str


@dataclass(frozen=True)
class Response:
    """Everything demand response; ``cuts`` are kW (78, 96) by participant."""

    enrolments: list[Enrolment]
    events: list[Event]
    offers: list[Offer]
    cuts: dict[str, Floats]


def build(users: list[Participant], prices: Prices) -> Response:
    """Enrol the regular users, call the three dearest evenings, award offers and draw who delivers what."""
    enrolments = _enrolments(users)
    events = _events(prices)
    curves = {user.participant_id: by_day(user.curve) * 4 for user in users}
    offers = [offer for event in events for offer in _offers(event, enrolments, curves)]
    return Response(enrolments, events, offers, _cuts(offers, curves))


def regularity(curve: Floats) -> float:
    """Relative error (standard deviation) of the mean of the last five working days, evenings of July."""
    evenings = by_day(curve)[:, EVENING].mean(axis=1)
    working = [n for n, day in enumerate(DATES) if day.weekday() < 5]
    errors = [
        evenings[n] / evenings[working[place - 5 : place]].mean() - 1
        for place, n in enumerate(working)
        if n >= JULY
    ]
    return float(np.std(errors))


def write(folder: Path, response: Response) -> None:
    """The dr_* tables."""
    _write_programs(folder)
    write_csv(
        folder / "dr_events.csv",
        "event_id program_id date first_period last_period announced_at need_mw direction",
        (
            [
                *(e.event_id, e.program_id, DATES[e.day], e.first, e.last, e.announced_at),
                *(plain(_need_kw(e, response.offers), 3), "cut"),
            ]
            for e in response.events
        ),
    )
    write_csv(
        folder / "dr_enrolments.csv",
        "program_id participant_id tier aggregator_id baseline_method adjustment capability_kw fixed_at valid_from valid_to",
        (
            [
                *(program, e.participant_id, e.tier, e.aggregator_id, e.method, e.adjustment),
                *(e.capability_kw, "2022-05-10T09:00:00+08:00", "2022-05-15", None),
            ]
            for program in (DAY_AHEAD, EMERGENCY)
            for e in response.enrolments
            if program in e.programs
        ),
    )
    unit = {DAY_AHEAD: "per_kwh", EMERGENCY: "per_kw_event"}
    write_csv(
        folder / "dr_offers.csv",
        "event_id participant_id offered_kw price_cny price_unit",
        (
            [o.event.event_id, o.participant_id, o.offered_kw, o.price, unit[o.event.program_id]]
            for o in response.offers
        ),
    )
    write_csv(
        folder / "dr_awards.csv",
        "event_id participant_id committed_kw price_cny price_unit",
        (
            [o.event.event_id, o.participant_id, o.offered_kw, o.cleared_price, unit[o.event.program_id]]
            for o in response.offers
            if o.awarded
        ),
    )


def write_truth(path: Path, response: Response, uncut: dict[str, Floats], metered: dict[str, Floats]) -> None:
    """dr_truth.csv: what each award really cut; kW by quarter-hour, uncut before and metered after the meter."""

    def rows() -> list[list[object]]:
        found: list[list[object]] = []
        for offer in (offer for offer in response.offers if offer.awarded):
            event, user = offer.event, offer.participant_id
            for period in range(event.first, event.last + 1):
                before = round(float(uncut[user][event.day, period - 1]), 3)
                after = round(float(metered[user][event.day, period - 1]), 3)
                cut = before - after
                found.append([event.event_id, user, period, f"{before:.3f}", f"{after:.3f}", f"{cut:.3f}"])
        return found

    write_csv(path, "event_id participant_id period uncut_kw metered_kw true_cut_kw", rows())


def _enrolments(users: list[Participant]) -> list[Enrolment]:
    random = generator("enrolments")
    chosen: list[Participant] = []
    for kind in USERS:
        of_kind = [user for user in users if user.kind == kind and _evening_kw(user) >= SMALLEST_KW]
        error = {user.participant_id: regularity(user.curve) for user in of_kind}
        regular = [user for user in of_kind if error[user.participant_id] <= REGULAR]
        chosen += _round_robin(regular)[: QUOTA[kind]]
        if kind == "retail_user":
            low, high = IRREGULAR
            loose = [user for user in of_kind if low <= error[user.participant_id] <= high]
            chosen += _round_robin(loose)[:IRREGULAR_RETAIL]
    retail = [user.participant_id for user in chosen if user.kind == "retail_user"]
    aggregated = set(retail[-8:])
    found = []
    for place, user in enumerate(chosen):
        share = 0.17 + 0.10 * random.random()
        programs = tuple(
            program
            for program, turns in ((DAY_AHEAD, (0, 1, 2)), (EMERGENCY, (1, 2, 3, 4)))
            if place % 5 in turns
        )
        found.append(
            Enrolment(
                user.participant_id,
                place % 3 + 1,
                AGGREGATOR if user.participant_id in aggregated else "",
                METHODS[place % 3],
                ADJUSTMENTS[place // 3 % 3],
                _round_kw(share * _evening_kw(user)),
                programs,
            )
        )
    return found


def _round_robin(users: list[Participant]) -> list[Participant]:
    """The largest user of each profile, then the second of each, so that behaviours differ."""
    rank: dict[str, int] = {}
    order = []
    for user in users:
        order.append((rank.get(user.profile, 0), user.participant_id))
        rank[user.profile] = rank.get(user.profile, 0) + 1
    by_id = {user.participant_id: user for user in users}
    return [by_id[participant_id] for _, participant_id in sorted(order)]


def _events(prices: Prices) -> list[Event]:
    """Three evenings with the highest mean real-time user price 17:00-22:00, each its dearest stretch."""
    price = prices.user_hour("real_time")[JULY:, EVENING]
    days = [n for n in np.argsort(-price.mean(axis=1), kind="stable") if str(DATES[JULY + n]) != BID_DAY][:3]
    length_of = {int(day): length for day, length in zip(days, LENGTHS, strict=True)}
    found = []
    for number, day in enumerate(sorted(length_of), start=1):
        length = length_of[day]
        means = [price[day, start : start + length].mean() for start in range(20 - length + 1)]
        first = 69 + int(np.argmax(means))
        date = DATES[JULY + day]
        begins = (first - 1) * 15
        if number in DAY_AHEAD_EVENTS:
            program, announced = DAY_AHEAD, f"{date - timedelta(days=1)}T10:00:00+08:00"
        else:
            notice = begins - 240
            program, announced = EMERGENCY, f"{date}T{notice // 60:02d}:{notice % 60:02d}:00+08:00"
        event_id = f"DR-{date:%Y%m%d}-{'DA' if program == DAY_AHEAD else 'EM'}"
        found.append(Event(number, event_id, program, JULY + day, first, first + length - 1, announced))
    return found


def _offers(event: Event, enrolments: list[Enrolment], curves: dict[str, Floats]) -> list[Offer]:
    """Offers of everyone enrolled; taken by low price, then large power, then id, paid the last price taken."""
    random = generator(f"offers {event.event_id}")
    enrolled = [enrolment for enrolment in enrolments if event.program_id in enrolment.programs]
    drawn = []
    for enrolment in enrolled:
        usual = curves[enrolment.participant_id][event.day - 7, event.first - 1 : event.last].mean()
        offered = min(_round_kw((0.15 + 0.09 * random.random()) * usual), enrolment.capability_kw)
        low, width = OFFERED_FEN_PER_KWH.get(event.number, (600, 0))
        price = int(low + width * random.random())
        drawn.append((price, -offered, enrolment.participant_id))
    order = sorted(drawn)
    taken = order[: round(ACCEPTED[event.number] * len(order))]
    cleared = plain(taken[-1][0], 2)
    return [
        Offer(event, who, -kw, plain(price, 2), (price, kw, who) in taken, cleared)
        for price, kw, who in sorted(drawn, key=lambda offer: offer[2])
    ]


def _cuts(offers: list[Offer], curves: dict[str, Floats]) -> dict[str, Floats]:
    """kW cut by participant; most awards are met within 0.88 ... 1.14, some draw another answer."""
    random = generator("delivery")
    awards = [offer for offer in offers if offer.awarded]
    delivered = 0.88 + 0.26 * random.random(len(awards))
    odd = random.permutation(len(awards))[: UNDER + OVER + NONE]
    delivered[odd[:UNDER]] = 0.30 + 0.35 * random.random(UNDER)
    delivered[odd[UNDER : UNDER + OVER]] = 1.30 + 0.10 * random.random(OVER)
    delivered[odd[UNDER + OVER :]] = 0.0
    cuts: dict[str, Floats] = {}
    for offer, share in zip(awards, delivered, strict=True):
        event = offer.event
        periods = slice(event.first - 1, event.last)
        wobble = 1 + 0.03 * (random.random(event.last - event.first + 1) - 0.5)
        load = curves[offer.participant_id][event.day, periods]
        cut = cuts.setdefault(offer.participant_id, np.zeros((len(DATES), 96)))
        cut[event.day, periods] = np.minimum(offer.offered_kw * share * wobble, 0.9 * load)
    return cuts


def _write_programs(folder: Path) -> None:
    header = (
        "program_id kind product direction price_cny price_unit notice_minutes minimum_minutes floor cap test "
        "maximum_minutes penalty_share penalty_factor valid_from valid_to source"
    )
    common = ("60", "0.8", "1.2", "average", "240")
    valid = ("2022-01-01", None)
    write_csv(
        folder / "dr_programs.csv",
        header,
        [
            [
                *(
                    DAY_AHEAD,
                    "emergency",
                    "day_ahead",
                    "cut",
                    "1.5",
                    "per_kwh",
                    "720",
                    *common,
                    "0.5",
                    "0.5",
                    *valid,
                ),
                "样本设定: 日前邀约, 出清价上限取海南2025征求意见稿1.5元/kWh; 考核按广东算式R1=0.5、M=0.5",
            ],
            [
                *(
                    EMERGENCY,
                    "emergency",
                    "intraday",
                    "cut",
                    "6",
                    "per_kw_event",
                    "240",
                    *common,
                    None,
                    None,
                    *valid,
                ),
                "样本设定: 日内紧急, 6元/kW·次, 山东2018试点上限为30元/kW; 无考核",
            ],
        ],
    )


def _need_kw(event: Event, offers: list[Offer]) -> int:
    return sum(offer.offered_kw for offer in offers if offer.event == event and offer.awarded)


def _evening_kw(user: Participant) -> float:
    return float(by_day(user.curve)[JULY:, EVENING].mean() * 4)


def _round_kw(power: float) -> int:
    """Offers come in tens of kW, small ones in kW."""
    return int(power // 10 * 10) if power >= 500 else int(power)
