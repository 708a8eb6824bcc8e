"""Motion capture as other tools estimate it: noisy, with a drifting depth and gaps."""

import numpy as np
from feet import NAMES, simulate_feet
from mocap import KICK, joints_of

from mmhot.chain.poses.contacts import ANKLES
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D
from tools.motion_quality import find_contacts, foot_slide, jitter

_BODY, _MHR = get_skeleton('h36m-17'), get_skeleton('mhr-70')
FPS, SIZE, FOCAL = 50.0, (1280, 720), 1100.0
# Meters: noise of each coordinate in each frame, amplitude of the depth's drift.
NOISE, DRIFT = 0.02, 0.05


def spoil(true, seed=0):
    """Return poses (T', K, 3) with noise and gaps, of places (T, K, 3), and frames.

    The second axis is the depth; gaps are 8 frames long, once in 60.
    """
    rng = np.random.default_rng(seed)
    frames = np.arange(len(true))
    noisy = true + rng.normal(0, NOISE, true.shape)
    drift = DRIFT * np.sin(np.pi / 2 * frames / FPS + rng.uniform(0, 6))
    noisy[..., 1] += drift[:, None]
    kept = (frames - 40) % 60 >= 8
    return noisy[kept], frames[kept]


def measure(places, frames, true):
    """Return MPJPE and the error of positions in mm, acceleration, and slide in cm/s.

    ``true`` has all frames, (T, 17, 3), z up.
    """
    stands, near = find_contacts(true[:, ANKLES], FPS)[frames], true[frames]
    relative = (places - places[:, :1]) - (near - near[:, :1])
    errors = (
        1000 * np.linalg.norm(x, axis=-1).mean() for x in (relative, places - near)
    )
    slide = foot_slide(places[:, ANKLES], stands, frames, FPS)
    return [*(1000 * x for x in errors), jitter(places, frames, FPS), slide]


def mhr_places(true):
    """Place the joints of ``mhr-70`` (T, 70, 3) at a person (T, 17, 3), z up."""
    joints = dict(zip(_BODY.joints, np.swapaxes(true, 0, 1), strict=True))
    joints |= zip(NAMES, simulate_feet(true, FPS).swapaxes(0, 1), strict=True)
    across = joints['left_shoulder'] - joints['right_shoulder']
    joints['nose'] = joints['neck_base']
    joints['neck'] = joints['thorax']
    for side, sign in (('left', 1), ('right', -1)):
        joints[f'{side}_ankle'] = joints[f'{side}_foot']
        joints[f'{side}_small_toe'] = joints[f'{side}_big_toe'] + 0.1 * sign * across
        for part, share in (('eye', 0.1), ('ear', 0.2)):
            joints[f'{side}_{part}'] = joints['neck_base'] + share * sign * across
        joints[f'{side}_acromion'] = joints[f'{side}_shoulder']
        for part in ('olecranon', 'cubital_fossa'):
            joints[f'{side}_{part}'] = joints[f'{side}_elbow']
        forearm = joints[f'{side}_wrist'] - joints[f'{side}_elbow']
        for name in _MHR.groups[f'{side}_hand'][1:]:
            share = 0.3 + 0.1 * int(name[-1])
            joints[name] = joints[f'{side}_wrist'] + share * forearm
    return np.stack([joints[name] for name in _MHR.joints], 1)


def sam_results(num_frames=40, people=1, apart=1.5):
    """Results of SAM 3D Body: a list of frames with a list of people, without IDs."""
    true = mhr_places(joints_of(KICK, num_frames))
    # 5 m in front of a camera at a height of 1 m: x right, y down, z away
    places = np.stack([true[..., 0], 1 - true[..., 2], 5 + true[..., 1]], -1)
    rng, frames = np.random.default_rng(0), []
    for pose in places:
        own = []
        for person in rng.permutation(people):
            moved = pose + rng.normal(0, NOISE, pose.shape) + [apart * person, 0, 0]
            flat = moved[:, :2] / moved[:, 2:] * FOCAL + np.divide(SIZE, 2)
            root = moved.mean(0)
            own.append(
                {
                    'bbox': np.r_[flat.min(0), flat.max(0)],
                    'focal_length': np.float32(FOCAL),
                    'pred_keypoints_3d': (moved - root).astype(np.float32),
                    'pred_keypoints_2d': flat.astype(np.float32),
                    'pred_cam_t': root.astype(np.float32),
                    'mask': None,
                }
            )
        frames.append(own)
    return frames


def landmarks(count):
    """Return MediaPipe's points of a kick around the hips, in the image, and the hips.

    They are in meters (T, 33, 3), shares of the image (T, 33, 3), and meters (T, 3).
    """
    true = joints_of(KICK, count)
    places = np.stack([true[..., 0], 1 - true[..., 2], 5 + true[..., 1]], -1)
    names = get_skeleton('mediapipe-33').joints
    body = np.zeros((count, len(names), 3))
    for index, name in enumerate(names):
        side, _, part = name.partition('_')
        part = {'ankle': 'foot', 'heel': 'foot', 'foot_index': 'foot'}.get(part, part)
        part = {'pinky': 'wrist', 'index': 'wrist', 'thumb': 'wrist'}.get(part, part)
        joint = f'{side}_{part}'
        joint = joint if joint in _BODY.joints else 'neck_base'
        body[:, index] = places[:, _BODY.index(joint)]
    image = body[..., :2] / body[..., 2:] * FOCAL / SIZE + 0.5
    hips = body[:, 23:25].mean(1)
    return body - hips[:, None], np.append(image, 0 * image[..., :1], -1), hips


def given_clip(**more):
    """Return the spoiled kick as a clip in world axes."""
    noisy, frames = spoil(joints_of(KICK, 150).astype(np.float64))
    more = dict(frames=frames, axes='world') | more
    return Clip3D.from_arrays(noisy, FPS, **more)
