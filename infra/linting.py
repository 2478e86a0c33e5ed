"""What hadolint says of the Dockerfile, and zizmor of the workflows and the action; both are installed beside checkov."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCKERFILE = "Dockerfile"
WORKFLOWS = (".github/workflows", "action.yml")


def problems(root: Path, programs: Path) -> Iterator[str]:
    """What they have against a project, a line each; `programs` is the folder that they are in."""
    try:
        for one in _found(programs / "hadolint", "--format", "json", DOCKERFILE, root=root):
            yield f"{one['file']}:{one['line']}: {one['code']}: {one['message']}"
        # Without --offline it asks GitHub.
        for one in _found(programs / "zizmor", "--offline", "--quiet", "--format", "json", *WORKFLOWS, root=root):
            place = next(where for where in one["locations"] if where["symbolic"]["kind"] == "Primary")
            path = place["symbolic"]["key"]["Local"]["verbatim_path"]
            line = place["concrete"]["location"]["start_point"]["row"] + 1
            yield f"{path}:{line}: {one['ident']}: {one['desc']}"
    except _NotRun as fault:
        yield str(fault)


class _NotRun(Exception):
    """A program that is not there, or that said nothing that can be read."""


def _found(program: Path, *words: str, root: Path) -> list[dict[str, Any]]:
    """What a program found. Its exit code says only whether that is anything."""
    try:
        done = subprocess.run([str(program), *words], cwd=root, capture_output=True, text=True, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except FileNotFoundError:
        raise _NotRun(f"{program.name}: not installed; run `make infra-check`, which brings it") from None
    except ValueError:
        raise _NotRun(f"{program.name}: could not look: {' '.join(done.stderr.split())}") from None
    return found
