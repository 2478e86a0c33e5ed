"""The logs endpoint answers as Azure Monitor's Logs Ingestion API does, to Microsoft's own client."""

import gzip
import json
import ssl
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion import LogsIngestionClient

from alert_router_demo.soc import LoseAnswer, Soc, Status

RULE = "dcr-" + "0" * 32
STREAM = "Custom-Alerts"
FAR = 4_000_000_000  # Unix time
MIB = 1024 * 1024


class StaticCredential:
    """Gives the same token whatever is asked."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, FAR)


def a_client(soc: Soc, token: str | None = None) -> LogsIngestionClient:
    return LogsIngestionClient(
        soc.addresses.logs,
        StaticCredential(token or soc.accounts["cwpp"].logs_token),
        connection_verify=str(soc.addresses.ca),
        retry_backoff_factor=0.01,
    )


def post(soc: Soc, body: bytes, headers: dict[str, str] | None = None, version: str = "2023-01-01") -> httpx.Response:
    bearer = {"Authorization": f"Bearer {soc.accounts['cwpp'].logs_token}"}
    address = f"{soc.addresses.logs}/dataCollectionRules/{RULE}/streams/{STREAM}"
    with httpx.Client(verify=ssl.create_default_context(cafile=str(soc.addresses.ca))) as client:
        return client.post(address, content=body, params={"api-version": version}, headers=bearer | (headers or {}))


def rows_of(size: int) -> bytes:
    bare = len(json.dumps([{"a": ""}]))
    return json.dumps([{"a": "x" * (size - bare)}]).encode()


def test_microsofts_client_delivers_rows(soc: Soc) -> None:
    """The unmodified azure-monitor-ingestion client, with the authority's certificate, gets its rows through."""
    rows: list[MutableMapping[str, Any]] = [{"EventUid": str(number), "Text": "é" * 100} for number in range(250)]
    a_client(soc).upload(RULE, STREAM, rows)
    assert list(soc.logs.rows[STREAM]) == rows
    assert soc.counts()["received"]["rows"] == 250
    assert soc.counts()["duplicates"]["rows"] == 0
    assert soc.logs.counts_by_account == {"cwpp": 250}


def test_microsofts_client_retries_through_faults_and_nothing_is_deduplicated(soc: Soc) -> None:
    """Throttling is retried; a lost answer is too, where the caller asks, and its rows then stand twice."""
    soc.logs.faults.add(Status(429, retry_after="0"), times=2)
    a_client(soc).upload(RULE, STREAM, [{"EventUid": "1"}])
    soc.logs.faults.add(LoseAnswer())
    with pytest.raises(Exception, match=r"aborted|reset|closed"):
        a_client(soc).upload(RULE, STREAM, [{"EventUid": "2"}])
    a_client(soc).upload(RULE, STREAM, [{"EventUid": "2"}])
    assert [row["EventUid"] for row in soc.logs.rows[STREAM]] == ["1", "2", "2"]
    assert soc.counts()["duplicates"]["rows"] == 1
    assert soc.counts()["requests"]["logs"] == {"429": 2, "204": 2, "dropped": 1}


def test_microsofts_client_is_refused_with_a_wrong_token(soc: Soc) -> None:
    """A token that the endpoint does not know gets 401 and no row."""
    with pytest.raises(HttpResponseError) as refused:
        a_client(soc, "no").upload(RULE, STREAM, [{"a": 1}])
    assert refused.value.status_code == 401
    assert soc.logs.counts == {}


def test_a_stranger_does_not_trust_the_endpoint(soc: Soc) -> None:
    """Without the authority's certificate the connection is refused: TLS is verified as in production."""
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.post(soc.addresses.logs)


@pytest.mark.parametrize("encoding", ["gzip", ""])
@pytest.mark.parametrize(("size", "status"), [(MIB, 204), (MIB + 1, 413)])
def test_the_uncompressed_body_may_have_one_mebibyte(soc: Soc, size: int, status: int, encoding: str) -> None:
    """1,048,576 bytes before compression are taken, one more is not, however small they travel."""
    body = rows_of(size)
    assert len(body) == size
    answer = post(soc, gzip.compress(body), {"Content-Encoding": encoding}) if encoding else post(soc, body)
    assert answer.status_code == status
    if status == 413:
        assert answer.json()["error"]["code"] == "ContentLengthLimitExceeded"
        assert soc.logs.counts == {}


def test_a_body_that_is_no_array_is_answered_204_and_lost(soc: Soc) -> None:
    """As in Azure, an object instead of an array is accepted and never seen again."""
    assert post(soc, b'{"a": 1}').status_code == 204
    assert soc.logs.counts == {}


def test_bad_requests(soc: Soc) -> None:
    """No JSON, bytes that are not the gzip they claim to be, and an unknown version get 400."""
    assert post(soc, b"[").status_code == 400
    assert post(soc, b"[]", {"Content-Encoding": "gzip"}).status_code == 400
    assert post(soc, b"[]", version="2020-01-01").status_code == 400
