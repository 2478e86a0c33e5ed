"""kubectl, as far as coverage runs it: what it prints for a cluster with some objects. It also runs as a program of its own.

What it prints, and what it complains of, is what kubectl 1.32 prints; `tests/coverage/test_kubectl.py` holds it to that where
kubectl is installed.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

type Objects = Sequence[Mapping[str, Any]]
type Printed = tuple[int, str, str]
"""The code with which it ends, what it prints, and what it complains of."""

KINDS = {
    "nodes": "Node",
    "daemonsets": "DaemonSet",
    "pods": "Pod",
    "namespaces": "Namespace",
    "events": "Event",
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
    "validatingadmissionpolicies": "ValidatingAdmissionPolicy",
    "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
    "configs": "Config",
    "securityartifactpolicies": "SecurityArtifactPolicy",
}
BROUGHT = ("configs", "securityartifactpolicies", "constraints")
"""What a cluster has only if a program in it brought the kind."""


def answer(
    objects: Objects, words: Sequence[str], faults: Mapping[str, str] | None = None, lacks: Iterable[str] = ()
) -> Printed:
    """Return what kubectl prints; `faults` are complaints by what is asked for, and `lacks` kinds that the cluster has not."""
    get, what, *rest = words
    assert get == "get"
    if what == "--raw":
        return (1, "", faults[rest[0]]) if faults and rest[0] in faults else (0, '{"kind": "PodList", "items": []}', "")
    assert rest[:3] == ["-A", "-o", "json"]
    found: list[Mapping[str, Any]] = []
    complaints: list[str] = []
    for name in what.split(","):
        plural = name.partition(".")[0]
        some = [one for one in objects if _is_of(one, plural)]
        if plural in lacks or (plural in BROUGHT and not some):
            return 1, "", f'error: the server doesn\'t have a resource type "{plural}"\n'
        if faults and plural in faults:
            complaints.append(faults[plural])
        else:
            found += some
    if any(not one.startswith("Error from server") for one in complaints):
        return 1, "", complaints[0]
    listed = {"apiVersion": "v1", "items": found, "kind": "List", "metadata": {"resourceVersion": ""}}
    return (1 if complaints else 0), json.dumps(listed, indent=4), "".join(complaints)


def refusal(reason: str, words: str = "some words") -> str:
    """Return what kubectl complains of where the API server answers otherwise than 200."""
    return f"Error from server ({reason}): {words}\n"


def _is_of(one: Mapping[str, Any], plural: str) -> bool:
    if plural == "constraints":
        return str(one["apiVersion"]).startswith("constraints.gatekeeper.sh/")
    return bool(one["kind"] == KINDS[plural])


def install(folder: Path, worlds: Mapping[str, Objects], before: str = "") -> Path:
    """Make a program `kubectl` in a folder, for some clusters by their contexts; `before` is what its shell does first.

    Returns the file in which it keeps with what it was called, and the environment: a line of JSON each time.
    """
    folder.mkdir(exist_ok=True)
    (folder / "worlds.json").write_text(json.dumps(worlds))
    program, log = folder / "kubectl", folder / "log"
    program.write_text(f'#!/bin/sh\n{before}\nexec "{sys.executable}" -I "{Path(__file__)}" "{folder}" "$@"\n')
    program.chmod(0o700)
    return log


def main(folder: Path, words: Sequence[str]) -> int:
    """Be kubectl."""
    options = dict(pairwise(words))
    kubeconfig = Path(options["--kubeconfig"]).read_text()
    noted = {"words": words, "environment": dict(os.environ), "kubeconfig": kubeconfig}
    with (folder / "log").open("a") as log:
        log.write(json.dumps(noted) + "\n")
    worlds = json.loads((folder / "worlds.json").read_text())
    context = options["--context"]
    if context not in worlds:
        sys.stderr.write(
            "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\n"
        )
        return 1
    code, out, complaint = answer(worlds[context], words[: 5 if words[1] != "--raw" else 3])
    sys.stdout.write(out)
    sys.stderr.write(complaint)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
