"""Toes, heels, hands and noses: exact recovery, standing feet, exports."""

from dataclasses import replace

import numpy as np
import pytest
from paths import DEMO
from rendered_clips import make_clip
from scipy.spatial.transform import Rotation

from mmhot.chain.lifting.world import to_world
from mmhot.chain.poses.extremities import SKELETON, AddJoints
from mmhot.io.lifted import read_lifted
from mmhot.io.writers.rigid_skeleton import fit_rig
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.lens import Lens

FOCAL, SIZE = 1200.0, (1280, 720)
HALPE, BODY = get_skeleton('halpe-26'), get_skeleton('h36m-17')
NAMES = [f'{side}_{x}' for side in ('left', 'right') for x in ('big_toe', 'heel')]
# Toes and heels of a person with long feet, in axes side, up, forward, meters.
TOE, HEEL = np.array([-0.02, -0.06, 0.21]), np.array([0.0, -0.07, -0.05])


def walking_feet(yaw: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Walk past a camera: 17 joints (T, 17, 3), and toes and heels (T, 4, 3)."""
    with np.load(DEMO / 'walk.npz') as arrays:
        world = arrays['h36m_world3d'].astype(np.float64)
    angles = np.radians(yaw + np.linspace(0, turn, len(world)))
    turns = Rotation.from_rotvec(angles[:, None] * (0, 0, 1))
    world = world - world[:, :1] * (1, 1, 0)
    world = np.einsum('tij,tkj->tki', turns.as_matrix(), world)
    feet = []
    for side in ('left', 'right'):
        knee, ankle = (world[:, BODY.index(f'{side}_{x}')] for x in ('knee', 'foot'))
        across = world[:, BODY.index('left_hip')] - world[:, BODY.index('right_hip')]
        up = np.array([0.0, 0.0, 1.0])
        # half way between level and square to the shin
        lean = unit_vectors(up + unit_vectors(knee - ankle))
        forward = unit_vectors(np.cross(across, up))
        forward -= (forward * lean).sum(-1, keepdims=True) * lean
        forward = unit_vectors(forward)
        sign = 1 if side == 'left' else -1
        axes = np.stack([sign * np.cross(lean, forward), lean, forward], 1)
        base = ankle + 0.055 * (knee - ankle)
        feet += [base + np.einsum('tai,a->ti', axes, x) for x in (TOE, HEEL)]
    everything = np.concatenate([world, np.stack(feet, 1)], 1)
    # camera axes: x right, y down, z away; 4 m in front, 1.2 m high
    camera = everything[..., [0, 2, 1]] * (1, -1, 1) + (0, 1.2, 4)
    return camera[:, :17], camera[:, 17:]


def project(points: np.ndarray) -> np.ndarray:
    """Project to pixels."""
    return points[..., :2] / points[..., 2:] * FOCAL + np.array(SIZE) / 2


def clips_of(joints: np.ndarray, feet: np.ndarray | None) -> tuple[Clip3D, Clip2D]:
    """Make a lifted clip of true joints, and Halpe's keypoints."""
    count = len(joints)
    keypoints = np.full((count, 26, 2), np.nan)
    for name in BODY.joints:
        meaning = BODY.meanings.get(name, name)
        for index, joint in enumerate(HALPE.joints):
            if HALPE.meanings.get(joint, joint) == meaning:
                keypoints[:, index] = project(joints[:, BODY.index(name)])
    if feet is not None:
        keypoints[:, HALPE.indices(NAMES)] = project(feet)
        for side in ('left', 'right'):
            knee, foot = BODY.index(f'{side}_knee'), BODY.index(f'{side}_foot')
            ankle = 0.945 * joints[:, foot] + 0.055 * joints[:, knee]
            keypoints[:, HALPE.index(f'{side}_ankle')] = project(ankle)
    seen = Clip2D.from_arrays(keypoints, SIZE, 25.0, skeleton='halpe-26')
    lifted, scores, _ = convert_keypoints(
        keypoints, np.ones((count, 26)), 'halpe-26', 'h36m-17'
    )
    is_seen = np.isfinite(lifted).all(-1)
    pixels = np.where(is_seen[..., None], lifted, project(joints))
    clip = make_clip(
        joints - joints[:, :1],
        pixels,
        keypoint_scores_3d=is_seen.astype(np.float32),
        scores=is_seen.astype(np.float32),
        root_3d=joints[:, 0].astype(np.float32),
    )
    clip = replace(clip, lens=Lens.pinhole(FOCAL, clip.width, clip.height))
    return clip, seen


@pytest.mark.parametrize(('yaw', 'turn'), [(60, 0), (0, 180), (90, 360)])
def test_projected_feet_are_recovered(yaw, turn):
    joints, feet = walking_feet(yaw, turn)
    clip = AddJoints().extend(*clips_of(joints, feet))
    places = clip.places()[:, SKELETON.indices(NAMES)]
    assert np.linalg.norm(places - feet, axis=-1).mean() < 0.01
    assert (clip.scores[:, SKELETON.indices(NAMES)] == 1).all()
    # the same feet, so the same length in all frames
    for side in ('left', 'right'):
        toe, heel = (SKELETON.index(f'{side}_{x}') for x in ('big_toe', 'heel'))
        soles = clip.keypoints_3d[:, toe] - clip.keypoints_3d[:, heel]
        assert np.linalg.norm(soles, axis=-1).std() < 0.004


def test_feet_without_keypoints_point_forward_and_have_no_score():
    joints, feet = walking_feet(30, 0)
    clip, seen = clips_of(joints, None)
    with_feet = AddJoints().extend(clip, seen)
    assert np.array_equal(with_feet.keypoints_3d[:, :17], clip.keypoints_3d)
    indices = SKELETON.indices(NAMES)
    assert (with_feet.keypoint_scores_3d[:, indices] == 0).all()
    errors = np.linalg.norm(with_feet.places()[:, indices] - feet, axis=-1)
    assert errors.mean() < 0.06
    pixels = project(with_feet.places()[:, indices])
    np.testing.assert_allclose(with_feet.keypoints_2d[:, indices], pixels, atol=0.05)


def test_missing_points_follow_their_neighbors_in_time():
    joints, feet = walking_feet(90, 180)
    clip, seen = clips_of(joints, feet)
    seen.tracks[0].keypoints[40:44, HALPE.index('left_big_toe')] = np.nan
    found = AddJoints().extend(clip, seen)
    toe = SKELETON.index('left_big_toe')
    assert (found.scores[40:44, toe] == 0).all()
    errors = np.linalg.norm(found.places()[40:44, toe] - feet[40:44, 0], axis=-1)
    assert errors.max() < 0.05


@pytest.mark.parametrize('suffix', ['npz', 'json', 'csv', 'trc', 'bvh', 'html'])
def test_every_export_has_toes(suffix, tmp_path):
    clip = AddJoints().extend(*clips_of(*walking_feet(90, 0)))
    (file,) = clip.save(tmp_path / f'walk.{suffix}')
    if suffix == 'npz':
        assert read_lifted(file).joint_names == SKELETON.joints
    else:
        own = {'bvh': 'LeftToeBase', 'html': 'left big toe'}
        toe = own.get(suffix, 'left_big_toe')
        assert toe in file.read_text(encoding='utf-8')


def test_bones_of_rigs_point_at_toes_hands_and_noses():
    clip = to_world(AddJoints().extend(*clips_of(*walking_feet(90, 90))))
    positions = clip.places().astype(np.float64)
    _, axes = fit_rig(positions, HUMAN_IK).placed()
    seen = dict(zip(SKELETON.joints, positions.swapaxes(0, 1), strict=True))
    for side in ('left', 'right'):
        sole = unit_vectors(seen[f'{side}_big_toe'] - seen[f'{side}_heel'])
        foot = axes[:, HUMAN_IK.joints.index(f'{side}_foot')]
        # feet of resting ankles turn less about the vertical
        np.testing.assert_allclose(foot[..., 2, 2], sole[..., 2], atol=1e-9)
        angles = np.degrees(np.arccos((foot[..., 2] * sole).sum(-1).clip(-1, 1)))
        assert angles.mean() < 2
        assert angles.max() < 8
        assert np.linalg.det(foot).min() > 0.999
    head = axes[:, HUMAN_IK.joints.index('neck_base')]
    ahead = seen['nose'] - seen['neck_base']
    assert ((head[..., 2] * ahead).sum(-1) > 0).mean() > 0.95
