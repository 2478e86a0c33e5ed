"""What holds for every body there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.signals import Alert, Finding, Quarantined
from router.parse import evidence_of, read_signals, split_body
from tests.constructed import posture
from tests.examples import some_of
from tests.parse import messages
from tests.parse.messages import CATALOGUE, Message, in_pascal_case, read_one

_MESSAGES: tuple[Callable[[], Any], ...] = (
    messages.a_flat_alert,
    messages.a_graph_row,
    messages.an_arm_alert,
    messages.an_old_arm_alert,
    messages.a_table_row,
    messages.an_assessment,
    messages.a_sub_assessment,
    lambda: in_pascal_case(messages.a_sub_assessment()),
    messages.a_secure_score,
    messages.a_score_control,
    messages.a_compliance_assessment,
    messages.an_attack_path,
    messages.a_legacy_attack_path,
    messages.a_common_alert,
    messages.a_metric_alert,
    posture.a_software_update,
    posture.an_image_update,
    posture.a_broken_rule,
    posture.an_exposure_path,
    posture.a_compliance_category,
)
_NAMES = """
    type Type id name properties records AlertType SystemAlertId $id $ref
    Entities entities severity status metadata score TimeGenerated
    value data Data count skip_token total_records nextLink facets
    CvesDetails CveId ScannersDetails CvesIds risk level SoftwareName
    ResourceIdentifiers ExtendedProperties securityEventDataEnrichment graphComponent
    schemaId essentials alertContext alertId condition allOf dimensions event
"""
_TEXTS = [
    "Microsoft.Security/assessments",
    "Microsoft.Security/Locations/alerts",
    "azureMonitorCommonAlertSchema",
    "[",
    "{}",
    '[{"Type":"ip"}]',
    '[{"CveId":"CVE-2026-0001"}',
    "2/25/2025, 9:19:25.391 AM",
    "\ud800",
]
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(_TEXTS)
_KEYS = st.sampled_from(_NAMES.split()) | st.text(max_size=5)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=20
)


def _is_whole(signals: tuple[Alert | Finding | Quarantined, ...]) -> None:
    """Every text of a signal, and of its evidence, can be written as UTF-8."""
    assert signals
    for signal in signals:
        if isinstance(signal, Quarantined):
            f"{signal.reason} {signal.at_fault}".encode()
            assert isinstance(signal.body, bytes)
            continue
        orjson.dumps([signal.id, signal.type, signal.title, signal.description, signal.status, signal.severity_written])
        if isinstance(signal, Finding):
            said = [
                signal.category,
                signal.package,
                signal.cves,
                signal.image,
                signal.rule,
                signal.risk,
                signal.scanner,
            ]
            orjson.dumps(said)
        orjson.dumps([signal.resource, signal.link, signal.remediation, signal.intents, signal.techniques])
        orjson.dumps([signal.extended, evidence_of(signal, CATALOGUE)])
        assert signal.id
        assert signal.changed is None or signal.changed.utcoffset() is not None


@given(body=st.binary(max_size=300))
def test_reading_is_total_on_bytes(body: bytes) -> None:
    """No body raises; each becomes at least one signal or refusal, and refuses or splits."""
    _is_whole(read_signals(body, CATALOGUE))
    assert split_body(body) is None or split_body(body)


@given(document=_JSON)
def test_reading_is_total_on_documents(document: object) -> None:
    """No JSON document raises, also with NaN and lone surrogates in it; its parts read like the whole."""
    body = json.dumps(document).encode()
    signals = read_signals(body, CATALOGUE)
    _is_whole(signals)
    bodies = split_body(body)
    assert bodies is not None
    assert len(bodies) == len(signals)


def _mutated(data: st.DataObject, message: Message) -> Message:
    """The message after a few changes at any depth: a key gone, a value replaced, a key in another case."""
    message = orjson.loads(orjson.dumps(message))
    for _ in range(data.draw(st.integers(1, 4))):
        if not message:
            break
        inner: Any = message
        while isinstance(inner, dict) and inner:
            holder, name = inner, data.draw(st.sampled_from(sorted(inner)))
            inner = inner[name]
            if data.draw(st.booleans()):
                break
        change = data.draw(st.sampled_from(["delete", "replace", "recase"]))
        held = holder.pop(name)
        if change == "replace":
            holder[name] = data.draw(_JSON)
        elif change == "recase":
            holder[data.draw(st.sampled_from([name.lower(), name.upper(), name.swapcase()]))] = held
    return message


@settings(max_examples=some_of(300))
@given(build=st.sampled_from(_MESSAGES), data=st.data())
def test_reading_is_total_on_mutated_messages(build: Callable[[], Message], data: st.DataObject) -> None:
    """A message with any of its parts gone, replaced or written differently is read or quarantined, never fatal."""
    _is_whole(read_signals(json.dumps(_mutated(data, build())).encode(), CATALOGUE))


_IDENTIFYING = {"systemalertid", "vendororiginalid", "alertid", "essentials"}


def _holders_in(message: Message) -> list[Message]:
    """The objects of a message that hold its fields."""
    if "schemaId" not in message:
        return [message.get("properties") or message.get("Properties") or message]
    condition = message["data"]["alertContext"]["condition"]
    return [message["data"], message["data"]["essentials"], condition, condition["allOf"][0]]


@pytest.mark.parametrize("build", _MESSAGES)
@given(data=st.data())
@settings(max_examples=some_of(40))
def test_odd_optional_fields_cost_no_message(build: Callable[[], Message], data: st.DataObject) -> None:
    """However odd its optional fields are, a message that can be identified keeps its id and is not quarantined."""
    message = orjson.loads(orjson.dumps(build()))
    before = read_one(message)
    assert not isinstance(before, Quarantined)
    fields = data.draw(st.sampled_from(_holders_in(message)))
    optional = [name for name in fields if name.lower() not in _IDENTIFYING]
    for name in data.draw(st.lists(st.sampled_from(optional), min_size=1, max_size=4, unique=True)):
        if data.draw(st.booleans()):
            del fields[name]
        else:
            fields[name] = data.draw(_JSON)
    (after,) = read_signals(json.dumps(message).encode(), CATALOGUE)
    assert not isinstance(after, Quarantined)
    assert (after.kind.stream, after.id) == (before.kind.stream, before.id)
