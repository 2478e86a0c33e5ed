"""What went wrong, and what people do about it in the console: its effect first, then in the state and on record."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from router.store.changes import ChangeEntry, list_changes
from router.store.codec import micros
from router.store.documents import document_of_hold, document_of_silence, put_document
from router.store.quarantine import put_in_quarantine
from router.store.store import Store
from tests.builders import NOW, alert_body
from tests.console.sites import OWN, Site, confirmed, text_of
from tests.console.states import BY, MACHINE, RETIRED, SCRIPT
from tests.silences import HOUR, a_silence
from tests.store.acts import ask, owe, run
from tests.store.builders import a_delivery, a_hold, a_quarantined
from tests.store.opened import changed, everything_in, open_store

REASON = "told by phone"
UNDERSTOOD = a_quarantined("9a", alert_body("late", AlertDisplayName="A late alert"))
HOSTS = ("jump-lin-01", MACHINE)
VIEWS = ("/dead-letters", "/quarantine", "/destinations", "/changes?since=7d")


def within[T](site: Site, look: Callable[[Store], T]) -> T:
    """What another process finds in the state of a console, or does to it."""
    store = open_store(site.state.place, site.state.clock)
    try:
        return look(store)
    finally:
        run(store.close())


def state_in(site: Site) -> dict[str, list[bytes]]:
    """Every row of a console's state."""
    return within(site, lambda store: run(everything_in(store)))


def last_changes(site: Site, most: int) -> Sequence[ChangeEntry]:
    """The latest that people did, the latest first."""
    return within(site, lambda store: ask(store, list_changes, None, most))


def post(site: Site, path: str, /, **form: str | list[str]) -> httpx.Response:
    """What the console answers to a form, in which a name may stand several times."""
    return site.client.post(path, data=form, headers=OWN)


def added_letters(site: Site, many: int) -> list[str]:
    """More dead letters, to a destination that no rule names, which died last; their ids, the latest first."""
    letters = [a_delivery(key=f"k{number}") for number in range(many)]

    def add(store: Store) -> None:
        owe(store, *letters)
        died = "UPDATE deliveries SET state='dead', settled=?+place, error='answered 400' WHERE key LIKE 'k%'"
        run(changed(store, died, micros(NOW)))

    within(site, add)
    return [one.id for one in reversed(letters)]


def done_with(answer: httpx.Response) -> str:
    """Where a browser goes on after an action."""
    assert answer.status_code == 303, text_of(answer.text)
    return answer.headers["location"]


def words_of(answer: httpx.Response, status: int) -> str:
    """What an answer says that did nothing."""
    assert answer.status_code == status
    return text_of(answer.text)


def test_changes_say_what_a_silence_covers(site: Site) -> None:
    """Whoever comes on duty reads there which host is silent."""
    made = [one["words"] for one in site.document("/changes")["entries"] if one["code"] == "silence_made"]
    assert {
        host: any(f"(anything at a machine called {host})" in words for words in made) for host in HOSTS
    } == dict.fromkeys(HOSTS, True)


def test_looking_changes_nothing(own_site: Site) -> None:
    """Neither at pages and their JSON, nor at what an action would do, nor at an action by GET."""
    added_letters(own_site, 2)
    before = state_in(own_site)
    for path in VIEWS:
        assert own_site.get(path).status_code == 200
        own_site.document(path)
    letter, entry = own_site.document("/dead-letters")["letters"][0], own_site.document("/quarantine")["entries"][0]
    meant = {"id": [letter["id"]], "stream": "cwpp", "name": "oncall", "body": entry["id"], "reason": REASON}
    for path in ("dead-letters/redrive", "dead-letters/discard", "destinations/hold", "destinations/release"):
        assert post(own_site, f"/{path}", **meant).status_code == 200
        assert own_site.get(f"/{path}?id={letter['id']}&confirm=yes&reason=x").status_code == 405
    for path in ("quarantine/retake", "quarantine/discard", "quarantine/show"):
        assert post(own_site, f"/{path}", **(meant | {"id": [entry["id"]]})).status_code == 200
    assert state_in(own_site) == before


