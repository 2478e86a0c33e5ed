"""The outbox: deliveries in one table, and pointers to them in queues.

places      where a delivery lies, and how a pointer says so
stages      how far it has come, and what takes it from one stage to the next
turns       the order of a signal's deliveries, and what each event makes of them; pure
deliveries  the rows, read and moved          registry      which destinations there are
queues      one queue                         pointers      what is sent to all of them
claims      claiming                          settling      writing down what became of claims
in_hand     what this process has claimed     pauses        who refuses our credentials
sweeping    what runs on a clock              dead_letters  what was given up on
figures     what is owed, sent and dead       retention     what need not be kept
outbox      all of it
"""

from router.store.azure.outbox.outbox import AzureOutbox

__all__ = ["AzureOutbox"]
