"""What every store promises of documents: silences, holds, facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from router.domain.documents import DocumentKind, StoredDocument
from router.store.documents import (
    find_document,
    find_documents,
    list_documents,
    put_document,
    put_documents,
)
from tests.builders import NOW
from tests.store.acts import DAY, run
from tests.store.opened import Store
from tests.store.within import within

SILENCE = StoredDocument(kind=DocumentKind.SILENCE, id="s-1", at=NOW, body=bytes(range(256)) * 1000)


def test_a_document_comes_back_as_it_was_written(store: Store) -> None:
    """By its kind and id, and among those of its kind."""
    other = replace(SILENCE, kind=DocumentKind.HOLD)
    version = run(within(store, put_document, SILENCE))
    assert version is not None
    run(within(store, put_document, other))
    assert run(within(store, find_document, DocumentKind.SILENCE, "s-1")) == replace(SILENCE, version=version)
    assert [one.body for one in run(within(store, list_documents, DocumentKind.SILENCE))] == [SILENCE.body]
    assert run(within(store, find_document, DocumentKind.SILENCE, "s-2")) is None
    assert run(within(store, list_documents, DocumentKind.FACT)) == []
    assert len(run(within(store, list_documents, DocumentKind.SILENCE, NOW))) == 1
    assert run(within(store, list_documents, DocumentKind.SILENCE, NOW + timedelta(microseconds=1))) == []


def test_of_two_who_write_over_the_same_version_one_wins(store: Store, twin: Store) -> None:
    """Nobody's change is lost without his knowing."""
    version = run(within(store, put_document, SILENCE))
    assert run(within(twin, put_document, SILENCE)) is None
    extended = replace(SILENCE, at=NOW + DAY, version=version)
    newer = run(within(twin, put_document, extended))
    assert newer is not None
    assert run(within(store, put_document, replace(extended, at=NOW + 2 * DAY))) is None
    assert run(within(store, find_document, DocumentKind.SILENCE, "s-1")) == replace(extended, version=newer)


def test_many_documents_are_written_and_found_together(store: Store, twin: Store) -> None:
    """More than one transaction carries; those with which somebody was faster are left out, and their neighbours are not."""
    many = [replace(SILENCE, kind=DocumentKind.SOURCE, id=f"/source/{number}") for number in range(120)]
    theirs = replace(many[7], body=b'{"reason": "faster"}')
    run(within(twin, put_document, theirs))
    versions = run(within(store, put_documents, many))
    assert versions.keys() == {one.id for one in many} - {theirs.id}
    found = run(within(twin, find_documents, DocumentKind.SOURCE, [*(one.id for one in many), "/source/none"]))
    expected = {one.id: replace(one, version=versions[one.id]) for one in many if one.id in versions}
    assert {**found, theirs.id: None} == {**expected, theirs.id: None}
    assert found[theirs.id].body == theirs.body
    newer = run(within(store, put_documents, [replace(expected["/source/3"], body=b"{}"), many[4]]))
    assert newer.keys() == {"/source/3"}
    assert run(within(store, find_documents, DocumentKind.SOURCE, [])) == {}
    assert run(within(store, put_documents, [])) == {}