def test_a_dead_letter_is_sent_again(own_site: Site) -> None:
    """The page before says to where, and what it is; a reason is asked for, and nothing typed is lost."""
    letter, *others = own_site.document("/dead-letters?stream=cwpp&destination=soc-tickets")["letters"]
    words = words_of(post(own_site, "/dead-letters/redrive", id=letter["id"]), 200)
    assert f"1 to cwpp {letter['destination']}, in the ticket lane: sent within a minute" in words
    assert letter["title"] in words
    without = post(own_site, "/dead-letters/redrive", id=letter["id"], confirm="yes", reason=" ")
    assert "Reason is empty" in words_of(without, 422)
    assert letter["id"] in without.text
    done = post(own_site, "/dead-letters/redrive", id=letter["id"], confirm="yes", reason=REASON)
    assert done_with(done) == "/dead-letters?done=redriven"
    assert "Owed again: it is sent with the next round" in text_of(own_site.get("/dead-letters?done=redriven").text)
    assert own_site.document("/dead-letters?stream=cwpp&destination=soc-tickets")["letters"] == others
    (change,) = last_changes(own_site, 1)
    assert (change.action, change.subject, change.author, change.reason) == ("redriven", letter["id"], BY, REASON)
    assert change.detail["signal"] == letter["signals"][0]
    life = own_site.document(own_site.get(f"/signals/{letter['signals'][0]}").headers["location"])["timeline"]
    acts = [(one["code"], one["words"]) for one in life if one["code"] in ("redriven", "dead")]
    assert [code for code, _ in acts] == ["redriven", "dead"]
    assert acts[0][1].startswith(f"{BY} had the group's turn 1 (opened) sent to soc-tickets again: {REASON}")
    assert "the group's turn 1 (opened) to soc-tickets was given up: answered 400 (Invalid value" in acts[1][1]
    entry = own_site.document("/changes")["entries"][0]
    assert (entry["words"], entry["reason"]) == ("sent 1 dead letter to cwpp soc-tickets again", REASON)
    assert entry["links"] == [
        {"words": f"signal {letter['signals'][0][:12]}", "path": f"/signals/{letter['signals'][0]}"}
    ]


def test_what_others_did_meanwhile_is_said_and_the_rest_is_done(own_site: Site) -> None:
    """Of those that were chosen one is gone: it is said before and after, and no other letter is touched."""
    ids = added_letters(own_site, 4)
    assert [one["id"] for one in own_site.document("/dead-letters")["letters"]][:4] == ids
    assert done_with(post(own_site, "/dead-letters/discard", id=ids[0], confirm="yes", reason=REASON)).endswith(
        "=discarded"
    )
    words = words_of(post(own_site, "/dead-letters/discard", id=ids[:2]), 200)
    assert "Discard 1 dead letter?" in words
    assert "1 of what was chosen is not there any more" in words
    assert "cwpp tickets never hears of: test" in words
    both = post(own_site, "/dead-letters/discard", id=ids[:2], confirm="yes", reason=REASON)
    assert done_with(both).endswith("=some_discarded")
    again = post(own_site, "/dead-letters/discard", id=ids[:2], confirm="yes", reason=REASON)
    assert done_with(again).endswith("=gone")
    assert [one["id"] for one in own_site.document("/dead-letters")["letters"]][:2] == ids[2:]
    assert [one.subject for one in last_changes(own_site, 3)] == [ids[1], ids[0], last_changes(own_site, 3)[2].subject]
    assert "tick what is meant" in words_of(post(own_site, "/dead-letters/discard"), 422)


def test_all_dead_letters_of_a_destination_are_meant_at_once(own_site: Site) -> None:
    """Beyond the page, and only those; the page before says what becomes of what the rules do not name."""
    ids = added_letters(own_site, 60)
    others = own_site.document("/dead-letters?stream=cwpp&destination=soc-tickets")
    one = "/dead-letters?stream=cwpp&destination=tickets"
    page = own_site.document(one)
    assert (page["count"], len(page["letters"])) == (60, 50)
    assert [each["id"] for each in own_site.document(f"{one}&after={page['after']}")["letters"]] == ids[50:]
    form = {"which": "all", "stream": "cwpp", "destination": "tickets"}
    shown = post(own_site, "/dead-letters/redrive", **form)
    assert "60 to cwpp tickets: given up on again, since the rules do not name it." in words_of(shown, 200)
    assert "and 40 more" in text_of(shown.text)
    assert post(own_site, "/dead-letters/discard", **form, confirm="yes", reason=REASON).status_code == 422
    ids = re.findall(r'name="id" value="(\w+)"', post(own_site, "/dead-letters/discard", **form).text)
    done = post(own_site, "/dead-letters/discard", id=ids, confirm="yes", reason=REASON)
    assert done_with(done).endswith("=discarded")
    assert own_site.document(one)["letters"] == []
    assert own_site.document("/dead-letters")["letters"] == others["letters"]
    entry = own_site.document("/changes")["entries"][0]
    assert (entry["words"], entry["count"]) == ("discarded 60 dead letters to cwpp tickets", 60)


