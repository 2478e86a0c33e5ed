"""The one delivery engine, and all network I/O to destinations.

A `delivery_loop` claims, sends and settles what is due in one lane. What it knows of each stands in `destination`, and a
`sender` holds one conversation through the ways out: http, mail, logs_ingestion, tokens, azure_transport.
"""

from router.deliver.background import BackgroundReader
from router.deliver.delivery_loop import DeliveryLoop, OnSettled, count_due_by_lane
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
    "count_due_by_lane",
]
