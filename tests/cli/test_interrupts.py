"""Ctrl-C, SIGTERM, a reader that goes away and a full disk: one line at most, a code of their own, and nothing told twice."""

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
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alert_router_demo.soc import soc_in_thread
from tests.builders import alert_body
from tests.cli.house import House, lines_in, ndjson, routing, said_into
from tests.coverage.builders import managed_cluster
from tests.leash import leashed
from tests.parse.messages import a_flat_alert, an_assessment
from tests.stack.gate import Gate, Order, to
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
monitoring = sys.monitoring

def see(*_):
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL and next(calls) == last:
        monitoring.set_events(monitoring.PROFILER_ID, 0)
        os.kill(os.getpid(), number)

monitoring.use_tool_id(monitoring.PROFILER_ID, "at a call")
for event in (monitoring.events.PY_START, monitoring.events.PY_RETURN):
    monitoring.register_callback(monitoring.PROFILER_ID, event, see)
monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.PY_START | monitoring.events.PY_RETURN)
code = main(sys.argv[3:])
monitoring.set_events(monitoring.PROFILER_ID, 0)
if last == 0:
    print(next(calls), file=sys.stderr)
sys.exit(code)
"""
"""The router, which sends itself a signal where that many functions began or ended; for 0 it says how many did in all."""

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def environment() -> dict[str, str]:
    """What a process finds around it."""
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def started(*command: str) -> subprocess.Popen[str]:
    """A process with pipes at all its ends."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, text=True, env=environment(), preexec_fn=leashed, stdin=pipe, stdout=pipe, stderr=pipe
    )


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
    with soc_in_thread() as soc:
        withheld = Gate(soc.pagerduty).hold(to("pagerduty"), is_after=True)
        yield soc.addresses.pagerduty, soc.accounts["cwpp"].routing_key, withheld


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


@pytest.mark.parametrize("is_impatient", [False, True])
def test_an_answer_that_is_awaited_is_written_down_unless_a_second_signal_ends_it(
    house: House, is_impatient: bool
) -> None:
    """Pages in flight are finished first; those that nobody sent yet are owed with no attempt spent.

    Whoever does not want to wait for a slow destination need not: what was in flight is due again in the next run.
    """
    with a_slow_pager() as (url, key, withheld):
        paged_at(house, url)
        with routing("run", alerts(house, 40), PAGER_KEY=key) as run:
            until(run, lambda: withheld.count >= 16)
            run.send_signal(signal.SIGINT)
            run.send_signal(signal.SIGTERM) if is_impatient else withheld.end()
            out, err = run.communicate()
    states = Counter(rows_in(house.directory / ".state", "SELECT state, attempts FROM deliveries"))
    if is_impatient:
        assert (run.returncode, out, err, owed(house)) == (143, "", "", 40)
        return
    assert run.returncode == 130
    assert set(states) == {("sent", 1), ("owed", 0)}
    assert states["sent", 1] >= 16
    assert f"40 taken in, {states['owed', 0]} owed" in err


@pytest.mark.parametrize(("command", "number"), [(("run", "-"), signal.SIGINT), (("explain", "-"), signal.SIGTERM)])
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


# Each kind of output, once with a command that does something.
@pytest.mark.parametrize(
    ("command", "redirected"),
    [("run many.ndjson", ""), ("run many.ndjson", ">/dev/full"), ("explain many.ndjson", ">&-"), ("-h", ">/dev/full")],
)
def test_what_nobody_reads_is_told_by_the_exit_code(house: House, command: str, redirected: str) -> None:
    """141 and no more than a line, of a reader that is gone, too; what was to be done is done all the same."""
    alerts(house, 200)
    reader, writer = os.pipe()
    os.close(reader)
    assert in_a_shell(f"{command} {redirected}", writer) == (141, NO_SPACE if "full" in redirected else "")
    os.close(writer)
    if command.startswith("run"):
        assert [len(counts) for counts in notices_by_file(house)] == [200, 200]


def in_a_shell(command: str, stdout: int | None = None) -> tuple[int, str]:
    """The exit code of the router in a line of a shell, and what it said on standard error."""
    line = ["bash", "-c", f"exec {' '.join(ROUTER)} {command}"]
    done = subprocess.run(line, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment(), preexec_fn=leashed)
    return done.returncode, done.stderr


@pytest.mark.usefixtures("house")
def test_a_closed_input_is_no_empty_one() -> None:
    """To route nothing would look like success; where an error cannot be written the exit code stays."""
    code, said = in_a_shell("run - <&-")
    assert code == 2
    assert said.startswith("-: cannot be read: ")
    assert len(said.splitlines()) == 1
    for redirected in ("2>&-", "2>/dev/full"):
        assert in_a_shell(f"run missing {redirected}") == (2, "")


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


