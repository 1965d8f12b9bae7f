"""The rules a run was computed by, kept in the home by their sha256: a past run is recomputed with its own rules.

A packaged profile may be re-issued; what a run of last year was settled by must still be at hand then.
"""

from __future__ import annotations

from pydantic import ValidationError

from market.profiles import RuleProfile
from warehouse.home import Home


class RulesNotAtHandError(LookupError):
    """The rules of a run are neither packaged nor kept in the home."""


def keep_rules(home: Home, rules: RuleProfile) -> None:
    """Write the profile under its hash; a profile that is kept already is left as it is."""
    file = home.rules / f"{rules.sha256}.json"
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    making = file.with_suffix(".making")
    making.write_text(rules.model_dump_json(indent=1), "utf-8")
    making.replace(file)


def kept_rules(home: Home, name: str, sha256: str) -> RuleProfile:
    """The profile of that hash as it was when a run used it. Raises RulesNotAtHandError."""
    file = home.rules / f"{sha256}.json"
    if not file.is_file():
        raise RulesNotAtHandError(
            f"The rules of profile {name} with hash {sha256[:12]} are not at hand: the packaged profile of that name "
            f"is another one and rules/{sha256}.json is not in {home.root}. Copy that file from the home that made "
            "the run."
        )
    try:
        rules = RuleProfile.model_validate_json(file.read_text("utf-8"))
    except ValidationError as other:
        fields = ", ".join(".".join(map(str, one["loc"])) for one in other.errors()[:3])
        raise RulesNotAtHandError(
            f"rules/{sha256}.json of profile {name} was written by another version of the software, or damaged: this one "
            f"cannot read {fields}. Install the version that the run's manifest names, or restore the file from a backup."
        ) from other
    if rules.sha256 != sha256:
        raise RulesNotAtHandError(
            f"rules/{sha256}.json holds the rules {rules.sha256}; restore it from a backup."
        )
    return rules
