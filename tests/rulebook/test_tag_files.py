"""What the files say that owners.yaml names under `tags`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.domain.tag_rows import TagRows
from router.domain.tags import Tags
from router.rulebook import Loaded, load, load_all
from router.rulebook.graph_answers import pages_in, parts_among
from tests.rulebook.builders import NOW, rules_in
from tests.rulebook.kinds import KINDS
from tests.samples import SAMPLES

SUB = "/subscriptions/aaaa"
GROUP = f"{SUB}/resourceGroups/RG"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-1"
ROWS: Sequence[dict[str, object]] = (
    {"id": VM, "tags": {"Team": "Payments", "env": "prod"}},
    {"id": f"{VM}-2", "tags": None},
    {"id": f"{VM}-3", "tags": {}},
    {"id": GROUP, "tags": {"team": "Platform"}},
    {"id": SUB, "tags": {"cost center": "4711"}},
)
BY_ID = {
    VM.lower(): {"team": "Payments", "env": "prod"},
    GROUP.lower(): {"team": "Platform"},
    SUB: {"cost center": "4711"},
}


def rules_with(directory: Path, files: Mapping[str, object], named: object = None) -> Loaded:
    """What becomes of rules whose owners.yaml names some tag files; bytes are written as they are."""
    owners = {"tags": list(files) if named is None else named, "owners": []}
    texts = {file: content for file, content in files.items() if not isinstance(content, bytes)}
    rules_in(directory, {"owners.yaml": owners, **texts})
    for file, content in files.items():
        if isinstance(content, bytes):
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            (directory / file).write_bytes(content)
    return load(directory, Stream.CWPP, KINDS, NOW)


def tags_in(loaded: Loaded) -> Tags:
    """The tags of rules that are sound."""
    assert loaded.rulebook is not None, loaded.problems
    return loaded.rulebook.owners.tags


def said(loaded: Loaded) -> list[str]:
    """Problems and warnings without the directory that they are in."""
    return [f"{one.level} {one.code} {one.file}: {one.message}" for one in loaded.problems]


def a_table(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Rows as Resource Graph's table form has them."""
    columns = [{"name": "tags", "type": "object"}, {"name": "id", "type": "string"}]
    return {"columns": columns, "rows": [[row["tags"], row["id"]] for row in rows]}


def an_answer(rows: Sequence[object], total: int | None = None, token: str | None = None) -> dict[str, object]:
    """Rows as `az graph query` prints them."""
    total = len(rows) if total is None else total
    return {"count": len(rows), "data": rows, "skip_token": token, "total_records": total}


def the_rest(rows: Sequence[object], total: int, token: str | None = None) -> dict[str, object]:
    """Rows as Resource Graph itself answers."""
    more = {"$skipToken": token} if token else {}
    return {"totalRecords": total, "count": len(rows), "facets": [], "resultTruncated": "false", **more, "data": rows}


def many(count: int, start: int = 0) -> list[object]:
    """Rows of as many resources, each with a tag."""
    return [{"id": f"{VM}-{number}", "tags": {"team": "a"}} for number in range(start, start + count)]


@pytest.mark.parametrize(
    "content",
    [
        an_answer(ROWS),
        the_rest(ROWS, 5),
        an_answer([]) | {"data": a_table(ROWS)},
        {"totalRecords": 5, "count": 5, "data": a_table(ROWS), "facets": [], "resultTruncated": "false"},
        {"value": ROWS},
        json.dumps(ROWS),
        json.dumps(an_answer(ROWS), indent=2).encode("utf-8-sig"),
        json.dumps(an_answer(ROWS), indent=2).encode("utf-16"),
        "\n".join(map(json.dumps, ROWS)) + "\n\n",
        "\n".join(json.dumps(row | {"data": ["a column"]}) for row in ROWS),
        "\n".join(json.dumps(an_answer(ROWS[at:][:2], 5, "x" if at < 4 else None), indent=2) for at in (0, 2, 4)),
        json.dumps(list(ROWS[:2])) + json.dumps(list(ROWS[2:])),
        an_answer([{"ID": row["id"], "Tags": row["tags"]} for row in ROWS]),
        an_answer([row | {"tags": json.dumps(row["tags"])} for row in ROWS]),
        an_answer([row | {"tags": json.dumps(row["tags"]) if row["tags"] else ""} for row in ROWS]),
        an_answer([row | {"id": f"{row['id']}/".replace("/sub", "sub").upper()} for row in ROWS]),
    ],
)  # fmt: skip
def test_tags_are_read_in_each_form_in_which_they_are_written(content: object, tmp_path: Path) -> None:
    """Objects or a table, whole answers, bare lists, lines or pages after each other, tags as a mapping or its text."""
    loaded = rules_with(tmp_path, {"tags/resources.json": content})
    assert (tags_in(loaded).by_id, said(loaded)) == (BY_ID, [])


