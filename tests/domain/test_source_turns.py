"""What is known of silent sources, as it is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.domain.coverage_sources import CoverageSource
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.source_turns import RUNGS, SourceState, SourceTurn, SourceWatch, document_of_watch, find_watch
from tests.builders import NOW
from tests.domain.silence_model import HOUR, of_cluster, of_plan, of_subscription

instants = st.timedeltas(timedelta(days=-3000), timedelta(days=1000)).map(NOW.__add__)
turns = st.builds(
    SourceTurn,
    source=st.builds(CoverageSource, st.sampled_from(list(RUNGS)), st.text(min_size=1), st.sampled_from(["", "Arm"])),
    number=st.integers(1, 10**9),
    state=st.sampled_from(SourceState),
    at=instants,
    last=st.none() | instants,
    since=instants,
    within=st.integers(1, 10**7).map(lambda seconds: timedelta(seconds=seconds)),
    entry=st.integers(0, 99),
    name=st.text(),
    subscription=st.none() | st.text(),
    others=st.integers(0, 999),
    excuse=st.text(),
    missing=st.none() | instants,
    is_published=st.booleans(),
)
watches = st.builds(
    SourceWatch,
    anew=instants,
    taken=instants,
    since=st.dictionaries(st.text(), instants),
    held=st.dictionaries(st.text(), instants),
    turns=st.lists(turns).map(lambda some: {turn.source.id: turn for turn in some}),
    unmatched=st.lists(st.text()).map(tuple),
)


@given(watches)
def test_what_is_written_of_sources_is_read_again(watch: SourceWatch) -> None:
    """Whatever it is; the same makes the same bytes."""
    document = document_of_watch("cspm", watch)
    assert find_watch(document) == watch
    assert document_of_watch("cspm", watch).body == document.body


@given(st.binary() | st.sampled_from([b"{}", b"[]", b'{"turns": 1}']))
def test_what_does_not_decode_is_known_of_nothing(body: bytes) -> None:
    """It costs nothing else."""
    document = StoredDocument(kind=DocumentKind.SILENT_SOURCES, id="cspm", at=NOW, body=body)
    assert find_watch(document) is None


FROZEN = (
    b'{"anew":"2026-11-24T12:00:00+00:00","taken":"2026-12-03T12:00:00+00:00",'
    b'"since":{"2026-11-24T12:00:00+00:00":["subscription:s"]},"held":{"2026-11-25T12:00:00+00:00":["s"]},"turns":['
    b'{"kind":"plan","subject":"s","plan":"Containers","number":2,"state":"excused","at":"2026-12-02T12:00:00+00:00",'
    b'"last":"2026-11-24T12:00:00+00:00","since":"2026-11-24T12:00:00+00:00","within":691200,"entry":1,"name":"s",'
    b'"subscription":"s","others":3,"excuse":"2027-01-01T00:00:00Z by me","missing":null,"is_published":false}],'
    b'"unmatched":["coverage.yaml expect[1].name: \'aks-*\' fits nothing that was ever heard of"]}'
)
"""As the first program wrote it that did."""


def test_what_an_older_program_wrote_is_read() -> None:
    """Byte for byte what today's program writes of the same."""
    turn = SourceTurn(
        source=CoverageSource(of_plan("Containers").kind, "s", "Containers"),
        number=2,
        state=SourceState.EXCUSED,
        at=NOW + 192 * HOUR,
        last=NOW,
        since=NOW,
        within=192 * HOUR,
        entry=1,
        name="s",
        subscription="s",
        others=3,
        excuse="2027-01-01T00:00:00Z by me",
    )
    watch = SourceWatch(
        anew=NOW,
        taken=NOW + 216 * HOUR,
        since={"subscription:s": NOW},
        held={"s": NOW + 24 * HOUR},
        turns={turn.source.id: turn},
        unmatched=("coverage.yaml expect[1].name: 'aks-*' fits nothing that was ever heard of",),
    )
    document = document_of_watch("cspm", watch)
    assert document.body == FROZEN
    assert find_watch(replace(document, body=FROZEN)) == watch


def test_each_kind_of_source_has_a_finding_of_its_own() -> None:
    """By its id and rung; two plans of a subscription have a place on record each."""
    found = [
        replace(_turn(source), number=7)
        for source in (of_subscription("s"), of_plan("Arm", "s"), of_plan("Api", "s"), of_cluster("aks-a"))
    ]
    assert [turn.finding_id for turn in found][:3] == ["subscription:s/export", "plan:s:Arm/plan", "plan:s:Api/plan"]
    assert [turn.arrival.key for turn in found][:3] == [
        "coverage:s:export:7",
        "coverage:s:Arm:plan:7",
        "coverage:s:Api:plan:7",
    ]
    assert found[3].arrival.key == f"coverage:{of_cluster('aks-a').subject}:integration:7"


def _turn(source: CoverageSource) -> SourceTurn:
    return SourceTurn(
        source=source,
        number=1,
        state=SourceState.SILENT,
        at=NOW,
        since=NOW,
        within=HOUR,
        entry=1,
        name="",
    )
