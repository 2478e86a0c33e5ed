"""The image without a container runtime: its Dockerfile read, and its files made and run as far as bubblewrap goes.

`new_image(context, directory)` does in directories what the Dockerfile says, each stage in one of its own, over a base that is
made of this machine's: its C library, and the Python that runs this, without the byte code that the real base lacks, too.
`Image.command(...)` is a command line that runs the entry point on those files as Kubernetes would: on a root that is read only
and has no shell, as a user without a name, a home or a right, and as process 1.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
USER = 65532

BWRAP = shutil.which("bwrap")

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NOT_IN_THE_BASE = shutil.ignore_patterns("test", "tests", "idle_test", "__pycache__", "*.pyc", "*.a", "site-packages")
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
_LIBRARIES = ("/usr/lib", "/usr/lib64")
_FETCHING = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP", "NO_PROXY", "http", "no_proxy")
"""How variables begin by which pip and uv find their index here."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its word, its flags, and what it is given, continued lines joined."""

    word: str
    flags: Mapping[str, str]
    given: str

    @property
    def words(self) -> list[str]:
        """What it is given in words: the list of the exec form, else what spaces part."""
        return json.loads(self.given) if self.given.startswith("[") else self.given.split()


@dataclass(frozen=True, slots=True)
class Section:
    """A stage: what it is called, what it is from, and its instructions."""

    name: str
    base: str
    instructions: Sequence[Instruction]

    def find_last(self, word: str) -> Instruction | None:
        """The last instruction of a kind, which is the one that counts."""
        return next((one for one in reversed(self.instructions) if one.word == word), None)


def read_sections(text: str) -> list[Section]:
    """The sections of a Dockerfile. What stands before the first one is an ARG, whose value is put in."""
    sections: list[Section] = []
    values: dict[str, str] = {}
    for one in _instructions(text):
        if one.word == "FROM":
            base, _, name = one.given.partition(" AS ")
            sections.append(Section(name, expand(base, values), []))
        elif sections:
            sections[-1].instructions.append(one)  # type: ignore[attr-defined]  # A list while it is read.
        else:
            name, _, value = one.given.partition("=")
            values[name] = value
    return sections


def expand(text: str, values: Mapping[str, str]) -> str:
    """A text with values in place of its variables."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        flags = {}
        while found := re.match(r"--([a-z]+)=(\S+)\s+", rest):
            flags[found[1]], rest = found[2], rest[found.end() :]
        yield Instruction(word, flags, rest.strip())


def let_in(context: Path) -> list[Path]:
    """The files that .dockerignore lets into a build, by their paths from its directory."""
    rules = [line for line in (context / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    patterns = [(line.startswith("!"), _pattern_of(line.removeprefix("!"))) for line in rules]

    def is_in(path: Path) -> bool:
        names = [path.as_posix(), *(parent.as_posix() for parent in path.parents)]
        matched = [is_kept for is_kept, pattern in patterns if any(pattern.fullmatch(name) for name in names)]
        return not matched or matched[-1]

    kept = [line.removeprefix("!") for line in rules if line.startswith("!")]
    found = [path for name in kept for path in [context / name, *(context / name).rglob("*")] if path.is_file()]
    return sorted(path for path in (one.relative_to(context) for one in found) if is_in(path))


def _pattern_of(written: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*)", written)
    return re.compile("".join({"**/": "(?:.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts))


@dataclass(slots=True)
class Image:
    """The files of an image, and how it is run."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    default: list[str] = field(default_factory=list)

    def command(
        self,
        *words: str,
        settings: Mapping[str, str] | None = None,
        bound: Mapping[str, Path] | None = None,
        kept: Mapping[str, Path] | None = None,
    ) -> list[str]:
        """The command line that runs it, with other words than its CMD if there are any.

        What is `bound` can be read there, what is `kept` written.
        """
        user, _, group = self.user.partition(":")
        # Where root runs this, its files would be its own.
        first = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--"] if os.geteuid() == 0 else []
        shown = [word for where, path in (bound or {}).items() for word in ("--ro-bind", str(path), where)]
        shown += [word for where, path in (kept or {}).items() for word in ("--bind", str(path), where)]
        given = {**self.environment, **(settings or {}), **_base_environment()}
        return [
            *first,
            *_confined(self.root, given, is_written=False),
            *("--unshare-all", "--share-net", "--as-pid-1", "--die-with-parent", "--cap-drop", "ALL"),
            *("--uid", user, "--gid", group, "--tmpfs", "/tmp", *shown, "--chdir", self.directory),  # noqa: S108
            *("--", *self.entrypoint, *(words or self.default)),
        ]


