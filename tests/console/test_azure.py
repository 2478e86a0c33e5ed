"""Who is let in in Azure: whom the platform signed in, and nobody where it signs nobody in."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from router.app.settings import CONSOLE, ROLES, Settings
from router.app.signal_life import facts_of
from router.console.application import Console
from router.console.azure import LONGEST_PRINCIPAL, PREFIX, SIGNS_IN, TENANT, EasyAuth, find_principal
from router.console.rendering import Pages
from router.console.roles import Role, Visitor
from router.console.views import VIEWS, new_console
from tests.builders import NOW
from tests.console.principals import HOST, ID, SETTINGS, TENANT_ID, claims_of, principal
from tests.console.sites import OWN, Site
from tests.store.acts import run
from tests.store.opened import everything_in, open_store
from tests.test_architecture import ROUTER

ENTRA = "http://schemas.microsoft.com/identity/claims/"
ROLE_CLAIM = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
NAME = "X-MS-CLIENT-PRINCIPAL-NAME"


async def ask(
    site: Site,
    path: str,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None = None,
    settings: Mapping[str, str] = SETTINGS,
) -> httpx.Response:
    """What the console in Azure answers over the state of a site, to a form where one is posted."""
    async with console_of(site, settings) as app:
        return await _asked(app, path, headers, form)


@asynccontextmanager
async def console_of(site: Site, settings: Mapping[str, str] = SETTINGS) -> AsyncIterator[EasyAuth]:
    """The console in Azure over the state of a site."""
    store = open_store(site.state.place, site.state.clock)
    try:
        pages = Pages(site.state.clock, PREFIX)
        console = Console(store, site.state.rules, facts_of(site.state.rules, ()), ())
        yield EasyAuth(new_console(console, pages), pages=pages, settings=Settings(settings))
    finally:
        await store.close()


async def _asked(
    app: EasyAuth, path: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
) -> httpx.Response:
    # The platform says http inside.
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}{PREFIX}") as client:
        return await client.request("GET" if form is None else "POST", path, data=form, headers=headers)


async def _nothing(*_: object) -> None:
    raise AssertionError("who is not let in reaches nothing")


def door(**changed: str) -> EasyAuth:
    """What stands before the console, by some settings."""
    return EasyAuth(_nothing, pages=Pages(lambda: NOW, PREFIX), settings=Settings({**SETTINGS, **changed}))


OPEN = door()


def visitor_by(headers: Mapping[str, str]) -> Visitor | Response:
    """Who is let in with some headers, or the answer."""
    listed = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": listed, "client": None}
    return run(OPEN.visitor(Request(scope)))


def refused_by(headers: Mapping[str, str]) -> int:
    """The status with which somebody is not let in."""
    found = visitor_by(headers)
    assert isinstance(found, Response), found
    return found.status_code


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({SIGNS_IN: ""}, SIGNS_IN),
        ({SIGNS_IN: "False"}, SIGNS_IN),
        ({SIGNS_IN: "0"}, SIGNS_IN),
        ({TENANT: ""}, TENANT),
        ({TENANT: "contoso.onmicrosoft.com"}, TENANT),
        ({ROLES: ""}, ROLES),
        ({ROLES: "AlertRouter.Admin"}, ROLES),
        ({ROLES: "@Microsoft.KeyVault(SecretUri=x)"}, ROLES),
        ({CONSOLE: "http://alerts.contoso.com"}, CONSOLE),
    ],
)
def test_it_is_closed_unless_the_platform_signs_people_in_and_it_is_said_what_they_may(
    changed: Mapping[str, str], why: str
) -> None:
    """Anybody could send the header where nothing takes it away: no page, no JSON, no file and no form is answered then."""
    closed, forged = door(**changed), {**principal(claims_of("Admin")), **OWN}
    for path, form in (
        ("", None),
        ("/alerts.json", None),
        ("/static/style.css", None),
        ("/silences/new", {"for": "1h"}),
    ):
        answer = run(_asked(closed, path, forged, form))
        assert (answer.status_code, f"{why}: " in answer.text) == (503, True)
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_who_signed_in_with_a_role_is_let_in_by_name_and_id() -> None:
    """Whatever a token calls them; the id stays, where the name is anything, and is one line."""
    let_in = Visitor(f"eva@contoso.example ({ID})", Role.READER, "/.auth/logout")
    assert visitor_by(principal(claims_of())) == let_in
    longer = [
        (f"{ENTRA}tenantid", TENANT_ID),
        (f"{ENTRA}objectidentifier", ID.upper()),
        ("roles", "AlertRouter.Reader"),
    ]
    named = {**principal(longer), NAME: "eva@contoso.example"}
    assert visitor_by(named) == let_in
    # The header says less than the token.
    assert visitor_by({**principal(claims_of()), NAME: "sam@contoso.example"}) == let_in
    hostile = visitor_by(
        principal(claims_of(preferred_username=f"boss@contoso.example (\u202e{TENANT_ID})\n" + "x" * 999))
    )
    assert isinstance(hostile, Visitor)
    assert re.fullmatch(rf"boss@contoso\.example \(.{{1,200}} \({ID}\)", hostile.name)
    assert hostile.name.isprintable()


def test_a_role_is_an_app_role_and_nothing_else(subtests: pytest.Subtests) -> None:
    """Three types of claims give one: two that are known, and the one that the header says is that of roles."""
    nobody = claims_of()[:-1]
    admin = "AlertRouter.Admin"
    for typ, more in (
        ("roles", {}),
        ("roles", {"role_typ": None}),
        (ROLE_CLAIM, {}),
        ("approles", {"role_typ": "approles"}),
    ):
        with subtests.test(typ, **more):
            found = visitor_by(principal([*nobody, ("roles", "AlertRouter.Reader"), (typ, admin)], **more))
            assert isinstance(found, Visitor)
            assert found.role is Role.ADMIN
    for typ in (
        "groups",
        "role",
        "wids",
        "name",
        "scp",
        "Roles",
        "http://schemas.microsoft.com/identity/claims/scope",
        "",
    ):
        with subtests.test(typ):
            assert refused_by(principal([*nobody, (typ, admin)])) == 403
    for role in ("Admin", "admin", "AlertRouter.Admins", "AlertRouter.Reader,AlertRouter.Admin", ""):
        with subtests.test(role=role):
            assert refused_by(principal([*nobody, ("roles", role)])) == 403


def test_who_cannot_be_told_or_comes_from_elsewhere_is_not_let_in(subtests: pytest.Subtests) -> None:
    """Without a header, by another provider, of another tenant, or by a header that contradicts itself."""
    other = "11111111-2222-4333-8444-555555555555"
    good = principal(claims_of())["X-MS-CLIENT-PRINCIPAL"]
    too_long = principal([*claims_of(), ("name", "x" * LONGEST_PRINCIPAL)])
    cases: list[tuple[str, Mapping[str, str], int]] = [
        (
            "no header",
            {NAME: "eva@contoso.example", "X-MS-CLIENT-PRINCIPAL-ID": ID, "X-MS-CLIENT-PRINCIPAL-IDP": "aad"},
            401,
        ),
        ("two of them, as the host joins them", {"X-MS-CLIENT-PRINCIPAL": f"{good},{good}"}, 401),
        ("one with a character that is none of base64's", {"X-MS-CLIENT-PRINCIPAL": f"{good[:8]}!{good[8:]}"}, 401),
        ("half of one", {"X-MS-CLIENT-PRINCIPAL": good[: len(good) // 2]}, 401),
        ("too long", too_long, 401),
        ("another provider", principal(claims_of(), auth_typ="github"), 401),
        ("no id", principal(claims_of(oid="")), 401),
        ("two ids", principal([*claims_of(), (f"{ENTRA}objectidentifier", other)]), 401),
        ("another tenant", principal(claims_of(tid=other)), 403),
        ("no tenant", principal(claims_of(tid="")), 403),
        ("two tenants", principal([*claims_of(), ("tid", other)]), 403),
    ]
    for words, headers, status in cases:
        with subtests.test(words):
            assert refused_by(headers) == status
    for length in range(3):  # of which one at least needs no padding, and one two characters
        unpadded = principal([*claims_of(), ("name", "x" * length)])["X-MS-CLIENT-PRINCIPAL"].rstrip("=")
        assert isinstance(visitor_by({"X-MS-CLIENT-PRINCIPAL": unpadded}), Visitor)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda some: st.lists(some) | st.dictionaries(st.text(), some)
)
_CLAIM = st.fixed_dictionaries({"typ": st.text() | _VALUES, "val": st.text() | _VALUES}) | _VALUES
_SHAPED = st.fixed_dictionaries(
    {"auth_typ": st.just("aad") | _VALUES, "claims": st.lists(_CLAIM) | _VALUES, "role_typ": _VALUES}
)
_BODIES = (
    st.binary()
    | st.integers(1, 12_000).map(lambda depth: b'{"x":' + b"[" * depth)
    | (_SHAPED | _VALUES).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
)


@given(st.text(st.characters(max_codepoint=255)) | _BODIES.map(lambda body: b64encode(body).decode()))
@example(b64encode(b'{"x":' + b"[" * 12_000).decode())
def test_whatever_the_header_holds_it_lets_nobody_in_and_breaks_nothing(written: str) -> None:
    """Any text, and anything in base64: who it does not name is refused, and no fault comes of it; nor of such a name."""
    assert refused_by({"X-MS-CLIENT-PRINCIPAL": written}) in (401, 403)
    read = find_principal(written)
    assert read is None or all(type(one.typ) is type(one.val) is str for one in read.claims)
    named = visitor_by({**principal([one for one in claims_of() if one[0] != "preferred_username"]), NAME: written})
    assert isinstance(named, Visitor)
    assert named.name.endswith(f"({ID})")
    assert named.name.isprintable()


def test_every_link_leads_into_the_site_below_its_prefix(site: Site, subtests: pytest.Subtests) -> None:
    """Of each page; also what it fetches, and where it posts. The way out is the platform's own."""
    headers, views = principal(claims_of("Admin")), [site.state.url(view.path) for view in VIEWS]

    async def look() -> Mapping[str, httpx.Response]:
        async with console_of(site) as app:
            pages = {path: await _asked(app, path, headers) for path in ("/", "/nowhere", "/alerts/", *views)}
            (style,) = re.findall(rf'href="{PREFIX}(/static/[^"]*style\.css)"', pages["/alerts"].text)
            return {**pages, style: await _asked(app, style, {})}

    pages = run(look())
    for path, page in pages.items():
        with subtests.test(path):
            found = re.findall(r'(?:href|src|action|hx-get)="(/[^"]*)"', page.text)
            places = [*found, page.headers.get("location", PREFIX)]
            assert {one for one in places if not f"{one}/".startswith(f"{PREFIX}/")} <= {"/.auth/logout"}
            assert f"{PREFIX}{PREFIX}" not in page.text
            assert page.status_code == {"/": 303, "/nowhere": 404, "/alerts/": 404}.get(path, 200)
    current = re.findall(r'<a href="([^"]*)" aria-current="page">', pages["/findings"].text)
    assert current == [f"{PREFIX}/findings"]


