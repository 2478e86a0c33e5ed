"""When a source was last heard of, as it is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.domain.clocks import SKEW
from router.domain.coverage_sources import (
    CoverageSource,
    CoverageSourceKind,
    LastHeard,
    document_of_last_heard,
    find_last_heard,
)
from router.domain.documents import DocumentKind, StoredDocument

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

sources = st.builds(
    CoverageSource, st.sampled_from(CoverageSourceKind), st.text(min_size=1), st.sampled_from(["", "Containers"])
)
instants = st.none() | st.timedeltas(timedelta(days=-3000), timedelta(days=1000)).map(NOW.__add__)


@st.composite
def heard_of(draw: st.DrawFn, source: st.SearchStrategy[CoverageSource] = sources) -> LastHeard:
    """What may be known of a source."""
    names = ("posture", "snapshot", "healthy", "alert", "real_alert")
    return LastHeard(
        source=draw(source),
        subscription=draw(st.none() | st.just("s")),
        real_alert_type=draw(st.none() | st.sampled_from(["K8S_X", "K8S.NODE_EICAR"])),
        **{name: draw(instants) for name in names},
    )


@given(heard_of())
def test_what_is_written_of_a_source_is_read_again(heard: LastHeard) -> None:
    """Whatever it is."""
    assert find_last_heard(document_of_last_heard(heard, NOW)) == heard


@given(st.lists(heard_of(st.just(CoverageSource(CoverageSourceKind.SUBSCRIPTION, "s"))), min_size=3, max_size=3))
def test_it_does_not_matter_in_which_order_workers_hear_of_a_source(some: list[LastHeard]) -> None:
    """The latest instants remain, and hearing the same twice changes nothing."""
    one, two, three = some
    assert one.joined(two).joined(three) == three.joined(two.joined(one)).joined(one)


def test_an_instant_that_a_wrong_clock_set_counts_for_nothing() -> None:
    """Just possible, it counts."""
    source = CoverageSource(CoverageSourceKind.SUBSCRIPTION, "s")
    heard = LastHeard(source=source, posture=NOW + SKEW, alert=NOW + SKEW + timedelta(seconds=1))
    assert heard.possible_at(NOW) == replace(heard, alert=None)
    assert heard.possible_at(NOW).last == NOW + SKEW


def test_the_type_of_an_alert_stands_beside_its_own_instant() -> None:
    """It says what raised the last one that was no sample, and is gone where that instant counts for nothing."""
    source = CoverageSource(CoverageSourceKind.CLUSTER, "c")
    old = LastHeard(source=source, real_alert=NOW - timedelta(days=1), real_alert_type="K8S_X")
    new = LastHeard(source=source, real_alert=NOW, real_alert_type="K8S.NODE_EICAR")
    assert old.joined(new) == new.joined(old) == new
    assert replace(new, real_alert=NOW + timedelta(days=1)).possible_at(NOW).real_alert_type is None


def test_what_does_not_decode_is_not_known() -> None:
    """It is written anew with the next message."""
    document = StoredDocument(kind=DocumentKind.SOURCE, id="subscription:s", at=NOW, body=b'{"kind": "moon"}')
    assert find_last_heard(document) is None
