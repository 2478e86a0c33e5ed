"""HTTP over real sockets, rows to the logs endpoint, and access tokens: there is an answer, or a reason to try again."""

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from traceback import format_exception
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from aiohttp import web
from azure.core.credentials import AccessToken as AzureToken
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest as AzureRequest

from alert_router_demo.soc import soc_in_thread
from alert_router_demo.soc.endpoint import served
from router.app.certificates import identity_for
from router.app.settings import Settings
from router.deliver.azure_transport import LoopbackCredential, ProxiedTransport
from router.deliver.http import LARGEST_ANSWER, Http
from router.deliver.logs_ingestion import Logs
from router.deliver.tokens import Tokens
from router.domain.conversation import AccessToken, HttpAnswer, HttpRequest, LogRows
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.proxies import parse_proxy
from tests.builders import NOW
from tests.deliver.sockets import Answering, answering, flooding
from tests.egress import EgressProxy
from tests.network import nobody_else
from tests.store.acts import awaited
from tests.waiting import PATIENCE

SECRET = "hook?sig=canary"
PASSWORD = "canary"


async def post(url: str, *, timeout: float = PATIENCE, longest: int = LARGEST_ANSWER, **headers: str) -> HttpAnswer:
    """What comes of one request whose URL is a secret."""
    async with Http(ssl.create_default_context(), None, timeout=timeout, longest=longest) as http:
        return await http.send(HttpRequest(method="POST", url=f"{url}/{SECRET}", headers=headers, body=b"1234"))


def ask(body: bytes, encoding: str = "gzip", longest: int = LARGEST_ANSWER) -> HttpAnswer:
    """What a server that answers so gets out of one request."""

    async def go() -> HttpAnswer:
        async with answering(200, body, **{"Content-Encoding": encoding}) as server:
            return await post(server.url, longest=longest)

    return asyncio.run(go())


@awaited
async def test_a_request_arrives_as_it_was_asked_for_and_stands_alone() -> None:
    """Method, headers and body, and the URL to its last sign, of which its `sig` may be made.

    The answer's header names come in lower case, no cookie is kept and no redirect followed.
    """
    target = "/a%7Eb/%2f?sig=a%2Bb%2F%3D&q=a^b%5Ec&n=[1]&e='x'"
    said = {"X-Answer": "Yes", "Set-Cookie": "session=1"}
    async with (
        answering() as elsewhere,
        answering(302, b"yes", Location=f"{elsewhere.url}/there", **said) as server,
    ):
        async with Http(ssl.create_default_context(), None) as http:
            request = HttpRequest(method="PUT", url=server.url + target, headers={"x-test": "yes"}, body=b"1234")
            answers = [await http.send(request) for _ in range(2)]
        assert {(one.status, one.body, one.headers["x-answer"]) for one in answers} == {(302, b"yes", "Yes")}
    for head, _, body in (one.lower().partition(b"\r\n\r\n") for one in server.requests):
        assert (head.split()[:2], body) == ([b"put", target.lower().encode()], b"1234")
        assert (b"x-test: yes" in head, b"cookie" in head) == (True, False)
    assert elsewhere.requests == []


def test_a_compressed_answer_is_read_and_one_that_is_or_becomes_too_long_is_cut() -> None:
    """Vendors compress what they answer; a few bytes of gzip may stand for more than the machine has."""
    assert ask(gzip.compress(b'{"result": []}')).body == b'{"result": []}'
    bomb = gzip.compress(b"0" * 10_000_000)
    for longest in (LARGEST_ANSWER, LARGEST_ANSWER * 2):
        assert len(ask(bomb, longest=longest).body) == longest
    for body, encoding in ((gzip.compress(bomb), "gzip, gzip"), (b"plain", "gzip")):
        with pytest.raises(Unavailable, match="DecodingError"):
            ask(body, encoding)

    async def go() -> None:
        async with flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * LARGEST_ANSWER) as url:
            assert len((await post(url)).body) == LARGEST_ANSWER

    asyncio.run(go())


@awaited
async def test_a_header_that_cannot_be_sent_is_tried_again() -> None:
    """Nobody refused anything: a secret with a line's end in it is mended, and what is owed goes out."""
    async with answering() as server:
        with pytest.raises(Unavailable, match="ValueError"):
            await post(server.url, key="canary\n")
        assert server.requests == []


