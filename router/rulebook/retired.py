"""What rules name although Microsoft retired it: assessment keys and alert types, each with what to put in its place.

The keys stand in `retired.tsv`, the alert types in the catalogue; `catalogue_source.md` says where both are from. A rule on
one of them matches nothing that Defender sends now, and stays in force for those who replay what it sent before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from router.domain.catalogue import Catalogue, Deprecation
from router.rulebook.catalogue import load_catalogue, rows_of
from router.rulebook.globs import compile_globs
from router.rulebook.problems import KeyPath

_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY_LENGTH = 36
_TRIMMINGS = 8
"""How many characters may stand around a key that stands alone: slashes, wildcards, a blank."""
_SPELLED_OUT = 8
"""How many characters in a row of a key a glob must spell out to mean that key: as many as people write to tell keys apart."""


class RetiredAssessment(NamedTuple):
    """An assessment that Defender reports nothing under any more.

    Attributes:
        key: its key, in lower case.
        was: what it reported.
        since: the day on which it was retired.
        category: the recommendation category that took its place; None where none did.
        keys: the keys of the assessments that took its place.
        note: what else is to be known of what took its place.
    """

    key: str
    was: str
    since: str
    category: str | None
    keys: tuple[str, ...]
    note: str

    @property
    def doubt(self) -> str:
        """What to say of a rule that names it."""
        heirs = f"the recommendation category {self.category}" if self.category else _either(self.keys)
        advice = f"; put {heirs} in its place" if heirs else ""
        note = f" ({self.note})" if advice and self.note else f"; {self.note}" if self.note else ""
        return f"names the assessment {self.key} ({self.was}), which was retired on {self.since}{advice}{note}"


@cache
def load_retired() -> Mapping[str, RetiredAssessment]:
    """The retired assessments by key, read once."""
    return {
        key: RetiredAssessment(key, was, since, category or None, tuple(keys.split()), note)
        for key, was, since, category, keys, note in rows_of("retired.tsv")
    }


def doubts_about_rule(properties: Mapping[str, object]) -> Iterator[tuple[KeyPath, str]]:
    """What is gone of what a suppression rule names in its type or its scope. The keys of `properties` are in lower case."""
    type = properties.get("alerttype")
    if isinstance(type, str):
        for doubt in _doubts_about_type(type):
            yield ("properties", "alertType"), doubt
    scope = properties.get("suppressionalertsscope")
    elements = scope.get("allof") if isinstance(scope, dict) else None
    for number, element in enumerate(elements if isinstance(elements, list) else ()):
        for operator, value in element.items() if isinstance(element, dict) else ():
            for text in value if isinstance(value, list) else (value,):
                for retired in _retired_in(text):
                    yield ("properties", "suppressionAlertsScope", "allOf", number, operator), retired.doubt


def doubts_about_globs(globs: Iterable[str]) -> Iterator[tuple[int, str]]:
    """What is gone of what a route's `alert_type` names, each with the number of its glob.

    A glob that also fits what is not gone is not doubted.
    """
    for number, glob in enumerate(globs):
        doubts = _doubts_about_glob(glob) if "*" in glob or "?" in glob else _doubts_about_type(glob)
        yield from ((number, doubt) for doubt in doubts)


@lru_cache(maxsize=4096)
def _doubts_about_type(type: str) -> tuple[str, ...]:
    """What to say of an alert type or an assessment that is written whole; nothing of what is not gone."""
    doubts = [retired.doubt for retired in _retired_in(type)]
    catalogue = load_catalogue()
    if (known := catalogue.find_type(type)) and known.deprecation:
        doubts.append(f"{type!r} is deprecated{_since([known.deprecation])}{_advice([known.deprecation], catalogue)}")
    return tuple(doubts)


def _doubts_about_glob(glob: str) -> list[str]:
    written = {retired.key: retired for retired in _retired_in(glob)}
    fits = compile_globs([glob])
    catalogue, retired = load_catalogue(), load_retired()
    # Defender's sample alerts have the types of real ones, with another beginning.
    names = ((name, known) for type, known in catalogue.types.items() for name in (type, f"simulated_{type}"))
    fitting = [known.deprecation for name, known in names if fits(name)]
    deprecated = [deprecation for deprecation in fitting if deprecation]
    if len(deprecated) < len(fitting):
        return [one.doubt for one in written.values()]
    if _spells_out(glob):
        written |= {key: one for key, one in retired.items() if fits(key)}
    doubts = [one.doubt for one in written.values()]
    if deprecated:
        said = f"{glob!r} fits only alert types that are deprecated"
        doubts.append(f"{said}{_since(deprecated)}{_advice(deprecated, catalogue)}")
    return doubts


def _retired_in(text: object) -> Sequence[RetiredAssessment]:
    """The retired assessments whose keys a text holds, alone or in an assessment's ARM id, whatever their case."""
    if not isinstance(text, str) or len(text) < _KEY_LENGTH:
        return ()
    lowered = text.lower()
    # Most long texts in rules are ids of resources; a hundred thousand of them are not searched for keys.
    if len(lowered) > _KEY_LENGTH + _TRIMMINGS and "/assessments/" not in lowered:
        return ()
    retired = load_retired()
    return [retired[key] for key in dict.fromkeys(_KEY.findall(lowered)) if key in retired]


def _spells_out(glob: str) -> bool:
    """Whether a glob that fits a key was meant for it; of the keys that are not gone there is no list to compare it with."""
    return any(len(run) >= _SPELLED_OUT for run in re.split(r"[*?]+", glob))


def _since(deprecations: Iterable[Deprecation]) -> str:
    dates = sorted({one.since for one in deprecations if one.since})
    return f" since {', '.join(dates)}" if dates else ""


def _advice(deprecations: Iterable[Deprecation], catalogue: Catalogue) -> str:
    heirs = dict.fromkeys(heir for one in deprecations for heir in _heirs_of(one, catalogue))
    return f"; put {_either(tuple(heirs))} in its place" if heirs else "; no successor is known"


def _heirs_of(deprecation: Deprecation, catalogue: Catalogue) -> Iterator[str]:
    """What replaces a type and is not deprecated itself, at the end of its line."""
    for heir in deprecation.replaced_by:
        known = catalogue.find_type(heir)
        if known is None or known.deprecation is None:
            yield heir
        else:
            yield from _heirs_of(known.deprecation, catalogue)


def _either(names: tuple[str, ...]) -> str:
    """Names as a choice: `a`, `a or b`, `a, b or c`; empty where there are none."""
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
