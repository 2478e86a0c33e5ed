"""The lines of a verdict on a cluster, said of that cluster: kubectl asks or changes whichever one is current. Pure.

A context is taken to be called as `az aks get-credentials` calls it, which is as its cluster; those of EKS and GKE as their own
command lines call them. Where it has another name, kubectl finds
none of that name, and touches nothing. https://learn.microsoft.com/cli/azure/aks#az-aks-get-credentials
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from router.coverage.assignment.clusters import UNNAMED
from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.kubernetes.cluster_names import find_eks_context, find_gke_context
from router.coverage.remedies import file_name
from router.coverage.verdicts import Verdict, Workload

_PROGRAMS = ("kubectl ", "oc ")
_ASKS = re.compile(r"(?:kubectl get) (?:--raw \S*/(?P<raw>[a-z]+)|(?P<kind>[a-z]+)\S* .*-o json)", re.DOTALL)
"""A line that prints a document, and the kind that it asks for first."""


def at_cluster(verdict: Verdict, workload: Workload) -> Verdict:
    """A verdict whose lines name their cluster, and of which each that prints a document writes it into a file."""
    if verdict.remedy is None:
        return verdict
    lines: list[str] = []
    files: list[str] = []
    for line in _lines_of(verdict.remedy):
        context = _context(workload) if line.startswith(_PROGRAMS) else ""
        if found := _ASKS.fullmatch(line):
            file = _file(workload, "" if line == ASK_CLUSTER else f".{found['kind'] or found['raw']}")
            files.append(file)
            lines.append(f"{line}{context} > {file}")
        else:
            lines.append(f"{line}{context}")
    remarks = (*verdict.remarks, _give(files, workload)) if files else verdict.remarks
    return replace(verdict, remedy="\n".join(lines), remarks=remarks)


def _lines_of(remedy: str) -> Iterator[str]:
    """The lines of a remedy; what is quoted in one may itself have several lines."""
    begun = ""
    for part in remedy.split("\n"):
        begun += part
        try:
            shlex.split(begun)
        except ValueError:  # a quotation that goes on
            begun += "\n"
        else:
            yield begun
            begun = ""
    if begun:
        yield begun


def _context(workload: Workload) -> str:
    if workload.name == UNNAMED:
        return ""
    name = find_eks_context(workload) or find_gke_context(workload.subject) or workload.name
    # A cluster of which nothing but its id is known is called as that ends.
    name = name.rpartition("/")[2] if name.startswith("/") else name
    return f" {shlex.quote(f'--context={name}')}" if name.startswith("-") else f" --context {shlex.quote(name)}"


def _file(workload: Workload, what: str) -> str:
    """The file into which an answer of a cluster goes."""
    return f"{file_name(workload.name)}{what}.json"


def _give(files: list[str], workload: Workload) -> str:
    """How answers of a cluster are given, so that it is known of which cluster they are."""
    if workload.name == UNNAMED:
        return f"give {' and '.join(files)}"
    if len(files) == 1:
        return f"give {files[0]} as {workload.name}={files[0]}"
    return f"give each of these files as {workload.name}=FILE"