@pytest.mark.parametrize("path", ["dead-letters/redrive", "dead-letters/discard", "quarantine/retake"])
def test_a_run_at_work_on_the_same_directory_is_left_alone(own_site: Site, path: str) -> None:
    """What it sends at this moment could not be owed again. Nothing is changed, and nothing that was typed is lost."""
    view, name = ("/dead-letters", "letters") if path.startswith("dead") else ("/quarantine", "entries")
    within(own_site, lambda store: ask(store, put_in_quarantine, [UNDERSTOOD]))
    ids = [one["id"] for one in own_site.document(view)[name]]

    def beside(run_at_work: Store) -> None:
        run_at_work.hold()
        before = run(everything_in(run_at_work))
        answer = post(own_site, f"/{path}", id=ids, confirm="yes", reason=REASON)
        assert "another run is at work on this state" in words_of(answer, 409)
        assert REASON in answer.text
        assert run(everything_in(run_at_work)) == before

    within(own_site, beside)
    assert done_with(post(own_site, f"/{path}", id=ids, confirm="yes", reason=REASON))


def test_messages_are_taken_in_again(own_site: Site) -> None:
    """Those that are understood by now; the others stay, and the page before says why."""
    within(own_site, lambda store: ask(store, put_in_quarantine, [UNDERSTOOD]))
    ids = [one["id"] for one in own_site.document("/quarantine")["entries"]]
    words = words_of(post(own_site, "/quarantine/retake", which="page", shown=ids), 200)
    assert f"1 of {len(ids)} can be understood now" in words
    assert "9a: cwpp alert: A late alert" in words
    assert words.count("stays, it is still not understood") == len(ids) - 1
    done = post(own_site, "/quarantine/retake", id=ids, confirm="yes", reason=REASON)
    assert done_with(done) == "/quarantine?done=some_retaken"
    assert [one["id"] for one in own_site.document("/quarantine")["entries"]] == [one for one in ids if one != "9a"]
    (change,) = last_changes(own_site, 1)
    assert (change.action, change.subject, change.author, change.reason) == ("retaken", "9a", BY, REASON)
    gone = post(own_site, "/quarantine/discard", id=ids, confirm="yes", reason=REASON)
    assert done_with(gone) == "/quarantine?done=some_discarded"
    assert own_site.document("/quarantine") == {"count": 0, "entries": [], "after": None}


def test_a_raw_body_is_shown_to_who_says_why_and_that_is_on_record(own_site: Site) -> None:
    """Escaped, and nowhere else."""
    within(own_site, lambda store: ask(store, put_in_quarantine, [a_quarantined("9a", f"{SCRIPT} \u202e".encode())]))
    assert "window.taken" not in own_site.get("/quarantine").text
    assert "window.taken" not in own_site.get("/quarantine.json").text
    before = state_in(own_site)
    for form in ({}, {"confirm": "yes"}):
        assert "window.taken" not in post(own_site, "/quarantine/show", body="9a", **form).text
    assert state_in(own_site) == before
    answer = post(own_site, "/quarantine/show", body="9a", confirm="yes", reason=REASON)
    assert "&lt;script&gt;window.taken=1&lt;/script&gt; \\u202e" in answer.text
    assert "<script>window" not in answer.text
    (change,) = last_changes(own_site, 1)
    assert (change.action, change.subject, change.author, change.reason) == ("body_shown", "9a", BY, REASON)
    assert done_with(post(own_site, "/quarantine/show", body="gone", confirm="yes", reason=REASON)).endswith("=gone")


