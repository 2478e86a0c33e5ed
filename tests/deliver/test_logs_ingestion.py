"""Rows to the logs endpoint, over TLS and over bare sockets."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from alert_router_demo.soc import soc_in_thread
from router.deliver.azure_transport import LoopbackCredential
from router.deliver.http import Http
from router.deliver.logs_ingestion import Logs
from router.domain.conversation import LogRows
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from tests.builders import NOW
from tests.deliver.sockets import answering, flooding
from tests.network import nobody_else
from tests.waiting import PATIENCE

ROWS: list[dict[str, object]] = [{"EventUid": "0"}, {"EventUid": "1"}]


class Issuing:
    """An identity whose tokens are counted; each lives so many seconds, and none is given where there is trouble."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.lives = 3600
        self.asked = 0

    async def get_token(self, *scopes: str) -> AccessToken:
        assert scopes == ("https://monitor.azure.com/.default",)
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return AccessToken(f"token-{self.asked}", int(time.time()) + self.lives)

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
    async with Http(ssl.create_default_context(cafile=trust), timeout=PATIENCE) as http:
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


@pytest.mark.parametrize(("status", "error"), ANSWERS.items())
def test_each_answer_means_what_it_means_elsewhere(status: int, error: type[DeliveryError]) -> None:
    """The first answer counts, and the outbox has it on record, with the endpoint's wish and without its URL."""

    async def go() -> None:
        async with answering(status, **{"Retry-After": "7"}) as endpoint:
            with pytest.raises(error, match=f"{status}") as caught:
                await upload(endpoint.url)
            assert endpoint.url not in str(caught.value)
            assert len(endpoint.requests) == 1
            if isinstance(caught.value, Unavailable):
                assert (caught.value.retry_after, caught.value.is_crowded) == (
                    None if status == 200 else 7.0,
                    status in (429, 503),
                )
            if isinstance(caught.value, Rejected):
                assert caught.value.status == status

    asyncio.run(go())


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


@pytest.mark.parametrize("claims", ["A", "__79", "\xff"])
def test_a_refusal_that_claims_what_nobody_can_read_is_a_refusal(claims: str) -> None:
    """The destination pauses, and no rows die for what an answer says."""

    async def go() -> None:
        challenge = f'Bearer error="insufficient_claims", claims="{claims}"'
        async with answering(401, **{"WWW-Authenticate": challenge}) as endpoint:
            with pytest.raises(Unauthorized):
                await upload(endpoint.url)

    asyncio.run(go())


ROUND: dict[str, object] = {}
ROUND["itself"] = ROUND


@pytest.mark.parametrize(
    ("trouble", "rows", "error", "said"),
    [
        # A mistake of ours or a library's may be mended while the rows are owed.
        (ValueError("what tenant?"), ROWS, Unavailable, r"not asked \(ValueError\)"),
        (None, [ROUND], Unavailable, r"not asked \(ValueError\)"),
        (ClientAuthenticationError("what tenant?"), ROWS, Unauthorized, "no token"),
        (ServiceRequestError("what tenant?"), ROWS, Unavailable, "no token"),
    ],
)
def test_what_fails_before_anybody_was_asked_sends_nothing(
    trouble: Exception | None, rows: list[dict[str, object]], error: type[DeliveryError], said: str
) -> None:
    """The error says whether we are refused or nobody answered, and not what the library says."""

    async def go() -> None:
        async with answering(204) as endpoint:
            with pytest.raises(error, match=said) as caught:
                await upload(endpoint.url, rows=rows, identity=Issuing(trouble))
            assert endpoint.requests == []
            assert "tenant" not in str(caught.value)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("status", "again", "error"),
    [(400, b"?" * 4096, Rejected), (200, b"?" * 4096, Unavailable), (200, None, Unavailable)],
)
def test_an_answer_without_end_or_cut_ends_and_its_client_says_nothing_of_it(
    caplog: pytest.LogCaptureFixture, status: int, again: bytes | None, error: type[DeliveryError]
) -> None:
    """Of its body only the beginning is read. Stderr is ours: Microsoft's client calls what it cannot read critical."""

    async def go() -> None:
        head = b"HTTP/1.1 %d x\r\nContent-Type: application/xml\r\n" % status
        async with flooding(head if again is None else head + b"\r\n", again) as url:
            with pytest.raises(error):
                await upload(url)

    asyncio.run(go())
    assert caplog.messages == []


def test_a_token_is_asked_for_once_and_anew_when_it_was_refused_or_is_nearly_over() -> None:
    """Not for each call; and one that was taken back is not held on to."""

    async def go() -> None:
        issuing = Issuing()
        async with answering(204) as endpoint, Http(ssl.create_default_context()) as http:
            logs = Logs(http, lambda _: issuing, lambda: NOW)  # type: ignore[arg-type,return-value]
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

    asyncio.run(go())


def test_for_an_endpoint_that_is_nobodys_not_even_a_token_is_asked() -> None:
    """Who gives out tokens would be asked first."""
    identity = Issuing()
    with nobody_else() as strangers, pytest.raises(Unavailable, match=r"ends in \.example"):
        asyncio.run(upload("https://logs.example", identity=identity))
    assert (strangers, identity.asked) == ([], 0)
