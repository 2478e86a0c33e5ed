"""The webhook: signed as Standard Webhooks says, held against its own library; its OCSF findings held against the schema."""

from collections.abc import Iterator, Mapping
from copy import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from router.destinations.base import document_of
from router.destinations.webhook import BODY_LIMIT
from router.destinations.wording.facts import EVIDENCE
from router.destinations.wording.ocsf import VERSION, finding_of, message_of
from router.domain.conversation import AccessToken, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt
from router.domain.errors import Unauthorized
from router.domain.evidence import Evidence
from router.domain.notices import Notice, Tactic
from router.domain.posture import DatabaseRule, Image, Package
from tests.destinations.builders import (
    NOW,
    a_delivery,
    a_destination,
    a_finding,
    a_huge_notice,
    a_notice,
    a_secret,
    a_software_update,
    an_attempt,
)
from tests.destinations.conversations import converse, replied
from tests.destinations.goldens import HERE, IS_WRITING

TABLES = {
    head.removeprefix("[").removesuffix("]"): [line.partition(": ") for line in lines]
    for table in Path(__file__).with_name("ocsf_1_5_0.txt").read_text().split("\n\n")
    for head, *lines in [table.strip().splitlines()]
}
_TYPES = {"str": str, "int": int, "bool": bool, "object": dict}
_CLASSES = {2002: "vulnerability_finding", 2003: "compliance_finding", 2004: "detection_finding"}
for _class in _CLASSES.values():
    TABLES[_class] += TABLES["finding"]
_CONSTRAINTS = ("at least one", "just one")


def problems_in(finding: Mapping[str, Any]) -> list[str]:
    """What is wrong with a finding, each with its place."""
    found = list(_problems_of(finding, _CLASSES[finding["class_uid"]], ""))
    if finding["type_uid"] != finding["class_uid"] * 100 + finding["activity_id"]:
        found.append("type_uid: is of another class or activity")
    return found


def _problems_of(value: Any, what: str, place: str) -> Iterator[str]:
    if what.startswith("["):
        if not isinstance(value, list) or not value:
            yield f"{place}: is no list with anything in it"
            return
        for number, one in enumerate(value):
            yield from _problems_of(one, what[1:-1], f"{place}[{number}]")
    elif what in TABLES:
        yield from _problems_of_an_object(value, what, place)
    elif what in _TYPES:
        if type(value) is not _TYPES[what]:
            yield f"{place}: is no {what}"
    elif str(value) not in what.split():
        yield f"{place}: {value} is not among {what}"


