"""What is offered to hold what is like a signal holds that signal, says where it is, and names no credential."""

import pytest

from router.app.alike import rule_like, silence_like
from router.decide.preview import rule_matcher, silence_matcher
from router.domain.owners import NO_OWNERS
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.signals import Signal
from router.rulebook.silence_scope import WrittenScope, read_silence_scope
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_finding, a_rulebook, an_alert
from tests.silences import a_silence

DATABASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data/providers/Microsoft.Sql/servers/s/databases/d"
HOST = {"Type": "host", "HostName": "web-7"}
WHOLE = f"/subscriptions/{SUBSCRIPTION}"
KEY = "AKIAIOSFODNN7EXAMPLE"


def entity(resource: str) -> dict[str, str]:
    return {"Type": "azure-resource", "ResourceId": resource}


@pytest.mark.parametrize(
    ("signal", "place", "field"),
    [
        (an_alert(), {"host": "vm-1"}, "resourceId"),
        (an_alert(Entities=[entity(RESOURCE.upper())]), {"host": "vm-1"}, "entities.azureresource.resourceid"),
        (an_alert(AzureResourceId=DATABASE), {"resource": DATABASE}, "resourceId"),
        (an_alert(AzureResourceId=WHOLE, Entities=[HOST, entity(WHOLE)]), {"host": "web-7"}, "entities.host.hostname"),
        (a_finding(), {"host": "vm-1"}, "entities.azureresource.resourceid"),
        (an_alert(AzureResourceId=f"{DATABASE}\u202e\u0001é"), {"resource": f"{DATABASE}\u202e\u0001é"}, "resourceId"),
    ],
)
def test_what_is_like_a_signal_is_held_by_what_is_offered(signal: Signal, place: dict[str, str], field: str) -> None:
    """By its machine or its resource, also where only entities name one; whatever signs stand in that."""
    known, offered = signal_of(rule_fields_of(signal)), silence_like(signal)
    assert offered == {"stream": signal.stream, "type": signal.type, **place}
    written = WrittenScope(
        stream=signal.stream,
        alert_type=signal.type,
        resource=place.get("resource"),
        hosts=[*filter(None, [place.get("host")])],
    )
    silence = a_silence(stream=signal.stream, alert_type=signal.type, groups=read_silence_scope(written).groups)
    assert silence_matcher(silence, a_rulebook(stream=signal.stream)).covers(known)
    rule = rule_like(known, NOW)
    assert rule is not None
    assert rule.rule is not None, rule.faults
    assert rule.text.isascii() or "\u202e" not in rule.text
    assert f'"{field}"' in rule.text
    assert rule_matcher(rule.rule, NO_OWNERS).covers(known)
    assert {fault.code for fault in rule.faults} <= {"no-owner", "not-portable"}


@pytest.mark.parametrize("resource", [WHOLE, "", f"{DATABASE}?sig=x&aws_access_key_id={KEY}"])
def test_nothing_is_offered_for_what_is_nowhere(resource: str) -> None:
    """Neither for a whole subscription, nor where a credential would stand in it."""
    signal = an_alert(AzureResourceId=resource)
    assert (silence_like(signal), rule_like(signal, NOW)) == (None, None)


def test_no_rule_is_offered_that_no_page_could_show() -> None:
    """A sender may name a resource at any length."""
    assert rule_like(an_alert(AzureResourceId=f"{DATABASE}{'x' * 100_000}"), NOW) is None
