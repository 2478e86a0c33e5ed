"""What is known of silent sources, as it is kept."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.silent_sources import SourceState, SourceTurn, SourceWatch, finding_id_of
from router.store.documents import document_of_watch, find_value
from tests.builders import NOW
from tests.domain.silence_model import of_cluster, of_plan, of_subscription


@given(st.binary() | st.sampled_from([b"{}", b"[]", b'{"unmatched": 1}']))
def test_what_does_not_decode_is_no_look(body: bytes) -> None:
    """It costs nothing else; what was written is read again."""
    document = StoredDocument(kind=DocumentKind.SILENT_SOURCES, id="cspm", at=NOW, body=body)
    assert find_value(SourceWatch, document.body) is None
    watch = SourceWatch(anew=NOW, taken=NOW + timedelta(days=9), unmatched=("expect[1].name: 'aks-*' fits nothing",))
    assert find_value(SourceWatch, document_of_watch("cspm", watch).body) == watch


def test_each_kind_of_source_has_a_finding_of_its_own() -> None:
    """By its id and rung; two plans of a subscription have a place on record each."""
    found = [
        SourceTurn(source=source, number=7, state=SourceState.SILENT, at=NOW, since=NOW, name="")
        for source in (of_subscription("s"), of_plan("Arm", "s"), of_plan("Api", "s"), of_cluster("aks-a"))
    ]
    assert [finding_id_of(turn.source) for turn in found][:3] == [
        "subscription:s/export",
        "plan:s:Arm/plan",
        "plan:s:Api/plan",
    ]
    assert [turn.arrival.key for turn in found] == [
        "coverage:s:export:7",
        "coverage:s:Arm:plan:7",
        "coverage:s:Api:plan:7",
        f"coverage:{of_cluster('aks-a').subject}:integration:7",
    ]
