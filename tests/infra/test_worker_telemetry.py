"""What Microsoft's worker collects by itself with the settings that are deployed: what the router tells, and nothing else."""

import subprocess
import sys

from azure.monitor.opentelemetry._constants import _FULLY_SUPPORTED_INSTRUMENTED_LIBRARIES as INSTRUMENTED

from tests.infra.predicted import ROOT, Deployment
from tests.waiting import PATIENCE

NOWHERE = (
    "InstrumentationKey=00000000-0000-0000-0000-000000000001;"
    "IngestionEndpoint=http://127.0.0.1:9/;LiveEndpoint=http://127.0.0.1:9/"
)

# The worker's own start, then requests as destinations and Azure are sent them, to a port where nobody listens.
PROBE = """
import asyncio, os, sys
import function_app
from azure_functions_runtime.otel import initialize_azure_monitor, otel_manager
initialize_azure_monitor()
assert otel_manager.get_azure_monitor_available()

import httpx, requests
from azure.core import PipelineClient
from azure.core.pipeline.policies import DistributedTracingPolicy
from azure.core.rest import HttpRequest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

assert isinstance(metrics.get_meter_provider(), MeterProvider), "the router's metrics go nowhere"
spans = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))

def attempt(send):
    try:
        send()
    except Exception:
        pass

URL = "http://127.0.0.1:9/services/SECRET?filter=SECRET"
attempt(lambda: httpx.post(URL))
attempt(lambda: requests.post(URL))
azure = PipelineClient("http://127.0.0.1:9", policies=[DistributedTracingPolicy()])
attempt(lambda: azure.send_request(HttpRequest("GET", "http://127.0.0.1:9/SECRET")))
with trace.get_tracer("alert_router").start_as_current_span("ours"):
    pass
print("\\n".join(sorted(span.name for span in spans.get_finished_spans())))
sys.stdout.flush()
os._exit(0)  # nobody takes what is collected, so that an orderly end would wait
"""


def spans_of(**settings: str) -> list[str]:
    """The names of the spans that a worker collects with some app settings."""
    # By itself it keeps a few spans a second, and tells Microsoft of itself.
    given = {"OTEL_TRACES_SAMPLER": "always_on", "APPLICATIONINSIGHTS_CONNECTION_STRING": NOWHERE, **settings}
    given |= dict.fromkeys(
        ("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED"), "true"
    )
    program = [sys.executable, "-c", PROBE]
    done = subprocess.run(program, cwd=ROOT, env=given, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_no_request_is_told_but_by_the_router_itself(azure: Deployment) -> None:
    """The address of a webhook may be a secret, and a path of Azure's may name a resource: neither stands in any span. A new
    version of Microsoft's distribution that brings another instrumentation is seen here; without the setting requests would be
    told."""
    setting = azure.settings["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"]
    assert set(setting.split(",")) == set(INSTRUMENTED)
    assert spans_of(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=setting) == ["ours"]
    assert len(spans_of()) > 1
