"""Silences in the console: made, extended and ended only after it is shown what that does; refused beside the field."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from router.app.silences import add_silence
from router.domain.signals import Stream
from router.store.store import Store
from tests.builders import NOW
from tests.console.sites import Site, confirmed, own_links_of, served, text_of
from tests.console.states import BY, MACHINE, RETIRED, RULE, State
from tests.silences import HOUR, a_silence
from tests.store.acts import run
from tests.store.opened import everything_in, open_store

NEW = "/silences/new"
TYPED = {"stream": "cwpp", "host": "jump-lin-01\r\n\r\ndb-lin-02", "for": "2h", "reason": "<b>kernel</b> patch"}


def stored(site: Site) -> Any:
    """Everything in the state."""
    with opened(site.state) as store:
        return run(everything_in(store))


@contextmanager
def opened(state: State) -> Iterator[Store]:
    """The state of a site, opened beside it."""
    store = open_store(state.place, state.clock)
    yield store
    run(store.close())


def silences(site: Site, query: str = "") -> list[dict[str, Any]]:
    """The silences that the page lists."""
    found: list[dict[str, Any]] = site.document(f"/silences{query}")["silences"]
    return found


def test_a_silence_is_made_of_what_its_effect_showed(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends when the button said, however long that was looked at, and pressed twice it makes one; by whom is stored."""
    before = stored(own_site)
    effect = own_site.post(NEW, **TYPED)
    assert "Silence it until 2026-11-24T14:00:00Z (in 2 h)" in text_of(effect.text)
    assert stored(own_site) == before
    with monkeypatch.context() as later:
        later.setattr(own_site.state.clock, "now", NOW + HOUR / 4)
        done = own_site.post(NEW, **confirmed(effect))
        later.setattr(own_site.state.clock, "now", NOW + HOUR / 3)
        assert own_site.post(NEW, **confirmed(effect)).headers["location"] == done.headers["location"]
    path, _, query = done.headers["location"].partition("?")
    assert (done.status_code, query) == (303, "done=silenced")
    assert "The silence is made." in text_of(own_site.get(done.headers["location"]).text)
    document = own_site.document(path)
    made = document["silence"]
    assert (made["scope"], made["author"], made["reason"]) == (
        "anything at a machine called db-lin-02 or jump-lin-01", BY, TYPED["reason"],
    )  # fmt: skip
    assert (made["begins"], made["ends"]) == ("2026-11-24T12:15:00Z", "2026-11-24T14:00:00Z")
    assert [(one["action"], one["author"], one["reason"]) for one in document["changes"]] == [
        ("added", BY, TYPED["reason"])
    ]


def test_an_effect_says_what_would_have_been_held_and_names_what_stands(own_site: Site) -> None:
    """By severity; and that nothing of its kind was ever seen, with the types that may be meant."""
    text = text_of(own_site.post(NEW, **{**TYPED, "host": MACHINE}).text)
    assert re.search(r"In the last 24 hours it would have held ?\d+ .*High \d+", text)
    assert "A new user was added to sudoers" in text
    stands = re.search(r"Stands now: .* held ?(\d+) ", text)
    assert stands is not None and text.count(", stands") == int(stands[1]) > 5
    assert text.count("paged oncall") == 4
    assert "misspelled" not in text
    unheard = text_of(own_site.post(NEW, **{**TYPED, "host": "no-such", "type": "SQL.DB_BruteForc"}).text)
    assert "is a name misspelled?" in unheard
    assert "did you mean SQL.DB_BruteForce?" in unheard


REFUSED = [
    ({"host": ""}, "would silence everything"),
    ({"host": "", "resource": "*-01"}, "Resource: '*-01'"),
    ({"entity": "ip.address"}, "Entity: "),
    ({"for": "60d"}, "For: makes 60d without an hour's break; the policy allows 1d: write for 1d at most"),
    ({"for": "soon"}, "For: 'soon' is no duration"),
    ({"for": ""}, "For: is missing"),
    ({"until": "2026-11-24T13:00:00Z"}, "For: and until are both given"),
    ({"from": "yesterday"}, "From: 'yesterday' is no time"),
    ({"every": "Sat 02:00-04:00"}, "names no time zone"),
    ({"reason": " "}, "Reason: is empty"),
    ({"stream": "all"}, "Stream: 'all' is none"),
    ({"ticket": "none"}, "Ticket: 'none' does not match ^CHG"),
    ({"ticket": ""}, "Ticket: is missing; the policy wants one that matches ^CHG"),
]
"""What is wrong in a form that is right but for that, and what is said of it."""


def test_what_is_refused_is_said_beside_its_field_and_what_was_typed_stays(
    strict_site: Site, subtests: pytest.Subtests
) -> None:
    """Confirmed or not, nothing is stored."""
    before = stored(strict_site)
    for form, words in REFUSED:
        typed = {**TYPED, "ticket": "CHG1", **form}
        for confirm in ({}, {"confirm": "yes"}):
            with subtests.test(words, confirm=confirm):
                page = strict_site.post(NEW, **typed, **confirm)
                assert page.status_code == 422
                assert words in text_of(page.text)
                texts = {text.strip() for name, text in typed.items() if name != "stream"}
                assert {text for text in texts if text not in unescape(page.text)} == set()
    assert stored(strict_site) == before


