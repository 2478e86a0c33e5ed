"""Whether infra/ is sound, and what is made of it true: `make infra-check`. Every problem is a line that names the thing.

Without a compiler it says what can be said without one. What a compiler of another version than the one in
sources.json says or makes otherwise is shown, and only what does not compile fails: nobody has to have the same one.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra import checkov, helm, linting
from infra.compiler import NONE, ROOT, Compiler, find_compiler
from infra.differences import changes, differences
from infra.generate import INFRA, compile_all, documents, written
from infra.sources import TEMPLATE, recorded, stale
from infra.variants import variants

CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"
PYTHON = CHECKOV.with_name("python")
"""Of the environment that has checkov and Helm."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to see to. It is no fault where it may be the doing of a compiler of another version."""

    said: str
    is_fault: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the compiler says or makes otherwise; an error is what does not compile."""

    line: str
    is_error: bool = False


def findings(infra: Path, compiler: Compiler | None) -> Iterator[Finding]:
    """Everything that is to be said of a folder."""
    yield from map(Finding, generated(infra))
    yield from map(Finding, stale(infra))
    if compiler:
        yield from judged(compiled(infra, compiler), same=compiler.version == recorded(infra)["compiler"])
    yield from map(Finding, helm.problems(infra, PYTHON))
    yield from map(Finding, linting.problems(infra.parent, PYTHON.parent))
    yield from map(Finding, checkov.problems(infra, CHECKOV, charts(infra)))


def generated(infra: Path) -> Iterator[str]:
    """What generated/ has otherwise than the code."""
    for name, document in documents().items():
        path = infra / "generated" / name
        if not path.exists() or path.read_text("utf-8") != written(document):
            yield f"infra/generated/{name}: is not what the code says; run `make infra`"


def judged(said: Iterable[Said], *, same: bool) -> Iterator[Finding]:
    """What the compiler that made what is in git may not say; from another one only errors are faults."""
    return (Finding(one.line, is_fault=same or one.is_error) for one in said)


def compiled(infra: Path, compiler: Compiler) -> Iterator[Said]:
    """What the compiler says, and what it makes otherwise. Nothing is written into the folder."""
    with TemporaryDirectory() as made:
        fresh = Path(made).resolve() / "infra"
        shutil.copytree(infra, fresh, ignore=shutil.ignore_patterns("*.py", "__pycache__", "*.snapshot.json"))
        answers = [compiler.lint(fresh)]
        if answers[0].done:
            answers += compile_all(fresh, compiler)
        said = {one.said: one.is_error for answer in answers for one in answer.diagnostics}
        yield from (Said(line, is_error) for line, is_error in said.items())
        if all(answer.done for answer in answers):
            yield from map(Said, otherwise_made(infra, fresh))
            compiler.format(fresh)
            yield from map(Said, otherwise_laid_out(infra, fresh))


def otherwise_made(infra: Path, fresh: Path) -> Iterator[str]:
    """Where the template and the predictions are not what was just made."""
    before, after = (_without_generator(json.loads((at / TEMPLATE).read_text("utf-8"))) for at in (infra, fresh))
    if change := next(changes(before, after), None):
        yield f"infra/{TEMPLATE}: is not what main.bicep compiles to; run `make infra`: {change}"
    differing = defaultdict(list)
    for variant in variants(infra):
        if not variant.snapshot.exists():
            yield f"infra/predicted/{variant.snapshot.name}: is missing; run `make infra`"
            continue
        then = json.loads(variant.snapshot.read_text("utf-8"))
        now = json.loads((fresh / "predicted" / variant.snapshot.name).read_text("utf-8"))
        for line in differences(then, now):
            differing[line].append(variant.name)
    for line, names in differing.items():
        yield f"infra/predicted: {line} ({', '.join(names)})"


def otherwise_laid_out(infra: Path, fresh: Path) -> Iterator[str]:
    """Which files `bicep format` would change."""
    for path in sorted([*infra.rglob("*.bicep"), *infra.rglob("*.bicepparam")]):
        name = path.relative_to(infra)
        if path.read_text("utf-8") != (fresh / name).read_text("utf-8"):
            yield f"infra/{name.as_posix()}: run `bicep format infra/{name.as_posix()}`"


def charts(infra: Path) -> dict[str, str]:
    """What the chart's examples of every kind make of it, for checkov, by a name for each."""
    names = ("full", "git")
    if not PYTHON.exists():
        return {}
    answers = helm.rendered(infra, [helm.examples(infra)[name] for name in names], PYTHON)
    return {f"chart-{name}": helm.manifests(answer) for name, answer in zip(names, answers, strict=True)}


def _without_generator(value: Any) -> Any:
    """A compiled template without what it says of its compiler."""
    if isinstance(value, dict):
        return {key: _without_generator(held) for key, held in value.items() if key != "_generator"}
    return [_without_generator(one) for one in value] if isinstance(value, list) else value


def heading(infra: Path, compiler: Compiler | None) -> str:
    """With which compiler, and what follows of that."""
    if compiler is None:
        return f"{NONE}: nothing is compiled, and {TEMPLATE} and what is predicted are not compared"
    made_by = recorded(infra)["compiler"]
    if compiler.version == made_by:
        return str(compiler)
    return f"{compiler}: {TEMPLATE} and what is predicted are of {made_by}, so that what is otherwise is only shown"


def main() -> int:
    """Prints what there is to see to; 1 where something is at fault."""
    compiler = find_compiler()
    print(heading(INFRA, compiler), flush=True)
    found = list(findings(INFRA, compiler))
    for one in found:
        print(one.said if one.is_fault else f"shown only: {one.said}", file=sys.stderr)
    return 1 if any(one.is_fault for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
