"""Globs as rules use them: anchored, case ignored, `*` for any text (also `/`) and `?` for one character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate


def compile_globs(globs: Iterable[str]) -> Callable[[str | None], bool]:
    """A question that is answered yes where any of the globs fits; None fits nothing."""
    # fnmatch compiles to atomic groups, so no glob makes matching explode; its character classes are not ours.
    patterns = tuple(re.compile(translate(glob.replace("[", "[[]")), re.IGNORECASE) for glob in globs)

    def fits(text: str | None) -> bool:
        return text is not None and any(pattern.match(text) for pattern in patterns)

    return fits
