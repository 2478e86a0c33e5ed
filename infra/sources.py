"""What the compiled template and the predictions were made of, and by which compiler: predicted/sources.json.

It says without a compiler whether they are stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

RECORD = Path("predicted", "sources.json")
TEMPLATE = Path("azuredeploy.json")

_READ = {".bicep", ".bicepparam", ".json", ".kql"}
_ELSEWHERE = {"chart", "grafana", "hooks"}
"""Directories with files of these kinds that no compiler reads. azd makes an environment of its own in the last."""
_NOT_READ = {RECORD, TEMPLATE, Path("main.parameters.json")}


def record(infra: Path, version: str) -> dict[str, Any]:
    """What to write into sources.json: the compiler's version, and a SHA-256 of each file that it read or made."""
    every = {path.relative_to(infra): path for path in infra.rglob("*") if path.suffix in _READ}
    every = {name: path for name, path in every.items() if name.parts[0] not in _ELSEWHERE}
    made = {name for name in every if name.name.endswith(".snapshot.json")} | ({TEMPLATE} & every.keys())
    read = every.keys() - made - _NOT_READ
    return {
        "compiler": version,
        "sources": {name.as_posix(): _digest(every[name]) for name in sorted(read)},
        "made": {name.as_posix(): _digest(every[name]) for name in sorted(made)},
    }


def recorded(infra: Path) -> dict[str, Any]:
    """What sources.json says."""
    found: dict[str, Any] = json.loads((infra / RECORD).read_text("utf-8"))
    return found


def stale(infra: Path) -> Iterator[str]:
    """Each file that is not what was compiled, or not what came of it, a line each."""
    then = recorded(infra)
    now = record(infra, then["compiler"])
    for name in _differing(then["sources"], now["sources"]):
        yield f"infra/{name}: what is compiled and predicted was made before it changed; run `make infra`"
    for name in _differing(then["made"], now["made"]):
        yield f"infra/{name}: is not as it was made; run `make infra`"


def _differing(then: dict[str, str], now: dict[str, str]) -> list[str]:
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _digest(path: Path) -> str:
    """Of the text, however its lines end."""
    return sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
