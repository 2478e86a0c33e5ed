"""A traceparent is read whoever wrote it, and whatever else is written is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from router.domain.hubs import LONGEST_TRACEPARENT, find_ids, traceparent_of
from tests.telemetry.builders import SPAN, TRACE, TRACEPARENT


def test_a_traceparent_says_trace_span_and_flags() -> None:
    """As numbers; a later version as far as ours goes (https://www.w3.org/TR/trace-context/#versioning-of-traceparent)."""
    assert find_ids(TRACEPARENT) == (int(TRACE, 16), int(SPAN, 16), 1)
    tail = "a" * (LONGEST_TRACEPARENT - len(TRACEPARENT) - 1)
    assert find_ids(f"01-{TRACE}-{SPAN}-01-{tail}") == find_ids(TRACEPARENT)


def test_what_is_no_traceparent_is_none() -> None:
    """Nobody's text breaks anything, and none gets into a header."""
    for text in (
        None,
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01\r\nX-Injected: 1",
        f"01-{TRACE}-{SPAN}-01-{'a' * LONGEST_TRACEPARENT}",
        "٠٠" + TRACEPARENT[2:],
    ):
        assert find_ids(text) is None, text


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_a_traceparent_is_read_as_it_was_written(trace_id: int, span_id: int, flags: int) -> None:
    """Every id and all flags."""
    assert find_ids(traceparent_of(trace_id, span_id, flags)) == (trace_id, span_id, flags)


HEX = st.text("0123456789abcdef", min_size=16, max_size=32)
NEARLY = st.builds(
    "{}-{}-{}-{}{}".format,
    st.sampled_from(["00", "01", "fe", "ff", "0g", "0"]),
    st.sampled_from([TRACE, "0" * 32, TRACE.upper(), TRACE + "0"]) | HEX,
    st.sampled_from([SPAN, "0" * 16, SPAN[1:]]) | HEX,
    st.sampled_from(["00", "01", "ff", "1", "0x"]),
    st.sampled_from(["", "-", "-more", "more"]),
)


@given(NEARLY | st.text())
def test_we_read_what_opentelemetry_reads(text: str) -> None:
    """But for the blanks around it that HTTP allows in a header."""
    propagator = TraceContextTextMapPropagator()
    theirs = trace.get_current_span(propagator.extract({"traceparent": text.strip()})).get_span_context()
    ours = find_ids(text.strip())
    assert (ours is not None) == theirs.is_valid
    if ours is not None:
        assert ours == (theirs.trace_id, theirs.span_id, theirs.trace_flags)
