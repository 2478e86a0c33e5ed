"""People sign in at an issuer: who is let in, as whom, how long, and what forges, replays and strangers come to."""

from __future__ import annotations

import asyncio
import hmac
import re
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urljoin, urlsplit

import httpx
import orjson
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from benchmarks.virtual import Clock
from router.app.certificates import trust_for
from router.app.openid import own_path
from router.app.rules import Rules
from router.app.settings import Settings
from router.app.signal_life import facts_of
from router.cli.console import console_on
from router.console.application import Console
from router.console.rendering import Pages
from router.console.server import Hasty, served
from router.console.sessions import SignedIn
from router.console.views import ACTIONS, VIEWS, new_console
from router.deliver.http import Http
from router.store.sessions import IDLE, LONGEST, end_session, list_sessions
from tests.builders import NOW
from tests.console.browsing import Windows
from tests.console.issuers import ANA, CLIENT, ROLES, SECRET, Issuer, issuing, rsa
from tests.console.sites import OWN
from tests.stack.event_hubs.threads import in_thread
from tests.store.acts import awaited, run
from tests.store.opened import Place, Store, everything_in, open_store

URL = "https://soc.contoso.test"
PAGE = "/alerts?severity=High"
SOON, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class World:
    """An issuer, and a console over a store whose clock a test turns; browsers are made as they are needed."""

    def __init__(self, store: Store, clock: Clock, issuer: Issuer, app: SignedIn, stack: AsyncExitStack) -> None:
        self.store, self.clock, self.issuer, self.app, self._stack = store, clock, issuer, app, stack

    async def browser(self) -> httpx.AsyncClient:
        """A browser that has no cookie yet."""
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=URL, headers=OWN)
        return await self._stack.enter_async_context(client)

    async def returned(self, browser: httpx.AsyncClient, page: str = PAGE) -> str:
        """Where a browser comes back to that asked for a page, and was sent on to the issuer and let in there."""
        sent = await browser.get(page)
        assert (sent.status_code, urlsplit(sent.headers["location"]).path) == (303, "/sign-in"), sent
        on = await browser.get(sent.headers["location"])
        assert on.headers["location"].startswith(f"{self.issuer.url}/authorize?"), on.text
        async with httpx.AsyncClient(trust_env=False) as elsewhere:
            back: str = (await elsewhere.get(on.headers["location"])).headers["location"]
        return back

    async def signed_in(self, **claims: Any) -> httpx.AsyncClient:
        """A browser in which a person signed in."""
        self.issuer.person = {**ANA, **claims}
        browser = await self.browser()
        assert (await browser.get(await self.returned(browser))).status_code == 303
        return browser

    async def sessions(self) -> int:
        """How many sessions are not over."""
        async with self.store.session() as tx:
            return len(await list_sessions(tx))


@asynccontextmanager
async def opened(place: Place, rules: Rules) -> AsyncIterator[World]:
    """A world over a state that holds nothing."""
    clock, issuer = Clock(NOW), Issuer()
    issuer.now = lambda: clock.now.timestamp()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(issuing(issuer))
        store = open_store(place, clock)
        stack.push_async_callback(store.close)
        await store.upgrade()
        http = await stack.enter_async_context(Http(trust_for(Settings({})), None))
        yield World(store, clock, issuer, console_over(store, rules, issuer, http), stack)


def console_over(store: Store, rules: Rules, issuer: Issuer, http: Http) -> SignedIn:
    """A console that people sign in to."""
    pages = Pages(store.now)
    app: Starlette = new_console(Console(store, rules, facts_of(rules, None), ()), pages)
    return SignedIn(app, pages=pages, store=store, to=issuer.sign_in(URL), http=http)


@pytest.fixture
def world(
    tmp_path: Path, rules_for: Callable[[str], Rules], _running: None, request: pytest.FixtureRequest
) -> Iterator[World]:
    """A world over a file; where a test asks for `place`, over each engine."""
    stack = AsyncExitStack()
    place: Place = request.getfixturevalue("place") if "place" in request.fixturenames else tmp_path
    yield run(stack.enter_async_context(opened(place, rules_for("busy"))))
    run(stack.aclose())


