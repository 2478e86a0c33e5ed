"""Objects of the three admission gates, each showing only what the test is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from router.domain.coverage import Rung, Verdict
from router.domain.coverage_manifest import CoverageManifest, Expectation
from tests.coverage.builders import Json, judged, managed_cluster, verdict

MANAGER, AUDIT, IMAGE = "gatekeeper-controller-manager", "gatekeeper-audit", "defender-admission-controller"
GATEKEEPER, MDC = "gatekeeper-system", "mdc"
DEFAULT = "default-k8s-misconfiguration-policy-privileged-containers-should-be-avoided"

NEW_PODS: Json = {"operations": ["CREATE", "UPDATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
BOTH = CoverageManifest(expectations=(Expectation(rungs=frozenset({Rung.ADMISSION_AUDITS, Rung.ADMISSION_DENIES})),))


def audits(*documents: object) -> Verdict:
    """Whether a gate of the cluster audits, as documents say."""
    return verdict(judged(managed_cluster(), *documents), "payments", Rung.ADMISSION_AUDITS)


def denies(*documents: object) -> Verdict:
    """Whether a gate of the cluster denies, as documents say, where a manifest expects it."""
    return verdict(judged(managed_cluster(), *documents, manifest=BOTH), "payments", Rung.ADMISSION_DENIES)


def a_pod(
    of: str,
    *,
    namespace: str = GATEKEEPER,
    is_ready: bool = True,
    restarts: int = 0,
    phase: str = "Running",
    waits: str | None = None,
    id: str = "6c9f7d5b8-x2x4z",
) -> Json:
    """A pod of a controller."""
    state = {"waiting": {"reason": waits}} if waits else {"running": {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{of}-{id}", "namespace": namespace},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(is_ready)}],
            "containerStatuses": [{"name": "manager", "ready": is_ready, "restartCount": restarts, "state": state}],
        },
    }


def a_deployment(
    name: str,
    *,
    namespace: str = GATEKEEPER,
    ready: int | None = 2,
    observed: int = 3,
    replicas: int = 2,
    has_status: bool = True,
) -> Json:
    """A Deployment of a controller, whose status leaves out what is 0."""
    status = {"observedGeneration": observed, "replicas": 2, **({"readyReplicas": ready} if ready else {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "generation": 3},
        "spec": {"replicas": replicas},
        **({"status": status} if has_status else {}),
    }


def a_webhook(
    name: str = "validation.gatekeeper.sh",
    *,
    service: str = "gatekeeper-webhook-service",
    namespace: str = GATEKEEPER,
    rules: Iterable[Json] = (NEW_PODS,),
    failure_policy: str = "Ignore",
    configuration: str = "gatekeeper-validating-webhook-configuration",
    **fields: object,
) -> Json:
    """A configuration with one validating webhook."""
    entry = {
        "name": name,
        "clientConfig": {"service": {"name": service, "namespace": namespace, "path": "/v1/admit"}},
        "failurePolicy": failure_policy,
        "rules": list(rules),
        **fields,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": configuration},
        "webhooks": [entry],
    }


def an_image_webhook(*, namespace: str = MDC, rules: Iterable[Json] = (NEW_PODS,)) -> Json:
    """The webhook of Defender's image gate."""
    name = f"{IMAGE}.{namespace}.svc"
    return a_webhook(name, service=IMAGE, namespace=namespace, rules=rules, configuration=IMAGE)


def a_constraint(
    action: str | None = "dryrun", *, name: str = "no-privileged-pods", enforced: bool | None = None, **spec: object
) -> Json:
    """A constraint of Gatekeeper's; None leaves the action out."""
    said = {} if action is None else {"enforcementAction": action}
    by_pod = {} if enforced is None else {"status": {"byPod": [{"id": "one", "enforced": enforced}]}}
    return {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": "K8sAzureV2NoPrivilege",
        "metadata": {"name": name},
        "spec": {**said, **spec},
        **by_pod,
    }


def scoped(*actions: tuple[str, str]) -> Json:
    """A constraint with an action for each enforcement point."""
    return a_constraint(
        "scoped",
        scopedEnforcementActions=[
            {"action": action, "enforcementPoints": [{"name": point}]} for action, point in actions
        ],
    )


def an_artifact_policy(action: str = "audit", **configuration: object) -> Json:
    """The rules of Defender's image gate."""
    rule = {"name": "critical", "action": action, "configuration": configuration}
    return {
        "apiVersion": "defender.microsoft.com/v1",
        "kind": "SecurityArtifactPolicy",
        "metadata": {"name": "mdc-vulnerability-assessment-policy"},
        "spec": {"vulnerabilityAssessmentGatedDeployment": [rule]},
    }


def a_policy(name: str = DEFAULT, *, rules: Iterable[Json] = (NEW_PODS,), **spec: object) -> Json:
    """A ValidatingAdmissionPolicy."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"{name}.vap"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": list(rules)},
            "validations": [{"expression": "!object.spec.hostNetwork"}],
            **spec,
        },
    }


def a_binding(*actions: str, name: str = DEFAULT, binds: str | None = None, **spec: object) -> Json:
    """A binding of a ValidatingAdmissionPolicy."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"{name}.binding"},
        "spec": {"policyName": binds or f"{name}.vap", "validationActions": list(actions), **spec},
    }


def an_event(message: str) -> Json:
    """An event that says why something could not be made."""
    metadata = {"name": "web-7d4b9.17f", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "reason": "FailedCreate", "message": message}


def a_namespace(name: str, labels: Mapping[str, str]) -> Json:
    """A namespace with labels."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}}


def whole_gatekeeper(action: str | None = "dryrun") -> list[Json]:
    """Gatekeeper as it works, with one constraint."""
    return [a_webhook(), a_pod(MANAGER), a_pod(AUDIT), a_constraint(action)]


def whole_image_gate(action: str = "audit") -> list[Json]:
    """Defender's image gate as it works."""
    return [an_image_webhook(), a_pod(IMAGE, namespace=MDC), an_artifact_policy(action)]


def whole_misconfiguration_gate(action: str = "Audit") -> list[Json]:
    """Defender's misconfiguration gate as it works."""
    return [a_policy(), a_binding(action)]
