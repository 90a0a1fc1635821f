"""The run-time state of one request node on its replica."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.attention.contexts import Prefix
from simulator.engine.records import SequenceState
from simulator.kvcache.cache import Chain, PartKey
from simulator.scheduling import SequenceView
from workloads.outcome import NodeOutcome
from workloads.task import Task
from workloads.tree import RequestNode, RequestTree


@dataclass(slots=True, eq=False)
class TaskRun:
    """A task in progress: its tree and the sequences of its nodes."""

    task: Task
    arrival_ns: int
    tree: RequestTree
    sequences: list[Sequence] = field(default_factory=list)
    ended: bool = False


@dataclass(slots=True, eq=False)
class Sequence:
    """A node being served.

    Parameters
    ----------
    view : what policies may see of it.
    run, node : the task in progress and the node of its tree.
    outcome : hidden: its length and correctness; policies and strategies never see it.
    chain : shared parts of its prompt.
    prefix : the same parts as (key, tokens of the part), where reads are shared; else empty.
    keep : key under which its KV stays cached when it ends, if any.
    replica : index of the replica that serves it.
    state : where it is in its life.
    started_ns, first_token_ns : first admission and first token; -1 before.
    cached_tokens : tokens of the prompt found in the cache at first admission.
    remaining_prefill : prompt (and recomputed) tokens still to be computed.
    admitted : order of admission on its replica; the latest admission counts.
    offset : context at step s less s, on the replica's step counter, while decoding.
    preemptions : times it was preempted.
    cancelled : its strategy no longer wants it.
    """

    view: SequenceView
    run: TaskRun
    node: RequestNode
    outcome: NodeOutcome
    chain: Chain
    prefix: Prefix
    keep: PartKey | None
    replica: int = -1
    state: SequenceState = SequenceState.WAITING
    started_ns: int = -1
    first_token_ns: int = -1
    cached_tokens: int = 0
    remaining_prefill: int = 0
    admitted: int = -1
    offset: int = 0
    preemptions: int = 0
    cancelled: bool = False

    @property
    def known_tokens(self) -> int:
        """Tokens of prompt and output so far."""
        return self.view.prompt_tokens + self.view.generated_tokens

    def chunk_tokens(self, budget: int, multiple: int) -> int:
        """Return the prompt tokens that a step computes of it; 0 where no multiple fits the budget.

        Parameters
        ----------
        budget : tokens that the step has left.
        multiple : chunks end where the context is a multiple of this; what is beyond the last one comes last.
        """
        tokens = min(budget, self.remaining_prefill)
        past = self.known_tokens - self.remaining_prefill
        last = self.known_tokens - self.known_tokens % multiple
        if past >= last:
            return tokens
        end = min(past + tokens, last)
        return max(0, end - end % multiple - past)

    @property
    def longest_kv_tokens(self) -> int:
        """Tokens whose keys and values it holds at its end; the last token's are never written."""
        return self.view.prompt_tokens + self.outcome.output_tokens - 1
