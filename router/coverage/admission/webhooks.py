"""Whether the API server asks a webhook about every new pod, and whom it asks. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.coverage.admission.cluster_objects import ClusterObjects, ObjectCopies
from router.coverage.admission.namespaces import (
    GatedNamespace,
    Reach,
    all_reach,
    by_conditions,
    by_namespace,
    by_object,
)
from router.coverage.fields import find, find_list, find_text, objects_at
from router.coverage.kubernetes.asks import ASK_CLUSTER, ASK_WEBHOOKS
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import Verdict, covered, gap, unknown

CONFIGURATION = "ValidatingWebhookConfiguration"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionWebhook:
    """A webhook that a cluster has, or has not.

    Attributes:
        name: its name; the pattern's text where it was not seen.
        service: the service that answers it; empty where it was not seen or names none.
        namespace: the namespace of that service; empty like it.
        is_there: whether it was seen.
        verdict: whether the API server asks it about new pods, of whichever namespaces.
        configuration: the name of what it stands in.
        entries: the webhook, as often as documents show it.
    """

    name: str
    service: str = ""
    namespace: str = ""
    is_there: bool
    verdict: Verdict
    configuration: str = ""
    entries: tuple[Mapping[str, object], ...] = ()

    def reach(self, namespace: GatedNamespace) -> Reach:
        """Whether the API server asks it about the new pods of a namespace."""
        who = f"the webhook {self.name}"
        return all_reach(
            part
            for entry in self.entries
            for part in (
                by_namespace(who, find(entry, "namespaceSelector"), namespace),
                by_object(who, "objectSelector", find(entry, "objectSelector"), namespace),
                by_conditions("validatingwebhookconfiguration", self.configuration, who, entry),
            )
        )


def webhooks_of(objects: ClusterObjects, name: re.Pattern[str], called: str) -> list[AdmissionWebhook]:
    """The webhooks of a name, one for each configuration; where there is none, one that says so."""
    found = [
        _webhook(configuration, name, called)
        for configuration in objects.find(CONFIGURATION)
        if any(_entry(copy, name) is not None for copy in configuration.copies)
    ]
    if found:
        return found
    if objects.was_asked(CONFIGURATION):
        missing = gap(f"no webhook {called} is in the cluster")
    else:
        ask = ASK_WEBHOOKS if objects.find("Pod") else ASK_CLUSTER
        missing = unknown(f"nobody asked for the webhook {called}", remedy=ask)
    return [AdmissionWebhook(name=called, is_there=False, verdict=missing)]


def _webhook(configuration: ObjectCopies, name: re.Pattern[str], called: str) -> AdmissionWebhook:
    def rank(copy: KubernetesFact) -> int:
        entry = _entry(copy, name)
        return 0 if entry is None else 1 if _find_limit(entry) else 2

    worst = configuration.worst(rank)
    contradiction = configuration.contradiction(rank)
    entry = _entry(worst, name)
    if entry is None:
        missing = gap(
            f"no webhook {called} is in {worst.name}", worst.source.shows("webhooks", ""), remarks=contradiction
        )
        return AdmissionWebhook(name=called, is_there=True, verdict=missing)
    title = find_text(entry, "name") or called
    policy = find_text(entry, "failurePolicy") or "Fail"
    evidence = worst.source.shows(f"webhooks[{title}].failurePolicy", policy)
    ignores = f"{title} has failurePolicy Ignore: while no pod answers it, everything is admitted"
    limits = (ignores,) if policy.lower() == "ignore" else ()
    if (limit := _find_limit(entry)) is not None:
        verdict = gap(f"the webhook {title} {limit}", evidence, remarks=(*contradiction, *limits))
    else:
        reason = f"the API server asks the webhook {title} about new pods"
        verdict = covered(reason, evidence, remarks=contradiction, limits=limits)
    return AdmissionWebhook(
        name=title,
        service=find_text(entry, "clientConfig", "service", "name") or "",
        namespace=find_text(entry, "clientConfig", "service", "namespace") or "",
        is_there=True,
        verdict=verdict,
        configuration=configuration.name,
        entries=tuple(one for copy in configuration.copies if (one := _entry(copy, name)) is not None),
    )


def _entry(configuration: KubernetesFact, name: re.Pattern[str]) -> Mapping[str, object] | None:
    """The webhook of that name in a configuration: the configuration may have any name."""
    webhooks = objects_at(configuration.body, "webhooks")
    return next((one for one in webhooks if name.fullmatch(find_text(one, "name") or "")), None)


def _find_limit(entry: Mapping[str, object]) -> str | None:
    """What keeps the API server from asking about any new pod; None where nothing does."""
    if find_text(entry, "clientConfig", "service", "name") is None:
        return "is answered by something outside the cluster"
    if not creates_pods(objects_at(entry, "rules")):
        return "is not asked about new pods: none of its rules has CREATE of pods"
    if never := never_met(entry):
        return f"is never asked: its matchCondition {never} is always false"
    if _has_blank_authority(entry):
        return "cannot be asked: its caBundle has no certificate yet"
    return None


def never_met(body: Mapping[str, object]) -> str | None:
    """The first condition of a webhook or a policy that is the word false, with which people switch one off; None for none."""
    for one in objects_at(body, "matchConditions"):
        if (find_text(one, "expression") or "").lower() == "false":
            return find_text(one, "name") or "without a name"
    return None


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
