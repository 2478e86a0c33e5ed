"""A state in files is whole or told damaged, whatever cut or killed what; it is its owner's alone."""

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from functools import cache, partial
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.errors import BadFile, StateInUse, StoreError
from router.store import sqlite as opening
from router.store.decisions import find_outcomes, put_on_record
from router.store.forgetting import forget
from router.store.permissions import SECTOR
from router.store.retention import Retention
from router.store.sqlite import StateFile, opened_unchanged
from router.store.store import VERSION
from tests.builders import NOW
from tests.examples import some_of
from tests.leash import leashed
from tests.store.acts import ask, owe, run
from tests.store.builders import OPENING, an_entry, noise
from tests.store.crashing import count_in
from tests.store.opened import Store, open_store
from tests.store.within import within

DB, WAL, SHM, MARK = "router.db", "router.db-wal", "router.db-shm", "router.commit"

type Files = dict[str, bytes]
"""What is in a state's directory, by name."""


def commit(store: Store, first: int, last: int, size: int = 100) -> None:
    """Commits entries one by one."""
    for number in range(first, last):
        ask(store, put_on_record, [an_entry(f"{number}", title=noise(size).hex())])


def files_in(state: Path) -> Files:
    """Every file of a state."""
    return {path.name: path.read_bytes() for path in state.iterdir()}


def put(state: Path, files: Mapping[str, bytes]) -> None:
    """Makes a state's directory hold those files and nothing else."""
    rmtree(state, ignore_errors=True)
    state.mkdir()
    for name, content in files.items():
        (state / name).write_bytes(content)


@cache
def a_state(closed: int, killed: int, size: int = 100) -> Files:
    """A state with so many commits, of which the last ones are in a log that a killed process left."""
    with TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        store = open_store(state)
        commit(store, 0, closed, size)
        run(store.close())
        store = open_store(state)
        commit(store, closed, closed + killed, size)
        files = files_in(state)  # open as it is: what is in its files is what a kill leaves
        run(store.close())
        return files if killed else files_in(state)


closed, killed = partial(a_state, 12, 0), partial(a_state, 0, 100)
"""One that was closed, and one whose hundred commits are in its log alone; made where a test asks for it first."""


def cut(name: str, share: float) -> Callable[[Files], Files]:
    """Leaves the beginning of a file."""
    return lambda files: files | {name: files[name][: int(len(files[name]) * share)]}


def without(*names: str) -> Callable[[Files], Files]:
    """Leaves files out."""
    return lambda files: {name: content for name, content in files.items() if name not in names}


def overwritten(name: str, at: int, content: bytes) -> Callable[[Files], Files]:
    """Puts other bytes into a file."""
    return lambda files: files | {name: files[name][:at] + content + files[name][at + len(content) :]}


def holding(name: str, content: bytes) -> Callable[[Files], Files]:
    """Makes a file hold something else."""
    return lambda files: files | {name: content}


DAMAGES: dict[str, tuple[Callable[[], Files], Callable[[Files], Files]]] = {
    "truncated": (closed, cut(DB, 0.5)),
    "all but its last page": (closed, cut(DB, 0.99)),
    "emptied": (closed, holding(DB, b"")),
    "emptied, its log is left": (killed, holding(DB, b"")),
    "deleted": (closed, without(DB)),
    "no database": (closed, holding(DB, b"this is no database at all" * 99)),
    "header cut": (closed, cut(DB, 0.001)),
    "header overwritten": (closed, overwritten(DB, 0, b"\0" * 16)),
    "a format of another program": (closed, overwritten(DB, 44, b"\0\0\0\x63")),
    "more pages in its header than in its file": (closed, overwritten(DB, 28, b"\0\1\0\0")),
    "an empty database": (closed, lambda files: files | {DB: a_state(0, 0)[DB]}),
    "an older copy": (closed, lambda files: files | {DB: a_state(11, 0)[DB]}),
    "its log deleted": (killed, without(WAL)),
    "its log and index deleted": (killed, without(WAL, SHM)),
    "its log emptied": (killed, holding(WAL, b"")),
    "its log cut": (killed, cut(WAL, 0.5)),
    "its log without its last byte": (killed, cut(WAL, 0.999999)),
    "its log's header overwritten": (killed, overwritten(WAL, 0, b"garbage!")),
    "its log's middle overwritten": (killed, overwritten(WAL, 90_000, b"garbage!")),
    "truncated under its log": (partial(a_state, 40, 5, 3000), cut(DB, 0.6)),
    "the small file emptied": (closed, holding(MARK, b"")),
    "the small file is garbage": (killed, holding(MARK, noise(2 * SECTOR))),
    "the small file cut": (closed, cut(MARK, 0.01)),
}  # fmt: skip


