"""The rulebook as a whole: its hash, its order, both streams; what policy.yaml comes to; and loading never raises."""

import copy
import os
import tempfile
from collections.abc import Callable
from copy import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.destinations import discover
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.rulebook import Loaded, load, load_all
from router.rulebook.examples import load_examples
from tests.examples import some_of
from tests.rulebook.builders import KINDS, NOW, a_body, a_policy, loaded, rules_in, the_book

RULES = {f"cwpp/suppressions/{name}.json": a_body() for name in ("one", "two")}
FILES = {**RULES, "owners.yaml": {"owners": [{"group": "web"}]}}


def test_equal_content_has_equal_hashes_and_any_change_another() -> None:
    """The hash depends on the files' names and bytes alone, not on where they stand or when they were written: a rule's name is
    its file's. The other stream, examples and notes are no part."""
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
    assert {len(hash) for hash in hashes} == {16}
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


def test_rules_are_read_through_links(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: each name leads through a link to a directory whose own name begins with dots."""
    for entry in rules_in(tmp_path / "..2026_12_01", {**FILES}).iterdir():
        (tmp_path / entry.name).symlink_to(f"..data/{entry.name}")
    (tmp_path / "..data").symlink_to("..2026_12_01")
    read = load(tmp_path, Stream.CWPP, KINDS, NOW)
    assert read.rulebook is not None
    assert read.rulebook.hash == the_book(FILES).hash
    assert [problem.message for problem in read.problems] == [problem.message for problem in loaded(FILES).problems]


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


DESK = {"kind": "desk", "url": "https://desk.example.com", "key": {"secret": "Z_KEY"}}


def test_a_policy_is_read_whole() -> None:
    """Floors by plan, however its name is capitalised; destinations with their lanes, groups and the names of their secrets,
    of which none is read; a record that no route can name; routes with how soon people should answer, and quiet ones."""
    by = ["cluster", "tag.Team", "tag.TEAM", "tag.Cost center.v2"]
    desk = {**DESK, "fields": {"deep": [{"secret": "A_KEY"}]}, "group": {"by": by, "window": "1h"}}
    within = {"minutes": "30m", "hours": "4h", "days": "14d"}
    quiet: dict[str, object] = {"q-list": ["Informational", "Low", "Medium"], "q-text": "Medium"}
    routes = [
        {"name": "at-leisure", "to": ["tickets"]},
        *({"name": name, "to": ["tickets"], "respond_within": text} for name, text in within.items()),
        *({"name": name, "when": {"severity": severities}, "to": []} for name, severities in quiet.items()),
    ]
    floors, record = {"default": "High", "virtualmachines": "Low"}, {"kind": "rows", "table": "lake"}
    policy = a_policy(floor=floors, destinations={"tickets": desk}, routes=routes, record=record)
    book = the_book({"cwpp/policy.yaml": policy})
    of_plans = [book.floor.severity_for(plan) for plan in ("VirtualMachines", "KeyVaults", None)]
    assert of_plans == [Severity.LOW, Severity.HIGH, Severity.HIGH]
    assert the_book().floor.severity_for(None) is Severity.INFORMATIONAL
    (spec,) = book.destinations.values()
    assert (spec.name, spec.kind, spec.lane, spec.secrets) == ("tickets", "desk", Lane.TICKET, ("A_KEY", "Z_KEY"))
    assert spec.group is not None
    assert list(map(str, spec.group.by)) == ["cluster", "tag.team", "tag.cost center.v2"]
    assert spec.group.tags == ("team", "cost center.v2")
    assert book.record is not None
    assert (book.record.name, book.record.lane) == ("record", Lane.ROWS)
    known = {"minutes": timedelta(minutes=30), "hours": timedelta(hours=4), "days": timedelta(days=14)}
    assert {route.name: route.respond_within for route in book.routes if route.to} == {"at-leisure": None, **known}
    assert {route.name for route in book.routes if not route.to} == quiet.keys()


def test_a_stream_without_a_policy_names_the_missing_file(tmp_path: Path) -> None:
    """It does not start, and leaves the other alone."""
    results = load_all(rules_in(tmp_path), KINDS, NOW)
    assert results[Stream.CWPP].rulebook is not None
    assert results[Stream.CSPM].rulebook is None
    missing = f"{tmp_path.as_posix()}/cspm/policy.yaml: is missing; add it"
    assert [str(problem) for problem in results[Stream.CSPM].problems] == [missing]


def test_a_broken_policy_does_not_hide_what_is_wrong_elsewhere() -> None:
    """Every problem of every file is told in one run, in the order of files and lines."""
    files = {
        "cwpp/policy.yaml": "stream: cwpp\n",
        "cwpp/suppressions/bb.json": a_body(expirationDateUtc=None),
        "cwpp/suppressions/aa.json": a_body(state="On", reason=None),
        "owners.yaml": "owners: 1\n",
        "attack.yaml": "version: [\n",
    }
    result = loaded(files)
    assert result.rulebook is None
    assert [problem.file for problem in result.problems] == sorted([*files, "cwpp/suppressions/aa.json"])


def test_without_an_attack_table_of_ones_own_the_programs_counts(tmp_path: Path) -> None:
    """Without attack.yaml alerts are mapped by the table that the program brings, and the hash says by which."""
    rules = rules_in(tmp_path)
    with_table = load(rules, Stream.CWPP, KINDS, NOW).rulebook
    (rules / "attack.yaml").unlink()
    result = load(rules, Stream.CWPP, KINDS, NOW)
    assert result.rulebook is not None and with_table is not None
    assert result.rulebook.attack == with_table.attack
    assert (result.rulebook.hash, result.problems) == (with_table.hash, ())


def test_a_placeholder_that_is_none_is_named_where_it_cannot_be_a_secret(tmp_path: Path) -> None:
    """Whoever misspelled a placeholder reads what they wrote, though nothing else that is written is repeated."""
    auth = {"user": "router", "password": {"secret": "DESK_KEY"}}
    for text, said in (
        ("{owner.grup}", "{owner.grup} is no placeholder; did you mean {owner.group}?"),
        ("{salary}", "{salary} is no placeholder; there are id, key, "),
        ("{hunter2}", "... is no placeholder; there are id, key, "),
    ):
        desk = {"kind": "servicenow", "url": "https://desk.example", "auth": auth, "fields": {"assignment_group": text}}
        policy = a_policy(destinations={"tickets": desk})
        (problem,) = load(rules_in(tmp_path, {"cwpp/policy.yaml": policy}), Stream.CWPP, discover(), NOW).problems
        assert problem.message.startswith(f"destinations.tickets.fields: assignment_group: {said}")


def test_who_has_mail_and_people_hear_of_rules_is_told_that_owners_do_not(tmp_path: Path) -> None:
    """Not where nobody hears at all, and not where no mail is sent."""
    mail = {"kind": "email", "host": "smtp.soc.example", "from": "a@soc.example", "to": ["b@soc.example"]}
    destinations = {"desk": {"kind": "slack", "url": {"secret": "SLACK"}}, "mail": mail}
    for notify, is_warned in ((["desk"], True), (["desk", "mail"], False), (["mail"], False), ([], False)):
        policy = a_policy(destinations=destinations, otherwise=["desk", "mail"], routes=[], notify=notify)
        said = load(rules_in(tmp_path, {"cwpp/policy.yaml": policy}), Stream.CWPP, discover(), NOW).problems
        assert [one.code for one in said] == ["owners-unheard"] * is_warned


POLICY: dict[str, Any] = {
    "stream": "cwpp",
    "floor": {"default": "Medium", "KeyVaults": "Low"},
    "suppression": {"longest": "365d", "warn": "14d"},
    "destinations": {
        "oncall": {"kind": "pager", "key": {"secret": "KEY"}},
        "tickets": {"kind": "desk", "url": "https://a.example.com", "key": {"secret": "KEY"}, "fields": {"a": "b"}},
    },
    "routes": [
        {"name": "one", "when": {"severity": ["High"], "tactics": "Impact", "techniques": ["T1110"]}, "to": ["oncall"]},
        {"name": "two", "when": {"incident": True, "plan": "KeyVaults", "kind": ["alert"]}, "to": ["oncall"]},
    ],
    "always": [],
    "otherwise": ["tickets"],
    "record": {"kind": "rows", "table": "lake"},
    "runbooks": {"K8S*": "https://wiki.example/k8s?id=1"},
}
OWNERS: dict[str, Any] = {
    "owners": [
        {"subscription": "a*", "group": "web", "environment": "test"},
        {"cluster": "x", "pager": {"secret": "KEY"}},
    ],
    "subscriptions": {
        "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110": {"name": "Contoso Production", "environment": "production"}
    },
    "accounts": {"123456789012": {"name": "Retail"}},
    "projects": {"shop": {"environment": "test"}},
    "runbooks": {"K8S*": "https://wiki.example/k8s"},
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("*"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4) | st.just("in"), inner, max_size=2),
    max_leaves=4,
)


def paths_in(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a document."""
    children: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [path, *(found for step, inner in children for found in paths_in(inner, (*path, step)))]


@st.composite
def damaged(draw: st.DrawFn, sound: Any) -> object:
    """A sound document with anything at all in one or two places."""
    document = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(paths_in(document)))
        if not path:
            return draw(VALUES)
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = draw(VALUES)
    return document


