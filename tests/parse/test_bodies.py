"""Bodies: one message or many, answers of Azure's, and every shape in which Defender or Azure Monitor says something."""

import json

import pytest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.signals import Alert, Finding, Quarantined
from router.parse import LARGEST_BODY, MOST_ELEMENTS, Answer, Continuation, answer_in, read_signals, split_body
from tests.parse.messages import (
    ASSESSMENT,
    ASSESSMENT_KEY,
    CATALOGUE,
    COMMON_ALERT,
    MACHINE,
    SUBSCRIPTION,
    Message,
    a_common_alert,
    a_compliance_assessment,
    a_flat_alert,
    a_graph_row,
    a_legacy_attack_path,
    a_metric_alert,
    a_score_control,
    a_secure_score,
    a_sub_assessment,
    a_table_row,
    an_arm_alert,
    an_assessment,
    an_attack_path,
    an_old_arm_alert,
    body_of,
    in_pascal_case,
    read_alert,
    read_one,
    read_quarantined,
    rekeyed,
)

ENVELOPES: dict[str, Message] = {
    "az graph query": {"count": 1, "data": [], "skip_token": None, "total_records": 1},
    "Resource Graph": {"totalRecords": 1, "count": 1, "data": [], "facets": [], "resultTruncated": "false"},
    "Search-AzGraph": {"SkipToken": None, "Data": []},
    "a REST list": {"value": []},
    "a REST list that ends": {"value": [], "nextLink": None},
    "an OData list": {"@odata.context": "x", "@odata.count": 1, "value": []},
}


def enveloped(envelope: Message, *elements: object) -> Message:
    """An envelope with elements in it."""
    return {name: list(elements) if held == [] and name != "facets" else held for name, held in envelope.items()}


def test_each_element_is_its_own_signal(subtests: pytest.Subtests) -> None:
    """Of an array, a records wrapper and an answer, in order; what is no message is quarantined, and hurts no neighbour."""
    elements = [a_graph_row(), 7, an_assessment()]
    documents: dict[str, object] = {name: enveloped(envelope, *elements) for name, envelope in ENVELOPES.items()}
    documents |= {"array": elements, "records": {"records": elements}, "Records": {"Records": elements}}
    for name, document in documents.items():
        with subtests.test(name):
            body = body_of(document)
            signals = read_signals(body, CATALOGUE)
            assert [type(signal) for signal in signals] == [Alert, Quarantined, Finding]
            assert signals[1] == read_quarantined(b"7")
            assert split_body(body) == tuple(map(body_of, elements))
            assert answer_in(body) == (Answer(tuple(map(body_of, elements)), None) if name in ENVELOPES else None)


_UNREADABLE: list[tuple[bytes, Code, str | None]] = [
    (b"", Code.NOT_JSON, "line 1 column 1"),
    (b"   ", Code.NOT_JSON, "line 1 column 4"),
    (b'{"a": 1,\n oops}', Code.NOT_JSON, "line 2 column 2"),
    (b"{} {}", Code.NOT_JSON, "line 1 column 4"),
    (b"\xff\xfe\xfd", Code.NOT_JSON, "line 1 column 1"),
    *((body, Code.NOT_AN_OBJECT, None) for body in (b"[]", b'{"records": []}', b"null", b"7", b'"text"', b"[[]]")),
    (b"{}", Code.UNKNOWN_SHAPE, "type"),
    (b'{"AlertType": "System", "SystemAlertId": null}', Code.INVALID, "SystemAlertId"),
    (b'{"AlertType": "System", "SystemAlertId": " "}', Code.INVALID, "SystemAlertId"),
    (b'{"AlertType": "System", "SystemAlertId": {}}', Code.INVALID, "SystemAlertId"),
    (b'{"type": "Microsoft.Security/Locations/alerts"}', Code.INVALID, "properties.systemAlertId"),
    (b'{"type": "Microsoft.Security/Locations/alerts", "id": "/"}', Code.INVALID, "properties.systemAlertId"),
    (b'{"type": "Microsoft.Security/assessments", "name": "x"}', Code.INVALID, "id"),
]


