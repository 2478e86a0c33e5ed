"""Objects of the three admission gates, each showing only what the test is about."""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import zip_longest
from typing import Any

from router.coverage.expected.manifest import CoverageManifest, Expectation
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import Json, known, kubectl, managed_cluster, of_kind

MANAGER, AUDIT, IMAGE = "gatekeeper-controller-manager", "gatekeeper-audit", "defender-admission-controller"
GATEKEEPER, MDC = "gatekeeper-system", "mdc"
SERVICE = "gatekeeper-webhook-service"
OPERATION = "gatekeeper.sh/operation"
LABELS = {MANAGER: {OPERATION: "webhook"}, AUDIT: {OPERATION: "audit"}, IMAGE: {"app": IMAGE}}
"""The labels of the pods of each controller."""

DEFAULT = "default-k8s-misconfiguration-policy-privileged-containers-should-be-avoided"

REGISTRATION = "admissionregistration.k8s.io/v1"
NEW_PODS: Json = {"operations": ["CREATE", "UPDATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
BOTH = CoverageManifest(expectations=(Expectation(rungs=frozenset({Rung.ADMISSION_AUDITS, Rung.ADMISSION_DENIES})),))


audits = partial(known, managed_cluster(), of="payments", on=Rung.ADMISSION_AUDITS)
denies = partial(known, managed_cluster(), of="payments", on=Rung.ADMISSION_DENIES, manifest=BOTH)
"""Whether a gate of the cluster audits, and whether it denies where a manifest expects that, as documents say."""


def audit(*objects: Json) -> Verdict:
    """Whether a gate audits, as objects in one list say."""
    return audits(kubectl(*objects))


def deny(*objects: Json) -> Verdict:
    """Whether a gate denies, as objects in one list say."""
    return denies(kubectl(*objects))


def a_pod(
    of: str,
    *,
    namespace: str = GATEKEEPER,
    is_ready: bool = True,
    restarts: int = 0,
    phase: str = "Running",
    waits: str | None = None,
    id: str = "x2x4z",
    labels: Mapping[str, str] | None = None,
) -> Json:
    """A pod of a controller, with the labels of that controller, or with others."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{of}-6c9f7d5b8", "controller": True}
    said = {"labels": LABELS.get(of, {}) if labels is None else labels, "ownerReferences": [owner]}
    state = {"waiting": {"reason": waits}} if waits else {"running": {}}
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": str(is_ready)}],
        "containerStatuses": [{"name": "manager", "ready": is_ready, "restartCount": restarts, "state": state}],
    }
    return of_kind("Pod", f"{of}-6c9f7d5b8-{id}", namespace, metadata=said, status=status)


def a_webhook(
    name: str = "validation.gatekeeper.sh",
    *,
    service: str = SERVICE,
    namespace: str = GATEKEEPER,
    rules: Iterable[Json] = (NEW_PODS,),
    configuration: str = "gatekeeper-validating-webhook-configuration",
    **fields: object,
) -> Json:
    """A configuration with one validating webhook."""
    entry = {
        "name": name,
        "clientConfig": {"service": {"name": service, "namespace": namespace, "path": "/v1/admit"}},
        "failurePolicy": "Ignore",
        "rules": list(rules),
        **fields,
    }
    return of_kind("ValidatingWebhookConfiguration", configuration, version=REGISTRATION, webhooks=[entry])


def an_image_webhook(*, namespace: str = MDC, rules: Iterable[Json] = (NEW_PODS,)) -> Json:
    """The webhook of Defender's image gate."""
    name = f"{IMAGE}.{namespace}.svc"
    return a_webhook(name, service=IMAGE, namespace=namespace, rules=rules, configuration=IMAGE)


def a_constraint(
    action: str | None = "dryrun", *, name: str = "no-privileged-pods", enforced: bool | None = None, **spec: object
) -> Json:
    """A constraint of Gatekeeper's; None leaves the action out."""
    said = {} if action is None else {"enforcementAction": action}
    by_pod: dict[str, Any] = {} if enforced is None else {"status": {"byPod": [{"id": "one", "enforced": enforced}]}}
    version = "constraints.gatekeeper.sh/v1beta1"
    return of_kind("K8sAzureV2NoPrivilege", name, version=version, spec={**said, **spec}, **by_pod)


def scoped(*actions: tuple[str, str]) -> Json:
    """A constraint with an action for each enforcement point."""
    some = [{"action": action, "enforcementPoints": [{"name": point}]} for action, point in actions]
    return a_constraint("scoped", scopedEnforcementActions=some)


def an_artifact_policy(action: str = "audit", **configuration: object) -> Json:
    """The rules of Defender's image gate."""
    rule = {"name": "critical", "action": action, "configuration": configuration}
    name, spec = "mdc-vulnerability-assessment-policy", {"vulnerabilityAssessmentGatedDeployment": [rule]}
    return of_kind("SecurityArtifactPolicy", name, version="defender.microsoft.com/v1", spec=spec)


def a_policy(name: str = DEFAULT, *, rules: Iterable[Json] = (NEW_PODS,), **spec: object) -> Json:
    """A ValidatingAdmissionPolicy."""
    said = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": list(rules)},
        "validations": [{"expression": "!object.spec.hostNetwork"}],
        **spec,
    }
    return of_kind("ValidatingAdmissionPolicy", f"{name}.vap", version=REGISTRATION, spec=said)


def a_binding(*actions: str, name: str = DEFAULT, binds: str | None = None, **spec: object) -> Json:
    """A binding of a ValidatingAdmissionPolicy."""
    said = {"policyName": binds or f"{name}.vap", "validationActions": list(actions), **spec}
    return of_kind("ValidatingAdmissionPolicyBinding", f"{name}.binding", version=REGISTRATION, spec=said)


def a_namespace(name: str, labels: Mapping[str, str]) -> Json:
    """A namespace with labels."""
    return of_kind("Namespace", name, metadata={"labels": dict(labels)})


def a_service(name: str = SERVICE, *, namespace: str = GATEKEEPER, selector: Mapping[str, str] | None = None) -> Json:
    """The service of a webhook, which chooses the pods of its controller or others."""
    chosen = LABELS[MANAGER if name == SERVICE else IMAGE] if selector is None else selector
    return of_kind("Service", name, namespace, spec={"selector": dict(chosen)})


def a_slice(
    *ready: bool | None,
    name: str = "one",
    service: str = SERVICE,
    namespace: str = GATEKEEPER,
    pods: Iterable[str] = (),
) -> Json:
    """Endpoints of a service, each ready or not, and of a pod where one is named."""
    endpoints = [
        {
            "addresses": ["10.0.0.1"],
            "conditions": {"ready": one},
            **({"targetRef": {"kind": "Pod", "name": pod}} if pod else {}),
        }
        for one, pod in zip_longest(ready, pods)
    ]
    said = {"labels": {"kubernetes.io/service-name": service}}
    version = "discovery.k8s.io/v1"
    return of_kind("EndpointSlice", f"{service}-{name}", namespace, version=version, metadata=said, endpoints=endpoints)


def no_config() -> Json:
    """That Gatekeeper has no configuration, as its API answers it."""
    return {"apiVersion": "config.gatekeeper.sh/v1alpha1", "kind": "ConfigList", "metadata": {}, "items": []}


def a_config(*excluded: str, processes: Iterable[str] = ("*",), namespace: str = GATEKEEPER) -> Json:
    """Gatekeeper's configuration, which leaves namespaces out of some of its work."""
    spec = {"match": [{"excludedNamespaces": list(excluded), "processes": list(processes)}]}
    return of_kind("Config", "config", namespace, version="config.gatekeeper.sh/v1alpha1", spec=spec)


NAMESPACES = [
    a_namespace("kube-system", {"control-plane": "true", "kubernetes.azure.com/managedby": "aks"}),
    a_namespace(GATEKEEPER, {"admission.gatekeeper.sh/ignore": "no-self-managing"}),
    a_namespace("default", {}),
    a_namespace("shop", {}),
]
"""The namespaces of a cluster."""


def whole_gatekeeper(action: str | None = "dryrun") -> list[Json]:
    """Gatekeeper as it works, with one constraint, in a cluster of which everything else was asked."""
    return [a_webhook(), a_pod(MANAGER), a_pod(AUDIT), a_constraint(action), *around_gatekeeper()]


def around_gatekeeper() -> list[Json]:
    """What is to be known beside Gatekeeper itself: where its service leads, its configuration and the namespaces."""
    return [a_service(), a_slice(True), a_config(), *NAMESPACES]


def whole_image_gate(action: str = "audit") -> list[Json]:
    """Defender's image gate as it works."""
    service = [a_service(IMAGE, namespace=MDC), a_slice(True, service=IMAGE, namespace=MDC)]
    return [an_image_webhook(), a_pod(IMAGE, namespace=MDC), an_artifact_policy(action), *service]


def whole_misconfiguration_gate(action: str = "Audit") -> list[Json]:
    """Defender's misconfiguration gate as it works."""
    return [a_policy(), a_binding(action)]
