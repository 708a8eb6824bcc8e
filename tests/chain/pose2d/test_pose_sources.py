"""Detectors and 2D pose estimators by name, config and file."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import torch
from tiny_pose_model import BLUE, POSE, RED, red_finder, spotted, write
from torch import nn

from mmhot.chain.pose2d import pose_source as choose
from mmhot.chain.pose2d.detectors import PoseVerifiedDetector
from mmhot.chain.pose2d.mmpose_models import MMPoseDetector, MMPoseEstimator
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.pose2d.pose_source import open_pose_source
from mmhot.weights import names
from mmhot.weights.index import FOLDER
from mmhot.weights.names import resolve

GTPT = 'gtpt-t_4xb64-300e_coco-256x192'
RTMPOSE = 'rtmpose-t_8xb256-420e_aic-coco-256x192'
DETECTOR = dict(
    model=dict(type='RTMDet', backbone=dict()),
    test_dataloader=dict(
        dataset=dict(
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmdet.Resize', scale=(64, 64), keep_ratio=True),
                dict(
                    type='mmdet.PackDetInputs', meta_keys=('ori_shape', 'scale_factor')
                ),
            ]
        )
    ),
)


def pose_model(name, weights=None):
    return MMPoseEstimator(resolve(name, names.POSE, weights))


def detector_of(path, weights):
    return MMPoseDetector(resolve(path, names.DETECTOR, weights))


def test_mmpose_models_get_colors_and_positions_right(tmp_path):
    path, weights = write(tmp_path, POSE, red_finder())
    model = pose_model(path, weights)
    model.batch_size = 2
    assert (model.skeleton, model.name) == ('coco-17', 'tiny')
    images = [
        spotted((40, 30, RED), (60, 50, BLUE), (100, 60, RED)),
        spotted(),
        spotted((20, 70, RED)),
    ]
    boxes = [[[20, 10, 70, 80], [75, 20, 119, 89]], np.zeros((0, 4)), [[5, 40, 40, 89]]]
    poses = model(images, [np.float32(of_image) for of_image in boxes])
    assert [keypoints.shape for keypoints, _ in poses] == [
        (2, 17, 2),
        (0, 17, 2),
        (1, 17, 2),
    ]
    # a cell of the heatmap is at most 6 pixels
    np.testing.assert_allclose(poses[0][0][0], [[40, 30]] * 17, atol=4)
    np.testing.assert_allclose(poses[0][0][1], [[100, 60]] * 17, atol=4)
    np.testing.assert_allclose(poses[2][0][0], [[20, 70]] * 17, atol=4)
    assert poses[0][1].min() > 0.5
    alone = model(images[:1], [np.float32(boxes[0][1:])])
    np.testing.assert_allclose(alone[0][0][0], poses[0][0][1], atol=1e-4)


def test_usual_crops_are_cut_as_by_mmposes_transforms():
    model, random = pose_model('gtpt-t'), np.random.default_rng(0)
    image = random.integers(0, 255, (90, 120, 3), np.uint8)
    corners = random.uniform(-20, 60, (20, 2))
    boxes = np.float32(np.hstack([corners, corners + random.uniform(2, 90, (20, 2))]))
    cuts = [model._cut((image, box)) for box in boxes]
    assert model._affine == ((192, 256), 1.1)
    model._affine = None
    for box, cut in zip(boxes, cuts, strict=True):
        expected = model._cut((image, box))
        for name in ('img', 'input_size', 'input_scale', 'input_center'):
            np.testing.assert_array_equal(cut[name], expected[name])


def test_identity_depends_on_weights_and_config(tmp_path):
    path, weights = write(tmp_path, POSE, red_finder())
    facts = pose_model(path, weights).identity
    assert facts['name'] == 'tiny'
    torch.save({'state_dict': red_finder(), 'more': 1}, weights)
    assert pose_model(path, weights).identity == facts
    changed = red_finder()
    changed[next(iter(changed))] += 0.01
    torch.save({'state_dict': changed}, weights)
    assert pose_model(path, weights).identity != facts
    torch.save({'state_dict': red_finder()}, weights)
    text = path.read_text()
    path.write_text(f'{text}\nmodel["test_cfg"] = dict(flip_test=True)\n')
    assert pose_model(path, weights).identity != facts


class FoundByMMDet(nn.Module):
    """A detector that finds a person, a doubtful one and a dog."""

    dataset_meta = {}

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.seen = []

    def test_step(self, batch):
        self.seen.append(batch['inputs'])
        found = SimpleNamespace(
            bboxes=torch.tensor([[1.0, 2, 300, 40], [5, 5, 9, 9], [0, 0, 8, 8]]),
            scores=torch.tensor([0.9, 0.2, 0.8]),
            labels=torch.tensor([1, 1, 0]),
        )
        return [SimpleNamespace(pred_instances=found)] * len(batch['inputs'])


def test_mmdet_detectors_find_people_or_their_own_objects(tmp_path, monkeypatch):
    stand_in = FoundByMMDet()
    monkeypatch.setattr('mmdet.apis.init_detector', lambda *_, **__: stand_in)
    meta = {'dataset_meta': {'classes': ('dog', 'person')}}
    path, weights = write(tmp_path, DETECTOR, stand_in.state_dict(), meta)
    detections = detector_of(path, weights)([spotted((60, 45, RED))] * 2)
    for boxes, scores in detections:
        np.testing.assert_allclose(boxes, [[1, 2, 120, 40]])
        np.testing.assert_allclose(scores, [0.9])
    ((first, _),) = stand_in.seen
    assert first.shape == (3, 48, 64)
    assert first[:, 24, 32].tolist() == [0, 0, 255]  # still BGR, as MMDetection wants
    meta['dataset_meta']['classes'] = ('dog', 'cat')
    path, weights = write(tmp_path, DETECTOR, stand_in.state_dict(), meta)
    ((boxes, scores),) = detector_of(path, weights)([spotted((60, 45, RED))])
    # all of one's own objects
    np.testing.assert_allclose(boxes, [[1, 2, 120, 40], [0, 0, 8, 8]])
    np.testing.assert_allclose(scores, [0.9, 0.8])
    config = deepcopy(DETECTOR)  # the names of weights alone are in the config
    config['test_dataloader']['dataset']['metainfo'] = meta['dataset_meta']
    path, weights = write(tmp_path, config, stand_in.state_dict(), {})
    assert detector_of(path, weights).labels == [0, 1]


def test_names_are_looked_up_in_our_index_and_mmposes():
    assert resolve(GTPT, names.POSE).config.is_relative_to(FOLDER)
    theirs = resolve(RTMPOSE, names.POSE)
    assert theirs.config.is_file()
    assert theirs.weights.endswith('.pth')
    assert (
        resolve('human', names.POSE).config.stem
        == 'rtmpose-m_8xb256-420e_body8-256x192'
    )
    named = resolve(f'mmpose::body_2d_keypoint/rtmpose/coco/{RTMPOSE}.py', names.POSE)
    assert (named.config, named.weights) == (theirs.config, '')
    assert resolve('rtmdet-m', names.DETECTOR).weights.startswith('https://')
    detector = resolve('rtmdet-nano_1xb32-12e_rendered-320x320', names.DETECTOR)
    assert detector.config.is_relative_to(FOLDER)


@pytest.mark.parametrize(
    ('task', 'name', 'kind', 'message'),
    [
        (names.POSE, 'gtpt-t_4xb64', ValueError, 'no|neither a file nor a 2D mod'),
        (names.POSE, 'a/none.py', FileNotFoundError, r'none\.py does not exist'),
        (names.POSE, __file__ + 'x', ValueError, 'neither a file nor a 2D model'),
        (names.DETECTOR, 'rtmdet-mm', ValueError, 'did you mean rtmdet-m'),
    ],
)
def test_unknown_names_get_a_hint(task, name, kind, message):
    with pytest.raises(kind, match=message):
        resolve(name, task)


def test_models_without_weights_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    with pytest.raises(ValueError, match='has no published weights: .*pose2d_weights'):
        pose_model(GTPT)

    def offline(*_, **__):
        raise OSError('no route\nto host')

    monkeypatch.setattr('urllib.request.urlopen', offline)
    message = r'cannot be downloaded \(no route to host\): copy the file to .*, or give'
    with pytest.raises(ValueError, match=message):
        pose_model(GTPT, 'https://a/b.pth')


def test_shipped_weights_need_no_detector_and_nothing_installed():
    by_itself = open_pose_source(Pose2DOptions())
    named = open_pose_source(Pose2DOptions(pose2d='gtpt-t'))
    for own, other in zip(by_itself, named, strict=True):
        assert own.identity == other.identity
    name = 'gtpt-t_coco17_synth'
    found = 'rtmdet-nano_1xb32-12e_rendered-320x320'
    detector, estimator = by_itself
    assert estimator.name == name
    assert detector.name == f'{found}, verified by {name}'
    assert detector.detector.min_score == 0.05


@pytest.mark.parametrize('spelling', ['name', 'file', 'folder', 'config'])
def test_no_spelling_of_a_model_downloads_a_detector(spelling, tmp_path, monkeypatch):
    monkeypatch.setattr('urllib.request.urlopen', None)
    shipped = resolve('gtpt-t', names.POSE)
    onnx.save(onnx.load(shipped.graph), tmp_path / 'end2end.onnx')
    spelled = dict(
        name='gtpt-t',
        file=str(shipped.graph),
        folder=str(tmp_path),
        config=str(shipped.config),
    )
    weights = str(shipped.weights) if spelling == 'config' else None
    options = Pose2DOptions(pose2d=spelled[spelling], pose2d_weights=weights)
    detector, estimator = open_pose_source(options)
    assert isinstance(detector, PoseVerifiedDetector)
    assert detector.estimator is estimator


OTHER = dict(
    pose2d='some.onnx',
    pose2d_weights='a.pth',
    pose2d_skeleton='halpe-26',
    det_model='other.onnx',
    det_weights='a.pth',
    device='cuda',
    backend='torch',
    speed='fast',
)


@pytest.mark.parametrize('name', OTHER)
def test_each_option_reaches_the_models(name, monkeypatch):
    """Files, weights and settings with which the back ends are called differ."""
    calls = []

    def record(*arguments):
        calls.append(arguments[:3])
        return SimpleNamespace(skeleton=arguments[2], has_score_curve=False)

    class Graph(NamedTuple):
        path: str

    monkeypatch.setattr(choose, 'resolve', lambda *names: Graph(str(names)))
    runtime = lambda model, *chosen: Path(f'{model.path} {chosen}')  # noqa: E731
    monkeypatch.setattr(choose, 'runtime', runtime)
    monkeypatch.setattr(choose, 'pruned_graph', lambda *_: Path(__file__))
    monkeypatch.setattr(choose, 'OnnxPoseEstimator', record)
    monkeypatch.setattr(choose, 'OnnxDetector', record)
    usual = Pose2DOptions(pose2d='gtpt-t', det_model='a.onnx', pose2d_skeleton='b')
    changed = replace(usual, **{name: OTHER[name]})
    # a graph with other keep rates replaces the file that the back end runs
    for options in (usual, changed):
        choose.open_pose_source(options)
    assert len(calls) == 4
    assert calls[:2] != calls[2:]


def test_fast_estimation_does_not_affect_others(tmp_path):
    config = deepcopy(POSE)
    config['model']['test_cfg']['flip_test'] = True
    meta = {'dataset_meta': dict(dataset_name='coco', num_keypoints=17)}
    meta['dataset_meta']['flip_indices'] = list(range(17))
    model = pose_model(*write(tmp_path, config, red_finder(), meta))
    image, box = spotted((40, 30, RED)), np.float32([[20, 10, 70, 80]])
    head, flips = model.model.head, []
    predict = head.predict

    def nested(feats, samples, test_cfg):
        flips.append((test_cfg['flip_test'], isinstance(feats, list)))
        if len(flips) == 1:  # as another thread would
            model([image], [box])
        return predict(feats, samples, test_cfg=test_cfg)

    head.predict = nested
    model.estimate_fast([image], [box])
    model([image], [box])
    assert flips == [(False, False), (True, True), (True, True)]
