"""The only wiring: which rules, which storage, which kinds of destination, and who may talk to whom.

rules        the rulebooks, and what reads and takes in by them
readiness    which destinations can be asked with the settings as they are
delivery     what sends to each destination, and what delivers from files
connections  the storage account and the namespace that the settings name; identity, who we are there
service      all of it over hubs and queues
clock        what tells the time
"""

from router.assembly.clock import Clock, now
from router.assembly.connections import consumers_over, namespace_for, storage_for
from router.assembly.delivery import SHARE, SLOTS, Delivery, delivery_over
from router.assembly.readiness import Readiness, readiness_of
from router.assembly.rules import (
    Rules,
    intake_over,
    load_rules,
    reader_over,
    secret_names_of,
    setting_names_of,
    specs_of,
)
from router.assembly.service import POINTERS, service_at, service_over

__all__ = [
    "POINTERS",
    "SHARE",
    "SLOTS",
    "Clock",
    "Delivery",
    "Readiness",
    "Rules",
    "consumers_over",
    "delivery_over",
    "intake_over",
    "load_rules",
    "namespace_for",
    "now",
    "reader_over",
    "readiness_of",
    "secret_names_of",
    "service_at",
    "service_over",
    "setting_names_of",
    "specs_of",
    "storage_for",
]
