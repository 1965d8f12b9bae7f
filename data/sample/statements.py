"""The trading centre's statement for a settled month, and a list of the errors that were planted in it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pyarrow.parquet as pq
from writing import SEED, write_csv

from market.periods import Month
from market.profiles import profile
from settlement.reconcile.subjects import Subjects, subjects

FEN, MICRO = Decimal("0.01"), Decimal("0.000001")
SMALLEST = Decimal("1000.00")  # an error of one line is planted in a line worth at least this much
FIVE = ("missing_there", "other_quantity", "other_price", "other_amount", "sign_reversed")
COUNTS = {**dict.fromkeys(FIVE, 5), "other_quantity_and_price": 3, "duplicate_row": 4, "factor": 3}
SWAPS = 3
NOT_OURS = 5
TAXED, LEANING, CREEPING = "excess_profit_recovery_share", "demand_response_payment", "unit_assessment_share"
ROUNDED_APART = 40  # lines a fen apart to either side, which are no error
UNKNOWN_CODE = "0199990001"


@dataclass
class Row:
    """A row of the statement; ``key`` is (participant, subject)."""

    key: tuple[str, str]
    code: str
    quantity: Decimal
    amount: Decimal
    true: tuple[Decimal, Decimal] | None = None


@dataclass
class Statement:
    """Rows by key, and what was done to them: (error, rows touched)."""

    rows: dict[tuple[str, str], list[Row]]
    errors: list[tuple[str, list[Row]]] = field(default_factory=list)
    touched: set[tuple[str, str]] = field(default_factory=set)


def write(lines_path: Path, folder: Path, truth: Path, month: str) -> list[list[object]]:
    """statements_received.csv from a run's lines.parquet, and seeded_errors.csv; returns the errors.

    The trading centre sends the wholesale layer under its own codes; bills of consumers are the grid company's own.
    Lines without an amount are left out. Every choice is by a hash of its key and the seed.
    Raises ValueError when the run has too few lines for the errors.
    """
    rules = profile("SD_2022")
    known = subjects(rules.settled[1], rules.reconciled.limits(Month.parse(month).first).subjects)
    made = Statement(_rows(lines_path, known))
    _one_participant(made)
    _columns(made)
    _single_lines(made, known, lines_path.name)
    _swapped(made)
    _not_ours(made, known)
    _rounded_apart(made)
    stated = sorted(
        [row.key[0], month, row.code, f"{row.quantity:.6f}", f"{row.amount:.2f}"]
        for rows in made.rows.values()
        for row in rows
    )
    write_csv(
        folder / "statements_received.csv", "participant_id month charge_code quantity_mwh amount_cny", stated
    )
    errors = [
        [error, _finding(error, rows), *row.key, *_told(row)]
        for error, rows in sorted(made.errors, key=lambda one: (one[0], one[1][0].key))
        for row in rows
    ]
    write_csv(
        truth / "seeded_errors.csv",
        "error finding participant_id subject true_quantity_mwh true_amount_cny stated_quantity_mwh stated_amount_cny",
        errors,
    )
    return errors


def _rows(path: Path, known: Subjects) -> dict[tuple[str, str], list[Row]]:
    """One row a participant and subject, under the centre's code where it has one."""
    theirs: dict[str, str] = {}
    for code, subject in known.of_theirs.items():
        if code.isdigit() or subject not in theirs:
            theirs[subject] = code
    names = ["participant_id", "charge_code", "quantity_mwh", "amount_cny"]
    sums: dict[tuple[str, str], list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for line in pq.read_table(path, columns=names).to_pylist():
        subject = known.of_ours.get(line["charge_code"])
        if subject is not None and line["amount_cny"] is not None:
            key = (line["participant_id"], subject)
            sums[key].append((line["quantity_mwh"] or Decimal(0), line["amount_cny"]))
    return {
        key: [
            Row(
                key,
                theirs[key[1]],
                max(quantity for quantity, _ in parts),  # several charges of one sum rest on one energy
                sum((amount for _, amount in parts), Decimal(0)),
            )
        ]
        for key, parts in sorted(sums.items())
    }


def _columns(made: Statement) -> None:
    """A column with tax, a column a fen too high that adds up, a shorter one that only leans."""
    for error, subject, told in (
        ("factor_of_many", TAXED, lambda amount: amount * Decimal("1.13")),
        ("adds_up", CREEPING, lambda amount: amount + FEN),
        ("drift", LEANING, lambda amount: amount + FEN),
    ):
        column = [key for key in made.rows if key[1] == subject and key not in made.touched]
        _plant(made, error, column, amount=told)


def _one_participant(made: Statement) -> None:
    """All amounts of one participant in 万元."""
    of: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for key, (row,) in made.rows.items():
        if row.amount:
            of[key[0]].append(key)
    who = min((one for one, keys in of.items() if len(keys) >= 6), key=lambda one: _hash("participant", one))
    _plant(made, "factor_of_many", of[who], amount=lambda amount: amount / 10_000)


def _single_lines(made: Statement, known: Subjects, name: str) -> None:
    def open_keys(error: str) -> list[tuple[str, str]]:
        wants = {"other_price": True, "other_quantity": True, "other_amount": False}.get(error)
        fitting = [
            key
            for key, (row, *_) in made.rows.items()
            if key not in made.touched
            and abs(row.amount) >= SMALLEST
            and row.quantity
            and len(known.charges[key[1]]) == 1
            and (wants is None or (key[1] in known.priced) == wants)
        ]
        return sorted(fitting, key=lambda key: _hash(error, *key))

    for error, count in COUNTS.items():
        keys = open_keys(error)[:count]
        if len(keys) < count:
            raise ValueError(
                f"{name} has {len(keys)} lines fit for {error}, {count} are needed; give a whole month."
            )
        for place, key in enumerate(keys):
            _spoil(made, error, key, place)


def _spoil(made: Statement, error: str, key: tuple[str, str], place: int) -> None:
    more = Decimal("1.03")
    match error:
        case "missing_there":
            made.errors.append((error, [_untold(made.rows[key][0])]))
            made.touched.add(key)
            del made.rows[key]
        case "other_quantity":
            _plant(made, error, [key], lambda q: q * more, lambda a: a * more)
        case "other_price" | "other_amount":
            _plant(made, error, [key], amount=lambda a: a * more)
        case "other_quantity_and_price":
            _plant(made, error, [key], lambda q: q * more, lambda a: a * Decimal("1.1"))
        case "sign_reversed":
            _plant(made, error, [key], amount=lambda a: -a)
        case "factor":
            _plant(made, error, [key], amount=lambda a: a * 1000)
        case "duplicate_row" if place % 2 and made.rows[key][0].code != key[1]:
            (row,) = made.rows[key]
            made.rows[key].append(Row(key, key[1], row.quantity, row.amount))
            row.true = (row.quantity, row.amount)
            made.errors.append((error, [row]))
            made.touched.add(key)
        case "duplicate_row":
            _plant(made, error, [key], lambda q: q * 2, lambda a: a * 2)


def _swapped(made: Statement) -> None:
    """Two participants of one subject with each other's line."""
    subjects_used: set[str] = set()
    for key in sorted(made.rows, key=lambda key: _hash("swapped", *key)):
        partners = [
            other
            for other in sorted(made.rows, key=lambda other: _hash("partner", *other))
            if other[1] == key[1] and other[0] != key[0] and other not in made.touched
        ]
        if key in made.touched or key[1] in subjects_used or not partners:
            continue
        (one,), (other,) = made.rows[key], made.rows[partners[0]]
        if min(abs(one.amount), abs(other.amount)) < SMALLEST:
            continue
        one.true, other.true = (one.quantity, one.amount), (other.quantity, other.amount)
        one.quantity, one.amount, other.quantity, other.amount = (*other.true, *one.true)
        made.errors.append(("swapped", [one, other]))
        made.touched |= {key, partners[0]}
        subjects_used.add(key[1])
        if len(subjects_used) == SWAPS:
            return


def _not_ours(made: Statement, known: Subjects) -> None:
    """Rows of participants who have no such line with us, and one of a code nobody knows."""
    gain = "interprovincial_gain_loss"
    code = next(code for code, subject in known.of_theirs.items() if subject == gain and code.isdigit())
    people = sorted(
        {who for who, _ in made.rows if who.startswith("W")}, key=lambda who: _hash("not_ours", who)
    )
    for place, who in enumerate(people[:NOT_OURS]):
        row = Row((who, gain), code, Decimal("100.5"), Decimal("-4321.09") - 1000 * place)
        made.rows[row.key] = [row]
        made.errors.append(("missing_here", [row]))
        made.touched.add(row.key)
    stranger = Row((people[-1], UNKNOWN_CODE), UNKNOWN_CODE, Decimal(10), Decimal("5000.00"))
    made.rows[stranger.key] = [stranger]
    made.errors.append(("unknown_code", [stranger]))


def _rounded_apart(made: Statement) -> None:
    left = sorted((key for key in made.rows if key not in made.touched), key=lambda key: _hash("fen", *key))
    for place, key in enumerate(left[:ROUNDED_APART]):
        if key[1] != UNKNOWN_CODE:
            _plant(made, "none", [key], amount=lambda a, up=place % 2: a + (FEN if up else -FEN))


def _plant(
    made: Statement,
    error: str,
    keys: Iterable[tuple[str, str]],
    quantity: Callable[[Decimal], Decimal] = lambda value: value,
    amount: Callable[[Decimal], Decimal] = lambda value: value,
) -> None:
    rows: list[Row] = []
    for key in list(keys):
        (row,) = made.rows[key]
        row.true = (row.quantity, row.amount)
        row.quantity = quantity(row.quantity).quantize(MICRO, ROUND_HALF_UP)
        row.amount = amount(row.amount).quantize(FEN, ROUND_HALF_UP)
        rows.append(row)
        made.touched.add(key)
    made.errors.append((error, rows))


def _untold(row: Row) -> Row:
    return Row(row.key, "", Decimal(0), Decimal(0), (row.quantity, row.amount))


def _finding(error: str, rows: Sequence[Row]) -> str | None:
    """What the error is to be found as, by the subject of its finding; None where it is no error."""
    people, (who, subject) = sorted({row.key[0] for row in rows}), rows[0].key
    match error:
        case "none":
            return None
        case "factor_of_many" | "adds_up" | "drift":
            return f"subject/{subject}" if len(people) > 1 else f"participant/{who}"
        case "swapped":
            return "/".join([*people, subject])
        case "unknown_code":
            return subject
        case _:
            return f"{who}/{subject}"


def _told(row: Row) -> list[object]:
    """True and stated quantity and amount; empty where a side has none."""
    true = [None, None] if row.true is None else [f"{row.true[0]:.6f}", f"{row.true[1]:.2f}"]
    return [*true, *([None, None] if not row.code else [f"{row.quantity:.6f}", f"{row.amount:.2f}"])]


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("|".join((str(SEED), *parts)).encode()).digest()
