"""Cells into typed values: exact whole numbers, days, months, moments, codes. Nothing is rounded or guessed.

Every function takes the file's cells and one column, notes what is wrong in ``faults`` and gives an array of
one value a row, with null (MISSING for whole numbers) where the cell is empty or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.cells import BLANKS, Cells, as_mask, is_blank
from ingest.faults import Fault, Faults
from market.curves import MISSING
from market.money import INT64_MAX, IntArray
from market.periods import PERIODS, TIME_ZONE, Month
from market.tables import Column, Kind

LOCAL = ZoneInfo(TIME_ZONE)
PERIOD_COLUMNS = ("period", "first_period", "last_period")
GENERAL = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
THOUSANDS = re.compile(r"[+-]?\d{1,3}([,，' ]\d{3})+([.．]\d+)?", re.ASCII)
FULL_WIDTH = re.compile(r"[０-９．－＋]")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
LONGEST_TEXT, LONGEST_NAME = 1000, 100  # letters; ids, cities and nodes name files and keys
CONTROL = r"[\x00-\x1f\x7f]"


def column_values(cells: Cells, column: Column, faults: Faults) -> pa.Array:
    """One registry column as it is stored: text, date32, or int64 in 10**-decimals of its unit, with nulls."""
    if column.name not in cells.columns:  # an optional column that the file does not have
        return pa.nulls(len(cells), _arrow_type(column.kind))
    if column.kind in (Kind.DECIMAL, Kind.INTEGER, Kind.FLAG):
        values = whole_numbers(cells, column.name, column.decimals, faults)
        _check_whole_codes(values, column, faults)
        stored = pa.array(values, mask=values == MISSING)
    elif column.kind is Kind.DATE:
        stored = days(cells, column.name, faults)
    elif column.kind is Kind.MONTH:
        stored = months(cells, column.name, faults)
    elif column.kind is Kind.INSTANT:
        stored = instants(cells, column.name, faults)
    else:
        stored = texts(cells, column.name, faults)
        _check_codes(stored, column, faults)
        _check_length(stored, column, faults)
    if column.required:
        require(cells, column.name, faults)
    return stored


def require(cells: Cells, name: str, faults: Faults) -> None:
    """Note every row whose cell is empty."""
    sentence = f"The cell {name} is empty; every row needs a value there."
    empty = np.flatnonzero(is_blank(cells.columns[name]))
    faults.add_all(empty, "missing_value", lambda _: sentence, name)


def whole_numbers(cells: Cells, name: str, decimals: int, faults: Faults) -> IntArray:
    """Numbers as whole numbers of 10**-decimals, exactly; binary fractions are rounded to it, half up.

    Returns (n,) int64, MISSING where the cell is empty or faulty.
    """
    array = cells.columns[name]
    kind = array.type
    if pa.types.is_floating(kind):
        return _of_floats(array, name, decimals, faults)
    if pa.types.is_integer(kind):
        return _of_decimals(array.cast(pa.decimal128(38, decimals)), name, faults)
    if pa.types.is_decimal(kind):
        return _of_decimals(_fitting(array, name, decimals, faults), name, faults)
    plain = as_mask(pc.match_substring_regex(array, _plain_pattern(decimals)))
    if plain.all():
        return _of_decimals(array.cast(pa.decimal128(38, decimals)), name, faults)
    array = pc.utf8_trim(array, BLANKS)
    plain = as_mask(pc.match_substring_regex(array, _plain_pattern(decimals)))
    certain = pc.if_else(pa.array(plain), array, pa.scalar(None, pa.string()))
    values = _of_decimals(certain.cast(pa.decimal128(38, decimals)), name, faults)
    binary = cells.binary.get(name)
    for row in np.flatnonzero(~plain & ~is_blank(array)).tolist():
        read = _one_number(array[row].as_py(), name, decimals, binary is not None and bool(binary[row]))
        if isinstance(read, Fault):
            faults.add(row, *read)
        else:
            values[row] = read
    return values


def texts(cells: Cells, name: str, faults: Faults) -> pa.StringArray:
    """Text without blanks around it; a formula and a control character are faults."""
    array = _as_text(cells.columns[name])
    trimmed = pc.utf8_trim(array, BLANKS)
    controls = np.flatnonzero(as_mask(pc.match_substring_regex(trimmed, CONTROL)))
    faults.add_all(
        controls,
        "bad_text",
        lambda row: (
            f"The cell {name} holds {trimmed[row].as_py()!r}; take out the line break or control letter."
        ),
        name,
    )
    formulas = np.flatnonzero(as_mask(pc.starts_with(trimmed, "=")))
    faults.add_all(
        formulas, "formula_in_cell", lambda row: _formula(name, trimmed[row].as_py()).sentence, name
    )
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def days(cells: Cells, name: str, faults: Faults) -> pa.Array:
    """Calendar days YYYY-MM-DD as date32; midnight of a moment at the market's offset counts as its day."""
    read = (
        _one_market_day if name == "date" else _one_day
    )  # a validity may be open-ended, a delivery day may not
    return _by_distinct(cells, name, faults, read, "bad_date", pa.date32())


