"""What the router tells of itself: metrics, traces and log records, all derived from what rooms returned.

No room counts or logs. Whoever stands above them hands their values to a `Telemetry`:

    instruments.py   the name, unit and attributes of every metric
    measures.py      values -> measures, pure
    meters.py        measures -> a meter
    log_records.py   values -> log records
    spans.py         spans around what takes time, and the header that carries them on
    telemetry.py     all of it in one hand

Only the API of OpenTelemetry is needed: without its SDK nothing is collected, and what came with a trace still carries it on.
No attribute or record holds a secret, a URL or a body.
"""

from router.telemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
