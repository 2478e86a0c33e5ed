"""Ctrl-C, SIGTERM, a reader that goes away and a full disk: one line at most, a code of their own, and nothing told twice."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alert_router_demo.soc import soc_in_thread
from tests.builders import alert_body
from tests.cli.house import House, lines_in, ndjson, routing, said_into
from tests.coverage.builders import managed_cluster
from tests.leash import leashed
from tests.parse.messages import an_assessment
from tests.stack.gate import Order, everything, gate_in_thread
from tests.store.opened import rows_in
from tests.waiting import wait_until
from tests.warm import WarmProcess

BATCH = 200
MANY = 10 * BATCH
"""So many that a run is not over when it is seen to have begun."""

ROUTER = (sys.executable, "-m", "router")

AT_A_CALL = """
import os, signal, sys
from itertools import count
from router.cli import main

calls, number, last = count(1), int(sys.argv[1]), int(sys.argv[2])

def trace(frame, event, arg):
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL and next(calls) == last:
        sys.setprofile(None)
        os.kill(os.getpid(), number)

sys.setprofile(trace)
code = main(sys.argv[3:])
sys.setprofile(None)
if last == 0:
    print(next(calls), file=sys.stderr)
sys.exit(code)
"""
"""The router, which sends itself a signal at the call of that number; for the number 0 it says how many calls there are."""

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def environment(**more: str) -> dict[str, str]:
    """What a process finds around it."""
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | more


def started(*command: str | Path, **more: str) -> subprocess.Popen[str]:
    """A process with pipes at all its ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(list(map(str, command)), text=True, env=environment(**more), preexec_fn=leashed, **pipes)  # type: ignore[call-overload, no-any-return]


def until(running: subprocess.Popen[str] | WarmProcess, is_so: Callable[[], bool]) -> None:
    """Waits for something that a process does."""
    wait_until(is_so, goes_on=lambda: running.poll() is None, about=running.communicate)


def size_of(path: Path) -> int:
    """How much is in a file."""
    return path.stat().st_size if path.exists() else 0


def alerts(house: House, count: int) -> str:
    """A file of that many alerts, each of which is told to two files."""
    return house.writes("many.ndjson", b"\n".join(alert_body(f"alert-{n}") for n in range(count)))


def notices_by_file(house: House) -> list[Counter[str]]:
    """How often each file was told of each signal."""
    return [
        Counter(line["key"] for line in lines_in(house.directory / f"{name}.ndjson"))
        for name in ("people", "everything")
    ]


def on_record(house: House) -> int:
    """How many messages are on record."""
    state = house.directory / ".state"
    if not (state / "router.db").exists() or not rows_in(state, "SELECT 1 FROM sqlite_schema WHERE name='decisions'"):
        return 0
    return int(rows_in(state, "SELECT count(*) FROM decisions")[0][0])


def owed(house: House) -> int:
    """How many deliveries are not ended."""
    open_ones = "SELECT count(*) FROM deliveries WHERE state IN ('owed', 'claimed')"
    return int(rows_in(house.directory / ".state", open_ones)[0][0])


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)])
def test_an_interrupted_run_repeats_nothing_that_was_settled(house: House, number: signal.Signals) -> None:
    """What was written to a file is written down before the run ends, and the next run tells only the rest."""
    file, count = alerts(house, MANY), MANY
    with routing("run", file) as run:
        until(run, lambda: size_of(house.directory / "people.ndjson") > 0)
        run.send_signal(number)
        out, err = run.communicate()
    first = notices_by_file(house)
    assert (run.returncode, out) == (CODES[number], "")
    (line,) = err.splitlines()
    left = owed(house)
    assert f"{count} taken in, {left} owed" in line
    assert left == 2 * count - sum(map(len, first)) > 0
    assert house.says("run", file).code == 0
    for counts in notices_by_file(house):
        assert (len(counts), set(counts.values())) == (count, {1})


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_interrupted_while_it_takes_in_a_batch_is_whole_or_not_there(house: House, number: signal.Signals) -> None:
    """What was taken in is on record and in the decisions file, and the line says how much; nobody was told yet."""
    file = alerts(house, MANY)
    with routing("run", "--decisions", "decisions.ndjson", file) as run:
        until(run, lambda: size_of(house.directory / "decisions.ndjson") > 0)
        run.send_signal(number)
        _, err = run.communicate()
    taken = on_record(house)
    assert run.returncode == CODES[number]
    assert (taken % BATCH, 0 < taken < MANY) == (0, True)
    assert len(house.lines("decisions.ndjson")) == taken
    assert f"{taken} taken in, {2 * taken} owed" in err
    assert notices_by_file(house) == [Counter(), Counter()]