def test_an_answer_that_never_comes_to_its_end_is_none_and_its_url_is_not_told(subtests: pytest.Subtests) -> None:
    """Hints, headers or one header without end; a server that hangs, in the midst or not, or closes the connection."""

    async def go(beginning: bytes, again: bytes | None) -> None:
        async with flooding(beginning, again) as url:
            with pytest.raises(Unavailable) as caught:
                await post(url, timeout=0.3)
            assert "canary" not in str(caught.value) and "hook" not in str(caught.value)

    for beginning, again in (
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: y\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 1000),
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b""),
        (b"", None),
    ):
        with subtests.test(ascii(beginning)):
            asyncio.run(go(beginning, again))


def test_why_there_is_no_connection_is_said() -> None:
    """It did not take too long, as the transport calls it."""
    for host, said in (
        ("127.0.0.1", "no answer: 127.0.0.1: the connection was refused"),
        ("a.invalid", "no answer: a.invalid: its name is not known"),
    ):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            asyncio.run(post(f"http://{host}:{port}"))
        assert str(caught.value) == said


ROWS: list[dict[str, object]] = [{"EventUid": "0"}, {"EventUid": "1"}]


class Issuing:
    """An identity whose tokens are counted; each lives so many seconds, and none is given where there is trouble."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.lives = 3600
        self.asked = 0

    async def get_token(self, *scopes: str) -> AzureToken:
        assert scopes == ("https://monitor.azure.com/.default",)
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return AzureToken(f"token-{self.asked}", int(time.time()) + self.lives)

    async def close(self) -> None:
        pass


async def upload(
    endpoint: str,
    *,
    trust: str | None = None,
    rows: Sequence[Mapping[str, object]] = ROWS,
    identity: Issuing | LoopbackCredential | None = None,
) -> None:
    """Uploads some rows to an endpoint whose authority is trusted, or not."""
    async with Http(ssl.create_default_context(cafile=trust), None, timeout=PATIENCE) as http:
        logs = Logs(http, lambda _: identity or Issuing(), lambda: NOW)  # type: ignore[arg-type,return-value]
        try:
            await logs.upload(LogRows(endpoint=endpoint, rule=f"dcr-{'0' * 32}", stream="Custom-Test_CL", rows=rows))
        finally:
            await logs.close()


def test_rows_arrive_over_tls_where_the_authority_is_trusted() -> None:
    """In one call. Else one line names the host, and what to do."""
    with soc_in_thread() as soc:
        with pytest.raises(
            Unavailable, match=r"^127\.0\.0\.1: its certificate is not trusted \(.*ALERT_ROUTER_CA_FILE$"
        ):
            asyncio.run(upload(soc.addresses.logs))
        asyncio.run(upload(soc.addresses.logs, trust=str(soc.addresses.ca), identity=LoopbackCredential()))
        assert [row["EventUid"] for row in soc.logs.rows["Custom-Test_CL"]] == ["0", "1"]


ANSWERS: dict[int, type[DeliveryError]] = dict.fromkeys((400, 404, 413), Rejected)
ANSWERS |= dict.fromkeys((401, 403), Unauthorized) | dict.fromkeys((408, 425, 429, 500, 503, 200), Unavailable)


def test_each_answer_means_what_it_means_elsewhere(subtests: pytest.Subtests) -> None:
    """The first answer counts, and the outbox has it on record, with the endpoint's wish and without its URL."""

    async def go(status: int, error: type[DeliveryError]) -> None:
        async with answering(status, **{"Retry-After": "7"}) as endpoint:
            with pytest.raises(error, match=f"{status}") as caught:
                await upload(endpoint.url)
            assert endpoint.url not in str(caught.value)
            assert len(endpoint.requests) == 1
            if isinstance(caught.value, Unavailable):
                wish = None if status == 200 else 7.0
                assert (caught.value.retry_after, caught.value.is_crowded) == (wish, status in (429, 503))
            if isinstance(caught.value, Rejected):
                assert caught.value.status == status

    for status, error in ANSWERS.items():
        with subtests.test(ascii(status)):
            asyncio.run(go(status, error))