def test_a_destination_is_held_and_released(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the bounds of its lane, which are said beside the field."""
    where = {"stream": "cwpp", "name": "oncall"}

    def oncall() -> dict[str, Any]:
        return next(one for one in own_site.document("/destinations")["destinations"] if one["name"] == "oncall")

    owed = oncall()["owed"]
    words = words_of(post(own_site, "/destinations/hold", **where), 200)
    assert f"until 2026-11-24T13:00:00Z, in 1h; then all is: what is owed there now, {owed} notice" in words
    assert "While it is held it calls no person." in words
    too_long = post(own_site, "/destinations/hold", **where, **{"for": "5h"}, reason=REASON, confirm="yes")
    assert "It cannot be held for so long: a destination of the page lane is held for 4 h at most" in words_of(
        too_long, 422
    )
    assert 'value="5h"' in too_long.text and REASON in too_long.text
    nonsense = post(own_site, "/destinations/hold", **where, **{"for": "soon"}, reason=REASON, confirm="yes")
    assert "is no duration" in words_of(nonsense, 422)
    assert oncall()["held"] is None
    # Another length than was shown is shown first, and then done to the second, however long that is looked at.
    shown = confirmed(post(own_site, "/destinations/hold", **where))
    edited = post(own_site, "/destinations/hold", **{**shown, "for": "2h", "reason": REASON})
    assert "until 2026-11-24T14:00:00Z, in 2h" in words_of(edited, 200)
    assert REASON in edited.text and oncall()["held"] is None
    monkeypatch.setattr(own_site.state.clock, "now", NOW + HOUR / 4)
    done = post(own_site, "/destinations/hold", **confirmed(edited), **{"for": "2h"}, reason=REASON)
    assert done_with(done) == "/destinations?done=held"
    held = oncall()["held"]
    assert held == {
        "author": BY,
        "reason": REASON,
        "since": "2026-11-24T12:15:00Z",
        "until": "2026-11-24T14:00:00Z",
    }
    assert "It is held by" in words_of(post(own_site, "/destinations/release", **where), 200)
    assert done_with(post(own_site, "/destinations/release", **where, confirm="yes", reason="over")).endswith(
        "=released"
    )
    assert oncall()["held"] is None
    assert done_with(post(own_site, "/destinations/release", **where, confirm="yes", reason="over")).endswith("=gone")
    assert "neither held nor paused" in words_of(post(own_site, "/destinations/release", **where), 200)
    assert [(one.action, one.author, one.reason) for one in last_changes(own_site, 2)] == [
        ("released", BY, "over"),
        ("held", BY, REASON),
    ]
    assert "know that destination" in words_of(post(own_site, "/destinations/hold", stream="cspm", name="oncall"), 404)


def test_destinations_say_what_keeps_them(site: Site) -> None:
    """Each of the rules, and how it is: held, paused, owed, and when it took something last."""
    found = {(one["stream"], one["name"]): one for one in site.document("/destinations")["destinations"]}
    named = {(book.stream, name) for book in site.state.rules.books.values() for name in book.destinations}
    assert named <= found.keys()
    coverage, sentinel = found["cspm", "soc-coverage"], found["cwpp", "sentinel"]
    assert (coverage["state"], coverage["paused"]["error"], coverage["delivered"]) == ("paused", "answered 401", None)
    assert (sentinel["state"], sentinel["held"]["reason"], sentinel["owed"]) == ("held", "the workspace moves", 1)
    assert sentinel["delivered"] is not None


def test_changes_are_told_a_shift_at_a_time(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what ended by itself, to which it leads, and what came out between them; of one author without these."""
    silence, hold = a_silence("5eed01", begins=NOW - 3 * HOUR), a_hold(since=NOW - 4 * HOUR, until=NOW - 2 * HOUR)

    def end(store: Store) -> None:
        ask(store, put_document, document_of_silence(silence))
        ask(store, put_document, document_of_hold(hold))

    within(own_site, end)
    found = own_site.document("/changes")
    ended = [(one["words"], one["at"], one["reason"]) for one in found["entries"] if one["author"] is None]
    assert ended == [
        ("The silence 5eed01 (anything at a resource called vm-1) ended", "2026-11-24T11:00:00Z", "patching"),
        ("The hold of tickets ended", "2026-11-24T10:00:00Z", "it is moved"),
    ]
    assert [one["at"] for one in found["entries"]] == sorted((one["at"] for one in found["entries"]), reverse=True)
    assert set(found["authors"]) == {BY, "sam@contoso.example"}
    (one,) = own_site.document("/changes?author=sam@contoso.example")["entries"]
    assert (one["code"], one["author"]) == ("silence_made", "sam@contoso.example")
    assert words_of(own_site.get("/changes?since=1y"), 400)
    for nowhere in ("x", "9" * 5_000):
        assert words_of(own_site.get(f"/changes?before={nowhere}"), 400)
    monkeypatch.setattr(own_site.state.clock, "now", NOW + 96 * HOUR)
    entries = own_site.document("/changes?since=7d")["entries"]
    (link,) = (it for one in entries for it in one["links"] if RETIRED in it["words"])
    assert own_site.document(link["path"])["rule"]["name"] == RETIRED


@pytest.mark.parametrize("site", ["busy", "hostile"], indirect=True)
def test_each_author_that_is_offered_did_something(site: Site) -> None:
    """Also one whose name a page shows otherwise than it is on record."""
    authors = site.document("/changes")["authors"]
    found = {one: site.document(f"/changes?{urlencode({'author': one})}")["entries"] for one in authors}
    assert authors
    assert {one: {entry["author"] for entry in entries} for one, entries in found.items()} == {
        one: {one} for one in authors
    }
