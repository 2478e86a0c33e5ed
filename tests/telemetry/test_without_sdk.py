"""Where nobody collects anything, nothing is told, and a trace still goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from router.domain.deliveries import Backlog
from router.domain.errors import Unavailable
from router.domain.rulebook import Lane
from router.telemetry import Telemetry
from tests.builders import NOW
from tests.telemetry.builders import (
    ANOTHER,
    SPAN,
    TRACE,
    TRACEPARENT,
    a_claim,
    a_loss,
    a_pause,
    an_entry,
    settled,
    swept,
)
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


TELEMETRY = Telemetry()
"""The process's own, of which no SDK was set up."""


def test_a_stored_trace_reaches_the_destination_unchanged(subtests: pytest.Subtests) -> None:
    """Whoever collects before and after us can still put both ends together; where there is no trace none is made up."""
    for traceparent in (TRACEPARENT, f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-fe"):
        with subtests.test(traceparent):
            with TELEMETRY.delivering([a_claim(traceparent)]) as span:
                assert TELEMETRY.headers() == {"traceparent": traceparent}
                span.record_results([Unavailable("no answer")])
            assert TELEMETRY.headers() == {}
    for hostile in (None, "", "00-hostile", TRACEPARENT + "\r\nX-Injected: 1"):
        with subtests.test(hostile), TELEMETRY.delivering([a_claim(hostile)]):
            assert TELEMETRY.headers() == {}


def test_a_message_without_a_trace_keeps_that_of_the_call() -> None:
    """The call's own traceparent goes on as it is; a hostile one does not."""
    with TELEMETRY.processing("cwpp", [None, ANOTHER], TRACEPARENT):
        assert TELEMETRY.traceparent() == TRACEPARENT
    with TELEMETRY.processing("cwpp", [None], "00-hostile"):
        assert TELEMETRY.traceparent() is None


def test_everything_can_be_told_to_nobody() -> None:
    """No SDK is no error."""
    TELEMETRY.record_taken([an_entry()], "cwpp")
    TELEMETRY.record_delivered([settled(a_claim())])
    backlog = {"oncall": Backlog(Lane.PAGE, NOW, 1)}
    TELEMETRY.record_swept(swept(backlog=backlog, lag={"0": 1}, lost=[a_loss(1, 2)], paused={"oncall": a_pause()}))


LATE = f"""
import sys
import router.telemetry
assert not [name for name in sys.modules if name.startswith("opentelemetry")], "imported with the module"
telemetry = router.telemetry.Telemetry()
assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")], "needs the SDK"

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from tests.builders import NOW
from router.telemetry.metrics import Swept
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
trace.set_tracer_provider(TracerProvider())
telemetry.record_swept(Swept(stream="cwpp", at=NOW, lag={{"0": 1}}))
(told,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
assert told.scope.name == "alert_router"
print(sorted(metric.name for metric in told.metrics))
with telemetry.processing("cwpp", [], {TRACEPARENT!r}):
    print(telemetry.traceparent())
"""


def test_opentelemetry_is_imported_when_it_is_needed_and_its_sdk_may_come_later() -> None:
    """Who only reads rules does not pay for it, and a worker that sets its SDK up after us collects all the same."""
    done = subprocess.run(
        [sys.executable, "-c", LATE], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    names, traceparent = done.stdout.splitlines()
    assert "alert_router.hub.lag" in names
    assert "alert_router.sweep.taken" in names
    assert traceparent.startswith(f"00-{TRACE}-")
    assert SPAN not in traceparent
