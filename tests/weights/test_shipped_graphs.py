"""ONNX graphs of the shipped weights: their tensors, and parity with PyTorch."""

import hashlib
from itertools import islice

import numpy as np
import onnx
import pytest
from paths import DEMO

import mmhot
from mmhot.chain.frames.inputs import open_inputs
from mmhot.chain.pose2d.mmpose_models import MMPoseDetector, MMPoseEstimator
from mmhot.chain.pose2d.onnx_detectors import OnnxDetector
from mmhot.chain.pose2d.onnx_models import OnnxPoseEstimator
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.pose2d.pose_source import open_pose_source
from mmhot.chain.pose2d.turned_crops import TurnedCrops
from mmhot.weights import names
from mmhot.weights.index import WEIGHTS_FOLDER, shipped_weights
from mmhot.weights.names import DETECTOR, LIFTER, POSE, resolve, runtime
from tools.export_shipped import WEIGHTS_KEY

LIFTERS = ('nanohtnet', 'tps-tri-motionbert-xs_81frm-keep27_cmu-wild')


@pytest.mark.parametrize('name', shipped_weights())
def test_graphs_have_the_tensors_of_the_checkpoint_beside_them(name):
    """``python -m tools.export_shipped`` writes them again."""
    weights = shipped_weights()[name]
    model = onnx.load(weights.with_suffix('.onnx'), load_external_data=False)
    content, inside = weights.read_bytes(), 0
    for tensor in model.graph.initializer:
        place = {entry.key: entry.value for entry in tensor.external_data}
        size = np.prod(tensor.dims, dtype=int)
        if not place:
            inside += size
            continue
        assert place['location'] == weights.name
        assert int(place['length']) == 2 * size
        start = int(place['offset'])
        values = np.frombuffer(content, np.float16, size, start)
        assert np.isfinite(values).all()
        assert start + 2 * size <= len(content)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts[WEIGHTS_KEY] == hashlib.sha256(content).hexdigest()
    assert inside < 40_000
    assert not [x for x in model.graph.output if x.name.startswith('kept')]


@pytest.mark.parametrize('name', LIFTERS)
@pytest.mark.parametrize('flip_test', [True, False])
def test_lifters_give_the_poses_of_pytorch(name, flip_test):
    clip = mmhot.read_keypoints(DEMO / 'skating_2d_coco17.npz')
    torch, onnx = (
        mmhot.Lifter(name, device='cpu', flip_test=flip_test, backend=backend)
        for backend in ('torch', 'onnx')
    )
    assert (torch.name, torch.stride, torch.fps) == (onnx.name, onnx.stride, onnx.fps)
    expected, found = torch(clip), onnx(clip)
    # meters
    np.testing.assert_allclose(found.keypoints_3d, expected.keypoints_3d, atol=2e-5)
    np.testing.assert_allclose(found.root_3d, expected.root_3d, atol=1e-4)


@pytest.mark.parametrize('flip_test', [True, False])
def test_threads_share_windows_and_give_the_same_poses(flip_test, monkeypatch):
    clip = mmhot.read_keypoints(DEMO / 'skating_2d_coco17.npz')
    poses, sizes = [], []
    for threads in ('1', '3', '4'):
        monkeypatch.setenv('OMP_NUM_THREADS', threads)
        lifter = mmhot.Lifter(device='cpu', flip_test=flip_test, backend='onnx')
        sizes.append(lifter.batch_size)
        poses.append(lifter(clip).keypoints_3d)
    assert sizes == [1, 3, 4]
    np.testing.assert_allclose(poses[1:], poses[:1] * 2, atol=1e-6)


