"""Checks across the parts of a valid scenario: that the plan can exist and fits its hardware."""

from __future__ import annotations

from simulator.attention import BlockTopKAttention, TopKAttention
from simulator.attention.budgets import with_budget
from simulator.errors import InfeasiblePlanError, SimulatorError
from simulator.kvcache import KvCapacity, kv_capacity
from simulator.scenario.schema import Scenario


def mistakes_in(scenario: Scenario) -> list[str]:
    """Return what cannot be: each text starts with the path of what it is about, if it is about one key.

    Covers prompts to be read once that are not shared, heads that do not split over the ranks and formats
    that the GPU has no peak for, KV budgets of a strategy that the attention cannot have and
    budgets that no context of the model can fill.
    """
    return [
        *_mistakes_of_sharing(scenario),
        *_mistakes_of_budgets(scenario),
        *_mistakes_of_deployment(scenario),
    ]


def _mistakes_of_budgets(scenario: Scenario) -> list[str]:
    attention, found = scenario.model.attention, []
    for budget in scenario.workload.strategy.kv_budgets_tokens:
        try:
            with_budget(attention, budget)
        except SimulatorError as error:
            found.append(f"workload.strategy.kv_budgets_tokens: {error}")
    if scenario.workload.budget_loss is not None and attention.kind == "sliding_window":
        found.append("workload.budget_loss: a sliding window has no KV budget; allowed: null")
    return list(dict.fromkeys([*found, *_idle_budgets(scenario)]))


def _idle_budgets(scenario: Scenario) -> list[str]:
    """Return the KV budgets that no context of the model or the workload can fill."""
    attention, architecture = scenario.model.attention, scenario.model.architecture
    if not isinstance(attention, TopKAttention | BlockTopKAttention):
        return []
    block = attention.block_tokens if isinstance(attention, BlockTopKAttention) else 1
    budgets = [("model.attention.kv_budget_tokens", attention.kv_budget_tokens)]
    ladder = scenario.workload.strategy.kv_budgets_tokens
    budgets += [("workload.strategy.kv_budgets_tokens", budget) for budget in ladder]
    longest, limit = scenario.workload.max_context_tokens(), architecture.max_context_tokens
    contexts = {limit: f"{architecture.name} is published for {limit} tokens"}
    contexts.setdefault(longest, f"prompt and output of the workload are {longest} tokens at most")
    found = []
    for path, budget in budgets:
        # Beyond both, the model is the harder fact.
        for tokens, told in contexts.items():
            most = -(-tokens // block) * block  # the blocks that hold the longest context
            if budget > most:
                allowed = f"{block} to {most}, or dense attention"
                found.append(f"{path}: {budget} is more than any context: {told}; allowed: {allowed}")
                break
    return found


def _mistakes_of_sharing(scenario: Scenario) -> list[str]:
    if not scenario.model.attention.reads_prefix_once or scenario.engine.kv.prefix_sharing:
        return []
    message = (
        "model.attention.prefix_reads: once_per_family reads a prompt that trials share, but "
        "engine.kv.prefix_sharing is false; set it to true, or prefix_reads to per_sequence"
    )
    return [message]


def _mistakes_of_deployment(scenario: Scenario) -> list[str]:
    try:
        deployment = scenario.deployment()
    except SimulatorError as error:
        return [str(error)]
    try:
        deployment.gpu.peak(deployment.compute_dtype)  # metrics ask for it, whatever tells the latency
    except SimulatorError as error:
        key = "weight_dtype" if scenario.model.compute_dtype is None else "compute_dtype"
        return [f"model.{key}: {error}"]
    try:
        scenario.engine.latency.bind(deployment)
    except SimulatorError as error:
        return [str(error)]
    return []


def capacity_of(scenario: Scenario) -> KvCapacity:
    """Return the KV blocks of one replica.

    Raises
    ------
    InfeasiblePlanError
        If the weights do not fit, or the longest context of the workload does not; shows the sum.
    """
    deployment = scenario.deployment()
    engine = scenario.engine
    capacity = kv_capacity(
        engine.kv,
        deployment,
        max_batched_tokens=engine.max_batched_tokens,
        max_sequences=engine.max_sequences,
    )
    longest = scenario.workload.max_context_tokens()
    if capacity.limited and longest > capacity.tokens:
        message = (
            f"the KV cache of a replica holds {capacity.tokens} tokens ({capacity.blocks} blocks of "
            f"{capacity.block_tokens}), but one sequence may grow to {longest}: {capacity.describe()}; "
            "lower workload.max_tokens or raise parallelism.tp"
        )
        raise InfeasiblePlanError(message)
    return capacity
