"""Globs as rules use them: anchored, case ignored, `*` for any text (also `/`) and `?` for one character."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache


@lru_cache(maxsize=4096)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """The pattern that matches what a glob fits."""
    # fnmatch compiles to atomic groups, so no glob makes matching explode; its character classes are not ours.
    return re.compile(translate(glob.replace("[", "[[]")), re.IGNORECASE)


def is_glob(text: str) -> bool:
    """Whether a text fits more than itself."""
    return "*" in text or "?" in text
