"""Trials in copies of a checkout, or of a commit: the tests that reach a break run until one fails. Answers are kept."""

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.leash import leashed
from tests.mutations.breaks import Break, Source, sources_in, users_of

INSIDE = Path(__file__).with_name("inside")
"""Modules for the interpreters that run in a copy: that of an older commit may have no `tests.mutations`."""
_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "mutations_plugin")
_SOME_FAILED, _NOT_THE_COPYS = 1, 99
_NO_TEST_FAILED = (0, 1, 5)
"""Exit codes of pytest where no test is known to have failed. 1 comes also of what is left open after the last test."""


class CannotTry(Exception):
    """No break can be tried; the message says why."""


class Copy:
    """A copy of a tree, with a link to the `shared` beside the checkout, where there is one.

    Attributes:
        within: a directory for the copy and what belongs to it.
        root: the copy of the checkout.
    """

    def __init__(self, within: Path) -> None:
        self.within, self.root = within, within / "checkout"
        self._said = within / "said.txt"
        self._running: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def twin(self, within: Path) -> "Copy":
        """Make another copy, with the compiled files of this one."""
        # What tests left in their folders stays there: a named pipe cannot be copied.
        shutil.copytree(self.within, within, symlinks=True, ignore=shutil.ignore_patterns("pytest-of-*"))
        return Copy(within)

    def record(self, out: Path, jobs: int, tests: Sequence[str]) -> str:
        """Run the tests below some paths, write into a directory what each that passes reaches, and return pytest's last line.

        Paths that this tree has not are left out; no path stands for all tests.
        """
        # As many as `make test` has: many a test waits for a process.
        spread = ("-n", str(3 * jobs // 2), "--dist", "worksteal") if jobs > 1 else ()
        there = [path for path in tests if (self.root / path).exists()]
        code = self._run(None, *spread, *there, MUTATIONS_REACH=str(out))
        said = self._said.read_text(errors="replace").strip()
        if code not in (0, _SOME_FAILED):
            raise CannotTry(f"{self.root}: the tests do not run:\n{said[-2000:]}")
        return said.rpartition("\n")[2]

    def compile(self) -> None:
        """Have Python and pytest compile the files, as `record` also does."""
        self._run(None, "--collect-only")

    @contextmanager
    def changed(self, file: str, text: str) -> Iterator[None]:
        """Give a file another text for a while; its old time returns with its old text, so that compiled files stay valid."""
        path = self.root / file
        whole, stat = path.read_bytes(), path.stat()
        path.write_text(text)
        # Compiled files go by seconds and sizes: a text of the same size within the same second would not be read.
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10_000_000_000))
        try:
            yield
        finally:
            path.write_bytes(whole)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def find_fault(self, tests: Sequence[str], seconds: float) -> str | None:
        """Return the first test that fails, or in brackets how pytest ended otherwise; None where all tests pass."""
        asked = self.within / "asked.json"
        asked.write_text(json.dumps(tests))
        (failed := asked.with_suffix(".failed")).write_text("")
        files = dict.fromkeys(test.partition("::")[0] for test in tests)
        # Compiled files stay, but none of a broken file.
        more = {"MUTATIONS_TESTS": str(asked), "PYTHONDONTWRITEBYTECODE": "1"}
        code = self._run(seconds, "-x", "-p", "no:xdist", *files, **more)
        if code == _NOT_THE_COPYS:
            raise CannotTry(f"router: was not imported from {self.root}")
        if first := failed.read_text().splitlines():
            return first[0]
        if code in _NO_TEST_FAILED:
            return None
        return "(the tests hang)" if code is None else f"(pytest ends with {code})"

    def stop(self) -> None:
        """End what runs in this copy, at once and from now on."""
        self._is_stopped = True
        if self._running:
            _kill(self._running)

    def _run(self, seconds: float | None, *words: str, **more: str) -> int | None:
        shutil.rmtree(scratch := self.within / "tmp", ignore_errors=True)
        scratch.mkdir()
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MUTATIONS_")}
        paths = f"{self.root}{os.pathsep}{self.within / 'inside'}"
        places = {"PYTHONPATH": paths, "TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": ""}
        command = [str(self.root / ".venv" / "bin" / "python"), *_PYTEST, *words]
        with self._said.open("wb") as said:
            self._running = running = subprocess.Popen(
                command, cwd=self.root, env=ours | places | more, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True, preexec_fn=leashed,
            )  # fmt: skip
        if self._is_stopped:
            _kill(running)
        try:
            return running.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _kill(running)
            running.wait()
            self._running = None


def _kill(running: subprocess.Popen[bytes]) -> None:
    # The processes that tests started are in its session.
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)


def tree_of(checkout: Path, commit: str | None) -> str:
    """Return the id of a commit's tree; without one, of the checkout's files, committed or not, but for the ignored."""
    if commit is not None:
        return _git(checkout, "rev-parse", "--verify", f"{commit}^{{tree}}").decode().strip()
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        _git(checkout, "read-tree", "HEAD", **index)
        _git(checkout, "add", "--all", **index)
        return _git(checkout, "write-tree", **index).decode().strip()


