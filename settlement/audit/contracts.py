"""Rules about contracts: curve against registered energy (R20), both sides against each other (R21).

Grain: one finding a contract and rule, routed to the buyer's city. Both rest on the table contract_records; a contract
that nobody registered there is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from market.audit_rules import AuditLimits
from market.money import half_up_ratio
from settlement.audit.accounts import Contract
from settlement.findings import Finding, Severity

WH_PER_MWH = 1_000_000
FEN_PER_WH_MILL = 10_000_000  # Wh x 0.001 元/MWh = 1e-9 元


def curve_is_contract_energy(
    contracts: Iterable[Contract], limits: AuditLimits, city: Mapping[str, str | None]
) -> Iterator[Finding]:
    """R20 合约曲线 ≠ 合约电量: |Σ curve of the month − registered energy| above the limit."""
    limit = int(limits.contract_energy_mwh * WH_PER_MWH)
    for one in contracts:
        if one.curve_wh is None or not one.registered:
            continue
        apart = {
            side: one.curve_wh - wh
            for side, (wh, _) in sorted(one.registered.items())
            if abs(one.curve_wh - wh) > limit
        }
        if apart:
            worst = max(map(abs, apart.values()))
            told = " and ".join(
                f"{_mwh(one.registered[side][0])} MWh registered by the {side}" for side in apart
            )
            yield Finding(
                "contract_energy_differs",
                Severity.REVIEW,
                one.contract_id,
                f"The curve of contract {one.contract_id} adds up to {_mwh(one.curve_wh)} MWh in the month, against {told} "
                "(R20). It is settled by its curve; ask for the curve or the record to be put right.",
                city=city.get(one.buyer_id),
                evidence={"participants": [one.buyer_id, one.seller_id], "apart_wh": apart},
                amount_at_stake_fen=abs(half_up_ratio(worst * one.price_mills, FEN_PER_WH_MILL)),
            )


def sides_agree(
    contracts: Iterable[Contract], limits: AuditLimits, city: Mapping[str, str | None]
) -> Iterator[Finding]:
    """R21 合约双边不一致: seller and buyer registered other energy or another price, or only one of them registered."""
    limit = int(limits.contract_side_mwh * WH_PER_MWH)
    for one in contracts:
        if not one.registered:
            continue
        seller, buyer = one.registered.get("seller"), one.registered.get("buyer")
        said, stake = [], 0
        if seller is None or buyer is None:
            said.append(f"only the {'buyer' if seller is None else 'seller'} registered it")
        elif abs(seller[0] - buyer[0]) > limit:
            said.append(f"the seller registered {_mwh(seller[0])} MWh and the buyer {_mwh(buyer[0])} MWh")
            stake += abs(seller[0] - buyer[0]) * one.price_mills
        prices = {side: price for side, (_, price) in one.registered.items() if price != one.price_mills}
        if prices:
            listed = " and ".join(f"{_price(price)} by the {side}" for side, price in sorted(prices.items()))
            said.append(f"its price is {_price(one.price_mills)}, registered {listed}")
            stake += max(
                abs(price - one.price_mills) * one.registered[side][0] for side, price in prices.items()
            )
        if said:
            yield Finding(
                "contract_sides_differ",
                Severity.REVIEW,
                one.contract_id,
                f"Contract {one.contract_id}: {' and '.join(said)} (R21). Ask both sides to register the same.",
                city=city.get(one.buyer_id),
                evidence={"participants": [one.buyer_id, one.seller_id], "registered": dict(one.registered)},
                amount_at_stake_fen=half_up_ratio(stake, FEN_PER_WH_MILL),
            )


def _mwh(wh: int) -> str:
    return f"{Decimal(wh).scaleb(-6):f}"


def _price(mills: int) -> str:
    return f"{Decimal(mills).scaleb(-3):f} 元/MWh"
