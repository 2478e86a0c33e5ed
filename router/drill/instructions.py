"""How a person raises the test alert of a cluster or a machine. These are real alerts: nothing marks them as a drill.

https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
https://learn.microsoft.com/azure/defender-for-cloud/alerts-containers
"""

from __future__ import annotations

from shlex import quote

from router.domain import alert_validation
from router.drill.subjects import DrillSubject

NAMESPACE = "asc-alerttest-662jfi039n"
"""The namespace that Defender watches for: asking for its pods, of which there are none, raises the test alert."""


def lines_for(subject: DrillSubject, context: str | None = None) -> list[str]:
    """What to run, line by line; nothing for sample alerts, which Azure raises.

    `context` is that of kubectl, where it is not called as the cluster is.
    """
    if subject.cluster is not None:
        context = quote(context or subject.cluster.rstrip("/").rpartition("/")[2])
        return [
            "Ask the cluster for the pods of a namespace that is not there. It proves the audit log of the control plane,",
            'and no sensor; the answer is "No resources found", and the alert comes 5 to 30 minutes later:',
            "",
            f"  kubectl --context {context} get pods --namespace={NAMESPACE}",
        ]
    if subject.machine is not None:
        return [
            "On the machine, with real-time protection on; the alert comes within minutes.",
            "Linux, which downloads the test file of EICAR:",
            "",
            f"  {alert_validation.LINUX}",
            "",
            "Windows, which starts a program that is not there:",
            "",
            f"  {alert_validation.WINDOWS}",
        ]
    return []
