"""What Helm and Kubernetes' own schemas say of the chart in chart/, with the values of each of its examples.

Both are installed beside checkov, in an environment of their own. Its Python runs this file as a program, which is sent
values and answers with what Helm makes of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import yaml

CHART = "chart"
VERSIONS = ("1.29", "1.37")
"""The oldest version of Kubernetes that Chart.yaml allows, and the newest that there are schemas of."""

OTHERS = {"monitoring.coreos.com/v1"}
"""What the Prometheus operator adds to Kubernetes, which has no schemas of it."""

_NOTES = "NOTES.txt"
_WARNING = 2
"""Helm's severity of what `helm lint --strict` fails for."""


class Rendered(TypedDict):
    """What Helm makes of a chart: problems, and by the name of a template its text, if they are not refused."""

    problems: list[str]
    texts: dict[str, str]


def problems(infra: Path, python: Path) -> Iterator[str]:
    """What is wrong with the chart, a line each."""
    if not python.exists():
        yield "helm: not installed; run `make infra-check`, which brings it"
        return
    named = examples(infra)
    for name, answer in zip(named, rendered(infra, list(named.values()), python), strict=True):
        yield from (f"infra/{CHART}/examples/{name}.yaml: {line}" for line in answer["problems"])


def examples(infra: Path) -> dict[str, Mapping[str, Any]]:
    """The values of each example by its name."""
    return {
        path.stem: yaml.safe_load(path.read_text("utf-8"))
        for path in sorted((infra / CHART / "examples").glob("*.yaml"))
    }


def rendered(infra: Path, values: Sequence[Mapping[str, Any]], python: Path) -> list[Rendered]:
    """What Helm makes of the chart by each of these values."""
    asked = [str(python), __file__, str(infra / CHART)]
    done = subprocess.run(
        asked, input=json.dumps(values), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    answers: list[Rendered] = json.loads(done.stdout)
    return answers


def manifests(answer: Rendered) -> str:
    """What would be given to a cluster, as one text."""
    return "\n---\n".join(
        text for name, text in sorted(answer["texts"].items()) if not name.endswith(_NOTES) and text.strip()
    )


def _render(chart: Path, values: dict[str, Any]) -> Rendered:
    from helm_python import HelmError
    from helm_python.chart import Chart, lint

    report = lint(chart, values, strict=True)
    found = [f"{one['path']}: {one['error']}" for one in report["messages"] if one["severity"] >= _WARNING]
    try:
        with Chart.load(chart) as loaded:
            loaded.validate_schema(values)
            texts = loaded.render(values, name="alert-router", namespace="alerts")
    except HelmError as fault:
        return {"problems": [*found, str(fault)], "texts": {}}
    answer: Rendered = {"problems": found, "texts": texts}
    found += _misfits(manifests(answer))
    return answer


def _misfits(text: str) -> Iterator[str]:
    """What the schemas of Kubernetes have against manifests; names that they do not know are faults, too."""
    import kubernetes_validate

    for one in filter(None, yaml.safe_load_all(text)):
        if one["apiVersion"] in OTHERS:
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as fault:
                at = ".".join(map(str, fault.path))
                yield f"{one['kind']} {one['metadata']['name']}: Kubernetes {version}: {at}: {fault.message}"


if __name__ == "__main__":
    json.dump([_render(Path(sys.argv[1]), values) for values in json.load(sys.stdin)], sys.stdout)
