"""Keys and settings of the Hourglass Tokenizer, which published hosts share."""

from collections.abc import Mapping
from typing import Any

from mmhot.weights.convert.published_model import Tensors, with_leaves

_OURS = 'backbone.hourglass'
_TABLES = {
    'pos_embed_token': f'{_OURS}.slot_embeddings.0',
    'x_token': f'{_OURS}.recoverer.queries',
}
_PROJECTIONS = {'linear_q': 'query', 'linear_k': 'key', 'linear_v': 'value'}


def is_recovered(tensors: Mapping[str, Any]) -> bool:
    """Whether published keys are those of a host that recovers its frames."""
    return 'x_token' in tensors


def recovery_names(tensors: Tensors, qkv_bias: bool = True) -> dict[str, str]:
    """Map published keys of slot embedding and recovering attention to ours."""
    if not is_recovered(tensors):
        return {}
    ours = f'{_OURS}.recoverer.attention'
    projections = {
        f'cross_attention.{key}': f'{ours}.{name}' for key, name in _PROJECTIONS.items()
    }
    leaves = ('weight', 'bias') if qkv_bias else ('weight',)
    return {
        **_TABLES,
        **with_leaves(projections, *leaves),
        **with_leaves({'cross_attention.proj': f'{ours}.proj'}),
    }


def recovery_sizes(state: Tensors) -> dict[str, int]:
    """Read the published settings off tensors under our keys."""
    if _TABLES['x_token'] not in state:
        return {}
    slots, queries = (state[_TABLES[key]] for key in ('pos_embed_token', 'x_token'))
    return {'token_num': slots.shape[-2], 'frames': queries.shape[-2]}


def pruning_defaults(depth: int, num_frames: int, recovered: bool) -> dict[str, int]:
    """What shapes do not tell: the layer, and for unrecovered frames their number."""
    defaults = {'layer_index': depth, 'k': 2}
    return defaults if recovered else {'token_num': num_frames, **defaults}


def pruning_config(sizes: Mapping[str, Any], recovered: bool) -> dict[str, dict]:
    """The backbone's pruner and recoverer; none if all frames are kept."""
    if sizes['token_num'] == sizes['frames'] and not recovered:
        return {}
    pruner = {
        'type': 'ClusterPruner',
        'num_keep': sizes['token_num'],
        'depth': sizes['layer_index'],
        'num_neighbors': sizes['k'],
    }
    recoverer = {'recoverer': {'type': 'AttentionRecoverer'}} if recovered else {}
    return {'pruner': pruner, **recoverer}


def evaluated_frames(pruning: Mapping[str, dict]) -> str:
    """Frames that a host with this pruning is evaluated at, 'all' or the 'center'."""
    return 'center' if 'pruner' in pruning and 'recoverer' not in pruning else 'all'