@pytest.fixture
def strict_site(state_of: Callable[[str], State], tmp_path: Path) -> Iterator[Site]:
    """A console over a policy that wants a ticket."""
    busy = state_of("busy")
    assert isinstance(busy.place, Path)
    book = busy.rules.books[Stream.CWPP]
    strict = replace(book, silences=replace(book.silences, ticket="^CHG"))
    rules = replace(busy.rules, books={**busy.rules.books, Stream.CWPP: strict})
    copied = shutil.copytree(busy.place, tmp_path / "state")
    with served(busy._replace(place=copied, rules=rules)) as site:
        yield site


def test_a_silence_is_extended_and_ended_after_its_effect_was_shown(own_site: Site) -> None:
    """Who did it and why is on record; beyond its bounds it is refused beside the field, and once it is over."""
    path = own_site.state.paths["/silences/{id}"]
    assert own_site.document(path)["silence"]["state"] == "active"
    before = stored(own_site)
    refused = own_site.post(f"{path}/extend", **{"for": "60d", "reason": "more & more"})
    assert (refused.status_code, "the policy allows 1d" in text_of(refused.text)) == (422, True)
    assert 'value="60d"' in refused.text and 'value="more &amp; more"' in refused.text
    effect = own_site.post(f"{path}/extend", **{"for": "30m", "reason": "slow disks"})
    assert stored(own_site) == before
    end = own_site.document(path)["silence"]["ends"]
    for _ in range(2):
        assert own_site.post(f"{path}/extend", **confirmed(effect)).headers["location"] == f"{path}?done=extended"
    later = own_site.document(path)
    assert (end, later["silence"]["ends"]) == ("2026-11-24T16:00:00Z", "2026-11-24T16:30:00Z")
    coming = later["coming_out"]
    kept = stored(own_site)
    for act, field in (("extend", "reason"), ("end", "end-reason")):
        unsaid = own_site.post(f"{path}/{act}", **confirmed(effect) | {"reason": " "})
        assert unsaid.status_code == 422
        assert re.search(rf'id="{field}-wrong">[\w-]+: is empty', unsaid.text)
    unseen = own_site.post(f"{path}/extend", **{"for": "1m", "reason": "x", "confirm": "yes"})
    assert "It would end" in text_of(unseen.text)
    assert stored(own_site) == kept
    effect = own_site.post(f"{path}/end", reason="all done")
    assert f"{coming['notified']} come" in text_of(effect.text) and f"{coming['paging']} of them page" in text_of(
        effect.text
    )
    assert coming["notified"] > 0
    assert own_site.post(f"{path}/end", **confirmed(effect)).headers["location"] == f"{path}?done=ended"
    over = own_site.document(path)
    assert (over["silence"]["state"], over["silence"]["ended"]) == ("over", "2026-11-24T12:00:00Z")
    assert "what it holds still comes out with the next sweep" in text_of(own_site.get(path).text)
    said = [(one["action"], one["author"], one["reason"]) for one in over["changes"]]
    assert said[2:] == [("extended", BY, "slow disks"), ("ended", BY, "all done")]
    before = stored(own_site)
    for act, form in (("extend", {"for": "1h", "reason": "again"}), ("end", {"reason": "again"})):
        for confirm in ({}, {"confirm": "yes"}):
            again = own_site.post(f"{path}/{act}", **form, **confirm)
            assert (again.status_code, "It ended 2026-11-24T12:00:00Z" in text_of(again.text)) == (422, True)
    assert stored(own_site) == before
    assert own_site.post("/silences/none/end", reason="x", confirm="yes").status_code == 400
    assert own_site.get("/silences/none").status_code == 404


