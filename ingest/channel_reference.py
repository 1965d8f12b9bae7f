"""The packaged reference tables of channels, read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from market.channel_tables import FILES, reference_tables
from market.channels import Reference


@cache
def channel_reference() -> Reference:
    """Channels, provinces and regions of ``data/reference/channels``."""
    folder = files("data").joinpath("reference", "channels")
    return reference_tables({name: folder.joinpath(f"{name}.csv").read_text("utf-8") for name in FILES})