def test_what_cannot_be_identified_is_quarantined(subtests: pytest.Subtests) -> None:
    """A refusal says why, names the field or the place at fault, and its body is whole."""
    for body, code, at_fault in _UNREADABLE:
        with subtests.test(body=body):
            refused = read_quarantined(body)
            assert (refused.reason.code, refused.at_fault) == (code, at_fault)
            assert refused.reason.words
            assert refused.body == (b"[]" if body == b"[[]]" else body)
    assert read_alert(a_flat_alert(SystemAlertId=2516)).id == "2516"


def test_a_body_beyond_a_limit_is_quarantined_unread_and_split_all_the_same() -> None:
    """The longest is read, and one of the most elements; one more is parked whole. What is no JSON document does not split."""
    body = body_of(a_flat_alert())
    assert isinstance(read_signals(body.ljust(LARGEST_BODY), Catalogue())[0], Alert)
    zeros = [b"[" + b",".join([b"0"] * count) + b"]" for count in (MOST_ELEMENTS, MOST_ELEMENTS + 1)]
    first, *_ = found = read_signals(zeros[0], Catalogue())
    assert isinstance(first, Quarantined)
    assert (len(found), first.body, first.reason.code) == (MOST_ELEMENTS, b"0", Code.NOT_AN_OBJECT)
    enveloped = b'{"value":' + zeros[1] + b"}"
    for beyond in (body.ljust(LARGEST_BODY + 1), enveloped.ljust(LARGEST_BODY + 1), zeros[1], enveloped):
        refused = read_quarantined(beyond)
        assert (refused.reason.code, refused.body) == (Code.TOO_LARGE, beyond)
    for body in (b"[]", b'{"records": []}', b"7"):
        assert split_body(body) == (body,)
    for body in (b"", b"{}\n{}\n", b"<xml/>"):
        assert split_body(body) is None
    alert = a_flat_alert(Description="x" * (LARGEST_BODY // 4))
    assert split_body(body_of([alert] * 5)) == (body_of(alert),) * 5


def test_a_signal_is_no_envelope_and_an_envelope_holds_nothing_else(subtests: pytest.Subtests) -> None:
    """It may have a field of theirs. What holds anything else is kept whole: of an envelope only its elements are read."""
    for name, message in {
        "flat alert": a_flat_alert(data=[{"a": 1}], value=[1]),
        "flat alert with records": a_flat_alert(Records=[]),
        "ARM alert": an_arm_alert() | {"value": [[an_arm_alert()]]},
        "assessment": an_assessment() | {"data": []},
        "attack path": an_attack_path() | {"value": [], "nextLink": "x"},
    }.items():
        with subtests.test(name):
            assert not isinstance(read_one(message), Quarantined)
            assert split_body(b" " + body_of(message)) == (b" " + body_of(message),)
            assert answer_in(body_of(message)) is None
    table = {"columns": [], "rows": [[1]]}
    for document in (
        {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": {}, "alertContext": None}},
        {"id": "1", "topic": "/x", "eventType": "Microsoft.Test", "data": {"a": [1]}, "dataVersion": "1"},
        {"id": "1", "subject": "x", "data": [a_flat_alert()]},
        {"specversion": "1.0", "type": "t", "source": "/x", "data": [1]},
        {"category": "Security", "value": [1]},
        {"value": [1], "data": [2]},
        {"value": [1], "Value": [2]},
        {"value": [1], "count": {"a": 1}},
        {"value": {"a": 1}},
        {"totalRecords": 1, "count": 1, "data": table, "facets": [], "resultTruncated": "true"},
        {"data": None},
        {"nextLink": "x"},
    ):
        with subtests.test(document=document):
            refused = read_quarantined(document)
            assert (refused.reason.code, refused.body) == (Code.UNKNOWN_SHAPE, body_of(document))
            assert answer_in(body_of(document)) is None


def test_what_may_hold_messages_twice_is_quarantined_whole(subtests: pytest.Subtests) -> None:
    """A parser keeps the last of two members of one name, and only one of two lists would be read: the rest would be gone."""
    alert, finding = json.dumps(a_flat_alert()), json.dumps(an_assessment())
    for name in ("records", "Records", "RECORDS", "value", "Value", "data", "r\\u0065cords"):
        for other in (
            f'"NAME": [{alert}]',
            '"NAME": []',
            '"NAME": null',
            f'"records": [{alert}]',
            f'"value": [{alert}]',
        ):
            members = [f'"{name}": [{alert}, {finding}]', other.replace("NAME", name)]
            for body in ("{" + ", ".join(members) + "}", "{" + ", ".join(members[::-1]) + "}"):
                with subtests.test(name, other=other[:12]):
                    assert read_quarantined(body.encode()).body == body.encode()
                    assert answer_in(body.encode()) is None
    document: Message = {"records": [a_flat_alert(), an_assessment()]}
    beside: list[Message] = [{name: [a_flat_alert()]} for name in ("items", "facets")]
    beside += [{"text": text} for text in (alert, f"[{alert}]")]
    for more in (*beside, {"alert": a_flat_alert()}, a_flat_alert(), an_arm_alert()):
        with subtests.test("beside records", more=list(more)):
            assert read_quarantined(document | more).body == body_of(document | more)
    assert len(read_signals(body_of(document | {"count": 2, "time": "[now", "n": None}), CATALOGUE)) == 2


def test_an_answer_may_be_empty_and_says_that_it_is_only_a_part(subtests: pytest.Subtests) -> None:
    """By its token, its link, or a count below its total. Who asked knows of nothing; a hub brings a message, never none."""
    for name, envelope in ENVELOPES.items():
        with subtests.test(name):
            answer = answer_in(body_of(envelope))
            assert answer is not None
            assert answer.bodies == ()
            assert read_quarantined(envelope).reason.code is Code.NOT_AN_OBJECT
    whole, link = {"count": 1, "data": [1], "total_records": 1}, "https://management.azure.com/x"
    for members, rest in (
        (whole | {"skip_token": "x"}, Continuation.TOKEN),
        ({"totalRecords": 3, "resultTruncated": "false", "$skipToken": "x", "data": [1]}, Continuation.TOKEN),
        ({"resultTruncated": "true", "$skipToken": "x", "data": [1]}, Continuation.TOKEN),
        ({"SkipToken": "x", "Data": [1]}, Continuation.TOKEN),
        ({"value": [1], "nextLink": link}, Continuation.LINK),
        ({"value": [1], "@odata.nextLink": link}, Continuation.LINK),
        ({"totalRecords": 1, "count": 1, "resultTruncated": "true", "data": [1]}, Continuation.CUT),
        (whole | {"skip_token": None, "total_records": 2}, Continuation.CUT),
        (whole | {"skip_token": ""}, None),
        ({"value": [1], "nextLink": ""}, None),
        ({"count": "1", "data": [1], "total_records": "many"}, None),
    ):
        with subtests.test(members=members):
            answer = answer_in(body_of(members))
            assert answer is not None
            assert answer.continuation is rest
    for body in (b"", b"[1]", b'{"records": [1]}', b'{"value": [1]', b"{}", b"7", b'{"value": [1]} {}'):
        assert answer_in(body) is None, body


_ALERT = "2516000000000000000_aaaaaaaa-0000-4000-8000-00000000000"
_OLD_ALERT = "2516000000000000000_AAAAAAAA-0000-4000-8000-000000000003"
_SECURITY = f"{SUBSCRIPTION}/providers/microsoft.security"
_PCI = f"{_SECURITY}/regulatorycompliancestandards/pci"
_CONTROL = f"{_PCI}/regulatorycompliancecontrols/1.1"
_COMPLIANT = f"{_CONTROL}/regulatorycomplianceassessments/dddd"
_VULNERABILITY = f"vulnerability {ASSESSMENT.lower()}/subassessments/99 CVE-2026-0001"
_MIXED: Message = {
    "resourceDetails": {"Source": "Azure", "Id": MACHINE},
    "Status": {"Code": "Healthy", "severity": "high "},
}


def _without(message: Message, *names: str) -> Message:
    return {name: value for name, value in message.items() if name not in names}


def _graph_row() -> Message:
    """As Azure Resource Graph gives an alert: no type, no systemAlertId, lists as JSON strings."""
    row = _without(an_arm_alert(remediationSteps='["Close it."]'), "type")
    return row | {"properties": _without(row["properties"], "systemAlertId")}


def _rest_compliance(type: str, path: str) -> Message:
    return {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Security/regulatoryComplianceStandards/{path}",
        "name": path.rpartition("/")[2],
        "type": f"Microsoft.Security/{type}",
        "properties": {"state": "Passed"},
    }


_REST = "PCI/regulatoryComplianceControls/1.1"


def _standing(number: int, said: str) -> str:
    return f"alert {_ALERT}{number} {said} stands {MACHINE}"


def _flattened(message: Message) -> Message:
    """As `az security alert list` prints it."""
    flattened: Message = message["properties"]
    return _without(message, "properties") | flattened


_SHAPES: dict[str, tuple[object, str]] = {
    "flat alert": (a_flat_alert(), _standing(1, "VM_Example High New")),
    "the same from Resource Graph": (a_graph_row(), _standing(1, "VM_Example High Active")),
    "flat incident": (
        a_flat_alert(IsIncident=True),
        _standing(1, "VM_Example High New").replace("alert", "incident", 1),
    ),
    "ARM alert of 2022": (an_arm_alert(), _standing(2, "Storage.Example Medium Active")),
    "the same, flattened": (_flattened(an_arm_alert()), _standing(2, "Storage.Example Medium Active")),
    "ARM alert of 2015 to 2019": (
        an_old_arm_alert(),
        f"alert {_OLD_ALERT} ThreatIntelligence High Dismissed over {MACHINE}",
    ),
    "Resource Graph row": (_graph_row(), _standing(2, "Storage.Example Medium Active")),
    "one without an id": (_without(_graph_row(), "id"), _standing(2, "Storage.Example Medium Active")),
    "one without a name": (_without(_graph_row(), "name"), _standing(2, "Storage.Example Medium Active")),
    "table row": (a_table_row(), _standing(4, "VM_Example High New")),
    "row of another type": (a_table_row(Type="Detection"), _standing(4, "VM_Example High New")),
    "table row without Defender's id": (
        a_table_row(VendorOriginalId=""),
        f"alert bbbbbbbb-0000-4000-8000-000000000004 VM_Example High New stands {MACHINE}",
    ),
    "ARM document that carries columns too": (
        a_flat_alert() | an_arm_alert(),
        _standing(2, "Storage.Example Medium Active"),
    ),
    "log search alert": (a_common_alert(), f"alert {COMMON_ALERT} file-integrity High Fired stands {MACHINE}"),
    "metric alert": (a_metric_alert(), f"alert {COMMON_ALERT} cpu Low Resolved over {MACHINE}"),
    "assessment": (
        an_assessment(),
        f"recommendation {ASSESSMENT.lower()} {ASSESSMENT_KEY} Medium Unhealthy stands {MACHINE}",
    ),
    "assessment without a type": (
        _without(an_assessment(), "type"),
        f"recommendation {ASSESSMENT.lower()} {ASSESSMENT_KEY} Medium Unhealthy stands {MACHINE}",
    ),
    "sub-assessment": (a_sub_assessment(), f"{_VULNERABILITY} High Unhealthy stands {MACHINE}"),
    "with $type": (in_pascal_case(a_sub_assessment()), f"{_VULNERABILITY} High Unhealthy stands {MACHINE}"),
    "in mixed case": (a_sub_assessment(**_MIXED), f"{_VULNERABILITY} High Healthy over {MACHINE}"),
    "secure score": (
        a_secure_score(),
        f"secure_score {_SECURITY}/securescores/ascscore ascScore - - stands {SUBSCRIPTION}",
    ),
    "secure score control": (
        a_score_control(),
        f"secure_score_control {_SECURITY}/securescores/ascscore/securescorecontrols/mfa mfa - - stands {SUBSCRIPTION}",
    ),
    "compliance": (a_compliance_assessment(), f"compliance {_COMPLIANT} dddd - Failed stands {SUBSCRIPTION}"),
    "compliance assessment of the REST API": (
        _rest_compliance("regulatoryComplianceAssessment", f"{_REST}/regulatoryComplianceAssessments/dddd"),
        f"compliance {_COMPLIANT} dddd - Passed stands {SUBSCRIPTION}",
    ),
    "compliance control of the REST API": (
        _rest_compliance("regulatoryComplianceControl", _REST),
        f"compliance {_CONTROL} 1.1 - Passed stands {SUBSCRIPTION}",
    ),
    "compliance standard of the REST API": (
        _rest_compliance("regulatoryComplianceStandard", "PCI"),
        f"compliance {_PCI} PCI - Passed stands {SUBSCRIPTION}",
    ),
    "attack path of Exposure Management": (
        an_attack_path(),
        f"attack_path {_SECURITY}/attackpaths/eeee ExposedClusterToDatabase Critical - stands {MACHINE}-db",
    ),
    "attack path of Defender CSPM": (
        a_legacy_attack_path(),
        f"attack_path {_SECURITY}/attackpaths/eeee ExposedMachineToStore High - stands {MACHINE}-store",
    ),
}
"""Messages, and the kind, id, type, severity, status and resource of what they become; - is none."""


def _summary(signal: Alert | Finding | Quarantined) -> str:
    assert not isinstance(signal, Quarantined), signal
    severity = signal.severity.label if signal.severity is not None else "-"
    state = "over" if signal.resolved else "stands"
    return f"{signal.kind} {signal.id} {signal.type} {severity} {signal.status or '-'} {state} {signal.resource}"


def test_each_shape_becomes_its_signal_in_whatever_case_its_keys_are(subtests: pytest.Subtests) -> None:
    """Each becomes a signal of its kind, under its own id."""
    for name, (message, expected) in _SHAPES.items():
        for change in (str, str.lower, str.upper, str.swapcase):
            with subtests.test(name, keys=change.__name__):
                assert _summary(read_one(rekeyed(message, change))) == expected


def test_what_is_neither_alert_nor_finding_is_quarantined_whole(subtests: pytest.Subtests) -> None:
    """Also what has an alert's properties under another type. The refusal of another ARM document names its type."""
    for type in ("automations", "assessmentMetadata", "pricings", "securescorecontroldefinitions"):
        with subtests.test(type):
            id = f"{SUBSCRIPTION}/providers/Microsoft.Security/{type}/x"
            ours = {"id": id, "name": "x", "type": f"Microsoft.Security/{type}", "properties": {}}
            refused = read_quarantined(ours)
            assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, "type")
            assert f"Microsoft.Security/{type}" in refused.reason.words
    rule: Message = {
        "name": "quiet",
        "properties": {"alertType": "VM_Example", "state": "Enabled", "reason": "Noise"},
    }
    for message in (
        {},
        {"category": "Security", "resourceId": MACHINE},
        {"type": None},
        {"records": 5},
        an_arm_alert() | {"id": "/providers/Other.Product/entities/x", "type": "Other.Product/entities"},
        rule,
        rule | {"type": "Microsoft.Security/alertsSuppressionRules"},
    ):
        with subtests.test(message=message):
            refused = read_quarantined(message)
            assert (refused.reason.code, refused.body) == (Code.UNKNOWN_SHAPE, body_of(message))
