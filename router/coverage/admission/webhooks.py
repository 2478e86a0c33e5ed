"""Whether the API server asks a webhook about every new pod, and whom it asks. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies, labels_of
from router.coverage.admission.effects import listed
from router.coverage.fields import find, find_list, find_text, objects_at
from router.coverage.kubernetes.asks import ASK_CLUSTER, ASK_WEBHOOKS
from router.coverage.readers.kubernetes import KubernetesFact
from router.domain.coverage import Verdict, covered, gap, unknown

CONFIGURATION = "ValidatingWebhookConfiguration"

_NAME_LABEL = "kubernetes.io/metadata.name"
_EXCLUDES = ("NotIn", "DoesNotExist")


@dataclass(frozen=True, slots=True)
class AdmissionWebhook:
    """A webhook that a cluster has, or has not.

    Attributes:
        name: its name; the pattern's text where it was not seen.
        namespace: the namespace of the service that answers it; None where it was not seen or names none.
        is_there: whether it was seen.
        verdict: whether the API server asks it about new pods.
    """

    name: str
    namespace: str | None
    is_there: bool
    verdict: Verdict


def webhooks_of(objects: ClusterObjects, name: re.Pattern[str], called: str, service: str) -> list[AdmissionWebhook]:
    """The webhooks of a name, one for each configuration; where there is none, one that says so."""
    found = [
        _webhook(objects, configuration, name, called, service)
        for configuration in objects.find(CONFIGURATION)
        if any(_entry(copy, name) is not None for copy in configuration.copies)
    ]
    if found:
        return found
    if objects.was_asked(CONFIGURATION):
        return [AdmissionWebhook(called, None, False, gap(f"no webhook {called} is in the cluster"))]
    ask = ASK_WEBHOOKS if objects.find("Pod") else ASK_CLUSTER
    return [AdmissionWebhook(called, None, False, unknown(f"nobody asked for the webhook {called}", remedy=ask))]


def _webhook(
    objects: ClusterObjects, configuration: ObjectCopies, name: re.Pattern[str], called: str, service: str
) -> AdmissionWebhook:
    def rank(copy: KubernetesFact) -> int:
        entry = _entry(copy, name)
        return 0 if entry is None else 1 if _find_limit(entry, service) else 2

    worst = configuration.worst(rank)
    contradiction = configuration.contradiction(rank)
    entry = _entry(worst, name)
    if entry is None:
        missing = gap(
            f"no webhook {called} is in {worst.name}", worst.source.shows("webhooks", ""), remarks=contradiction
        )
        return AdmissionWebhook(called, None, True, missing)
    title = find_text(entry, "name") or called
    namespace = find_text(entry, "clientConfig", "service", "namespace")
    policy = find_text(entry, "failurePolicy") or "Fail"
    evidence = worst.source.shows(f"webhooks[{title}].failurePolicy", policy)
    remarks = (*contradiction, *_holes(entry, title, policy, objects))
    if (limit := _find_limit(entry, service)) is not None:
        return AdmissionWebhook(title, namespace, True, gap(f"the webhook {title} {limit}", evidence, remarks=remarks))
    reason = f"the API server asks the webhook {title} about new pods"
    return AdmissionWebhook(title, namespace, True, covered(reason, evidence, remarks=remarks))


def _entry(configuration: KubernetesFact, name: re.Pattern[str]) -> Mapping[str, object] | None:
    """The webhook of that name in a configuration: the configuration may have any name."""
    webhooks = objects_at(configuration.body, "webhooks")
    return next((one for one in webhooks if name.fullmatch(find_text(one, "name") or "")), None)


def _find_limit(entry: Mapping[str, object], service: str) -> str | None:
    """What keeps the API server from asking about every new pod; None where nothing does."""
    answers = find_text(entry, "clientConfig", "service", "name")
    if answers != service:
        return f"is answered by {answers or 'something outside the cluster'}, not by {service}"
    if not creates_pods(objects_at(entry, "rules")):
        return "is not asked about new pods: none of its rules has CREATE of pods"
    if never := never_met(entry):
        return f"is never asked: its matchCondition {never} is always false"
    if _has_blank_authority(entry):
        return "cannot be asked: its caBundle has no certificate yet"
    for selector, what in (("namespaceSelector", "namespaces"), ("objectSelector", "objects")):
        if keeps_everything_out(find(entry, selector)):
            return f"is never asked: no {what} fit its {selector}"
        if wanted := [text for text, excludes in _requirements(find(entry, selector)) if not excludes]:
            return f"is only asked about {what} with {listed(wanted)}"
    return None


def _holes(entry: Mapping[str, object], title: str, policy: str, objects: ClusterObjects) -> list[str]:
    """What passes the webhook unseen, as remarks."""
    found = []
    if policy.lower() == "ignore":
        found.append(f"{title} has failurePolicy Ignore: while no pod answers it, everything is admitted")
    for selector, what in (("namespaceSelector", "namespaces"), ("objectSelector", "objects")):
        if without := [text for text, excludes in _requirements(find(entry, selector)) if excludes]:
            found.append(f"{title} is not asked about {what} except those with {listed(without)}")
    excluded = sorted(
        namespace.name
        for namespace in objects.find("Namespace")
        if any(_is_excluded(find(entry, "namespaceSelector"), copy) for copy in namespace.copies)
    )
    if excluded:
        found.append(f"{title} is not asked in namespace {listed(excluded)}")
    if conditions := [find_text(one, "name") or "without a name" for one in objects_at(entry, "matchConditions")]:
        found.append(
            f"{title} is only asked where its matchConditions hold, which are not evaluated: {listed(conditions)}"
        )
    return found


def never_met(body: Mapping[str, object]) -> str | None:
    """The first condition of a webhook or a policy that is the word false, with which people switch one off; None for none."""
    for one in objects_at(body, "matchConditions"):
        if (find_text(one, "expression") or "").lower() == "false":
            return find_text(one, "name") or "without a name"
    return None


def keeps_everything_out(selector: object) -> bool:
    """Whether a selector asks that a label be absent which every namespace has."""
    expressions = objects_at(selector, "matchExpressions")
    return any(
        find_text(one, "key") == _NAME_LABEL and find_text(one, "operator") == "DoesNotExist" for one in expressions
    )


def _has_blank_authority(entry: Mapping[str, object]) -> bool:
    """Whether the certificates by which the API server knows the webhook are still the empty line that manifests have."""
    written = find(entry, "clientConfig", "caBundle")
    if not isinstance(written, str):
        return False
    try:
        return not base64.b64decode(written).strip()
    except ValueError:
        return False


def creates_pods(rules: Sequence[Mapping[str, object]]) -> bool:
    """Whether one of some rules means new pods."""
    return any(
        _has(rule, "operations", "CREATE")
        and _has(rule, "apiGroups", "")
        and (_has(rule, "resources", "pods") or _has(rule, "resources", "*/*"))
        and (find_text(rule, "scope") or "*") != "Cluster"
        and not find_list(rule, "resourceNames")
        for rule in rules
    )


def _has(rule: Mapping[str, object], field: str, value: str) -> bool:
    return any(isinstance(one, str) and one.lower() in (value.lower(), "*") for one in find_list(rule, field) or ())


def _requirements(selector: object) -> list[tuple[str, bool]]:
    """What a selector requires of labels, each with whether it only keeps some objects out."""
    labels = find(selector, "matchLabels")
    wanted = [(f"{key}={value}", False) for key, value in labels.items()] if isinstance(labels, Mapping) else []
    for one in objects_at(selector, "matchExpressions"):
        operator, key = find_text(one, "operator") or "", find_text(one, "key") or ""
        values = ", ".join(str(value) for value in find_list(one, "values") or ())
        wanted.append((f"{key} {operator} {values}".strip(), operator in _EXCLUDES))
    return wanted


def _is_excluded(selector: object, namespace: KubernetesFact) -> bool:
    """Whether a requirement of a selector keeps a namespace out."""
    labels = {_NAME_LABEL: namespace.name, **labels_of(namespace)}
    for one in objects_at(selector, "matchExpressions"):
        operator, key = find_text(one, "operator"), find_text(one, "key") or ""
        if operator == "DoesNotExist" and key in labels:
            return True
        if operator == "NotIn" and key in labels and labels[key] in (find_list(one, "values") or ()):
            return True
    return False
