"""A tiny server for request trees: nodes finish in a given order, nothing takes time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from simulator.rng import Streams
from workloads import NodeOutcome, NodeState, RequestNode, RequestTree, Task, Workload
from workloads.strategies import Decision

MOST_NODES = 2000
"""More than any strategy of these tests may ask of a task; what never ends has failed."""


@dataclass
class Played:
    """What happened to one task."""

    tree: RequestTree
    decisions: list[Decision] = field(default_factory=list)
    solved: bool = False


def _reveal(node: RequestNode, outcome: NodeOutcome) -> None:
    node.generated_tokens, node.truncated = outcome.output_tokens, outcome.truncated
    node.correct, node.answer, node.score = outcome.correct, outcome.answer, outcome.score


def _scramble(tree: RequestTree, chaos: random.Random) -> None:
    for node in tree.nodes:
        if node.state is not NodeState.FINISHED:
            _reveal(
                node,
                NodeOutcome(
                    chaos.randrange(1, 99),
                    correct=chaos.random() < 0.5,
                    answer=chaos.randrange(-1, 3),
                    score=chaos.uniform(-9, 9),
                    truncated=chaos.random() < 0.5,
                ),
            )


def _play(
    workload: Workload, task: Task, *, streams: Streams, order: int = 0, scramble: int | None = None
) -> Played:
    """Serve `task` until no node is open; `order` seeds who finishes next, `scramble` the lies."""
    strategy, turns = workload.strategy, random.Random(order)  # noqa: S311 - a test, not a secret
    chaos = None if scramble is None else random.Random(scramble)  # noqa: S311 - the same
    played = Played(RequestTree(task))
    tree, hidden = played.tree, {}
    wanted = tuple(workload.first_requests(task, workload.draws(streams)))
    while True:
        for request in wanted:
            node = tree.add(request, max_tokens=workload.max_tokens)
            hidden[node.index] = workload.draws(streams).outcome(tree, node)
        if len(tree.nodes) > MOST_NODES:
            pytest.fail(f"a strategy asked for more than {MOST_NODES} nodes of one task")
        running = [node for node in tree.nodes if node.state is NodeState.SUBMITTED]
        if not running:
            break
        node = turns.choice(running)
        _reveal(node, hidden[node.index])
        tree.close(node, NodeState.FINISHED)
        if chaos is not None:
            _scramble(tree, chaos)
        decision = strategy.on_finish(tree, node)
        played.decisions.append(decision)
        for index in decision.cancel:
            tree.close(tree.nodes[index], NodeState.CANCELLED)
        wanted = decision.requests
    played.solved = strategy.solved(tree)
    return played


@pytest.fixture(scope="session")
def play() -> Callable[..., Played]:
    """Return a function that serves one task of a workload to its end."""
    return _play


@pytest.fixture(scope="session")
def make_workload() -> Callable[..., Workload]:
    """Return a function that builds a small workload, parts replaced by name."""

    def make(**parts: object) -> Workload:
        small: dict[str, object] = {
            "tasks": {"kind": "synthetic", "count": 8, "prompt_tokens": 100},
            "arrivals": {"kind": "all_at_once"},
            "lengths": {"kind": "lognormal", "median_tokens": 200.0, "log_sigma": 0.5},
            "outcomes": {"kind": "beta", "alpha": 0.5, "beta": 0.5},
            "strategy": {"kind": "long_cot"},
        }
        return Workload.model_validate(small | parts)

    return make
