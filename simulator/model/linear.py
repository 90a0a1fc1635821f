"""Layers of linear attention (gated delta networks): a state of fixed size in place of keys and values.

Queries, keys and values pass a short causal convolution; every value head then keeps a matrix of key_dim x
value_dim elements that each token decays, corrects and reads (Yang et al., arXiv 2412.06464).  One key head
serves as many value heads as divide evenly.  Counted as published for Qwen3-Next and Qwen3.5: projections of
queries, keys, values and an output gate, two gates per value head, convolution, norm, output projection.

Ignored: other linear layers (Mamba, Lightning attention), biases.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from simulator.frozen import Count, FrozenModel

STATE_BYTES: Final = {"float32": 4.0, "bfloat16": 2.0}
"""Bytes of one element of a state, by its format."""

ELEMENT_BYTES: Final = 2.0
"""Bytes of one activation, which is what the convolution keeps, bytes: bf16."""


class LinearLayers(FrozenModel):
    """Layers of linear attention, between layers that attend to all tokens.

    Raises
    ------
    ValueError
        If the value heads do not divide evenly among the key heads.
    """

    full_every: int = Field(
        ge=2, le=10_000, description="[-] one layer in this many attends to all tokens, the others are linear"
    )
    key_heads: Count = Field(description="[-] query and key heads of a linear layer")
    value_heads: Count = Field(description="[-] value heads, each with a state")
    key_dim: Count = Field(description="[-] elements of a query or key head")
    value_dim: Count = Field(description="[-] elements of a value head")
    conv_kernel: Count = Field(description="[tokens] that the convolution spans")
    state_dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="[-] format of the states"
    )

    @model_validator(mode="after")
    def _check_heads(self) -> LinearLayers:
        if self.value_heads % self.key_heads:
            message = (
                f"value_heads {self.value_heads} is not a multiple of key_heads {self.key_heads}; "
                "every key head serves as many value heads"
            )
            raise ValueError(message)
        return self

    @property
    def value_size(self) -> int:
        """Elements of all value heads."""
        return self.value_heads * self.value_dim

    @property
    def conv_channels(self) -> int:
        """Elements that pass the convolution: queries, keys and values."""
        return 2 * self.key_heads * self.key_dim + self.value_size

    @property
    def recurrent_elements(self) -> int:
        """Elements of the matrices that one sequence keeps in one layer."""
        return self.value_size * self.key_dim

    @property
    def layer_state_bytes(self) -> float:
        """Bytes that one sequence keeps in one layer: matrices, and the last inputs of the convolution."""
        inputs = self.conv_channels * (self.conv_kernel - 1)
        return self.recurrent_elements * STATE_BYTES[self.state_dtype] + inputs * ELEMENT_BYTES

    @property
    def activation_bytes(self) -> float:
        """Bytes of one token that the convolution and the states' kernel read and write in one layer.

        The convolution reads and writes its channels; the kernel reads them again and writes the values.
        """
        return (3 * self.conv_channels + self.value_size) * ELEMENT_BYTES

    @property
    def step_bytes(self) -> float:
        """Bytes that a decode step moves for one sequence in one layer: its state read and written."""
        return 2.0 * self.layer_state_bytes + self.activation_bytes

    def layer_matrices(self, hidden_size: int) -> int:
        """Return the weights of one layer's projections.

        Parameters
        ----------
        hidden_size : width of the residual stream.
        """
        # In: the convolution's channels, the output gate, two gates per value head. Out: the values.
        return hidden_size * (self.conv_channels + 2 * self.value_size + 2 * self.value_heads)

    def layer_parameters(self, hidden_size: int) -> int:
        """Return the parameters of one layer, without its two norms of the residual stream.

        Parameters
        ----------
        hidden_size : width of the residual stream.
        """
        # Two learned numbers per value head set its decay; the norm is shared by the heads.
        small = self.conv_channels * self.conv_kernel + 2 * self.value_heads + self.value_dim
        return self.layer_matrices(hidden_size) + small
