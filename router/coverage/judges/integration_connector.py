"""Whether the plans that an AWS account or a GCP project has bring what they need: sensors on machines and clusters, and logs.

Where Azure Arc is not deployed by the connector, somebody else may do it, so that is a remark.
https://learn.microsoft.com/azure/templates/microsoft.security/securityconnectors
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.coverage.case import CoverageCase
from router.coverage.connectors.offerings import SENSOR_SWITCH, ConnectorOfferings, find_connector_ask
from router.coverage.fields import find, find_text
from router.coverage.readers.connectors import environment_subject
from router.coverage.verdicts import Verdict, covered, gap, unknown
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.INTEGRATION
KINDS = (WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT)

_SWITCHES: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "defenderforservers": {("mdeAutoProvisioning", "enabled"): "no machine gets Defender for Endpoint"},
    "defenderforcontainers": {
        SENSOR_SWITCH: "no cluster gets the sensor",
        ("enableAuditLogsAutoProvisioning",): "no alert of a control plane can come",
    },
}
"""By the offering without its cloud: what must be on, and what does not happen where it is off."""

_ARC = ("arcAutoProvisioning", "enabled")


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where each switch of the plans that are on is known to be on; None where no plan that has one is on."""
    offerings = ConnectorOfferings.about(case.facts, environment_subject(case.workload.kind, case.workload.subject))
    if not offerings.connectors:
        return unknown("no document says what its connector brings", remedy=find_connector_ask(case.facts))
    switches = [(name, path, purpose) for name in offerings.names() for path, purpose in _switches(offerings, name)]
    if not switches:
        return None
    answers = {(name, path): offerings.is_on(name, *path) for name, path, _ in switches}
    evidence = {(name, path): list(offerings.shows(name, *path)) for name, path, _ in switches}
    remarks = _remarks(offerings)
    off = [(name, path, purpose) for name, path, purpose in switches if answers[name, path] is False]
    if off:
        reason = "; ".join(f"{'.'.join(path)} is off: {purpose}" for _, path, purpose in off)
        return gap(reason, *(one for name, path, _ in off for one in evidence[name, path]), remarks=remarks)
    shown = [one for some in evidence.values() for one in some]
    silent = [".".join(path) for name, path, _ in switches if answers[name, path] is None]
    if silent:
        reason = f"no document says whether {' and '.join(silent)} {'are' if len(silent) > 1 else 'is'} on"
        return unknown(reason, *shown, remedy=offerings.ask, remarks=remarks)
    return covered("its plans bring sensors and logs", *shown, remarks=remarks)


def _switches(offerings: ConnectorOfferings, name: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The switches of an offering, and what does not happen where they are off."""
    for path, purpose in _SWITCHES.get(name[:-3], {}).items():
        if path != SENSOR_SWITCH or not _is_by_helm(offerings, name):
            yield path, purpose


def _is_by_helm(offerings: ConnectorOfferings, name: str) -> bool:
    methods = {(find_text(body, "installationMethod") or "").lower() for body in offerings.bodies(name)}
    return methods == {"helm"}


def _remarks(offerings: ConnectorOfferings) -> tuple[str, ...]:
    remarks: list[str] = []
    for name in offerings.names():
        if name[:-3] == "defenderforservers" and offerings.is_on(name, *_ARC) is False:
            remarks.append("the connector does not deploy Azure Arc on machines, so somebody else must")
        if name[:-3] == "defenderforcontainers" and _is_by_helm(offerings, name):
            remarks.append("the sensor comes by Helm, so each cluster must be looked at")
        tags = [find(body, "vmScanners", "configuration", "exclusionTags") for body in offerings.bodies(name)]
        skipped = dict.fromkeys(str(tag) for some in tags if isinstance(some, Mapping) for tag in some)
        if skipped:
            remarks.append(f"agentless scans of {name} skip machines with the tags {', '.join(skipped)}")
    return tuple(remarks)
