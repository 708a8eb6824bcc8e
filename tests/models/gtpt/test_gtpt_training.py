"""Training, resuming, testing and prediction of GTPT by configs and tools."""

import copy
import json
import runpy
import sys

import cv2
import numpy as np
import pytest
import torch
from mmpose.apis import MMPoseInferencer, inference_topdown, init_model
from paths import MMPOSE
from topdown_configs import FOLDER, TINY_GTPT, first_people, overfit, small_training

COCO = 'body_2d_keypoint/gtpt/coco/gtpt-t_*'
WHOLEBODY = 'wholebody_2d_keypoint/gtpt/coco-wholebody/gtpt-t_*'
IMAGE = FOLDER / '000001.png'
# patches of a small crop that remain beside a face's 68 keypoints
MANY_PATCHES = dict(head=dict(patch_size=(2, 2), keep_rates=(1.0, 0.7, 0.5, 0.4)))


def boxes():
    """Return the boxes of people of the first image, (2, 4): corners in pixels."""
    content = json.loads((FOLDER / 'annotations.json').read_text())
    people = [x for x in content['annotations'] if x['image_id'] == 1]
    corners = np.array([person['bbox'] for person in people])
    corners[:, 2:] += corners[:, :2]
    return corners


@pytest.fixture
def tiny(tmp_path):
    """A tiny GTPT's training of two epochs, with all augmentation and averaging."""
    config = small_training(COCO, TINY_GTPT)
    config.train_dataloader.batch_size = 4
    config.train_cfg.max_epochs = 2
    config.train_cfg.val_interval = 1
    config.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=2)
    config.default_hooks.logger.interval = config.log_processor.window_size = 1
    return config


def test_tools_and_inferencers_run(tiny, tmp_path, run_tool):
    tiny.dump(tmp_path / 'c.py')
    model = init_model(copy.deepcopy(tiny), device='cpu')
    checkpoint = tmp_path / 'c.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    out = tmp_path / 'metrics.json'
    run_tool('test', tmp_path / 'c.py', checkpoint, '--out', out)
    assert 0 <= json.loads(out.read_text())['coco/AP'] <= 1
    people = inference_topdown(model, str(IMAGE), boxes())
    assert [len(person.pred_instances) for person in people] == [1, 1]
    inferencer = MMPoseInferencer(
        pose2d=str(tmp_path / 'c.py'),
        pose2d_weights=str(checkpoint),
        det_model='whole_image',
        device='cpu',
    )
    (result,) = inferencer(str(IMAGE), out_dir=str(tmp_path / 'out'))
    (person,) = result['predictions'][0]
    assert np.array(person['keypoints']).shape == (17, 2)
    assert (tmp_path / 'out' / 'visualizations' / IMAGE.name).is_file()


def test_weights_of_another_image_size_are_not_tested(tiny, tmp_path, tool_error):
    tiny.dump(tmp_path / 'c.py')
    state = init_model(copy.deepcopy(tiny), device='cpu').state_dict()
    name = 'head.classify_x.1.weight'
    state[name] = state[name].repeat(2, 1)
    torch.save(dict(state_dict=state), tmp_path / 'c.pth')
    error = tool_error('test', tmp_path / 'c.py', tmp_path / 'c.pth')
    assert f'c.pth is a checkpoint of another model: {name} is (' in error


@pytest.fixture(scope='module')
def overfitted(tmp_path_factory):
    """Config and checkpoint of a GTPT-T overfitted to the drawn people."""
    folder = tmp_path_factory.mktemp('overfitted')
    return train_to_overfit(small_training(COCO), 200, folder)


def train_to_overfit(config, epochs, folder):
    from tools.runner import build_runner

    config = overfit(config, epochs)
    config.work_dir = str(folder)
    config.dump(folder / 'config.py')
    build_runner(config).train()
    return folder / 'config.py', folder / f'epoch_{epochs}.pth'


@pytest.mark.slow(reason='overfits eight people, some minutes')
@pytest.mark.parametrize(
    ('options', 'least'),
    [
        ([], 0.9),
        (['model.test_cfg.keep_rates=[1,1,1,1]'], 0.9),
        ([f'test_dataloader.dataset.bbox_file={FOLDER / "detections.json"}'], 0.4),
    ],
    ids=['as trained', 'without pruning', 'detected boxes'],
)
def test_body_can_be_overfitted(options, least, overfitted, tmp_path, run_tool):
    out = tmp_path / 'metrics.json'
    options = ['--cfg-options', *options] if options else []
    run_tool('test', *overfitted, '--out', out, *options)
    metrics = json.loads(out.read_text())
    assert metrics['coco/AP'] > least
    assert metrics['coco/AR'] > least


@pytest.mark.slow(reason='overfits eight people, some minutes')
def test_mmposes_image_demo_runs(overfitted, tmp_path, monkeypatch):
    demo = MMPOSE / 'demo/image_demo.py'
    drawn = tmp_path / 'drawn.png'
    arguments = [str(IMAGE), *map(str, overfitted), '--out-file', str(drawn)]
    monkeypatch.setattr(sys, 'argv', [str(demo), *arguments, '--device', 'cpu'])
    runpy.run_path(str(demo), run_name='__main__')
    assert cv2.imread(str(drawn)).shape == cv2.imread(str(IMAGE)).shape


@pytest.mark.slow(reason='overfits four people, some minutes')
def test_whole_body_can_be_overfitted(tmp_path, run_tool):
    annotations = first_people(tmp_path, 4)
    config = small_training(WHOLEBODY, MANY_PATCHES, annotations=annotations)
    files = train_to_overfit(config, 400, tmp_path)
    out = tmp_path / 'metrics.json'
    run_tool('test', *files, '--out', out)
    metrics = json.loads(out.read_text())
    assert metrics['coco-wholebody/AP'] > 0.9
    assert metrics['coco-wholebody/body/AP'] > 0.9