# What lies between the first moments and the last is the two tests' above, and all of it `make soak`'s.
@pytest.mark.parametrize("shares", [(0.02, 0.97), pytest.param((0.02, 0.4, 0.8, 0.97), marks=pytest.mark.soak)])
def test_at_whatever_moment_it_is_interrupted(house: House, shares: Sequence[float]) -> None:
    """From its start to its last words: one line at most, whole batches, and each signal is told once in the end."""
    count = BATCH + 50
    file = alerts(house, count)
    whole = started(sys.executable, "-c", AT_A_CALL, "0", "0", "run", file, "--state", "other")
    calls = int(whole.communicate()[1])
    for name in ("people", "everything"):
        (house.directory / f"{name}.ndjson").unlink()
    for turn, share in enumerate(shares):
        number = list(CODES)[turn % 2]
        run = started(sys.executable, "-c", AT_A_CALL, f"{number.value}", f"{int(calls * share) + 1}", "run", file)
        _, err = run.communicate()
        assert run.returncode in (CODES[number], 0), err
        assert len(err.splitlines()) <= 1, err
        assert on_record(house) in (0, BATCH, count)
    assert house.says("run", file).code == 0
    for counts in notices_by_file(house):
        assert (len(counts), set(counts.values())) == (count, {1})


@contextmanager
def a_slow_pager() -> Iterator[tuple[str, str, Order]]:
    """A pager whose answers come when it may answer: its address, a key that it knows, and what withholds the answers."""
    with soc_in_thread() as soc, gate_in_thread({"pagerduty": soc.addresses.pagerduty}) as gate:
        yield gate.addresses["pagerduty"], soc.accounts["cwpp"].routing_key, gate.withhold(everything)


def paged_at(house: House, url: str) -> None:
    """Lets every alert page there."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    pager = f"{{kind: pagerduty, url: '{url}', routing_key: {{secret: PAGER_KEY}}}}"
    text = policy.read_text().replace("routes:", f"  pager: {pager}\nroutes:")
    policy.write_text(
        text.replace("to: [people]", "to: [pager]")
        .replace("always: [everything]", "always: []")
        .replace("otherwise: [", "otherwise: [everything, ")
    )


def test_an_answer_that_is_awaited_is_written_down(house: House) -> None:
    """Pages in flight are finished first; those that nobody sent yet are owed with no attempt spent."""
    with a_slow_pager() as (url, key, withheld):
        paged_at(house, url)
        with routing("run", alerts(house, 40), PAGER_KEY=key) as run:
            until(run, lambda: withheld.count >= 16)
            run.send_signal(signal.SIGINT)
            withheld.end()
            _, err = run.communicate()
    states = Counter(rows_in(house.directory / ".state", "SELECT state, attempts FROM deliveries"))
    assert run.returncode == 130
    assert set(states) == {("sent", 1), ("owed", 0)}
    assert states["sent", 1] >= 16
    assert f"40 taken in, {states['owed', 0]} owed" in err


def test_a_second_signal_ends_it_at_once(house: House) -> None:
    """Whoever does not want to wait for a slow destination need not: what was in flight is due again in the next run."""
    with a_slow_pager() as (url, key, withheld):
        paged_at(house, url)
        with routing("run", alerts(house, 1), PAGER_KEY=key) as run:
            until(run, lambda: withheld.count >= 1)
            run.send_signal(signal.SIGINT)
            run.send_signal(signal.SIGTERM)
            assert run.communicate() == ("", "")
    assert run.returncode == 143
    assert owed(house) == 1


@pytest.mark.parametrize(
    ("command", "number"),
    [
        (("run", "-"), signal.SIGINT),
        (("explain", "-"), signal.SIGINT),
        (("run", "--dry-run", "-"), signal.SIGTERM),
    ],
)
def test_whoever_interrupts_is_not_lectured(house: House, command: tuple[str, ...], number: signal.Signals) -> None:
    """A command that waits for its input ends with no more than a line."""
    with routing(*command) as waiting:
        assert waiting.stdin is not None
        waiting.stdin.write("{")
        waiting.stdin.flush()
        until(waiting, lambda: is_read(waiting))
        waiting.send_signal(number)
        waiting.wait()
        assert waiting.returncode == CODES[number]
        assert waiting.stderr is not None
        assert len(waiting.stderr.read().splitlines()) <= 1


def is_read(process: subprocess.Popen[str] | WarmProcess) -> bool:
    """Whether a process has read what was written to it."""
    assert process.stdin is not None
    return not struct.unpack("i", fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, b"\0" * 4))[0]


def test_what_was_started_to_ignore_ctrl_c_ignores_it(house: House) -> None:
    """As `nohup` and a script's background job start it: whoever presses Ctrl-C means another program."""
    file = alerts(house, 1)
    command = ["bash", "-c", f"trap '' INT; exec {' '.join(ROUTER)} run -"]
    with started(*command) as run:
        assert run.stdin is not None
        run.stdin.write("{")
        run.stdin.flush()
        until(run, lambda: is_read(run))
        run.send_signal(signal.SIGINT)
        run.communicate((house.directory / file).read_text()[1:])
    assert run.returncode == 0