def copy_of(checkout: Path, tree: str, within: Path, store: Path) -> Copy:
    """Copy a tree into a new directory, with an environment; those that other locks need stay in `store`."""
    copy = Copy(within)
    with tarfile.open(fileobj=BytesIO(_git(checkout, "archive", tree))) as archive:
        archive.extractall(copy.root, filter="data")
    shutil.copytree(INSIDE, within / "inside")
    if (shared := checkout.parent / "shared").exists():
        (within / "shared").symlink_to(shared.resolve())
    (copy.root / ".venv").symlink_to(_environment_for(checkout, copy.root, store))
    return copy


def _environment_for(checkout: Path, root: Path, store: Path) -> Path:
    lock, ours = ((where / "requirements-dev.txt") for where in (root, checkout))
    if not lock.exists() or lock.read_bytes() == ours.read_bytes():
        return Path(sys.prefix)
    made = store / f"venv-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not (made / ".installed").exists():
        uv, more = Path(sys.prefix, "bin", "uv"), {"VIRTUAL_ENV": str(made), "UV_PYTHON_DOWNLOADS": "never"}
        for words in (
            ("venv", "--quiet", "--clear", "--python", sys.executable, made),
            ("pip", "install", "--quiet", "--require-hashes", "-r", lock),
            ("pip", "install", "--quiet", "--no-deps", "--editable", root),
        ):
            subprocess.run([uv, *words], env=os.environ | more, check=True)
        (made / ".installed").touch()
    return made


def _git(checkout: Path, *words: str, **more: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=checkout, env=os.environ | more, capture_output=True, check=False)
    if done.returncode:
        raise CannotTry(f"git {' '.join(words)}: {done.stderr.decode().strip()}")
    return done.stdout


FIRST, MOST, SECONDS = 20, 200, 60.0
"""Tests that run first, tests that run at most, and the seconds of CPU that these took at most while they were recorded."""

_Found = tuple[int, int, str, float]
"""Whole seconds of CPU, lines reached, the test, and its seconds of CPU."""

_PATIENCE = 300.0
"""Seconds before tests count as hanging, beside ten for each second of CPU: other programs use the machine, too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a break.

    Attributes:
        noticed_by: the test that failed, or in brackets how pytest ended otherwise; None where all tests passed.
        tried: the number of tests that were chosen.
        reaching: the number of tests that reach the statement.
    """

    noticed_by: str | None
    tried: int
    reaching: int


