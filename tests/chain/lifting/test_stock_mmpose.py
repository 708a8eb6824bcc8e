"""Our lifters in MMPose's own functions and inferencers."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.apis import MMPoseInferencer, inference_pose_lifter_model, init_model
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample
from paths import MMPOSE, ROOT

from mmhot import compat
from mmhot.chain.lifting.lifter import Lifter
from mmhot.datasets.h36m import h36m_metainfo
from mmhot.weights.index import LIVE_LIFTER

RTMPOSE = (
    MMPOSE
    / 'configs/body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py'
)
CONFIGS = ROOT / 'configs/body_3d_keypoint'
LIFTERS = CONFIGS / 'nanohtnet/cmu_mocap'
WILD = LIFTERS / 'nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'
PUBLISHED = LIFTERS / 'nanohtnet_27frm-keep3_1xb256-49e_cmu.py'
SIZE = (1280, 720)


@pytest.fixture(autouse=True, scope='module')
def _shims():
    """Install the shims again that another module may have reverted."""
    with compat.shims():
        yield


@pytest.fixture(scope='module')
def lifter():
    return init_model(str(WILD), f'mmhot://{LIVE_LIFTER}', device='cpu')


def walk(num_frames, size=250.0, place=(800.0, 300.0)):
    """Return keypoints (T, 17, 2) of a person with small motions."""
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 0.25, (17, 2))
    motion = rng.normal(0, 0.02, (num_frames, 17, 2)).cumsum(0)
    return ((pose + motion) * size + place).astype(np.float32)


def samples(keypoints, box):
    """Return data samples as MMPose's 2D models do, one person per frame."""
    frames = []
    for pose in keypoints:
        instances = InstanceData(
            keypoints=pose[None],
            keypoint_scores=np.ones((1, 17), np.float32),
            bboxes=np.array([box], np.float32),
        )
        frames.append([PoseDataSample(pred_instances=instances, track_id=0)])
        frames[-1][0].gt_instances = InstanceData()
    return frames


def lift(model, keypoints, box, size=SIZE, norm=False):
    """Return the instances that MMPose's own function predicts."""
    people = samples(keypoints, box)
    (sample,) = inference_pose_lifter_model(
        model, people, image_size=size, norm_pose_2d=norm
    )
    return sample.pred_instances


def test_metainfo_equals_mmposes_except_for_the_box():
    ours = parse_pose_metainfo(h36m_metainfo())
    path = MMPOSE / 'configs/_base_/datasets/h36m.py'
    theirs = parse_pose_metainfo(dict(from_file=str(path)))
    assert ours['stats_info'].keys() == theirs['stats_info'].keys()
    for info in (ours, theirs):
        del info['stats_info']
        colors = info.pop('skeleton_link_colors').tolist()
        links = info.pop('skeleton_links')
        info['links'] = {link: tuple(x) for link, x in zip(links, colors, strict=True)}
        info['flip_pairs'] = {frozenset(pair) for pair in info['flip_pairs']}
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)
    assert ours.keys() == theirs.keys()


def test_mmposes_inference_of_pixels_equals_the_lifters(lifter):
    keypoints = walk(81)
    found = lift(lifter, keypoints, (0, 0, 9, 9)).keypoints
    camera = dict(w=SIZE[0], h=SIZE[1])
    with torch.inference_mode():
        (ours,) = Lifter(LIVE_LIFTER).predict(keypoints[None], camera)
    np.testing.assert_allclose(found, ours[[len(ours) // 2]], atol=1e-5)


def test_person_in_the_box_of_human36m_is_lifted_alike_with_normalization():
    """With the published units, which do not use intrinsics."""
    torch.manual_seed(0)
    published = init_model(str(PUBLISHED), device='cpu')
    box = (328.0, 227.0, 728.0, 627.0)
    keypoints = walk(27, 200.0, (528.0, 427.0))
    plain = lift(published, keypoints, box, (1000, 1000)).keypoints
    normalized = lift(published, keypoints, box, norm=True).keypoints
    np.testing.assert_allclose(plain, normalized, atol=1e-5)
    assert np.abs(plain).max() > 0.01


def test_normalized_person_is_lifted_as_in_the_image_center(lifter, monkeypatch):
    """With the canonical framing, which rotates people onto the optical axis."""
    metainfo = parse_pose_metainfo(h36m_metainfo())
    monkeypatch.setattr(lifter, 'dataset_meta', metainfo)
    box = np.array([100.0, 0.0, 700.0, 600.0])
    keypoints = walk(81, 300.0, (400.0, 300.0))
    moved = lift(lifter, keypoints, box, norm=True).keypoints
    # the same person in the image center, of the size in Human3.6M
    middle = (keypoints - (400, 300)) * (400 / 600) + 500
    centered = lift(lifter, middle, box, (1000, 1000)).keypoints
    np.testing.assert_allclose(moved, centered, atol=1e-4)


@pytest.mark.parametrize(
    'name',
    [
        'mixste/cmu_mocap/mixste-xs_81frm_1xb8-10e_cmu-wild.py',
        'motionagformer/cmu_mocap/hot-motionagformer-xs_27frm-keep9_1xb16-60e_cmu.py',
        'motionagformer/h36m/motionagformer-xs_27frm_1xb16-60e_h36m-sh.py',
        'mhformer/h36m/mhformer_27frm_1xb128-20e_h36m-cpn.py',
        'video_pose_lift/cmu_mocap/video-pose-lift_tcn-27frm_1xb32-10e_cmu-wild.py',
    ],
    ids=lambda name: '-'.join(name.split('/')[:2]),
)
def test_models_of_many_output_frames_return_the_center_one(name):
    torch.manual_seed(0)
    model = init_model(str(CONFIGS / name), device='cpu')
    keypoints = walk(model.cfg.test_dataloader.dataset.seq_len)
    for norm in (True, False):
        found = lift(model, keypoints, (600.0, 100.0, 1000.0, 500.0), norm=norm)
        assert found.keypoints.shape == (1, 17, 3)
        assert found.keypoint_scores.shape == (1, 17)
        assert 0.05 < np.abs(found.keypoints).max() < 10


@pytest.fixture(scope='module')
def inferencer():
    """Build MMPose's inferencer with an untrained 2D model."""
    return MMPoseInferencer(
        pose2d=str(RTMPOSE),
        pose3d=str(WILD),
        pose3d_weights=f'mmhot://{LIVE_LIFTER}',
        det_model='whole_image',
        device='cpu',
    )


@pytest.mark.parametrize('options', [{}, {'disable_norm_pose_2d': True}])
def test_inferencer_lifts_an_image(options, inferencer, tmp_path):
    image = np.full((240, 320, 3), 200, np.uint8)  # a stick figure
    cv2.circle(image, (160, 60), 20, (80, 120, 200), -1)
    cv2.rectangle(image, (140, 80), (180, 160), (200, 60, 60), -1)
    path = str(tmp_path / 'person.png')
    cv2.imwrite(path, image)
    out = str(tmp_path / 'out')
    (result,) = inferencer(path, return_vis=True, out_dir=out, **options)
    ((instance,),) = result['predictions']
    assert np.shape(instance['keypoints']) == (17, 3)
    assert np.isfinite(instance['keypoints']).all()
    assert len(np.unique(result['visualization'][0])) > 20
    assert (tmp_path / 'out/predictions/person.json').is_file()
    assert (tmp_path / 'out/visualizations/person.png').is_file()
