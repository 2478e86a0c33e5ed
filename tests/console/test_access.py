"""Who is let in, from where, and what every answer says to a browser."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from router.cli import main
from router.console.access import HEADERS
from router.console.application import MOST_POSTED
from router.console.rendering import Pages
from router.console.views import ACTIONS, VIEWS
from tests.builders import NOW, RULES
from tests.console.sites import OWN, Site, own_links_of
from tests.store.acts import run
from tests.store.opened import everything_in, open_store

PATHS = [action.path for action in ACTIONS]
TEMPLATES = files("router.console").joinpath("templates")


def static_of(site: Site) -> str:
    """The path of a file that pages name."""
    (path,) = re.findall(r'href="(/static/[0-9a-f]+-style\.css)"', site.get("/alerts").text)
    return str(path)


def filled(path: str) -> str:
    """A path of an action, of something that there is or is not."""
    return re.sub(r"\{\w+\}", "ab12cd", path)


def everything(site: Site) -> dict[str, list[bytes]]:
    """All rows of the state of a site."""
    store = open_store(site.state.place)
    try:
        return run(everything_in(store))
    finally:
        run(store.close())


def test_only_who_has_the_token_of_this_start_is_let_in(site: Site, own_site: Site, subtests: pytest.Subtests) -> None:
    """Nobody else reads a page or its JSON, nor does who opened another console, or this one before it was started again."""
    name, value = site.cookie
    for path in ("/alerts", "/alerts.json", "/status", "/nowhere", "/"):
        for words, answer in (
            ("nothing", site.stranger.get(path)),
            ("another start's cookie", site.stranger.get(path, headers={"cookie": f"{name}={own_site.cookie[1]}"})),
            ("no cookie", site.stranger.get(path, headers={"cookie": f"{name}="})),
            ("no ASCII", site.stranger.get(path, headers={b"cookie": f"{name}=".encode() + b"\xff\xfe"})),
            ("a wrong token", site.stranger.get(path, params={"token": value})),
            ("no token", site.stranger.get(path, params={"token": ""})),
            ("a token in a form", site.stranger.post(path, params={"token": token_of(site)}, headers=OWN)),
        ):
            with subtests.test(path, given=words):
                assert answer.status_code == 401
                assert "set-cookie" not in answer.headers
                assert "web-lin-01" not in answer.text


def token_of(site: Site) -> str:
    """The token of a console."""
    return site.opening.partition("token=")[2]


def test_a_token_is_exchanged_for_a_cookie_and_leaves_the_address(site: Site) -> None:
    """The cookie is this console's by its port, no script reads it, and no other site's link or form carries it."""
    answer = site.stranger.get("/findings", params={"severity": "High", "token": token_of(site)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/findings?severity=High")
    (cookie,) = answer.headers.get_list("set-cookie")
    pair, *words = cookie.lower().split("; ")
    assert pair.partition("=")[0] == f"alert-router-{urlsplit(site.origin).port}"
    assert {"httponly", "samesite=strict", "path=/"} <= set(words)
    assert token_of(site) not in cookie + answer.text + site.get("/alerts").text
    site.stranger.cookies.clear()


def test_a_name_that_is_not_its_own_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """A page of another site whose name leads here by DNS reads no page, no JSON and no file, with all that it may know."""
    port = urlsplit(site.origin).port
    strange = (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        f"127.0.0.1.:{port}",
        f"[::1]:{port}",
        "",
    )
    for path in ("/alerts", "/alerts.json", static_of(site), f"/?token={token_of(site)}", "/nowhere"):
        for host in strange:
            with subtests.test(path, host=host):
                answer = site.client.get(path, headers={"host": host})
                assert answer.status_code == 421
                assert "set-cookie" not in answer.headers
                assert "web-lin-01" not in answer.text
    assert site.client.get("/alerts", headers={"host": f"localhost:{port}"}).status_code == 200


def foreign_origins(site: Site) -> Iterator[Mapping[str, str]]:
    """What a browser says of a form that a page of another origin sends, or says nothing of."""
    port = urlsplit(site.origin).port
    yield from ({"sec-fetch-site": said} for said in ("cross-site", "same-site", "", "Same-Origin"))
    yield {"sec-fetch-site": "cross-site", "origin": site.origin}
    others = (
        "http://evil.example",
        "null",
        f"https://127.0.0.1:{port}",
        "http://127.0.0.1",
        f"http://localhost:{port}",
    )
    yield from ({"origin": said} for said in others)
    yield {}


def test_a_form_of_another_origin_changes_nothing(own_site: Site, subtests: pytest.Subtests) -> None:
    """Whatever it would do: a browser says where a form comes from, and who says nothing is refused, too."""
    before = everything(own_site)
    for path in (*map(filled, PATHS), "/alerts"):
        for said in foreign_origins(own_site):
            with subtests.test(path, **said):
                answer = own_site.client.post(path, data={"confirm": "yes", "reason": "x"}, headers=said)
                assert answer.status_code == 403
    assert everything(own_site) == before


def test_nothing_is_changed_by_reading(own_site: Site, subtests: pytest.Subtests) -> None:
    """Each page, and the path of each action, asked as a link, an image or a crawler asks."""
    before = everything(own_site)
    query = "confirm=yes&reason=x&id=ab12cd&for=2h"
    for path in (*map(filled, PATHS), *(own_site.state.url(view.path).partition("?")[0] for view in VIEWS)):
        for method in ("GET", "HEAD"):
            with subtests.test(path, method=method):
                answer = own_site.client.request(method, f"{path}?{query}")
                assert answer.status_code in (200, 303, 400, 404, 405, 422)
    assert everything(own_site) == before


def test_what_others_could_reach_is_refused_where_nobody_signs_in(
    own_site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an issuer a console listens on loopback alone; with one, each setting that is missing is named, there, too."""
    for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80", "soc.example:80", "127.0.0.1", "127.0.0.1:99999", "::1:x"):
        given = ("--state", str(own_site.state.place), "--rules", str(RULES), "--listen", address)
        assert main(["console", *given]) == 2
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        assert (said.out, line.startswith(address)) == ("", True), line
        assert "ALERT_ROUTER_CONSOLE_ISSUER" in line or "is no address" in line
    monkeypatch.setenv("ALERT_ROUTER_CONSOLE_ISSUER", "https://login.contoso.test")
    for missing, value in (("URL", "https://soc.contoso.test"), ("CLIENT_ID", "console"), ("ROLES", "Reader")):
        for address in ("0.0.0.0:0", "127.0.0.1:0"):
            given = ("--state", str(own_site.state.place), "--rules", str(RULES), "--listen", address)
            assert main(["console", *given]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"ALERT_ROUTER_CONSOLE_{missing}: ")
        monkeypatch.setenv(f"ALERT_ROUTER_CONSOLE_{missing}", value)
    assert main(["console", *given]) == 2
    assert capsys.readouterr().err.startswith("ALERT_ROUTER_CONSOLE_ROLES: 'Reader' gives no role")


