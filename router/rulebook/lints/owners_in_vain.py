"""Entries of owners.yaml that match nothing, since they ask for what no resource has."""

from __future__ import annotations

from collections.abc import Iterator

from router.rulebook.lints.impossible_globs import NamedIds
from router.rulebook.lints.subject import Subject
from router.rulebook.problems import Problem


def find_owners_in_vain(subject: Subject) -> Iterator[Problem]:
    """A warning for each glob of an entry that fits nothing."""
    form, document = subject.loaded.owners.form, subject.owners
    if document is None or form is None:
        return
    names = NamedIds.of(subject.loaded.owners.scopes)
    for number, entry in enumerate(form.owners):
        globs = {"subscription": entry.subscription, "account": entry.account, "resource": entry.resource}
        for found in names.find_in_vain(globs):
            words = f"{found.message}; so the entry matches nothing"
            yield document.problem(("owners", number, found.key), words, "warning", "dead-owner")
