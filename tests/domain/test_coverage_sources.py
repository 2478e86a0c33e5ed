"""When a source was last heard of, and what is known of silent ones, as it is kept."""

from copy import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.domain.clocks import SKEW
from router.domain.coverage_sources import (
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    last_of_each_watcher,
)
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.silent_sources import SourceState, SourceTurn, SourceWatch, finding_id_of
from router.store.documents import document_of_watch, find_value
from tests.builders import NOW
from tests.domain.silence_model import of_cluster, of_plan, of_subscription

sources = st.builds(
    CoverageSource, st.sampled_from(CoverageSourceKind), st.text(min_size=1), st.sampled_from(["", "Containers"])
)
some_instant = st.timedeltas(timedelta(days=-3000), timedelta(days=1000)).map(NOW.__add__)
instants = st.none() | some_instant


heard_alerts = st.builds(
    HeardAlert,
    some_instant,
    st.sampled_from(["K8S_X", "K8S_Y", "K8S.NODE_EICAR", "k8s.node_a", "SQL.A", "ARM_A", "VM_A", "VM_B"]),
)


@st.composite
def heard_of(draw: st.DrawFn, source: st.SearchStrategy[CoverageSource] = sources) -> LastHeard:
    """What may be known of a source."""
    names = ("posture", "snapshot", "healthy", "alert", "real_alert")
    return LastHeard(
        source=draw(source),
        subscription=draw(st.none() | st.just("s")),
        by_watcher=last_of_each_watcher(draw(st.lists(heard_alerts, max_size=6))),
        **{name: draw(instants) for name in names},
    )


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


def test_of_each_sort_of_watcher_the_last_alert_is_kept() -> None:
    """One that the audit log raised later says nothing of the sensor; what is in the future counts for nothing."""
    source = CoverageSource(CoverageSourceKind.CLUSTER, "c")
    sensor, log = HeardAlert(NOW - timedelta(days=1), "K8S.NODE_EICAR"), HeardAlert(NOW, "K8S_X")
    old = LastHeard(source=source, real_alert=sensor.at, by_watcher=(sensor,))
    new = LastHeard(source=source, real_alert=log.at, by_watcher=(log,))
    assert old.joined(new) == new.joined(old) == replace(new, by_watcher=(sensor, log))
    later = HeardAlert(NOW + timedelta(days=1), "k8s.node_another")
    ahead = LastHeard(source=source, real_alert=later.at, by_watcher=(later,)).joined(old)
    assert [one.type for one in ahead.by_watcher] == [later.type]
    assert (ahead.real_alert_type, ahead.possible_at(NOW).real_alert_type) == (later.type, None)
    assert new.joined(old).real_alert_type == "K8S_X"
    assert LastHeard(source=source, real_alert=NOW).real_alert_type is None


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
    findings = [finding_id_of(turn.source) for turn in found[:3]]
    assert findings == ["subscription:s/export", "plan:s:Arm/plan", "plan:s:Api/plan"]
    ids = ("s:export", "s:Arm:plan", "s:Api:plan", f"{of_cluster('aks-a').subject}:integration")
    assert [turn.arrival.key for turn in found] == [f"coverage:{one}:7" for one in ids]