def apart_from_shared(files: Files) -> Files:
    """What files hold, but for what processes share in memory."""
    return {WAL: b"", **files, SHM: b""}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_state_is_told_in_one_line_and_left_as_it_is_until_a_person_acts(tmp_path: Path, name: str) -> None:
    """The line names both files, and what it says is enough: a copy in place of the three files, or none, and no small file."""
    made, damage = DAMAGES[name]
    files = made()
    state, damaged = tmp_path / "state", damage(files)
    put(state, damaged)
    before = files_in(state)
    for _ in range(2):
        with pytest.raises(BadFile) as told:
            open_store(state)
        (line,) = str(told.value).splitlines()
        assert line.startswith(f"{state / DB}: is damaged: ")
        assert line.endswith(f"; then delete {state / MARK}")
        assert apart_from_shared(files_in(state)) == apart_from_shared(before)
    for kept, copy in ((10, {DB: a_state(10, 0)[DB]}), (0, {})):
        put(state, without(DB, WAL, SHM, MARK)(damaged) | copy)
        assert count_in(state) == kept
        assert (state / MARK).exists()


HARMLESS: dict[str, Callable[[Files], Files]] = {
    "the index of the log is gone": without(SHM),
    "the index of the log is garbage": holding(SHM, b"garbage" * 9999),
    "one slot of the small file is torn": overwritten(MARK, 0, b"torn"),
    "the other slot is torn": overwritten(MARK, SECTOR, b"torn"),
    "half of the small file is gone": cut(MARK, 0.5),
    "there is no small file": without(MARK),
    "the state is ahead of its small file": lambda files: files | {MARK: a_state(0, 9)[MARK]},
}


