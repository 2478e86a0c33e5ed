"""What runs once a day runs again once the clock is right."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from router.domain.catalogue import Catalogue
from router.domain.signals import Stream
from router.intake import Intake
from router.store.azure_storage import Account, Address, AzureStore
from router.taking import Taking
from router.watch import HoleFiller, Sweeper
from router.watch.sweeping import PURGE, PURGED
from tests.builders import NOW, a_rulebook
from tests.hubs import Shelf
from tests.stack.azurite import Azurite


def test_retention_is_seen_to_once_a_day_whatever_a_wrong_clock_wrote(azurite: Azurite) -> None:
    """Not before a day is over; and not only when the day comes that such a clock showed."""

    async def swept() -> list[datetime | None]:
        store = AzureStore(Account(Address(azurite.new_account())))
        await store.prepare()
        book = a_rulebook()
        intake = Intake(store, {Stream.CWPP: book}, Catalogue(), Stream.CWPP)
        filler = HoleFiller(Shelf(), store.journal, Taking(intake, store.journal, "sweep"))
        sweeper = Sweeper(store, store.outbox, book, intake, filler, named=["tickets"])
        seen = []
        for now in (NOW + timedelta(days=400), NOW, NOW + PURGE / 2, NOW + PURGE):
            await sweeper.sweep(now)
            seen.append(await store.journal.swept(f"{PURGED}.cwpp"))
        await store.close()
        return seen

    assert asyncio.run(swept()) == [NOW + timedelta(days=400), NOW, NOW, NOW + PURGE]