class _Tests:
    """The tests for a break: those that reach its statement, and behind them those that reach its file.

    A test of the latter may use what the former cached. Tests that reach few lines come first, and those of a second or more
    behind the others. Where too many reach the statement, half of the chosen are the first, and half are spread over the rest.
    """

    def __init__(self) -> None:
        self._near: list[_Found] = []
        self._far: list[_Found] = []

    @property
    def reaching(self) -> int:
        """The number of tests that reach the statement."""
        return len(self._near)

    def add(self, test: str, seconds: float, size: int, *, is_near: bool) -> None:
        """Add a test that reaches so many lines."""
        (self._near if is_near else self._far).append((int(seconds), size, test, seconds))
        if len(self._far) > 10 * MOST:
            self._far = sorted(self._far)[:MOST]

    @property
    def chosen(self) -> dict[str, float]:
        """Return the tests to run, in order, with their seconds; none where no test reaches the statement."""
        near, half = sorted(self._near), MOST // 2
        spread = near[half :: max(1, -(-len(near[half:]) // half))]
        found = [*near[:half], *spread, *sorted(self._far)][: MOST if near else 0]
        spent = accumulate(seconds for *_, seconds in found)
        return {test: seconds for (*_, test, seconds), sum in zip(found, spent, strict=True) if sum - seconds < SECONDS}


class Tree:
    """A commit, or the checkout as it is, in which breaks are tried."""

    def __init__(self, checkout: Path, commit: str | None, scratch: Path, jobs: int, tests: Sequence[str] = ()) -> None:
        self.name, self._jobs, self._tests = commit or "this checkout", jobs, tests
        tree = tree_of(checkout, commit)
        inside = b"".join(path.read_bytes() for path in sorted(INSIDE.glob("*.py")))
        version = hashlib.sha256(inside + "\n".join(tests).encode()).hexdigest()
        self._store = checkout / ".state" / "mutations" / f"{tree[:12]}-{version[:6]}"
        self._store.mkdir(parents=True, exist_ok=True)
        self._reach = self._store / "reach"
        self._copies = [copy_of(checkout, tree, scratch, self._store.parent)]
        self._is_sound: dict[str, bool] = {}

    @cached_property
    def sources(self) -> Sequence[Source]:
        """Its files of `router/`."""
        return sources_in(self._copies[0].root)

    def answers_to(self, breaks: Sequence[Break]) -> Mapping[Break, Answer]:
        """Return the answer to each break, and store the new ones."""
        (file := self._store / "answers.jsonl").touch()
        known = {key: Answer(**answer) for key, answer in map(json.loads, file.read_text().splitlines())}
        if new := [one for one in breaks if one.key not in known]:
            with file.open("a", buffering=1) as answers:
                for number, (one, answer) in enumerate(self._tried(new), 1):
                    known[one.key] = answer
                    answers.write(json.dumps([one.key, asdict(answer)]) + "\n")
                    said = answer.noticed_by or ("NOT NOTICED" if answer.reaching else "not reached")
                    print(f"{self.name}: {number} of {len(new)}: {one}: {said}", file=sys.stderr, flush=True)
        return {one: known[one.key] for one in breaks}

    def _tried(self, breaks: Sequence[Break]) -> Iterator[tuple[Break, Answer]]:
        is_compiled = not self._reach.exists()
        tests = self._tests_for(breaks)
        if not is_compiled and any(one.reaching for one in tests.values()):
            self._copies[0].compile()
        first, free = self._copies[0], SimpleQueue[Copy]()
        self._copies += [
            first.twin(first.within.with_name(f"{first.within.name}-{number}")) for number in range(1, self._jobs)
        ]
        for copy in self._copies:
            free.put(copy)

        def attempt(one: Break) -> tuple[Break, Answer]:
            copy = free.get()
            try:
                return one, self._answer(copy, one, tests[one])
            finally:
                free.put(copy)

        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                yield from (done.result() for done in as_completed([pool.submit(attempt, one) for one in breaks]))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for copy in self._copies:
                    copy.stop()
                raise

    def _answer(self, copy: Copy, one: Break, tests: _Tests) -> Answer:
        left = tests.chosen
        while True:
            names, fault = list(left), None
            with copy.changed(one.statement.file, one.broken):
                for wave in (names[:FIRST], names[FIRST:]):
                    fault = fault or self._find_fault(copy, {test: left[test] for test in wave})
            if fault not in left or self._fails_only_so(copy, fault, left[fault]):
                return Answer(fault, len(left), tests.reaching)
            del left[fault]

    def _find_fault(self, copy: Copy, tests: Mapping[str, float]) -> str | None:
        return copy.find_fault(list(tests), _PATIENCE + 10 * sum(tests.values())) if tests else None

    def _fails_only_so(self, copy: Copy, test: str, seconds: float) -> bool:
        if test not in self._is_sound:
            self._is_sound[test] = self._find_fault(copy, {test: seconds}) is None
        return self._is_sound[test]

    def _tests_for(self, breaks: Sequence[Break]) -> Mapping[Break, _Tests]:
        """Return the tests for each break. A statement outside of functions is reached where functions use its name."""
        users = users_of(self.sources)
        wanted: dict[str, list[tuple[Break, int]]] = defaultdict(list)
        for one in breaks:
            at = one.statement
            lines = {(at.file, line) for line in at.lines}
            if not at.is_in_function:
                lines |= users.get(at.function.rpartition(".")[2], set())
            masks = {at.file: 0}
            for file, line in lines:
                masks[file] = masks.get(file, 0) | 1 << line
            for file, mask in masks.items():
                wanted[file].append((one, mask))
        found: dict[Break, _Tests] = defaultdict(_Tests)
        for test, seconds, reached in self._records():
            near: dict[Break, bool] = {}
            for file in wanted.keys() & reached.keys():
                for one, mask in wanted[file]:
                    near[one] = near.get(one, False) or bool(reached[file] & mask)
            size = sum(mask.bit_count() for mask in reached.values())
            for one, is_near in near.items():
                found[one].add(test, seconds, size, is_near=is_near)
        return {one: found[one] for one in breaks}

    def _records(self) -> Iterator[tuple[str, float, Mapping[str, int]]]:
        if not self._reach.exists():
            print(f"{self.name}: the tests run once, and what each reaches is recorded", file=sys.stderr, flush=True)
            shutil.rmtree(recording := self._store / "recording", ignore_errors=True)
            recording.mkdir()
            print(
                f"{self.name}: {self._copies[0].record(recording, self._jobs, self._tests)}",
                file=sys.stderr,
                flush=True,
            )
            recording.rename(self._reach)
        children: dict[str, list[Mapping[str, str]]] = defaultdict(list)
        for record in _read(self._reach.glob("child-*")):
            children[record["test"]].append(record["lines"])
        for record in _read(self._reach.glob("test-*")):
            reached: dict[str, int] = defaultdict(int)
            for lines in (record["lines"], *children[record["test"]]):
                for file, mask in lines.items():
                    reached[file] |= int(mask, 16)
            yield record["test"], record["seconds"], reached


def _read(paths: Iterable[Path]) -> Iterator[Any]:
    for path in sorted(paths):
        with suppress(EOFError), gzip.open(path, "rt") as records:  # A process was killed while it wrote.
            yield from map(json.loads, records)