@awaited
async def test_what_is_beyond_this_machine_is_asked_through_the_proxy() -> None:
    """By one tunnel for all requests to a host. The proxy alone is told who asks, and the host alone what.

    Hosts that are named, and this machine, are asked directly.
    """
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(body=await request.read())

    application = web.Application()
    application.router.add_post("/{path}", answer)
    async with served(application) as host:
        proxy = EgressProxy({"host.test": host}, "soc@x:canary:")
        proxy.encrypt()
        trust = ssl.create_default_context()
        proxy.authority.configure_trust(trust)
        async with proxy.running():
            through = parse_proxy(proxy.url("soc%40x:canary%3A@"), "inside.test")
            async with Http(trust, through, timeout=PATIENCE) as http:
                for url in ("https://host.test/1", "https://host.test/2", f"{host}/3"):
                    assert (await http.send(HttpRequest(method="POST", url=url, body=b"1234"))).body == b"1234"
                for inside in ("inside.test", "x.inside.test"):
                    with pytest.raises(Unavailable, match=rf"^no answer: {inside}: its name is not known$"):
                        await http.send(HttpRequest(method="GET", url=f"https://{inside}"))
        assert proxy.targets == ["host.test:443"]
        assert [(one.host, one.path) for one in asked[:2]] == [("host.test", "/1"), ("host.test", "/2")]
        assert "roxy" not in str([one.raw_headers for one in asked])
        assert "Proxy-Authorization: Basic c29jQHg6Y2FuYXJ5Og==" in proxy.heads[0]


@awaited
async def test_a_proxy_that_leads_nowhere_is_no_refusal_of_the_host() -> None:
    """It is tried again, and no destination pauses for credentials that are the proxy's; no password is told."""
    proxy = EgressProxy({}, "soc:p")

    async def said(url: str) -> str:
        async with Http(ssl.create_default_context(), parse_proxy(url, ""), timeout=PATIENCE) as http:
            with pytest.raises(Unavailable) as caught:
                await http.send(HttpRequest(method="GET", url="https://host.test/1"))
        assert PASSWORD not in "".join(format_exception(caught.value))
        return str(caught.value)

    async with proxy.running():
        for who in (f"soc:{PASSWORD}@", f"{PASSWORD}@", ""):
            refused = "no answer: the proxy refuses our credentials (407); mend ALERT_ROUTER_PROXY"
            assert await said(proxy.url(who)) == refused
        async with ProxiedTransport(parse_proxy(proxy.url(f"soc:{PASSWORD}@"), ""), None) as transport:
            with pytest.raises(ServiceResponseError) as caught:
                await transport.send(AzureRequest("GET", "https://login.test/t"))
        assert PASSWORD not in "".join(format_exception(caught.value))
        assert await said(proxy.url("soc:p@")) == "no answer: the proxy answered 502"
    away = f"no answer: the proxy is not reached: 127.0.0.1:{proxy.port}: the connection was refused"
    assert await said(proxy.url(f"soc:{PASSWORD}@")) == away
    assert await said("http://a.invalid:3128") == "no answer: a.invalid: its name is not known"
    proxy.encrypt()
    async with proxy.running():
        assert (await said(proxy.url(f"soc:{PASSWORD}@"))).startswith("127.0.0.1: its certificate is not trusted (")


