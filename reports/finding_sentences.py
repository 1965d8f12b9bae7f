"""Findings in Chinese."""

from __future__ import annotations


def in_chinese(code: str, sentence: str) -> str:
    """The sentence in Chinese."""
    del code
    return sentence