@pytest.mark.usefixtures("place")
@awaited
async def test_who_signs_in_is_led_back_to_the_page_and_acts_under_that_name_until_they_sign_out(world: World) -> None:
    """The state knows digests alone; another process lets the same browser in; scripts and other hosts get no cookie."""
    browser = await world.browser()
    answer = await browser.get(await world.returned(browser))
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    (cookie,) = answer.headers.get_list("set-cookie")
    name, _, id = cookie.partition(";")[0].partition("=")
    assert name == "__Host-alert-router"
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= set(cookie.lower().split("; "))
    assert "domain" not in cookie.lower()
    kept = b"".join((await everything_in(world.store))["sessions"])
    assert id.encode() not in kept and b"ana@contoso.example" in kept
    page = await browser.get(PAGE)
    assert page.status_code == 200
    assert 'href="/sign-out"' in page.text and "ana@contoso.example (4711), Operator" in page.text
    form = {"stream": "cwpp", "host": "web-1", "for": "1h", "reason": "patching", "confirm": "yes"}
    assert (await browser.post("/silences/new", data=form)).status_code == 303
    assert (await browser.get("/changes.json")).json()["authors"] == ["ana@contoso.example (4711)"]
    asked = await browser.get("/sign-out")
    assert "ana@contoso.example (4711) is signed in" in asked.text and await world.sessions() == 1
    assert (await browser.post("/sign-out")).status_code == 303
    assert await world.sessions() == 0
    assert (await browser.get(PAGE)).headers["location"].startswith("/sign-in?")
    assert "Nobody is signed in here" in (await browser.get("/sign-out")).text


@awaited
async def test_two_processes_know_the_same_sessions(world: World, rules_for: Callable[[str], Rules]) -> None:
    """Who signed in at one of them is let in by the other, and is not any more once the session is ended."""
    browser = await world.signed_in()
    async with Http(trust_for(Settings({})), None) as http:
        other = console_over(world.store, rules_for("busy"), world.issuer, http)
        transport = httpx.ASGITransport(other)
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=OWN, cookies=browser.cookies) as there:
            assert (await there.get(PAGE)).status_code == 200
            assert (await browser.post("/sign-out")).status_code == 303
            assert (await there.get(PAGE)).status_code == 303
            world.clock.now -= SOON
            assert (await there.get(PAGE)).status_code == 303, "what is over is so to a clock that is behind, too"


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(claims: Mapping[str, Any], header: Mapping[str, Any], signature: str = "") -> str:
    """A token that says what it likes of its signature."""
    parts = (_text(orjson.dumps(one)) for one in (header, dict(claims)))
    return f"{'.'.join(parts)}.{signature}"


