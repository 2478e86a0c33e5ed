"""Microsoft's Bicep compiler, where there is one, and what is asked of it. It needs no network for what infra/ is made of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.variants import Variant

ROOT = Path(__file__).parents[1]
NONE = "bicep: no compiler on the PATH, as `az bicep`, or in ../shared/bin"
"""What is said where there is none."""

_DIAGNOSTIC = re.compile(r"^(?P<file>.*?)\((?P<place>\d+,\d+)\) : (?P<level>\w+) (?P<text>.*?)(?: \[https://\S+\])?$")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What the compiler says of a line; an error is what does not compile, never a rule of the linter."""

    said: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: whether it was done, and what was said of which line."""

    done: bool
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler by its path, where it was found, and its version."""

    path: Path
    found: str
    version: str

    def __str__(self) -> str:
        return f"bicep {self.version}, {self.found}"

    def build(self, source: Path, to: Path) -> Answer:
        """Compiles a file to a template."""
        return self._asked("build", source.name, "--outfile", str(to), at=source.parent)

    def lint(self, infra: Path) -> Answer:
        """Reads every file of a folder, whether or not another uses it, by the rules of its bicepconfig.json."""
        return self._asked("lint", "--pattern", "**/*.bicep", at=infra)

    def format(self, infra: Path) -> Answer:
        """Lays out every file of a folder, where it stands."""
        return self._asked("format", "--pattern", "**/*.bicep*", at=infra)

    def snapshot(self, variant: Variant) -> Answer:
        """Writes what a variant would deploy beside its parameters."""
        path = variant.parameters
        return self._asked("snapshot", path.name, "--mode", "overwrite", *variant.scope_arguments, at=path.parent)

    def _asked(self, command: str, *arguments: str, at: Path) -> Answer:
        done = subprocess.run(
            [self.path, command, *arguments], cwd=at, env=_environment(), capture_output=True, text=True, check=False
        )
        found = tuple(_diagnostics(done.stderr, at))
        if done.returncode and not found:
            said = next((line for line in done.stderr.splitlines() if line.strip()), "said nothing")
            found = (Diagnostic(f"bicep {command}: {said}", is_error=False),)
        return Answer(done.returncode == 0, found)


def find_compiler(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> Compiler | None:
    """The first that runs: on the PATH, where `az bicep install` puts its own, or beside the project."""
    for path, found in _candidates(root, environment):
        if version := _version_of(path):
            return Compiler(path, found, version)
    return None


def _candidates(root: Path, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    if on_path := shutil.which("bicep", path=environment.get("PATH", "")):
        yield Path(on_path), "on the PATH"
    # https://learn.microsoft.com/cli/azure/azure-cli-configuration: where az keeps what is its own.
    azure = Path(environment.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    yield azure / "bin" / ("bicep.exe" if os.name == "nt" else "bicep"), "of az bicep"
    yield root.parent / "shared" / "bin" / "bicep", "in ../shared/bin"


def _version_of(path: Path) -> str | None:
    try:
        done = subprocess.run([path, "--version"], env=_environment(), capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.search(r"\bversion (\d\S*)", done.stdout)
    return found[1] if found and done.returncode == 0 else None


def _environment() -> dict[str, str]:
    # Without the first the compiler wants ICU, which a bare machine lacks. With the others it spares itself measuring how it
    # might run faster in the long run, and collecting garbage before there are 64 MiB of it: it runs for two seconds.
    calm = {"DOTNET_TieredPGO": "0", "DOTNET_GCgen0size": "4000000"}
    return {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", **calm}


def _diagnostics(said: str, at: Path) -> Iterator[Diagnostic]:
    """Each line that is about a place, once, with its file as it is called in the project."""
    for line in dict.fromkeys(said.splitlines()):
        if found := _DIAGNOSTIC.match(line):
            is_error = found["level"] == "Error" and found["text"].startswith("BCP")
            yield Diagnostic(f"{_called(Path(found['file']), at)}:{found['place']}: {found['text']}", is_error)


def _called(file: Path, at: Path) -> str:
    infra = at.parent if at.name == "predicted" else at
    return f"infra/{file.relative_to(infra).as_posix()}" if file.is_relative_to(infra) else str(file)
