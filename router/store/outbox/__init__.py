"""The outbox of both stores: what it does is written once, over a table and a queue.

table         what the outbox asks of a table and its queue
claiming      claiming what is due               settling      writing down what became of claims
dead_letters  what was given up on               giving_up     what runs on a clock
bringing_forward  what a person wants tried at once
in_flight     what this process has claimed      outbox        all of it
"""

from router.store.outbox.outbox import TableOutbox
from router.store.outbox.table import Move, OutboxTable, SignalEntries

__all__ = ["Move", "OutboxTable", "SignalEntries", "TableOutbox"]
