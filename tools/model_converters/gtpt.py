"""Published checkpoints of GTPT."""

from typing import Any

import torch

from mmhot.geometry.crops import IMAGE_MEAN, IMAGE_STD
from mmhot.skeletons.joints import get_skeleton
from tools.model_converters.published_model import (
    Converted,
    PublishedModel,
    Rules,
    Settings,
    Tensors,
    count_blocks,
    merge_settings,
    rename_keys,
)

_NAME = 'GTPT'
_QUERIES = 'head.coarse_encoder.query_tokens'
# Each convolution of the stem is followed by its batch normalization.
_LEFT = {0: '0.conv', 1: '0.norm', 2: '1.conv', 3: '1.norm'}
_RIGHT = {0: '0.conv', 1: '0.norm', 3: '1.conv', 4: '1.norm', 5: '2.conv', 6: '2.norm'}
_RULES: Rules = (
    (r'^features\.stem\.conv1\.', 'backbone.conv.'),
    (r'^features\.stem\.layer\.', 'backbone.stages.0.'),
    (r'^features\.stem\.down_layer(\d)', lambda m: f'backbone.stages.{int(m[1]) - 1}'),
    (
        r'^features\.stem\.(up\w+)(\d)',
        lambda m: f'backbone.merges.{int(m[2]) - 1}.{m[1]}',
    ),
    (r'\.upsample\.0\.', '.upsample.conv.'),
    (r'\.upsample\.2\.', '.upsample.norm.'),
    (r'\.up_layer\.0\.', '.reduce.'),
    (r'\.up_layer\.(\d+)', lambda m: f'.blocks.{int(m[1]) - 1}'),
    (r'^(backbone\.conv|backbone\.merges\.\d\.reduce)\.0\.', r'\1.conv.'),
    (r'^(backbone\.conv|backbone\.merges\.\d\.reduce)\.1\.', r'\1.norm.'),
    *((rf'\.branch1\.{place}\.', f'.left.{name}.') for place, name in _LEFT.items()),
    *((rf'\.branch2\.{place}\.', f'.right.{name}.') for place, name in _RIGHT.items()),
    (r'^features\.patch2emb_mlp\.', 'head.patch_embed.proj.'),
    (r'^features\.patch2emb_norm\.', 'head.patch_embed.norm.'),
    (r'^features\.human_token$', 'head.coarse_encoder.human_token'),
    (r'^features\.keypoint_token$', _QUERIES),
    (r'^features\.fine_keypoint_token$', 'head.coarse_to_fine.dense_tokens'),
    (r'^features\.transformer\.group_mask\.', 'head.coarse_to_fine.gate.'),
    (r'^features\.transformer\.layers\.', 'head.coarse_encoder.blocks.'),
    (r'^features\.transformer\.group_layers\.', 'head.fine_encoder.blocks.'),
    (r'\.0\.fn\.norm\.', '.norm1.'),
    (r'\.0\.fn\.fn\.to_qkv\.', '.attn.qkv.'),
    (r'\.0\.fn\.fn\.to_out\.0\.', '.attn.proj.'),
    (r'\.1\.fn\.norm\.', '.norm2.'),
    (r'\.1\.fn\.fn\.net\.0\.', '.mlp.fc1.'),
    (r'\.1\.fn\.fn\.net\.3\.', '.mlp.fc2.'),
    (r'^mlp_head_([xy])\.', r'head.classify_\1.'),
)

_PREPROCESSOR = {
    'type': 'mmpose.TopdownDataPreprocessor',  # MMEngine builds it, in its own scope
    'mean': list(IMAGE_MEAN),
    'std': list(IMAGE_STD),
    'bgr_to_rgb': True,
}

# Settings that shapes do not determine, with their published values.
_DEFAULTS: dict[str, Any] = {
    'heads': 8,
    'patch_size_wh': [3, 4],
    'simcc_split_ratio': 2.0,
}
_DATASETS: dict[str, dict[str, Any]] = {
    'coco': {
        'skeleton': 'coco-17',
        'groups': [['head'], ['upper_body'], ['lower_body']],
        'keep_rates': [1.0, 0.7, 0.3, 0.1],
    },
    'wholebody': {
        'skeleton': 'coco-wholebody-133',
        'groups': [
            ['head', 'face'],
            ['upper_body', 'left_hand', 'right_hand'],
            ['lower_body', 'left_foot', 'right_foot'],
        ],
        'keep_rates': [1.0, 0.7, 0.5, 0.3],
    },
}
# Size by the kind of stem, its channels and the width of tokens.
_SIZES = {('single', 128, 128): 't', ('single', 256, 192): 's', ('unet', 256, 192): 'b'}


