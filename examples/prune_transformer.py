"""A transformer over the frames of a video, written as in timm, and pruned.

It needs PyTorch and ``mmhot.tokens``::

    python -m examples.prune_transformer

prints the milliseconds of a pass of 16 windows, whole and pruned, and the kept frames.
"""

import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.tokens import ClusterPruner, prune


class Attention(nn.Module):
    """Multi-head self-attention of timm's vision transformers."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within tokens (B, N, C)."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, N, D) each
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and MLP, each with a residual sum."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, C) to tokens."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TemporalViT(nn.Module):
    """Lifter with a token for each frame: 2D poses (B, T, K, 2) to 3D (B, T, K, 3)."""

    def __init__(
        self,
        frames: int = 81,
        dim: int = 256,
        depth: int = 8,
        num_heads: int = 8,
        keypoints: int = 17,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(2 * keypoints, dim)
        self.positions = nn.Parameter(0.02 * torch.randn(frames, dim))
        self.layers = nn.ModuleList(Block(dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 3 * keypoints)

    def forward(self, poses: Tensor) -> Tensor:
        """Lift poses (B, T, K, 2) to (B, T, K, 3)."""
        x = self.embed(poses.flatten(2)) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)).unflatten(-1, (-1, 3))


def measure(models: list[nn.Module], poses: Tensor, rounds: int = 10) -> list[float]:
    """Return the fastest pass of each model, in turns, milliseconds."""
    best = [float('inf')] * len(models)
    for _ in range(rounds):
        for index, model in enumerate(models):
            start = time.perf_counter()
            model(poses)
            best[index] = min(best[index], 1000 * (time.perf_counter() - start))
    return best


@torch.inference_mode()
def main() -> None:
    """Prune two thirds of the frames after two of eight layers."""
    host = TemporalViT().eval()
    model = TemporalViT().eval()
    model.load_state_dict(host.state_dict())
    prune(
        model.layers,
        embed_dims=256,
        num_frames=81,
        pruner=ClusterPruner(num_keep=27, depth=2),
        recoverer='attention',
    )
    poses = torch.randn(16, 81, 17, 2).cumsum(1)
    whole, pruned = measure([host, model], poses)
    print(f'{whole:.0f} ms, pruned {pruned:.0f} ms: {pruned / whole:.2f}')
    print('first window keeps', *model.layers.hourglass.kept[0].tolist())


if __name__ == '__main__':
    main()
