"""What look-ups and counts in an account promise, whoever dies, comes twice, or comes in between.

What counts say is compared with a plain count of what is on record, after each death and each meeting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count

import pytest

from router.domain.counts import Cell, RuleHits, counted, hits_in
from router.domain.decisions import Outcome
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.retention import Retention
from router.store.azure import Account, Address, AzureStore
from router.store.azure.bodies import unpacked
from router.store.azure.count_rows import is_of_worker
from router.store.azure.lookup_rows import RecordedDecision
from router.store.azure.lookups import AzureLookups
from router.store.azure.tables import Entity, Table
from router.store.codec import decode
from router.store.stored_names import RECORD_ENTRY
from tests.builders import NOW
from tests.store.acts import DAY, run
from tests.store.builders import an_entry, noise
from tests.store.interrupted import EVERY, Work, deaths, dies, meets

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
OUTCOMES = (Outcome.ROUTED, Outcome.SUPPRESSED, Outcome.REPEAT, Outcome.BELOW_FLOOR)


@pytest.fixture
def account(azure: AzureStore, address: Address) -> Iterator[Account]:
    """The account that the store is in, for who looks inside."""

    async def opened() -> Account:
        return Account(address)

    account = run(opened())
    yield account
    run(account.close())


def an_alert(number: int, origin: str = "o", *, at: datetime = NOW, **changes: object) -> RecordEntry:
    """A decision on an alert; every fifth message was not understood."""
    key = f"{origin}:{number}"
    if number % 5 == 4:
        return an_entry(key, at=at.isoformat(), **changes)
    outcome = OUTCOMES[number % 4]
    fields = {
        "stream": "cwpp",
        "kind": "alert",
        "id": f"{origin}-{number}",
        "type": f"VM_{number % 3}",
        "resource": f"/subscriptions/s/vm-{number}",
        "outcome": outcome.value,
        "suppressed_by": "scanner" if outcome is Outcome.SUPPRESSED else None,
        "signal": signal_key("cwpp", "alert", f"{origin}-{number}"),
    }
    return an_entry(key, at=at.isoformat(), **{**fields, **changes})


def a_batch(origin: str = "o", size: int = 10, at: datetime = NOW) -> list[RecordEntry]:
    """Decisions of one batch."""
    return [an_alert(number, origin, at=at) for number in range(size)]


def again(entries: Sequence[RecordEntry]) -> list[RecordEntry]:
    """The same messages decided once more, a day later: what they are now is no matter."""
    return [replace(one, at=(NOW + DAY).isoformat(), outcome=Outcome.REPEAT.value) for one in entries]


def putting(batch: Sequence[RecordEntry]) -> Work:
    """A worker that puts a batch on record."""

    async def put(store: AzureStore) -> None:
        await store.record.put_on_record(batch)

    return put


async def rows_of(account: Account, name: str) -> list[Entity]:
    """All rows of a table."""
    return [row async for row in Table(account.tables.get_table_client(name)).query("PartitionKey ge ''")]


def on_record(account: Account) -> list[RecordEntry]:
    """All that is on record, read row by row."""
    return [decode(RECORD_ENTRY, unpacked(row["body"])) for row in run(rows_of(account, "record"))]


async def swept(address: Address, now: datetime = NOW) -> None:
    """Another process adds up what is over, and is done with it."""
    store = AzureStore(Account(address))
    await store.forget(now, Retention(), (), 0)
    await store.close()


def counts_in(store: AzureStore) -> Mapping[datetime, Mapping[Cell, int]]:
    """All counts."""
    return run(store.record.read_counts(NOW - 1000 * DAY, NOW + 1000 * DAY))


def assert_agree(store: AzureStore, entries: Sequence[RecordEntry]) -> None:
    """Whether counts, hits and look-ups say what a plain count of decisions says."""
    assert counts_in(store) == counted(entries)
    hits: Mapping[str, RuleHits] = {name: one for (_, name), one in hits_in(entries).items()}
    assert run(store.record.read_hits("cwpp")) == hits
    times = sorted(datetime.fromisoformat(one.at) for one in entries)
    found = run(store.record.decisions_between(times[0], times[-1] + INSTANT, 10_000))
    assert Counter(one.key for one in found) == Counter(one.key for one in entries)


@EVERY
@pytest.mark.parametrize("later", [list, again], ids=["as it was", "decided otherwise"])
def test_a_worker_that_dies_at_any_write_of_a_batch_leaves_it_to_be_counted_once(
    azure: AzureStore,
    address: Address,
    account: Account,
    every: int,
    later: Callable[[list[RecordEntry]], list[RecordEntry]],
) -> None:
    """Whoever takes the batch in once more completes it; what was put on record first is what counts."""
    for at, is_after in deaths(every):
        batch = a_batch(f"{at}{is_after}")
        died = run(dies(address, putting(batch), at, is_after=is_after))
        run(azure.record.put_on_record(later(batch)))
        assert_agree(azure, on_record(account))
        for one in batch[:2]:
            assert [found.key for found in run(azure.record.decisions_of(str(one.signal), 5))] == [one.key]
        if not died:
            break
    assert at > 3


def test_of_two_workers_that_take_a_decision_for_new_one_counts_it(azure: AzureStore, account: Account) -> None:
    """Both put it on record at once, and one of them did not hear that it came second."""
    batch = a_batch()
    run(azure.record.put_on_record(batch))
    late = AzureLookups(Table(account.tables.get_table_client("lookups")))
    run(late.enter([RecordedDecision(one) for one in [*batch, an_alert(77)]], are_new=True))
    assert counts_in(azure) == counted([*batch, an_alert(77)])


@EVERY
def test_a_worker_that_meets_another_at_any_write_counts_nothing_twice(
    azure: AzureStore, address: Address, account: Account, every: int
) -> None:
    """The same batch, taken in by two at once, and overlapping ones."""
    for at in count(1, every):
        batch, other = a_batch(f"{at}", 10), a_batch(f"{at}", 15)[5:]
        met = run(
            meets(
                address,
                putting(batch),
                at,
                partial(azure.record.put_on_record, again(other)),
            )
        )
        assert_agree(azure, on_record(account))
        if not met:
            break
    assert at > 3


@EVERY
def test_a_worker_goes_on_counting_where_a_sweep_added_up_meanwhile(
    azure: AzureStore, address: Address, account: Account, every: int
) -> None:
    """Its own row is gone under its hands: it counts in another one."""
    old = NOW - 5 * HOUR

    async def work(store: AzureStore) -> None:
        for number in range(3):
            await store.record.put_on_record(a_batch(f"{at}.{number}", 10, old))

    for at in count(1, every):
        met = run(meets(address, work, at, lambda: swept(address)))
        assert_agree(azure, on_record(account))
        if not met:
            break
    assert at > 6


def counted_rows(account: Account) -> list[bool]:
    """Of each row of counts whether it is one worker's."""
    rows = run(rows_of(account, "lookups"))
    return [is_of_worker(row["RowKey"]) for row in rows if row["RowKey"].startswith("c:")]


