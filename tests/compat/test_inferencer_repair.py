"""``repair_inferencer``: MMPose's 3D inferencer before and after the fix."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import mmpose
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.apis import MMPoseInferencer, convert_keypoint_definition
from mmpose.apis.inferencers import mmpose_inferencer, pose3d_inferencer
from mmpose.structures import PoseDataSample
from numpy.testing import assert_allclose
from video_files import write_video

from mmhot import compat
from mmhot.lifting.lifter import Lifter
from mmhot.weights.index import LIVE_LIFTER

CONFIGS = Path(__file__).parents[2] / 'configs/body_3d_keypoint'
WILD = CONFIGS / 'nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-30e_cmu-wild.py'
SIZE = (64, 48)
NUM_FRAMES = 12


@pytest.fixture(autouse=True)
def _restore_mmpose():
    yield
    compat._undo.pop('inferencer', lambda: None)()


def walks(num_people=1, num_frames=NUM_FRAMES):
    """Return COCO keypoints (T, P, 17, 2) of people who move side by side."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 4, (1, num_people, 17, 2)) + (10, 20)
    motion = rng.normal(0, 0.3, (num_frames, num_people, 17, 2)).cumsum(0)
    places = np.stack([24 * np.arange(num_people), np.zeros(num_people)], -1)
    drift = np.stack([np.linspace(0, 8, num_frames), np.zeros(num_frames)], -1)
    return poses + motion + places[:, None] + drift[:, None, None]


class Pose2D:
    """Replacement of ``Pose2DInferencer`` that returns known poses (T, P, 17, 2).

    Frames without people have a box of the whole image, as in MMPose.
    """

    detector = object()
    model = SimpleNamespace(dataset_meta=dict(dataset_name='coco'))

    def __init__(self, poses, hidden=()):
        self.poses = poses
        self.hidden = hidden
        self.asked = count()

    def __call__(self, image, **options):
        assert options['return_datasamples']
        assert not options['merge_results']
        frame = next(self.asked) % len(self.poses)
        found = self.poses[frame]
        samples = [sample(pose) for pose in found[:: (-1) ** frame]]  # order changes
        if frame in self.hidden:
            box = np.float32([[0, 0, *SIZE]])
            samples = [sample(found[0] + 5, box, 1.0)]
        yield {'predictions': samples}


def sample(pose, box=None, score=0.9):
    if box is None:
        box = np.concatenate([pose.min(0), pose.max(0)]).astype(np.float32)[None]
    person = PoseDataSample(metainfo=dict(ori_shape=SIZE[::-1], img_path='0.jpg'))
    person.gt_instances = InstanceData()
    person.pred_instances = InstanceData(
        keypoints=pose[None].astype(np.float32),
        keypoint_scores=np.full((1, 17), 0.9, np.float32),
        bboxes=box,
        bbox_scores=np.float32([score]),
    )
    return person


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    images = [np.full((*SIZE[::-1], 3), 99, np.uint8)] * NUM_FRAMES
    return str(write_video(tmp_path_factory.mktemp('video') / 'video.mp4', images))


@pytest.fixture
def build(monkeypatch):
    """Build MMPose's inferencer with a given 2D model."""

    def make(pose2d):
        monkeypatch.setattr(
            pose3d_inferencer, 'Pose2DInferencer', lambda *_, **__: pose2d
        )
        return MMPoseInferencer(
            pose3d=str(WILD), pose3d_weights=f'mmhot://{LIVE_LIFTER}', device='cpu'
        )

    return make


@pytest.fixture(scope='module')
def lifter():
    return Lifter(LIVE_LIFTER)


def run(inferencer, video, **options):
    options.setdefault('disable_norm_pose_2d', True)
    return [result['predictions'][0] for result in inferencer(video, **options)]


