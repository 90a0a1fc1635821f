"""Whether the model that a client called can be the preset that is said to have run."""

from __future__ import annotations

import re
from typing import Final

FAMILIES: Final = (
    "deepseek",
    "gemma",
    "glm",
    "gpt-oss",
    "kimi",
    "llama",
    "minimax",
    "mistral",
    "phi",
    "qwen",
)
SIZE: Final = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])")


def contradiction(served: str, preset: str) -> str | None:
    """Return what two names contradict each other in: the family or the size; None if in nothing.

    Examples
    --------
    >>> contradiction("Qwen/Qwen3-8B", "qwen3-8b")
    >>> contradiction("meta-llama/Llama-3.1-8B-Instruct", "qwen3-8b")
    'llama, not qwen'
    >>> contradiction("Qwen/Qwen3-32B-FP8", "qwen3-8b")
    '32b, not 8b'
    >>> contradiction("my-server", "qwen3-8b")
    """
    one, other = served.lower(), preset.lower()
    families = [[family for family in FAMILIES if family in name] for name in (one, other)]
    if all(families) and not set(families[0]) & set(families[1]):
        return f"{families[0][0]}, not {families[1][0]}"
    sizes = [SIZE.findall(name) for name in (one, other)]
    if all(sizes) and float(sizes[0][0]) != float(sizes[1][0]):
        return f"{sizes[0][0]}b, not {sizes[1][0]}b"
    return None


def is_named(served: str, preset: str) -> bool:
    """Say whether the served name contains the preset's.

    Examples
    --------
    >>> is_named("Qwen/Qwen3-8B", "qwen3-8b"), is_named("Qwen/Qwen2.5-8B", "qwen3-8b")
    (True, False)
    """
    return _plain(preset) in _plain(served)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())