def test_2d_models_give_the_keypoints_of_pytorch():
    (frames,) = open_inputs([str(DEMO / 'walk.mp4')])
    images = [frame.image for frame in islice(frames, 0, 20, 10)]
    options = Pose2DOptions(device='cpu', backend='onnx')
    detector, estimator = open_pose_source(options)
    assert isinstance(detector.detector, OnnxDetector)
    assert isinstance(estimator.estimator, OnnxPoseEstimator)
    expected = MMPoseDetector(resolve('rtmdet-nano-person', DETECTOR), min_score=0.05)
    assert detector.detector.name == expected.name
    for (boxes, scores), (ours, our_scores) in zip(
        expected(images), detector.detector(images), strict=True
    ):
        assert len(boxes) > 0
        np.testing.assert_allclose(ours, boxes, atol=0.01)
        np.testing.assert_allclose(our_scores, scores, atol=1e-5)
    boxes = [own[:1] for own, _ in detector(images)]
    expected = TurnedCrops(MMPoseEstimator(resolve('gtpt-t', POSE)))
    assert estimator.name == expected.name
    pairs = [(estimator, expected), (estimator.estimator, expected.estimator)]
    pairs.append((estimator.estimate_fast, expected.estimate_fast))
    for own, other in pairs:
        both = (estimate(images, boxes) for estimate in (own, other))
        for (points, scores), (wanted, wanted_scores) in zip(*both, strict=True):
            np.testing.assert_allclose(points, wanted, atol=1e-3)
            np.testing.assert_allclose(scores, wanted_scores, atol=1e-4)


@pytest.mark.slow(reason='lifts two videos twice')
@pytest.mark.parametrize('name', ['walk', 'dance'])
def test_videos_have_the_poses_of_pytorch(name):
    """Small differences of back ends do not grow from frame to frame."""
    options = dict(pose2d='gtpt-t', det_model='pose-verified', device='cpu')
    onnx, torch = (
        mmhot.infer(DEMO / f'{name}.mp4', backend=backend, **options)
        for backend in ('onnx', 'torch')
    )
    # meters
    np.testing.assert_allclose(onnx.keypoints_3d, torch.keypoints_3d, atol=1e-4)
    np.testing.assert_allclose(onnx.keypoints_2d, torch.keypoints_2d, atol=0.01)


@pytest.fixture
def machine(monkeypatch, work_folder):
    """Replace what is installed, and the devices of the driver."""
    (work_folder / 'a.pth').touch()

    def use(packages, devices=('cpu',)):
        monkeypatch.setattr(names, 'find_spec', lambda x: x in packages or None)
        monkeypatch.setattr(names, 'list_devices_of_driver', lambda: devices)

    return use


BOTH = ('torch', 'onnxruntime')


@pytest.mark.parametrize(
    ('packages', 'devices', 'options', 'runs'),
    [
        (BOTH, ('cpu',), {}, 'onnx'),
        (BOTH, ('cpu', 'cuda:0'), {}, 'torch'),
        (BOTH, ('cpu', 'cuda:0'), dict(device='cpu'), 'onnx'),
        (BOTH, ('cpu',), dict(device='cuda'), 'torch'),
        (BOTH, ('cpu',), dict(prefers_torch=True), 'torch'),
        (BOTH, ('cpu',), dict(weights='a.pth'), 'torch'),
        (BOTH, ('cpu',), dict(backend='torch'), 'torch'),
        (BOTH, ('cpu', 'cuda:0'), dict(backend='onnx'), 'onnx'),
        (('onnxruntime',), ('cpu', 'cuda:0'), dict(prefers_torch=True), 'onnx'),
    ],
)
def test_choice_of_the_back_end(packages, devices, options, runs, machine):
    machine(packages, devices)
    model = resolve('nanohtnet', LIFTER, options.pop('weights', None))
    found = runtime(model, **options)
    expected = WEIGHTS_FOLDER / 'nanohtnet_81frm-keep9_cmu-wild.onnx'
    assert found == (expected if runs == 'onnx' else None)


def test_other_files_are_no_lifters_and_keep_is_fixed(tmp_path):
    with pytest.raises(ValueError, match=r'coco17_synth.onnx is not a lifter, or'):
        mmhot.Lifter(WEIGHTS_FOLDER / 'gtpt-t_coco17_synth.onnx')
    with pytest.raises(ValueError, match=r'keep=5 needs PyTorch, .* keeps \[27\]'):
        mmhot.Lifter(backend='onnx', keep=5)
    assert mmhot.Lifter(backend='onnx', keep=27).seq_len == 81
    with pytest.raises(FileNotFoundError, match=r'none\.onnx'):
        mmhot.Lifter(tmp_path / 'none.onnx')