def put_by_workers(address: Address, origin: str, at: datetime, many: int = 2) -> None:
    """Some workers put decisions of one hour on record."""

    async def put(number: int) -> None:
        store = AzureStore(Account(address))
        await store.record.put_on_record(a_batch(f"{origin}.{number}", 10, at))
        await store.close()

    for number in range(many):
        run(put(number))


@EVERY
def test_a_sweep_that_dies_at_any_write_adds_up_nothing_twice(
    azure: AzureStore, address: Address, account: Account, every: int
) -> None:
    """The sums and what was added up change places at once; the next sweep does the rest."""
    for hours, (at, is_after) in enumerate(deaths(every), start=1):
        put_by_workers(address, f"{at}{is_after}", NOW - hours * HOUR - 2 * HOUR)
        died = run(dies(address, sweep, at, is_after=is_after))
        assert_agree(azure, on_record(account))
        run(swept(address))
        assert not any(counted_rows(account))
        assert_agree(azure, on_record(account))
        if not died:
            break
    assert at > 3


async def sweep(store: AzureStore) -> None:
    """Adds up what is over."""
    await store.forget(NOW, Retention(), (), 0)


@EVERY
def test_two_sweeps_that_meet_add_up_nothing_twice(
    azure: AzureStore, address: Address, account: Account, every: int
) -> None:
    """Whoever comes second finds that it is done."""
    for at in count(1, every):
        put_by_workers(address, f"{at}", NOW - at * HOUR - 2 * HOUR)
        met = run(meets(address, sweep, at, lambda: swept(address)))
        assert_agree(azure, on_record(account))
        if not met or at > 8:
            break


