"""The node around its replicas: arrivals, request trees, routing, and what follows when a node ends.

Shared by both engines.  A replica offers ``submit``, ``cancel`` and ``outstanding``; it calls `finished`
at a step boundary and leaves every decision about tasks to this module.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Protocol

from simpy import Environment, Event

from simulator.attention.budgets import own_budget
from simulator.engine.recorder import Recorder
from simulator.engine.records import RunRecords, SequenceState
from simulator.engine.sequence import Sequence, TaskRun
from simulator.errors import InfeasiblePlanError
from simulator.kvcache import KvCapacity
from simulator.kvcache.cache import OF_TASKS, PartKey
from simulator.rng import Streams
from simulator.scenario.schema import Scenario
from simulator.scheduling import SequenceView
from simulator.units import to_ns
from workloads.strategies.protocol import CONTINUE
from workloads.task import SharedPrefix, Task
from workloads.tree import NodeRequest, NodeState, RequestTree
from workloads.verifier import Verifier

ARRIVING = -1
"""Value of `ServingNode.turn` while arrivals are handled: every boundary of this time is still to come."""


class Replica(Protocol):
    """What the node asks of a replica, in either engine."""

    index: int

    @property
    def outstanding(self) -> int:
        """Sequences waiting or running here."""
        ...

    def holds_task(self, task: int) -> bool:
        """Say whether sequences of `task` are waiting or running here."""
        ...

    def submit(self, sequence: Sequence) -> None:
        """Put a sequence into the queue."""
        ...

    def cancel(self, sequence: Sequence) -> None:
        """Stop a sequence: at once if it waits, at the next step boundary if it runs."""
        ...

    def forget(self, task: int) -> None:
        """Drop what is cached of an ended task."""
        ...

    def settle(self, horizon_ns: int) -> None:
        """Take account of the steps that ended before `horizon_ns`, where the run was cut."""
        ...


class ServingNode:
    """Arrivals, trees and routing of one run.

    Parameters
    ----------
    scenario : what is simulated; its `variants` are ignored.
    seed : root of the random numbers.
    capacity : KV blocks of each replica.
    on_task_end : called with the number of tasks that have ended, for progress.
    token_times : record what the time of every token follows from.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int,
        capacity: KvCapacity,
        on_task_end: Callable[[int], None] | None = None,
        token_times: bool = False,
    ) -> None:
        self.env = Environment(initial_time=0)
        self.scenario = scenario
        self.capacity = capacity
        self.streams = Streams(seed)
        self.recorder = Recorder(scenario.parallelism.dp, token_times=token_times)
        self.replicas: list[Replica] = []
        self.turn = ARRIVING
        self._workload = scenario.workload
        self._strategy = strategy = scenario.workload.strategy
        self._replaces_tasks = scenario.workload.arrivals.concurrency is not None
        self._pause_ns = to_ns(scenario.workload.arrivals.think_time_s)
        # Bound once, like the replicas' models: a pydantic attribute takes ten times as long as a plain one.
        self._on_finish, self._solved = strategy.on_finish, strategy.solved
        self._route = scenario.engine.router.route
        self._max_tokens = scenario.workload.max_tokens
        self._predictor = scenario.workload.length_prediction
        self._draws = scenario.workload.draws(self.streams, own_budget(scenario.model.attention))
        self._outcome = self._draws.outcome
        shares = scenario.engine.kv.prefix_sharing and scenario.workload.shares_prompts
        self._shares_prompt = shares
        self._reads_prefix_once = shares and scenario.model.attention.reads_prefix_once
        self._tasks: Iterator[Task] = iter(())
        self._submitted = self._arrived = self._ended = 0
        self._open_runs: dict[int, TaskRun] = {}
        # Cancelled sequences in the step they still have to finish; their task may have ended already.
        self._leaving: dict[int, Sequence] = {}
        self._verifier = scenario.workload.verifier
        # Numbers of sequences that have ended and whose verdict is still to come.
        self._judging: set[int] = set()
        self._on_task_end = on_task_end

    def run(self, replicas: Iterable[Replica]) -> RunRecords:
        """Simulate to the end, or to the horizon, and return the records."""
        self.replicas = list(replicas)
        self._tasks = self._workload.tasks_iter(self.streams)
        self.env.process(self._arrivals())
        horizon_s = self.scenario.report.horizon_s
        horizon_ns = None
        if horizon_s is None:
            self.env.run()
        else:
            horizon_ns = max(1, to_ns(horizon_s))
            self.env.run(until=horizon_ns)
            for replica in self.replicas:
                replica.settle(horizon_ns)
        return self._close(horizon_ns)

    def _close(self, horizon_ns: int | None) -> RunRecords:
        for run in self._open_runs.values():
            for sequence in run.sequences:
                if sequence.state in (SequenceState.WAITING, SequenceState.RUNNING):
                    self.recorder.trial(sequence, -1)
            self.recorder.task(run, -1, solved=False)
        for sequence in self._leaving.values():
            if sequence.run.ended:
                self.recorder.trial(sequence, -1)
        return self.recorder.finish(
            horizon_ns=horizon_ns,
            pending_tasks=self._workload.count - self._arrived,
        )

    # -- arrivals

    def _arrivals(self) -> Generator[Event, None, None]:
        times_ns = [to_ns(t) for t in self._workload.arrival_times_s(self.streams)]
        concurrency = self._workload.arrivals.concurrency
        if concurrency is not None:
            times_ns = times_ns[:concurrency]
        for time_ns in times_ns:
            if time_ns > self.env.now:
                yield self.env.timeout(time_ns - self.env.now)
            self.turn = ARRIVING
            self._start_next_task()

    def _start_next_task(self, _event: Event | None = None) -> None:
        task = next(self._tasks, None)
        if task is None:
            return
        run = TaskRun(task, int(self.env.now), RequestTree(task))
        self._arrived += 1
        self._open_runs[task.index] = run
        self._request(run, self._workload.first_requests(task, self._draws))

    def _replace_task(self) -> None:
        """Start the successor of a task that has ended, in a closed loop."""
        if not self._replaces_tasks:
            return
        if not self._pause_ns:
            self._start_next_task()
            return
        pause = self.env.timeout(self._pause_ns)
        pause.callbacks.append(self._after_pause)

    def _after_pause(self, _event: Event) -> None:
        self.turn = ARRIVING
        self._start_next_task()

    # -- request trees

    def _request(self, run: TaskRun, requests: Iterable[NodeRequest]) -> None:
        for request in requests:
            delay_ns = to_ns(request.delay_s) if request.delay_s else 0
            if delay_ns:
                run.tree.expect(1)
                pause = self.env.timeout(delay_ns)
                pause.callbacks.append(partial(self._after_tool, run, request))
            else:
                self._submit(run, request)

    def _after_tool(self, run: TaskRun, request: NodeRequest, _event: Event) -> None:
        """Send a request whose tool has run; as for arrivals, all boundaries of this time are to come."""
        self.turn = ARRIVING
        run.tree.expect(-1)
        self._submit(run, request)

    def _submit(self, run: TaskRun, request: NodeRequest) -> None:
        sequence = self._sequence(run, request)
        run.sequences.append(sequence)
        index = self._route(number=sequence.view.number, task=run.task.index, replicas=self.replicas)
        sequence.replica = index
        self.replicas[index].submit(sequence)

    def _sequence(self, run: TaskRun, request: NodeRequest) -> Sequence:
        node = run.tree.add(request, max_tokens=self._max_tokens)
        outcome = self._outcome(run.tree, node)
        task = run.task
        predictor = self._predictor
        predicted = (
            0
            if predictor is None
            else predictor.predicted_tokens(self.streams, task, node.index, outcome.output_tokens)
        )
        view = SequenceView(
            number=self._submitted,
            task=task.index,
            task_arrival_ns=run.arrival_ns,
            submitted_ns=int(self.env.now),
            prompt_tokens=node.prompt_tokens,
            max_tokens=node.max_tokens,
            priority=task.priority,
            predicted_tokens=predicted,
        )
        self._submitted += 1
        chain: tuple[tuple[PartKey, int], ...] = ()
        keep = None
        if self._shares_prompt:
            chain = self._chain(run, request)
            keep = (task.index, node.index) if request.keep_kv else None
        prefix: list[tuple[PartKey, int]] = []
        if self._reads_prefix_once:
            start = 0
            for key, end in chain:
                prefix.append((key, end - start))
                start = end
        sequence = Sequence(view, run, node, outcome, chain, prefix, keep)
        self._check_fits(sequence)
        return sequence

    def _chain(self, run: TaskRun, request: NodeRequest) -> tuple[tuple[PartKey, int], ...]:
        task = run.task
        if request.parent is None:
            shared = _shared_chain(task.prefix)
            if shared and shared[-1][1] == task.prompt_tokens:
                return shared
            return (*shared, ((task.index, -1), task.prompt_tokens))
        parent = run.sequences[request.parent]
        prompt_tokens = request.prompt_tokens
        if prompt_tokens is not None and prompt_tokens < parent.known_tokens:
            # Its recorded prompt leaves out some of its parent's text.  Which, only its blocks can tell.
            if request.prefix:
                return _shared_chain(request.prefix)
            return tuple((key, end) for key, end in parent.chain if end <= prompt_tokens)
        if parent.keep is None:
            return tuple(parent.chain)
        return (*parent.chain, (parent.keep, parent.known_tokens - 1))

    def _check_fits(self, sequence: Sequence) -> None:
        capacity = self.capacity
        need = -(-sequence.longest_kv_tokens // capacity.block_tokens)
        if need > capacity.blocks:
            view = sequence.view
            message = (
                f"task {view.task}: a context of {sequence.longest_kv_tokens} tokens needs {need} KV blocks "
                f"of {capacity.block_tokens} tokens, a replica has {capacity.blocks}: {capacity.describe()}"
            )
            raise InfeasiblePlanError(message)

    def finished(self, sequences: list[Sequence], *, judged: bool = False) -> None:
        """Record sequences that reached their end at a boundary, and act on each in turn when it is judged.

        Parameters
        ----------
        sequences : that have ended.
        judged : they are recorded already, and their verdicts are there now.
        """
        if not judged:
            now = int(self.env.now)
            for sequence in sequences:
                node, outcome = sequence.node, sequence.outcome
                node.generated_tokens = sequence.view.generated_tokens
                node.truncated, node.correct = outcome.truncated, outcome.correct
                node.answer, node.score = outcome.answer, outcome.score
                self.recorder.trial(sequence, now)
            if self._verifier is not None:
                sequences = self._judged_at_once(sequences, self._verifier)
        for sequence in sequences:
            node, run = sequence.node, sequence.run
            run.tree.close(node, NodeState.FINISHED)
            decision = self._on_finish(run.tree, node)
            if decision is not CONTINUE:
                for index in decision.cancel:
                    self._cancel(run.sequences[index])
                self._request(run, decision.requests)
            if not run.tree.open_nodes:
                self._end_if_done(run)

    def _judged_at_once(self, sequences: Iterable[Sequence], verifier: Verifier) -> list[Sequence]:
        """Ask for verdicts; return the sequences whose verdict takes no time."""
        at_once = []
        for sequence in sequences:
            node = sequence.node
            delay_ns = to_ns(verifier.verdict_s(node.prompt_tokens + node.generated_tokens))
            if delay_ns:
                self._judging.add(sequence.view.number)
                verdict = self.env.timeout(delay_ns)
                verdict.callbacks.append(partial(self._after_verdict, sequence))
            else:
                at_once.append(sequence)
        return at_once

    def _after_verdict(self, sequence: Sequence, _event: Event) -> None:
        """Act on a trial that was judged; as for arrivals, all boundaries of this time are to come."""
        if sequence.view.number in self._judging:  # else it was given up meanwhile
            self._judging.remove(sequence.view.number)
            self.turn = ARRIVING
            self.finished([sequence], judged=True)

    def _cancel(self, sequence: Sequence) -> None:
        if sequence.view.number in self._judging:
            self._judging.remove(sequence.view.number)
            sequence.run.tree.close(sequence.node, NodeState.CANCELLED)
            return
        if sequence.cancelled or sequence.state not in (SequenceState.WAITING, SequenceState.RUNNING):
            return
        sequence.cancelled = True
        sequence.run.tree.close(sequence.node, NodeState.CANCELLED)
        self._leaving[sequence.view.number] = sequence
        self.replicas[sequence.replica].cancel(sequence)

    def cancelled(self, sequence: Sequence) -> None:
        """Record that a cancelled sequence has left its replica."""
        sequence.state = SequenceState.CANCELLED
        del self._leaving[sequence.view.number]
        sequence.node.generated_tokens = sequence.view.generated_tokens
        self.recorder.trial(sequence, int(self.env.now))

    def _end_if_done(self, run: TaskRun) -> None:
        if run.ended or run.tree.open_nodes:
            return
        run.ended = True
        del self._open_runs[run.task.index]
        self._ended += 1
        self.recorder.task(run, int(self.env.now), solved=self._solved(run.tree))
        if self._shares_prompt:
            for replica in self.replicas:
                replica.forget(run.task.index)
        # Sequences know their run: without this, only the cycle collector could free an ended task.
        run.sequences.clear()
        if self._on_task_end is not None:
            self._on_task_end(self._ended)
        self._replace_task()


def _shared_chain(prefix: SharedPrefix) -> tuple[tuple[PartKey, int], ...]:
    """Return the parts of a prompt that others begin with too."""
    return tuple(((OF_TASKS, segment), end) for segment, end in prefix)


class TaskCounts:
    """How many sequences of each task a replica serves."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, task: int, change: int) -> None:
        """Change the count of `task`."""
        count = self._counts.get(task, 0) + change
        if count:
            self._counts[task] = count
        else:
            del self._counts[task]

    def holds(self, task: int) -> bool:
        """Say whether any sequence of `task` is served."""
        return task in self._counts
