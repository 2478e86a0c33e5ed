"""The image has the program and what it needs; its entry point runs where there is no shell, no name and no home."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from router.cli.parser import new_parser
from tests.builders import RULES, alert_body
from tests.infra.image import BWRAP, ROOT, USER, Image, let_in, new_image, read_sections
from tests.leash import leashed
from tests.network import free_ports
from tests.stack.postgres import Server, Way
from tests.stack.stack import Stack, stack_running
from tests.waiting import PATIENCE, wait_until

BUILD, FINAL = read_sections((ROOT / "Dockerfile").read_text())


def test_the_last_stage_runs_nothing_and_is_run_by_number_without_a_shell() -> None:
    """It is made for any processor on any other; Kubernetes believes no user's name; SIGTERM reaches the program itself."""
    assert [
        one.word for one in FINAL.instructions if one.word in ("RUN", "ADD", "HEALTHCHECK", "SHELL", "VOLUME")
    ] == []
    assert {one.flags["from"] for one in FINAL.instructions if one.word == "COPY"} == {BUILD.name}
    user, entrypoint, default = (FINAL.find_last(word) for word in ("USER", "ENTRYPOINT", "CMD"))
    assert user is not None and entrypoint is not None and default is not None
    assert user.given == f"{USER}:{USER}"
    (program,) = entrypoint.words
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert (Path(program).parent, [Path(program).name]) == (Path("/app/bin"), list(script))
    assert new_parser().parse_args(default.words).needs_rules
    assert "ALERT_ROUTER_RULES=/rules" in {
        word for one in FINAL.instructions if one.word == "ENV" for word in one.words
    }


def test_what_is_installed_in_it_is_what_a_lock_says() -> None:
    """uv among it, and what builds the wheel; the wheel is the program's own. Both sections have the same base, since the first
    one compiles its library."""
    runs = [one.given for one in BUILD.instructions if one.word == "RUN"]
    installs = re.findall(r"(?:pip install|uv build) (?:(?!&&).)*", " && ".join(runs))
    assert len(installs) == 4
    assert all("--require-hashes" in one or "--no-deps /wheel/*.whl" in one for one in installs)
    assert BUILD.base.split()[-1] == FINAL.base
    assert re.fullmatch(r"docker\.io/library/python:3\.13-slim-\w+", FINAL.base)


def test_a_build_is_given_the_program_and_the_locks_alone(tmp_path: Path) -> None:
    """No rules, no settings, no history; and a COPY of a file that is kept out would fail the build."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    program = {name for name in listed if name.startswith(("router/", "alert_router_demo/"))}
    beside = {
        "LICENSE",
        "README.md",
        "pyproject.toml",
        *(f"requirements-{name}.txt" for name in ("build", "serve", "setup")),
    }
    assert {path.as_posix() for path in let_in(ROOT)} >= program | beside
    for name in (
        *beside,
        "router/a.py",
        "router/__pycache__/a.pyc",
        "rules/cwpp/policy.yaml",
        "alert-router.env",
        ".git/config",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    assert {path.as_posix() for path in let_in(tmp_path)} == beside | {"router/a.py"}
    copied = [one.words[0] for one in BUILD.instructions if one.word == "COPY"]
    assert {*copied} - {"."} <= beside


class _MountAttributes(ctypes.Structure):
    """What mount_setattr sets: https://man7.org/linux/man-pages/man2/mount_setattr.2.html"""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "spread", "user"))


_READ_ONLY, _RECURSIVE, _BIND, _MOUNT_SETATTR, _AT_CWD = 1, 0x8000, 4096, 442, -100


def nameless() -> None:
    """A `preexec_fn` after which a process has no name, and can write in /tmp alone."""
    user, group = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{USER} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{USER} {group} 1")
    libc = ctypes.CDLL(None, use_errno=True)

    def change(place: bytes, flags: int, **bits: int) -> int:
        attributes = _MountAttributes(**bits)
        size = ctypes.sizeof(attributes)
        return int(libc.syscall(_MOUNT_SETATTR, _AT_CWD, place, flags, ctypes.byref(attributes), size))

    if change(b"/", _RECURSIVE, set=_READ_ONLY) or libc.mount(b"/tmp", b"/tmp", None, _BIND, None):
        raise OSError(ctypes.get_errno(), "mount")
    if change(b"/tmp", 0, clear=_READ_ONLY):
        raise OSError(ctypes.get_errno(), "mount")


COMMANDS = """
import os, pwd, tempfile
from router.cli import main
try:
    pwd.getpwuid(os.getuid())
except KeyError:
    print("nameless")
with tempfile.TemporaryDirectory() as state:
    for words in ("--version", "rules check", "run /dev/null", f"serve --state {state}", f"run --state {state} /dev/null"):
        print(main(words.split()), flush=True)
"""


