"""Takes in what an event hub holds: each event once, whatever dies meanwhile.

Before a batch is touched, its numbers are marked as being tried by this process, and only when all of it is in storage are
they written down as taken. Marks that others left say who died of it: what three processes did not survive is taken one
event at a time, and the one that kills is kept unread.

    taking   a batch of one partition      company  who takes in beside it
    eras     which hub its numbers are of  fates    what marks say of its events
"""

from router.taking.company import Company
from router.taking.eras import begin_anew, top_of
from router.taking.taking import Taking

__all__ = ["Company", "Taking", "begin_anew", "top_of"]
