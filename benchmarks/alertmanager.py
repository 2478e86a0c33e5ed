"""Prometheus Alertmanager on the same work: alerts in by its API in batches, silences, a webhook for each alert.

Everything is set in its favour: silences compare for equality where the router's rules look for a part of a host's name,
nothing is grouped, nothing waits to be grouped, and what is accepted need not survive a crash.
https://prometheus.io/docs/alerting/latest/configuration
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from shutil import which
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from benchmarks.sink import Sink
from benchmarks.workload import TYPES, Origin, alert_at, alert_origins, origin_of_rule

BATCH = 50
PATIENCE = 60.0  # seconds for what was accepted to be delivered
ABSENT = "Alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)"

CONFIG = """\
route: {{receiver: soc, group_by: ['...'], group_wait: 0s, group_interval: 5m, repeat_interval: 4h}}
receivers:
  - name: soc
    webhook_configs: [{{url: '{url}', send_resolved: false}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """How many alerts arrived at the receiver, in how many seconds, at how many CPU seconds; of which a server's `served`."""

    delivered: int
    cpu: float
    seconds: float
    served: float = 0.0

    def cpu_each(self) -> float:
        """CPU seconds for each alert that arrived."""
        return self.cpu / self.delivered

    def speed(self) -> float:
        """Alerts that arrived each second."""
        return self.delivered / self.seconds


def find_alertmanager() -> str | None:
    """The program, called as Debian or as its makers call it."""
    return which("prometheus-alertmanager") or which("alertmanager")


def race(program: str, sink: Sink, count: int, silences: int, now: datetime) -> Race:
    """Alertmanager on `count` alerts and so many silences, measured once the silences are in."""
    batches = list(_batches(count, now))
    with _running(program, sink) as alertmanager:
        for k in range(silences):
            alertmanager.post("silences", _silence(origin_of_rule(k), now))
        before, cpu, start = sink.count(), alertmanager.cpu(), monotonic()
        for batch in batches:
            alertmanager.post("alerts", batch)
        seen = sink.wait_for(before + count - count // 10, PATIENCE)
        assert seen > before, "Alertmanager delivered nothing"
        return Race(delivered=seen - before, cpu=alertmanager.cpu() - cpu, seconds=monotonic() - start)


@dataclass(frozen=True, slots=True)
class _Alertmanager:
    """A running Alertmanager."""

    process: Popen[bytes]
    connection: HTTPConnection

    def post(self, what: str, body: bytes) -> None:
        """Posts to its API; raises AssertionError where it refuses."""
        self.connection.request("POST", f"/api/v2/{what}", body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        words = answer.read()
        assert answer.status == 200, words

    def cpu(self) -> float:
        """CPU seconds that its process took so far, all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _running(program: str, sink: Sink) -> Iterator[_Alertmanager]:
    with TemporaryDirectory() as directory:
        config, port = Path(directory) / "alertmanager.yml", _free_port()
        config.write_text(CONFIG.format(url=sink.url))
        command = [program, f"--config.file={config}", f"--storage.path={directory}", "--cluster.listen-address="]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with Popen(command, stdout=DEVNULL, stderr=DEVNULL) as process:
            try:
                connection = HTTPConnection("127.0.0.1", port, timeout=60)
                _wait_until_ready(process, connection)
                yield _Alertmanager(process, connection)
                connection.close()
            finally:
                process.kill()


def _wait_until_ready(process: Popen[bytes], connection: HTTPConnection) -> None:
    deadline = monotonic() + 20
    while True:
        assert process.poll() is None, "Alertmanager ended as it began; is all of its package installed?"
        try:
            connection.request("GET", "/-/ready")
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            connection.close()
        else:
            if answer.status == 200:
                return
        assert monotonic() < deadline, "Alertmanager did not start"
        sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _silence(origin: Origin, now: datetime) -> bytes:
    wanted = {"alertname": TYPES[origin.type][0], "host": origin.host, "ip": origin.address}
    silence = {
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in wanted.items()
        ],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(days=90)).isoformat(),
        "createdBy": "secops@example.com",
        "comment": "Scanner",
    }
    return json.dumps(silence).encode()


def _batches(count: int, now: datetime) -> Iterator[bytes]:
    alerts = [_alert(number, origin, now) for number, origin in enumerate(alert_origins(count))]
    for start in range(0, count, BATCH):
        yield json.dumps(alerts[start : start + BATCH]).encode()


def _alert(number: int, origin: Origin, now: datetime) -> object:
    type, _, _, severity = TYPES[origin.type]
    return {
        "labels": {
            "alertname": type,
            "id": str(number),
            "host": origin.host,
            "ip": origin.address,
            "severity": severity,
        },
        "annotations": {"message": alert_at(number, origin).decode()},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=2)).isoformat(),
    }
