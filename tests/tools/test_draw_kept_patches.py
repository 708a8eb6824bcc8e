"""Drawings of kept patches: the right patches in the right places."""

import cv2
import numpy as np
import pytest
import torch
from mmpose.apis import init_model
from topdown_configs import FOLDER, TINY_GTPT, leaf_config

from tools.analysis.draw_kept_patches import (
    PruningTrace,
    shade,
    trace_pruning,
)

IMAGE = FOLDER / '000001.png'


@pytest.fixture(scope='module')
def config():
    config = leaf_config('body_2d_keypoint/gtpt/coco/gtpt-t_*')
    config.merge_from_dict(dict(model=TINY_GTPT))
    return config


@pytest.fixture(scope='module')
def model(config):
    torch.manual_seed(0)
    return init_model(config, device='cpu')


def test_trace_names_what_the_head_kept(model):
    image = cv2.imread(str(IMAGE))
    trace = trace_pruning(model, image, (2, 24, 195, 205))
    assert trace.grid == (16, 16)
    assert trace.crop.shape == (256, 192, 3)
    assert trace.groups == ('head', 'upper body', 'lower body')
    assert trace.keypoints.shape == (17, 2)
    layers = [(stage.first, stage.last) for stage in trace.stages]
    assert layers == [(0, 2), (3, 5), (6, 8), (9, 11)]
    shapes = [stage.kept.shape for stage in trace.stages]
    assert shapes == [(256,), (179,), (3, 76), (3, 25)]
    for before, after in zip(trace.stages, trace.stages[1:], strict=False):
        for group in np.atleast_2d(after.kept):
            assert set(group) <= set(before.kept.ravel())


def test_kept_patches_are_bright_and_others_dark():
    crop = np.full((40, 30, 3), 200, np.uint8)
    points = np.array([[5.0, 5.0], [25.0, 35.0]])
    trace = PruningTrace(crop, (3, 4), (), (), points, np.array([0, 1]))
    image = shade(trace, np.array([11, 3, -1]))
    assert (image[30:, 20:] == 200).all()
    assert (image[10:20, :10] == 200).all()
    assert (image == 50).sum() == 3 * 10 * 100


def test_tool_writes_the_drawing(config, model, tmp_path, run_tool, tool_error):
    config.dump(tmp_path / 'small.py')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'small.pth')
    out = tmp_path / 'kept.png'
    options = ['--model', tmp_path / 'small.py', '--bbox', 2, 24, 195, 205]
    small = ['--checkpoint', tmp_path / 'small.pth']
    run_tool('draw_kept_patches', IMAGE, out, *options, *small)
    height, width, _ = cv2.imread(str(out)).shape
    assert (height, width) == (1440, 1200)
    error = tool_error('draw_kept_patches', IMAGE, out, *options)
    assert 'is a config without weights' in error
    run_tool('draw_kept_patches', IMAGE, out)