def _base_environment() -> dict[str, str]:
    # The Python of this machine may look for its own library where it was built.
    return {"LD_LIBRARY_PATH": "/usr/local/lib"}


def _confined(root: Path, environment: Mapping[str, str], *, is_written: bool) -> list[str]:
    """A command line of bubblewrap's, up to where it is said what to run, on a root with this machine's C library."""
    given = [word for name, value in environment.items() for word in ("--setenv", name, value)]
    libraries = [word for name in _LIBRARIES if Path(name).is_dir() for word in ("--ro-bind", name, name)]
    binding = "--bind" if is_written else "--ro-bind"
    return [str(BWRAP), binding, str(root), "/", *libraries, "--proc", "/proc", "--dev", "/dev", "--clearenv", *given]


def new_base(root: Path) -> Path:
    """Make the base of an image in a directory: this Python at /usr/local, and where the rest is bound."""
    prefix = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    local = root / "usr" / "local"
    shutil.copytree(prefix / "lib" / version, local / "lib" / version, ignore=_NOT_IN_THE_BASE, symlinks=True)
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, local / "lib", follow_symlinks=False)
    (local / "bin").mkdir()
    shutil.copy2(Path(sys.executable).resolve(), local / "bin" / version)
    for name in ("python", "python3"):
        (local / "bin" / name).symlink_to(version)
    for name in ("tmp", "proc", "dev", "etc", "rules", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True)
    for name, to in _LINKS.items():
        (root / name).symlink_to(to)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    return root


def new_image(context: Path, directory: Path) -> Image:
    """Do in a directory what the Dockerfile of a context says; raises CalledProcessError with what a RUN said."""
    roots: dict[str, Path] = {}
    files = let_in(context)
    machine = {"TARGETARCH": _ARCHITECTURES[platform.machine()]}
    for number, stage in enumerate(read_sections((context / "Dockerfile").read_text())):
        image = Image(new_base(directory / str(number)))
        roots[stage.name] = image.root
        values: dict[str, str] = {}
        for one in stage.instructions:
            match one.word:
                case "ARG":
                    name, _, value = one.given.partition("=")
                    values[name] = machine.get(name, value)
                case "ENV":
                    image.environment |= dict(part.split("=", 1) for part in one.words)
                case "WORKDIR":
                    image.directory = one.given
                    (image.root / one.given.lstrip("/")).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    _copy(one, image, context, files, roots)
                case "RUN":
                    _run(one, image, values)
                case "USER":
                    image.user = one.given
                case "ENTRYPOINT":
                    image.entrypoint = one.words
                case "CMD":
                    image.default = one.words
                case "LABEL" | "EXPOSE" | "STOPSIGNAL":
                    pass
                case _:
                    raise ValueError(f"Dockerfile: {one.word}: is not understood here")
    return image


def _copy(one: Instruction, image: Image, context: Path, files: Sequence[Path], roots: Mapping[str, Path]) -> None:
    """Copy from another stage, or from the context what is let in."""
    source, target = one.words
    to = image.root / (Path(image.directory) / target).as_posix().lstrip("/")
    if "from" in one.flags:
        shutil.copytree(roots[one.flags["from"]] / source.lstrip("/"), to, symlinks=True, dirs_exist_ok=True)
        if "chown" in one.flags and os.geteuid() == 0:
            user, _, group = one.flags["chown"].partition(":")
            os.chown(to, int(user), int(group))
        return
    wanted = [path for path in files if source == "." or path.as_posix() == source]
    if not wanted:
        raise ValueError(f"Dockerfile: COPY {source}: is not in the build's context")
    for path in wanted:
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(context / path, to / path)


def _run(one: Instruction, image: Image, values: Mapping[str, str]) -> None:
    """Run a command on a stage's files, with this machine's shell and its way to an index."""
    ways = {name: value for name, value in os.environ.items() if name.startswith(_FETCHING)}
    given = {"PATH": "/usr/local/bin:/usr/bin:/bin", **ways, **image.environment, **values, **_base_environment()}
    # Where Debian keeps the pip that its `venv` installs.
    places = [
        "/usr/bin",
        "/usr/share/python-wheels",
        "/etc",
        *(value for value in ways.values() if value.startswith("/")),
    ]
    shown = [word for place in places for word in ("--ro-bind-try", place, place)]
    confined = _confined(image.root, given, is_written=True)
    command = [*confined, *shown, "--tmpfs", "/tmp", "--chdir", image.directory, "--", "/bin/sh", "-euc", one.given]  # noqa: S108
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, one.given, done.stdout, done.stderr)
