"""Files of tags that owners.yaml names under `tags`, the tags that the state is asked for, and those that no resource has."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Attack
from router.domain.owners import find_owner_of
from router.domain.signals import Stream
from router.domain.tags import Tags
from router.rulebook import Loaded, load, load_all
from tests.builders import RESOURCE, an_alert
from tests.examples import some_of
from tests.rulebook.builders import KINDS, NOW, Files, a_policy, lints, loaded, messages, rules_in, the_book

ONE, OTHER = "tags/a.json", "tags/b.json"
SUB = "/subscriptions/aaaa"
GROUP = f"{SUB}/resourceGroups/RG"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-1"
ROWS: Sequence[dict[str, object]] = (
    {"id": VM, "tags": {"Team": "Payments", "env": "prod"}},
    {"id": f"{VM}-2", "tags": None},
    {"id": GROUP, "tags": {"team": "Platform"}},
    {"id": SUB, "tags": {"cost center": "4711"}},
)
OF_VM = {"team": "Payments", "env": "prod"}
BY_ID = {VM.lower(): OF_VM, GROUP.lower(): {"team": "Platform"}, SUB: {"cost center": "4711"}}


def rules_with(files: Mapping[str, object], named: object = None) -> Loaded:
    """What becomes of rules whose owners.yaml names some tag files."""
    return loaded({"owners.yaml": {"tags": list(files) if named is None else named, "owners": []}, **files})


def tags_in(loaded: Loaded) -> Tags:
    """The tags of rules that are sound."""
    assert loaded.rulebook is not None, loaded.problems
    return loaded.rulebook.owners.tags


def said(loaded: Loaded) -> list[str]:
    """Problems and warnings without the directory that they are in."""
    return [f"{one.level} {one.code} {one.file}: {one.message}" for one in loaded.problems]


def an_answer(rows: Sequence[object], total: int | None = None, token: str | None = None) -> dict[str, object]:
    """Rows as `az graph query` prints them."""
    total = len(rows) if total is None else total
    return {"count": len(rows), "data": rows, "skip_token": token, "total_records": total}


def many(count: int, start: int = 0) -> list[object]:
    """Rows of as many resources, each with a tag."""
    return [{"id": f"{VM}-{number}", "tags": {"team": "a"}} for number in range(start, start + count)]


PAGES = "\n".join(json.dumps(an_answer(ROWS[at:][:2], 4, "x" if at < 2 else None), indent=2) for at in (0, 2))


def test_tags_are_read_as_az_prints_them() -> None:
    """A whole answer, its pages after each other, or bare lists; ids in any case."""
    for content in (
        an_answer(ROWS),
        json.dumps(ROWS),
        json.dumps(an_answer(ROWS), indent=2).encode("utf-8-sig"),
        json.dumps(an_answer(ROWS), indent=2).encode("utf-16"),
        PAGES,
        json.dumps(list(ROWS[:2])) + json.dumps(list(ROWS[2:])),
        an_answer([row | {"id": f"{row['id']}/".replace("/sub", "sub").upper()} for row in ROWS]),
    ):
        found = rules_with({"tags/resources.json": content})
        assert (tags_in(found).by_id, said(found)) == (BY_ID, []), content


def test_several_files_are_one(tmp_path: Path) -> None:
    """Each adds what it says, of one resource the one that is named later, tag by tag; one may stand alone, as a link."""
    files = {"tags/resources.json": an_answer(ROWS[:2]), "tags/containers.json": an_answer(ROWS[2:])}
    assert tags_in(rules_with(files)).by_id == BY_ID
    assert set(tags_in(rules_with(files, "./tags/containers.json")).by_id) == {GROUP.lower(), SUB}
    one, other = {"team": "a", "env": "prod"}, {"team": "c", "cost": "1"}
    both = {ONE: [{"id": VM, "tags": one}], OTHER: [{"id": VM, "tags": other}]}
    assert tags_in(rules_with(both)).by_id[VM.lower()] == {"team": "c", "env": "prod", "cost": "1"}
    # Kubernetes mounts each file of a ConfigMap as a link within the rules directory.
    owners = {"tags": "resources.json", "owners": []}
    rules_in(tmp_path, {"..data/resources.json": [*ROWS], "owners.yaml": owners})
    (tmp_path / "resources.json").symlink_to("..data/resources.json")
    assert tags_in(load(tmp_path, Stream.CWPP, KINDS, NOW)).by_id == BY_ID


def test_what_cannot_be_used_is_said_with_its_row() -> None:
    """Each sort once, by the first row of it; all else counts, and nothing stops the start."""
    rows: list[object] = [
        {"id": VM, "tags": {"team": "a"}},
        {"tags": {"team": "b"}},
        "a row",
        {"id": VM, "tags": "team=a"},
        {"id": f"{VM}-1", "tags": {"count": 4, "gone": None, "team": "c"}},
        {"id": "vm-5", "tags": {"team": "e"}},
        {"id": f"{VM}-2", "tags": {"team": "x" * 257, "env": "y" * 256}},
        {"id": VM.upper(), "tags": {"TEAM": "f"}},
        {"id": "/providers/Microsoft.Management/managementGroups/mg", "tags": None},
    ]
    found = rules_with({ONE: an_answer(rows)})
    teams = {VM: {"team": "f"}, f"{VM}-1": {"team": "c"}, f"{VM}-2": {"env": "y" * 256}}
    assert tags_in(found).by_id == {id.lower(): tags for id, tags in teams.items()}
    assert [one.removeprefix(f"warning unusable-tag-row {ONE}: ") for one in said(found)] == [
        "row 2 is no object with an id; ask for `project id, tags` (and 1 more like it)",
        "row 4 has tags that are no mapping",
        "row 5 has a tag whose value is no text of at most 256 characters; it is left out (and 1 more like it)",
        "row 6 has an id that does not begin with /subscriptions/",
    ]


def lines(*documents: object) -> str:
    """Documents one after the other."""
    return "\n".join(map(json.dumps, documents))


PARTS: list[tuple[object, str | None]] = [
    (an_answer(many(1), 2, "x"), "holds 1 of 2"),
    (an_answer(many(1), 2), "holds 1 of 2"),
    (lines(an_answer(many(2), 3, "x"), an_answer(many(1, 2), 3)), None),
    (lines(an_answer(many(2), 6, "x"), an_answer(many(2, 2), 6, "y")), "holds 4 of 6"),
    ({"totalRecords": 5000, "count": 1, "data": many(1), "$skipToken": "abc"}, "holds 1 of 5000"),
    ({"data": many(1), "resultTruncated": "true"}, "holds 1 of more"),
    ({"data": many(1), "$skipToken": "x"}, "holds 1 of more"),
    ({"data": many(1), "nextLink": "https://management.azure.com/x"}, "holds 1 of more"),
    ({"data": many(1), "nextLink": None, "$skipToken": ""}, None),
    ({"data": many(1), "totalRecords": "7"}, "holds 1 of 7"),
    ({"data": many(1), "count": 3}, "holds 1 of 3"),
    (lines(an_answer(many(2), 3, "x"), {"data": many(1, 2), "totalRecords": 3, "resultTruncated": "true"}), None),
]


def test_an_answer_that_is_not_whole_is_said() -> None:
    """What is missing in it would have no owner, and nobody would know; what there is counts."""
    for content, held in PARTS:
        found = rules_with({ONE: content})
        assert tags_in(found).by_id
        begin = [] if held is None else [f"warning partial-tag-file {ONE}: {held}"]
        assert [words.partition(" rows, and ")[0] for words in said(found)] == begin, content


def test_a_file_that_cannot_be_read_stops_the_start() -> None:
    """In its place there would be no owners, and nobody would know."""
    make = "missing-file tags/a.json: is missing, and owners.yaml:3 names it; make it: az graph query --first 1000"
    broken: list[tuple[object, str]] = [
        (None, make),
        ("", "unreadable tags/a.json: is empty; az says why on its standard error"),
        ("id  team\n--  ----\n", "unreadable tags/a.json: is not JSON, as az writes it with -o json"),
        ('{"data": [', "unreadable tags/a.json: is not JSON"),
        ("[" * 100_000, "unreadable tags/a.json: cannot be read"),
        ("größe".encode("latin-1"), "unreadable tags/a.json: is not UTF-8"),
    ]
    for content, words in broken:
        found = rules_with({} if content is None else {ONE: content}, [ONE])
        (message,) = said(found)
        assert found.rulebook is None
        assert message.startswith(f"problem {words}")


def test_a_missing_file_is_said_with_the_one_that_may_be_meant() -> None:
    """Its name is compared with those of files that owners.yaml does not name yet, wherever they stand."""
    there = {"tags/resources.json": an_answer([]), "tag/containers.json": an_answer([])}

    def remedies(*named: str) -> list[str]:
        missing = [one for one in rules_with(there, named).problems if one.code == "missing-file"]
        return [f"{one.file}: {one.message.partition('names it; ')[2].partition(':')[0]}" for one in missing]

    assert remedies("tags/resource.json", "tags/containers.json", "tags/machines.json") == [
        "tags/containers.json: did you mean tag/containers.json? Otherwise make it",
        "tags/machines.json: make it",
        "tags/resource.json: did you mean tags/resources.json? Otherwise make it",
    ]
    assert remedies("tags/resource.json", "tags/resources.json") == ["tags/resource.json: make it"]


def test_a_file_without_any_tag_is_said() -> None:
    """It is a warning, whatever JSON the file has: a new tenant may have no tags, and the router starts without them."""
    for content in (
        an_answer([]), [{"id": VM, "team": "a"}], {"value": [{"id": VM, "tags": {"team": "a"}}]}, {"data": None}, "null",
    ):  # fmt: skip
        found = rules_with({ONE: content})
        assert found.rulebook is not None
        assert "no-tags" in [one.code for one in found.problems], content


def test_only_files_in_the_rules_directory_are_read(tmp_path: Path) -> None:
    """They are what is reviewed and deployed with the rules."""
    rules, outside = tmp_path / "rules", tmp_path / "outside"
    rules_in(outside, {"resources.json": [*ROWS]})
    rules_in(rules, {ONE: [*ROWS]})
    (rules / "out").symlink_to(outside)
    (rules / "loop").symlink_to("loop")
    for name, words in (
        ("/etc/hostname", "must be a file in the rules directory"),
        ("../tags.json", "must be a file in the rules directory"),
        ("C:/tags.json", "must be a file in the rules directory"),
        (".", "must be a file in the rules directory"),
        ("tags\\resources.json", "must be the name of one file, with / between directories"),
        ("tags/*.json", "must be the name of one file"),
        (".tags/resources.json", "is hidden by the dot"),
        ("tags/\0.json", "must be the name of one file"),
        ("tags", "cannot be read: Is a directory"),
        ("out/resources.json", "is a link out of the rules directory"),
        ("loop", "cannot be read"),
    ):
        rules_in(rules, {"owners.yaml": {"tags": [name], "owners": []}})
        found = load(rules, Stream.CWPP, KINDS, NOW)
        (problem,) = found.problems
        assert (found.rulebook, words in problem.message) == (None, True), problem


def test_tags_belong_to_the_rules(tmp_path: Path) -> None:
    """Another tag is another hash, and both streams know the same; what is wrong is said of each, so that it is said once."""
    rows = [[{"id": VM, "tags": {"team": team}}, {"id": 4}] for team in "ab"]
    files = [{ONE: one, "owners.yaml": {"tags": ONE, "owners": []}} for one in rows]
    assert len({the_book(one).hash for one in files}) == 2
    both = load_all(rules_in(rules_in(tmp_path, files[1]), stream="cspm"), KINDS, NOW)
    assert [tags_in(one).by_id for one in both.values()] == [{VM.lower(): {"team": "b"}}] * 2
    assert len({one.problems for one in both.values()}) == len(both[Stream.CWPP].problems) == 1


_VALUES = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["id", SUB, "team", "", "\ud800"])
_DOCUMENTS = st.recursive(
    _VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "tags", "data", "skip_token", "total_records"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(_DOCUMENTS, min_size=1, max_size=3))
@settings(deadline=None, max_examples=some_of(60))
def test_whatever_json_a_file_has_is_taken_or_said(documents: list[object]) -> None:
    """Nobody meets a traceback, and each tag that is taken is a text of a thing in a subscription."""
    found = rules_with({ONE: lines(*documents)}).owners.owners.tags.by_id
    assert all(id.startswith("/subscriptions/") and tags for id, tags in found.items())
    assert {type(value) for tags in found.values() for value in tags.values()} <= {str}


FILE = "tags/resources.json"
BY_TEAM = {"tag": {"Team": "*"}, "group": "{tag.team}"}


def test_the_state_is_asked_for_the_tags_that_rules_name() -> None:
    """Those of owners, of routes and of groups, in lower case; without the word or a tag it is not asked, as tags that were
    not reviewed count only where somebody reviewed that they do. The word stands once, as a file does."""
    policy = a_policy(routes=[{"name": "one", "when": {"tag": {"Stage": "prod"}}, "to": ["tickets"]}])
    policy["destinations"]["tickets"]["group"] = {"by": ["tag.Cost"], "window": "1h"}  # type: ignore[index]
    for tags in ("live", ["live"], [FILE, "live"]):
        owners = {"tags": tags, "owners": [BY_TEAM, {"group": "b"}]}
        book = the_book({"cwpp/policy.yaml": policy, "owners.yaml": owners, FILE: []})
        assert book.owners.live_tags == {"team", "stage", "cost"}
    named: list[tuple[dict[str, object], Files]] = [
        ({}, {}),
        ({"tags": FILE}, {FILE: []}),
        ({"tags": "./live"}, {"live": []}),
        ({"tags": "live", "owners": [{"group": "b"}]}, {}),
    ]
    for said, files in named:
        assert the_book({"owners.yaml": {"owners": [BY_TEAM], **said}, **files}).owners.live_tags == frozenset()
    twice = {"owners.yaml": {"tags": ["live", "live"], "owners": []}}
    assert messages(twice) == ["tags[1]: is named twice; remove one"]


def test_a_rulebook_by_other_tags_asks_them_everywhere() -> None:
    """Owners, and the clauses of routes by owner and by tag; the rulebook that it was made of stays as it is."""
    routes = [
        {"name": "owned", "when": {"owner": "payments"}, "to": ["tickets"]},
        {"name": "tagged", "when": {"tag": {"TEAM": ["pay*"]}, "severity": "High"}, "to": ["tickets"]},
        {"name": "unowned", "when": {"owner": "nobody"}, "to": ["tickets"]},
    ]
    owners = {"tags": "live", "owners": [BY_TEAM]}
    book = the_book({"cwpp/policy.yaml": a_policy(routes=routes), "owners.yaml": owners})
    other, alert = book.with_tags(Tags({RESOURCE.lower(): {"team": "payments"}})), an_alert()
    routed = [[one.name for one in each.routes if one.matches(alert, Attack())] for each in (book, other)]
    assert routed == [["unowned"], ["owned", "tagged"]]
    assert [find_owner_of(alert, each.owners) is None for each in (book, other)] == [True, False]
    assert other.hash == book.hash


PAID = {"id": RESOURCE, "tags": {"Team": "Payments", "env": "prod"}}
TAGGED = [PAID, {"id": f"{RESOURCE}-2", "tags": {"TEAM": "web"}}]


def unknown(tag: object, tags: object = FILE, **policy: Any) -> list[str]:
    """What lints say of tags that no resource has, where an entry of owners asks for one."""
    owners = {"tags": tags, "owners": [{"tag": tag, "group": "a"}]}
    files = {FILE: TAGGED, "owners.yaml": owners, "cwpp/policy.yaml": a_policy(**policy)}
    return lints(files, code="unknown-tag")


def test_a_tag_that_no_resource_has_is_said() -> None:
    """With what was probably meant; those of routes are looked for, too, and none where the state has tags."""
    assert unknown({"TEAM": "pay*", "env": "PROD"}) == []
    said = ["owners.yaml: owners[0].tag.temm: no resource has a tag 'temm'; did you mean 'team'?"]
    assert unknown({"temm": "*"}) == said
    assert unknown({"colour": "*"}) == [
        "owners.yaml: owners[0].tag.colour: no resource has a tag 'colour'; `tags` in owners.yaml names the files that say "
        "which there are"
    ]
    route = {"name": "it", "when": {"tag": {"team": ["web", "wbe"], "evn": "x"}}, "to": ["tickets"]}
    said = ["cwpp/policy.yaml: routes[0].when.tag.evn: no resource has a tag 'evn'; did you mean 'env'?"]
    assert unknown({"team": "*"}, routes=[route]) == said
    assert unknown({"temm": "*"}, "live") == unknown({"temm": "*"}, [FILE, "live"]) == []
