"""A state is its owner's alone, whatever the umask, and a directory that others use stays theirs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from router.domain.errors import BadFile
from tests.store.acts import owe, run
from tests.store.builders import OPENING
from tests.store.opened import open_store

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
