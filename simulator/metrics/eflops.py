"""eFLOPs per task (Kinetics, arXiv 2506.05333): FLOPs plus bytes weighed by the hardware's ridge.

Two readings of the same run.  *Decode*, the paper's (Eq. 1, 2 and 4): 2 x active parameters per output token,
attention as recorded, KV, selection keys and states of linear attention read; weight reads are taken as
amortised over the batch, prefill is left out.  *Executed*: every modelled operation, with the weight reads
and the prefill of the batches that really ran.
"""

from __future__ import annotations

from simulator.deployment import ACTIVATION_BYTES
from simulator.hardware import DTYPE_BYTES
from simulator.latency import StepLatency
from simulator.latency.linear_attention import decode_states
from simulator.metrics.hardware import WindowWork
from simulator.metrics.tables import RunTables


def decode_work(tables: RunTables, work: WindowWork, latency: StepLatency) -> tuple[float, float]:
    """Return (FLOPs, bytes) of decoding in the window by the paper's account, over all GPUs.

    KV heads count once, however many ranks keep a copy of them.
    """
    d, steps = latency.deployment, tables.steps
    a = d.architecture
    layers = a.attention_layers / d.attention.layers_per_count
    per_head = a.query_heads * a.head_dim * layers
    tokens = work.total(steps["decode_sequences"] * steps["steps"])
    attended, read = work.total(steps["attended_tokens"]), work.total(steps["read_tokens"])
    scored = work.total(steps["index_entries"])
    flops = 2.0 * a.active_parameters * tokens + 4.0 * per_head * attended + 2.0 * per_head * scored
    index_bytes = a.kv_heads * a.head_dim * layers * ACTIVATION_BYTES
    kv_bytes = a.kv_out_size * layers * DTYPE_BYTES[d.kv_dtype]
    states = decode_states(d, 1)
    hbm_bytes = kv_bytes * read + index_bytes * scored + d.tp * states.hbm_bytes * tokens
    return flops + d.tp * states.flops * tokens, hbm_bytes


def eflops(tables: RunTables, work: WindowWork, latency: StepLatency, ended: int) -> dict[str, object]:
    """Return eFLOPs per task that ended in the window, by both readings, with the ridge used.

    Parameters
    ----------
    tables, work : records and work of the window.
    latency : the bound latency model; its GPU gives ridge = peak FLOP/s over HBM bytes/s.
    ended : tasks that ended in the window.

    Notes
    -----
    The paper's ridge for B200, 562.5 FLOP/byte, sets the FP8 peak against bf16 bytes; here the peak is
    that of the precision computed in (281 for bf16).
    """
    d = latency.deployment
    peak = d.gpu.peak(d.compute_dtype)
    ridge = peak / d.gpu.hbm_bandwidth_bytes_per_s.value
    flops, hbm_bytes = decode_work(tables, work, latency)
    total = flops + ridge * hbm_bytes
    executed = d.tp * (work.flops + ridge * work.hbm_bytes)
    return {
        "ridge_flops_per_byte": ridge,
        "decode_flops_per_task": flops / ended if ended else None,
        "decode_bytes_per_task": hbm_bytes / ended if ended else None,
        "decode_eflops_per_task": total / ended if ended else None,
        "executed_eflops_per_task": executed / ended if ended and executed else None,
        "gpu_seconds_per_task": total / peak / ended if ended else None,
    }
