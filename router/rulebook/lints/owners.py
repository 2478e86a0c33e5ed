"""Entries of owners.yaml that are never reached: one above matches all that they match, or nothing has what they ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.domain.patterns import covers_glob
from router.domain.values import Value
from router.rulebook.lints.linted_rules import Subject
from router.rulebook.lints.routes import about_impossible_glob, ids_by_name
from router.rulebook.owners import ANY, OwnerForm
from router.rulebook.problems import Problem
from router.rulebook.tag_files import LIVE
from router.rulebook.validation_messages import hint

_KEYS = ("subscription", "resource_group", "account", "project", "cluster", "namespace", "connector", "resource")
_OF_CONNECTORS = frozenset({"subscription", "resource_group"})
"""The keys that say nothing of what a connector brings."""
_MOST_COMPARED = 1_000
"""The most entries above that an entry is compared with."""


def find_unreachable_owners(subject: Subject) -> Iterator[Problem]:
    """A warning for each entry that says nothing, since entries above say it of all that it matches.

    Entries are compared glob by glob, so some that are never reached are not found; each that is found is one.
    """
    form, document = subject.loaded.owners.form, subject.owners
    if document is None or form is None:
        return
    owning: list[_OwnerGlobs] = []
    placing: list[_OwnerGlobs] = []
    for number, written in enumerate(form.owners):
        entry = _OwnerGlobs.of(number, written)
        said = [*([owning] if written.has_owner else []), *([placing] if written.environment is not None else [])]
        above = [next((one for one in some[:_MOST_COMPARED] if one.covers(entry)), None) for some in said]
        if None not in above:
            first = max(one.number for one in above if one is not None)
            words = f"is never reached: owners[{first}] above matches all that it matches; move it up, or remove it"
            yield document.problem(("owners", number), words, "warning", "unreachable-owner")
        # Where the value of a tag is blank, an entry with it is passed over.
        if not written.has_values_of_tags:
            for some in said:
                some.append(entry)


class _OwnerGlobs(Value):
    """An entry with those of its globs that do not fit everything, by their keys."""

    number: int
    globs: Mapping[str, str]

    @classmethod
    def of(cls, number: int, form: OwnerForm) -> _OwnerGlobs:
        globs = {key: glob for key in _KEYS if (glob := getattr(form, key)) != ANY}
        return cls(number, globs | {f"tag.{name.lower()}": glob for name, glob in form.tag.items()})

    def covers(self, other: _OwnerGlobs) -> bool:
        """Whether it matches all that another entry below matches, and is asked before it of all of that."""
        return self.is_asked_before(other) and all(
            key in other.globs and covers_glob(glob, other.globs[key]) for key, glob in self.globs.items()
        )

    def is_asked_before(self, other: _OwnerGlobs) -> bool:
        """Of what a connector brings, an entry that names more than a subscription and a group is asked first."""
        return self.names_more or not other.names_more or "resource_group" in other.globs

    @property
    def names_more(self) -> bool:
        return not self.globs.keys() <= _OF_CONNECTORS


def find_owners_in_vain(subject: Subject) -> Iterator[Problem]:
    """A warning for each glob of an entry that fits nothing."""
    form, document = subject.loaded.owners.form, subject.owners
    if document is None or form is None:
        return
    ids = ids_by_name(subject)
    for number, entry in enumerate(form.owners):
        for key in ("subscription", "account", "resource"):
            if (words := about_impossible_glob(key, getattr(entry, key), ids)) is not None:
                words = f"{words}; so the entry matches nothing"
                yield document.problem(("owners", number, key), words, "warning", "dead-owner")


def find_unknown_tags(subject: Subject) -> Iterator[Problem]:
    """A warning for each tag in an entry or a route that nothing in the tag files has; the state may have others."""
    book, form = subject.loaded.rulebook, subject.loaded.owners.form
    if book is None or (form is not None and LIVE in form.tags):
        return
    known = {name for tags in book.owners.tags.by_id.values() for name in tags}
    named = [
        (subject.owners, ("owners", number, "tag"), entry.tag)
        for number, entry in enumerate(form.owners if form is not None else ())
    ] + [
        (subject.policy, ("routes", number, "when", "tag"), route.when.tag or {})
        for number, route in subject.loaded.policy.route_forms
    ]
    for document, path, tags in named:
        for name in tags:
            if document is not None and name.lower() not in known:
                remedy = hint(name.lower(), known) or "; `tags` in owners.yaml names the files that say which there are"
                yield document.problem(
                    (*path, name), f"no resource has a tag {name!r}{remedy}", "warning", "unknown-tag"
                )
