"""Room 3, the shell: sending, retry, dead letters. The only network I/O to destinations happens here."""

from router.deliver.answers import Answers
from router.deliver.carrier import Carrier
from router.deliver.deliverer import Deliverer
from router.deliver.lanes import deliver_due
from router.deliver.sending import Sending

__all__ = ["Answers", "Carrier", "Deliverer", "Sending", "deliver_due"]
