"""Whoever deploys is told if the console in Azure lets in whom nobody signed in."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from infra.forged import CLIENT, Tried, try_forged
from infra.variants import TENANT
from router.app.settings import ROLES
from router.console.azure import find_principal
from router.console.roles import Role, read_role_map, role_by
from tests.infra.azd import az_that_knows, azd_on
from tests.infra.predicted import DEFENDER, deployed

ON = "00000000-0000-0000-0000-0000000c11e4"
OUT = "https://login.microsoftonline.com/tenant/oauth2/v2.0/authorize?client_id=x"


@dataclass
class Site:
    """A console on loopback that answers everybody the same, and keeps what it was asked."""

    code: int = 200
    leads_to: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    health: str = ""
    """The address of the health page beside it."""

    def tried(self, client: str = ON) -> Tried:
        """What somebody with a sign-in of his own making comes to."""
        return try_forged({"HEALTH_URL": self.health, "AZURE_TENANT_ID": TENANT, CLIENT: client})


@contextmanager
def served() -> Iterator[Site]:
    """A console on loopback."""
    site = Site()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(site.code)
            if site.leads_to:
                self.send_header("Location", site.leads_to)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        site.health = f"http://127.0.0.1:{server.server_port}/api/health"
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A console on loopback, which no proxy of the machine's stands before."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with served() as site:
        yield site


def test_who_is_let_in_or_sent_on_within_the_site_fails_the_deployment(site: Site, subtests: pytest.Subtests) -> None:
    """In one line that says where, and what to do; whether the console is meant to be on or not."""
    for code, leads_to in (
        (200, ""),
        (204, ""),
        (303, "/api/console/alerts"),
        (307, "alerts"),
        (308, "//{}/api/console/"),
    ):
        for client in (ON, ""):
            with subtests.test(f"{code} {leads_to}", client=client):
                host = site.health.removeprefix("http://").removesuffix("/api/health")
                site.code, site.leads_to = code, leads_to.format(host)
                is_open, said = site.tried(client)
                assert is_open
                assert said.startswith(f"http://{host}/api/console: it let in a forged sign-in ({code}), ")
                assert "\n" not in said and f'azd env set {CLIENT} ""' in said


def test_who_is_refused_or_sent_to_sign_in_is_not_worth_a_word(site: Site, subtests: pytest.Subtests) -> None:
    """Nor is a console that is off."""
    for code, leads_to, clients in (
        (401, "", (ON, "")),
        (403, "", (ON, "")),
        (302, OUT, (ON, "")),
        (302, "/.auth/login/aad?post_login_redirect_uri=/api/console", (ON, "")),
        (503, "", ("",)),
        (404, "", ("",)),
    ):
        for client in clients:
            with subtests.test(f"{code} {leads_to}", client=client):
                site.code, site.leads_to = code, leads_to
                assert site.tried(client) == Tried(False, "")


def test_an_answer_that_tells_nothing_is_unknown_and_stops_nothing(site: Site, subtests: pytest.Subtests) -> None:
    """A console that should be on and is not there, a redirect to where nobody signs in, a fault, and no answer at all."""
    for code, leads_to in ((503, ""), (404, ""), (500, ""), (302, "https://portal.example/"), (304, OUT)):
        with subtests.test(f"{code} {leads_to}"):
            site.code, site.leads_to = code, leads_to
            is_open, said = site.tried()
            assert not is_open
            assert said.startswith(
                f"unknown: whether the console refuses a forged sign-in (it answered {code}); ask again: azd"
            )
    site.health = "http://127.0.0.1:9/api/health"
    assert not site.tried().is_open
    assert "(" + os.strerror(errno.ECONNREFUSED) in site.tried().said.replace(f"[Errno {errno.ECONNREFUSED}] ", "")


def test_what_is_forged_is_an_admin_of_the_right_tenant(site: Site) -> None:
    """Whoever believed it would let in an admin; and it asks the console, not what is open beside it."""
    site.tried()
    ((path, headers),) = site.asked
    assert path == "/api/console"
    principal = find_principal(headers["x-ms-client-principal"])
    assert principal is not None
    roles = read_role_map(deployed("file-integrity-elsewhere").settings[ROLES])
    assert role_by(principal.values("roles"), roles) is Role.ADMIN
    assert TENANT in {claim.val for claim in principal.claims}
    assert headers["x-ms-client-principal-name"] in principal.values("preferred_username")


def test_a_deployment_fails_for_an_open_console_alone(site: Site, tmp_path: Path) -> None:
    """After everything else was said; where it is as it should be, people are told where it is."""
    azd = azd_on(tmp_path)
    az_that_knows(azd, DEFENDER)
    azd.put_out()
    azd.set("HEALTH_URL", site.health)
    site.code = 503
    off = azd.run("postdeploy")
    assert (off.code, "console" in off.said) == (0, False)
    azd.set(CLIENT, ON)
    azd.set("CONSOLE_URL", "https://func-test.azurewebsites.net/api/console")
    site.code = 401
    on = azd.run("postdeploy")
    shown = "The console: https://func-test.azurewebsites.net/api/console"
    assert (on.code, [line for line in on.said.splitlines() if "console" in line]) == (0, [shown])
    site.code = 200
    is_open = azd.run("postdeploy")
    assert is_open.code == 1
    assert is_open.said.removeprefix(on.said).count("\n") == 1
    assert ": it let in a forged sign-in (200), " in is_open.said
