"""Entries of owners.yaml that nothing reaches, or nothing in Azure, because an entry above matches all that they match."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from router.domain.patterns import covers_glob
from router.rulebook.lints.subject import Subject
from router.rulebook.owner_keys import ANY
from router.rulebook.owners import OwnerForm
from router.rulebook.problems import Problem

_KEYS = ("subscription", "resource_group", "account", "project", "cluster", "namespace", "connector", "resource")
_OF_CONNECTORS = frozenset({"subscription", "resource_group"})
"""The keys that say nothing of what a connector brings."""
_OF_OTHER_CLOUDS = frozenset({"account", "project", "connector"})
"""The keys that say nothing of what is in Azure."""
_ELSEWHERE = re.compile(r"^arn:|googleapis\.com|^[/*]*projects/|securityconnectors", re.IGNORECASE)
"""What stands in the names of resources in other clouds."""


def find_unreachable_owners(subject: Subject) -> Iterator[Problem]:
    """A warning for each entry of owners.yaml that says nothing, since entries above say it of all that it matches.

    One that is asked first of what is in other clouds is said where its keys have to do with Azure, too.

    Entries are only compared glob by glob, so some that are never reached are not found; each that is found is one.
    """
    form, document = subject.loaded.owners.form, subject.owners
    if document is None or form is None:
        return
    owning, placing = _EntriesAbove(), _EntriesAbove()
    for number, written in enumerate(form.owners):
        entry = _OwnerGlobs.of(number, written)
        is_owning, is_placing = written.has_owner, written.environment is not None
        above = [owning.find_above(entry)] if is_owning else []
        above += [placing.find_above(entry)] if is_placing else []
        if None not in above:
            first = max((one for one in above if one is not None), key=lambda one: one.number)
            if all(one is not None and one.is_asked_before(entry) for one in above):
                said = f"is never reached: owners[{first.number}] above matches all that it matches; move it up, or remove it"
            else:
                said = (
                    f"is never reached in Azure: owners[{first.number}] above matches all that it matches there, and only "
                    "of what is in AWS or GCP is it asked before that one; move it up"
                )
            yield document.problem(("owners", number), said, "warning", "unreachable-owner")
        if written.has_values_of_tags:
            continue
        if is_owning:
            owning.add(entry)
        if is_placing:
            placing.add(entry)


@dataclass(frozen=True, slots=True)
class _OwnerGlobs:
    """An entry with those of its globs that do not fit everything, by their keys."""

    number: int
    globs: Mapping[str, str]

    @classmethod
    def of(cls, number: int, form: OwnerForm) -> _OwnerGlobs:
        globs = {key: glob for key in _KEYS if (glob := getattr(form, key)) != ANY}
        return cls(number, globs | {f"tag.{name.lower()}": glob for name, glob in form.tag.items()})

    @property
    def anchor(self) -> tuple[str, str]:
        """The key whose glob begins with the longest fixed text, and that text: what it covers has it, too."""
        fixed = {key: re.split(r"[*?]", glob, maxsplit=1)[0].lower() for key, glob in self.globs.items()}
        return max(fixed.items(), key=lambda one: len(one[1]), default=("", ""))

    def covers(self, other: _OwnerGlobs) -> bool:
        """Whether it matches all that another entry below matches."""
        return all(key in other.globs and covers_glob(glob, other.globs[key]) for key, glob in self.globs.items())

    def is_asked_before(self, other: _OwnerGlobs) -> bool:
        """Whether it is asked before another entry below of all that both match."""
        return self.names_more or not other.names_more or "resource_group" in other.globs

    @property
    def is_of_other_clouds(self) -> bool:
        """Whether it is meant for what a connector brings alone."""
        return not _OF_OTHER_CLOUDS.isdisjoint(self.globs) or bool(_ELSEWHERE.search(self.globs.get("resource", "")))

    @property
    def names_more(self) -> bool:
        return not self.globs.keys() <= _OF_CONNECTORS


@dataclass(frozen=True, slots=True)
class _EntriesAbove:
    """Entries by their anchors, so that each is compared with few others."""

    by_anchor: dict[tuple[str, str], list[_OwnerGlobs]] = field(default_factory=dict)

    def add(self, entry: _OwnerGlobs) -> None:
        self.by_anchor.setdefault(entry.anchor, []).append(entry)

    def find_above(self, entry: _OwnerGlobs) -> _OwnerGlobs | None:
        """An entry that covers another: one that is asked before it also of what a connector brings, if there is any."""
        beginnings = ((key, glob.lower()[:end]) for key, glob in entry.globs.items() for end in range(len(glob) + 1))
        anchors = chain([("", "")], beginnings)
        in_azure = None
        for above in (one for anchor in anchors for one in self.by_anchor.get(anchor, ())):
            if above.covers(entry):
                if above.is_asked_before(entry):
                    return above
                in_azure = in_azure or above
        return in_azure if not entry.is_of_other_clouds else None