@contextmanager
def a_reader_gone() -> Iterator[dict[str, object]]:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield {"stdout": writer, "preexec_fn": leashed}
    os.close(writer)


@contextmanager
def a_closed_output() -> Iterator[dict[str, object]]:
    """No standard output at all."""

    def without_output() -> None:
        leashed()
        os.close(1)

    yield {"preexec_fn": without_output}


@contextmanager
def a_full_disk() -> Iterator[dict[str, object]]:
    """A file that takes nothing."""
    with Path("/dev/full").open("wb") as full:
        yield {"stdout": full, "preexec_fn": leashed}


# Each kind of output, once with a command that does something.
@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("run many.ndjson", a_reader_gone),
        ("run many.ndjson", a_full_disk),
        ("explain many.ndjson", a_closed_output),
        ("-h", a_full_disk),
    ],
)
def test_what_nobody_reads_is_told_by_the_exit_code(
    house: House, command: str, output: Callable[[], AbstractContextManager[dict[str, Any]]]
) -> None:
    """141 and no more than a line; what was to be done is done all the same."""
    alerts(house, 200)
    with output() as options:
        done = subprocess.run(
            [*ROUTER, *command.split()], stderr=subprocess.PIPE, text=True, env=environment(), **options
        )
    assert done.returncode == 141, done.stderr
    assert done.stderr == (NO_SPACE if output is a_full_disk else "")
    if command.startswith("run"):
        assert [len(counts) for counts in notices_by_file(house)] == [200, 200]


