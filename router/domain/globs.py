"""Globs as rules use them: anchored, case ignored, `*` for any text (also `/`) and `?` for one character. Pure."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache


@lru_cache(maxsize=16_384)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """The pattern that matches what a glob fits."""
    # fnmatch compiles to atomic groups, so no glob makes matching explode; its character classes are not ours.
    return re.compile(translate(glob.replace("[", "[[]")), re.IGNORECASE)


def is_glob(text: str) -> bool:
    """Whether a text fits more than itself."""
    return "*" in text or "?" in text


def fixed_beginning(glob: str) -> str:
    """What every text begins with that a glob fits, whatever the case; empty where that is nothing."""
    return glob.partition("*")[0].partition("?")[0]


def covers_glob(wider: str, narrower: str) -> bool:
    """Whether it is certain that one glob fits whatever another one fits."""
    star, at, begun, place = -1, 0, 0, 0
    # The latest star takes as much as it must: no glob makes this slow.
    while place < len(narrower):
        if at < len(wider) and wider[at] == "*":
            star, begun, at = at, place, at + 1
        elif at < len(wider) and _covers_character(wider[at], narrower[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            begun += 1
            at, place = star + 1, begun
        else:
            return False
    return not wider[at:].strip("*")


def _covers_character(wider: str, narrower: str) -> bool:
    return narrower != "*" and (wider == "?" or wider.lower() == narrower.lower())
