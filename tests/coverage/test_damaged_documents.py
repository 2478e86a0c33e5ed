"""What was refused, cut or damaged: the gate does not pass beside it, and no command fails otherwise than it says."""

import copy
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.cli import main
from router.coverage.documents import CoverageDocument
from tests.coverage.builders import SQL_SERVER, SUBSCRIPTION, document, judged, kubectl, pricing, resource
from tests.coverage.document_sets import EVERYTHING, NamedDocument, document_sets
from tests.examples import some_of

SERVER = resource(SQL_SERVER, "Microsoft.Sql/servers")
LINK = "https://management.azure.com/subscriptions/1/providers/Microsoft.Sql/servers?$skiptoken=x"
SERVERS, ACCOUNTS = "microsoft.sql/servers", "microsoft.storage/storageaccounts"


def rows(first: int, many: int, type: str = SERVERS) -> list[dict[str, str]]:
    """Some of many rows, as Resource Graph has them."""
    numbers = range(first, first + many)
    return [{"id": f"{SQL_SERVER}-{number}-{type}", "name": f"ledger-{number}", "type": type} for number in numbers]


def pages_of(pages: int, many: int, type: str = SERVERS) -> list[CoverageDocument]:
    """Every page of a list, each with as many rows."""
    said: list[dict[str, Any]] = [{"data": rows(number * many, many, type)} for number in range(pages)]
    for number, page in enumerate(said, 1):
        page |= {"totalRecords": pages * many, "skip_token": "x" if number < pages else None}
    return [document(page, f"{type}-{number}.json") for number, page in enumerate(said)]


def unanswered(*documents: object) -> dict[str, str]:
    """The documents that were not answered in full, each with the reason."""
    return dict(judged(*documents).unanswered)


def test_an_answer_that_was_refused_or_cut_is_named(subtests: pytest.Subtests) -> None:
    """Alone, and among others; also where the token is missing, as in lists that have no limit."""
    for refusal, why in (
        ({"error": {"code": "AuthorizationFailed", "message": "no"}}, "AuthorizationFailed: no"),
        ({"Error": {"Message": "no"}}, "no"),
        ({"error": "Subscription Not Registered"}, "Subscription Not Registered"),
        ({"code": "SubscriptionNotFound", "message": "gone"}, "SubscriptionNotFound: gone"),
        ([{"value": [SERVER]}, {"error": {"code": "403"}}], "403"),
    ):
        found = unanswered(pricing("SqlServers"), refusal)
        assert found == {"2.json": f"holds an answer that was refused: {why}"}
    for other in ({"code": 3}, {"code": "a", "message": "b", "color": "red"}, {"error": None}, {}):
        assert unanswered(other) == {}
    nodes = {**kubectl(), "kind": "NodeList"}
    one_of: list[dict[str, Any]] = [
        *({"totalRecords": one} for one in (3, "3", 10**30, -1, {"value": 1})),
        *({"totalRecords": 1, **one} for one in ({"resultTruncated": 1}, {"$skipToken": {"at": 2}}, {"count": 2})),
        *({"resultTruncated": one} for one in ("true", True)),
        *({"TotalRecords": 3.0}, {"count": 1, "total_records": 3, "skip_token": "x"}),
    ]
    whole_of: list[dict[str, Any]] = [{"count": 1, "total_records": 1, "skip_token": None}]
    whole_of += [{"resultTruncated": "false"}, {"totalRecords": "1", "resultTruncated": False, "count": "1"}]
    links: list[dict[str, Any]] = [{"nextLink": {"uri": LINK}}, {"nextLink": LINK}, {"@odata.nextLink": LINK}]
    more = [{"continue": {"at": 2}}, {"continue": "", "remainingItemCount": 3}, {"continue": "x"}]
    many = [resource(f"{SQL_SERVER}-{number}", "Microsoft.Sql/servers") for number in range(100)]
    cut: list[object] = [*({"data": [SERVER], **one} for one in one_of), *({"value": [SERVER], **one} for one in links)]
    cut += [*({**nodes, "metadata": one} for one in more), rows(0, 100), rows(0, 1000)]
    whole: list[object] = [*({"data": [SERVER], **one} for one in whole_of), many, rows(0, 99), rows(0, 101)]
    whole += [{**nodes, "metadata": {"continue": "", "remainingItemCount": 0}}]
    whole += [{"value": [SERVER], "nextLink": one} for one in ("", None)]
    for pages, is_cut in ((cut, True), (whole, False)):
        for page in pages:
            with subtests.test(page=page, is_cut=is_cut):
                assert list(unanswered(pricing("SqlServers"), page)) == (["2.json"] if is_cut else [])


