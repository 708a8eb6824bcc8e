"""Published checkpoints of HTNet."""

from typing import Any

from mmhot.weights.convert.human_topology import (
    backbone_sizes,
    reshape_tensors,
    spatial_names,
)
from mmhot.weights.convert.published_model import (
    PublishedModel,
    Tensors,
    count_blocks,
    lifter_config,
    merge_settings,
    rename_keys,
    with_leaves,
)

_NAME = 'HTNet'
_OUTER = {
    'patch_embed': 'backbone.embed',
    'Hiremixer.Temporal_norm': 'backbone.norm',
}


def convert(tensors: Tensors, settings: dict[str, Any]) -> tuple[dict, Tensors]:
    """Return the config and our state dict of a published HTNet."""
    depth = count_blocks(tensors, 'Hiremixer.blocks')
    # the copy of HTNet in NanoHTNet's repository has the shorter name
    head = 'fc' if 'fc.weight' in tensors else 'fcn'
    names = {
        'pos_embed': 'backbone.position.table',
        **with_leaves({**_OUTER, head: 'head.fc'}),
        **spatial_names('Hiremixer.blocks', 'backbone.blocks', depth),
    }
    state = reshape_tensors(rename_keys(tensors, names, _NAME))
    table = state['backbone.position.table']
    joints, channel = table.shape[-2], table.shape[-1]
    found = {
        'channel': channel,
        'layers': depth,
        'd_hid': len(state['backbone.blocks.0.mlp.fc1.weight']),
        'gcn_hidden': len(state['backbone.blocks.0.joint.conv1.bias']),
        'joints': joints,
    }
    # frames are independent: their number is for the data to know
    sizes = merge_settings(settings, found, {'heads': 8, 'frames': 1}, _NAME)
    backbone = {'type': _NAME, **backbone_sizes(sizes)}
    return lifter_config(backbone, in_channels=sizes['channel']), state


HTNET = PublishedModel(_NAME, marks=('Hiremixer.blocks.',), convert=convert)
