"""The alert types that rules may name: Defender's as far as known, the router's, and those that the policy declares."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import islice

from router.domain.patterns import is_glob
from router.rulebook.catalogue import load_catalogue, load_spellings
from router.rulebook.globs import compile_globs

_OURS = "file-integrity"
"""The type of what the router's own log search rule raises: that rule's name in infra/file-integrity.bicep."""
_SAMPLE = "simulated_"
"""How the types of Defender's sample alerts begin, in lower case."""
_SAMPLE_TITLE = "this is a sample alert:"
_NOISE = re.compile(r"\(preview\)|\[preview\]|\[seen multiple times\]|\(seen multiple times\)|[.!:]+$")
_PLACEHOLDER = re.compile(r"%\{[^}]*\}")
_CLOSE, _CLOSE_TITLE = 0.8, 0.85
_MOST = 3
"""The most types that are offered in place of one."""
_FEWEST = 6
"""Letters and digits that a type must have for what has it as its beginning or its end to be offered."""


@dataclass(frozen=True, slots=True)
class KnownTypes:
    """The alert types of one stream that are known.

    Attributes:
        spellings: each type of the catalogue and of the router as it is written, by the type in lower case.
        declared: the types, or globs of types, that the policy declares, as they are written.
        is_declared: whether a type is one of these.
    """

    spellings: Mapping[str, str]
    declared: tuple[str, ...]
    is_declared: Callable[[str | None], bool]

    @classmethod
    def of(cls, declared: Iterable[str]) -> KnownTypes:
        """Those of the catalogue and of the router, and those that a policy declares."""
        globs = tuple(declared)
        return cls({**load_spellings(), _OURS: _OURS}, globs, compile_globs(globs))

    def has(self, type: str) -> bool:
        """Whether a type is known, that of a sample alert included."""
        bare = type.lower().removeprefix(_SAMPLE)
        return self.is_of_alerts(type) or self.is_declared(bare) or self.is_declared(type)

    def is_of_alerts(self, type: str) -> bool:
        """Whether a type is one of the catalogue's, that of a sample alert included."""
        return type.lower().removeprefix(_SAMPLE) in self.spellings

    def fitting(self, glob: str) -> Iterator[str]:
        """The known types that a glob fits, those of sample alerts included; of declared ones those that are written whole."""
        fits = compile_globs([glob])
        whole = {type.lower(): type for type in self.declared if not is_glob(type)}
        for type, written in {**self.spellings, **whole}.items():
            if fits(type) or fits(f"{_SAMPLE}{type}"):
                yield written

    def near(self, type: str) -> list[str]:
        """The known types that may be meant by one that is not known, the likeliest first."""
        lowered = type.lower()
        sample = type[: len(_SAMPLE)] if lowered.startswith(_SAMPLE) else ""
        return [f"{sample}{known}" for known in self._near(_bare(lowered.removeprefix(_SAMPLE)))]

    def _near(self, wanted: str) -> list[str]:
        written = {_bare(known): known for known in self._whole()}
        if wanted in written:
            return [written[wanted]]
        if len(wanted) >= _FEWEST and (
            parts := [key for key in written if key.startswith(wanted) or key.endswith(wanted)]
        ):
            return [written[key] for key in islice(parts, _MOST)]
        return [written[key] for key in get_close_matches(wanted, written, n=1, cutoff=_CLOSE)]

    def entitled(self, title: str) -> list[str]:
        """The types that alerts of a title have: Defender's own words for it, whatever stands for a placeholder."""
        wanted = _plain_title(title)
        by_title, patterns = _types_by_title()
        types = by_title.get(wanted) or [type for pattern, type in patterns if pattern.fullmatch(wanted)]
        return [self.spellings[type] for type in types]

    def nearly_entitled(self, title: str) -> list[str]:
        """The types of the title that comes next to a text."""
        by_title, _ = _types_by_title()
        close = get_close_matches(_plain_title(title), by_title, n=1, cutoff=_CLOSE_TITLE)
        return [self.spellings[type] for key in close for type in by_title[key]]

    def _whole(self) -> Iterator[str]:
        yield from self.spellings.values()
        yield from (type for type in self.declared if not is_glob(type))


def _bare(type: str) -> str:
    """A type's letters and digits in lower case."""
    return "".join(filter(str.isalnum, type.lower()))


def _plain_title(title: str) -> str:
    plain = title.casefold().replace("’", "'").strip().removeprefix(_SAMPLE_TITLE)
    return " ".join(_NOISE.sub(" ", plain.strip()).split())


@cache
def _types_by_title() -> tuple[Mapping[str, list[str]], list[tuple[re.Pattern[str], str]]]:
    """The types by their plain titles, and with a pattern where a title has placeholders."""
    by_title: dict[str, list[str]] = {}
    patterns: list[tuple[re.Pattern[str], str]] = []
    for type, known in load_catalogue().types.items():
        pieces = _PLACEHOLDER.split(_plain_title(known.title))
        if len(pieces) > 1:
            patterns.append((re.compile(".+".join(map(re.escape, pieces))), type))
        if known.title:
            by_title.setdefault(_plain_title(known.title), []).append(type)
    return by_title, patterns
