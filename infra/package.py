"""Makes the package that a release ships: the code, the rules, and what they need, built for the platform that Azure runs.

`make package`. Made of the same files by the same Python it is the same byte for byte, wherever and whenever it is made.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infra.compiler import ROOT

PACKAGE = "alert-router.zip"
OWN = ("function_app.py", "host.json", "requirements.txt", "router", "rules")
"""What `azd deploy` sends too: the rest is in .funcignore."""

DEPENDENCIES = ".python_packages/lib/site-packages"
"""Where Azure's worker looks for what an app brings along:
https://learn.microsoft.com/azure/azure-functions/python-build-options"""

BUILT_FOR = ("--python-platform", "x86_64-unknown-linux-gnu", "--python-version", "3.13")
_WHEELS_ONLY = ("--only-binary", ":all:", "--require-hashes", "--no-deps", "--quiet")

_THEN = (1980, 1, 1, 0, 0, 0)
_FILE = 0o100644 << 16


def install(requirements: Path, to: Path) -> None:
    """Puts what a lock names into a folder, as wheels with the lock's hashes; raises CalledProcessError."""
    uv = Path(sys.executable).with_name("uv")
    where = ("--python", sys.executable, "--target", str(to))
    command = [str(uv), "pip", "install", *where, *BUILT_FOR, *_WHEELS_ONLY, "--requirements", str(requirements)]
    subprocess.run(command, check=True)


def contents(root: Path, dependencies: Path) -> Mapping[str, Path]:
    """Every file of the package by its name there."""
    own = {path.relative_to(root).as_posix(): path for name in OWN for path in _files(root / name)}
    # Commands, and the list of what was installed, name the interpreter of whoever built it.
    brought = {
        f"{DEPENDENCIES}/{path.relative_to(dependencies).as_posix()}": path
        for path in _files(dependencies)
        if path.relative_to(dependencies).parts[0] != "bin" and path.name != "RECORD"
    }
    return own | brought


def pack(files: Mapping[str, Path], to: Path) -> None:
    """Writes them, in the order of their names and as of one time."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(to, "w", ZIP_DEFLATED) as package:
        for name in sorted(files):
            info = ZipInfo(name, _THEN)
            info.compress_type, info.external_attr, info.create_system = ZIP_DEFLATED, _FILE, 3
            package.writestr(info, files[name].read_bytes())


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for one in path.iterdir() if path.is_dir() else ():
        if not one.name.startswith(".") and one.suffix != ".pyc":
            yield from _files(one)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Makes it of the project at `root`; 1 and what uv said where something cannot be installed."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.package", description="Makes the package that a release ships."
    )
    parser.add_argument("to", metavar="FILE", type=Path, nargs="?", default=ROOT / "dist" / PACKAGE)
    to: Path = parser.parse_args(arguments).to
    with TemporaryDirectory() as scratch:
        try:
            install(root / "requirements.txt", Path(scratch))
        except subprocess.CalledProcessError:
            return 1
        pack(contents(root, Path(scratch)), to)
    print(f"{to}: {digest(to)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
