"""Outputs of MMCV's compiled operators, for tests/compat/test_mmcv_operators.py.

Made once, on the CPU, in an environment with compiled MMCV 2.1.0::

    python tests/data/make_mmcv_operators.py tests/data/mmcv_operators.npz
"""

import sys

import numpy as np
import torch
from mmcv import ops

NMS_CASES = {
    'nms-0': dict(iou_threshold=0.5, offset=0),
    'nms-1': dict(iou_threshold=0.5, offset=1),
    'nms-scored': dict(iou_threshold=0.3, offset=0, score_threshold=0.4, max_num=9),
}
BATCHED_CASES = {
    'batched': (dict(type='nms', iou_threshold=0.5), False),
    'batched-agnostic': (dict(type='nms', iou_threshold=0.5), True),
    'batched-split': (dict(type='nms', iou_threshold=0.5, split_thr=10), False),
    'batched-max': (dict(type='nms', iou_threshold=0.5, max_num=7), False),
}
ROI_CASES = {
    f'roi-{aligned}-{ratio}': dict(
        output_size=(3, 5), spatial_scale=0.25, sampling_ratio=ratio, aligned=aligned
    )
    for aligned in (False, True)
    for ratio in (0, 2)
}


def boxes_and_scores(num=40, tied=False, seed=0):
    """Boxes (num, 4) of which many overlap, scores and classes.

    Tied ones have coordinates in tens and scores in quarters.
    """
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(num, 2, generator=generator) * 60
    size = torch.rand(num, 2, generator=generator) * 40 + 10
    scores = torch.rand(num, generator=generator)
    boxes = torch.cat([corner, corner + size], -1)
    if tied:
        boxes, scores = (boxes / 10).round() * 10, (scores * 4).ceil() / 4
    return boxes, scores, torch.randint(0, 3, (num,), generator=generator)


def roi_inputs():
    """Features (2, 2, 16, 20) and regions (8, 5) of them, some partly outside."""
    features = torch.randn(2, 2, 16, 20, generator=torch.Generator().manual_seed(2))
    boxes, *_ = boxes_and_scores(8)
    return features, torch.cat([torch.arange(8.0)[:, None] % 2, boxes], -1)


def compute():
    """Run every case; arrays by name."""
    found = {}
    # PyTorch sorts up to 16 equal scores in the same way on every machine.
    suppressed = {'random': boxes_and_scores(), 'tied': boxes_and_scores(16, tied=True)}
    for kind, (boxes, scores, classes) in suppressed.items():
        for name, settings in NMS_CASES.items():
            found[f'{name}-{kind}'] = ops.nms(boxes, scores, **settings)
        for name, (config, agnostic) in BATCHED_CASES.items():
            found[f'{name}-{kind}'] = ops.batched_nms(
                boxes, scores, classes, dict(config), agnostic
            )
    for name, settings in ROI_CASES.items():
        found[name] = (ops.RoIAlign(**settings)(*roi_inputs()),)
    return {
        f'{name}.{index}': value.detach().numpy()
        for name, values in found.items()
        for index, value in enumerate(values)
    }


if __name__ == '__main__':
    np.savez_compressed(sys.argv[1], **compute())
