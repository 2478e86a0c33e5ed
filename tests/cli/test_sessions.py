"""`sessions list|end`: who is signed in to the console, and what ends that."""

import json
from datetime import timedelta

from router.store.sessions import IDLE, LONGEST, Session, begin_session, find_session
from router.store.store import Store, Transaction
from tests.cli.house import House, over_both


def signs_in(house: House, id: str, name: str, ago: timedelta = timedelta()) -> None:
    """A person signs in to the console of a house, some time ago."""

    async def signed_in(store: Store) -> None:
        await store.upgrade()
        at = store.now() - ago
        session = Session(
            id=id, attempt=f"{id}!", name=name, subject="4711", role="Operator", since=at, seen=at, until=at + LONGEST
        )
        assert await store.run(lambda tx: begin_session(tx, session))
        assert not await store.run(lambda tx: begin_session(tx, session)), "what began it begins no other one"

    house.in_state(signed_in)


@over_both
def test_who_is_signed_in_is_listed_and_their_sessions_are_ended(house: House) -> None:
    """By as much of an id as names one; what a person wrote into their name acts on no terminal."""
    signs_in(house, "4f2a" * 16, "ana@contoso.example")
    signs_in(house, "51" * 32, "eve\x1b[31m\n")
    signs_in(house, "60" * 32, "idle", IDLE)
    listed = house.says("sessions", "list")
    assert listed.code == 0 and "\x1b" not in listed.out
    head, *lines = listed.out.splitlines()
    assert head.split() == ["id", "role", "since", "seen", "until", "who"]
    assert [line.split()[0] for line in lines] == ["4f2a4f2a4f2a", "515151515151"]
    ended = house.says("sessions", "end", "4f")
    assert ended.code == 0 and ended.out.startswith("session 4f2a4f2a4f2a of ana@contoso.example is over; it began ")
    (left,) = json.loads(house.says("sessions", "list", "--format", "json").out)
    assert (left["id"], left["role"], left["subject"]) == ("51" * 32, "Operator", "4711")
    again = house.says("sessions", "end", "4f")
    assert (again.code, again.err) == (2, "4f: is no id in the list; the list shows them\n")
    assert json.loads(house.says("sessions", "end", "5", "--format", "json").out) == left
    assert house.says("sessions", "list").out == "nobody is signed in\n"

    async def is_over(tx: Transaction) -> bool:
        return await find_session(tx, "51" * 32) is None

    assert house.in_state(lambda store: store.run(is_over))
