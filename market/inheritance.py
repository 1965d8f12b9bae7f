"""A profile written as the difference to another: own values and charges take the place of those of the same name."""

from __future__ import annotations

from typing import Any

LISTS = ("accounts", "transfers", "charges")
BY_NAME = ("provincial", "consumer", "readings", "reconcile", "audit")


def extended(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """``base`` with what ``own`` says: rules by name, rows of the charge matrix by code, ``drop`` names codes left out.

    Both are contents of a profile as read. Raises ValueError when ``drop`` names a code that ``base`` has not.
    """
    merged = {**base, **own}
    for part in BY_NAME:
        if part in base:
            merged[part] = {**base[part], **own.get(part, {})}
    if "matrix" in base:
        merged["matrix"] = _matrix(base["matrix"], own.get("matrix", {}))
    return merged


def _matrix(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    dropped = set(own.get("drop", ()))
    known = {row["code"] for part in LISTS for row in base[part]}
    if dropped - known:
        raise ValueError(
            f"The profile drops {sorted(dropped - known)}, which the profile it extends does not have."
        )
    merged = {}
    for part in LISTS:
        rows = {row["code"]: row for row in base[part] if row["code"] not in dropped}
        merged[part] = list((rows | {row["code"]: row for row in own.get(part, ())}).values())
    return merged
