"""The one delivery engine, and all network I/O to destinations.

delivery_loop  what is due in one lane, for as long as it is asked to deliver
worker         claims, sends, settles, retries and pauses, for one destination
delivery_pass  one pass of a worker over what is due
sender         one send: what it is given, and how long it may take
background     what the state knows beside a notice, read as it is sent
conversation_runner  does what a destination asks for, and sends it the answers
settlement_writer  what became of claims, kept where the state did not take it
credentials    whether a destination takes our credentials
destination_holds  which destinations persons hold, read for a whole process, and changed by a command
concurrency    how many sends go side by side
isolation      what keeps a poison suspect alone
backoff        how long to wait before an attempt, and chance
http, logs_ingestion, tokens, files, azure_transport, loopback_credential   the ways out
"""

from router.deliver.background import BackgroundReader, NoBackground
from router.deliver.conversation_runner import ConversationRunner
from router.deliver.delivery_loop import DeliveryLoop, count_due_by_lane
from router.deliver.destination_holds import HoldReader, NoHolds
from router.deliver.isolation import Isolation
from router.deliver.sender import Sender
from router.deliver.worker import Worker

__all__ = [
    "BackgroundReader",
    "ConversationRunner",
    "DeliveryLoop",
    "HoldReader",
    "Isolation",
    "NoBackground",
    "NoHolds",
    "Sender",
    "Worker",
    "count_due_by_lane",
]