def months(cells: Cells, name: str, faults: Faults) -> pa.Array:
    """Months YYYY-MM as text."""
    return _by_distinct(cells, name, faults, lambda text: str(Month.parse(text)), "bad_month", pa.string())


def instants(cells: Cells, name: str, faults: Faults) -> pa.Array:
    """Moments with their offset as ISO text at the market's offset, so that one moment has one text."""
    return _by_distinct(cells, name, faults, _one_instant, "bad_instant", pa.string())


def local_minutes(cells: Cells, name: str, faults: Faults) -> IntArray:
    """Moments as minutes since 1970-01-01 00:00 by the market's clock; without offset they are local time."""
    minutes = _by_distinct(cells, name, faults, _one_local_minute, "bad_instant", pa.int64())
    return np.asarray(minutes.fill_null(MISSING).to_numpy(zero_copy_only=False), dtype=np.int64)


def codes(cells: Cells, column: Column, faults: Faults) -> pa.StringArray:
    """Text that must be one of the column's codes."""
    found = texts(cells, column.name, faults)
    _check_codes(found, column, faults)
    return found


def code_places(cells: Cells, name: str, allowed: tuple[str, ...], faults: Faults) -> IntArray:
    """Code words as their places in ``allowed``, MISSING where the cell is empty or holds another word."""
    found = codes(cells, Column(name, codes=allowed), faults)
    places = pc.index_in(found, pa.array(allowed, pa.string())).cast(pa.int64())
    return np.asarray(places.fill_null(MISSING).to_numpy(zero_copy_only=False), dtype=np.int64)


def _arrow_type(kind: Kind) -> pa.DataType:
    if kind is Kind.DATE:
        return pa.date32()
    return pa.int64() if kind in (Kind.DECIMAL, Kind.INTEGER, Kind.FLAG) else pa.string()


def _plain_pattern(decimals: int) -> str:
    fraction = rf"\.\d{{1,{decimals}}}0{{0,8}}" if decimals else r"\.0{1,8}"
    return rf"^[+-]?\d{{1,20}}({fraction})?$"


def _of_decimals(array: pa.Array, name: str, faults: Faults) -> IntArray:
    """The unscaled whole numbers of a decimal128 array; each is two words, the upper one only a sign."""
    words: IntArray = np.frombuffer(array.buffers()[1], dtype=np.int64)
    words = words.reshape(-1, 2)[array.offset : array.offset + len(array)]
    values: IntArray = words[:, 0].copy()
    absent = as_mask(array.is_null())
    too_large = ~absent & ((words[:, 1] != values >> 63) | (values == MISSING))
    faults.add_all(
        np.flatnonzero(too_large),
        "out_of_range",
        lambda row: _too_large(name, array[row].as_py()).sentence,
        name,
    )
    values[absent | too_large] = MISSING
    return values