def test_the_program_needs_no_name_no_home_and_nowhere_to_write_but_tmp(tmp_path: Path) -> None:
    """Where a state cannot be kept, and where no hub is named, it says so in one line."""
    shutil.copytree(RULES, tmp_path / "rules")
    command = [sys.executable, "-c", COMMANDS]
    given = {"PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, preexec_fn=nameless)
    except subprocess.SubprocessError:
        pytest.skip("this machine lets its users make no namespace")
    said = [line for line in done.stdout.splitlines() if line.isdecimal() or line == "nameless"]
    assert said == ["nameless", "0", "0", "2", "2", "0"], done
    named = [line.partition(":")[0] for line in done.stderr.splitlines() if "not yet" not in line]
    assert named == [".state", "EVENT_HUBS"], done.stderr


@contextmanager
def running(
    image: Image, log: Path, *words: str, rules: Path, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """An image that runs, and says what it says in a file."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            image.command(*words, settings=settings, bound={"/rules": rules}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=leashed,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A directory that the image's user may enter: those of pytest are their maker's alone, each time that pytest starts."""
    with TemporaryDirectory(prefix="image-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.fixture(scope="module")
def image(directory: Path) -> Image:
    """The image, made as its Dockerfile says; skipped without bubblewrap, or where no index is reached."""
    if BWRAP is None:
        pytest.skip("bubblewrap is not installed")
    (directory / "files").mkdir()
    try:
        return new_image(ROOT, directory / "files")
    except subprocess.CalledProcessError as fault:
        if re.search(UNREACHED, fault.stderr):
            pytest.skip(f"no index is reached: {fault.stderr.splitlines()[-1]}")
        pytest.fail(f"{fault.cmd}\n{fault.stdout}{fault.stderr}")


UNREACHED = "error sending request|failed to (fetch|lookup)|No matching distribution|ConnectionError"


def said(image: Image, *words: str, **more: Path) -> tuple[int, str]:
    """The exit code of a command in an image, and all that it said; `more` are directories that it may write."""
    kept = {f"/{name}": path for name, path in more.items()}
    done = subprocess.run(image.command(*words, kept=kept), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


@pytest.mark.soak
def test_its_files_are_enough_without_rules_or_a_state(image: Image, directory: Path) -> None:
    """One line where there are none. Nothing of it can be written, no shell is in it, and all of it is compiled."""
    assert said(image, "--version")[0] == 0
    code, words = said(image)
    assert (code, words.count("\n")) == (2, 1) and words.startswith("/rules: ")
    code, words = said(image, "demo")
    assert (code, words.count("\n")) == (2, 1) and words.startswith(".state/demo: cannot hold the state: Read-only")
    state = directory / "state"
    state.mkdir()
    if os.geteuid() == 0:
        os.chown(state, USER, USER)
    assert said(image, "demo", "--state", "/state", state=state)[0] == 0
    shell = image.command("-c", "true")
    at = len(shell) - 3
    assert shell[at] == "/app/bin/alert-router"
    assert (
        "No such file"
        in subprocess.run([*shell[:at], "/bin/sh", *shell[at + 1 :]], capture_output=True, text=True).stderr
    )
    sources = {path.relative_to(image.root) for path in (image.root / "app" / "lib").rglob("*.py")}
    code_files = (image.root / "app" / "bytecode" / "app" / "lib").rglob("*.pyc")
    compiled = {
        path.relative_to(image.root / "app" / "bytecode").with_suffix("").with_suffix(".py") for path in code_files
    }
    assert sources - compiled == set()


@pytest.mark.soak
def test_it_serves_as_the_first_process_until_it_is_told_to_stop(
    image: Image, postgres: Server, directory: Path
) -> None:
    """By its own CMD: what is in the hubs becomes a page, the probes answer, and SIGTERM ends it in order."""
    with stack_running(postgres.new_database()) as stack, Way(stack.state) as way:
        rules, authority = directory / "rules", directory / "authority.pem"
        shutil.copytree(stack.rules, rules)
        assert stack.soc.addresses.ca is not None
        shutil.copyfile(stack.soc.addresses.ca, rules / authority.name)
        settings = settings_of(stack, way.to(stack.state), f"/rules/{authority.name}")
        stack.hubs.append("cwpp", 0, alert_body("alert-1"))
        (port,) = free_ports(1)
        words = [word.replace("0.0.0.0:9464", f"127.0.0.1:{port}") for word in image.default]
        log = directory / "log"
        with running(image, log, *words, rules=rules, settings=settings) as process:
            wait_until(
                lambda: len(stack.soc.pagerduty.pages) == 1,
                goes_on=lambda: process.poll() is None,
                about=log.read_text,
            )
            probed = {path: httpx.get(f"http://127.0.0.1:{port}{path}") for path in ("/healthz", "/readyz", "/metrics")}
            assert {path: answer.status_code for path, answer in probed.items()} == dict.fromkeys(probed, 200)
            assert "alert_router_" in probed["/metrics"].text
            (first,) = children_of(process.pid)
            os.kill(first, signal.SIGTERM)
            assert process.wait(PATIENCE) == 0, log.read_text()
        assert log.read_text().splitlines()[-1].endswith("INFO stopped")


def settings_of(stack: Stack, state: str, authority: str) -> dict[str, str]:
    """What a stack's router is given, as it is where the image runs."""
    left = {name: value for name, value in stack.environment.items() if name not in ("PATH", "HOME", "LANG")}
    return left | {"ALERT_ROUTER_STATE": state, "ALERT_ROUTER_CA_FILE": authority}


def children_of(process: int) -> list[int]:
    """The processes that a process has begun and that are still there."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