def test_the_hour_that_is_not_over_is_left_to_its_workers(
    azure: AzureStore, address: Address, account: Account
) -> None:
    """And so is the one before, for an hour; both sides of the instant."""
    put_by_workers(address, "o", NOW, many=1)
    run(swept(address, NOW + 2 * HOUR - INSTANT))
    assert all(counted_rows(account))
    run(swept(address, NOW + 2 * HOUR))
    assert not any(counted_rows(account))


def test_an_hour_with_more_cells_than_a_row_holds_goes_on_in_another(
    azure: AzureStore, address: Address, account: Account
) -> None:
    """Whatever messages call themselves; and so do its sums."""
    numbers = iter(range(10_000))

    def words() -> str:
        return "".join(chr(0x4E00 + one * 79) for one in noise(200 + next(numbers))[:200])

    batches = [
        [an_alert(5 * n, f"o{b}", type=words(), plan=words(), id=f"i{b}-{n}") for n in range(100)] for b in range(5)
    ]
    for batch in batches:
        run(azure.record.put_on_record(batch))
    assert len(counted_rows(account)) > 4
    counts = counted([one for batch in batches for one in batch])
    assert counts_in(azure) == counts
    for _ in range(5):
        run(swept(address, NOW + DAY))
    assert not any(counted_rows(account))
    assert len(counted_rows(account)) > 4
    assert counts_in(azure) == counts


def test_more_rules_than_a_transaction_has_room_for_are_added_up(
    azure: AzureStore, address: Address, account: Account
) -> None:
    """Each with all of its hits."""
    run(
        azure.record.put_on_record(
            [
                an_alert(5 * n + 1, "o", outcome=Outcome.SUPPRESSED.value, suppressed_by=f"rule-{n % 150}", signal="s")
                for n in range(200)
            ]
        )
    )
    assert len(run(azure.record.read_hits("cwpp"))) == 150
    for _ in range(5):
        run(swept(address, NOW + DAY))
    assert not any(counted_rows(account))
    assert_agree(azure, on_record(account))


ODD = [
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-1",
    "a\\b#c?d/e%f",
    "\x01\x7f\t control",
    "it's 'quoted'",
    "straße/ÅÄÖ/日本",
    "~tilde:and;colon!mark",
    "x" * 900 + "/end",
]


@pytest.mark.parametrize("text", ODD)
def test_whatever_an_id_or_a_resource_says_it_is_found_by_it_and_by_its_end(azure: AzureStore, text: str) -> None:
    """Keys take not every character and not every length."""
    entry = an_alert(0, id=text, resource=f"{text}/r")
    others = [an_alert(5, id=f"{text[::-1]}z", resource="other"), an_alert(10, id="z", resource=None)]
    run(azure.record.put_on_record([entry, *others]))
    for found in (
        run(azure.record.find_signals(text, 10)),
        run(azure.record.find_signals(text[len(text) // 2 :], 10)),
        run(azure.record.find_signals_at(f"{text}/R", 10)),
        run(azure.record.find_signals_at(f"{text[-3:]}/r", 10)),
    ):
        assert [one.signal for one in found] == [entry.signal]
        assert (found[0].id, found[0].resource) == (text.lower(), f"{text}/r".lower())


def test_of_two_long_texts_that_end_alike_each_is_found_by_the_whole(azure: AzureStore) -> None:
    """A key has only so much of them."""
    ids = [f"{letter}{'/x' * 600}" for letter in "ab"]
    batch = [an_alert(5 * number, id=id, signal=f"s{number}") for number, id in enumerate(ids)]
    run(azure.record.put_on_record(batch))
    for number, id in enumerate(ids):
        assert [one.signal for one in run(azure.record.find_signals(id, 10))] == [f"s{number}"]
    assert len(run(azure.record.find_signals("/x/x", 10))) == 2
