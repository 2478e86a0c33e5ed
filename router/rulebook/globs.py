"""Globs as rules use them: anchored, case ignored, `*` for any text (also `/`) and `?` for one character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate


def compile_globs(globs: Iterable[str]) -> Callable[[str | None], bool]:
    """A question that is answered yes where any of the globs fits; None fits nothing."""
    # fnmatch compiles to atomic groups, so no glob makes matching explode; its character classes are not ours.
    either = "|".join(translate(glob.replace("[", "[[]")) for glob in globs)
    match = re.compile(either, re.IGNORECASE).match

    def fits(text: str | None) -> bool:
        return text is not None and match(text) is not None

    return fits
