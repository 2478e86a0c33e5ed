"""What starting costs: importing the doors, a cold process until its first batch is durable, and the shortest commands.

Both sides of a pair are taken in turn, in fresh processes whose modules are compiled; what an empty one takes is taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.checkouts import ROOT, Checkout
from benchmarks.engines import ENGINES, engine_running
from benchmarks.path import SECRET
from benchmarks.table import Row, compared
from benchmarks.workload import alerts, write_rules

PAIRS = 11
FIRST = 100
"""Alerts of the first batch."""
HUBS = {"EVENT_HUBS__fullyQualifiedNamespace": "name.servicebus.windows.net"}
"""Hubs as a deployment names them, by identity. No batch asks them anything."""
AZURE = ("-c", "import azure.functions, pydantic")
PACKAGES = ("-c", "import pydantic, yaml")


def measure(scale: float) -> Iterator[Row]:
    """The rows of the start."""
    pairs = max(3, round(PAIRS * scale))
    nothing = min(_cpu("-c", "pass") for _ in range(pairs))

    def row(what: str, ours: Callable[[], float], theirs: tuple[str, str], limit: float) -> Row:
        ours(), _cpu(*theirs)
        taken = [(ours() - nothing, _cpu(*theirs) - nothing) for _ in range(pairs)]
        return compared(what, [one for one, _ in taken], [other for _, other in taken], limit)

    door = partial(_cpu, "-c", "import function_app")
    yield row("import function_app, against azure.functions and pydantic: CPU", door, AZURE, 1.3)
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "alerts.ndjson"
        file.write_bytes(b"\n".join(alerts(FIRST)))
        rules = write_rules(Path(scratch) / "rules", 10, datetime.now(UTC))
        for name in ENGINES:
            with engine_running(name) as engine:
                first = partial(first_batch, rules, file, engine.new_state)
                yield row(f"{name}: cold process to first batch durable, against the same: CPU", first, AZURE, 4)
    version = partial(_cpu, "-m", "router", "--version")
    yield row("--version, against pydantic and yaml: CPU", version, PACKAGES, 1)
    check = partial(_cpu, "-m", "router", "rules", "check", str(ROOT / "rules"))
    yield row("rules check of the starter, against pydantic and yaml: CPU", check, PACKAGES, 2)


def first_batch(rules: Path, alerts: Path, new_state: Callable[[], object], checkout: Checkout | None = None) -> float:
    """CPU seconds of a process that starts and takes a file of alerts in as its first batch, into an empty state."""
    settings = {"ALERT_ROUTER_RULES": str(rules), "ALERT_ROUTER_STATE": str(new_state()), **HUBS}
    settings["BENCH_WEBHOOK_SECRET"] = SECRET
    return (checkout or Checkout()).run("-m", "benchmarks.door", str(alerts), settings=settings).cpu


def _cpu(*arguments: str) -> float:
    """CPU seconds of a fresh process."""
    return Checkout().run(*arguments).cpu