def _fitting(array: pa.Array, name: str, decimals: int, faults: Faults) -> pa.Array:
    kept = pa.decimal128(38, decimals)
    if array.type.scale > decimals:
        longer = as_mask(pc.not_equal(pc.round(array, decimals), array))
        if longer.any():
            places = np.flatnonzero(longer)
            faults.add_all(
                places,
                "too_many_decimals",
                lambda row: _too_many(name, array[row].as_py(), decimals).sentence,
                name,
            )
            array = pc.if_else(pa.array(longer), pa.scalar(None, array.type), array)
    if array.type.precision - array.type.scale + decimals > 38:
        return array.cast(pa.string()).cast(kept)
    return array.cast(kept)


def _of_floats(array: pa.Array, name: str, decimals: int, faults: Faults) -> IntArray:
    scaled = array.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False) * 10.0**decimals
    absent = np.isnan(scaled)
    too_large = np.abs(scaled) >= 2.0**63
    faults.add_all(
        np.flatnonzero(too_large),
        "out_of_range",
        lambda row: _too_large(name, array[row].as_py()).sentence,
        name,
    )
    with np.errstate(invalid="ignore"):
        whole = np.trunc(scaled)
        rounded = whole + np.sign(scaled) * (np.abs(scaled - whole) >= 0.5)
    rounded[absent | too_large] = 0.0
    values: IntArray = rounded.astype(np.int64)
    values[absent | too_large] = MISSING
    return values


def _one_number(text: str, name: str, decimals: int, binary: bool) -> int | Fault:
    if text.startswith("="):
        return _formula(name, text)
    if FULL_WIDTH.search(text):
        return Fault("bad_number", f"The cell {name} holds {text!r} in full-width digits; type 0 to 9.", name)
    if THOUSANDS.fullmatch(text):
        return Fault(
            "bad_number", f"The cell {name} holds {text!r} with a thousands separator; remove it.", name
        )
    if not GENERAL.fullmatch(text):
        return Fault(
            "bad_number",
            f"The cell {name} holds {text!r}, which is not a plain decimal number like 12.5.",
            name,
        )
    shifted = _shifted(text, decimals)
    whole = shifted.to_integral_value(ROUND_HALF_UP)
    if whole != shifted and not binary:
        return _too_many(name, text, decimals)
    return int(whole) if abs(whole) <= INT64_MAX else _too_large(name, text)


def _shifted(text: str, decimals: int) -> Decimal:
    sign, digits, exponent = Decimal(text).as_tuple()  # exact at any length, unlike scaleb in a context
    return Decimal((sign, digits, int(exponent) + decimals))


def _too_many(name: str, value: object, decimals: int) -> Fault:
    sentence = f"The cell {name} holds {value}, but {decimals} decimals are kept; round it to {decimals}."
    if decimals == 0:
        sentence = f"The cell {name} holds {value}, but it takes whole numbers only; round it."
    return Fault("too_many_decimals", sentence, name)


def _too_large(name: str, value: object) -> Fault:
    return Fault("out_of_range", f"The cell {name} holds {value}, which is too large; check its unit.", name)


def _formula(name: str, text: str) -> Fault:
    return Fault("formula_in_cell", f"The cell {name} holds the formula {text}; put its value there.", name)


def _as_text(array: pa.Array) -> pa.StringArray:
    if pa.types.is_floating(array.type):  # an id that a float column carries, 1001.0, reads 1001
        return pa.array(
            [None if value is None else f"{value:.15g}" for value in array.to_pylist()], pa.string()
        )
    return array if pa.types.is_string(array.type) else array.cast(pa.string())