def test_every_answer_tells_a_browser_to_run_and_frame_nothing(site: Site, subtests: pytest.Subtests) -> None:
    """Pages, JSON, files, redirects and whatever is refused or fails; and only files are kept."""
    answers = {
        "a page": site.get("/alerts"),
        "JSON": site.get("/alerts.json"),
        "a file": site.get(static_of(site)),
        "no icon": site.get("/favicon.ico"),
        "no file": site.get("/static/none.js"),
        "a redirect": site.get("/"),
        "a token": site.stranger.get(f"/?token={token_of(site)}"),
        "no page": site.get("/nowhere"),
        "no JSON": site.get("/nowhere.json"),
        "a wrong query": site.get("/alerts?severity=grave"),
        "a wrong method": site.client.put("/alerts", headers=OWN),
        "a stranger": httpx.get(f"{site.origin}/alerts", trust_env=False),
        "a foreign name": site.client.get("/alerts", headers={"host": "evil.example"}),
        "a foreign form": site.client.post("/alerts", headers={"origin": "null"}),
    }
    site.stranger.cookies.clear()
    assert HEADERS["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    for words, answer in answers.items():
        with subtests.test(words):
            assert HEADERS.items() <= dict(answer.headers).items()
            assert ("no-store" in answer.headers["cache-control"]) is (words != "a file")
            assert answer.headers.get("content-type", "text/html; charset=utf-8").partition(";")[0] in (
                *("text/html", "application/json", "text/css"),
            )


def test_every_template_escapes_whatever_it_is_given() -> None:
    """There is one environment, it escapes, and no template asks it not to; what the policy would stop stands in none."""
    pages = Pages(lambda: NOW)
    assert pages._env.autoescape is True
    for template in TEMPLATES.iterdir():
        text = template.read_text()
        assert template.name.endswith(".html")
        if (
            template.name == "file.html"
        ):  # What is no answer of the console has its style in its head, and that of the console.
            text = text.replace('<style>\n{% include "style.css" %}\n</style>', "")
        assert re.findall(r"\|\s*safe|Markup|autoescape|<script>|<style|\sstyle=|\son[a-z]+=|javascript:", text) == []
        # Where a value may be a URL of anybody's, only the macro for it decides whether that is a link.
        assert set(re.findall(r"href=[^\"]", text)) == set()


def test_a_path_that_looks_like_an_address_leads_nowhere_else(site: Site, subtests: pytest.Subtests) -> None:
    """Who follows such a link to the console is neither sent on nor offered a way to another site."""
    for path in (
        "//evil.example/",
        "///evil.example",
        "/%5Cevil.example/",
        "//evil.example/alerts.json",
        "/%2F/evil.example",
    ):
        for words, client, query in (
            ("known", site.client, ""),
            ("unknown", site.stranger, ""),
            ("with its token", site.stranger, f"?token={token_of(site)}"),
        ):
            with subtests.test(path, client=words):
                answer = client.get(f"{site.origin}{path}{query}", follow_redirects=False)
                places = [answer.headers.get("location", ""), *re.findall(r'(?:href|action)="([^"]*)"', answer.text)]
                assert [one for one in places if re.match(r"[/\\]{2}|https?:", one)] == []
        site.stranger.cookies.clear()


def test_a_form_is_no_longer_than_a_reason_and_many_ids(site: Site) -> None:
    """What is longer is refused before it is read to its end."""
    answer = site.client.post(filled(PATHS[0]), content=b"x" * (MOST_POSTED + 1), headers=OWN)
    assert answer.status_code == 413


def test_what_is_not_there_says_so_in_words(site: Site) -> None:
    """As a page and as JSON; a query that cannot be followed names what it may say."""
    assert (site.get("/nowhere").status_code, "There is no such page." in site.get("/nowhere").text) == (404, True)
    assert site.get("/nowhere.json").json() == {"error": "There is no such page."}
    wrong = site.get("/alerts.json?severity=grave")
    assert wrong.status_code == 400
    assert "Critical, High" in wrong.json()["error"]


def test_a_state_that_fails_is_said_in_one_line(own_site: Site, subtests: pytest.Subtests) -> None:
    """On every page that asks it, and without what it was asked."""
    assert isinstance(own_site.state.place, Path)
    with closing(sqlite3.connect(own_site.state.place / "router.db", isolation_level=None)) as file:
        for table in ("signals", "deliveries", "documents", "decisions", "quarantine", "changes", "lookups"):
            file.execute(f"ALTER TABLE {table} RENAME TO lost_{table}")
    for view in VIEWS:
        path = own_site.state.url(view.path)
        with subtests.test(path):
            page, document = (
                own_site.get(path),
                own_site.get(".json?".join(path.split("?")) if "?" in path else f"{path}.json"),
            )
            assert "SELECT" not in page.text
            if view.path == "/silences/new":
                # A form asks nothing of the state; what its page says around it does.
                assert (page.status_code, document.status_code) == (503, 200)
                continue
            assert (page.status_code, document.status_code) == (503, 503)
            (words,) = document.json().values()
            assert "\n" not in words
            assert own_links_of(page.text, own_site.origin, path)
