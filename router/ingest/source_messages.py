"""Writes the message that a source is silent, or speaks again, so that it is taken in like any other. Pure.

What to look at stands in https://learn.microsoft.com/azure/defender-for-cloud/continuous-export and
https://learn.microsoft.com/azure/defender-for-cloud/concept-cloud-security-posture-management.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from shlex import quote

import orjson

from router.domain.coverage_sources import CoverageSourceKind
from router.domain.readable import counted, timestamp
from router.domain.resources import is_guid
from router.domain.silent_sources import MESSAGE_TYPE, SourceState, SourceTurn, finding_id_of
from router.ingest.messages import Message

SOURCE = "silent sources"
"""What people call the place where these messages come in."""

_DAY = timedelta(days=1)

_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
"""A name that means itself in a shell, and in the language of `--query`, too."""


def message_of(turn: SourceTurn) -> Message:
    """The message that tells of a turn: the same turn makes the same message."""
    is_silent = turn.state is SourceState.SILENT
    document = {
        "id": finding_id_of(turn.source),
        "type": MESSAGE_TYPE,
        "properties": {
            "rung": turn.rung,
            "status": "Unhealthy" if is_silent else "Healthy",
            "severity": "High",
            "displayName": f"Nothing is heard of {_name_for(turn)}",
            "description": _describe_silence(turn) if is_silent else _describe_end(turn),
            "remediation": _steps(turn) if is_silent else [],
            "resource": resource_of(turn),
            "statusChangeDate": turn.at.isoformat(),
        },
    }
    return Message(orjson.dumps(document), SOURCE, turn.arrival)


def resource_of(turn: SourceTurn) -> str:
    """The id of the subscription or cluster; of a cluster of which only the name is known, that."""
    subject = turn.source.subject
    if turn.source.kind is not CoverageSourceKind.CLUSTER:
        return f"/subscriptions/{subject}"
    scope, slash, _ = subject.partition("/")
    return turn.name if not slash or is_guid(scope) else subject


def _name_for(turn: SourceTurn) -> str:
    if turn.source.kind is CoverageSourceKind.PLAN:
        return f"plan {turn.source.plan} in subscription {turn.source.subject}"
    return f"{turn.source.kind} {turn.name}"


def _describe_silence(turn: SourceTurn) -> str:
    last = turn.last
    if last is None:
        heard = f"Nothing was ever heard of it; that counts since {timestamp(turn.since)}"
    else:
        heard = (
            f"Defender's recommendations last spoke of it at {timestamp(last)}, {_span_words(turn.at - last)} before"
        )
        if turn.since > last:
            heard += f"; times count since {timestamp(turn.since)}, when the router was away or events were lost"
    entry = f"expect[{turn.entry - 1}]" if turn.entry else "as a whole"
    sentences = [f"{heard}.", f"coverage.yaml ({entry}) lets it be silent for {_span_words(turn.within)}."]
    if turn.others:
        more = counted(turn.others, f"more {turn.source.kind}")
        sentences.append(
            f"{more} {'is' if turn.others == 1 else 'are'} silent, too: look first at what they share, such as the hub."
        )
    sentences.append(_CONSEQUENCE[turn.source.kind])
    return " ".join(sentences)


_CONSEQUENCE = {
    CoverageSourceKind.SUBSCRIPTION: "While it is silent nobody knows whether its alerts would arrive.",
    CoverageSourceKind.PLAN: "The subscription speaks, and nothing in it of what this plan looks at.",
    CoverageSourceKind.CLUSTER: "Its subscription speaks, and not of it: it may be gone, or not looked at any more.",
}


def _describe_end(turn: SourceTurn) -> str:
    if turn.state is SourceState.EXCUSED:
        return f"Its silence is excused until {turn.excuse}. It is told again then, if it lasts."
    if turn.state is SourceState.UNEXPECTED:
        return "coverage.yaml no longer expects it, or not so soon."
    heard = turn.last or turn.at
    return f"It was heard of again at {timestamp(heard)}, after {_span_words(heard - turn.since)} of silence."


def _steps(turn: SourceTurn) -> Sequence[str]:
    # Names come from messages, and people copy commands: a shell must find nothing in them.
    id = f"--subscription {quote(turn.subscription)}" if turn.subscription else "--subscription ID"
    export = (
        f"Continuous export is on, leads to the router's hub, and exports recommendations with Healthy ones and a weekly "
        f"snapshot: az security automation list {id} -o json"
    )
    exception = (
        "Where it is gone for good, take it out of coverage.yaml; where its silence is known, add an exception with "
        f"kind: {turn.source.kind} and rungs: [{turn.rung}]."
    )
    query = f" --query \"[?name=='{turn.name}'].id\"" if _PLAIN.fullmatch(turn.name) else ""
    match turn.source.kind:
        case CoverageSourceKind.SUBSCRIPTION:
            return (
                f"The subscription is there and enabled: az account show {id} --query state",
                export,
                f"Foundational CSPM is on, without which there are no recommendations: "
                f"az security pricing show --name CloudPosture {id}",
                exception,
            )
        case CoverageSourceKind.PLAN:
            return (
                f"The plan is on: az security pricing show --name {quote(turn.source.plan)} {id}",
                export,
                "Where the subscription has nothing that this plan looks at, take it out of coverage.yaml.",
            )
        case _:
            return (
                f"The cluster is there: az aks list {id}{query}",
                export,
                "Its plan, sensor and connector: alert-router coverage check says what is missing.",
                exception,
            )


def _span_words(span: timedelta) -> str:
    """A span in days, or where it is shorter than two of them in hours."""
    if span < 2 * _DAY:
        return counted(max(span // timedelta(hours=1), 0), "hour")
    return counted(span // _DAY, "day")
