"""The rulebook as a whole: its hash, its order, and the two streams beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

from router.domain.signals import Stream
from router.rulebook import Loaded, load, load_all
from tests.rulebook.builders import NOW, a_body, a_policy, loaded, rules_in, the_book
from tests.rulebook.kinds import KINDS

FILES = {
    "cwpp/suppressions/one.json": a_body(),
    "cwpp/suppressions/two.json": a_body(),
    "owners.yaml": {"owners": [{"group": "web"}]},
}


def test_equal_content_has_equal_hashes() -> None:
    """The hash depends on the files' names and bytes alone: not on where they stand or when they were written."""
    first, second = (the_book(FILES).hash for _ in "ab")
    assert first == second
    assert len(first) == 16


def test_any_change_of_content_changes_the_hash() -> None:
    """Made of other bytes or other files: a rule's name is its file's. The other stream, examples and notes are no part."""
    changes: list[dict[str, object]] = [
        {},
        {"cwpp/policy.yaml": a_policy(always=["tickets"])},
        {"cwpp/suppressions/one.json": a_body(reason="Other")},
        {"cwpp/suppressions/three.json": a_body()},
        {"owners.yaml": {"owners": [{"group": "data"}]}},
        {"attack.yaml": "version: '1'\ntactics: {}\nintents: {}\n"},
        {"cwpp/suppressions/broken.json": "{"},
    ]
    renamed = {name.replace("one", "uno"): content for name, content in FILES.items()}
    hashes = {the_book(files).hash for files in (renamed, *(FILES | changed for changed in changes))}
    assert len(hashes) == len(changes) + 1
    for file in ("cspm/policy.yaml", "cwpp/examples/one.yaml", "cwpp/suppressions/README.md", "notes.txt"):
        assert the_book(FILES | {file: "anything"}).hash == the_book(FILES).hash, file


def test_the_order_in_which_files_were_written_never_matters() -> None:
    """Files are read by name, so a directory filled backwards gives the same rulebook and the same problems."""
    files: dict[str, object] = {f"cwpp/suppressions/rule-{number * 7 % 30:02}.json": a_body() for number in range(30)}
    files |= {"cwpp/suppressions/broken.json": "{", "cwpp/suppressions/RULE-01.yaml": a_body()}
    said: list[object] = []
    for order in (files, dict(reversed(files.items()))):
        result = loaded(order)
        assert result.rulebook is not None
        names = list(result.rulebook.suppressions.by_name)
        assert names == sorted(names)
        said.append((names, result.rulebook.hash, [replace(problem, root="") for problem in result.problems]))
    assert said[0] == said[1]


def both(directory: Path, cwpp: dict[str, object], cspm: dict[str, object], **policy: object) -> dict[Stream, Loaded]:
    """What becomes of rules in which each stream's `tickets` is the given entry."""
    entries = {"cwpp": cwpp, "cspm": cspm}.items()
    files = {f"{one}/policy.yaml": a_policy(one, destinations={"tickets": entry}, **policy) for one, entry in entries}
    return dict(load_all(rules_in(directory, files), KINDS, NOW))


def a_ticket_destination(url: str = "https://desk.example.com", key: str = "KEY") -> dict[str, object]:
    """A desk at an address, with a credential."""
    return {"kind": "desk", "url": url, "key": {"secret": key}}


def test_a_destination_of_both_streams_stops_both(tmp_path: Path) -> None:
    """The same address with the same credential in both streams is a problem in both files; so is one record."""
    results = both(tmp_path, a_ticket_destination(), a_ticket_destination())
    for stream, other in ((Stream.CWPP, Stream.CSPM), (Stream.CSPM, Stream.CWPP)):
        (problem,) = results[stream].problems
        assert results[stream].rulebook is None
        assert (problem.file, problem.line) == (f"{stream}/policy.yaml", 4)
        assert problem.message == (
            "destinations.tickets: writes to the same place with the same credential as 'tickets' "
            f"of {other}; streams share no destination"
        )
    record = {"kind": "rows", "table": "lake"}
    results = both(tmp_path, a_ticket_destination(), a_ticket_destination(key="OTHER"), record=record)
    said = [problem.message.partition(":")[0] for result in results.values() for problem in result.problems]
    assert said == ["record", "record"]


def test_streams_may_share_an_address_or_a_credential_but_not_both(tmp_path: Path) -> None:
    """Another address, another credential or another kind makes another destination."""
    others: list[dict[str, object]] = [
        a_ticket_destination(url="https://other.example.com"),
        a_ticket_destination(key="OTHER"),
        {"kind": "rows", "table": "https://desk.example.com"},
    ]
    for other in others:
        results = both(tmp_path, a_ticket_destination(), other)
        assert all(result.rulebook is not None and not result.problems for result in results.values())


def test_one_stream_that_is_broken_leaves_the_other_alone(tmp_path: Path) -> None:
    """A problem in one stream's policy does not stop the other stream."""
    results = load_all(rules_in(tmp_path, {"cspm/policy.yaml": "stream: cspm\n"}), KINDS, NOW)
    assert results[Stream.CSPM].rulebook is None
    assert results[Stream.CWPP].rulebook is not None


def test_what_is_no_file_is_blamed_and_neither_waited_for_nor_passed_over(tmp_path: Path) -> None:
    """Owners whose file is a broken link are not as good as none: whoever they page would not be told."""
    puts: list[Callable[[Path], object]] = [
        os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path),
    ]  # fmt: skip
    files = ["owners.yaml", "attack.yaml", "cwpp/policy.yaml", "cwpp/suppressions/one.json"]
    for number, (put, file) in enumerate(product(puts, files)):
        rules = rules_in(tmp_path / str(number), FILES)
        (rules / file).unlink()
        put(rules / file)
        problems = load(rules, Stream.CWPP, KINDS, NOW).problems
        assert [(problem.file, problem.level) for problem in problems] == [(file, "problem")], number
    rules = rules_in(tmp_path / "directory")
    (rules / "cwpp/suppressions").symlink_to("nowhere")
    assert [problem.file for problem in load(rules, Stream.CWPP, KINDS, NOW).problems] == ["cwpp/suppressions"]


def test_a_broken_attack_table_is_the_only_thing_to_blame() -> None:
    """No route is blamed for its tactics, which the table would have if it could be read."""
    routes = [{"name": "one", "when": {"tactics": ["Impact", "Exfiltration"]}, "to": ["tickets"]}]
    for text in ("", "[", "version: 19", "a\0b"):
        problems = loaded({"attack.yaml": text, "cwpp/policy.yaml": a_policy(routes=routes)}).problems
        assert {(problem.file, problem.level) for problem in problems} == {("attack.yaml", "problem")}, text
