"""Rows to the logs endpoint, over TLS and over bare sockets."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from alert_router_demo.soc import Drop, Soc, Status, soc_in_thread
from router.deliver.azure_transport import LoopbackCredential
from router.deliver.http import Http
from router.deliver.logs_ingestion import Logs
from router.domain.conversation import LogRows
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from tests.builders import NOW
from tests.deliver.sockets import answering, flooding
from tests.network import nobody_else
from tests.waiting import PATIENCE

DATE = format_datetime(NOW + timedelta(seconds=90), usegmt=True)


@pytest.fixture
def soc() -> Iterator[Soc]:
    """A SOC on loopback."""
    with soc_in_thread() as soc:
        yield soc


def upload(soc: Soc, rows: int = 2) -> None:
    """Uploads some rows to the SOC."""
    asyncio.run(upload_to(soc.addresses.logs, trust=str(soc.addresses.ca), rows=rows))


async def upload_to(
    endpoint: str, *, trust: str | None = None, rows: int | list[dict[str, object]] = 2, credential: object = None
) -> None:
    """Uploads some rows to an endpoint whose authority is trusted, or not."""
    async with Http(ssl.create_default_context(cafile=trust), timeout=PATIENCE) as http:
        logs = Logs(http, lambda _: credential or LoopbackCredential(), lambda: NOW)  # type: ignore[arg-type,return-value]
        try:
            await logs.upload(
                LogRows(
                    endpoint=endpoint,
                    rule=f"dcr-{'0' * 32}",
                    stream="Custom-Test_CL",
                    rows=[{"EventUid": str(number)} for number in range(rows)] if isinstance(rows, int) else rows,
                )
            )
        finally:
            await logs.close()


def test_rows_arrive(soc: Soc) -> None:
    """In one call, over TLS, to an authority that was named."""
    upload(soc, rows=3)
    assert [row["EventUid"] for row in soc.logs.rows["Custom-Test_CL"]] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, Rejected),
        (413, Rejected),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_each_answer_means_what_it_means_elsewhere(soc: Soc, status: int, error: type[DeliveryError]) -> None:
    """The first answer counts, and the outbox has it on record."""
    soc.logs.faults.add(Status(status))
    with pytest.raises(error) as caught:
        upload(soc)
    assert str(status) in str(caught.value)
    assert soc.addresses.logs not in str(caught.value)
    if isinstance(caught.value, Rejected):
        assert caught.value.status == status


@pytest.mark.parametrize(("written", "seconds"), [("7", 7.0), (DATE, 90.0), ("soon", None), ("9" * 400, None)])
def test_the_endpoints_wish_is_heard_if_it_is_one(soc: Soc, written: str, seconds: float | None) -> None:
    """Retry-After in seconds or as a date; nonsense is no wish."""
    soc.logs.faults.add(Status(429, retry_after=written))
    with pytest.raises(Unavailable) as caught:
        upload(soc)
    assert caught.value.retry_after == seconds


def test_a_connection_that_is_cut_is_unavailable(soc: Soc) -> None:
    """No answer is no acknowledgement."""
    soc.logs.faults.add(Drop())
    with pytest.raises(Unavailable):
        upload(soc)


def test_rows_follow_no_redirect() -> None:
    """Neither the rows nor the token go where no rule sends them."""

    async def go() -> None:
        async with answering() as elsewhere, answering(307, Location=f"{elsewhere.url}/collect") as endpoint:
            with pytest.raises(Rejected, match="redirects are not followed"):
                await upload_to(endpoint.url)
            assert (len(endpoint.requests), elsewhere.requests) == (1, [])

    asyncio.run(go())


@pytest.mark.parametrize("claims", ["A", "__79", "\xff"])
def test_a_refusal_that_claims_what_nobody_can_read_is_a_refusal(claims: str) -> None:
    """The destination pauses, and no rows die for what an answer says."""

    async def go() -> None:
        challenge = f'Bearer error="insufficient_claims", claims="{claims}"'
        async with answering(401, **{"WWW-Authenticate": challenge}) as endpoint:
            with pytest.raises(Unauthorized):
                await upload_to(endpoint.url)

    asyncio.run(go())


def _round() -> list[dict[str, object]]:
    """A row that no JSON can be made of."""
    row: dict[str, object] = {}
    row["itself"] = row
    return [row]


def test_what_fails_before_anybody_was_asked_is_tried_again() -> None:
    """Nobody refused the rows, and no credentials: not for want of a token, and not for a mistake of ours or a library's."""

    async def go() -> None:
        async with answering(204) as endpoint:
            with pytest.raises(Unavailable, match=r"not asked \(ValueError\)"):
                await upload_to(endpoint.url, credential=_Issuing(ValueError("what tenant?")))
            with pytest.raises(Unavailable, match=r"not asked \(ValueError\)"):
                await upload_to(endpoint.url, rows=_round())
            assert endpoint.requests == []

    asyncio.run(go())