def test_several_files_are_one(tmp_path: Path) -> None:
    """Each adds what it says; one of them may stand alone, without a list."""
    files = {"tags/resources.json": an_answer(ROWS[:3]), "tags/containers.json": an_answer(ROWS[3:])}
    assert tags_in(rules_with(tmp_path, files)).by_id == BY_ID
    assert set(tags_in(rules_with(tmp_path, files, "./tags/containers.json")).by_id) == {GROUP.lower(), SUB}


@pytest.mark.parametrize(
    ("row", "id"),
    [
        ({"subscriptionId": "AAAA", "type": "microsoft.resources/subscriptions", "name": "Contoso"}, SUB),
        ({"subscriptionId": "aaaa", "resourceGroup": "", "type": "microsoft.resources/subscriptions"}, SUB),
        ({"subscriptionId": "aaaa", "resourceGroup": "RG",
          "type": "microsoft.resources/subscriptions/resourceGroups"}, GROUP.lower()),
        ({"subscriptionId": "aaaa"}, SUB),
        ({"subscriptionId": "aaaa", "resourceGroup": "rg"}, GROUP.lower()),
        ({"subscriptionId": "aaaa", "resourceGroup": "rg", "name": "RG"}, GROUP.lower()),
        ({"id": VM, "subscriptionId": "aaaa", "resourceGroup": "rg"}, VM.lower()),
        # Of a resource, whose tags are not those of its group.
        ({"subscriptionId": "aaaa", "resourceGroup": "rg", "type": "microsoft.compute/virtualmachines"}, None),
        ({"subscriptionId": "aaaa", "resourceGroup": "rg", "name": "vm-1"}, None),
        ({"subscriptionId": "aaaa", "name": "vm-1"}, None),
        ({"resourceGroup": "rg"}, None),
        ({"subscriptionId": "", "resourceGroup": ""}, None),
    ],
)  # fmt: skip
def test_a_subscription_and_a_group_are_known_without_an_id(
    row: dict[str, object], id: str | None, tmp_path: Path
) -> None:
    """By their columns, where these cannot be those of a resource in them."""
    loaded = rules_with(tmp_path, {"tags/containers.json": [row | {"tags": {"team": "a"}}]})
    assert list(tags_in(loaded).by_id) == ([id] if id else [])
    assert bool(loaded.problems) is (id is None)


def test_what_cannot_be_used_is_said_with_its_row(tmp_path: Path) -> None:
    """Each sort once, by the first row of it; all else counts, and nothing stops the start."""
    rows: list[object] = [
        {"id": VM, "tags": {"team": "a"}},
        {"tags": {"team": "b"}},
        "a row",
        {"id": VM, "tags": "team=a"},
        {"id": f"{VM}-1", "tags": {"count": 4, "gone": None, "team": "c"}},
        {"tags": {"team": "d"}, "name": "vm-4"},
        {"id": "vm-5", "tags": {"team": "e"}},
        {"id": f"{VM}-2", "tags": {"team": "x" * 257, "env": "y" * 256}},
        {"id": VM.upper(), "tags": {"TEAM": "f"}},
        {"id": f"{VM}-6", "tags": ["team"]},
        {"id": "/providers/Microsoft.Management/managementGroups/mg", "tags": None},
    ]
    loaded = rules_with(tmp_path, {"tags/resources.json": an_answer(rows)})
    assert tags_in(loaded).by_id == {
        VM.lower(): {"team": "f"},
        f"{VM}-1".lower(): {"team": "c"},
        f"{VM}-2".lower(): {"env": "y" * 256},
    }
    assert said(loaded) == [
        f"warning unusable-tag-row tags/resources.json: {words}"
        for words in (
            "row 2 has no id; ask for `project id, tags` (and 1 more like it)",
            "row 3 is no object with id and tags",
            "row 4 has tags that are no mapping (and 1 more like it)",
            "row 5 has a tag whose value is no text of at most 256 characters; it is left out (and 1 more like it)",
            "row 7 has an id that does not begin with /subscriptions/",
            "row 9 gives a tag of a resource another value than before; the later one counts",
        )
    ]


