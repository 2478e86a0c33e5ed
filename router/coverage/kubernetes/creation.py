"""Why the pods of a DaemonSet are not made. What is said here explains a gap, and decides nothing: events live for an hour.

https://kubernetes.io/docs/concepts/security/pod-security-admission/,
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as declared
from enum import StrEnum

from router.coverage.facts import Source
from router.coverage.fields import find, find_text
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.nodes import labels_of
from router.coverage.readers.kubernetes import KubernetesFact

ENFORCE = "pod-security.kubernetes.io/enforce"
"""The label by which a namespace refuses pods. Those that warn and audit let every pod in."""

_REFUSING = ("baseline", "restricted")
"""The levels that refuse the sensor, for its host paths and capabilities."""

_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationFailure:
    """An event that says why a pod was not made.

    Attributes:
        namespace: the namespace of the DaemonSet.
        owner: the DaemonSet.
        owner_uid: its uid; None where the event does not say it.
        field: the field in which the message stands.
        message: what the API server answered.
        time: when it did so last, as it is written; empty where the event does not say it.
        source: where that stands.
    """

    namespace: str
    owner: str
    owner_uid: str | None
    field: str
    message: str
    time: str
    source: Source = declared(compare=False)

    def is_about(self, daemon_set: SensorDaemonSet) -> bool:
        """Whether the DaemonSet is the one that it speaks of; one of that name which was deleted since has another uid."""
        is_same = not self.owner_uid or not daemon_set.uid or self.owner_uid == daemon_set.uid
        return (self.namespace, self.owner) == daemon_set.key and is_same


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceLevel:
    """What a namespace lets in.

    Attributes:
        namespace: the namespace.
        enforced: the level that it enforces, in lower case; empty where no label says one.
        source: where that stands.
    """

    namespace: str
    enforced: str
    source: Source = declared(compare=False)

    @property
    def refuses_sensor(self) -> bool:
        """Whether pods of the sensor are refused there."""
        return self.enforced in _REFUSING


def find_failure(fact: KubernetesFact) -> CreationFailure | None:
    """The failure that an event of either API speaks of; None where it speaks of something else."""
    about = find(fact.body, "involvedObject") or find(fact.body, "regarding")
    if find_text(fact.body, "reason") != "FailedCreate" or find_text(about, "kind") != "DaemonSet":
        return None
    named = "message" if find_text(fact.body, "message") else "note"
    return CreationFailure(
        namespace=find_text(about, "namespace") or fact.namespace,
        owner=find_text(about, "name") or "",
        owner_uid=find_text(about, "uid"),
        field=named,
        message=" ".join((find_text(fact.body, named) or "").split()),
        time=_last_time(fact.body),
        source=fact.source,
    )


def _last_time(body: Mapping[str, object]) -> str:
    paths = (
        ("series", "lastObservedTime"),
        ("lastTimestamp",),
        ("deprecatedLastTimestamp",),
        ("eventTime",),
        ("metadata", "creationTimestamp"),
    )
    return max((text for path in paths if (text := find_text(body, *path))), default="")


def level_of(fact: KubernetesFact) -> NamespaceLevel:
    """What a namespace lets in."""
    labels = labels_of(fact.body, "metadata", "labels")
    return NamespaceLevel(namespace=fact.name, enforced=labels.get(ENFORCE, "").strip().lower(), source=fact.source)


class Refuser(StrEnum):
    """Who keeps pods from being made."""

    POD_SECURITY = "pod security"
    WEBHOOK = "webhook"
    POLICY = "policy"
    QUOTA = "quota"
    SECURITY_CONTEXT = "security context"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Cause:
    """What keeps pods from being made.

    Attributes:
        reason: what it is, as a clause.
        refuser: who does it.
        name: the level, the webhook, the policy or the quota; empty for another cause.
    """

    reason: str
    refuser: Refuser
    name: str


_POD_SECURITY = re.compile(r'violates PodSecurity "(\w{1,40}):([\w.]{1,40})"')
_WEBHOOK = re.compile(r'admission webhook "([^"]{1,253})" denied the request:? ?(.*)')
_UNANSWERED = re.compile(r'failed calling webhook "([^"]{1,253})": ?(.*)')
_SECURITY_CONTEXT = re.compile(r"unable to validate against any security context constraint: ?(.*)")
_QUOTA = re.compile(r"exceeded quota: ([\w.-]{1,253})")
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']{1,253})'")


def cause_of(failure: CreationFailure) -> Cause:
    """What keeps pods from being made, as the API server answered it."""
    message = failure.message
    if found := _POD_SECURITY.search(message):
        return Cause(f"Pod Security refuses its pods at level {found[1]}", Refuser.POD_SECURITY, found[1])
    if found := _WEBHOOK.search(message):
        who = "Gatekeeper" if found[1].endswith("gatekeeper.sh") else "the admission webhook"
        return Cause(f'{who} {found[1]} refuses its pods ("{_cut(found[2])}")', Refuser.WEBHOOK, found[1])
    if found := _UNANSWERED.search(message):
        reason = f'the admission webhook {found[1]} does not answer, so that no pod is made ("{_cut(found[2])}")'
        return Cause(reason, Refuser.WEBHOOK, found[1])
    if found := _SECURITY_CONTEXT.search(message):
        reason = f'no security context constraint of OpenShift lets its pods in ("{_cut(found[1])}")'
        return Cause(reason, Refuser.SECURITY_CONTEXT, "")
    if found := _POLICY.search(message):
        return Cause(
            f'the ValidatingAdmissionPolicy {found[1]} refuses its pods ("{_cut(message)}")', Refuser.POLICY, found[1]
        )
    if found := _QUOTA.search(message):
        return Cause(f'the quota {found[1]} has no room for its pods ("{_cut(message)}")', Refuser.QUOTA, found[1])
    return Cause(f'its pods cannot be made ("{_cut(message)}")', Refuser.OTHER, "")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"
