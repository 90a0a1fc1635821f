"""Order of events at equal times: arrivals and cancellations first, then replicas by index.

SimPy orders events by (time, priority, insertion).  Step boundaries get a priority of their own per
replica, below that of ordinary events, so the order does not depend on when a boundary was put into
the queue: the fast engine inserts them earlier than the reference does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simpy import Environment, Event
from simpy.events import EventPriority

FIRST_REPLICA_PRIORITY: Final = 2
"""SimPy's URGENT is 0 and NORMAL, that of arrivals, is 1."""


class Boundary(Event):
    """The end of a step of one replica, `delay_ns` from now.

    Parameters
    ----------
    env : the simulation.
    delay_ns : time until the boundary, ns.
    priority : the replica's place at equal times.
    then : what to do, or None for a process that waits for the event.
    """

    def __init__(
        self,
        env: Environment,
        delay_ns: int,
        priority: EventPriority,
        then: Callable[[Event], None] | None = None,
    ) -> None:
        self.env = env
        self.callbacks = [] if then is None else [then]
        self._ok = True
        self._value = None
        env.schedule(self, priority, delay_ns)


def boundary_priority(replica: int) -> EventPriority:
    """Return the place of replica number `replica` at equal times; a lower one goes first."""
    return EventPriority(FIRST_REPLICA_PRIORITY + replica)