ONE, OTHER = "tags/a.json", "tags/b.json"


def lines(*documents: object) -> str:
    """Documents one after the other."""
    return "\n".join(map(json.dumps, documents))


@pytest.mark.parametrize(
    ("files", "held"),
    [
        ({ONE: an_answer(many(1), 2, "x")}, "holds 1 of 2"),
        ({ONE: an_answer(many(1), 2)}, "holds 1 of 2"),
        ({ONE: an_answer(many(2), 2, None)}, None),
        ({ONE: the_rest(many(1), 2, "x")}, "holds 1 of 2"),
        ({ONE: the_rest(many(1), 47) | {"resultTruncated": "true"}}, "holds 1 of 47"),
        ({ONE: {"data": many(3), "resultTruncated": "true"}}, "breaks off after 3"),
        ({ONE: {"value": many(3), "nextLink": "https://management.azure.com/x"}}, "breaks off after 3"),
        # Pages, in one file or in several.
        ({ONE: lines(an_answer(many(2), 3, "x"), an_answer(many(1, 2), 3))}, None),
        ({ONE: an_answer(many(2), 3, "x"), OTHER: an_answer(many(1, 2), 3)}, None),
        ({ONE: lines(an_answer(many(2), 6, "x"), an_answer(many(2, 2), 6))}, "holds 4 of 6"),
        ({ONE: lines(an_answer(many(2), 6, "x"), an_answer(many(2, 2), 6, "y"))}, "holds 4 of 6"),
        (
            {
                ONE: lines(
                    *(
                        page | {"resultTruncated": "true"}
                        for page in (the_rest(many(2), 3, "x"), the_rest(many(1, 2), 3))
                    )
                )
            },
            None,
        ),
        # Something came and something went while the pages were asked for.
        ({ONE: lines(an_answer(many(20), 31, "x"), an_answer(many(10, 20), 30))}, None),
        ({ONE: lines(an_answer(many(20), 30, "x"), an_answer(many(11, 20), 31))}, None),
        # The answer to another question does not end this one.
        ({ONE: an_answer(many(2), 3, "x"), OTHER: an_answer(many(1, 2), 1)}, "holds 2 of 3"),
        # A bare list does not say that it was cut, but it is just as long as a page.
        ({ONE: json.dumps(many(100))}, "breaks off after 100"),
        ({ONE: json.dumps(many(1000))}, "breaks off after 1000"),
        ({ONE: json.dumps(many(99))}, None),
        ({ONE: lines(many(100), many(7, 100))}, None),
        ({ONE: json.dumps(many(100)), OTHER: json.dumps(many(7, 100))}, "breaks off after 100"),
        ({ONE: "\n".join(map(json.dumps, many(100)))}, None),
    ],
)
def test_an_answer_that_is_not_whole_is_said(files: Mapping[str, object], held: str | None, tmp_path: Path) -> None:
    """What is missing in it would have no owner, and nobody would know; what there is counts."""
    loaded = rules_with(tmp_path, files)
    assert tags_in(loaded).by_id
    assert [one.code for one in loaded.problems] == (["partial-tag-file"] if held else [])
    assert held is None or (held in loaded.problems[0].message and loaded.problems[0].file == ONE)


