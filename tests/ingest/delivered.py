"""Small files as clerks would write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from market.periods import LABELS
from warehouse.home import Home, engine
from warehouse.models import QuarantinedRow

PARTICIPANTS = "participant_id,name,kind,city,valid_from,valid_to\n"
METERS = "meter_id,participant_id,multiplier,direction,valid_from,valid_to\n"
READINGS = f"meter_id,date,quality,{','.join(LABELS)}\n"
LONG = "meter_id,interval_start,kwh,quality\n"

KNOWN = {
    "participants.csv": PARTICIPANTS
    + "U1,济南钢铁,wholesale_user,jinan,2022-01-01,\nU2,青岛化工,wholesale_user,qingdao,2022-01-01,\n",
    "meters.csv": METERS + "M1,U1,1,1,2022-01-01,\nM2,U2,1,1,2022-01-01,\n",
    "contracts.csv": "contract_id,seller_id,buyer_id,price_cny_per_mwh,valid_from,valid_to\n"
    "C1,U2,U1,372.5,2022-01-01,\n",
    "sections.csv": "section_id,name,tariff_cny_per_mwh,loss_rate,loss_included,source,valid_from\n"
    "S1,银东,50.1,0.07,0,price list,2022-01-01\n",
    "paths.csv": "path_id,seq,section_id,seller_node,buyer_node\nP1,1,S1,NX,SD\n",
    "dr_programs.csv": "program_id,kind,product,direction,price_cny,price_unit,notice_minutes,minimum_minutes,"
    "floor,cap,test,valid_from,source\n"
    "D1,emergency,intraday,cut,2,per_kwh,240,60,0.8,1.2,average,2022-01-01,rule\n",
    "dr_events.csv": "event_id,program_id,date,first_period,last_period,announced_at,need_mw,direction\n"
    "E1,D1,2022-07-18,69,76,2022-07-18T13:00:00+08:00,100,cut\n",
}


def put(folder: Path, name: str, content: str | bytes) -> Path:
    """A file of that content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def reading(meter: str, day: str, *values: object, quality: str = "measured") -> str:
    """A wide row; the last value fills what is left of the 96."""
    filled = [*values, *[values[-1]] * (96 - len(values))]
    return f"{meter},{day},{quality},{','.join(str(value) for value in filled)}\n"


def in_quarantine(home: Home, delivery_id: str) -> list[QuarantinedRow]:
    """The quarantined rows of a delivery, by line."""
    with engine(home).connect() as connection:
        query = select(QuarantinedRow).where(QuarantinedRow.delivery_id == delivery_id)
        return list(connection.execute(query.order_by(QuarantinedRow.line)))


def ticking(start: datetime = datetime(2022, 8, 1, tzinfo=UTC)):
    """A clock that goes on by a day each time it is read."""
    moments = [start + timedelta(days=days) for days in range(100)]
    return iter(moments).__next__
