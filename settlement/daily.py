"""日清: what one day of settlement amounts to, exactly and as the lines of a provisional statement.

The same series, built by the same functions, stand in the month's run: a day's amount is final as a formula and
provisional as a fact until its inputs are. What is monthly by rule (pools, shares, what carries forward) is not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from market.money import fen_of_nano
from settlement.day import Amounts, DaySettlement
from settlement.parties import DailySeries, Parties


@dataclass(frozen=True)
class DayLine:
    """One participant and charge of a day; the amount is rounded for showing, the month rounds its exact sum once.

    quantity, amount: Wh and fen, None where an input is missing. provisional_until: the day whose end makes it firm,
    None where nothing but the month does.
    """

    participant_id: str
    charge_code: str
    quantity_wh: int | None
    amount_fen: int | None
    provisional_until: date | None


def day_series(day: DaySettlement, parties: Parties) -> list[DailySeries]:
    """The day's exact amounts by charge: users, generators, contracts, residents and loss."""
    grid = (parties.grid_company,)
    loss = day.system.loss is None or day.system.loss_nano is None
    of_loss = Amounts(
        np.array([0 if loss else day.system.loss], np.int64),
        np.array([0 if loss else day.system.loss_nano], np.int64),
        np.array([loss]),
    )
    return [
        *(_one_day(code, parties.users, day.day, amounts) for code, amounts in day.users.items()),
        *(_one_day(code, parties.generators, day.day, amounts) for code, amounts in day.generators.items()),
        _one_day("contract", (*parties.users, *parties.generators), day.day, day.contract),
        _one_day("residents_energy", grid, day.day, day.residents),
        _one_day("loss", grid, day.day, of_loss),
    ]


def day_lines(
    series: Iterable[DailySeries],
    parties: Parties,
    interprovincial: frozenset[str],
    interprovincial_from: date,
) -> list[DayLine]:
    """Lines by participant and charge; who has no contract has no contract line.

    interprovincial: charges that stay provisional until the inter-provincial daily clearing of
    ``interprovincial_from`` (S14 7.2.1; ruling 30).
    """
    lines = [
        DayLine(
            who,
            one.charge_code,
            None if missing else quantity,
            None if missing else fen_of_nano(nano),
            interprovincial_from if one.charge_code in interprovincial else None,
        )
        for one in series
        for who, quantity, nano, missing in zip(
            one.participants,
            one.quantity[:, 0].tolist(),
            one.nano[:, 0].tolist(),
            one.missing[:, 0].tolist(),
            strict=True,
        )
        if not (one.charge_code == "contract" and who in parties.without_contract)
    ]
    return sorted(lines, key=lambda line: (line.participant_id, line.charge_code))


def _one_day(code: str, who: tuple[str, ...], day: date, amounts: Amounts) -> DailySeries:
    return DailySeries(
        code, who, (day,), amounts.quantity[:, None], amounts.nano[:, None], amounts.missing[:, None]
    )