@pytest.mark.usefixtures("house")
def test_an_output_that_is_full_for_now_is_waited_for() -> None:
    """Who shares a pipe may have made it non-blocking, as Node.js does: what does not fit is written when there is room."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    command = [*ROUTER, "completion", "bash"]
    with subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE, env=environment(), preexec_fn=leashed) as it:
        os.close(writing)
        printed = b"".join(iter(partial(os.read, reading, 1), b""))
        os.close(reading)
        assert (it.stderr.read() if it.stderr else None, it.wait()) == (b"", 0)
    assert printed.rstrip().endswith(b"alert-router")


def with_people_down(house: House) -> None:
    """A state with dead letters, since a file could not be written for four days."""
    (house.directory / "people.ndjson").mkdir()
    for day in ("20", "24"):
        house.says("run", "--now", f"2026-11-{day}T12:00:00Z", alerts(house, 3))
    (house.directory / "people.ndjson").rmdir()


def with_a_silence(house: House) -> None:
    """A state in which something is silenced, a destination held, and a message in quarantine that is understood now."""
    house.says("run", "--now", AT, "--stream", "cwpp", house.writes("q.ndjson", ndjson(an_assessment())))
    for command in (SILENCE, HOLD):
        assert house.says(*command.split(), "--now", AT).code == 0


def with_a_cluster(house: House) -> None:
    """A document for the gate."""
    house.says("run", "--now", AT, house.writes("empty.ndjson", b""))
    house.writes("clusters.json", json.dumps([managed_cluster()]))


AT = "2026-11-24T12:00:00Z"
WHO = "--reason patching --author ana@contoso.example"
SILENCE = f"silences add --resource vm-1 --for 2h {WHO} --yes"
HOLD = f"destinations hold people --for 2h {WHO}"


@pytest.mark.parametrize(
    ("prepare", "command"),
    [
        (with_people_down, f"run many.ndjson --decisions decisions.ndjson --now {AT}"),
        (with_people_down, f"{SILENCE} --now {AT}"),
        (with_people_down, f"{SILENCE} --now {AT} --format json"),
        (with_people_down, f"{HOLD} --now {AT}"),
        (with_people_down, f"dead-letters redrive --all --now {AT}"),
        (with_people_down, f"dead-letters discard --all --yes --now {AT}"),
        (with_people_down, f"attack layer --out layer.json --now {AT}"),
        (with_a_silence, f"silences extend SILENCE --for 1h --author ana@contoso.example --now {AT}"),
        (with_a_silence, f"silences end SILENCE --author ana@contoso.example --now {AT}"),
        (with_a_silence, f"destinations release people {WHO} --now {AT}"),
        (with_a_silence, f"quarantine retake --all --now {AT}"),
        (with_a_silence, "quarantine discard --all --yes"),
        (with_a_cluster, f"coverage init clusters.json --out rules/coverage.yaml --now {AT}"),
        (with_a_cluster, f"coverage report clusters.json --out page.html --now {AT}"),
        (with_a_cluster, "init mine"),
    ],
)
def test_what_a_command_does_it_does_whole_wherever_its_output_is_cut(
    house: House, tmp_path_factory: pytest.TempPathFactory, prepare: Callable[[House], None], command: str
) -> None:
    """As `silences add --yes | head -1`: what was not read is told by the exit code, and what it was to say is so."""
    prepare(house)
    if "SILENCE" in command:
        command = command.replace("SILENCE", listed(house, "silences", "--now", AT)[0]["id"])
    kept = shutil.copytree(house.directory, tmp_path_factory.mktemp("kept") / "house")
    before = what_is_there(house)
    code, printed = said_into(1 << 20, *command.split())
    after = what_is_there(house)
    assert (code, after == before) == (0, False)
    for room in {0, len(printed) // 3, len(printed) - 1}:
        shutil.rmtree(house.directory)
        shutil.copytree(kept, house.directory)
        os.chdir(house.directory)
        assert said_into(room, *command.split())[0] == 141
        assert what_is_there(house) == after


def test_what_was_to_be_asked_and_could_not_be_shown_is_not_done(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person says yes to what they read."""
    with_people_down(house)
    before = what_is_there(house)
    main, terminal = os.openpty()
    os.write(main, b"y\n")
    with os.fdopen(terminal) as asked:
        monkeypatch.setattr(sys, "stdin", asked)
        assert said_into(10, *SILENCE.split()[:-1], "--now", AT) == (141, b"")
    os.close(main)
    assert what_is_there(house) == before


def what_is_there(house: House) -> list[object]:
    """Each file of a house, and what the lists say of its state."""
    files = (path for path in house.directory.rglob("*") if path.is_file() and path.parent.name != ".state")
    return [
        {path: path.read_bytes() for path in files},
        listed(house, "silences", "--now", AT),
        listed(house, "destinations", "--now", AT),
        listed(house, "dead-letters"),
        listed(house, "quarantine"),
    ]


def listed(house: House, what: str, *more: str) -> list[dict[str, Any]]:
    """What a list says for programs."""
    found: list[dict[str, Any]] = json.loads(house.says(what, "list", "--format", "json", *more).out)
    return found


NO_SPACE = "standard output: cannot be written: No space left on device\n"


def test_a_closed_input_is_no_empty_one(house: House) -> None:
    """To route nothing would look like success."""
    done = subprocess.run(
        [*ROUTER, "run", "-"], preexec_fn=lambda: os.close(0), capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("-: cannot be read: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [2, 0])
def test_where_nobody_hears_of_an_error_the_exit_code_stays(house: House, number: int) -> None:
    """Standard error is full or closed."""

    def without_error() -> None:
        os.close(2)
        if number:
            os.open("/dev/full", os.O_WRONLY)

    assert subprocess.run([*ROUTER, "run", "missing"], preexec_fn=without_error, env=environment()).returncode == 2


def test_a_decisions_file_on_a_full_disk_is_named(house: House) -> None:
    """One line; what was taken in is owed."""
    said = house.says("run", "--decisions", "/dev/full", alerts(house, 300))
    assert said.complaint == "/dev/full: decisions cannot be written there: No space left on device"
    assert owed(house) == 2 * on_record(house) > 0


def test_a_started_list_ends_where_its_reader_does(house: House) -> None:
    """As `alert-router explain FILE | head -1`."""
    with routing("explain", alerts(house, 3000)) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr is not None
        assert run.stderr.read() == ""
    assert run.returncode == 141