def test_a_resource_of_which_two_files_say_different_things_is_named(tmp_path: Path) -> None:
    """The file that is named later counts, tag by tag."""
    files = {
        ONE: [{"id": VM, "tags": {"team": "a", "env": "prod"}}, {"id": SUB, "tags": {"team": "b"}}],
        OTHER: [{"id": VM, "tags": {"team": "c", "cost": "1"}}, {"id": SUB, "tags": {"team": "b"}}],
    }
    loaded = rules_with(tmp_path, files)
    assert tags_in(loaded).by_id[VM.lower()] == {"team": "c", "env": "prod", "cost": "1"}
    assert said(loaded) == [
        f"warning contradictory-tags tags/b.json: gives a tag of {VM.lower()} another value than an earlier file; "
        "the later one counts"
    ]


def test_values_are_shown_to_people(tmp_path: Path) -> None:
    """So they are one legible line; their case stays."""
    rows = [{"id": VM, "tags": {"team": " Pay\u202ements\n\x1b[31m ", "blank": " \t "}}]
    assert tags_in(rules_with(tmp_path, {ONE: rows})).by_id[VM.lower()] == {
        "team": "Pay\\u202ements \\x1b[31m",
        "blank": "",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            None,
            "missing-file tags/a.json: is missing, and owners.yaml:3 names it; make it: az graph query --first 1000",
        ),
        ("", "unreadable tags/a.json: is empty; az says why on its standard error"),
        ("id  team\n--  ----\n", "unreadable tags/a.json: is not JSON, as az writes it with -o json"),
        ('{"data": [', "unreadable tags/a.json: is not JSON"),
        ("[" * 100_000, "unreadable tags/a.json: cannot be read"),
        ("1" * 10_000, "unreadable tags/a.json: cannot be read"),
        ("größe".encode("latin-1"), "unreadable tags/a.json: is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_stops_the_start(content: object, words: str, tmp_path: Path) -> None:
    """In its place there would be no owners, and nobody would know."""
    loaded = rules_with(tmp_path, {} if content is None else {ONE: content}, [ONE])
    (message,) = said(loaded)
    assert loaded.rulebook is None
    assert message.startswith(f"problem {words}")


def test_a_missing_file_is_said_with_the_one_that_may_be_meant(tmp_path: Path) -> None:
    """Its name is compared with those of files that owners.yaml does not name yet, wherever they stand."""
    there = {"tags/resources.json": an_answer([]), "tag/containers.json": an_answer([])}
    named = ["tags/resource.json", "tags/containers.json", "tags/machines.json"]
    assert remedies_in(rules_with(tmp_path / "a", there, named)) == {
        "tags/resource.json": "did you mean tags/resources.json? Otherwise make it",
        "tags/containers.json": "did you mean tag/containers.json? Otherwise make it",
        "tags/machines.json": "make it",
    }
    named = ["tags/resource.json", "tags/resources.json"]
    assert remedies_in(rules_with(tmp_path / "b", there, named)) == {"tags/resource.json": "make it"}


def remedies_in(loaded: Loaded) -> dict[str, str]:
    """What to do about each file that is missing, without how to make it."""
    missing = [one for one in loaded.problems if one.code == "missing-file"]
    return {one.file: one.message.partition("names it; ")[2].partition(":")[0] for one in missing}


@pytest.mark.parametrize("content", [an_answer([]), [], {"error": {"code": "BadRequest"}}, [{"id": VM, "team": "a"}]])
def test_a_file_without_any_tag_is_said(content: object, tmp_path: Path) -> None:
    """It is a warning: a new tenant may have none."""
    loaded = rules_with(tmp_path, {ONE: content})
    assert loaded.rulebook is not None
    assert "no-tags" in [one.code for one in loaded.problems]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/hostname", "must be a file in the rules directory"),
        ("../tags.json", "must be a file in the rules directory"),
        ("tags/../../tags.json", "must be a file in the rules directory"),
        ("C:/tags.json", "must be a file in the rules directory"),
        (".", "must be a file in the rules directory"),
        ("tags\\resources.json", "must have / between directories"),
        ("tags/*.json", "must be the name of one file"),
        (".tags/resources.json", "is hidden by the dot"),
        ("tags/\0.json", "has a character that no file's name should have"),
        ("tags", "cannot be read: Is a directory"),
        ("out/resources.json", "is a link out of the rules directory"),
        ("loop", "cannot be read"),
    ],
)
def test_only_files_in_the_rules_directory_are_read(name: str, words: str, tmp_path: Path) -> None:
    """They are what is reviewed and deployed with the rules."""
    rules, outside = tmp_path / "rules", tmp_path / "outside"
    rules_in(rules, {ONE: [*ROWS]})
    outside.mkdir()
    (outside / "resources.json").write_text(json.dumps(ROWS))
    (rules / "out").symlink_to(outside)
    (rules / "loop").symlink_to("loop")
    loaded = rules_with(rules, {}, [name])
    (problem,) = loaded.problems
    assert (loaded.rulebook, words in problem.message) == (None, True), problem


