"""Shims are effective, needed and reversible."""

import os
import pickle
import random
import sys
from argparse import Namespace
from collections import defaultdict, deque
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from fresh_python import run_python
from mmengine.config import ConfigDict
from mmengine.dataset import DefaultSampler
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner, load_checkpoint
from pickled_calls import PickledCall
from torch import nn
from torch.utils.data import Dataset

from mmhot import compat
from mmhot.io import pickles


@pytest.fixture(autouse=True)
def _restore_shims():
    before = compat.applied()
    yield
    compat.revert()
    lights = [shim.light for shim in compat.SHIMS if shim.name in before]
    compat.apply(light=all(lights))


class TinyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        return {'loss': self.fc(torch.stack(inputs)).square().mean()}


class TinyDataset(Dataset):
    metainfo = {'sigmas': np.array([0.5, 0.25]), 'names': ('a', 'b')}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {'inputs': torch.full((2,), float(index))}


def test_runner_checkpoint_loads_only_with_the_shim(tmp_path):
    runner = Runner(
        model=TinyModel(),
        work_dir=str(tmp_path),
        train_dataloader=dict(
            dataset=TinyDataset(),
            sampler=dict(type=DefaultSampler, shuffle=True),
            batch_size=2,
            num_workers=0,
        ),
        optim_wrapper=dict(
            type='AmpOptimWrapper' if torch.cuda.is_available() else 'OptimWrapper',
            optimizer=dict(type='Adam', lr=0.01),
        ),
        param_scheduler=dict(type='ExponentialLR', gamma=0.9),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        custom_hooks=[dict(type='EMAHook')],
        log_level='ERROR',
    )
    runner.train()
    checkpoint = tmp_path / 'epoch_1.pth'
    compat.revert()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(checkpoint)
    with compat.shims():
        model = TinyModel()
        loaded = load_checkpoint(model, str(checkpoint), strict=True)
    buffer = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.statistics('mean') == pytest.approx(np.mean(buffer.data[0]))
    np.testing.assert_array_equal(
        loaded['meta']['dataset_meta']['sigmas'], TinyDataset.metainfo['sigmas']
    )
    torch.testing.assert_close(model.fc.weight, loaded['state_dict']['fc.weight'])
    with pytest.raises(pickle.UnpicklingError):
        torch.load(checkpoint)


@pytest.mark.parametrize(
    ('function', 'args', 'named'),
    [
        (os.mkdir, ('MARK',), 'mkdir'),
        (eval, ('__import__("os").mkdir("MARK")',), 'eval'),
        (getattr, (HistoryBuffer, '__init__'), 'getattr'),
        (getattr, (np.ndarray, 'tofile'), 'getattr'),
        (np.load, ('MARK',), 'load'),
    ],
)
@pytest.mark.usefixtures('work_folder')
def test_other_pickles_stay_refused(function, args, named):
    torch.save({'state_dict': PickledCall(function, *args)}, 'evil.pth')
    with compat.shims(), pytest.raises(pickle.UnpicklingError):
        torch.load('evil.pth')
    with pytest.raises(
        ValueError, match=f'^evil.pth: check.* refused.*{named}'
    ) as caught:
        pickles.safe_load('evil.pth')
    assert '\n' not in str(caught.value)
    content = {
        'state_dict': {'fc': torch.ones(2)},
        'more': PickledCall(function, *args),
    }
    torch.save(content, 'evil.pth')
    assert list(pickles.safe_load('evil.pth')) == ['state_dict']
    assert not Path('MARK').exists()


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('zipped', [True, False])
def test_objects_beside_weights_are_left_out(zipped, protocol, tmp_path):
    model = TinyModel()
    kept = {'epoch': 3, 'model_pos': model.state_dict(), 'errors': np.ones(3)}
    others = [
        np.random.RandomState(0),
        np.random.default_rng(0),
        random.Random(0),
        Namespace(path=tmp_path),
        defaultdict(list, a=[1]),
        {1},
        deque([1]),
        ConfigDict(a=1),
        torch.optim.Adam(model.parameters()),
        frozenset([2]),
    ]
    torch.save(
        kept | {str(index): other for index, other in enumerate(others)},
        tmp_path / 'c.pth',
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    loaded = pickles.safe_load(tmp_path / 'c.pth')
    assert set(loaded) >= set(kept)
    assert loaded['epoch'] == 3
    torch.testing.assert_close(loaded['model_pos'], model.state_dict())
    np.testing.assert_array_equal(loaded['errors'], 1)


def draw_with_mmpose():
    """Draw a skeleton with MMPose's 3D visualizer."""
    from mmengine.structures import InstanceData
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmpose.structures import PoseDataSample
    from mmpose.visualization import Pose3dLocalVisualizer

    visualizer = Pose3dLocalVisualizer(name='compat_test')
    visualizer.set_dataset_meta(
        parse_pose_metainfo(dict(from_file='configs/_base_/datasets/h36m.py'))
    )
    keypoints = np.random.default_rng(0).random((1, 17, 3), np.float32)
    sample = PoseDataSample()
    sample.pred_instances = InstanceData(
        keypoints=keypoints, keypoint_scores=np.ones((1, 17), np.float32)
    )
    return visualizer.add_datasample(
        'pose', np.zeros((200, 200, 3), np.uint8), sample, draw_gt=False, draw_2d=False
    )


@pytest.mark.skipif(
    matplotlib.__version_info__ < (3, 10), reason='Matplotlib still has tostring_rgb'
)
def test_mmpose_draws_in_3d_only_with_the_shim():
    compat.revert()
    with pytest.raises(AttributeError, match='tostring_rgb'):
        draw_with_mmpose()
    with compat.shims():
        image = draw_with_mmpose()
    assert image.dtype == np.uint8
    assert len(np.unique(image)) > 20
    assert 'tostring_rgb' not in compat.applied()


def test_shims_are_reverted():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def state():
        safe = set(torch.serialization.get_safe_globals())
        return safe, hasattr(FigureCanvasAgg, 'tostring_rgb'), list(sys.meta_path)

    compat.revert()
    before = state()
    with compat.shims() as names:
        assert names == compat.applied() == compat.apply()
        assert 'checkpoint globals' in names
    assert compat.applied() == ()
    assert state() == before


@pytest.mark.parametrize('first', ['mmhot', 'mmengine.config'])
def test_config_scheme_is_added_in_either_import_order(first):
    code = f"""
import {first}
import mmhot
from mmengine.config.utils import MODULE2PACKAGE
print('mmhot' in MODULE2PACKAGE)
mmhot.compat.revert()
print('mmhot' in MODULE2PACKAGE)
"""
    assert run_python(code) == ['True', 'False']
