"""compose.yaml: the demo in one command, whose console only this machine reaches, and `serve` beside it."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from router.cli.parser import new_parser
from tests.infra.image import ROOT, read_sections
from tests.network import free_ports
from tests.stack.postgres import Server
from tests.waiting import PATIENCE
from tests.warm import WarmProcess, started

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "alert-router"}
SOCKET = "postgresql://alert_router@/{}?host=/run/postgresql"


def test_nothing_in_it_has_a_right_or_is_reached_from_elsewhere() -> None:
    """Each runs on a root that is read only, and has its time to end. What is published is published on loopback; the database
    has no network, so that there is no password in it."""
    for name, service in SERVICES.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"] and service["stop_grace_period"] == "90s", name
        assert service["tmpfs"] == ["/tmp"], name  # noqa: S108  In a container.
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in service.get("ports", [])), name
    database = SERVICES["postgresql"]
    assert (database["network_mode"], database["command"]) == ("none", ["postgres", "-c", "listen_addresses="])
    assert "password" not in str(COMPOSE).lower()
    assert {one.get("build") for one in OURS.values()} == {"."} and OURS.keys() == SERVICES.keys() - {"postgresql"}


def test_without_a_profile_the_demo_runs_alone_and_keeps_its_state_apart() -> None:
    """`serve` and what makes its tables begin only where they are asked for; every command is one of the program's."""
    asked = {name for name, service in SERVICES.items() if service.get("profiles") == ["serve"]}
    assert asked == {"state", "serve"}
    parsed = {name: new_parser().parse_args(one["command"]) for name, one in OURS.items() if "command" in one}
    where = {name: str(options.state) for name, options in parsed.items() if options.state is not None}
    serving = SERVICES["serve"]["environment"]["ALERT_ROUTER_STATE"]
    assert where == {"demo-state": SOCKET.format("demo"), "demo": SOCKET.format("demo"), "state": serving}
    assert (
        serving == SOCKET.format("alert_router")
        and SERVICES["postgresql"]["environment"]["POSTGRES_USER"] == "alert_router"
    )
    assert COMPOSE["configs"]["demo-database"]["content"] == "CREATE DATABASE demo;"
    assert parsed["serve"].rules == new_parser().parse_args(_default()).rules
    for name, service in SERVICES.items():
        for needed in service.get("depends_on", {}):
            assert SERVICES[needed].get("profiles") in (None, service.get("profiles")), name


def _default() -> list[str]:
    """What the image does unless something else is asked."""
    (*_, final) = read_sections((ROOT / "Dockerfile").read_text())
    command = final.find_last("CMD")
    assert command is not None
    return command.words


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """Processes are killed at its end, unless they have ended."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.soak
def test_a_person_sees_routed_samples_by_the_port_that_is_published(
    postgres: Server, held: ExitStack, tmp_path: Path
) -> None:
    """By the file's own commands: tables are made, the demo prints a URL, a door passes its console on; each ends in order."""
    state, ports = postgres.new_database(), free_ports(2)

    def begun(service: str, *, stdout: int | None = None) -> WarmProcess:
        one = SERVICES[service]
        words = one["entrypoint"][2:] if "entrypoint" in one else ["router", *one["command"]]
        here = {
            SOCKET.format("demo"): state,
            "0.0.0.0:8026": f"127.0.0.1:{ports[1]}",
            "127.0.0.1:8025": f"127.0.0.1:{ports[0]}",
        }
        process = started(
            *(here.get(word, word) for word in words), *more.get(service, ()), env={}, cwd=tmp_path, stdout=stdout
        )
        held.enter_context(process)
        held.callback(process.kill)
        return process

    more = {"demo": ["--listen", f"127.0.0.1:{ports[0]}"]}
    assert begun("demo-state").wait(PATIENCE) == 0
    demo, door = begun("demo", stdout=subprocess.PIPE), begun("demo-door")
    assert demo.stdout is not None
    (url,) = [found[1] for line in iter(demo.stdout.readline, "Ctrl-C ends it\n") if (found := _URL.match(line))]
    published = SERVICES["demo"]["ports"][0].rpartition(":")[0]
    assert SERVICES["demo-door"]["network_mode"] == "service:demo"
    with httpx.Client(headers={"Host": url.split("/")[2]}, follow_redirects=True) as browser:
        through = f"http://127.0.0.1:{ports[1]}"
        assert browser.get(through).status_code == 401
        assert "Alerts that stand" in browser.get(f"{through}/?{url.partition('?')[2]}").text
        assert len(browser.get(f"{through}/alerts.json").json()["signals"]) > 40
    assert published == "127.0.0.1:8025"
    for process, code in ((door, 0), (demo, 143)):
        process.send_signal(15)
        assert process.wait(PATIENCE) == code


_URL = re.compile(r"the console is at (\S+)$")
