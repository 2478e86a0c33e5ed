"""Tags that rules name and no resource bears, and values that none of them has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from router.domain.rulebook import BY_TAG
from router.domain.tags import Tags
from router.rulebook.globs import compile_globs
from router.rulebook.lints.subject import Subject
from router.rulebook.problems import KeyPath, Problem
from router.rulebook.tag_files import LIVE
from router.rulebook.validation_messages import hint

_MOST = 1_000
"""Values among which one is looked for that was probably meant."""

type _Named = tuple[KeyPath, str, str]
"""Where a tag is named, its name, and a glob of its values."""


def find_unknown_tags(subject: Subject) -> Iterator[Problem]:
    """A warning for each tag, and each value of one, that nothing in the tag files has.

    Where the state has tags, too, only those who ask it know which there are.
    """
    book, form = subject.loaded.rulebook, subject.loaded.owners.form
    if book is None or (form is not None and LIVE in form.tags):
        return
    known = _values_by_name(book.owners.tags)
    for document, named in ((subject.owners, _named_by_owners), (subject.policy, _named_by_policy)):
        if document is not None:
            for path, name, glob in named(document.value):
                if (fault := _find_fault(name, glob, known)) is not None:
                    yield document.problem(path, fault, "warning", "unknown-tag")


def _values_by_name(tags: Tags) -> Mapping[str, set[str]]:
    values: dict[str, set[str]] = defaultdict(set)
    for borne in tags.by_id.values():
        for name, value in borne.items():
            values[name].add(value)
    return values


def _find_fault(name: str, glob: str, known: Mapping[str, set[str]]) -> str | None:
    if not known:
        return (
            "names a tag, and no file says which tags there are; name one in owners.yaml: tags: [tags/resources.json], or "
            "write tags: live there, where coverage check --live keeps them in the state"
        )
    if (values := known.get(name.lower())) is None:
        return f"no resource has a tag {name!r}{hint(name.lower(), known)}"
    if not any(map(compile_globs((glob,)), values)):
        return f"no resource has such a value of the tag {name!r}{hint(glob, values) if len(values) <= _MOST else ''}"
    return None


def _named_by_owners(value: object) -> Iterator[_Named]:
    for number, entry in enumerate(_list(_mapping(value).get("owners"))):
        for name, glob in _mapping(_mapping(entry).get("tag")).items():
            yield ("owners", number, "tag", name), name, str(glob)


def _named_by_policy(value: object) -> Iterator[_Named]:
    policy = _mapping(value)
    for number, route in enumerate(_list(policy.get("routes"))):
        for name, globs in _mapping(_mapping(_mapping(route).get("when")).get("tag")).items():
            for glob in _list(globs):
                yield ("routes", number, "when", "tag", name), name, str(glob)
    for destination, config in _mapping(policy.get("destinations")).items():
        for by in _list(_mapping(_mapping(config).get("group")).get("by")):
            if isinstance(by, str) and by.startswith(BY_TAG):
                yield ("destinations", destination, "group", "by"), by.removeprefix(BY_TAG), "*"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    """A list, also of a value that stands alone."""
    return value if isinstance(value, list) else [] if value is None else [value]
