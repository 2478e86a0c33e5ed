"""The doubles answer as their vendors do. What the router's destinations live through at them, tests/vendors/ tells."""

import asyncio
import base64
import gc
import gzip
import json
import smtplib
import ssl
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion import LogsIngestionClient
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Oracle

from alert_router_demo.soc import Soc
from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.encoded_query import parse
from alert_router_demo.soc.mail import SIZE_LIMIT, MailDouble, mail_served
from alert_router_demo.soc.tickets import is_column
from alert_router_demo.soc.webhook import TOLERANCE, find_signer

# Standard Webhooks 1.0.

BODY = '{"notice": "opened"}'
AT = 1_800_000_000
ACCOUNT = new_account("cwpp")
KEY = {"cwpp": base64.b64decode(ACCOUNT.webhook_secret.removeprefix("whsec_"))}


def headers_for(secret: str, body: str = BODY, identity: str = "msg-1", at: float | None = None) -> dict[str, str]:
    """What the reference library says beside a body."""
    timestamp = int(time.time() if at is None else at)
    signature = Oracle(secret).sign(identity, datetime.fromtimestamp(timestamp, UTC), body)
    return {"webhook-id": identity, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def test_what_is_not_signed_as_sent_is_refused(soc: Soc, subtests: pytest.Subtests) -> None:
    """A changed id, time, signature or body, or another account's secret, gets 401 and is not counted as received. While a
    secret is rotated, one good signature among several is enough. The same id again is taken and counts as a duplicate."""
    right = headers_for(soc.accounts["cwpp"].webhook_secret)
    rotated = {"webhook-signature": f"v1a,zzz v1,AAAA {right['webhook-signature']}"}
    late = str(int(time.time()) - TOLERANCE - 60)
    for change, body, status in (
        *(({"webhook-signature": signature}, BODY, 401) for signature in ("v1,AAAA", "")),
        *(({"webhook-id": identity}, BODY, 401) for identity in ("msg-2", "")),
        *(({"webhook-timestamp": at}, BODY, 401) for at in ("soon", late)),
        ({}, f"{BODY} ", 401),
        (headers_for(new_account("stranger").webhook_secret), BODY, 401),
        *((headers, BODY, 204) for headers in (rotated, right)),
    ):
        with subtests.test(change=change, body=body):
            assert httpx.post(soc.addresses.webhook, content=body, headers=right | change).status_code == status
    assert [(hook.account, hook.id, hook.body) for hook in soc.webhook.hooks] == [("cwpp", "msg-1", BODY)] * 2
    assert soc.counts()["duplicates"]["hooks"] == 1


def test_the_timestamp_may_be_five_minutes_off() -> None:
    """Exactly five minutes early or late are accepted, one second more is not."""
    for late, signer in ((0, "cwpp"), (300, "cwpp"), (-300, "cwpp"), (301, None), (-301, None)):
        headers = headers_for(ACCOUNT.webhook_secret, at=AT - late)
        assert find_signer(KEY, headers, BODY.encode(), AT) == signer


@given(body=st.text(), identity=st.text("abc123-", min_size=1))
def test_whatever_the_reference_library_signs_is_verified(body: str, identity: str) -> None:
    """Our own verification agrees with the reference library on every body."""
    headers = headers_for(ACCOUNT.webhook_secret, body, identity, at=AT)
    assert find_signer(KEY, headers, body.encode(), AT) == "cwpp"
    assert find_signer(KEY, headers, body.encode() + b"x", AT) is None


# PagerDuty's Events API v2.

SAID = {"summary": "s", "source": "s", "severity": "info"}
EVENTS: list[tuple[dict[str, Any], str]] = [
    ({"dedup_key": "k" * 255, "payload": {**SAID, "summary": "s" * 1024}}, ""),
    ({"dedup_key": "k" * 256}, "'dedup_key' is too long"),
    ({"payload": {**SAID, "summary": "s" * 1025}}, "'payload.summary' is too long"),
    ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
    ({"routing_key": None}, "'routing_key' is missing or blank"),
    ({"routing_key": "0" * 32}, "Invalid routing key"),
    ({"event_action": "open"}, "'event_action' is invalid"),
    ({"event_action": "resolve", "dedup_key": None}, "'dedup_key' is missing or blank"),
    ({"payload": None}, "'payload' is missing or blank"),
    ({"payload": {**SAID, "summary": None}}, "'payload.summary' is missing or blank"),
    ({"payload": {**SAID, "source": None}}, "'payload.source' is missing or blank"),
    ({"payload": {**SAID, "severity": "High"}}, "'payload.severity' is invalid"),
]
"""Events, and what is wrong with each."""


def test_an_event_is_taken_or_refused_with_what_is_wrong(soc: Soc, subtests: pytest.Subtests) -> None:
    """Each broken limit gets 400 and PagerDuty's own error form; so does what is no JSON object. An event of exactly 512 KB is
    taken, one byte more is not. The end of what the pager never had does nothing; a trigger of an open key is a duplicate."""
    address = f"{soc.addresses.pagerduty}/v2/enqueue"
    event = {
        "routing_key": soc.accounts["cwpp"].routing_key,
        "event_action": "trigger",
        "payload": SAID,
        "dedup_key": "key-1",
    }
    for parts, error in EVENTS:
        with subtests.test(error):
            answer = httpx.post(address, json={**event, **parts})
            assert answer.status_code == (400 if error else 202)
            said = answer.json()
            refused = (said["status"], said["message"]) == ("invalid event", "Event object is invalid")
            assert refused is bool(error)
            assert len(said.get("errors", ())) == refused and all(
                one.startswith(error) for one in said.get("errors", ())
            )
    for content in (b"", b"{", b"[]", b"null"):
        assert httpx.post(address, content=content).status_code == 400
    assert httpx.post(address, json={**event, "event_action": "resolve"}).json()["dedup_key"] == "key-1"
    assert len(soc.pagerduty.pages) == 1
    bare = len(httpx.Request("POST", "http://x", json={**event, "client": ""}).content)
    for extra, status in ((0, 202), (1, 413)):
        assert httpx.post(address, json={**event, "client": "c" * (512 * 1024 - bare + extra)}).status_code == status
    assert (httpx.post(address, json=event).status_code, len(soc.pagerduty.pages)) == (202, 2)
    assert soc.counts()["duplicates"]["pages"] == 1


# Azure Monitor's Logs Ingestion API.

RULE = "dcr-" + "0" * 32
STREAM = "Custom-Alerts"
MIB = 1024 * 1024
GZIP = {"Content-Encoding": "gzip"}


class StaticCredential:
    """Gives the same token whatever is asked."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        """A token that lasts."""
        return AccessToken(self.token, 4_000_000_000)


def test_microsofts_client_delivers_rows(soc: Soc) -> None:
    """The unmodified azure-monitor-ingestion client, with the authority's certificate, gets its rows through; without that
    certificate the connection is refused, and with a token that the endpoint does not know there is 401 and no row."""
    rows: list[MutableMapping[str, Any]] = [{"EventUid": str(number), "Text": "é" * 100} for number in range(250)]

    def upload(token: str) -> None:
        trusted = str(soc.addresses.ca)
        LogsIngestionClient(soc.addresses.logs, StaticCredential(token), connection_verify=trusted).upload(
            RULE, STREAM, rows
        )

    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.post(soc.addresses.logs)
    with pytest.raises(HttpResponseError) as refused:
        upload("no")
    assert refused.value.status_code == 401
    upload(soc.accounts["cwpp"].logs_token)
    assert list(soc.logs.rows[STREAM]) == rows
    assert soc.logs.counts_by_account == {"cwpp": 250}
    upload(soc.accounts["cwpp"].logs_token)
    assert (soc.counts()["received"]["rows"], soc.counts()["duplicates"]["rows"]) == (500, 250)


def test_what_is_no_good_body_leaves_no_row(soc: Soc) -> None:
    """No JSON, bytes that are not the gzip they claim to be, and an unknown version get 400; as in Azure, an object instead of
    an array is accepted and never seen again. 1,048,576 bytes before compression are taken, one more is not, however they
    travel."""
    bearer = {"Authorization": f"Bearer {soc.accounts['cwpp'].logs_token}"}
    address = f"{soc.addresses.logs}/dataCollectionRules/{RULE}/streams/{STREAM}"
    trusted = ssl.create_default_context(cafile=str(soc.addresses.ca))

    def post(body: bytes, headers: dict[str, str] | None = None, version: str = "2023-01-01") -> httpx.Response:
        with httpx.Client(verify=trusted, params={"api-version": version}) as client:
            return client.post(address, content=body, headers=bearer | (headers or {}))

    large = json.dumps([{"a": "x" * (MIB + 1 - len(json.dumps([{"a": ""}])))}]).encode()
    assert [post(b"[").status_code, post(b"[]", GZIP).status_code] == [400, 400]
    assert post(b"[]", version="2020-01-01").status_code == 400
    assert post(b'{"a": 1}').status_code == 204
    for answer in (post(large), post(gzip.compress(large), GZIP)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "ContentLengthLimitExceeded")
    assert soc.logs.counts == {}
    fits = large.replace(b"x", b"", 1)
    assert [post(fits).status_code, post(gzip.compress(fits), GZIP).status_code] == [204, 204]


# A mail server, as the standard library's own client meets it.


def test_mail_is_taken_of_users_over_tls(soc: Soc) -> None:
    """Neither before TLS nor before it is known who asks; threads are shown without a secret. A message without what every mail
    has is refused, and one that is too large before it is sent."""
    account, address = soc.accounts["cwpp"], soc.addresses.email or ""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "router@soc.example", "soc@soc.example", "Mail"
    message["Date"], message["Message-ID"] = "Tue, 24 Nov 2026 12:00:30 +0000", "<1@soc.example>"
    message.set_content(".\r\nHello")
    with smtplib.SMTP("127.0.0.1", int(address.rpartition(":")[2]), local_hostname="test") as client:
        client.ehlo()
        assert client.has_extn("starttls") and not client.has_extn("auth")
        assert client.docmd("AUTH PLAIN", "AGEAYg==")[0] == 538
        client.starttls(context=ssl.create_default_context(cafile=str(soc.addresses.ca)))
        assert client.docmd("MAIL FROM:<router@soc.example>")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(account.mail_user, "wrong")
        client.login(account.mail_user, account.mail_password)
        for _ in range(2):
            client.send_message(message)
        with pytest.raises(smtplib.SMTPDataError, match="554"):
            client.sendmail("a@soc.example", ["soc@soc.example"], b"Subject: x\r\n\r\nx")
        assert client.docmd(f"MAIL FROM:<a@soc.example> SIZE={SIZE_LIMIT + 1}")[0] == 552
        assert client.docmd("VRFY", "soc")[0] == 503
    assert (soc.counts()["received"]["mails"], soc.counts()["duplicates"]["mails"]) == (2, 1)
    assert [mail["subject"] for mail in soc.state()["mails"]["<1@soc.example>"]] == ["Mail"]
    assert account.mail_password not in repr(soc.state())


def test_a_mail_server_that_closes_during_a_handshake_leaves_nothing_behind() -> None:
    """What a collector finds later would fail whatever test is running then."""

    async def run() -> None:
        async with mail_served(MailDouble({}), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)) as address:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            await reader.readuntil(b"\r\n")
            writer.write(b"STARTTLS\r\n")
            await reader.readuntil(b"\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()

    unraisable: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda found: unraisable.append(repr(found.exc_value)))
        asyncio.run(run())
        gc.collect()
    assert unraisable == []


# ServiceNow's Table API.

RECORD = {"correlation_id": "k^1", "state": "2", "active": "true", "u_env": "Prod", "category": ""}
QUERIES = {
    "": True,
    "active=true^state=2": True,
    "active=true^state=3": False,
    "state=3^ORstate=2^active=true": True,
    "state=3^ORstate=2^active=false": False,
    "active=false^NQstate=2": True,
    "stateIN1,2,3": True,
    "stateNOT IN1,2,3": False,
    "state!=2": False,
    "u_env=prod": True,
    "u_envSTARTSWITHpr": True,
    "u_envLIKEro": True,
    "categoryISEMPTY": True,
    "categoryISNOTEMPTY": False,
    # A misspelt column or operator does not narrow the query: the base system drops it, and so finds everything.
    "corelation_id=x": True,
    "state~2": True,
    "^^": True,
    "correlation id=x": True,
}
"""And, or, new queries and the usual operators, and whether RECORD is among what each finds."""


def a_ticket(**columns: Any) -> dict[str, Any]:
    """What an insert says."""
    return {"short_description": "Malware found", "correlation_id": "key-1"} | columns


def insert(tickets: httpx.Client, **columns: Any) -> dict[str, str]:
    """The record that an insert makes."""
    result: dict[str, str] = tickets.post("/incident", json=a_ticket(**columns)).json()["result"]
    return result


def refused(answer: httpx.Response, status: int, message: str, detail: str | None = None) -> None:
    """Asserts an answer in ServiceNow's own form of an error."""
    said = answer.json()
    assert (answer.status_code, said["status"], said["error"]["message"]) == (status, "failure", message)
    assert detail is None or said["error"]["detail"] == detail


def test_queries_mean_what_they_mean_in_servicenow(subtests: pytest.Subtests) -> None:
    """Orders are read in their order, with their direction. A key narrows the search only if no other branch of the query could
    be met without it."""
    for query, is_met in QUERIES.items():
        with subtests.test(query):
            assert parse(query, is_column).is_met(RECORD) is is_met
    assert parse("active=true^ORDERBYstate^ORDERBYDESCnumber", is_column).order == (("state", False), ("number", True))
    narrowing: dict[str, str | None] = {"active=true^correlation_id=a": "a"}
    narrowing |= dict.fromkeys(("correlation_id=a^ORstate=1", "correlation_id=a^NQstate=1", "correlation_id!=a"))
    assert {query: parse(query, is_column).find_equal("correlation_id") for query in narrowing} == narrowing


@given(st.text())
def test_reading_a_query_is_total(text: str) -> None:
    """No text makes the reader fail."""
    parse(text, is_column).is_met(RECORD)


def test_a_record_is_what_the_platform_makes_of_it(soc: Soc, tickets: httpx.Client) -> None:
    """It has a number and a Location that can be read. Numbers and nulls read back as text, system columns cannot be set,
    priority follows impact and urgency, and a value that is longer than its column is cut in silence. Notes and comments are
    appended, in order, and read back empty."""
    more = {"impact": 1, "urgency": 2, "priority": 5, "description": None, "sys_id": "mine", "no_such_column": "x"}
    answer = tickets.post("/incident", json=a_ticket(u_environment="prod", short_description="x" * 161, **more))
    record = answer.json()["result"]
    assert (answer.status_code, record["number"], record["active"], record["state"]) == (201, "INC0010001", "true", "1")
    assert (record["u_environment"], record["sys_created_by"]) == ("prod", "cwpp-router")
    assert (record["impact"], record["priority"], record["description"]) == ("1", "2", "")
    assert record["sys_id"] != "mine" and "no_such_column" not in record and record["short_description"] == "x" * 160
    assert tickets.get(answer.headers["Location"]).json()["result"] == record
    for method, note in (("PATCH", {"work_notes": "seen"}), ("PUT", {"comments": "there", "work_notes": ""})):
        told = tickets.request(method, answer.headers["Location"], json=note)
        assert (told.status_code, told.json()["result"]["work_notes"]) == (200, "")
    journal = [(one["element"], one["value"]) for one in soc.state()["tickets"][0]["journal"]]
    assert journal == [("work_notes", "seen"), ("comments", "there")]
    assert tickets.get(answer.headers["Location"]).json()["result"]["sys_mod_count"] == "2"


def test_correlation_id_is_not_unique(soc: Soc, tickets: httpx.Client) -> None:
    """Two inserts with one make two tickets, and the second is counted as a duplicate; one after closed tickets is none."""
    for record in [insert(tickets) for _ in range(2)]:
        closing = {"state": "7", "close_code": "Solved", "close_notes": "Done"}
        assert tickets.patch(f"/incident/{record['sys_id']}", json=closing).status_code == 200
    assert soc.counts()["duplicates"]["tickets"] == 1
    insert(tickets)
    assert (soc.counts()["received"]["tickets"], soc.counts()["duplicates"]["tickets"]) == (3, 1)


def test_what_is_not_there_or_no_record_is_refused_in_servicenows_own_form(soc: Soc, tickets: httpx.Client) -> None:
    """An unknown sys_id for reading and writing, a table that the instance lacks, what cannot be read as one record, and who is
    without credentials, or has wrong ones or a password in part."""
    for answer in (tickets.get(f"/incident/{'0' * 32}"), tickets.patch("/incident/unknown", json={"state": "2"})):
        refused(answer, 404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
    refused(tickets.post("/incidents", json=a_ticket()), 400, "Invalid table incidents")
    refused(tickets.get("/"), 404, "Not Found")
    for body in (b"", b"{", b"[]", b'"x"', b"\xff"):
        assert tickets.post("/incident", content=body).status_code == 400
    address = f"{soc.addresses.servicenow}/api/now/table/incident"
    bearer = {"Authorization": f"Bearer {soc.accounts['cspm'].servicenow_token}"}
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": bearer["Authorization"][:-1]}):
        said = httpx.post(address, json=a_ticket(), headers=headers)
        refused(said, 401, "User Not Authenticated", "Required to provide Auth information")
    assert soc.counts()["received"]["tickets"] == 0
    assert httpx.post(address, json=a_ticket(), headers=bearer).json()["result"]["sys_created_by"] == "cspm-router"


def test_what_a_data_policy_asks_for_is_mandatory(soc: Soc, tickets: httpx.Client) -> None:
    """A column is refused with 403 when missing or empty, and accepted when given. The base system's own policy refuses a
    resolution that does not say how, and leaves the ticket as it was."""
    before = f"/incident/{insert(tickets)['sys_id']}"
    answer = tickets.patch(before, json={"state": "6", "close_code": "Solved"})
    refused(answer, 403, "Operation Failed")
    assert answer.json()["error"]["detail"].endswith("mandatory: Resolution notes")
    assert tickets.get(before).json()["result"]["state"] == "1"
    soc.servicenow.mandatory = frozenset({"assignment_group", "u_environment"})
    policy = "Data Policy Exception: The following fields are mandatory: Assignment group, U environment"
    refused(tickets.post("/incident", json=a_ticket(u_environment="")), 403, "Operation Failed", policy)
    made = f"/incident/{insert(tickets, u_environment='x', assignment_group='soc')['sys_id']}"
    statuses = [tickets.patch(made, json=one).status_code for one in ({"state": "2"}, {"assignment_group": ""})]
    assert statuses == [200, 403]