@pytest.fixture(scope="module")
def first_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the others find the first house with a state with everything, but for its rules, which name where it stands."""
    return tmp_path_factory.mktemp("kept") / "house"


def a_state_with_everything(house: House, first_house: Path) -> None:
    """Dead letters of a file that could not be written for four days, a silence, a destination held, and a quarantine."""
    if first_house.exists():
        shutil.copytree(first_house, house.directory, dirs_exist_ok=True)
        return
    house.writes("clusters.json", json.dumps([managed_cluster()]))
    house.says("run", "--now", AT, "--stream", "cwpp", house.writes("q.ndjson", ndjson(an_assessment())))
    (house.directory / "people.ndjson").mkdir()
    for day in ("20", "24"):
        house.says("run", "--now", f"2026-11-{day}T12:00:00Z", alerts(house, 3))
    (house.directory / "people.ndjson").rmdir()
    for command in (SILENCE, HOLD):
        assert house.says(*command.replace("vm-1", "vm-9").split(), "--now", AT).code == 0
    shutil.copytree(house.directory, first_house, ignore=shutil.ignore_patterns("rules"))


AT = "2026-11-24T12:00:00Z"
WHO = "--reason patching --author ana@contoso.example"
SILENCE = f"silences add --resource vm-1 --for 2h {WHO} --yes"
HOLD = f"destinations hold people --for 2h {WHO}"


@pytest.mark.parametrize(
    "command",
    [
        f"run many.ndjson --decisions decisions.ndjson --now {AT}",
        f"{SILENCE} --now {AT}",
        f"{SILENCE} --now {AT} --format json",
        f"{HOLD.replace('people', 'everything')} --now {AT}",
        f"dead-letters redrive --all --now {AT}",
        f"dead-letters discard --all --yes --now {AT}",
        f"attack layer --out layer.json --now {AT}",
        f"silences extend SILENCE --for 1h --author ana@contoso.example --now {AT}",
        f"silences end SILENCE --author ana@contoso.example --now {AT}",
        f"destinations release people {WHO} --now {AT}",
        f"quarantine retake --all --now {AT}",
        "quarantine discard --all --yes",
        f"coverage init clusters.json --out rules/coverage.yaml --now {AT}",
        f"coverage report clusters.json --out page.html --now {AT}",
        "init mine",
    ],
)
def test_what_a_command_does_it_does_whole_wherever_its_output_is_cut(
    house: House, first_house: Path, tmp_path_factory: pytest.TempPathFactory, command: str
) -> None:
    """As `silences add --yes | head -1`: what was not read is told by the exit code, and what it was to say is so."""
    a_state_with_everything(house, first_house)
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


def test_what_was_to_be_asked_and_could_not_be_shown_is_not_done(
    house: House, first_house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person says yes to what they read."""
    a_state_with_everything(house, first_house)
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


def test_a_decisions_file_on_a_full_disk_is_named(house: House) -> None:
    """One line; what was taken in is owed."""
    said = house.says("run", "--decisions", "/dev/full", alerts(house, 300))
    assert said.complaint == "/dev/full: decisions cannot be written there: No space left on device"
    assert owed(house) == 2 * on_record(house) > 0


def test_a_started_list_ends_where_its_reader_does(house: House) -> None:
    """As `alert-router explain FILE | head -1`."""
    with routing("explain", alerts(house, 3000)) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == 141


def test_what_is_on_its_way_is_finished_when_a_run_cannot_go_on(house: House) -> None:
    """Nobody reads its decisions any more; what it was sending then is on record as sent."""
    os.mkfifo("decisions")
    with a_slow_pager() as (url, key, withheld):
        paged_at(house, url)
        with routing("run", "--decisions", "decisions", "-", PAGER_KEY=key) as running:
            assert running.stdin is not None
            with Path("decisions").open("rb"):
                running.stdin.write(ndjson(a_flat_alert(SystemAlertId="first"), b"").decode())
                running.stdin.flush()
                until(running, lambda: withheld.count == 1)
            running.stdin.write(ndjson(a_flat_alert(SystemAlertId="second"), b"").decode())
            running.stdin.flush()
            until(running, lambda: on_record(house) == 2)
            withheld.end()
            _, complaint = running.communicate()
    assert (running.returncode, "decisions cannot be written there" in complaint) == (2, True)
    sent = dict(rows_in(house.directory / ".state", "SELECT state, count(*) FROM deliveries GROUP BY state"))
    assert sent == {"sent": 1, "owed": 1}
