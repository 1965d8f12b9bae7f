"""Market operation fees, published standards and energy outside the market: inputs of the first layer's charges.

Everything here is made up (market.md B.2-B.4 has the payers, no amounts of July 2022); amounts are drawn once per
table from the seed and rounded to the fen.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from people import GRID_COMPANY
from writing import JULY_FIRST, generator, plain, write_csv

STARTS = (("G003", 4), ("G007", 12), ("G010", 12), ("G013", 22), ("G008", 29))  # unit, day of July
NO_LOAD = (("G002", 9), ("G012", 22))
HEATING = (("G005", 15), ("G009", 27))
ASSESSED = (("G001", 6), ("G006", 11), ("G014", 18), ("G020", 18), ("G011", 30))
EXCESS = (("G006", 19), ("G009", 21))
REGULATING = ("G004", "G008", "G012")  # in turn, one a day


def write(folder: Path) -> None:
    """fee_pools.csv, standards.csv and energy_shares.csv."""
    write_csv(folder / "fee_pools.csv", "charge_code date amount_cny cause participant_id", _fees())
    write_csv(
        folder / "standards.csv",
        "charge_code price_cny_per_mwh valid_from valid_to published_on source",
        [
            [
                "startup_compensation_share",
                "0.035",
                "2022-07-01",
                "2022-08-01",
                "2022-06-28",
                "样本设定: 启动补偿预估分摊标准",
            ],
            [
                "residents_sale",
                "352.5",
                "2022-07-01",
                "2022-07-16",
                "2022-06-28",
                "样本设定: 居民农业售电价中的电能量部分",
            ],
            [
                "residents_sale",
                "355",
                "2022-07-16",
                "2022-08-01",
                "2022-06-28",
                "样本设定: 居民农业售电价中的电能量部分, 月中调整",
            ],
        ],
    )
    write_csv(
        folder / "energy_shares.csv",
        "participant_id what share valid_from valid_to",
        [
            ["G011", "nonmarket", "1", "2022-01-01", None],  # 核电
            [
                "G014",
                "nonmarket",
                "0.9",
                "2022-01-01",
                "2022-07-16",
            ],  # 风电, 90 % at the government price (B.2)
            ["G014", "nonmarket", "0.5", "2022-07-16", None],
            [GRID_COMPANY, "mechanism", "0.08", "2022-01-01", None],
            ["R01", "mechanism", "0.105", "2022-01-01", "2022-07-11"],
            ["W0001", "mechanism", "0.033333", "2022-07-20", None],
        ],
    )


def _fees() -> list[list[object]]:
    draw = generator("fee_pools")

    def fen(low: int, high: int) -> str:
        return plain(int(draw.integers(low * 100, high * 100)), 2)

    rows = [
        *(["startup_compensation", day, fen(90_000, 400_000), f"{unit} 启动", unit] for unit, day in STARTS),
        *(["startup_compensation", day, fen(20_000, 60_000), f"{unit} 空载", unit] for unit, day in NO_LOAD),
        *(
            ["heating_assessment", day, "-" + fen(20_000, 80_000), f"{unit} 供热考核", unit]
            for unit, day in HEATING
        ),
        *(
            ["unit_assessment", day, "-" + fen(5_000, 50_000), f"{unit} 机组考核", unit]
            for unit, day in ASSESSED
        ),
        *(
            ["excess_profit_recovery", day, "-" + fen(100_000, 900_000), f"{unit} 超额收益", unit]
            for unit, day in EXCESS
        ),
    ]
    for day in range(1, 32):
        unit = REGULATING[day % len(REGULATING)]
        rows.append(["regulation_service", day, fen(8_000, 30_000), f"{unit} 调频里程", unit])
        if day % 7 == 0:
            rows.append(["regulation_opportunity", day, fen(10_000, 40_000), f"{unit} 机会成本", unit])
    return sorted(
        [code, JULY_FIRST + timedelta(days=int(str(day)) - 1), amount, cause, unit]
        for code, day, amount, cause, unit in rows
    )
