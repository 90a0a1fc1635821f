"""Number formats of weights, activations and KV entries.

Ignored: accumulators, and block scales of the narrow formats (see `DTYPE_BYTES`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Dtype = Literal["bf16", "fp8", "int8", "fp4", "mxfp4"]

DTYPE_BYTES: Final[Mapping[Dtype, float]] = MappingProxyType(
    {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "mxfp4": 0.53125}
)
"""Bytes of one element.

``fp4`` counts the payload alone: NVFP4 stores one more byte per 16 elements (0.5625 bytes each).
``mxfp4`` is a format of weights that are multiplied in another one, with its byte per 32
elements.  ``fp16`` is as wide and as fast as ``bf16`` and is written ``bf16``.
"""


def multiplied_as(dtype: Dtype) -> Dtype:
    """Return the format in which weights of `dtype` are multiplied: MXFP4 is unpacked to BF16 first."""
    return "bf16" if dtype == "mxfp4" else dtype