def lift_window(lifter, poses, frame, steps):
    """Lift one frame (17, 3) from a window of frames at ``steps`` from it.

    In MMPose's axes, with the lowest joint at height 0.
    """
    frames = np.clip(frame + steps, 0, len(poses) - 1)
    window = convert_keypoint_definition(poses, 'coco', 'h36m')[frames]
    with torch.inference_mode():
        lifted = lifter.predict(
            window[None].astype(np.float32), dict(w=SIZE[0], h=SIZE[1])
        )[0]
    pose = lifted[len(lifted) // 2][:, [0, 2, 1]] * [-1, 1, -1]
    return pose - [0, 0, pose[:, 2].min()]


def lift_all(lifter, poses, steps):
    return np.stack([lift_window(lifter, poses, n, steps) for n in range(len(poses))])


def test_stock_lifts_repeated_frames_and_repaired_true_windows(build, video, lifter):
    poses = walks(num_frames=2 * NUM_FRAMES)
    videos = poses[:NUM_FRAMES, 0], poses[NUM_FRAMES:, 0]
    around = np.arange(-40, 41)
    true = [lift_all(lifter, poses, around) for poses in videos]
    repeated = lift_all(lifter, videos[0], 0 * around)
    assert np.linalg.norm(true[0] - repeated, axis=-1).mean() > 0.01  # meters

    before = run(build(Pose2D(poses)), video)
    assert_allclose([one['keypoints'] for (one,) in before], repeated, atol=1e-5)
    assert 'track_id' not in before[0][0]
    with compat.repair_inferencer():
        repaired = build(Pose2D(poses))
    for expected in true:  # the second video does not use frames of the first
        after = run(repaired, video)
        assert_allclose([one['keypoints'] for (one,) in after], expected, atol=1e-5)
    assert mmpose_inferencer.Pose3DInferencer is pose3d_inferencer.Pose3DInferencer


def test_repaired_tracks_people(build, video, lifter):
    poses = walks(2)
    with compat.repair_inferencer():
        found = run(build(Pose2D(poses)), video)
        samples = run(build(Pose2D(poses)), video, return_datasamples=True)
    around = np.arange(-40, 41)
    expected = [lift_all(lifter, poses[:, person], around) for person in range(2)]
    for frame, people in enumerate(found):
        assert [one['track_id'] for one in people] == [0, 1]
        for person, one in enumerate(people):
            assert_allclose(one['keypoints'], expected[person][frame], atol=1e-5)
        assert samples[frame].pred_instances.track_ids.tolist() == [0, 1]


def test_windows_interpolate_frames_without_detection(build, video, lifter):
    poses = walks()
    with compat.repair_inferencer():
        found = run(build(Pose2D(poses, hidden=[5])), video)
    ids = [one['track_id'] for (one,) in found]
    assert set(ids[:5] + ids[6:]) == {0}
    assert ids[5] != 0
    poses[5] = (poses[4] + poses[6]) / 2
    true = lift_all(lifter, poses[:, 0], np.arange(-40, 41))
    for frame in (4, 6, 11):
        assert_allclose(found[frame][0]['keypoints'], true[frame], atol=1e-5)


def test_windows_repeat_the_last_pose_of_a_track(build, video, lifter):
    poses = walks()
    with compat.repair_inferencer():
        found = run(build(Pose2D(poses, hidden=[9, 10, 11])), video)
    true = lift_all(lifter, poses[:9, 0], np.arange(-40, 41))
    assert_allclose([one['keypoints'] for (one,) in found[:9]], true, atol=1e-5)


def test_images_are_lifted_as_by_mmpose(build, lifter):
    poses = walks()
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    with compat.repair_inferencer():
        (found,) = run(build(Pose2D(poses)), image)
    expected = lift_window(lifter, poses[:, 0], 0, np.zeros(81, int))
    assert_allclose(found[0]['keypoints'], expected, atol=1e-5)


def test_repair_is_reversible_and_nested():
    stock = pose3d_inferencer.Pose3DInferencer
    assert compat.states()['inferencer'] == 'on request'
    compat.apply()
    assert mmpose_inferencer.Pose3DInferencer is stock
    outer = compat.repair_inferencer()
    assert issubclass(mmpose_inferencer.Pose3DInferencer, stock)
    with compat.repair_inferencer():
        pass
    assert mmpose_inferencer.Pose3DInferencer is not stock
    assert compat.states()['inferencer'] == 'in place'
    outer.close()
    outer.close()
    assert mmpose_inferencer.Pose3DInferencer is stock


def test_other_versions_are_refused(monkeypatch):
    monkeypatch.setattr(mmpose, '__version__', '1.4.0')
    with pytest.raises(
        ValueError, match=r'for MMPose 1\.3\.2, and 1\.4\.0 is installed$'
    ):
        compat.repair_inferencer()
    assert 'inferencer' not in compat.applied()