@given(st.integers(1, 4), st.integers(1, 30), st.data())
@settings(max_examples=some_of(60))
def test_all_pages_together_are_whole_and_fewer_are_not(pages: int, many: int, data: st.DataObject) -> None:
    """In any order, and one given twice."""
    order = data.draw(st.permutations(pages_of(pages, many)))
    assert unanswered(*order, order[0]) == {}
    if pages > 1:
        assert set(unanswered(*order[1:], order[1])) == {one.name for one in order[1:]}


@given(st.integers(2, 4), st.integers(1, 20), st.data())
@settings(max_examples=some_of(60))
def test_what_was_cut_of_two_lists_of_one_length_is_the_whole_of_neither(
    pages: int, many: int, data: st.DataObject
) -> None:
    """Two queries project the same columns, and have as many rows: of each some pages are missing."""
    lists = [pages_of(pages, many, type) for type in (SERVERS, ACCOUNTS)]
    assert unanswered(*lists[0], *lists[1]) == {}
    missing = [data.draw(st.sampled_from(one)) for one in lists]
    given = [page for one in lists for page in one if page not in missing]
    assert set(unanswered(*given)) == {page.name for page in given}


def test_pages_are_those_of_one_list() -> None:
    """Of one type and subscription, and no longer than the list; another list is not the rest of it."""
    first = {"value": [SERVER], "nextLink": LINK}
    assert unanswered(first, {"value": [resource(f"{SQL_SERVER}-2", "Microsoft.Sql/servers")]}) == {}
    elsewhere = SQL_SERVER.replace(SUBSCRIPTION, "22222222-2222-2222-2222-222222222222")
    for other in (resource(elsewhere, "Microsoft.Sql/servers"), pricing("SqlServers")):
        assert list(unanswered(first, {"value": [other]})) == ["1.json"]
    one = {"data": [{"id": SQL_SERVER, "a": 1}], "totalRecords": 2, "skip_token": "x"}
    assert len(unanswered(one, {"data": [{"id": f"{SQL_SERVER}-2", "b": 1}], "totalRecords": 2})) == 2
    for more in ({"skip_token": None}, {"resultTruncated": "true"}):
        halves = ({"data": rows(start, 100), "totalRecords": 150, **said} for start, said in ((0, {}), (200, more)))
        assert set(unanswered(*halves)) == {"1.json", "2.json"}
    cut = {"data": rows(0, 2), "totalRecords": 3, "skip_token": "x"}
    assert list(unanswered(cut, {"data": rows(5, 3), "totalRecords": 3})) == ["1.json"]


DEEP, LONG, INFINITE = "@deep@", "@long@", "@infinite@"
"""What stands in a document for what Python cannot write as JSON, or not at once."""

_WRITTEN = {f'"{DEEP}"': "[" * 200 + "]" * 200, f'"{LONG}"': "9" * 400, f'"{INFINITE}"': "-Infinity"}

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, -1, 1.5, 10**30, 1e308, "", " ", "x", "True", "é\x00", "\ud800", "١.٢", "-", "/",
        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-99-99", "/subscriptions/", "P1", "Exists",
        '[{"Key":1}]', [], [[]], [None], [{}], [1, "x"], {}, {"": {}}, {"a": []}, {"name": None}, DEEP, LONG, INFINITE,
    ]
)  # fmt: skip
"""What may stand where something else is expected."""


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> str:
    """A document as text, of which up to four parts are something else, are gone, or are written in another case."""
    body = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 4))):
        parent, key = _part_of(body, draw)
        if parent is None:
            continue
        match draw(st.integers(0, 5)):
            case 0:
                del parent[key]
            case 1 if isinstance(key, str):
                parent[key.swapcase()] = parent.pop(key)
            case 2 if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            case _:
                parent[key] = copy.deepcopy(draw(JUNK))
    text = json.dumps(body)
    for sign, written in _WRITTEN.items():
        text = text.replace(sign, written)
    return text