def test_what_lost_nothing_is_sound(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Nor does a number that cannot be read stop anything: what lost commits has an older one. Counting goes on from there."""
    for name, harm in HARMLESS.items():
        for state, many in ((closed(), 12), (killed(), 100)):
            with subtests.test(name):
                put(tmp_path, harm({SHM: b"", **state}))
                assert count_in(tmp_path) == many
    for garbage in ("x", "", "-1", "1.5", "9" * 25):
        put(tmp_path, closed())
        _change(tmp_path, "UPDATE meta SET value=? WHERE name='commit'", garbage)
        assert count_in(tmp_path) == 12
        mended = files_in(tmp_path)
        assert count_in(tmp_path) == 12
        put(tmp_path, mended | {DB: closed()[DB]})
        with pytest.raises(BadFile, match="names commit"):
            open_store(tmp_path)


def _change(state: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(state / DB)) as db, db:
        db.execute(statement, values)


STATES = [a_state(30, 0), a_state(0, 30), a_state(30, 30), a_state(40, 4, 3000), a_state(4, 40, 3000)]


@given(
    files=st.sampled_from(STATES),
    name=st.sampled_from([DB, WAL, SHM]),
    keep=st.floats(0, 1),
    middle=st.binary(max_size=40),
)
@settings(deadline=None, max_examples=some_of(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_opens_has_everything(tmp_path: Path, files: Files, name: str, keep: float, middle: bytes) -> None:
    """Wherever a file is cut, and whatever then follows: the state is told damaged, or nothing of it is missing."""
    content = files.get(name, b"")
    put(tmp_path / "state", files | {name: content[: int(len(content) * keep)] + middle})
    whole = {id(one): count for one, count in zip(STATES, (30, 30, 60, 44, 44), strict=True)}[id(files)]
    try:
        found = count_in(tmp_path / "state")
    except BadFile as told:
        assert "is damaged" in str(told)
        assert name != SHM
    else:
        assert found == whole


ROOM = str(Path(opening.__file__).parent)
OURS = tuple(f"{ROOM}/{name}.py" for name in ("sqlite", "witness", "private", "permissions", "store", "transaction"))


def test_killed_at_each_line_it_is_sound(tmp_path: Path) -> None:
    """A process that dies between any two of our lines leaves a sound state with all that it acknowledged: the first one, that
    makes the state, and one that opens it. What its files hold then is what a kill would leave there."""
    state, acknowledged, left = tmp_path / "state", 0, dict[tuple[tuple[str, bytes], ...], int]()

    def look(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line" and state.exists():
            left[tuple(sorted(files_in(state).items()))] = acknowledged
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        for number in range(2):
            store = open_store(state)
            store.hold()
            for place in (2 * number, 2 * number + 1):
                commit(store, place, place + 1)
                acknowledged += 1
            run(store.close())
    finally:
        sys.settrace(before)
    assert len(left) > 20
    for files, many in left.items():
        put(tmp_path / "left", dict(files))
        assert count_in(tmp_path / "left") >= many


def test_killed_inside_a_write_it_is_sound(tmp_path: Path) -> None:
    """What the files of a process hold wherever it is stopped is what a kill would leave there."""
    command = [sys.executable, "-m", "tests.store.crashing", str(tmp_path / "state")]
    with subprocess.Popen(command, preexec_fn=leashed) as writer:
        try:
            for number in range(60):
                while writer.poll() is None and not (tmp_path / "acknowledged").exists():
                    pass
                os.kill(writer.pid, signal.SIGSTOP)
                os.waitpid(writer.pid, os.WUNTRACED)
                acknowledged = int((tmp_path / "acknowledged").read_bytes() or b"0")
                if (tmp_path / "state").exists():
                    copytree(tmp_path / "state", tmp_path / f"{number}")
                os.kill(writer.pid, signal.SIGCONT)
                assert count_in(tmp_path / f"{number}") >= acknowledged
        finally:
            writer.kill()


def test_after_an_unclean_end_the_whole_file_is_checked(tmp_path: Path) -> None:
    """Damage that shows only when all is read is told to the next run on the state, and to no other that only looks."""
    files = a_state(40, 0, 3000)
    damaged = overwritten(DB, len(files[DB]) - 4096, noise(4096))(files)
    for is_clean in (True, False):
        put(tmp_path, damaged | ({} if is_clean else {"router.lock": b"a run is at work\n"}))
        store = open_store(tmp_path)
        with nullcontext() if is_clean else pytest.raises(BadFile, match=r"router\.db: is damaged: .*delete"):
            store.hold()
        run(store.close())
        assert bool((tmp_path / "router.lock").read_bytes()) is not is_clean


def test_damage_that_is_met_at_work_is_told_in_the_same_line_and_has_the_whole_file_checked(tmp_path: Path) -> None:
    """A page inside the file that cannot be read ends the run that reads it, and the next one before it sends anything."""
    files, came_upon = a_state(40, 0, 3000), 0
    for page in range(1, len(files[DB]) // 4096):
        put(tmp_path, overwritten(DB, page * 4096, noise(4096))(files))
        try:
            store = open_store(tmp_path)
        except BadFile:
            continue  # seen when it is opened
        store.hold()
        try:
            run(forget(store, NOW, Retention(), 10_000))
            ask(store, find_outcomes, ["1"])
        except StoreError as fault:
            came_upon += 1
            assert re.search(r"router\.db: is damaged: .*delete .*router\.commit", str(fault))
            run(store.close())
            again = open_store(tmp_path)
            with pytest.raises(BadFile, match=r"router\.db: is damaged: "):
                again.hold()
            run(again.close())
        else:
            run(store.close())
    assert came_upon


def test_one_process_at_a_time_works_on_a_state_and_says_until_its_end_that_it_does(tmp_path: Path) -> None:
    """One that dies at work leaves that behind, one that closes the state does not; to look at a state writes nothing.

    One that has it to itself for a while lets go of it then, unless it had it before.
    """
    put(tmp_path, closed())
    store = open_store(tmp_path)

    async def look() -> None:
        async with store.transaction():
            await within(store, find_outcomes, ["1"])

    run(look())
    run(store.close())
    assert files_in(tmp_path) == closed()
    one, two = open_store(tmp_path), open_store(tmp_path)
    lock = tmp_path / "router.lock"
    one.hold()
    with one.alone():
        assert lock.read_bytes()
    for refused in (two.hold, two.alone().__enter__):
        with pytest.raises(StateInUse, match="another run"):
            refused()
    run(one.close())
    assert not lock.read_bytes()
    with two.alone():
        with two.alone():
            assert lock.read_bytes()
        assert lock.read_bytes()
    assert not lock.read_bytes()
    two.hold()
    run(two.close())


FORMS = {
    "UPDATE meta SET value=value+1 WHERE name='version'": f"holds state of version {VERSION + 1}, and this program",
    "DROP TABLE meta": "holds tables and says no version, as no release of this program leaves them",
    "DELETE FROM meta WHERE name='version'": "says no version in its table meta",
}


def test_a_state_of_another_form_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """One line names the directory and says what to do; it is not called damaged. So does one for what cannot be opened."""
    for form, said in FORMS.items():
        put(tmp_path, closed())
        _change(tmp_path, form)
        before = files_in(tmp_path)
        for opened in (lambda: opened_unchanged(tmp_path), lambda: nullcontext(StateFile(tmp_path))):
            with pytest.raises(BadFile) as told, opened():
                pass
            (line,) = str(told.value).splitlines()
            assert line.startswith(f"{tmp_path}: {said}")
            assert line.endswith("name another state with --state")
            assert apart_from_shared(files_in(tmp_path)) == apart_from_shared(before)
    (tmp_path / "nothing" / DB).mkdir(parents=True)
    with pytest.raises(BadFile, match=r"router\.db: "):
        open_store(tmp_path / "nothing")


# Whose it is.


FILES = {"router.db", "router.db-wal", "router.db-shm", "router.lock", "router.commit"}


def mode_of(path: Path) -> int:
    """The permissions of a file or directory."""
    return stat.S_IMODE(path.stat().st_mode)


def use(directory: Path) -> dict[str, int]:
    """Works on a state, and returns the permissions of its files meanwhile."""
    store = open_store(directory)
    store.hold()
    owe(store, OPENING)
    modes = {path.name: mode_of(path) for path in directory.iterdir() if path.is_file()}
    run(store.close())
    return modes


def test_a_new_state_is_its_owners_alone(tmp_path: Path) -> None:
    """The directory and each file in it, also where the umask takes away too much, or a person made an empty one for it."""
    for mask in (0o000, 0o022, 0o277, 0o777):
        for is_there in (False, True):
            state = tmp_path / f"state-{mask}-{is_there}"
            if is_there:
                state.mkdir()
                state.chmod(0o777)
            before = os.umask(mask)
            try:
                modes = use(state)
            finally:
                os.umask(before)
            assert (mode_of(state), modes) == (0o700, dict.fromkeys(FILES, 0o600))


def test_a_directory_of_other_things_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shell stands, or where other directories are; the state's files there are narrow all the same."""
    for name in ("here", "shared/other", "above/below"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    for state, directory in ((Path(), "here"), (tmp_path / "shared", "shared"), (tmp_path / "above/..", ".")):
        (tmp_path / directory).chmod(0o755)
        assert set(use(state).values()) == {0o600}
        assert mode_of(tmp_path / directory) == 0o755


def test_what_others_could_read_is_narrowed(tmp_path: Path) -> None:
    """A state with what else was written beside it and the state of the demo in it."""
    state = tmp_path / "state"
    use(state)
    use(state / "demo")
    (state / "decisions.ndjson").touch()
    for path in (*state.iterdir(), state):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert set(use(state).values()) - {mode_of(state / "decisions.ndjson")} == {0o600}
    assert mode_of(state) == 0o700
    assert (mode_of(state / "demo"), mode_of(state / "decisions.ndjson")) == (0o755, 0o644)


def test_nothing_is_begun_where_anybody_may_write(tmp_path: Path) -> None:
    """Another user could have put files there; the line names a directory that could be made. A state that is there opens."""
    shared = tmp_path / "shared"
    (shared / "others").mkdir(parents=True)
    for mode in (0o755, 0o1777):
        shared.chmod(mode)
        use(shared)
    for name in FILES:
        (shared / name).unlink(missing_ok=True)
    with pytest.raises(BadFile, match=r"shared: anybody may write there.*--state, such as .*/shared/alert-router$"):
        open_store(shared)
    assert mode_of(shared) == 0o1777
    assert [path.name for path in shared.iterdir()] == ["others"]
    use(shared / "alert-router")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_makes_there_the_owner_can_use(tmp_path: Path) -> None:
    """Root looks at a state of another user: the directory is not root's to close, and new files are the owner's."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 1234, 1234)
    use(state)
    assert {path.stat().st_uid for path in state.iterdir()} == {1234}
    assert mode_of(state) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_copy_that_root_put_there_is_named(subtests: pytest.Subtests) -> None:
    """The file that this user may not read, and what to do; not a file that could not be opened, for whatever reason."""
    for name in ("router.db", "router.db-wal", "router.commit"):
        with subtests.test(name), TemporaryDirectory() as place:
            state = Path(place)
            use(state)
            os.chown(state, 1234, 1234)
            for path in state.iterdir():
                os.chown(path, 1234, 1234)
            (state / name).touch(0o600)
            os.chown(state / name, 0, 0)
            os.seteuid(1234)
            try:
                with pytest.raises(BadFile) as begun:
                    StateFile(state)
                with pytest.raises(BadFile) as looked, opened_unchanged(state):
                    pass
            finally:
                os.seteuid(0)
            why = "this user may not read it; give it to them with chown, or name another directory with --state"
            assert (str(begun.value), str(looked.value)) == (f"{state / name}: {why}",) * 2