DAMAGED = damaged(POLICY).map(lambda it: ("cwpp/policy.yaml", it)) | damaged(OWNERS).map(lambda it: ("owners.yaml", it))


@settings(max_examples=some_of(300))
@given(DAMAGED)
def test_any_policy_and_any_owners_file_give_a_rulebook_or_a_problem(damaged: tuple[str, object]) -> None:
    """A damaged file is either sound still, or stops its stream with a problem in its own file."""
    file, content = damaged
    result = loaded({file: yaml.safe_dump(content, allow_unicode=True)})
    problems = [problem for problem in result.problems if problem.level == "problem"]
    assert (result.rulebook is None) is bool(problems)
    assert {problem.file for problem in problems} <= {file}


@settings(max_examples=some_of(150))
@given(damaged(a_body()), st.sampled_from(["json", "yaml"]))
def test_any_suppression_rule_is_in_force_or_refused(body: object, suffix: str) -> None:
    """A damaged rule is in force only if nothing worse than a warning is said, and then it ends and has a scope."""
    text: object = body if suffix == "json" and not isinstance(body, str) else yaml.safe_dump(body)
    result = loaded({f"cwpp/suppressions/rule.{suffix}": text})
    assert result.rulebook is not None
    rules = result.rulebook.suppressions.by_name.values()
    is_refused = any(problem.level == "problem" for problem in result.problems)
    is_empty_list = isinstance(body, dict) and body.get("value") == []
    assert bool(rules) is not (is_refused or is_empty_list)
    for rule in rules:
        assert rule.groups
        assert all(element.values and "" not in element.values for group in rule.groups for element in group)
        assert "*" not in rule.alert_type


@settings(max_examples=some_of(100))
@given(st.text(max_size=200) | st.text(alphabet='{}[]:,-&*!|>"\n a1', max_size=60))
def test_any_text_at_all_can_be_a_rules_file(text: str) -> None:
    """No text in any file makes loading raise."""
    names = ["cwpp/policy.yaml", "cwpp/suppressions/ab.json", "cwpp/suppressions/cd.yaml", "owners.yaml", "attack.yaml"]
    with tempfile.TemporaryDirectory() as directory:
        rules = rules_in(Path(directory), dict.fromkeys([*names, "cwpp/examples/one.yaml"], text))
        assert load(rules, Stream.CWPP, KINDS, NOW).rulebook is None
        load_examples(rules, Stream.CWPP)