def _part_of(body: Any, draw: st.DrawFn) -> tuple[Any, Any]:
    """Some part of a document, as what it stands in and where; nothing of an empty one."""
    parent, key = None, None
    while isinstance(body, dict | list) and body:
        parent, key = body, draw(st.sampled_from(sorted(body) if isinstance(body, dict) else range(len(body))))
        body = body[key]
        if draw(st.integers(0, 5)) == 0:
            break
    return parent, key


AT = ("--now", "2026-11-25T12:00:00Z")
CHECK = ("coverage", "check", *AT)
COMMANDS = [
    *((*CHECK, "--format", one) for one in ("text", "json", "junit", "github", "markdown")),
    ("coverage", "report", *AT, "--out", "page.html"),
    ("coverage", "init", *AT),
]


@pytest.fixture(scope="module", autouse=True)
def _directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A directory to write files into, in which the commands run; of each example the files of the one before are gone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("documents"))
        yield


def says(command: tuple[str, ...], files: list[str]) -> tuple[int, str, str]:
    """The exit code of a command in this process, and what it writes in UTF-8, which has no lone surrogates."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*command, *files])
    written = []
    for stream in (out, err):
        stream.flush()
        written.append(stream.buffer.getvalue().decode())
    return code, written[0], written[1]


def write(documents: list[tuple[str | None, str]]) -> list[str]:
    """Writes a file for each document; the arguments that name them."""
    arguments = []
    for number, (name, text) in enumerate(documents):
        Path(f"{number}.json").write_text(text, encoding="utf-8")
        arguments.append(f"{name}={number}.json" if name else f"{number}.json")
    return arguments


def code_of(report: Any, *, allows_unknown: bool, is_refused: bool) -> int:
    """The exit code that the printed states ask for."""
    states = {rung["state"] for row in report["workloads"] for rung in row["rungs"].values()}
    if "gap" in states:
        return 1
    is_unknown = ("unknown" in states or report["files"]["unanswered"]) and not allows_unknown
    return 2 if is_refused or not states or is_unknown else 0


@given(document_sets() | st.just(list(EVERYTHING)), st.sampled_from(COMMANDS), st.data())
@settings(max_examples=some_of(150))
def test_no_document_makes_a_command_fail(
    documents: list[NamedDocument], command: tuple[str, ...], data: st.DataObject
) -> None:
    """Whatever stands in it where something else is expected; what it is about is still judged, or refused by a line."""
    ill = data.draw(st.sets(st.sampled_from(range(len(documents))), min_size=1, max_size=3)) if documents else set()
    files = [
        (given, data.draw(damaged(value)) if number in ill else json.dumps(value))
        for number, (given, value) in enumerate(documents)
    ]
    code, out, err = says(command, write(files) or ["absent.json"])
    assert code in (0, 1, 2)
    assert out or err, "it says nothing"
    assert "Traceback" not in err


@given(document_sets() | st.just(list(EVERYTHING)), st.booleans(), st.booleans(), st.sampled_from(COMMANDS[:5]))
@settings(max_examples=some_of(50))
def test_the_exit_code_is_that_of_the_states_that_are_printed(
    documents: list[NamedDocument], allows_unknown: bool, is_refused: bool, other: tuple[str, ...]
) -> None:
    """In every format the same; also where a file cannot be read."""
    files = write([(given, json.dumps(value)) for given, value in documents])
    is_refused = is_refused or not documents
    files += write_broken() if is_refused else []
    options = ("--allow-unknown",) if allows_unknown else ()
    code, out, _ = says((*CHECK, *options, "--format", "json"), files)
    assert code == code_of(json.loads(out), allows_unknown=allows_unknown, is_refused=is_refused)
    assert says((*other, *options), files)[0] == code


def write_broken() -> list[str]:
    """Writes a file that is no JSON."""
    Path("broken.json").write_text("{", encoding="utf-8")
    return ["broken.json"]