def by_the_public_key(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """A token signed as with a shared secret, by what everybody knows of the key."""
    begins = unsigned(claims, {"alg": "HS256", "kid": "one"})[:-1]
    secret = issuer.keys["one"].as_pem(private=False)
    return f"{begins}.{_text(hmac.digest(secret, begins.encode(), 'sha256'))}"


def critical(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """A token that is signed, and says that something in its head must be understood."""
    key = issuer.keys["one"].private_key
    assert isinstance(key, RSAPrivateKey)
    begins = unsigned(claims, {"alg": "RS256", "kid": "one", "crit": ["x"], "x": "y"})[:-1]
    return f"{begins}.{_text(key.sign(begins.encode(), PKCS1v15(), SHA256()))}"


def brought(claims: Mapping[str, Any]) -> str:
    """A token with the key in it that it is signed by."""
    key = rsa("another")
    return jwt.encode({"alg": "RS256", "jwk": key.as_dict(private=False)}, dict(claims), key)


def changed(token: str, claims: Mapping[str, Any]) -> str:
    """A token with other claims under its signature."""
    head, _, signature = token.split(".")
    return f"{head}.{_text(orjson.dumps(dict(claims)))}.{signature}"


CHANGES: tuple[Mapping[str, Any], ...] = (
    *({"iss": other} for other in ("https://login.contoso.test", "", None, ["x"])),
    *({"aud": other} for other in ("another", [], None, [CLIENT, "another"], ["another"])),
    {"azp": "another"},
    *({"nonce": other} for other in ("another", "", None)),
    *({"sub": other} for other in ("", None, 7)),
    *({"exp": other} for other in (None, "soon", NOW.timestamp() - 60, 0)),
    *({"iat": other} for other in (None, NOW.timestamp() + 61)),
    {"nbf": NOW.timestamp() + 61},
)
"""What a token may say otherwise that is signed."""


def with_claims(change: Mapping[str, Any], issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """A token that is signed, and says otherwise, or nothing where it says None."""
    return issuer.signed({name: value for name, value in {**claims, **change}.items() if value is not None})


FORGED: Mapping[str, Callable[[Issuer, dict[str, Any]], str]] = {
    "by another key": lambda issuer, claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, rsa("another")),
    "by no key": lambda issuer, claims: unsigned(claims, {"alg": "none"}),
    "by no key of a kid": lambda issuer, claims: unsigned(claims, {"alg": "None", "kid": "one"}, "AAAA"),
    "by the public key": by_the_public_key,
    "by a key that it brings": lambda issuer, claims: brought(claims),
    "with a changed claim": lambda issuer, claims: changed(issuer.signed(claims), {**claims, "roles": ["soc-leads"]}),
    "with what must be understood": critical,
    "no token": lambda issuer, claims: "a.b.c",
    "nothing": lambda issuer, claims: "",
    "no object": lambda issuer, claims: unsigned({}, {}, "AA"),
    **{f"with {change}": partial(with_claims, change) for change in CHANGES},
}


def test_a_token_that_is_not_the_issuers_for_this_sign_in_and_good_now_lets_nobody_in(
    world: World, subtests: pytest.Subtests
) -> None:
    """Neither one that is forged, nor one that is signed and is for somebody else, for another sign-in or another time."""
    for words, forge in FORGED.items():
        with subtests.test(words):
            run(check_refused(world, forge))


async def check_refused(world: World, forge: Callable[[Issuer, dict[str, Any]], str]) -> None:
    """No session comes of a token, and no page."""
    world.issuer.forge = lambda claims: forge(world.issuer, claims)
    browser = await world.browser()
    answer = await browser.get(await world.returned(browser))
    assert (answer.status_code, answer.headers.get_list("set-cookie")) == (401, [])
    assert "Not signed in" in answer.text and "ana@contoso" not in answer.text
    assert (await world.sessions(), (await browser.get(PAGE)).status_code) == (0, 303)


@awaited
async def test_a_token_is_good_by_each_way_of_signing_that_is_taken_and_to_the_last_second(world: World) -> None:
    """RSA with either padding and a curve; its clock may be a minute off.

    An issuer with one key need not name it, whatever it publishes beside that, for other ends or as yet unheard of.
    """
    world.issuer.keys = {"one": world.issuer.keys["one"], "curve": ECKey.generate_key("P-256")}
    for algorithm, key in (("PS256", "one"), ("ES256", "curve")):
        world.issuer.algorithm, world.issuer.key = algorithm, key
        await world.signed_in(azp=CLIENT, aud=[CLIENT, "another"])
    world.issuer.algorithm, world.issuer.key = "RS256", "one"
    at = NOW.timestamp()
    good: tuple[Mapping[str, Any], ...] = (
        {"exp": at - 59},
        {"iat": at + 60, "nbf": at + 60},
        {"roles": None, "groups": ["soc-leads"]},
    )
    for claims in good:
        await world.signed_in(**claims)
    world.issuer.keys, world.issuer.key = {"one": world.issuer.keys["one"]}, None
    world.issuer.beside = (
        {**rsa("another").as_dict(private=False), "use": "enc"},
        {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "k": "AQAB"},
        {"kty": ["RSA"]},
        "RSA",
    )
    world.clock.now += timedelta(hours=1)
    await world.signed_in()


@awaited
async def test_keys_turn_and_a_storm_of_unknown_keys_does_not_reach_the_issuer(world: World) -> None:
    """It is asked for its keys once a minute at most, whatever comes; one that it took back counts an hour at most."""
    await world.signed_in()
    assert world.issuer.asked["/keys"] == 1
    before = world.issuer.keys
    world.issuer.keys, world.issuer.key = {"two": rsa("another")}, "two"
    world.clock.now += MINUTE
    await world.signed_in()
    assert world.issuer.asked["/keys"] == 2
    world.issuer.forge = lambda claims: jwt.encode({"alg": "RS256", "kid": "x"}, claims, rsa("another"))
    for _ in range(5):
        browser = await world.browser()
        assert (await browser.get(await world.returned(browser))).status_code == 401
    assert world.issuer.asked["/keys"] == 2
    world.issuer.forge, world.issuer.key = world.issuer.signed, "one"
    world.issuer.keys = {**before, **world.issuer.keys}
    world.clock.now += MINUTE
    await world.signed_in()
    assert world.issuer.asked["/keys"] == 3
    world.issuer.forge = lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, before["one"])
    world.issuer.keys = {"two": world.issuer.keys["two"]}
    world.clock.now += timedelta(hours=1)
    browser = await world.browser()
    assert (await browser.get(await world.returned(browser))).status_code == 401


@awaited
async def test_what_came_back_is_good_once_and_in_the_browser_that_began(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether or not the issuer looks; nor does another browser's code, or a state that was made up, let anybody in.

    What any stranger may bring about, as often as they like, is not in the log.
    """
    caplog.set_level("INFO", "router")
    world.issuer.is_lenient = True
    browser, other = await world.browser(), await world.browser()
    back, back_of_other = await world.returned(browser), await world.returned(other)
    assert (await other.get(back)).status_code == 400
    assert (await (await world.browser()).get(back)).status_code == 400
    code = parse_qs(urlsplit(back_of_other).query)["code"][0]
    mixed = re.sub(r"code=[^&]*", f"code={code}", back)
    assert (await browser.get(mixed)).status_code == 400, "another's code does not fit this browser's verifier"
    assert (await browser.get(back)).status_code == 303
    browser.cookies.delete("__Host-alert-router")
    assert (await browser.get(back)).status_code == 401
    assert await world.sessions() == 1
    for state in (
        "",
        "x",
        "x.y.z",
        "..",
        "\u00e9.x.y",
        re.sub(r"\.[^.]*$", ".x", parse_qs(urlsplit(back).query)["state"][0]),
    ):
        assert (await browser.get(f"/sign-in/return?code=x&state={quote(state)}")).status_code == 400
    state = parse_qs(urlsplit(await world.returned(other)).query)["state"][0]
    for query in ("error=access_denied", "code=", f"code={code}&iss=https://login.contoso.test"):
        assert (await other.get(f"/sign-in/return?state={state}&{query}")).status_code == 400
    assert [one.getMessage() for one in caplog.records if one.name.startswith("router")] == [
        "ana@contoso.example (4711) signed in as Operator",
        "sign-in: That sign-in was made use of before.",
    ]


@awaited
async def test_who_has_no_role_is_told_so_and_one_that_is_too_low_does_not_act(world: World) -> None:
    """What a session may do is what its sign-in gave, whatever the issuer says later."""
    none: tuple[object, ...] = ([], "AlertRouter.reader", None, {"AlertRouter.Reader": 1})
    for roles in none:
        world.issuer.person = {**ANA, "roles": roles}
        browser = await world.browser()
        answer = await browser.get(await world.returned(browser))
        assert (answer.status_code, "ana@contoso.example (4711) has no role" in answer.text) == (403, True)
    assert await world.sessions() == 0
    reader = await world.signed_in(roles=["AlertRouter.Reader"], preferred_username="eve")
    world.issuer.person = ANA
    before = await everything_in(world.store)
    assert (await reader.post("/silences/new", data={"confirm": "yes"})).status_code == 403
    assert await everything_in(world.store) == before
    assert "eve (4711), Reader" in (await reader.get(PAGE)).text


@awaited
async def test_a_session_ends_after_an_hour_in_which_nobody_did_anything_and_after_eight_in_any_case(
    world: World,
) -> None:
    """A list that loads itself again keeps none alive; its page is then loaded anew, and leads to the sign-in."""
    browser = await world.signed_in()
    poll = {"sec-fetch-mode": "cors"}
    for _ in range(3):
        world.clock.now += IDLE / 4
        assert (await browser.get(PAGE, headers=poll)).status_code == 200
    world.clock.now += IDLE / 4
    late = await browser.get(PAGE, headers=poll)
    assert (late.status_code, late.headers["hx-refresh"]) == (401, "true")
    browser = await world.signed_in()
    for _ in range(int(LONGEST / IDLE * 2) - 1):
        world.clock.now += IDLE / 2
        assert (await browser.get(PAGE)).status_code == 200
    world.clock.now += IDLE / 2
    assert (await browser.get(PAGE)).status_code == 303
    browser = await world.signed_in()
    world.clock.now -= LONGEST
    assert (await browser.get(PAGE)).status_code == 303, "the clock was ahead, and so the session's end is"


@awaited
async def test_who_has_no_session_reads_nothing_and_changes_nothing(world: World) -> None:
    """Whatever they say of themselves: what another server's sign-in would say in a header is nothing here."""
    browser, before = await world.browser(), await everything_in(world.store)
    principal = urlsafe_b64encode(orjson.dumps({"claims": [{"typ": "roles", "val": "AlertRouter.Admin"}]})).decode()
    forged = {
        "x-ms-client-principal": principal,
        "x-ms-client-principal-name": "ana@contoso.example",
        "authorization": f"Bearer {world.issuer.signed({'iss': world.issuer.url, **ANA})}",
        "x-forwarded-user": "ana@contoso.example",
    }
    for headers in ({}, forged, {"cookie": "__Host-alert-router="}, {"cookie": f"__Host-alert-router={'x' * 43}"}):
        for view in VIEWS:
            document = await browser.get(f"{view.path}.json", headers=headers)
            assert (document.status_code, document.json()) == (401, {"error": "Nobody is signed in."})
            assert (await browser.get(view.path, headers=headers)).headers["location"].startswith("/sign-in?to=%2F")
        for action in ACTIONS:
            answer = await browser.post(action.path, data={"confirm": "yes", "reason": "x"}, headers=headers)
            assert (answer.status_code, "location" in answer.headers) == (401, False)
    assert await everything_in(world.store) == before
    assert (await browser.get(PAGE, headers={"host": "soc.contoso.test:8025"})).status_code == 421
    assert (await browser.get(PAGE, headers={"host": "soc.contoso.test:443"})).status_code == 303
    foreign = {"sec-fetch-site": "", "origin": "http://soc.contoso.test"}
    assert (await browser.post("/sign-out", headers=foreign)).status_code == 403


@awaited
async def test_a_state_that_does_not_answer_is_said_in_one_line(world: World) -> None:
    """To who has a session, and at the way back from the issuer; any stranger may ask so, and the log alone says why."""
    browser = await world.signed_in()
    other = await world.browser()
    back = await world.returned(other)
    async with world.store.transaction() as tx:
        await tx.execute("ALTER TABLE sessions RENAME TO lost_sessions")
    for client, path in ((browser, PAGE), (browser, "/alerts.json"), (other, back)):
        answer = await client.get(path)
        assert (answer.status_code, "set-cookie" in answer.headers) == (503, False)
        assert "lost_" not in answer.text and "sessions" not in answer.text, "a stranger learns nothing of the state"


@given(st.text() | st.from_regex(r"[/\\\t%2fFcC5:@.a?#]{0,12}evil\.test/?", fullmatch=True))
@example("//evil.test")
@example("/\\evil.test")
@example("\\\\evil.test")
@example("https:evil.test")
@example("https://evil.test")
@example("/%2f%2fevil.test")
@example("/%5cevil.test")
@example("/\t/evil.test")
@example("/a/..//evil.test")
@example("/a/.%2E/%2fevil.test")
@example("/@evil.test")
@example("/sign-in?to=/sign-in")
@example("javascript:alert(1)")
def test_a_sign_in_leads_to_a_page_of_this_console_alone(text: str) -> None:
    """However a link is written, also where what stands between has decoded it."""
    path = own_path(text)
    for read in (path, unquote(path)):
        # To a browser a backslash is a slash, and blanks are not there.
        seen = re.sub(r"[\t\r\n]", "", read).replace("\\", "/")
        assert urlsplit(urljoin(f"{URL}/", seen))[:2] == ("https", "soc.contoso.test")
        assert seen.startswith("/") and not seen.startswith(("//", "/sign-"))


def test_pages_that_people_want_are_what_a_sign_in_leads_to() -> None:
    """With their queries."""
    for path in (
        "/alerts",
        PAGE,
        "/signals/ab12",
        "/resource?id=%2Fsubscriptions%2Fx",
        "/rules/cwpp/retired-scanner%231%3F",
        "/status",
    ):
        assert own_path(path) == path
    assert own_path(f"/alerts?{'x' * 1_000}") == "/alerts"


@awaited
async def test_an_issuer_that_is_another_one_or_does_not_answer_lets_nobody_in_and_is_not_pestered(
    world: World,
) -> None:
    """It must call itself as the setting does, and what it names must be on its own host."""
    others: tuple[Mapping[str, Any], ...] = (
        {"issuer": f"{world.issuer.url}/"},
        {"token_endpoint": "https://evil.test/token"},
        {"jwks_uri": f"{world.issuer.url}.evil.test/keys"},
        {"authorization_endpoint": "https://evil.test/authorize"},
        {"authorization_endpoint": None},
        {"jwks_uri": f"{world.issuer.url}/nothing"},
    )
    for asked, says in enumerate(others, 1):
        world.issuer.says = says
        for _ in range(3):
            answer = await (await world.browser()).get("/sign-in")
            assert (answer.status_code, "location" in answer.headers) == (502, False)
        assert world.issuer.asked["/.well-known/openid-configuration"] == asked
        world.clock.now += MINUTE
    world.issuer.says = {}
    await world.signed_in()


@asynccontextmanager
async def _served(place: Place, rules: Rules, issuer: Issuer, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """A console on loopback that people sign in to at an issuer of another site."""
    async with issuing(issuer, "localhost"):
        store = open_store(place)
        try:
            await store.upgrade()
            named = {**settings, "ALERT_ROUTER_CONSOLE_ISSUER": issuer.url}
            address = urlsplit(settings["ALERT_ROUTER_CONSOLE_URL"]).netloc
            async with console_on(store, rules, Settings(named), address, is_shared=True) as url:
                yield url
        finally:
            await store.close()


def test_a_person_signs_in_and_out_in_a_browser(
    tmp_path: Path, rules_for: Callable[[str], Rules], windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By real requests to an issuer of another site: the cookies come back from there, the page is the one that was wanted.

    Who started the console need have no name, as in a container. A list whose session is over loads its page anew, which signs
    in again; a form is refused.
    """
    monkeypatch.setattr("router.cli.option_values._ask_git", lambda name: None)
    monkeypatch.setattr("getpass.getuser", _is_unknown)
    issuer, url = Issuer(), f"http://127.0.0.1:{free_port()}"
    issuer.now = time.time
    settings = {
        "ALERT_ROUTER_CONSOLE_URL": url,
        "ALERT_ROUTER_CONSOLE_CLIENT_ID": CLIENT,
        "ALERT_ROUTER_CONSOLE_CLIENT_SECRET": SECRET,
        "ALERT_ROUTER_CONSOLE_ROLES": ROLES,
    }
    with in_thread(_served(tmp_path, rules_for("busy"), issuer, settings), "console"):
        run(_sign_in_and_out(windows, issuer, url, tmp_path))


def _is_unknown() -> str:
    raise OSError("No username set in the environment")


async def _sign_in_and_out(windows: Windows, issuer: Issuer, url: str, place: Path) -> None:
    async with windows.strange() as page:
        said = list[str]()
        page.on("console", lambda message: said.append(message.text))
        await page.clock.install()
        issuer.asks = True
        await page.goto(f"{url}/silences/new?host=web-1")
        # A link of another site: strict cookies would not come along.
        await page.click("text=Let me in")
        await page.wait_for_url(f"{url}/silences/new?host=web-1")
        issuer.asks = False
        assert "ana@contoso.example (4711), Operator" in await page.inner_text("footer")
        own = f"alert-router-{urlsplit(url).port}"
        kept = {cookie.get("name") for cookie in await page.context.cookies(url)}
        assert kept == {own, f"{own}-sign-in"}, "a cookie knows no port, and another console may be there"
        await page.goto(f"{url}/alerts?severity=High")
        assert (issuer.asked["/authorize"], said) == (1, [])
        await end_all(place)
        async with page.expect_request(lambda request: request.url.startswith(f"{issuer.url}/authorize")):
            await page.clock.fast_forward(11_000)
        await page.wait_for_url(f"{url}/alerts?severity=High")
        await page.wait_for_selector("text=ana@contoso.example (4711), Operator")
        await page.goto(f"{url}/silences/new?host=web-1")
        await end_all(place)
        await page.fill("[name=reason]", "patching")
        await page.click("form.sheet button")
        assert "Nothing was changed" in await page.inner_text("main")
        await page.goto(f"{url}/alerts")
        await page.click("text=Sign out")
        await page.click("button >> text=Sign out")
        await page.wait_for_selector("text=Signed out")
        assert issuer.asked["/authorize"] == 3


async def end_all(place: Path) -> None:
    """End all sessions, as an operator does."""
    store = open_store(place)
    async with store.session() as tx:
        for one in await list_sessions(tx):
            await end_session(tx, one.id)
    await store.close()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


@awaited
async def test_who_is_too_slow_is_cut_off() -> None:
    """Who says nothing, half of a request's head, or not all of its body."""

    async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    class Hastier(Hasty):
        patience = 0.2

    async def is_cut_off(sent: bytes) -> bool:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(sent)
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True
        finally:
            writer.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(reads_all, http=Hastier, timeout_keep_alive=1, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        begun = b"POST /sign-out HTTP/1.1\r\nhost: x\r\n"
        assert all(await asyncio.gather(*map(is_cut_off, (b"", begun, begun + b"content-length: 9\r\n\r\nx"))))
        server.should_exit = True
        await serving


@awaited
async def test_no_bytes_of_a_stranger_are_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP, before, in and after the answer; an upgrade to what is not spoken; who goes in the midst of a body."""

    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise LookupError
        if scope["path"] == "/reads":
            await Request(scope, receive).body()
        await PlainTextResponse("ok")(scope, receive, send)

    async def answer_to(head: str, *rest: bytes, end: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(f"{head} HTTP/1.1\r\nhost: x\r\n".encode() + b"".join(rest))
        answered = b""
        if end:
            answered = await reader.readuntil(b"ok")
            writer.write(end)
        writer.write_eof()
        answered += await reader.read()
        writer.close()
        return answered.partition(b"\r\n")[0]

    chunks = b"transfer-encoding: chunked\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with served(answers, listening):
            for path in ("/healthz", "/reads"):
                assert await answer_to(f"GET {path}", chunks, b"zz\r\n") == b"HTTP/1.1 400 Bad Request"
            assert await answer_to("POST /", chunks, end=b"zz\r\n") == b"HTTP/1.1 200 OK"
            assert await answer_to("\0") == b"HTTP/1.1 400 Bad Request"
            assert await answer_to("GET /", b"connection: upgrade\r\nupgrade: x\r\n\r\n") == b"HTTP/1.1 200 OK"
            assert await answer_to("POST /reads", b"content-length: 9\r\n\r\nx") == b""
            assert caplog.text == ""
            assert await answer_to("GET /fails", b"\r\n") == b"HTTP/1.1 500 Internal Server Error"
    assert [one.getMessage() for one in caplog.records] == ["Exception in ASGI application\n"]
