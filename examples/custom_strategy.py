"""What does it save to stop a task at the second equal answer?  A strategy of one's own, in one file.

No file of the package is changed: `with_components` puts the strategy into a shipped scenario.  The manifest
of the run names the class, and `load_scenario` makes the run again from it where it is given the class.
Prints (seed 1; the first two lines differ in the strategy alone):

    self_consistency     solved  84.2%   0.259 solved tasks/s  21.28 kJ per solved task
    stop_at_agreement    solved  79.2%   0.815 solved tasks/s   6.68 kJ per solved task
    again from its manifest: the same summary
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from simulator import load_scenario, simulate, with_components
from simulator.frozen import Count, FrozenModel
from workloads import NodeRequest, NodeState, RequestNode, RequestTree
from workloads.outcome import CORRECT_ANSWER, NO_ANSWER
from workloads.strategies import CONTINUE, Decision


class StopAtAgreement(FrozenModel):
    """Trials in parallel; as soon as `equal` answers agree the others are cancelled.  No verifier."""

    kind: Literal["stop_at_agreement"] = "stop_at_agreement"
    trials: Count = Field(description="[trials] Trials that a task starts with.")
    equal: Count = Field(default=2, description="[trials] Equal answers that end it.")

    max_depth: ClassVar[int] = 0  # no trial continues another
    verifier_noise: ClassVar[float] = 0.0  # no score is read
    kv_budgets_tokens: ClassVar[tuple[int, ...]] = ()  # all trials have the budget of the attention
    shares_prompt: ClassVar[bool] = True  # trials of a task begin with its prompt
    independent_trials: ClassVar[bool] = False  # what comes out of one can cancel another: no pass@k

    def start(self) -> Sequence[NodeRequest]:
        """Return all trials at once."""
        return (NodeRequest(),) * self.trials

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return the cancellation of the open trials once enough answers agree."""
        if self._votes(tree)[node.answer] < self.equal:
            return CONTINUE
        return Decision(cancel=tuple(one.index for one in tree.nodes if one.state is NodeState.SUBMITTED))

    def solved(self, tree: RequestTree) -> bool:
        """Say whether the most frequent answer, of equal ones the first, is correct."""
        votes = self._votes(tree)
        return max(votes, key=votes.__getitem__, default=NO_ANSWER) == CORRECT_ANSWER

    def _votes(self, tree: RequestTree) -> Counter[int]:
        """Return how often each answer was given; only finished trials are known to a client."""
        finished = (one.answer for one in tree.nodes if one.state is NodeState.FINISHED)
        return Counter(answer for answer in finished if answer != NO_ANSWER)


def main() -> None:
    """Compare it with a vote of all trials, and run it again from its manifest."""
    changes = {
        "workload.strategy": {"kind": "self_consistency", "trials": 8},
        "workload.tasks.repeats": 4,
        "variants": None,
    }
    vote = load_scenario("quickstart", overrides=changes)
    own = with_components(vote, strategy=StopAtAgreement(trials=8))
    for scenario in (vote, own):
        summary = simulate(scenario, seed=1).summary
        print(
            f"{scenario.workload.strategy.kind:20s} "
            f"solved {summary['quality']['solving_rate']['estimate']:6.1%}  "
            f"{summary['throughput']['solved_tasks_per_s']:6.3f} solved tasks/s "
            f"{summary['energy']['joules_per_solved_task'] / 1e3:6.2f} kJ per solved task"
        )
    ran = simulate(own, seed=1)
    again = simulate(load_scenario(ran.manifest, components=[StopAtAgreement]))
    print(
        "again from its manifest:", "the same summary" if again.summary == ran.summary else "another summary"
    )


if __name__ == "__main__":
    main()
