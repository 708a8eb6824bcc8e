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
SOFT_NMS_CASES = {
    f'softnms-{method}-{offset}': dict(
        iou_threshold=0.3, sigma=0.5, min_score=0.05, method=method, offset=offset
    )
    for method in ('naive', 'linear', 'gaussian')
    for offset in (0, 1)
}
BATCHED_CASES = {
    'batched': (dict(type='nms', iou_threshold=0.5), False),
    'batched-agnostic': (dict(type='nms', iou_threshold=0.5), True),
    'batched-split': (dict(type='nms', iou_threshold=0.5, split_thr=10), False),
    'batched-max': (dict(type='nms', iou_threshold=0.5, max_num=7), False),
    'batched-soft': (dict(type='soft_nms', iou_threshold=0.3, sigma=0.5), False),
}
ROI_CASES = {
    f'roi-{aligned}-{ratio}': dict(
        output_size=(3, 5), spatial_scale=0.5, sampling_ratio=ratio, aligned=aligned
    )
    for aligned in (False, True)
    for ratio in (0, 2)
}
CONV_CASES = {
    'plain': dict(stride=1, padding=1, dilation=1, groups=1, deform_groups=1),
    'groups': dict(stride=2, padding=1, dilation=1, groups=2, deform_groups=2),
    'dilated': dict(
        stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=1, deform_groups=4
    ),
}


def boxes_and_scores(num=40):
    """Boxes (num, 4) of which many overlap, and scores with ties."""
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(num, 2, generator=generator) * 60
    size = torch.rand(num, 2, generator=generator) * 40 + 10
    scores = torch.rand(num, generator=generator)
    scores[5], boxes = scores[9], torch.cat([corner, corner + size], -1)
    return boxes, scores, torch.randint(0, 3, (num,), generator=generator)


def conv_inputs(deform_groups=1, groups=1, stride=1, padding=0, dilation=1):
    """Input, offsets, mask, weight and bias of one deformable convolution."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    x, weight = draw(2, 8, 9, 11), draw(6, 8 // groups, 3, 3) * 0.3
    size = torch.nn.functional.conv2d(
        x, weight, None, stride, padding, dilation, groups
    ).shape[2:]
    offset = draw(2, 2 * deform_groups * 9, *size)
    mask = draw(2, deform_groups * 9, *size).sigmoid()
    return x, offset, mask, weight, draw(6)


def gradients(output, inputs):
    """Gradients of a sum in which every output counts differently."""
    weights = torch.linspace(-1, 1, output.numel()).view_as(output)
    return torch.autograd.grad((output * weights).sum(), inputs)


def compute():
    """Run every case; arrays by name."""
    boxes, scores, classes = boxes_and_scores()
    found = {}
    for name, settings in NMS_CASES.items():
        found[f'{name}.dets'], found[f'{name}.inds'] = ops.nms(boxes, scores, **settings)
    for name, settings in SOFT_NMS_CASES.items():
        dets, inds = ops.soft_nms(boxes, scores, **settings)
        found[f'{name}.dets'], found[f'{name}.inds'] = dets, inds
    for name, (config, agnostic) in BATCHED_CASES.items():
        dets, inds = ops.batched_nms(boxes, scores, classes, dict(config), agnostic)
        found[f'{name}.dets'], found[f'{name}.inds'] = dets, inds
    for name, settings in ROI_CASES.items():
        features = torch.randn(
            2, 3, 40, 50, generator=torch.Generator().manual_seed(2)
        ).requires_grad_()
        rois = torch.cat([torch.arange(8.0)[:, None] % 2, boxes[:8]], -1)
        output = ops.RoIAlign(**settings)(features, rois)
        found[f'{name}.output'] = output
        found[f'{name}.gradient'] = gradients(output, [features])[0][:, :, ::4, ::4]
    for name, settings in CONV_CASES.items():
        x, offset, mask, weight, bias = conv_inputs(**settings)
        leaves = [t.requires_grad_() for t in (x, offset, weight)]
        output = ops.deform_conv2d(*leaves, *settings.values())
        found[f'deform-{name}.output'] = output
        for kind, gradient in zip('xow', gradients(output, leaves), strict=True):
            found[f'deform-{name}.{kind}'] = gradient
        leaves = [t.requires_grad_() for t in (x, offset, mask, weight, bias)]
        output = ops.modulated_deform_conv2d(*leaves, *settings.values())
        found[f'modulated-{name}.output'] = output
        for kind, gradient in zip('xomwb', gradients(output, leaves), strict=True):
            found[f'modulated-{name}.{kind}'] = gradient
    return {name: value.detach().numpy() for name, value in found.items()}


if __name__ == '__main__':
    np.savez_compressed(sys.argv[1], **compute())
