"""A tiny 2D model that detects red spots, and images with spots."""

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn
from torch.nn import functional as F

RED, BLUE = (0, 0, 255), (255, 0, 0)
# input size; heatmaps have a quarter of it
SIZE = (48, 64)
POSE = dict(
    model=dict(
        type='TopdownPoseEstimator',
        data_preprocessor=dict(
            type='PoseDataPreprocessor', mean=[0] * 3, std=[255] * 3, bgr_to_rgb=True
        ),
        backbone=dict(type='QuarterBackbone'),
        head=dict(
            type='HeatmapHead',
            in_channels=3,
            out_channels=17,
            deconv_out_channels=None,
            loss=dict(type='KeypointMSELoss'),
            decoder=dict(
                type='MSRAHeatmap', input_size=SIZE, heatmap_size=(12, 16), sigma=2
            ),
        ),
        test_cfg=dict(flip_test=False),
    ),
    train_dataloader=dict(dataset=dict(type='CocoDataset')),
    test_dataloader=dict(
        dataset=dict(
            type='CocoDataset',
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale'),
                dict(type='TopdownAffine', input_size=SIZE),
                dict(type='PackPoseInputs'),
            ],
        )
    ),
)


@MODELS.register_module()
class QuarterBackbone(nn.Module):
    """Downscale the image to a quarter of its size."""

    def forward(self, x):
        return (F.avg_pool2d(x, 4),)


def write(tmp_path, config, state, meta=None):
    """Write a config file and a checkpoint."""
    path, weights = tmp_path / 'tiny.py', tmp_path / 'tiny.pth'
    Config(config).dump(path)
    torch.save({'state_dict': state, 'meta': meta or {}}, weights)
    return path, weights


def red_finder():
    """Weights that place every keypoint at the reddest pixel."""
    red = torch.zeros(17, 3, 1, 1)
    red[:, 0] = 1
    return {'head.final_layer.weight': red, 'head.final_layer.bias': torch.zeros(17)}


def spotted(*spots):
    """An image of 120 x 90 pixels with colored spots: (x, y, BGR)."""
    image = np.zeros((90, 120, 3), np.uint8)
    for x, y, color in spots:
        image[y - 3 : y + 4, x - 3 : x + 4] = color
    return image