def _by_distinct(
    cells: Cells, name: str, faults: Faults, read: Callable[[str], Any], code: str, kind: pa.DataType
) -> pa.Array:
    """Read each distinct text once; ``read`` raises ValueError with a sentence."""
    coded = pc.dictionary_encode(pc.utf8_trim(_as_text(cells.columns[name]), BLANKS))
    wrong: dict[int, str] = {}
    known: list[Any] = []
    for place, text in enumerate(coded.dictionary.to_pylist()):
        try:
            known.append(read(text) if text else None)
        except (ValueError, OverflowError) as reason:
            known.append(None)
            wrong[place] = f"The cell {name}: {reason}"
    if wrong:
        places = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(np.isin(places, list(wrong)))
        faults.add_all(rows, code, lambda row: wrong[int(places[row])], name)
    return pa.array(known, kind).take(coded.indices)


def _one_day(text: str) -> date:
    written = text.removesuffix("T00:00:00+08:00")
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", written, re.ASCII):
            return date.fromisoformat(written)
    except ValueError as wrong:
        raise ValueError(f"{text!r} is not in the calendar ({wrong}).") from wrong
    raise ValueError(f"{text!r} is not a day; write it as YYYY-MM-DD, for example 2022-07-01.")


def _one_market_day(text: str) -> date:
    day = _one_day(text)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(
            f"{text!r} lies outside {FIRST_DAY} to {LAST_DAY}; look for a wrong century or an empty date."
        )
    return day


def _moment(text: str) -> datetime:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*", text, re.ASCII):
            return datetime.fromisoformat(text)
    except ValueError as wrong:
        raise ValueError(f"{text!r} is not a moment ({wrong}).") from wrong
    raise ValueError(f"{text!r} is not a moment; write it like 2022-07-01T10:30:00+08:00.")


def _one_instant(text: str) -> str:
    moment = _moment(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it like 2022-07-01T10:30:00+08:00.")
    return moment.astimezone(LOCAL).isoformat()


def _one_local_minute(text: str) -> int:
    moment = _moment(text)
    local = moment if moment.tzinfo is None else moment.astimezone(LOCAL).replace(tzinfo=None)
    if local.second or local.microsecond:
        raise ValueError(f"{text!r} does not lie on a full minute.")
    _one_market_day(local.date().isoformat())
    return int((local - datetime(1970, 1, 1)).total_seconds()) // 60  # noqa: DTZ001  both by the local clock


def _check_length(found: pa.StringArray, column: Column, faults: Faults) -> None:
    most = LONGEST_NAME if column.name.endswith("_id") or column.name in ("city", "node") else LONGEST_TEXT
    lengths = pc.utf8_length(found)
    faults.add_all(
        np.flatnonzero(as_mask(pc.greater(lengths, most))),
        "bad_text",
        lambda row: f"The cell {column.name} holds {lengths[row].as_py()} letters; it takes at most {most}.",
        column.name,
    )


def _check_codes(found: pa.StringArray, column: Column, faults: Faults) -> None:
    if not column.codes:
        return
    fits = as_mask(pc.or_(pc.is_in(found, pa.array(column.codes, pa.string())), found.is_null()))
    allowed = ", ".join(column.codes)
    faults.add_all(
        np.flatnonzero(~fits),
        "bad_code",
        lambda row: f"The cell {column.name} holds {found[row].as_py()!r}; it takes one of {allowed}.",
        column.name,
    )


def _check_whole_codes(values: IntArray, column: Column, faults: Faults) -> None:
    given = values != MISSING
    allowed = ("0", "1") if column.kind is Kind.FLAG else column.codes
    if allowed:
        wrong = given & ~np.isin(values, [int(code) for code in allowed])
        listed = " or ".join(allowed)
        _add_values(faults, wrong, values, column.name, "bad_code", f"it takes {listed}")
    if column.name in PERIOD_COLUMNS:
        wrong = given & ((values < 1) | (values > PERIODS))
        _add_values(faults, wrong, values, column.name, "bad_period", f"a day has the periods 1 to {PERIODS}")


def _add_values(
    faults: Faults, wrong: NDArray[np.bool_], values: IntArray, name: str, code: str, rule: str
) -> None:
    faults.add_all(
        np.flatnonzero(wrong), code, lambda row: f"The cell {name} holds {values[row]}; {rule}.", name
    )
