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
GZIP = {"Content-Encoding": "gzip"}


class StaticCredential:
    """Gives the same token whatever is asked."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, FAR)


def upload(soc: Soc, rows: list[MutableMapping[str, Any]], token: str | None = None) -> None:
    credential = StaticCredential(token or soc.accounts["cwpp"].logs_token)
    trusted = str(soc.addresses.ca)
    client = LogsIngestionClient(soc.addresses.logs, credential, connection_verify=trusted, retry_backoff_factor=0.01)
    client.upload(RULE, STREAM, rows)


def post(soc: Soc, body: bytes, headers: dict[str, str] | None = None, version: str = "2023-01-01") -> httpx.Response:
    bearer = {"Authorization": f"Bearer {soc.accounts['cwpp'].logs_token}"}
    address = f"{soc.addresses.logs}/dataCollectionRules/{RULE}/streams/{STREAM}"
    with httpx.Client(verify=ssl.create_default_context(cafile=str(soc.addresses.ca))) as client:
        return client.post(address, content=body, params={"api-version": version}, headers=bearer | (headers or {}))


def test_microsofts_client_delivers_rows(soc: Soc) -> None:
    """The unmodified azure-monitor-ingestion client, with the authority's certificate, gets its rows through; without that
    certificate the connection is refused, and with a token that the endpoint does not know there is 401 and no row."""
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.post(soc.addresses.logs)
    with pytest.raises(HttpResponseError) as refused:
        upload(soc, [{"a": 1}], "no")
    assert refused.value.status_code == 401
    rows: list[MutableMapping[str, Any]] = [{"EventUid": str(number), "Text": "é" * 100} for number in range(250)]
    upload(soc, rows)
    assert list(soc.logs.rows[STREAM]) == rows
    assert (soc.counts()["received"]["rows"], soc.counts()["duplicates"]["rows"]) == (250, 0)
    assert soc.logs.counts_by_account == {"cwpp": 250}


def test_microsofts_client_retries_through_faults_and_nothing_is_deduplicated(soc: Soc) -> None:
    """Throttling is retried; a lost answer is too, where the caller asks, and its rows then stand twice."""
    soc.logs.faults.add(Status(429, retry_after="0"), times=2)
    upload(soc, [{"EventUid": "1"}])
    soc.logs.faults.add(LoseAnswer())
    with pytest.raises(Exception, match=r"aborted|reset|closed"):
        upload(soc, [{"EventUid": "2"}])
    upload(soc, [{"EventUid": "2"}])
    assert [row["EventUid"] for row in soc.logs.rows[STREAM]] == ["1", "2", "2"]
    assert soc.counts()["duplicates"]["rows"] == 1
    assert soc.counts()["requests"]["logs"] == {"429": 2, "204": 2, "dropped": 1}


def test_what_is_no_good_body_leaves_no_row(soc: Soc) -> None:
    """No JSON, bytes that are not the gzip they claim to be, and an unknown version get 400; as in Azure, an object instead of
    an array is accepted and never seen again. 1,048,576 bytes before compression are taken, one more is not, however they
    travel."""
    bare = len(json.dumps([{"a": ""}]))
    large = json.dumps([{"a": "x" * (MIB + 1 - bare)}]).encode()
    assert [post(soc, b"[").status_code, post(soc, b"[]", GZIP).status_code] == [400, 400]
    assert post(soc, b"[]", version="2020-01-01").status_code == 400
    assert post(soc, b'{"a": 1}').status_code == 204
    for answer in (post(soc, large), post(soc, gzip.compress(large), GZIP)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "ContentLengthLimitExceeded")
    assert soc.logs.counts == {}
    fits = large.replace(b"x", b"", 1)
    assert [post(soc, fits).status_code, post(soc, gzip.compress(fits), GZIP).status_code] == [204, 204]
