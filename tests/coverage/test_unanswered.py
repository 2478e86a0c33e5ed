"""Answers that were refused or cut: what they would have named nobody knows, so the gate does not pass beside them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import CoverageDocument
from tests.coverage.builders import SQL_SERVER, SUBSCRIPTION, document, judged, kubectl, pricing, resource
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


def test_an_answer_that_was_refused_is_named() -> None:
    """Alone, and among others. Other documents have fields of these names, too."""
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


def test_an_answer_that_was_cut_is_named(subtests: pytest.Subtests) -> None:
    """Also where the token is missing, as where a query leaves the id out.

    `az sql server list` has no limit, and writes types with capitals.
    """
    nodes = {**kubectl(), "kind": "NodeList"}
    one_of: list[dict[str, Any]] = [
        *({"totalRecords": one} for one in (3, "3", 10**30, -1, {"value": 1})),
        *({"totalRecords": 1, **one} for one in ({"resultTruncated": 1}, {"$skipToken": {"at": 2}}, {"count": 2})),
        *({"resultTruncated": one} for one in ("true", True)),
        *({"TotalRecords": 3.0}, {"count": 1, "total_records": 3, "skip_token": "x"}),
    ]
    whole_of: list[dict[str, Any]] = [
        {"count": 1, "total_records": 1, "skip_token": None},
        {"resultTruncated": "false"},
    ]
    whole_of += [{"totalRecords": "1", "resultTruncated": False, "count": "1"}]
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
    """Those of ARM end with one without a link, of the same type and subscription: another list is not the rest of it.

    Two lists of one length are not pages of one; rows of two cut lists may be more than one has; a whole one completes none.
    """
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
