"""What checkov says of the resources that a deployment comes to, in Azure and in Kubernetes, but for the exceptions in
checkov-exceptions.yaml.

It reads the predictions, wrapped as a template: its own reader of Bicep stumbles, and in the compiled template parameters are
open. It leaves out what it cannot read as if all were well, so that its silence alone is not believed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

EXCEPTIONS = "checkov-exceptions.yaml"
VARIANTS = ("default", "private")
"""The variants that it reads. The others differ in nothing that it looks at, but for sign-in.bicep, which it takes for the
settings of a web site and blames for having none of them."""

_TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
}
_UNREAD = ("arsing error", "rror parsing", "Failed to run check")
"""What it says of what it could not read or check, and ends as if all were well."""


class Failure(NamedTuple):
    """A check that failed: of which variant, on which resource."""

    variant: str
    resource: str
    check: str


def problems(infra: Path, program: Path, manifests: Mapping[str, str]) -> Iterator[str]:
    """What it has against the predictions, and against manifests by their names, a line each."""
    excepted, wrong = exceptions(infra / EXCEPTIONS)
    yield from wrong
    if not program.exists():
        yield "checkov: not installed; run `make infra-check`, which brings it"
        return
    with TemporaryDirectory() as made:
        for variant in VARIANTS:
            predicted = json.loads((infra / "predicted" / f"{variant}.snapshot.json").read_text("utf-8"))
            template = {**_TEMPLATE, "resources": predicted["predictedResources"]}
            Path(made, f"{variant}.json").write_text(json.dumps(template, indent=1), "utf-8")
        for name, text in manifests.items():
            Path(made, f"{name}.yaml").write_text(text, "utf-8")
        # Without --skip-download it asks its vendor first.
        asked = [
            str(program),
            "--directory",
            made,
            "--framework",
            "arm",
            "kubernetes",
            "--skip-download",
            "--compact",
            "--output",
            "json",
        ]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
    yield from unread(done.stdout, done.stderr, [*VARIANTS, *manifests])
    failed = dict(failures(done.stdout))
    for failure in sorted(failed.keys() - excepted):
        yield f"{failure.variant}: {failure.resource}: {failure.check}: {failed[failure]}"
    for failure in sorted(excepted - failed.keys()):
        yield (
            f"infra/{EXCEPTIONS}: {failure.variant}: {failure.resource}: {failure.check} does not fail there (any more); "
            "remove the exception"
        )


def exceptions(path: Path) -> tuple[set[Failure], list[str]]:
    """What may fail, and what is wrong with the list."""
    found: set[Failure] = set()
    wrong = []
    for number, entry in enumerate(yaml.safe_load(path.read_text("utf-8")), 1):
        if not isinstance(entry, dict) or entry.keys() != {*Failure._fields, "reason"} or not all(entry.values()):
            wrong.append(
                f"infra/{EXCEPTIONS}: entry {number} must say variant, resource, check and reason, and nothing else"
            )
            continue
        failure = Failure(*(str(entry[field]) for field in Failure._fields))
        if failure in found:
            wrong.append(f"infra/{EXCEPTIONS}: entry {number} is there twice")
        found.add(failure)
    return found, wrong


def failures(said: str) -> Iterator[tuple[Failure, str]]:
    """Every check that failed, and what it wants."""
    for one in _results(said, "failed_checks"):
        yield Failure(_variant(one), one["resource"], one["check_id"]), one["check_name"]


def unread(said: str, aside: str, variants: Sequence[str]) -> Iterator[str]:
    """What it could not read or check."""
    yield from (f"checkov: {line.strip()}" for line in aside.splitlines() if any(word in line for word in _UNREAD))
    for path in _results(said, "parsing_errors"):
        yield f"checkov: could not read {Path(path).stem}"
    read = {_variant(one) for kind in ("passed_checks", "failed_checks") for one in _results(said, kind)}
    for variant in variants:
        if variant not in read:
            yield f"checkov: checked nothing of {variant}"


def _results(said: str, kind: str) -> Iterator[Any]:
    """What a report has of a kind; of several frameworks there are several in a list."""
    try:
        found = json.loads(said)
    except ValueError:
        return
    for report in found if isinstance(found, list) else [found]:
        yield from report.get("results", {}).get(kind, ())


def _variant(one: Mapping[str, Any]) -> str:
    return Path(one["file_path"]).stem
