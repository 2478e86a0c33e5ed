"""The one delivery engine, and all network I/O to destinations.

delivery_loop  claims, sends and settles what is due in one lane, for as long as it is asked to deliver
destination    one destination of a loop: how much may be on its way there, and when it may be asked
settlement     what the result of an attempt makes of a claim, and how long to wait before the next
sender         one send: what it is given, what is done for the destination, and how long it may take
background     what the state knows beside a notice, read as it is sent
isolation      what keeps a poison suspect alone
destination_holds  which destinations persons hold, read for a whole process, and changed by a command
http, mail, logs_ingestion, tokens, azure_transport   the ways out
"""

from router.deliver.background import BackgroundReader
from router.deliver.delivery_loop import DeliveryLoop, OnSettled, count_due_by_lane
from router.deliver.destination import Settled
from router.deliver.destination_holds import HoldReader
from router.deliver.isolation import Isolation
from router.deliver.sender import ConversationRunner, Sender

__all__ = [
    "BackgroundReader",
    "ConversationRunner",
    "DeliveryLoop",
    "HoldReader",
    "Isolation",
    "OnSettled",
    "Sender",
    "Settled",
    "count_due_by_lane",
]
