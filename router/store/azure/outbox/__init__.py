"""The outbox in the account: deliveries in one table, and pointers to them in queues.

locations        where a delivery lies, and how a pointer says so
entry_rows    how far it has come, as its rows have it   deliveries  the rows, read and moved
mending       rows that cannot be decoded                dead_letter_lookup   finding dead letters
registry      which destinations there are               reached     who ever took a delivery
queues        one queue                                  pointers    what is sent to all of them
outbox_table  all that `store/outbox` asks for           pauses      who refuses our credentials
sweeping      pointing at what nobody points at          figures     what is owed, sent and dead
retention     what need not be kept                      outbox      all of it
"""

from router.store.azure.outbox.outbox import AzureOutbox

__all__ = ["AzureOutbox"]
