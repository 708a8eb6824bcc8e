"""A tiny 2D model that finds what is red, and pictures with spots for it."""

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn
from torch.nn import functional as F

RED, BLUE = (0, 0, 255), (255, 0, 0)
# of whose input MMPose's models see a quarter
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
    """Passes the picture on, at a quarter of its size."""

    def forward(self, x):
        return (F.avg_pool2d(x, 4),)


def write(tmp_path, config, state, meta=None):
    """A config file and a checkpoint."""
    path, weights = tmp_path / 'tiny.py', tmp_path / 'tiny.pth'
    Config(config).dump(path)
    torch.save({'state_dict': state, 'meta': meta or {}}, weights)
    return path, weights


def red_finder():
    """Weights that make every keypoint of the reddest place."""
    red = torch.zeros(17, 3, 1, 1)
    red[:, 0] = 1
    return {'head.final_layer.weight': red, 'head.final_layer.bias': torch.zeros(17)}


def spotted(*spots):
    """A picture, 120x90, with spots of colors: (x, y, BGR)."""
    image = np.zeros((90, 120, 3), np.uint8)
    for x, y, color in spots:
        image[y - 3 : y + 4, x - 3 : x + 4] = color
    return image
