"""Python's search for cycles, put off while a month is computed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