def test_the_soonest_end_comes_first_and_what_ended_is_behind_a_link(
    own_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one stream or of both, a page at a time; that one ends within the hour, or holds nothing, is said in words."""
    wanted = [
        a_silence("", lasts=HOUR / 2, reason="short"),
        a_silence("", begins=NOW + HOUR, lasts=HOUR, reason="coming"),
        a_silence("", stream="cspm", lasts=9 * HOUR, reason="posture"),
        a_silence("", begins=NOW - 100 * 24 * HOUR, reason="long over"),
    ]
    with opened(own_site.state) as store:
        for one in wanted:
            run(add_silence(store, one))
    assert [one["reason"] for one in silences(own_site)] == ["short", "coming", "patching", "posture"]
    assert [one["reason"] for one in silences(own_site, "?stream=cspm")] == ["posture"]
    assert [one["reason"] for one in silences(own_site, "?ended=1")] == ["load test"]
    text = text_of(own_site.get("/silences").text)
    assert [text.count(words) for words in ("ends within the hour", "begins in 1 h", "holds nothing")] == [1, 1, 2]
    monkeypatch.setattr("router.console.silences.PAGE", 3)
    first = own_site.document("/silences")
    rest = own_site.document(f"/silences?after={first['after']}")
    assert ([one["reason"] for one in rest["silences"]], rest["after"]) == (["posture"], None)
    for query in ("?stream=all", "?after=gone"):
        assert own_site.get(f"/silences{query}").status_code == 400


def test_a_form_is_filled_in_by_its_url(site: Site) -> None:
    """As links from signals fill it in: the same name again stands on a line of its own."""
    fields = site.document(f"{NEW}?host=a&host=b&entity=ip.address%3D10.0.0.1&type=T&every=daily&until=2026-11-25")[
        "fields"
    ]
    assert (fields["host"], fields["entity"], fields["type"]) == ("a\nb", "ip.address=10.0.0.1", "T")
    assert (fields["every"], fields["until"], fields["for"]) == ("daily", "2026-11-25", "")
    assert site.document(NEW)["fields"]["for"] == "2h"


def test_a_rule_says_what_it_holds_and_where_it_is_changed(site: Site) -> None:
    """Its file, its text, what it held last and what comes out without it."""
    document = site.document(f"/rules/cwpp?name={RULE}")
    rule, holding = document["rule"], document["holding"]
    assert document["position"] == f"cwpp/suppressions/{RULE}.json:1"
    assert '"alertType": "SQL.DB_BruteForce"' in document["text"]
    assert rule["type"] == "SQL.DB_BruteForce"
    assert holding["count"] == rule["holding"] == len(holding["signals"]) == document["coming_out"]["notified"] > 0
    assert {one["key"] for one in document["last_held"]} == {one["key"] for one in holding["signals"]}
    assert f"alert-router rules preview {rule['file']}" in text_of(site.get(f"/rules/cwpp?name={RULE}").text)
    assert site.get("/rules/cwpp?name=none").status_code == site.get("/rules/none?name=x").status_code == 404


def test_rules_are_listed_with_their_ends(site: Site) -> None:
    """The soonest first; that one holds nothing, and never did, is said in words. No form of the page changes one."""
    rules = site.document("/rules")["rules"]
    assert [one["ends"] for one in rules] == sorted(one["ends"] for one in rules)
    assert (rules[0]["name"], rules[0]["holds_nothing"]) == (RETIRED, True)
    assert {one["stream"] for one in site.document("/rules?stream=cspm")["rules"]} == {"cspm"}
    page = site.get("/rules")
    assert "holds nothing" in text_of(page.text) and 'method="post"' not in page.text


def test_one_list_has_all_that_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silences, rules and holds, the soonest first, as far ahead as is asked; each leads to its own page."""
    (silence,) = silences(site)
    ends = site.document("/ends")["ends"]
    assert [(one["kind"], one["name"]) for one in ends] == [
        ("hold", "sentinel"), ("silence", silence["name"]), ("rule", RETIRED),
    ]  # fmt: skip
    assert [one["ends"] for one in ends] == ["2026-11-24T13:00:00Z", silence["ends"], "2026-11-27T00:00:00Z"]
    assert (ends[0]["holding"], ends[0]["owner"], ends[1]["holding"]) == (1, BY, silence["holding"])
    links = own_links_of(site.get("/ends").text, site.origin, "/ends")
    assert {f"{site.origin}/silences/{silence['id']}", f"{site.origin}/destinations"} < links
    assert site.get("/ends?days=8").status_code == 400
    monkeypatch.setattr(site.state.clock, "now", NOW - 20 * 24 * HOUR)
    assert [RETIRED in site.get(f"/ends?days={days}").text for days in (7, 30)] == [False, True]


def test_an_alert_that_was_told_says_which_silence_holds_its_updates(own_site: Site) -> None:
    """In the list, on its page and on that of its resource, as long as the silence is in force; what it holds is held by it."""
    (silence,) = silences(own_site)
    words = f"{silence['name'].replace(':', ' ')} holds its updates until 2026-11-24T16:00:00Z"

    def silenced() -> set[str]:
        alerts = own_site.document("/alerts")["signals"]
        return {one["key"] for one in alerts if words in [state["words"] for state in one["states"]]}

    keys = silenced()
    told = {one["key"] for one in own_site.document("/alerts?outcome=routed")["signals"] if one["where"] == MACHINE}
    assert keys == told != set()
    there = own_site.document(own_site.state.paths["/resource"])["signals"]["cwpp"]
    assert {one["key"] for one in there if words in [state["words"] for state in one["states"]]} == keys
    for path in ("/alerts", own_site.state.paths["/resource"]):
        assert words in text_of(own_site.get(path).text)
    page = text_of(own_site.get(f"/signals/{min(keys)}").text)
    assert f"{silence['name']} by {BY}, holds what comes of it until 2026-11-24T16:00:00Z" in page
    effect = own_site.post(f"/silences/{silence['id']}/end", reason="done")
    own_site.post(f"/silences/{silence['id']}/end", **confirmed(effect))
    assert silenced() == set()
