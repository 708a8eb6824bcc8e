"""Reference implementations of published lifters, slow and in float64.

They follow the papers and share nothing with mmhot's networks.
"""

import official_weights
import torch
import torch.nn.functional as F
from published import load_fixture


def resized_state(name, sizes, wanted=lambda key: True):
    """State dict of a fixture's network at other sizes: {published: other}."""
    meta, _ = load_fixture(name)
    state = {
        key: ([sizes.get(size, size) for size in shape], dtype)
        for key, (shape, dtype) in meta['state'].items()
        if wanted(key)
    }
    return official_weights.state_dict({'state': state, 'seed': 0})


class PublishedNetwork:
    """Layers shared by the networks."""

    eps = 1e-6

    def __init__(self, state):
        self.state = {key: torch.from_numpy(x) for key, x in state.items()}
        self.state = {key: x.double() for key, x in self.state.items()}

    def leaves(self, key):
        return self.state[f'{key}.weight'], self.state.get(f'{key}.bias')

    def linear(self, key, x):
        weight, bias = self.leaves(key)
        return F.linear(x, weight.flatten(1), bias)

    def norm(self, key, x, eps=None):
        return F.layer_norm(x, x.shape[-1:], *self.leaves(key), eps=eps or self.eps)

    def mlp(self, key, x):
        return self.linear(f'{key}.fc2', F.gelu(self.linear(f'{key}.fc1', x)))

    def attend(self, key, q, k, v, heads):
        merged = []
        size = q.shape[-1] // heads
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            logits = q[..., part] @ k[..., part].transpose(-2, -1) * size**-0.5
            merged.append(logits.softmax(-1) @ v[..., part])
        return self.linear(f'{key}.proj', torch.cat(merged, -1))

    def attention(self, key, x, heads):
        return self.attend(key, *self.linear(f'{key}.qkv', x).chunk(3, -1), heads)

    def prune(self, x, num_keep, center=False):
        """Keep frames of (B, T, J, C); with the embedding of slots, if there is one."""
        kept = [choose_frames(frames, num_keep, center) for frames in x.mean(2)]
        x = torch.stack([tokens[own] for tokens, own in zip(x, kept, strict=True)])
        if 'pos_embed_token' in self.state:
            x = x + self.state['pos_embed_token'][:, :, None]
        return x, torch.stack(kept)

    def recover(self, x, heads):
        """Recover all frames from the kept ones, (B, t, J, C)."""
        if 'x_token' not in self.state:
            return x
        token, x = self.state['x_token'][:, None], x.transpose(1, 2)
        qkv = zip('qkv', (token.expand(*x.shape[:2], -1, -1), x, x), strict=True)
        qkv = [self.linear(f'cross_attention.linear_{name}', y) for name, y in qkv]
        return (token + self.attend('cross_attention', *qkv, heads)).transpose(1, 2)


def choose_frames(features, num_keep, center=False):
    """TPC's choice among the frames (T, F) of one sample, frame by frame."""
    count, dims = features.shape
    apart = (features[:, None] - features).norm(dim=-1) / dims**0.5
    apart = apart.float()
    density = [
        torch.exp(-(row.sort().values[:2] ** 2).sum() / 2).item() for row in apart
    ]
    scores = []
    for i in range(count):
        denser = [
            j for j in range(count) if (-density[j], j) < (-density[i], i) and j != i
        ]
        nearest = min((apart[i, j].item() for j in denser), default=apart.max().item())
        scores.append(density[i] * nearest)
    if center:
        scores[(count - 1) // 2] = float('inf')
    best = sorted(range(count), key=lambda i: (-scores[i], i))[:num_keep]
    return torch.tensor(sorted(best))


class PublishedMixSTE(PublishedNetwork):
    """MixSTE, plain and with HoT."""

    def __init__(self, state, heads):
        super().__init__(state)
        self.heads = heads

    def block(self, key, x):
        normed = self.norm(f'{key}.norm1', x)
        x = x + self.attention(f'{key}.attn', normed, self.heads)
        return x + self.mlp(f'{key}.mlp', self.norm(f'{key}.norm2', x))

    def run(self, x, num_pairs, pruned=None):
        """Poses of (B, T, 17, 2) and kept frames; pruned: number, layer, center."""
        x, kept = self.linear('Spatial_patch_to_embedding', x.double()), None
        x = x + self.state['Spatial_pos_embed']
        for pair in range(num_pairs):
            if pruned and pair == pruned[1]:
                x, kept = self.prune(x, pruned[0], pruned[2])
            x = self.norm('Spatial_norm', self.block(f'STEblocks.{pair}', x))
            if pair == 0:
                x = x + self.state['Temporal_pos_embed'][:, :, None]
            x = self.block(f'TTEblocks.{pair}', x.transpose(1, 2)).transpose(1, 2)
            x = self.norm('Temporal_norm', x)
        x = self.recover(x, self.heads)
        return self.linear('head.1', self.norm('head.0', x, eps=1e-5)), kept


class PublishedMotionBERT(PublishedNetwork):
    """MotionBERT, plain and with HoT."""

    def __init__(self, state, heads):
        super().__init__(state)
        self.heads = heads

    def half(self, key, x, which):
        """One of a block's halves, over keypoints (s) or frames (t)."""
        x = x if which == 's' else x.transpose(1, 2)
        normed = self.norm(f'{key}.norm1_{which}', x)
        x = x + self.attention(f'{key}.attn_{which}', normed, self.heads)
        x = x + self.mlp(f'{key}.mlp_{which}', self.norm(f'{key}.norm2_{which}', x))
        return x if which == 's' else x.transpose(1, 2)

    def run(self, x, num_layers, pruned=None):
        """Poses of (B, T, 17, C) and kept frames; pruned: number, layer, center."""
        x, kept = self.linear('joints_embed', x.double()), None
        x = x + self.state['pos_embed'] + self.state['temp_embed'][:, : x.shape[1]]
        for layer in range(num_layers):
            if pruned and layer == pruned[1]:
                x, kept = self.prune(x, pruned[0], pruned[2])
            streams = []
            for order in ('st', 'ts'):
                key, y = f'blocks_{order}.{layer}', x
                for which in order:
                    y = self.half(key, y, which)
                streams.append(y)
            shares = self.linear(f'ts_attn.{layer}', torch.cat(streams, -1))
            first, second = shares.softmax(-1).split(1, -1)
            x = first * streams[0] + second * streams[1]
        x = self.recover(self.norm('norm', x), self.heads)
        return self.linear('head', self.linear('pre_logits.fc', x).tanh()), kept
