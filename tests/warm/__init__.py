"""The router as a process, without the second that Python takes to read it.

`started(...)` gives a process that was forked from one which has imported the router already. It has a memory, descriptors,
an environment and signals of its own, and may be killed. What Python itself does before it comes to the router is not what
such a process shows: tests of that, and of output that is closed or full, start an interpreter.
"""

from tests.warm.process import WarmProcess, started

__all__ = ["WarmProcess", "started"]
