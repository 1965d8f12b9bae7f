"""Memory while a month is computed: no search for cycles, and what a step no longer needs goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def put_off_collection() -> Iterator[None]:
    """No search for cycles inside the block.

    A month makes millions of lines and postings that live until it is written and form no cycles; every search goes
    through all of them again, a fifth of the time of 10,000 users, and finds nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def hand_back_memory() -> None:
    """Give freed memory back to the operating system, which Arrow and the C library would keep for later.

    Each step of a month frees arrays of other sizes than the next one asks for; kept, they only add up.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; others have their own way
        if trim is not None:
            trim(0)
