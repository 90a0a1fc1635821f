"""A workload: tasks, their arrivals, their hidden lengths and outcomes, and how trials are spent.

Everything random is a function of (seed, task, node): the number of trials of one variant never
moves the luck of another (common random numbers).

A node that writes a share s of a solution draws a whole length L and writes ``ceil(s * L)`` tokens, and
stays on track with chance ``p ** s`` if its parent did; parts that make up one whole solution
therefore succeed with chance p and have the mean length of a trial.  A node that its cap cuts off
is wrong and gives no answer.

Ignored: trials of one task are independent given p; a wrong trial is as long as a correct one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simulator.frozen import FrozenModel, Tokens
from simulator.rng import Streams
from workloads.arrivals import Arrivals
from workloads.length_prediction import LengthPrediction
from workloads.lengths import Lengths
from workloads.lengths.lognormal import normal_quantile
from workloads.lengths.protocol import LARGEST_U, SMALLEST_U
from workloads.outcome import CORRECT_ANSWER, NO_ANSWER, NodeOutcome
from workloads.outcomes import Outcomes
from workloads.strategies import AnyStrategy
from workloads.task import Task
from workloads.tasks import TaskSet
from workloads.tree import ROUNDING, RequestNode, RequestTree, share_of_tokens


class Workload(FrozenModel):
    """What users ask of the server."""

    tasks: TaskSet = Field(description="[-] Problems to be solved.")
    arrivals: Arrivals = Field(description="[-] When they arrive.")
    lengths: Lengths = Field(description="[-] How long a trial is, before the cap.")
    outcomes: Outcomes = Field(description="[-] How hard tasks are and what wrong answers look like.")
    strategy: AnyStrategy = Field(description="[-] How the trials of a task are spent.")
    max_tokens: Tokens = Field(
        default=32_768,
        description="[tokens] Cap on the output of a whole solution; a node has its share of it.",
    )
    priorities: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = Field(
        default=(0,), description="[-] Priorities given to the tasks in turn; larger is more urgent."
    )

    length_prediction: LengthPrediction | None = Field(
        default=None, description="[-] Outside predictor of output lengths, for schedulers that read one."
    )

    @model_validator(mode="after")
    def _trace_is_long_enough(self) -> Self:
        most_tasks = self.arrivals.most_tasks
        if most_tasks is not None and most_tasks < self.count:
            msg = f"{self.count} tasks, but the trace of arrivals has only {most_tasks} rows"
            raise ValueError(msg)
        return self

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
        recorded = self.arrivals.recorded_prompt_tokens
        prompts = self.tasks.prompt_lengths_tokens(streams) if recorded is None else recorded
        chances = self.outcomes.solve_probabilities(self.count, streams)
        priorities, turns = self.priorities, len(self.priorities)
        for index in range(self.count):
            yield Task(index, int(prompts[index]), float(chances[index]), priorities[index % turns])

    def outcome(self, streams: Streams, tree: RequestTree, node: RequestNode) -> NodeOutcome:
        """Return the hidden truth about `node`, drawn when it is requested.

        Parameters
        ----------
        streams : the run's random numbers.
        tree : the tree that `node` is in; a parent's outcome has been revealed by now.
        node : the node in question.
        """
        task, index, request = tree.task, node.index, node.request
        share = request.share_ratio
        tokens = share_of_tokens(self._whole_tokens(streams, task, index), share)
        truncated = tokens > node.max_tokens
        correct = not truncated and self._stays_on_track(streams, tree, node)
        if truncated or not (share == 1.0 or _ends_solution(tree, node)):
            answer = NO_ANSWER
        elif correct:
            answer = CORRECT_ANSWER
        else:
            uniform = streams.uniform("answer", task=task.index, draw=index)
            answer = self.outcomes.wrong_answers.quantile(uniform)
        noise = self.strategy.verifier_noise
        score = 1.0 if correct else 0.0
        if noise:
            uniform = streams.uniform("score", task=task.index, draw=index)
            score += noise * normal_quantile(max(uniform, SMALLEST_U))
        return NodeOutcome(node.max_tokens if truncated else tokens, correct, answer, score, truncated)

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
        deepest = self.strategy.max_depth
        # Shares along a path sum to at most 1; each part is rounded up to a whole token.
        return longest_prompt + min(self.max_tokens, longest_output) + deepest

    def _whole_tokens(self, streams: Streams, task: Task, index: int) -> int:
        """Return the length that a whole trial with this node's luck would have, tokens."""
        recorded = self.arrivals.recorded_output_tokens
        if recorded is not None:
            return recorded[task.index]
        return self.lengths.quantile(streams.uniform("length", task=task.index, draw=index), task)

    def _stays_on_track(self, streams: Streams, tree: RequestTree, node: RequestNode) -> bool:
        """Say whether the text up to the end of `node` is right, if no cap cuts it off."""
        request, chance = node.request, tree.task.solve_probability
        if request.parent is not None and not tree.nodes[request.parent].correct:
            return False
        if request.share_ratio != 1.0:
            chance **= request.share_ratio
        return streams.uniform("correct", task=tree.task.index, draw=node.index) < chance


def _ends_solution(tree: RequestTree, node: RequestNode) -> bool:
    """Say whether the shares from the root to `node` make up a whole solution."""
    written = node.request.share_ratio
    parent = node.request.parent
    while parent is not None:
        request = tree.nodes[parent].request
        written += request.share_ratio
        parent = request.parent
    return written >= 1.0 - ROUNDING
