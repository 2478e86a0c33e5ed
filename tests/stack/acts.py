"""What tests do with a stack whose workers die, step by step."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.stack.functions_host import Conditions, Death, FunctionsHost, Outcome
from tests.stack.gate import GatedStack, Matching
from tests.stack.stack import Stack


def conditions(death: Death = Death.CHECKPOINTED) -> Conditions:
    """A platform that is quick."""
    return Conditions(speed=100, death=death, restart_delay=0.05)


LANES = ("page", "ticket", "rows")


def asleep() -> dict[str, str]:
    """Settings under which nothing delivers in any lane of `cwpp`."""
    return {f"AzureWebJobs__deliver_cwpp_{lane}__Disabled": "true" for lane in LANES}


def runs(host: FunctionsHost, function: str, outcome: Outcome) -> int:
    """How many runs of a function ended so."""
    return sum(1 for run in host.invocations if run.function == function and run.outcome is outcome)


def forget_checkpoints(stack: Stack) -> None:
    """Deletes what the platform noted of how far it has read the hub `cwpp`."""
    forgotten = [key for key in stack.checkpoints if key[0] == "cwpp"]
    assert forgotten, "nothing was noted, so nothing is forgotten"
    for key in forgotten:
        del stack.checkpoints[key]


def kill(host: FunctionsHost) -> None:
    """Kills the worker at once, from any thread."""
    os.kill(host.worker_pid, signal.SIGKILL)


def has_died(host: FunctionsHost, times: int) -> bool:
    """Whether the worker died of so many batches."""
    return runs(host, "take_cwpp", Outcome.DIED) == times


@contextmanager
def state_held(stack: Stack) -> Iterator[None]:
    """A context in which nothing else writes to the state."""
    with psycopg.connect(stack.state) as connection:
        connection.execute("LOCK TABLE partitions, signals, admissions, deliveries IN EXCLUSIVE MODE")
        yield


def kill_on(stack: GatedStack, host: FunctionsHost, matching: Matching) -> set[int]:
    """Has every worker killed that makes such a request, which gets no answer; returns the workers that were."""
    killed = set[int]()

    def kill_it() -> None:
        if host.worker_pid not in killed:
            killed.add(host.worker_pid)
            kill(host)

    stack.gate.hold(matching, kill_it)
    return killed
