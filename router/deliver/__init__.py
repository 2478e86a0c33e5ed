"""The one delivery engine, and all network I/O to destinations.

worker         claims, sends, settles, retries and pauses, for one destination
delivery_pass  one pass of a worker over what a pointer names
sender         one send: what it is given, how long it may take; answers, what a destination is sent back
settlements    what became of claims, kept where storage did not take it
credentials    whether a destination takes our credentials
concurrency    how many sends go side by side
isolation      what keeps a poison suspect alone
retry          backoff and chance
http, logs, tokens, files, identity, azure_transport   the ways out
"""

from router.deliver.answers import Answers
from router.deliver.isolation import Isolation
from router.deliver.sender import Sender
from router.deliver.worker import Worker

__all__ = ["Answers", "Isolation", "Sender", "Worker"]
