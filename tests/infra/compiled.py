"""What Microsoft's compiler said of the same sources before is not asked for again: it takes seconds to start."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from infra.compiler import Compiler
from tests.infra.variants import ROOT


def stored_answer(infra: Path, compiler: Compiler, asked: str, ask: Callable[[], Any]) -> Any:
    """The answer to what is asked of a compiler about all files of a folder, kept in `.state/bicep` by their hash."""
    files = (path for path in sorted(infra.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    parts = [f"{path.relative_to(infra)} {sha256(path.read_bytes()).hexdigest()}" for path in files]
    name = sha256("\n".join([str(compiler), asked, *parts]).encode()).hexdigest()
    file = ROOT / ".state" / "bicep" / f"{name}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{id(parts)}")
        fresh.write_text(json.dumps(ask()))
        fresh.rename(file)
    return json.loads(file.read_text())
