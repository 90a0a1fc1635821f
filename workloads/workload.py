"""A workload: tasks, their arrivals, their hidden lengths and outcomes, and how trials are spent.

Everything random is a function of (seed, task, node): the number of trials of one variant never
moves the luck of another (common random numbers).

How a node's length and outcome are drawn stands in `workloads.draws`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializeAsAny, model_validator

from simulator.frozen import CountOrZero, FrozenModel, Tokens
from simulator.rng import Streams
from workloads.arrivals import Arrivals, TraceArrivals
from workloads.arrivals.trace import Recorded as RecordedTasks
from workloads.budget_loss import BudgetLoss
from workloads.draws import OutcomeDraws
from workloads.length_prediction import LengthPrediction
from workloads.lengths import Lengths
from workloads.lengths.protocol import LARGEST_U
from workloads.outcome import NodeOutcome
from workloads.outcomes import Outcomes
from workloads.strategies import AnyStrategy, Oracle, Recorded
from workloads.task import SharedPrefix, Task
from workloads.tasks import TaskSet
from workloads.tree import NodeRequest
from workloads.verifier import Verifier


class Workload(FrozenModel):
    """What users ask of the server."""

    tasks: TaskSet = Field(description="[-] Problems to be solved.")
    arrivals: Arrivals = Field(description="[-] When they arrive.")
    lengths: Lengths = Field(description="[-] How long a trial is, before the cap.")
    outcomes: Outcomes = Field(description="[-] How hard tasks are and what wrong answers look like.")
    strategy: SerializeAsAny[AnyStrategy] = Field(description="[-] How the trials of a task are spent.")
    max_tokens: Tokens = Field(
        default=32_768,
        description="[tokens] Cap on the output of a whole solution; a node has its share of it.",
    )
    shared_prefix_tokens: CountOrZero = Field(
        default=0,
        description="[tokens] Beginning, say a system prompt, that all longer prompts share.",
    )
    priorities: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = Field(
        default=(0,), description="[-] Priorities given to the tasks in turn; larger is more urgent."
    )

    length_prediction: LengthPrediction | None = Field(
        default=None, description="[-] Outside predictor of output lengths, for schedulers that read one."
    )

    budget_loss: BudgetLoss | None = Field(
        default=None,
        description="[-] Correct trials that a small KV budget loses, assumed; null: budgets cost none.",
    )

    verifier: Verifier | None = Field(
        default=None,
        description="[-] What judging a finished trial takes; null: neither time nor money.",
    )

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        self.check_parts()
        return self

    def check_parts(self) -> None:
        """Refuse parts that do not go together; called for every workload that is made.

        Raises
        ------
        ValueError
            Says which parts, and what is allowed.
        """
        most_tasks = self.arrivals.most_tasks
        if most_tasks is not None and most_tasks < self.count:
            msg = f"{self.count} tasks, but only {most_tasks} of them are recorded in arrivals"
            raise ValueError(msg)
        arrivals = self.arrivals
        if self.shared_prefix_tokens and self._recorded_prefixes:
            msg = (
                f"shared_prefix_tokens is {self.shared_prefix_tokens}, but arrivals record which prompts "
                "begin alike: leave it out"
            )
            raise ValueError(msg)
        if isinstance(arrivals, TraceArrivals) and not isinstance(self.strategy, Recorded):
            turns = arrivals.table.follow_ups
            if turns is not None:
                msg = (
                    f"{len(turns.tasks)} recorded requests wait for others to end, and strategy "
                    f"{self.strategy.kind} does not send them; allowed: recorded"
                )
                raise ValueError(msg)

    @property
    def _recorded_prefixes(self) -> bool:
        return isinstance(self.arrivals, TraceArrivals) and self.arrivals.table.prefixes is not None

    @property
    def shares_prompts(self) -> bool:
        """Whether some requests begin with the same tokens: trials of a task, or prompts of several tasks."""
        return self.strategy.shares_prompt or self.shared_prefix_tokens > 0 or self._recorded_prefixes

    @property
    def count(self) -> int:
        """Tasks in the run."""
        return self.tasks.task_count

    def arrival_times_s(self, streams: Streams) -> NDArray[np.float64]:
        """Return when each task arrives, shape (count,), s, never decreasing."""
        return self.arrivals.times_s(self.count, streams)

    def tasks_iter(self, streams: Streams) -> Iterator[Task]:
        """Yield the tasks in the order of their arrival.

        Only the two arrays behind them are held (16 bytes a task), so a million tasks are no burden.
        """
        recorded = self.recorded(streams)
        prompts: Sequence[int] | NDArray[np.int64] | None = recorded.prompt_tokens
        if prompts is None:
            prompts = self.tasks.prompt_lengths_tokens(streams)
        followed = recorded.turns
        chances = self.outcomes.solve_probabilities(self.count, streams)
        priorities, turns = self.priorities, len(self.priorities)
        for index in range(self.count):
            prompt = int(prompts[index])
            after = () if followed is None else followed[index]
            shared = self._common if prompt > self.shared_prefix_tokens else ()
            if recorded.prefixes is not None:
                shared = recorded.prefixes[index]
            yield Task(index, prompt, float(chances[index]), priorities[index % turns], after, shared)

    @cached_property
    def _common(self) -> SharedPrefix:
        """Segment of all prompts that are longer than what they share."""
        return ((0, self.shared_prefix_tokens),) if self.shared_prefix_tokens else ()

    def recorded(self, streams: Streams) -> RecordedTasks:
        """Return what is recorded of the tasks of a run with these random numbers."""
        arrivals = self.arrivals
        if isinstance(arrivals, TraceArrivals):
            return arrivals.recorded(streams)
        return RecordedTasks(arrivals.recorded_prompt_tokens, arrivals.recorded_output_tokens)

    def draws(self, streams: Streams, kv_budget_tokens: int | None = None) -> OutcomeDraws:
        """Return the hidden lengths and outcomes of the run with these random numbers.

        Parameters
        ----------
        streams : the run's random numbers.
        kv_budget_tokens : KV budget of the scenario's attention, tokens; None attends to all keys.
        """
        return OutcomeDraws(self, streams, kv_budget_tokens)

    def first_requests(self, task: Task, draws: OutcomeDraws) -> Sequence[NodeRequest]:
        """Return the nodes that `task` starts with; an oracle alone may look at its outcomes."""
        strategy = self.strategy
        if not isinstance(strategy, Oracle):
            return strategy.start()

        def outcome(number: int, budget_tokens: int | None) -> NodeOutcome:
            request = NodeRequest(kv_budget_tokens=budget_tokens)
            return draws.trial(task, request, number=number, max_tokens=self.max_tokens)

        return strategy.plan(outcome)

    def max_context_tokens(self) -> int:
        """Return an upper bound of prompt and outputs along any path of any task, tokens.

        The smaller of what the cap allows and what the lengths can give; for feasibility checks.
        """
        prompts, outputs = self.arrivals.recorded_prompt_tokens, self.arrivals.recorded_output_tokens
        longest_prompt = self.tasks.longest_prompt_tokens if prompts is None else max(prompts)
        if outputs is None:
            extremes = (Task(0, 1, 0.0), Task(0, 1, 1.0))
            longest_output = max(self.lengths.quantile(LARGEST_U, task) for task in extremes)
        else:
            longest_output = max(outputs)
        if isinstance(self.strategy, Recorded):  # prompts are recorded, and repeat the outputs before them
            turn = self.arrivals.longest_turn_tokens if isinstance(self.arrivals, TraceArrivals) else 0
            return max(longest_prompt + min(self.max_tokens, longest_output), turn)
        deepest = self.strategy.max_depth
        # Shares along a path sum to at most 1; each part is rounded up to a whole token.
        return longest_prompt + min(self.max_tokens, longest_output) + deepest
