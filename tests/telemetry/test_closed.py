"""Whatever messages and destinations say, what is told of them comes from closed sets."""

import logging
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from router.domain.decisions import Change, Code, Outcome
from router.domain.deliveries import Backlog, DeliveryState
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Kind, Stream
from router.telemetry import log_records
from router.telemetry import metrics as names
from router.telemetry import open_telemetry as spans
from tests.builders import NOW
from tests.telemetry.builders import a_claim, a_loss, a_pause, an_entry, settled, swept
from tests.telemetry.conftest import Listening, attributes_of

CANARY = "canary"
DESTINATIONS = {"oncall"}

WORDS: Mapping[str, set[str]] = {
    names.STREAM: set(Stream) | {"unknown"},
    names.OUTCOME: set(Outcome) | {"unknown"},
    names.REASON: set(Code) | {"unknown"},
    names.KIND: set(Kind) | {"unknown"},
    names.SEVERITY: {severity.label for severity in Severity} | {"unknown"},
    names.DESTINATION: DESTINATIONS,
    names.LANE: set(Lane),
    names.STATE: set(DeliveryState),
    names.CHANGE: set(Change),
    names.PARTITION: {"0", "3"},
    names.RULE: {"scanner"},
}

HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["\n2026-11-24 ERROR forged", "\ud800", "\u202eabc", "routes", "High:", "a" * 5000, "https://x/?sig=secret"]
)
TEXTS = HOSTILE.map(lambda text: text + CANARY)
MAYBE = st.none() | TEXTS
KINDS: st.SearchStrategy[type[DeliveryError]] = st.sampled_from([Rejected, Unauthorized, Unavailable])


@st.composite
def entries(draw: st.DrawFn) -> RecordEntry:
    """An entry every text of which may be anything; it is no real one."""
    optional = ("id", "type", "title", "severity", "status", "plan", "resource", "suppressed_by")
    return an_entry(
        draw(st.sampled_from([*Outcome]) | TEXTS),
        draw(st.sampled_from([*Code]).map(lambda code: f"{code}: {CANARY}") | TEXTS),
        **{name: draw(TEXTS) for name in ("key", "kind", "rulebook")},
        **{name: draw(MAYBE) for name in optional},
        stream=draw(st.sampled_from([*Stream]) | MAYBE),
        routes=(draw(TEXTS),),
        destinations=(draw(TEXTS),),
    )


@given(batch=st.lists(entries(), max_size=5))
def test_signals_are_told_in_our_own_words(batch: list[RecordEntry]) -> None:
    """Attributes are of closed sets, and no record holds a word of a message."""
    listening = Listening(logging.DEBUG)
    listening.telemetry.record_taken(batch, "cwpp")
    _expect_closed(listening)
    assert CANARY not in str([(record.getMessage(), attributes_of(record)) for record in listening.records])


@given(error=TEXTS, trace=MAYBE, state=st.sampled_from(DeliveryState), kind=KINDS)
def test_deliveries_are_told_in_our_own_words(
    error: str, trace: str | None, state: DeliveryState, kind: type[DeliveryError]
) -> None:
    """An error stands on one line of a record, and nowhere else."""
    listening = Listening(logging.DEBUG)
    claim = a_claim(trace)
    with listening.telemetry.delivering([claim]) as span:
        span.record_results([kind(error)])
    listening.telemetry.record_delivered([settled(claim, state, error=error)])
    _expect_closed(listening)


@given(why=TEXTS, error=TEXTS, warning=TEXTS)
def test_sweeps_are_told_in_our_own_words(why: str, error: str, warning: str) -> None:
    """What a hub or a destination said stands on one line of a record."""
    listening = Listening(logging.DEBUG)
    found = swept(
        lost=[a_loss(1, 2, why)],
        lag={"0": 1},
        backlog={"oncall": Backlog(Lane.PAGE, NOW, 1)},
        paused={"oncall": a_pause(error=error)},
        holding={"scanner": NOW},
        warnings=[warning],
    )
    listening.telemetry.record_swept(found)
    _expect_closed(listening)


@given(traces=st.lists(MAYBE, max_size=5), parent=MAYBE)
def test_spans_of_batches_are_told_in_our_own_words(traces: list[str | None], parent: str | None) -> None:
    """What is no traceparent leaves no trace."""
    listening = Listening()
    with listening.telemetry.processing("cwpp", traces, parent, partition="0"):
        pass
    _expect_closed(listening)
    assert (listening.span().parent, list(listening.span().links)) == (None, [])


def _expect_closed(listening: Listening) -> None:
    """Metrics and spans have our own words; a log record is one line, and has others' words there and as its error alone."""
    for metric in listening.metrics().values():
        for point in metric.data.data_points:
            assert all(value in WORDS[name] for name, value in (point.attributes or {}).items())
    known: dict[str, set[str]] = {
        **WORDS,
        spans.SYSTEM: {"eventhubs"},
        spans.OPERATION: {"process"},
        spans.OPERATION_TYPE: {"process"},
        spans.HUB: set(Stream),
        spans.ERROR: {"Rejected", "Unauthorized", "Unavailable"},
        names.DELIVERY: {a_claim().delivery.id},
    }
    for span in listening.spans():
        assert span.name in {"process cwpp", "deliver oncall"}
        assert not span.events
        assert span.status.description is None
        for name, value in (span.attributes or {}).items():
            assert isinstance(value, int) or str(value) in known[name]
    for record in listening.records:
        assert record.getMessage().isprintable()
        assert len(record.getMessage()) < 2 * log_records.LONGEST
        assert CANARY not in str({**attributes_of(record), log_records.ERROR: None})
