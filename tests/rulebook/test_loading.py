"""The rulebook as a whole: its hash, its order, and the two streams beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from router.domain.signals import Stream
from router.rulebook import load, load_all
from tests.rulebook.builders import NOW, a_body, a_policy, a_sound_rulebook, rules_in
from tests.rulebook.kinds import KINDS

FILES = {
    "cwpp/suppressions/one.json": a_body(),
    "cwpp/suppressions/two.json": a_body(),
    "owners.yaml": {"owners": [{"group": "web"}]},
}


def test_equal_content_has_equal_hashes(tmp_path: Path) -> None:
    """The hash depends on the files' names and bytes alone: not on where they stand or when they were written."""
    first, second = (a_sound_rulebook(tmp_path / name, FILES).hash for name in ("a", "b"))
    assert first == second
    assert len(first) == 16


@pytest.mark.parametrize(
    "changed",
    [
        {"cwpp/policy.yaml": a_policy(always=["tickets"])},
        {"cwpp/suppressions/one.json": a_body(reason="Other")},
        {"cwpp/suppressions/three.json": a_body()},
        {"owners.yaml": {"owners": [{"group": "data"}]}},
        {"attack.yaml": "version: '1'\ntactics: {}\nintents: {}\n"},
        {"cwpp/suppressions/broken.json": "{"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_any_change_of_content_changes_the_hash(changed: dict[str, object], tmp_path: Path) -> None:
    """A rulebook made of other bytes, or of other files, has another hash."""
    before = a_sound_rulebook(tmp_path / "a", FILES).hash
    assert a_sound_rulebook(tmp_path / "b", FILES | changed).hash != before


def test_a_renamed_rule_changes_the_hash(tmp_path: Path) -> None:
    """A rule's name is its file's, so a renamed file makes another rulebook."""
    rules = rules_in(tmp_path, FILES)
    before = load(rules, Stream.CWPP, KINDS, NOW).rulebook
    (rules / "cwpp/suppressions/one.json").rename(rules / "cwpp/suppressions/uno.json")
    after = load(rules, Stream.CWPP, KINDS, NOW).rulebook
    assert before is not None
    assert after is not None
    assert before.hash != after.hash


@pytest.mark.parametrize(
    "file", ["cspm/policy.yaml", "cwpp/examples/one.yaml", "cwpp/suppressions/README.md", "notes.txt"]
)
def test_what_the_stream_does_not_read_leaves_its_hash_alone(file: str, tmp_path: Path) -> None:
    """The other stream's files, examples and notes are no part of a rulebook."""
    before = a_sound_rulebook(tmp_path / "a", FILES).hash
    assert a_sound_rulebook(tmp_path / "b", FILES | {file: "anything"}).hash == before


def test_the_order_in_which_files_were_written_never_matters(tmp_path: Path) -> None:
    """Files are read by name, so a directory filled backwards gives the same rulebook and the same problems."""
    files: dict[str, object] = {f"cwpp/suppressions/rule-{number * 7 % 30:02}.json": a_body() for number in range(30)}
    files |= {"cwpp/suppressions/broken.json": "{", "cwpp/suppressions/RULE-01.yaml": a_body()}
    forwards = load(rules_in(tmp_path / "a", files), Stream.CWPP, KINDS, NOW)
    backwards = load(rules_in(tmp_path / "b", dict(reversed(files.items()))), Stream.CWPP, KINDS, NOW)
    assert [replace(problem, root="") for problem in forwards.problems] == [
        replace(problem, root="") for problem in backwards.problems
    ]
    assert forwards.rulebook is not None
    assert backwards.rulebook is not None
    assert forwards.rulebook.hash == backwards.rulebook.hash
    names = list(forwards.rulebook.suppressions.by_name)
    assert names == sorted(names) == list(backwards.rulebook.suppressions.by_name)


def both_streams(directory: Path, cwpp: dict[str, object], cspm: dict[str, object]) -> Path:
    """A directory in which each stream's `tickets` is the given entry."""
    policies = {"cwpp": {"tickets": cwpp}, "cspm": {"tickets": cspm}}
    return rules_in(
        directory,
        {f"{stream}/policy.yaml": a_policy(stream, destinations=entry) for stream, entry in policies.items()},
    )


def a_ticket_destination(url: str = "https://desk.example.com", key: str = "KEY") -> dict[str, object]:
    """A desk at an address, with a credential."""
    return {"kind": "desk", "url": url, "key": {"secret": key}}


def test_a_destination_of_both_streams_stops_both(tmp_path: Path) -> None:
    """The same address with the same credential in both streams is a problem in both files."""
    results = load_all(both_streams(tmp_path, a_ticket_destination(), a_ticket_destination()), KINDS, NOW)
    for stream, other in (("cwpp", "cspm"), ("cspm", "cwpp")):
        (problem,) = results[Stream(stream)].problems
        assert results[Stream(stream)].rulebook is None
        assert (problem.file, problem.line) == (f"{stream}/policy.yaml", 4)
        assert problem.message == (
            "destinations.tickets: writes to the same place with the same credential as 'tickets' "
            f"of {other}; streams share no destination"
        )


@pytest.mark.parametrize(
    "other",
    [
        a_ticket_destination(url="https://other.example.com"),
        a_ticket_destination(key="OTHER"),
        {"kind": "rows", "table": "https://desk.example.com"},
    ],
)
def test_streams_may_share_an_address_or_a_credential_but_not_both(other: dict[str, object], tmp_path: Path) -> None:
    """Another address, another credential or another kind makes another destination."""
    results = load_all(both_streams(tmp_path, a_ticket_destination(), other), KINDS, NOW)
    assert all(result.rulebook is not None and not result.problems for result in results.values())


def test_both_streams_may_not_write_one_record(tmp_path: Path) -> None:
    """The record is a destination too: each stream has its own."""
    record = {"kind": "rows", "table": "lake"}
    rules = rules_in(
        tmp_path, {f"{stream}/policy.yaml": a_policy(stream, record=record) for stream in ("cwpp", "cspm")}
    )
    results = load_all(rules, KINDS, NOW)
    assert {str(problem.message).partition(":")[0] for result in results.values() for problem in result.problems} == {
        "record"
    }


def test_one_stream_that_is_broken_leaves_the_other_alone(tmp_path: Path) -> None:
    """A problem in one stream's policy does not stop the other stream."""
    rules = rules_in(tmp_path, {"cspm/policy.yaml": "stream: cspm\n"})
    results = load_all(rules, KINDS, NOW)
    assert results[Stream.CSPM].rulebook is None
    assert results[Stream.CWPP].rulebook is not None


@pytest.mark.parametrize("file", ["owners.yaml", "attack.yaml", "cwpp/policy.yaml", "cwpp/suppressions/one.json"])
@pytest.mark.parametrize(
    "put",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path)],
    ids=["pipe", "directory", "dangling link", "circle"],
)
def test_what_is_no_file_is_blamed_and_neither_waited_for_nor_passed_over(
    put: Callable[[Path], None], file: str, tmp_path: Path
) -> None:
    """Owners whose file is a broken link are not as good as none: whoever they page would not be told."""
    rules = rules_in(tmp_path, FILES)
    (rules / file).unlink()
    put(rules / file)
    problems = load(rules, Stream.CWPP, KINDS, NOW).problems
    assert [(problem.file, problem.level) for problem in problems] == [(file, "problem")]


def test_a_directory_of_rules_that_is_a_broken_link_is_blamed(tmp_path: Path) -> None:
    """It is not as good as none."""
    rules = rules_in(tmp_path)
    (rules / "cwpp/suppressions").symlink_to("nowhere")
    assert [problem.file for problem in load(rules, Stream.CWPP, KINDS, NOW).problems] == ["cwpp/suppressions"]


@pytest.mark.parametrize("text", ["", "[", "version: 19", "a\0b"])
def test_a_broken_attack_table_is_the_only_thing_to_blame(text: str, tmp_path: Path) -> None:
    """No route is blamed for its tactics, which the table would have if it could be read."""
    routes = [{"name": "one", "when": {"tactics": ["Impact", "Exfiltration"]}, "to": ["tickets"]}]
    files = {"attack.yaml": text, "cwpp/policy.yaml": a_policy(routes=routes)}
    problems = load(rules_in(tmp_path, files), Stream.CWPP, KINDS, NOW).problems
    assert {problem.file for problem in problems} == {"attack.yaml"}
    assert all(problem.level == "problem" for problem in problems)
