"""Who made what of a silence or a hold: a change comes back as it was written, and in the order in which it was made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.deliver.destination_holds import ChangeAction, ChangeEntry, ChangeSubject, document_of_change, read_changes
from router.domain.documents import DocumentKind, StoredDocument
from tests.builders import NOW

HELD = ChangeEntry(
    subject=ChangeSubject.HOLD,
    id="cwpp/oncall",
    stream="cwpp",
    action=ChangeAction.ADDED,
    at=NOW,
    author="ana",
    reason="the pager is moved",
    until=NOW + timedelta(hours=2),
)

CHANGES = st.builds(
    ChangeEntry,
    subject=st.sampled_from(ChangeSubject),
    id=st.text(),
    stream=st.sampled_from(["cwpp", "cspm"]),
    action=st.sampled_from(ChangeAction),
    at=st.integers(0, 5).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    author=st.text(),
    reason=st.text(),
    until=st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


@given(st.lists(CHANGES))
def test_changes_come_back_as_they_were_made_in_the_order_of_time(changes: list[ChangeEntry]) -> None:
    """Whatever people write; and their ids sort as their times do, so that a store lists them so."""
    documents = sorted(map(document_of_change, changes), key=lambda document: document.id)
    read = read_changes(documents)
    assert [change.at for change in read.values] == sorted(change.at for change in changes)
    assert [one.at for one in documents] == [change.at for change in read.values]
    assert set(read.values) == set(changes)
    assert read.undecodable == 0
    assert len({one.id for one in documents}) == len(set(changes))


def test_the_same_change_written_again_is_the_same_document() -> None:
    """A command that was broken off and is given again leaves one change."""
    assert document_of_change(HELD).id == document_of_change(replace(HELD)).id
    assert document_of_change(HELD).id != document_of_change(replace(HELD, author="ben")).id


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"null", b"{}", b"\xff", b'{"subject":"hold"}', b"[" * 100_000]
)
def test_what_does_not_decode_is_skipped_and_counted(body: bytes) -> None:
    """One that is damaged hides no other."""
    damaged = StoredDocument(kind=DocumentKind.CHANGE, id="x", at=NOW, body=body)
    assert read_changes([damaged, document_of_change(HELD)]) == ([HELD], 1)


@pytest.mark.parametrize(
    ("written", "instead"),
    [(b'"hold"', b'"other"'), (b'"added"', b'"other"'), (b'"ana"', b"7"), (b'Z"', b'"'), (b'"cwpp"', b"null")],
)
def test_a_change_of_which_a_field_is_damaged_is_skipped(written: bytes, instead: bytes) -> None:
    """Half a change says something that nobody did."""
    document = document_of_change(HELD)
    damaged = replace(document, body=document.body.replace(written, instead))
    assert damaged.body != document.body
    assert read_changes([damaged]) == ([], 1)
