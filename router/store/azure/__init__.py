"""Everything kept in one Azure Storage account: for the router behind Functions, and for `serve`.

    account     the clients, and their faults as StoreError
    tables      rows, in transactions            bodies      what a row cannot hold
    ledger      the state of each signal         suppression_index  which of them a rule holds
    outbox      deliveries, and pointers to them in queues
    record      every decision                   quarantine  what was not understood
    journal     which sequence numbers are taken in
    store       all of it, and what retention takes away

Every table has one kind of partition. Signals, and deliveries of one destination, are spread over `SHARDS` of them by the
first digit of their key, because a partition takes 2,000 rows a second.
"""

from router.store.azure.account import Account, Address
from router.store.azure.store import AzureStore

__all__ = ["Account", "Address", "AzureStore"]
