"""Keys of the blocks that HTNet and NanoHTNet have in common."""

from mmhot.weights.convert.published_model import Tensors, with_leaves

_LOCAL = {'norm_gcn1': 'norm_in', 'norm_gcn2': 'norm_out'}
_GLOBAL = {'norm_attn': 'norm', 'attn.qkv': 'attn.qkv', 'attn.proj': 'attn.proj'}
_PART = {
    'norm_conv1': 'norm3',
    'conv1': 'pool3.proj',
    'norm_conv1_mlp': 'pool3.norm',
    'mlp_down_1.fc1': 'pool3.mlp.fc1',
    'mlp_down_1.fc2': 'pool3.mlp.fc2',
    'norm_conv2': 'norm2',
    'conv2': 'pool2.proj',
    'norm_conv2_mlp': 'pool2.norm',
    'mlp_down_2.fc1': 'pool2.mlp.fc1',
    'mlp_down_2.fc2': 'pool2.mlp.fc2',
}
_END = {'norm_mlp': 'norm', 'mlp.fc1': 'mlp.fc1', 'mlp.fc2': 'mlp.fc2'}
_GRAPH = {
    'W': 'weight',
    'M': 'modulation',
    'adj2': 'adjacency_offset',
    'bias': 'bias',
}
_POOLS = ('pool3.proj.weight', 'pool2.proj.weight')


def spatial_names(published: str, ours: str, depth: int) -> dict[str, str]:
    """Map published keys of a stack of spatial blocks to ours."""
    part = {f'ipc.{key}': f'part.{name}' for key, name in _PART.items()}
    return _stack_names(published, ours, depth, 'joint', 'body', part)


def temporal_names(published: str, ours: str, depth: int) -> dict[str, str]:
    """Map published keys of a stack of temporal blocks to ours."""
    return _stack_names(published, ours, depth, 'local', 'whole', {})


def reshape_tensors(state: Tensors) -> Tensors:
    """Give tensors, under our keys, the shapes that our layers have."""
    shaped = {}
    for key, tensor in state.items():
        if key.endswith('position.table'):
            tensor = tensor.flatten(0, -2)
        elif key.endswith(_POOLS):
            # a strided convolution is a linear layer on all that its kernel sees
            tensor = tensor.transpose(1, 2).flatten(1)
        shaped[key] = tensor
    return shaped


def backbone_sizes(sizes: dict[str, int]) -> dict[str, int]:
    """Give published sizes, which both models have, our names."""
    return {
        'embed_dims': sizes['channel'],
        'depth': sizes['layers'],
        'num_heads': sizes['heads'],
        'mlp_dims': sizes['d_hid'],
        'graph_dims': sizes['gcn_hidden'],
    }


def _stack_names(
    published: str, ours: str, depth: int, local: str, whole: str, part: dict[str, str]
) -> dict[str, str]:
    modules = {f'lgc.{key}': f'{local}.{name}' for key, name in _LOCAL.items()}
    modules |= {f'gbi.{key}': f'{whole}.{name}' for key, name in _GLOBAL.items()}
    graphs = {
        f'lgc.gcn{conv}.{key}': f'{local}.conv{conv}.{name}'
        for conv in (1, 2)
        for key, name in _GRAPH.items()
    }
    block = with_leaves(modules | part | _END) | graphs
    return {
        f'{published}.{index}.{key}': f'{ours}.{index}.{name}'
        for index in range(depth)
        for key, name in block.items()
    }