def convert(tensors: Tensors, settings: Settings) -> Converted:
    """Return the config and our state dict of a published GTPT."""
    state = {key: x for key, x in tensors.items() if not key.endswith('.fn.fn.mask')}
    state.pop('features.pos_embedding', None)  # computed
    parts = state.pop('features.extra_token', None)
    state = rename_keys(state, _RULES)
    if parts is not None:
        state[_QUERIES] = torch.cat([parts, state[_QUERIES]], dim=1)
    is_wholebody = 'head.coarse_to_fine.dense_tokens' in state
    dataset = 'wholebody' if is_wholebody else 'coco'
    return _config(state, _sizes(state, settings, dataset)), state


def _sizes(state: Tensors, settings: dict[str, Any], dataset: str) -> dict[str, Any]:
    """Return the published settings of a GTPT, from tensors (...) and the user."""
    settings = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in settings.items()
    }
    defaults = _DEFAULTS | _DATASETS[dataset]
    merged = defaults | settings
    channels = len(state['head.patch_embed.norm.weight'])
    hidden, dim = state['head.coarse_encoder.blocks.0.mlp.fc1.weight'].shape
    stem = 'unet' if count_blocks(state, 'backbone.merges') else 'single'
    skeleton = get_skeleton(_DATASETS[dataset]['skeleton'])
    stacks = ('head.coarse_encoder.blocks', 'head.fine_encoder.blocks')
    from_shapes = {
        'size': _SIZES.get((stem, channels, dim), 'other'),
        'dataset': dataset,
        'num_keypoints': skeleton.num_keypoints,
        'stem': stem,
        'stem_channels': channels,
        'dim': dim,
        'depth': sum(count_blocks(state, stack) for stack in stacks),
        'mlp_ratio': hidden / dim,
        'input_size': [
            len(state[f'head.classify_{axis}.1.bias']) / merged['simcc_split_ratio']
            for axis in 'xy'
        ],
        'num_groups': len(state['head.coarse_to_fine.gate.2.bias']) // dim,
        'dense_per_group': [
            sum(len(skeleton.indices(name)) for name in names[1:])
            for names in merged['groups']
        ],
    }
    return merge_settings(settings, from_shapes, defaults, _NAME)


def _backbone(state: Tensors) -> dict[str, Any]:
    """Return the config of the stem with tensors (...)."""
    stage_channels = [
        2 * len(state[f'backbone.stages.{stage}.0.right.2.conv.bias'])
        for stage in range(count_blocks(state, 'backbone.stages'))
    ]
    return {
        'type': 'GTPTStem',
        'stem_channels': len(state['backbone.conv.conv.bias']),
        'stage_channels': tuple(stage_channels),
        'stage_depth': count_blocks(state, 'backbone.stages.0'),
        'merge_depth': count_blocks(state, 'backbone.merges.0.blocks'),
    }


def _config(state: Tensors, sizes: dict[str, Any]) -> dict:
    """Return the config of the model with tensors (...) and published settings."""
    input_size = tuple(round(length) for length in sizes['input_size'])
    ratio = sizes['simcc_split_ratio']
    head = {
        'type': 'GTPTHead',
        'in_channels': sizes['stem_channels'],
        'out_channels': sizes['num_keypoints'],
        'input_size': input_size,
        'in_featuremap_size': tuple(length // 4 for length in input_size),
        'simcc_split_ratio': ratio,
        'patch_size': tuple(sizes['patch_size_wh']),
        'embed_dims': sizes['dim'],
        'num_heads': sizes['heads'],
        'coarse_depth': count_blocks(state, 'head.coarse_encoder.blocks'),
        'fine_depth': count_blocks(state, 'head.fine_encoder.blocks'),
        'mlp_ratio': sizes['mlp_ratio'],
        'keep_rates': sizes['keep_rates'],
        'skeleton': sizes['skeleton'],
        'groups': sizes['groups'],
        'decoder': {
            'type': 'GTPTLabel',
            'input_size': input_size,
            'simcc_split_ratio': ratio,
        },
    }
    return {
        'type': 'TopdownPoseEstimator',
        'data_preprocessor': dict(_PREPROCESSOR),
        'backbone': _backbone(state),
        'head': head,
        'test_cfg': {'flip_test': True},
    }


GTPT = PublishedModel(
    _NAME,
    marks=('features.transformer.layers.', 'features.transformer.group_layers.'),
    convert=convert,
)
