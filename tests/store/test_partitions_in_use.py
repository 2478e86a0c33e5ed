"""Which partitions of look-ups an account is asked about."""

from __future__ import annotations

from router.store.azure import Account, Address, AzureStore
from router.store.azure.lookup_rows import PARTITIONS
from router.store.azure.partitions_in_use import PartitionsInUse
from router.store.azure.tables import Step, Table
from tests.store.acts import run


def test_every_partition_in_use_is_found_also_one_that_somebody_began_since(
    azure: AzureStore, address: Address
) -> None:
    """None in an empty account; neighbours, the first, the last, and what was written after somebody looked."""

    async def looked() -> list[list[str]]:
        account = Account(address)
        table = Table(account.tables.get_table_client("lookups"))
        in_use, found = PartitionsInUse(table), []
        for partitions in ([], PARTITIONS[1:3], PARTITIONS[-1:], PARTITIONS[:1], PARTITIONS):
            await table.write([(Step("put", {"PartitionKey": one, "RowKey": "t:x"}),) for one in partitions])
            found.append(await in_use.all())
        await account.close()
        return found

    begun = {*PARTITIONS[1:3]}, {*PARTITIONS[1:3], PARTITIONS[-1]}, {*PARTITIONS[:3], PARTITIONS[-1]}, set(PARTITIONS)
    assert run(looked()) == [[], *([one for one in PARTITIONS if one in some] for some in begun)]
