"""Which font a PDF shows Chinese with. Without one a PDF shows boxes and says nothing, so it is refused instead."""

from __future__ import annotations

from functools import cache

import typst

FAMILIES = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "SimSun",
    "Noto Serif CJK SC",
    "Droid Sans Fallback",
)


class NoChineseFontError(RuntimeError):
    """No font of this machine has Chinese letters."""


@cache
def fonts() -> typst.Fonts:
    """The fonts of this machine and those that typst brings, read once a process."""
    return typst.Fonts()


def chinese_font() -> str:
    """The first of the known families that is installed. Raises NoChineseFontError."""
    there = set(fonts().families())
    found = next((family for family in FAMILIES if family in there), None)
    if found is None:
        raise NoChineseFontError(
            "No Chinese font is installed, so a PDF would show boxes in the place of its words. Install one, for "
            "instance `apt-get install fonts-wqy-microhei`, and print again; workbooks and pages need none."
        )
    return found
