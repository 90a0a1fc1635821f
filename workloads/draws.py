"""The hidden truth about every node of a run, drawn from the run's random streams.

A node that writes a share s of a solution draws a whole length L and writes ``ceil(s * L)`` tokens, and
stays on track with chance ``p ** s`` if its parent did; parts that make up one whole solution
therefore succeed with chance p and have the mean length of a trial.  A node that its cap cuts off
is wrong and gives no answer.  A KV budget below the context lowers the chance where the workload has a
`budget_loss`.

Ignored: trials of one task are independent given p; a wrong trial is as long as a correct one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.rng import Streams
from workloads.lengths.lognormal import normal_quantile
from workloads.lengths.protocol import SMALLEST_U
from workloads.outcome import CORRECT_ANSWER, NO_ANSWER, NodeOutcome
from workloads.task import Task
from workloads.tree import ROUNDING, NodeRequest, RequestNode, RequestTree, share_of_tokens

if TYPE_CHECKING:
    from workloads.workload import Workload


class OutcomeDraws:
    """Lengths and outcomes of the nodes of one run.

    Asked once for every node, so what a draw reads is bound here: an attribute of a pydantic model
    takes ten times as long as a plain one.

    Parameters
    ----------
    workload : its distributions.
    streams : the run's random numbers.
    kv_budget_tokens : budget of nodes that ask for none of their own; None attends to all keys.
    """

    def __init__(self, workload: Workload, streams: Streams, kv_budget_tokens: int | None = None) -> None:
        self._uniform = streams.uniform
        self._length = workload.lengths.quantile
        self._wrong_answer = workload.outcomes.wrong_answers.quantile
        recorded = workload.recorded(streams)
        self._recorded_tokens = recorded.output_tokens
        self._first_only = recorded.first_only
        self._turn_tokens = recorded.turn_tokens
        self._score_noise = workload.strategy.verifier_noise
        self._loss = workload.budget_loss
        self._kv_budget_tokens = kv_budget_tokens

    def outcome(self, tree: RequestTree, node: RequestNode) -> NodeOutcome:
        """Return the hidden truth about `node`, which has just been requested.

        Parameters
        ----------
        tree : the tree that `node` is in; a parent's outcome has been revealed by now.
        node : the node in question.
        """
        task, index, share = tree.task, _luck(node), node.request.share_ratio
        recorded = self._recorded_tokens
        if recorded is None or (self._first_only and index and not task.turns):
            tokens = self._length(self._uniform("length", task=task.index, draw=index), task)
        elif index and task.turns and self._turn_tokens is not None:
            tokens = self._turn_tokens[task.index][index - 1]
        else:
            tokens = recorded[task.index]
        tokens = share_of_tokens(tokens, share)
        truncated = tokens > node.max_tokens
        correct = not truncated and self._stays_on_track(tree, node, node.prompt_tokens + tokens)
        if truncated or not (share == 1.0 or _ends_solution(tree, node)):
            answer = NO_ANSWER
        elif correct:
            answer = CORRECT_ANSWER
        else:
            answer = self._wrong_answer(self._uniform("answer", task=task.index, draw=index))
        noise = self._score_noise
        score = 1.0 if correct else 0.0
        if noise:
            uniform = self._uniform("score", task=task.index, draw=index)
            score += noise * normal_quantile(max(uniform, SMALLEST_U))
        return NodeOutcome(node.max_tokens if truncated else tokens, correct, answer, score, truncated)

    def trial(self, task: Task, request: NodeRequest, *, number: int, max_tokens: int) -> NodeOutcome:
        """Return the hidden truth about trial `number` of `task`, requested or not; for a bound only."""
        return self.outcome(RequestTree(task), RequestNode(number, request, task.prompt_tokens, max_tokens))

    def _stays_on_track(self, tree: RequestTree, node: RequestNode, context_tokens: int) -> bool:
        """Say whether the text up to the end of `node` is right, if no cap cuts it off."""
        request, chance = node.request, tree.task.solve_probability
        if request.parent is not None and not tree.nodes[request.parent].correct:
            return False
        if self._loss is not None:
            budget = request.kv_budget_tokens or self._kv_budget_tokens
            chance *= self._loss.kept_ratio(budget, context_tokens)
        if request.share_ratio != 1.0:
            chance **= request.share_ratio
        return self._uniform("correct", task=tree.task.index, draw=_luck(node)) < chance


def _luck(node: RequestNode) -> int:
    """Return the number of the draws of `node`."""
    return node.index if node.request.luck is None else node.request.luck


def _ends_solution(tree: RequestTree, node: RequestNode) -> bool:
    """Say whether the shares from the root to `node` make up a whole solution."""
    written = node.request.share_ratio
    parent = node.request.parent
    while parent is not None:
        request = tree.nodes[parent].request
        written += request.share_ratio
        parent = request.parent
    return written >= 1.0 - ROUNDING
