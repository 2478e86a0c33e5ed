"""Alert types that rules name: which are known, which may be meant by one that is not, and which Microsoft retired."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache

from router.domain.patterns import is_glob
from router.domain.posture import CATEGORIES
from router.domain.signals import Stream
from router.domain.values import Value
from router.rulebook.catalogue import load_catalogue, load_spellings, rows_of
from router.rulebook.lints.linted_rules import Subject
from router.rulebook.patterns import compile_globs
from router.rulebook.problems import KeyPath, Problem
from router.rulebook.suppression_directory import DIRECTORY

_OURS = "file-integrity"
"""The type of what the router's own log search rule raises: that rule's name in infra/file-integrity.bicep."""
_SAMPLE = "simulated_"
"""How the types of Defender's sample alerts begin, in lower case."""
_MOST = 3
"""The most types that are offered in place of one."""
_MOST_NAMED = 5
"""The most types of a title that are named."""
_FEWEST = 6
"""Letters and digits that a type must have for what has it as its beginning or its end to be offered."""
_MOST_COMPARED = 500
"""The most unknown types for each of which likely ones are looked for: comparing one with all takes milliseconds."""
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CATEGORIES = frozenset(map(str.casefold, CATEGORIES))
_PATH: KeyPath = ("properties", "alertType")
DECLARE = "if it is right, list it under types in cwpp/policy.yaml"
"""What to do about a type that is right and not known."""


class KnownTypes(Value):
    """The alert types that are known: Defender's, the router's, and those that the policy declares."""

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
        return self.is_of_alerts(type) or any(map(self.is_declared, (type, type.lower().removeprefix(_SAMPLE))))

    def is_of_alerts(self, type: str) -> bool:
        """Whether a type is one of the catalogue's, that of a sample alert included."""
        return type.lower().removeprefix(_SAMPLE) in self.spellings

    def is_fitted_by(self, glob: str) -> bool:
        """Whether a glob fits a known type, those of sample alerts included."""
        fits = compile_globs([glob])
        return any(fits(type) or fits(f"{_SAMPLE}{type}") for type in self._whole())

    def entitled(self, title: str) -> list[str]:
        """The types of the alerts that have a title, or nearly that title."""
        close = get_close_matches(_plain(title), _types_by_title(), n=1, cutoff=0.85) if " " in title.strip() else []
        return [self.spellings[type] for key in close for type in _types_by_title()[key]]

    def find_likely(self, type: str) -> list[str]:
        """The known types that may be meant by one that is not known, or by a title; the likeliest first."""
        if titled := self.entitled(type):
            return titled
        wanted = _bare(type.lower().removeprefix(_SAMPLE))
        written = {_bare(known): known for known in self._whole()}
        found = [wanted] if wanted in written else []
        if not found and len(wanted) >= _FEWEST:
            found = [key for key in written if key.startswith(wanted) or key.endswith(wanted)]
        found = found or get_close_matches(wanted, written, n=1, cutoff=0.8)
        sample = type[: len(_SAMPLE)] if type.lower().startswith(_SAMPLE) else ""
        return [f"{sample}{written[key]}" for key in found[:_MOST]]

    def _whole(self) -> Iterator[str]:
        yield from self.spellings.values()
        yield from (type for type in self.declared if not is_glob(type))


def _bare(type: str) -> str:
    """A type's letters and digits in lower case."""
    return "".join(filter(str.isalnum, type.lower()))


def _plain(title: str) -> str:
    return title.casefold().replace("(preview)", "").strip(" .")


@cache
def _types_by_title() -> Mapping[str, list[str]]:
    by_title: dict[str, list[str]] = {}
    for type, known in load_catalogue().types.items():
        by_title.setdefault(_plain(known.title), []).append(type)
    return by_title


def about_unknown_type(written: str, known: KnownTypes | None) -> tuple[str, str]:
    """What to say of a type that is not known, and the code of that; without what is known nothing is offered in its place."""
    if known is not None and (titled := known.entitled(written)):
        more = f" and {len(titled) - _MOST_NAMED} more" if len(titled) > _MOST_NAMED else ""
        named = f"{', '.join(titled[:_MOST_NAMED])}{more}"
        words = f"{written!r} is no alert type, but a title of alerts or nearly one; did you mean {named}?"
        return words, "title-as-type"
    if GUID.fullmatch(written) or written.casefold() in _CATEGORIES:
        return f"{written!r} names findings, and no alert; a rule about findings stands in cspm/", "unknown-alert-type"
    near = known.find_likely(written) if known is not None else []
    remedy = f"did you mean {', '.join(near)}? Otherwise, {DECLARE}" if near else DECLARE
    return f"{written!r} is no alert type that is known; {remedy}", "unknown-alert-type"


def find_unknown_types(subject: Subject) -> Iterator[Problem]:
    """A warning for each rule about a type that is not known, shadow rules and refused ones included.

    Findings have too many types to list, so of exemptions only those about an alert type of the catalogue are warned about.
    """
    types = KnownTypes.of(subject.loaded.policy.types)
    said: dict[str, tuple[str, str]] = {}
    for rule in (*subject.rules, *subject.shadows, *subject.refused):
        type = rule.alert_type
        if subject.stream is Stream.CSPM:
            if types.is_of_alerts(type):
                written = subject.written_type(rule)
                words = f"{written!r} is an alert type, which no finding has; move the rule into cwpp/{DIRECTORY}/"
                yield subject.warning(rule, _PATH, words, "wrong-stream")
        # A type that is missing or has a wildcard is refused already.
        elif type and "*" not in type and not types.has(type):
            written = subject.written_type(rule)
            if written not in said:
                said[written] = about_unknown_type(written, types if len(said) < _MOST_COMPARED else None)
            yield subject.warning(rule, _PATH, *said[written])


def find_retired_types(subject: Subject) -> Iterator[Problem]:
    """A warning for each rule and each route about an assessment or an alert type that Microsoft retired or renamed."""
    for rule in (*subject.rules, *subject.shadows, *subject.refused):
        if _about_retired(rule.alert_type) is not None and (words := _about_retired(subject.written_type(rule))):
            yield subject.warning(rule, _PATH, words, "retired")
    for number, route in subject.loaded.policy.route_forms:
        for place, glob in enumerate(route.when.alert_type or ()):
            if subject.policy is not None and (words := _about_retired(glob)) is not None:
                path = ("routes", number, "when", "alert_type", place)
                yield subject.policy.problem(path, words, "warning", "retired")


def _about_retired(type: str) -> str | None:
    """What to say of a type, or of an assessment by its key or its ARM id, that is gone; None of one that is not."""
    key = type.lower().rpartition("/")[2]
    if (row := _retired_assessments().get(key)) is not None:
        was, since, category, keys, note = row
        heirs = f"the recommendation category {category}" if category else " or ".join(keys.split())
        advice = f"; put {heirs} in its place" if heirs else ""
        return f"names the assessment {key} ({was}), which was retired on {since}{advice}{f'; {note}' if note else ''}"
    catalogue = load_catalogue()
    if (known := catalogue.find_type(type)) is None or known.deprecation is None:
        return None
    since = f" since {known.deprecation.since}" if known.deprecation.since else ""
    heirs = " or ".join(
        heir
        for heir in known.deprecation.replaced_by
        if (one := catalogue.find_type(heir)) is None or one.deprecation is None
    )
    return f"{type!r} is deprecated{since}; {f'put {heirs} in its place' if heirs else 'no successor is known'}"


@cache
def _retired_assessments() -> Mapping[str, list[str]]:
    return {key: row for key, *row in rows_of("retired.tsv")}
