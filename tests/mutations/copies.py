"""Copies of a checkout, or of a commit, in which code may be broken and tests run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

from tests.leash import leashed

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

    def twin(self, within: Path) -> Copy:
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