def test_a_link_within_the_rules_directory_is_followed(tmp_path: Path) -> None:
    """Kubernetes mounts each file of a ConfigMap as one."""
    rules_in(tmp_path, {"..data/resources.json": [*ROWS]})
    (tmp_path / "resources.json").symlink_to("..data/resources.json")
    assert tags_in(rules_with(tmp_path, {}, ["resources.json"])).by_id == BY_ID


def test_tags_belong_to_the_rules(tmp_path: Path) -> None:
    """Another tag is another hash, and both streams know the same; what is wrong is said of each, so that it is said once."""
    hashes = set()
    for team in "ab":
        loaded = rules_with(tmp_path, {ONE: [{"id": VM, "tags": {"team": team}}, {"id": 4}]})
        assert loaded.rulebook is not None
        hashes.add(loaded.rulebook.hash)
    assert len(hashes) == 2
    rules_in(tmp_path, stream="cspm")
    both = load_all(tmp_path, KINDS, NOW)
    assert [tags_in(one).by_id for one in both.values()] == [{VM.lower(): {"team": "b"}}] * 2
    assert len({one.problems for one in both.values()}) == len(both[Stream.CWPP].problems) == 1


_WORDS = st.sampled_from(
    ["id", "tags", "data", "value", "columns", "rows", "name", "type", "skip_token", "total_records", "subscriptionId",
     "resourceGroup", "/subscriptions/aaaa", "microsoft.resources/subscriptions", "team", '{"team": "a"}', "[1]", "", "\ud800"]
)  # fmt: skip
_VALUES = st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=True) | _WORDS
_DOCUMENTS = st.recursive(
    _VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4), max_leaves=20
)


@given(st.lists(_DOCUMENTS, min_size=1, max_size=3))
@settings(deadline=None)
def test_whatever_json_a_file_has_is_taken_or_said(documents: list[object]) -> None:
    """Nobody meets a traceback, and each tag that is taken is a text of a thing in a subscription."""
    pages = pages_in("\n".join(map(json.dumps, documents)).encode())
    rows = TagRows(row for page in pages for row in page.rows)
    assert all(id.startswith("/subscriptions/") and tags for id, tags in rows.by_id.items())
    assert {type(value) for tags in rows.by_id.values() for value in tags.values()} <= {str}
    assert all(said.startswith("row ") for said in rows.complaints())
    assert len(list(parts_among(("a", page) for page in pages))) <= len(pages)


@pytest.mark.shared
def test_tags_of_real_answers_are_read(tmp_path: Path) -> None:
    """Recorded from Resource Graph and from ARM, which write ids in different cases; and the samples of its documents."""
    recorded = (
        SAMPLES
        / "coverage/cloud-custodian/ResourceGraphSource.test_resource_graph_and_arm_sources_vm_are_equivalent.json"
    )
    arm, graph = (exchange["body"] for exchange in json.loads(recorded.read_text()))
    found = [tags_in(rules_with(tmp_path, {ONE: body})).by_id for body in (arm, graph)]
    assert found[0] == found[1]
    assert {"schedule": "on=(m-u,8);off=(m-u,18);tz=pt".replace("m-u", "M-U"), "testtag": "testvalue"} in found[
        0
    ].values()
    table = SAMPLES / "coverage/arg/resources.table-format.azure-docs.json"
    codes = {one.code for one in rules_with(tmp_path, {ONE: table.read_text()}).problems}
    assert codes == {"unusable-tag-row", "no-tags", "partial-tag-file"}
