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
    replica : index of the replica; a lower one goes first at equal times.
    then : what to do, or None for a process that waits for the event.
    """

    def __init__(
        self,
        env: Environment,
        delay_ns: int,
        replica: int,
        then: Callable[[Event], None] | None = None,
    ) -> None:
        super().__init__(env)
        if then is not None:
            self.callbacks.append(then)
        self._ok = True
        self._value = None
        env.schedule(self, EventPriority(FIRST_REPLICA_PRIORITY + replica), delay_ns)