@pytest.mark.parametrize("name", [None, "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_rows_follow_no_redirect_and_go_through_no_proxy(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """Where rows and token go is for the rules to say, not for an answer or for whatever this process was started by."""

    async def go() -> None:
        async with (
            answering() as other,
            answering(307 if name is None else 204, Location=f"{other.url}/there") as endpoint,
        ):
            if name is None:
                with pytest.raises(Rejected, match="redirects are not followed"):
                    await upload(endpoint.url)
            else:
                monkeypatch.setenv(name, other.url)
                await upload(endpoint.url)
            assert (len(endpoint.requests), other.requests) == (1, [])

    asyncio.run(go())


def test_a_refusal_that_claims_what_nobody_can_read_is_a_refusal() -> None:
    """The destination pauses, and no rows die for what an answer says."""

    async def go(claims: str) -> None:
        challenge = {"WWW-Authenticate": f'Bearer error="insufficient_claims", claims="{claims}"'}
        async with answering(401, **challenge) as endpoint:
            with pytest.raises(Unauthorized):
                await upload(endpoint.url)

    for claims in ("A", "__79", "\xff"):
        asyncio.run(go(claims))


ROUND: dict[str, object] = {}
ROUND["itself"] = ROUND


def test_what_fails_before_anybody_was_asked_sends_nothing() -> None:
    """The error says whether we are refused or nobody answered, and not what the library says."""

    async def go(
        trouble: Exception | None, rows: list[dict[str, object]], error: type[DeliveryError], said: str
    ) -> None:
        async with answering(204) as endpoint:
            with pytest.raises(error, match=said) as caught:
                await upload(endpoint.url, rows=rows, identity=Issuing(trouble))
            assert endpoint.requests == []
            assert "tenant" not in str(caught.value)

    for trouble, rows, error, said in (
        # A mistake of ours or a library's may be mended while the rows are owed.
        (ValueError("what tenant?"), ROWS, Unavailable, r"not asked \(ValueError\)"),
        (None, [ROUND], Unavailable, r"not asked \(ValueError\)"),
        (ClientAuthenticationError("what tenant?"), ROWS, Unauthorized, "no token"),
        (ServiceRequestError("what tenant?"), ROWS, Unavailable, "no token"),
    ):
        asyncio.run(go(trouble, rows, error, said))


def test_an_answer_without_end_or_cut_ends_and_its_client_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """Of its body only the beginning is read. Stderr is ours: Microsoft's client calls what it cannot read critical."""

    async def go(status: int, again: bytes | None, error: type[DeliveryError]) -> None:
        head = b"HTTP/1.1 %d x\r\nContent-Type: application/xml\r\n" % status
        async with flooding(head if again is None else head + b"\r\n", again) as url:
            with pytest.raises(error):
                await upload(url)

    more = b"?" * 4096
    for status, again, error in ((400, more, Rejected), (200, more, Unavailable), (200, None, Unavailable)):
        asyncio.run(go(status, again, error))
        assert caplog.messages == []


@awaited
async def test_a_token_is_asked_for_once_and_anew_when_it_was_refused_or_is_nearly_over() -> None:
    """Not for each call; and one that was taken back is not held on to."""
    issuing = Issuing()
    async with answering(204) as endpoint, Http(ssl.create_default_context(), None) as http:
        logs = Logs(http, lambda _: issuing, lambda: NOW)  # type: ignore[arg-type,return-value]  # It issues what a credential does.
        ask = LogRows(endpoint=endpoint.url, rule="dcr-0", stream="Custom-Test_CL", rows=[{}])
        await asyncio.gather(*(logs.upload(ask) for _ in range(3)))
        assert issuing.asked == 1
        endpoint.status = 401
        with pytest.raises(Unauthorized):
            await logs.upload(ask)
        endpoint.status, issuing.lives = 204, 60
        for expected in (2, 3):
            await logs.upload(ask)
            assert issuing.asked == expected
        assert b"Bearer token-3" in endpoint.requests[-1]


def test_a_host_that_is_nobodys_is_never_asked() -> None:
    """Neither looked up nor connected to, nor is a token asked for; the delivery is told so, by the host alone."""
    identity = Issuing()
    asks = [post(f"https://{host}") for host in ("soc.example", "SOC.Example", "soc.example.", "soc.example:8443")]
    for ask in (*asks, upload("https://logs.example", identity=identity)):
        with nobody_else() as strangers, pytest.raises(Unavailable, match=r"ends in \.example") as refused:
            asyncio.run(ask)
        assert (strangers, identity.asked, "canary" in str(refused.value)) == ([], 0, False)


CLIENT_SECRET = "hunter2&more"
FORM = {"grant_type": ["client_credentials"], "client_id": ["us"], "client_secret": [CLIENT_SECRET]}


@dataclass
class TokenRoom:
    """An authorization server, and one who wants its tokens; `seconds` pass when a test says so."""

    issuer: Answering
    tokens: Tokens
    seconds: float = 0.0

    def find(self, **changes: Any) -> Awaitable[str]:
        """A token for one client."""
        wanted = {"url": self.issuer.url, "client_id": "us", "client_secret": CLIENT_SECRET}
        return self.tokens.find(AccessToken(**wanted | changes))


@asynccontextmanager
async def issuing(body: object = None, status: int = 200, **headers: str) -> AsyncIterator[TokenRoom]:
    """An authorization server that numbers its tokens, or answers something else."""
    answer = orjson.dumps({"access_token": "token-#", "expires_in": 3600} if body is None else body)
    async with answering(status, answer, **headers) as issuer, Http(ssl.create_default_context(), None) as http:
        room = TokenRoom(issuer, Tokens(http, lambda: room.seconds, lambda: NOW))
        yield room


@awaited
async def test_a_token_is_fetched_once_for_all_who_want_it_and_replaced_once_when_it_was_refused() -> None:
    """Also for those who want it at the same time, though the first is called off; another scope is another token, and a secret
    may have any letters."""
    async with issuing() as room:
        first, *others = (asyncio.ensure_future(room.find()) for _ in range(5))
        await asyncio.sleep(0)
        first.cancel()
        assert await asyncio.gather(*others, room.find()) == ["token-1"] * 5
        assert await room.find(scope="write") == "token-2"
        forms = [parse_qs(one.partition(b"\r\n\r\n")[2].decode()) for one in room.issuer.requests]
        assert forms == [FORM, FORM | {"scope": ["write"]}]
        assert await asyncio.gather(*(room.find(refused="token-1") for _ in range(3))) == ["token-3"] * 3
        assert await room.find(client_secret="\udcff\u2013") == "token-4"


@awaited
async def test_a_token_is_kept_until_shortly_before_it_expires() -> None:
    """A minute before, or half its life where that is longer; where nothing is said, five minutes are assumed."""
    for expires, lives in ((3600, 3540), ("100", 50), (None, 240), ("x", 240), ("NaN", 240)):
        async with issuing({"access_token": "token-#"} | ({"expires_in": expires} if expires else {})) as room:
            found = []
            for room.seconds in (0.0, lives - 1, lives):
                found.append(await room.find())
            assert found == ["token-1", "token-1", "token-2"], expires


@awaited
async def test_a_refusal_is_heard_by_all_who_wait_and_asked_for_once() -> None:
    """Sixteen deliveries with a wrong secret must not lock the client out."""
    async with issuing(status=401) as room:
        heard = await asyncio.gather(*(room.find() for _ in range(16)), return_exceptions=True)
        assert {type(one) for one in heard} == {Unauthorized}
        assert len(room.issuer.requests) == 1


NO_TOKENS: Sequence[tuple[int, object, type[DeliveryError]]] = (
    (400, {"error": "invalid_client", "error_description": CLIENT_SECRET}, Unauthorized),
    (401, {"error": CLIENT_SECRET}, Unauthorized),
    (302, {}, Unauthorized),
    (429, {}, Unavailable),
    (503, {}, Unavailable),
    (200, [], Unavailable),
    (200, {"access_token": "two\nlines"}, Unavailable),
)


@awaited
async def test_where_there_is_no_token_the_error_says_whether_to_try_again(subtests: pytest.Subtests) -> None:
    """It names the address, and neither the secret nor the server's words; the next one asks anew, when that wishes."""
    for status, body, expected in NO_TOKENS:
        with subtests.test(f"{status} {body}"):
            async with issuing(body, status, **{"Retry-After": "90"}) as room:
                for _ in range(2):
                    with pytest.raises(expected) as refused:
                        await room.find()
                    assert str(refused.value).startswith(room.issuer.url)
                    assert CLIENT_SECRET not in str(refused.value)
                    if isinstance(refused.value, Unavailable):
                        assert refused.value.retry_after == (90 if status != 200 else None)
                assert len(room.issuer.requests) == 2


@pytest.mark.parametrize("status", [307, 404])
def test_tokens_are_asked_for_where_they_are_given_out_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """What identifies this machine to Azure goes to no proxy, also of a variable, nor where an answer points."""

    async def asked() -> None:
        async with answering() as elsewhere, answering(status, Location=f"{elsewhere.url}/there") as server:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, elsewhere.url)
            monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/token")
            monkeypatch.setenv("IDENTITY_HEADER", "a secret of this machine")
            async with identity_for(Settings({"ALERT_ROUTER_PROXY": elsewhere.url}), "a-client") as identity:
                with pytest.raises(AzureError):
                    await identity.get_token("https://storage.azure.com/.default")
            assert (len(server.requests), elsewhere.requests) == (1, [])

    asyncio.run(asked())
