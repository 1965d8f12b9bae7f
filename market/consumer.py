"""The rules of consumer bills, the second layer, as dated data (market.md B.7-B.10, B.13; decision 0021).

Prices are delivered (table ``tariffs``); what a profile says is how they are put together: which components make
a charge and who pays it, what floats by time of use and how much, what the power factor adjusts and by how much.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from market.dated import Dated, RuleSet, Strict
from market.tables import PRICE_COMPONENTS, VOLTAGE_BANDS, ParticipantKind

Hours = tuple[tuple[int, int], ...]
HUNDREDTHS = 101  # cos phi from 0.00 to 1.00


class Season(Strict):
    """Months that share one set of periods, in clock hours: [17, 22] is 17:00 to 22:00; the rest is flat.

    Sharp hours stand within the peak and deep valley hours within the valley; they take their place.
    """

    months: tuple[int, ...]
    sharp: Hours = ()
    peak: Hours = ()
    valley: Hours = ()
    deep_valley: Hours = ()

    @model_validator(mode="after")
    def _hours_of_one_day(self) -> Season:
        for first, after in (*self.sharp, *self.peak, *self.valley, *self.deep_valley):
            if not 0 <= first < after <= 24:
                raise ValueError(
                    f"Hours [{first}, {after}] do not lie within one day; write 0 <= from < to <= 24."
                )
        high = {hour for span in (*self.sharp, *self.peak) for hour in range(*span)}
        low = {hour for span in (*self.valley, *self.deep_valley) for hour in range(*span)}
        if high & low:
            raise ValueError(
                f"Hours {sorted(high & low)} are peak and valley at once; give each hour one period."
            )
        return self


class TimeOfUse(Strict):
    """Period sets by season, and what a kWh of a period costs as a multiple of the flat floating base."""

    seasons: tuple[Season, ...]
    sharp: Decimal
    peak: Decimal
    valley: Decimal
    deep_valley: Decimal
    flat: Decimal = Decimal(1)

    @model_validator(mode="after")
    def _each_month_once(self) -> TimeOfUse:
        months = sorted(month for season in self.seasons for month in season.months)
        if months != list(range(1, 13)):
            raise ValueError(
                f"The seasons hold the months {months}; every month must stand in exactly one season."
            )
        return self

    def season(self, month: int) -> Season:
        """The season of a month, 1 to 12."""
        return next(season for season in self.seasons if month in season.months)


class CapacityFactors(Strict):
    """What capacity costs by period as a multiple of its price, under packages whose code begins so (market.md B.4).

    Factors lie between 0 and 2: 0 to 0.5 where capacity is plentiful, 1.5 to 2 where it is tight.
    """

    package_code: str
    sharp: Decimal = Field(ge=0, le=2)
    peak: Decimal = Field(ge=0, le=2)
    valley: Decimal = Field(ge=0, le=2)
    deep_valley: Decimal = Field(ge=0, le=2)
    flat: Decimal = Field(default=Decimal(1), ge=0, le=2)


class PowerFactorTable(Strict):
    """Percent by (standard, cos phi): ``percent["0.8"]`` holds 0.80 to 0.89; negative lowers the bill."""

    standard: Decimal
    percent: dict[str, tuple[Decimal, ...]]

    @model_validator(mode="after")
    def _whole(self) -> PowerFactorTable:
        wanted = {f"{tenth / 10:.1f}": 10 for tenth in range(10)} | {"1.0": 1}
        if {key: len(values) for key, values in self.percent.items()} != wanted:
            raise ValueError(
                f"The table of standard {self.standard} must hold rows 0.0 to 0.9 with ten values and 1.0 with one."
            )
        return self

    def at(self, hundredths: int) -> Decimal:
        """Percent at cos phi = hundredths / 100."""
        return self.percent[f"{hundredths // 10 / 10:.1f}"][hundredths % 10]


class PriceCharge(Strict):
    """A charge of energy times published components, and the kinds that pay it."""

    charge: str
    components: tuple[str, ...]
    kinds: tuple[ParticipantKind, ...]

    @model_validator(mode="after")
    def _known(self) -> PriceCharge:
        if strangers := set(self.components) - set(PRICE_COMPONENTS):
            raise ValueError(f"Components {sorted(strangers)} of {self.charge} are not in the table tariffs.")
        return self


class StandardRule(Strict):
    """The power-factor standard of users of a class from a capacity upwards; the first rule that fits holds."""

    tariff_class: str
    from_kva: Decimal
    standard: Decimal


class VoltageBand(Strict):
    """Voltages from ``from_kv`` upwards, up to the next band."""

    from_kv: Decimal
    band: str

    @model_validator(mode="after")
    def _known(self) -> VoltageBand:
        if self.band not in VOLTAGE_BANDS:
            raise ValueError(f"Band {self.band!r} is not one of {', '.join(VOLTAGE_BANDS)}.")
        return self


class ConsumerRules(RuleSet):
    """How a bill of the second layer is made up."""

    price_charges: tuple[Dated[tuple[PriceCharge, ...]], ...]
    floating_components: tuple[Dated[tuple[str, ...]], ...]
    floating_kinds: tuple[Dated[tuple[ParticipantKind, ...]], ...]
    time_of_use: tuple[Dated[TimeOfUse], ...]
    capacity_factors: tuple[Dated[tuple[CapacityFactors, ...]], ...]
    voltage_bands: tuple[VoltageBand, ...]
    two_part_classes: tuple[Dated[tuple[str, ...]], ...]
    power_factor_tables: tuple[Dated[tuple[PowerFactorTable, ...]], ...]
    power_factor_standards: tuple[Dated[tuple[StandardRule, ...]], ...]
    power_factor_base: tuple[Dated[tuple[str, ...]], ...]
    package_code: str
    early_termination: Literal["lower", "higher"]
    grid_company_own_charges: tuple[str, ...]
    government_fund: str

    def band(self, voltage_kv: Decimal) -> str:
        """The voltage band of a supply voltage."""
        fitting = [band for band in self.voltage_bands if band.from_kv <= voltage_kv]
        return max(fitting, key=lambda band: band.from_kv).band
