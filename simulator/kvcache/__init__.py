"""The paged KV cache of a replica: how many blocks there are, who holds them, what is shared."""

from __future__ import annotations

from simulator.kvcache.capacity import KvCapacity, KvConfig, kv_capacity

__all__ = ["KvCapacity", "KvConfig", "kv_capacity"]
