"""Attention whose queries, keys and values are different tokens."""

from torch import Tensor, nn

from .attention import attend


class CrossAttention(nn.Module):
    """Multi-head attention of queries to other tokens, over the second-last axis.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads ``H``; must divide ``embed_dims``. Defaults to 8.
        qkv_bias (bool): Whether queries, keys and values have a bias. Defaults
            to True.
    """

    def __init__(
        self, embed_dims: int, num_heads: int = 8, qkv_bias: bool = True
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(
                f'embed_dims ({embed_dims}) must be divisible by num_heads '
                f'({num_heads})'
            )
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.key = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.value = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Let queries attend to the values whose keys they match.

        Args:
            query (Tensor): (..., N, C), or (N, C) if all leading axes share them:
                they are projected once then.
            key (Tensor): (..., M, C).
            value (Tensor): (..., M, C).

        Returns:
            Tensor: (..., N, C).
        """
        lead = key.shape[:-2]
        q = self._split(self.query(query))
        k, v = self._split(self.key(key)), self._split(self.value(value))
        q = q.expand(k.shape[0], -1, -1, -1)
        x = attend(q, k, v, None)  # (B', H, N, D)
        x = self.proj(x.transpose(1, 2).flatten(2))
        return x.reshape(*lead, *x.shape[-2:])

    def _split(self, x: Tensor) -> Tensor:
        """Give ``(..., N, C)`` heads, as (B', H, N, D)."""
        x = x.reshape(-1, *x.shape[-2:])  # fused kernels want 4-D
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