def test_the_client_says_nothing_of_an_answer_that_it_cannot_read(caplog: pytest.LogCaptureFixture) -> None:
    """What an answer means is on record, and stderr is ours: Microsoft's client calls such an answer critical."""

    async def go() -> None:
        async with flooding(b"HTTP/1.1 400 x\r\nContent-Type: application/xml\r\n\r\n", b"?" * 4096) as url:
            with pytest.raises(Rejected):
                await upload_to(url)

    asyncio.run(go())
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_rows_go_through_no_proxy_that_a_variable_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Where requests go is for the rules to say, and not for whatever this process was started by."""

    async def go() -> None:
        async with answering() as proxy, answering(204) as endpoint:
            monkeypatch.setenv(name, proxy.url)
            await upload_to(endpoint.url)
            assert (len(endpoint.requests), proxy.requests) == (1, [])

    asyncio.run(go())


def test_a_certificate_that_is_not_trusted_is_told_as_such(soc: Soc) -> None:
    """One line that names the host, and what to do."""
    with pytest.raises(Unavailable) as caught:
        asyncio.run(upload_to(soc.addresses.logs))
    assert str(caught.value).startswith("127.0.0.1: its certificate is not trusted (")
    assert str(caught.value).endswith("ALERT_ROUTER_CA_FILE")


def test_an_answer_without_end_ends() -> None:
    """Of its body only the beginning is read, and it is no success for being long."""

    async def go() -> None:
        async with flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536) as endpoint:
            with pytest.raises(Unavailable, match="without taking the rows"):
                await upload_to(endpoint)

    asyncio.run(go())


class _Issuing:
    """An identity whose tokens are counted; each lives so many seconds, and none is given where there is trouble."""

    def __init__(self, trouble: Exception | None = None, lives: int = 3600) -> None:
        self.trouble = trouble
        self.lives = lives
        self.asked = 0

    async def get_token(self, *scopes: str) -> AccessToken:
        assert scopes == ("https://monitor.azure.com/.default",)
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return AccessToken(f"token-{self.asked}", int(time.time()) + self.lives)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(ClientAuthenticationError("who?"), Unauthorized), (ServiceRequestError("who?"), Unavailable)],
)
def test_where_there_is_no_token_nothing_is_sent(trouble: Exception, error: type[DeliveryError]) -> None:
    """The error says whether we are refused or nobody answered, and not what the library says."""

    async def go() -> None:
        async with answering(204) as endpoint:
            with pytest.raises(error, match="no token") as caught:
                await upload_to(endpoint.url, credential=_Issuing(trouble))
            assert endpoint.requests == []
            assert "who?" not in str(caught.value)

    asyncio.run(go())


def test_a_token_is_asked_for_once_and_anew_when_it_was_refused_or_is_nearly_over() -> None:
    """Not for each call; and one that was taken back is not held on to."""

    async def go() -> None:
        issuing = _Issuing()
        async with answering(204) as endpoint, Http(ssl.create_default_context()) as http:
            logs = Logs(http, lambda _: issuing, lambda: NOW)  # type: ignore[arg-type,return-value]
            ask = LogRows(endpoint=endpoint.url, rule="dcr-0", stream="Custom-Test_CL", rows=[{}])
            await asyncio.gather(*(logs.upload(ask) for _ in range(3)))
            assert issuing.asked == 1
            endpoint.status = 401
            with pytest.raises(Unauthorized):
                await logs.upload(ask)
            endpoint.status, issuing.lives = 204, 60
            await logs.upload(ask)
            assert issuing.asked == 2
            await logs.upload(ask)
            assert issuing.asked == 3
            assert b"Bearer token-3" in endpoint.requests[-1]

    asyncio.run(go())


def test_for_an_endpoint_that_is_nobodys_not_even_a_token_is_asked() -> None:
    """Who gives out tokens would be asked first."""

    class Asked(LoopbackCredential):
        async def get_token(self, *scopes: str, **_: object) -> AccessToken:
            pytest.fail("a token was asked for")

    with nobody_else() as strangers, pytest.raises(Unavailable, match=r"ends in \.example"):
        asyncio.run(upload_to("https://logs.example", credential=Asked()))
    assert strangers == []