def test_a_form_comes_from_the_site_itself_over_https(own_site: Site, subtests: pytest.Subtests) -> None:
    """By the platform's name or the one that people use; who says nothing of where it comes from is no browser, and refused."""
    form = {"confirm": "yes", "reason": "patching", "stream": "cwpp", "host": "web-lin-01", "for": "1h"}
    operator = principal(claims_of("Operator"))
    url = {**SETTINGS, CONSOLE: "https://Alerts.contoso.com/api/console"}

    def post(host: str, **said: str) -> int:
        return run(ask(own_site, "/silences/new", {**operator, "host": host, **said}, form, url)).status_code

    before = _everything(own_site)
    for host, said in (
        (HOST, {}),
        (HOST, {"origin": f"http://{HOST}"}),
        (HOST, {"origin": "https://alerts.contoso.com"}),
        (HOST, {"sec-fetch-site": "same-site", "origin": f"https://{HOST}"}),
    ):
        with subtests.test(host, **said):
            assert post(host, **said) == 403
    assert post("evil.example", origin="https://evil.example") == 421
    assert run(ask(own_site, "/silences/new", {**principal(claims_of()), **OWN}, form)).status_code == 403
    assert _everything(own_site) == before
    assert post("alerts.contoso.com", origin="https://alerts.contoso.com") == 303
    entries = run(ask(own_site, "/changes.json", operator)).json()["entries"]
    assert (entries[0]["author"], entries[0]["reason"]) == (f"eva@contoso.example ({ID})", "patching")


def test_outside_azure_the_headers_say_nothing(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console on this machine lets nobody in by them and takes nobody's name from them, whatever the settings say."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    forged = {**principal(claims_of("Admin")), NAME: "eva@contoso.example", **OWN}
    assert own_site.stranger.get("/alerts", headers=forged).status_code == 401
    assert own_site.stranger.post("/silences/new", headers=forged).status_code == 401
    form = {"confirm": "yes", "reason": "patching", "stream": "cwpp", "host": "web-lin-01", "for": "1h"}
    reader = {**principal(claims_of()), NAME: "eva@contoso.example", **OWN}
    assert own_site.client.post("/silences/new", data=form, headers=reader).status_code == 303
    assert own_site.document("/changes")["entries"][0]["author"] == "ana@contoso.example"
    own = ROUTER / "console" / "azure.py"
    texts = {path: path.read_text().lower() for path in ROUTER.rglob("*.py")}
    assert [path for path, text in texts.items() if "client-principal" in text] == [own]
    assert [path for path, text in texts.items() if "console.azure" in text] == []


def _everything(site: Site) -> Any:
    async def read() -> Any:
        store = open_store(site.state.place)
        try:
            return await everything_in(store)
        finally:
            await store.close()

    return run(read())
