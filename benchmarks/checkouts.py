"""Checkouts side by side: the router of each, and these benchmarks in the place of its own."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from time import monotonic
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LOCK = "requirements.txt"
PATIENCE = 300  # seconds


class NotRun(Exception):
    """A program that did not end as it should: its arguments and its last words."""


class Run(NamedTuple):
    """What a program took, in CPU seconds with its children's, and in seconds; and the last line that it printed."""

    cpu: float
    seconds: float
    last: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A directory with code, and an interpreter that has the packages of its lock."""

    directory: Path = ROOT
    python: str = sys.executable

    def run(self, *arguments: str, settings: Mapping[str, str] | None = None, ends_with: int = 0) -> Run:
        """Run Python there, and return what that took; raise NotRun where its exit code is another."""
        # Modules are compiled once; elsewhere's router is never imported instead.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        began = monotonic()
        process = subprocess.Popen(
            [self.python, *arguments],
            cwd=self.directory,
            env={**ours, **(settings or {}), "PYTHONPATH": str(self.directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        guard = Timer(PATIENCE, process.kill)
        guard.start()
        assert process.stdout is not None
        with process.stdout as printed:
            last = printed.read().decode(errors="replace").strip().rpartition("\n")[2]
        _, status, usage = os.wait4(process.pid, 0)
        guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != ends_with:
            raise NotRun(f"python {' '.join(arguments[:4])}: ended with {process.returncode}: {last}")
        return Run(usage.ru_utime + usage.ru_stime, monotonic() - began, last)


def is_dirty() -> bool:
    """Whether a file that git knows, or could, differs from the last commit."""
    return bool(_git("status", "--porcelain"))


def commit_of(name: str) -> str:
    """The short hash of the commit that a command line names; raises ArgumentTypeError."""
    try:
        return _git("rev-parse", "--short", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()
    except subprocess.CalledProcessError:
        fault = f"{name}: is no commit of this repository; give a hash, a tag or such as HEAD~1"
        raise argparse.ArgumentTypeError(fault) from None


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The files of a commit, in a directory that is gone afterwards."""
    with TemporaryDirectory(prefix="commit-") as directory:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as files:
            files.extractall(directory, filter="data")
        yield Path(directory)


@contextmanager
def measurable(tree: Path) -> Iterator[Checkout]:
    """A copy of a tree's program with these benchmarks beside it, compiled, and with a venv of its own if its lock differs."""
    with TemporaryDirectory(prefix="measured-") as scratch:
        directory = Path(scratch).resolve()
        for part in ("router", "alert_router_demo"):
            shutil.copytree(tree / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "benchmarks", directory / "benchmarks")
        for part in ("function_app.py", "host.json", LOCK):
            shutil.copy(tree / part, directory)
        is_ours = (tree / LOCK).read_bytes() == (ROOT / LOCK).read_bytes()
        checkout = Checkout(directory, sys.executable if is_ours else _interpreter_for(directory))
        checkout.run("-m", "compileall", "-q", ".", "-x", "[.]venv")
        measured = checkout.run("-c", "import router; print(router.__file__)").last
        assert Path(measured).is_relative_to(directory), f"{tree}: {measured} would be measured"
        yield checkout


def _interpreter_for(directory: Path) -> str:
    """The interpreter of a new venv with what the lock there pins."""
    python = directory / ".venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    settings = os.environ | {"UV_PYTHON_DOWNLOADS": "never"}
    install = ["pip", "install", "--quiet", "--compile-bytecode", "--require-hashes"]
    for command in (
        ["venv", "--quiet", "--python", sys.executable, str(python.parents[1])],
        # Named, since uv else takes the environment that it is started from.
        [*install, "--python", str(python), "-r", str(directory / LOCK)],
    ):
        subprocess.run([*uv, *command], env=settings, check=True)
    # A router says its version only where it is installed, so it is as installed as this one.
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    for known in Path(sysconfig.get_path("purelib")).glob("alert_router-*.dist-info"):
        shutil.copytree(known, packages / known.name)
    return str(python)


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout
