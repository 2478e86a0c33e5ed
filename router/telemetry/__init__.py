"""What the router tells of itself: metrics, traces and log records, all derived from what rooms returned.

No room counts or logs: the app hands values to a `Telemetry`. Only the API of OpenTelemetry is needed: without its SDK nothing
is collected, and what came with a trace still carries it on. No attribute or record holds a secret, a URL or a body.
"""

from router.telemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