def _problems_of_an_object(value: Any, table: str, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: is no {table}"
        return
    lines = TABLES[table]
    attributes = {name.rstrip("!"): what for name, _, what in lines if name not in _CONSTRAINTS}
    yield from (f"{place}.{name}: is no attribute of {table}" for name in value if name not in attributes)
    yield from (
        f"{place}.{name[:-1]}: is missing" for name, _, _ in lines if name[-1] == "!" and name[:-1] not in value
    )
    for name, _, what in lines:
        count = len(value.keys() & set(what.split()))
        if (name == "just one" and count != 1) or (name == "at least one" and count == 0):
            yield f"{place}: has {count} of {what}"
    for name in value.keys() & attributes.keys():
        yield from _problems_of(value[name], attributes[name], f"{place}.{name}")


NEW, OLD = "WEBHOOK_SECRET_NEXT", "WEBHOOK_SECRET"
BOTH = [{"secret": NEW}, {"secret": OLD}]


def request_of(attempt: Attempt, **config: Any) -> HttpRequest:
    """The request that an attempt makes."""
    kind = a_destination("webhook", **config)
    asks, _ = converse(kind, [attempt], lambda ask: "token" if isinstance(ask, AccessToken) else replied(204))
    assert isinstance(asks[-1], HttpRequest)
    return asks[-1]


def right_now(attempt: Attempt, zone: timezone = UTC) -> Attempt:
    """The attempt made now, since the library refuses old timestamps."""
    return Attempt(delivery=attempt.delivery, number=1, now=datetime.now(zone), secrets=attempt.secrets)


@pytest.mark.parametrize("body", ["own", "ocsf"])
def test_the_librarys_receiver_verifies_it(body: str) -> None:
    """A receiver with the same secret accepts the message, wherever the router's clock hangs, and none that was changed.

    With two secrets named, a receiver may hold either. An OCSF finding goes as a CloudEvent whose id is the webhook-id.
    """
    config: dict[str, Any] = {"body": "ocsf"} if body == "ocsf" else {}
    for hours, name in product((0, -7), (OLD, NEW)):
        attempt = right_now(an_attempt(secrets=[NEW, OLD]), timezone(timedelta(hours=hours)))
        request = request_of(attempt, secret=BOTH, **config)
        verified = Webhook(a_secret(name)).verify(request.body, dict(request.headers))
        assert verified == orjson.loads(request.body)
        with pytest.raises(WebhookVerificationError):
            Webhook(a_secret(name)).verify(request.body + b" ", dict(request.headers))
        if config:
            assert request.headers["content-type"] == "application/cloudevents+json"
            assert verified["id"] == request.headers["webhook-id"]
            assert problems_in(verified["data"]) == []
    request = request_of(right_now(an_attempt(secrets=[OLD])), **config)
    Webhook(a_secret(OLD)).verify(request.body, dict(request.headers))


def test_the_id_stays_over_attempts() -> None:
    """The webhook-id is the delivery's key at every attempt; the timestamp is the attempt's."""
    first = an_attempt(secrets=[OLD])
    second = Attempt(delivery=first.delivery, number=2, now=first.now + timedelta(hours=1), secrets=first.secrets)
    one, two = request_of(first).headers, request_of(second).headers
    assert one["webhook-id"] == two["webhook-id"] == first.delivery.id
    assert int(two["webhook-timestamp"]) - int(one["webhook-timestamp"]) == 3600


def test_a_secret_that_is_none_pauses_the_destination() -> None:
    """A secret of the wrong form is named, not shown."""
    for secret in ("whsec_", "whsec_canary%", "a canary!"):
        attempt = replace(an_attempt(), secrets={OLD: secret})
        asks, (result,) = converse(a_destination("webhook"), [attempt], lambda ask: None)
        assert (asks, type(result)) == ([], Unauthorized)
        assert OLD in str(result) and "canary" not in str(result)


def test_a_finding_keeps_its_times_and_its_key_however_much_is_cut() -> None:
    """Times with microseconds are longer than what the last cut leaves of a text, which takes two bytes a character here."""
    long, at = '"' * 5_000, "2026-11-24T12:00:00.123456Z"
    names = (
        "title", "description", "id", "type", "link", "reason", "plan", "status", "measure", "cause", "rulebook", "product",
        "compromised_entity",
    )  # fmt: skip
    told: dict[str, Any] = dict.fromkeys(names, long) | dict.fromkeys(("changed", "started", "ended"), at)
    evidence = Evidence(**dict.fromkeys(EVIDENCE, (long,) * 20))
    extended = {f"{number}{long}": long for number in range(50)}
    package = Package(name="lodash", installed=tuple(f"4.17.{number}" for number in range(50)))
    for kind in ("alert", "vulnerability", "recommendation"):
        notice = a_notice(
            **told, kind=kind, remediation=(long,) * 20, evidence=evidence, extended=extended, package=package,
            techniques=tuple(f"T{number}" for number in range(1_000, 1_600)),
            cves=tuple(f"CVE-{number}" for number in range(1_000, 1_050)),
        )  # fmt: skip
        attempt = an_attempt(notice, secrets=[OLD])
        request = request_of(attempt, body="ocsf")
        message = orjson.loads(request.body)
        assert len(request.body) <= BODY_LIMIT
        times = [message["data"][name] for name in ("time", "start_time", "end_time")]
        assert (message["id"], times) == (attempt.delivery.id, [1_795_521_600_123] * 3)
        assert message["data"]["metadata"]["correlation_uid"] == message["subject"] == a_notice().key
        assert problems_in(message["data"]) == []
        assert message["data"]["unmapped"]["cut"]["techniques"][0].endswith(" more]")
    data, found = (
        orjson.loads(request_of(an_attempt(a_huge_notice(), secrets=[OLD]), body=body).body)["data"]
        for body in ("own", "ocsf")
    )
    assert (found["resources"][0]["uid"], problems_in(found)) == (a_notice().resource, [])
    for name in ("key", "id", "resource", "severity", "type"):
        assert data[name] == getattr(a_huge_notice(), name)
    assert data["evidence"]["hosts"][-1].endswith("more]")


HEADER = {"header": "X-Api-Key", "value": {"secret": "GATEWAY_KEY"}}


def test_a_gateway_is_told_who_we_are() -> None:
    """Beside the signature stands what the gateway asks for, and nothing else changes; it may want a client's token."""
    key = a_secret("GATEWAY_KEY")
    client = {"client_id": "us", "client_secret": {"secret": "GATEWAY_KEY"}, "token_url": "https://example.com/token"}
    attempt = an_attempt(secrets=[OLD, "GATEWAY_KEY"])
    plain = request_of(attempt)
    auths: list[tuple[dict[str, Any], str, str]] = [
        (HEADER, "x-api-key", key),
        ({**HEADER, "header": "Authorization"}, "authorization", key),
        ({"bearer": {"secret": "GATEWAY_KEY"}}, "authorization", f"Bearer {key}"),
        (client, "authorization", "Bearer token"),
    ]
    for auth, header, expected in auths:
        told = request_of(attempt, auth=auth)
        assert told.headers == {**plain.headers, header: expected}
        assert told.body == plain.body
        assert expected not in repr(told)


def test_a_header_that_cannot_be_sent_pauses_the_destination() -> None:
    """A secret that is missing, or that could smuggle another header in, is named and not shown."""
    for value in ("canary\r\nx: y", "canary\u00e9", None):
        secrets = {OLD: a_secret(OLD)} | ({"GATEWAY_KEY": value} if value else {})
        attempt = replace(an_attempt(), secrets=secrets)
        asks, (result,) = converse(a_destination("webhook", auth=HEADER), [attempt], lambda ask: None)
        assert (asks, type(result)) == ([], Unauthorized)
        assert "GATEWAY_KEY" in str(result) and "canary" not in str(result)


_ALL_EVIDENCE = Evidence(
    **{name: (f"{name}-1",) for name in Evidence.__struct_fields__}
    | {"hashes": ("SHA256:abc",), "processes": ("php -r 1 (42)",), "hosts": ("a", "b", "... and 3 more")}
)
NOTICES = {
    "alert": a_notice(evidence=_ALL_EVIDENCE, techniques=("T1110.001", "T1078")),
    "incident": a_notice(
        kind="incident", tactics=(Tactic("TA0001", "Initial Access"), Tactic("TA0006", "Credentials"))
    ),
    "vulnerability": a_finding(
        kind="vulnerability", type="CVE-2026-12345", title="CVE-2026-12345 in openssl", evidence=_ALL_EVIDENCE
    ),
    "recommendation": a_finding(),
    "software_update": a_software_update(
        image=Image(digest="sha256:ab", repository="shop/web"), rule=DatabaseRule(id="VA1059"), evidence=_ALL_EVIDENCE
    ),
    "compliance": a_finding(kind="compliance", type="1.1", status="Failed", severity=None, categories=("CIS", "1.1")),
    "attack_path": a_finding(kind="attack_path", severity=None, severity_written=None, status=None),
}


def finding(notice: Notice, change: Change = Change.OPENED) -> dict[str, Any]:
    """The finding that a notice is, as it arrives."""
    found = finding_of(document_of(an_attempt(notice, change), notice), "delivery-1", NOW)
    return dict(orjson.loads(orjson.dumps(found)))


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_is_a_finding(name: str) -> None:
    """Every kind of signal and every change is a finding that its class knows, sent as exactly what is on file.

    Whatever text our own body holds stands somewhere in the finding.
    """
    notice = NOTICES[name]
    for change in Change:
        assert problems_in(finding(notice, change)) == []
    document = document_of(an_attempt(notice), notice)
    path = HERE / "webhook_ocsf" / f"{name}.json"
    message = message_of(document, a_delivery(notice).id, NOW)
    if IS_WRITING:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(orjson.dumps(message, option=orjson.OPT_INDENT_2) + b"\n")
    assert orjson.loads(orjson.dumps(message)) == orjson.loads(path.read_bytes())
    told = orjson.dumps(finding(notice)).decode()
    for field, value in document.items():
        if isinstance(value, str) and field not in ("started", "ended"):  # which are told in milliseconds
            assert orjson.dumps(value).decode() in told, field
    for values in document["evidence"].values():
        assert all(orjson.dumps(value).decode() in told for value in values)


def test_each_kind_has_its_class() -> None:
    """What OCSF has no class for is a Detection Finding; a severity that is not known says what was written."""
    classes = {
        "alert": 2004, "incident": 2004, "vulnerability": 2002, "recommendation": 2003, "compliance": 2003, "coverage": 2003,
        "attack_path": 2004, "secure_score": 2004, "secure_score_control": 2004,
    }  # fmt: skip
    assert {kind: finding(a_finding(kind=kind))["class_uid"] for kind in classes} == classes
    severities = {"Critical": 5, "High": 4, "Medium": 3, "Low": 2, "Informational": 1}
    assert {severity: finding(a_notice(severity=severity))["severity_id"] for severity in severities} == severities
    for severity, written in (("Low", "Low"), (None, "Awful")):
        assert finding(a_notice(severity=severity, severity_written="Awful"))["severity"] == written
    assert finding(a_notice(severity=None, severity_written=None))["severity_id"] == 99


def test_a_change_is_an_activity_and_a_status() -> None:
    """Opened creates, updated updates, resolved closes; what Defender wrote stands beside. Compliance passes or fails."""
    for change, status, activity, expected in (
        (Change.OPENED, "New", 1, (1, "New")),
        (Change.OPENED, None, 1, (1, "New")),
        (Change.UPDATED, "InProgress", 2, (2, "In Progress")),
        (Change.UPDATED, "In progress", 2, (2, "In Progress")),
        (Change.RESOLVED, "Resolved", 3, (4, "Resolved")),
        (Change.RESOLVED, "Healthy", 3, (4, "Resolved")),
        (Change.RESOLVED, None, 3, (4, "Resolved")),
        (Change.RESOLVED, "Dismissed", 3, (3, "Suppressed")),
    ):
        found = finding(a_notice(status=status), change)
        assert (found["activity_id"], found["status_id"], found["status"]) == (activity, *expected)
        assert found.get("status_detail") == status
    passes = {
        "Unhealthy": (3, "Fail"), "Healthy": (1, "Pass"), "Failed": (3, "Fail"), "Passed": (1, "Pass"),
        "NotApplicable": (99, "NotApplicable"), None: (0, "Unknown"),
    }  # fmt: skip
    for status, expected in passes.items():
        told = finding(a_finding(status=status))["compliance"]
        assert (told["status_id"], told["status"]) == expected


def test_a_finding_is_known_by_defenders_id_and_a_signal_by_its_key() -> None:
    """Both stay the same over all turns; the delivery and the turn are those of this message."""
    told = finding(a_notice(turn=7), Change.UPDATED)
    assert told["finding_info"]["uid"] == a_notice().id
    metadata = told["metadata"]
    assert (metadata["correlation_uid"], metadata["uid"], metadata["sequence"]) == (a_notice().key, "delivery-1", 7)
    assert metadata["version"] == VERSION


def test_times_are_milliseconds() -> None:
    """The time is when the state held, else when it began, else when it is sent."""
    assert finding(a_notice(changed="2026-11-24T12:00:00.125Z"))["time"] == 1_795_521_600_125
    assert finding(a_notice(changed=None))["time"] == 1_795_521_480_000
    assert finding(a_notice(changed=None, started=None))["time"] == int(NOW.timestamp() * 1_000)


def test_a_vulnerability_is_named_by_its_cves() -> None:
    """Each CVE that type and title name is one, once; where they name none, the scanner's own name counts."""
    told = finding(a_finding(kind="vulnerability", type="cve-2026-1111", title="CVE-2026-1111, CVE-2026-22222"))
    assert [one["cve"]["uid"] for one in told["vulnerabilities"]] == ["CVE-2026-1111", "CVE-2026-22222"]
    told = finding(a_finding(kind="vulnerability", type="qualys-1", title="Old openssl"))
    assert [one["advisory"] for one in told["vulnerabilities"]] == [{"uid": "qualys-1"}]


def test_an_update_of_software_is_a_vulnerability_finding() -> None:
    """Each CVE that it lists is one, with the software in each version; its class stays when the message names no software."""
    told = finding(a_software_update(has_more_cves=True))
    assert all(one["is_fix_available"] for one in told["vulnerabilities"])
    assert told["unmapped"]["has_more_cves"] is True
    bare = finding(a_software_update(package=None, cves=()), Change.RESOLVED)
    assert (bare["class_uid"], bare["vulnerabilities"][0]["advisory"]) == (2002, {"uid": "a"})
    secret = finding(a_software_update(package=None, category="ExposedSecrets"))
    assert (secret["class_uid"], secret["compliance"]["category"]) == (2003, "ExposedSecrets")
    assert secret["unmapped"]["cves"] == ["CVE-2026-1001", "CVE-2026-1002"]
    by_category = finding(a_software_update(kind="compliance", package=None))
    assert by_category["class_uid"] == 2003


def test_software_of_which_nothing_is_known_has_a_version_all_the_same() -> None:
    """The schema asks for one."""
    told = finding(a_software_update(package=Package(name="lodash")))["vulnerabilities"][0]
    assert (told["affected_packages"], told["is_fix_available"]) == ([{"name": "lodash", "version": "unknown"}], False)


def test_an_account_of_another_cloud_is_not_called_a_subscription() -> None:
    """The provider is what Defender says; nothing else about an account elsewhere is known."""
    assert finding(a_notice())["cloud"]["account"]["type"] == "Azure Subscription"
    told = finding(a_notice(cloud="AWS"))
    assert told["cloud"] == {"provider": "AWS"}
    assert told["unmapped"]["subscription"] == a_notice().subscription


def test_a_message_is_the_same_at_every_attempt() -> None:
    """A CloudEvent, whose time is the delivery's."""
    document = document_of(an_attempt(), a_notice())
    messages = [message_of(document, "delivery-1", NOW + timedelta(hours=hours)) for hours in (0, 1)]
    assert messages[0] == messages[1]
