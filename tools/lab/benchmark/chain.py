"""What the chain from a video to 3D is worth: whole clips against single frames."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmhot.clips import Clip2D, Clip3D, Track2D
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.virtual_camera import place_on_floor, project
from mmhot.evaluation.pose_errors import mpjpe, mpjve, p_mpjpe
from mmhot.io.arrays import load_arrays
from mmhot.lens import Lens, settle_lens
from mmhot.lifting.gaps import Segment
from mmhot.video.pipeline import VideoLifter, mask_low_confidence
from tools.lab.benchmark.motions import open_motions
from tools.lab.plausibility import jitter

# What is farther than this part of a person's height from where the person is, in the
# mean of the joints, is somebody else or nobody.
_ELSEWHERE = 0.5
_MOCAP_FPS = 50.0
# Motions are cut to that many frames, so that long ones do not outweigh the others.
_MOST_FRAMES = 400
_LIMBS = ('_shoulder', '_elbow', '_wrist', '_hip', '_knee', '_foot')


@dataclass(frozen=True)
class Truth:
    """Where one person of a clip really is.

    Attributes:
        pixels (np.ndarray): Human3.6M's joints, (T, 17, 2).
        poses (np.ndarray): Around the root, meters in camera axes, (T, 17, 3).
        lens (Lens | None): Of the camera, if that may be known.
    """

    pixels: np.ndarray
    poses: np.ndarray
    lens: Lens | None = None

    @classmethod
    def read(cls, path: Path) -> 'Truth':
        """Read what lies beside a rendered clip, see tests/data/rendered_clips.md."""
        names = ('h36m_2d', 'h36m_cam3d', 'K', 'width', 'height')
        arrays = load_arrays(path, names)
        absent = [name for name in names if name not in arrays]
        if absent:
            raise ValueError(f'{path} is no truth of a clip: it lacks {absent[0]}')
        (fx, _, cx), (_, fy, cy) = arrays['K'][:2].tolist()
        size = int(arrays['width']), int(arrays['height'])
        poses = arrays['h36m_cam3d']
        lens = Lens((fx, fy), (cx, cy), size=size)
        return cls(arrays['h36m_2d'], poses - poses[:, :1], lens)


def lift_variants(
    pipeline: VideoLifter, sure: Clip2D, raw: Clip2D
) -> dict[str, Clip3D]:
    """Lift a clip as ``mmhot infer`` does, smoothed, and without time.

    Args:
        pipeline (VideoLifter): Without smoothing.
        sure (Clip2D): The tracks without keypoints that nobody is sure of.
        raw (Clip2D): The same with all keypoints.

    Returns:
        dict[str, Clip3D]: By name. "one frame repeated" is what MMPose 1.3.2 does with
        videos: every window is the same frame all over, of keypoints as they are.
    """
    return {
        'whole clip': pipeline.lift(sure),
        'keypoints smoothed': replace(pipeline, smooth_2d='butterworth').lift(sure),
        'poses smoothed': replace(pipeline, smooth_3d='butterworth').lift(sure),
        'each frame alone': lift_alone(pipeline, sure, max_gap=1.0),
        'one frame repeated': lift_alone(pipeline, raw, max_gap=0.0),
    }


def lift_alone(pipeline: VideoLifter, clip: Clip2D, max_gap: float) -> Clip3D:
    """Lift every frame as if it were a clip: all of its window is that frame.

    Args:
        pipeline (VideoLifter): Of which the lifter is used.
        clip (Clip2D): Tracked keypoints.
        max_gap (float): Seconds of a track without keypoints that are filled in.
    """
    segments = [
        Segment(whole.track, *(x[row : row + 1] for x in _arrays(whole)))
        for whole in pipeline.lifter.prepare(clip, pipeline.mapping, max_gap)
        for row in range(len(whole.frames))
    ]
    lens = settle_lens(clip.width, clip.height, pipeline.fov, pipeline.intrinsics)
    return pipeline.lifter.lift(clip, segments, lens=lens)


def _arrays(segment: Segment) -> tuple[np.ndarray, ...]:
    return segment.frames, segment.keypoints, segment.scores


def measure(lifted: Clip3D, truth: Truth) -> dict[str, float]:
    """Compare a clip with the truth about its one person.

    Args:
        lifted (Clip3D): In ``'camera'`` axes.
        truth (Truth): Of all its frames.

    Returns:
        dict[str, float]: ``frames`` there are, those ``missing`` without a pose where
        the person is, those ``filled`` in which nobody was found, ``switches`` of the
        person's id; ``pixels`` and ``PCK@0.2`` (per cent) of shoulders, elbows,
        wrists, hips, knees and ankles in the picture; ``MPJPE`` and ``P-MPJPE`` in mm,
        ``MPJVE`` in mm/s, and ``jitter`` in m/s^2 of those that are there.
    """
    if lifted.axes != 'camera':
        raise ValueError(
            f"{lifted.name}: errors need 'camera' axes, got {lifted.axes!r}"
        )
    rows = _rows_of_person(lifted, truth.pixels)
    frames = lifted.frame[rows]
    poses, target = lifted.keypoints_3d[rows], truth.poses[frames]
    filled = (lifted.keypoint_scores_3d[rows] == 0).all(1)
    return {
        'frames': len(truth.poses),
        'missing': len(truth.poses) - len(rows),
        'filled': int(filled.sum()),
        'switches': int((np.diff(lifted.track[rows]) != 0).sum()),
        **_in_picture(lifted, truth, rows),
        'MPJPE': 1000 * float(mpjpe(poses, target).mean()),
        'P-MPJPE': 1000 * float(p_mpjpe(poses, target).mean()),
        'MPJVE': 1000 * lifted.fps * float(mpjve(poses, target, frames).mean()),
        'jitter': jitter(poses, frames, lifted.fps),
    }


def _in_picture(lifted: Clip3D, truth: Truth, rows: np.ndarray) -> dict[str, float]:
    """2D errors: pixels, and hits within a fifth of the torso, per cent."""
    limbs = [i for i, name in enumerate(lifted.joint_names) if name.endswith(_LIMBS)]
    true = truth.pixels[lifted.frame[rows]]
    errors = np.linalg.norm(lifted.keypoints_2d[rows] - true, axis=-1)[:, limbs]
    joint = {name: true[:, i] for i, name in enumerate(lifted.joint_names)}
    diagonals = [
        np.linalg.norm(joint[f'{one}_shoulder'] - joint[f'{other}_hip'], axis=-1)
        for one, other in (('left', 'right'), ('right', 'left'))
    ]
    hits = errors <= 0.2 * np.maximum(*diagonals)[:, None]
    return {'pixels': float(errors.mean()), 'PCK@0.2': 100 * float(hits.mean())}


def measure_untold(lifted: Clip3D) -> dict[str, float]:
    """What can be said without the truth: the same keys, errors left out."""
    shakes = [
        (jitter(lifted.keypoints_3d[rows], lifted.frame[rows], lifted.fps), len(rows))
        for rows in lifted.stretches()
        if len(rows) > 2
    ]
    total = sum(count for _, count in shakes)
    return {
        'frames': len(lifted),
        'filled': int((lifted.keypoint_scores_3d == 0).all(1).sum()),
        'jitter': sum(s * n for s, n in shakes) / total if total else float('nan'),
    }


def jitter_of(truth: Truth, fps: float) -> float:
    """What a perfect result has, m/s^2."""
    return jitter(truth.poses, np.arange(len(truth.poses)), fps)


def pick_motions(data_root: str | Path, count: int) -> list[tuple[np.ndarray, dict]]:
    """Choose motions of the validation split, evenly, each seen by a camera.

    Args:
        data_root (str | Path): Where the motion capture is, see docs/data.md.
        count (int): How many.

    Returns:
        list[tuple[np.ndarray, dict]]: What :func:`see_motion` takes.
    """
    dataset = open_motions(data_root, fps=_MOCAP_FPS)
    spread = np.linspace(0, len(dataset.clips) - 1, count)
    clips = [dataset.clips[number] for number in spread.round().astype(int)]
    return [
        (clip.arrays['joints_world'][:_MOST_FRAMES], clip.constants['camera_param'])
        for clip in clips
    ]


def see_motion(joints: np.ndarray, camera: dict, number: int) -> tuple[Clip2D, Truth]:
    """A motion as a camera sees it, with a 2D detector's errors.

    Args:
        joints (np.ndarray): Human3.6M's joints at 50 per second, meters, z up,
            (T, 17, 3).
        camera (dict): See :func:`mmhot.datasets.transforms.virtual_camera.project`.
        number (int): Seed of the errors.

    Returns:
        tuple[Clip2D, Truth]: Keypoints with confidences, and what is true.
    """
    pixels, in_camera = project(joints + place_on_floor(joints), camera)
    noisy = RandomDetectorNoise(seed=0).transform(dict(keypoints=pixels, id=number))
    seen, scores = noisy['keypoints'], noisy['keypoints_visible']
    count = len(joints)
    track = Track2D(0, np.arange(count), seen, scores.astype(np.float32))
    size = camera['w'], camera['h']
    path = Path(f'motion{number}')
    clip = Clip2D(path.name, 'h36m-17', [track], *size, _MOCAP_FPS, path)
    return clip, Truth(pixels, in_camera - in_camera[:, :1])


def measure_motions(
    pipeline: VideoLifter,
    motions: list[tuple[np.ndarray, dict]],
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, dict[str, float]]:
    """Measure all variants on motion capture.

    Args:
        pipeline (VideoLifter): Without smoothing; told nothing about the cameras.
        motions (list[tuple[np.ndarray, dict]]): Joints (T, 17, 3) and the camera that
            sees them, see :func:`see_motion`.
        progress (Callable): Told after each motion, with the number 1.

    Returns:
        dict[str, dict[str, float]]: Of each variant what :func:`measure` tells: counts
        of all motions, the others as means over their frames. ``'truth'`` has the
        jitter of the motions themselves.
    """
    table: dict[str, list[dict[str, float]]] = {}
    for number, (joints, camera) in enumerate(motions):
        raw, truth = see_motion(joints, camera, number)
        sure = replace(
            raw,
            tracks=[
                mask_low_confidence(track, pipeline.kpt_thr) for track in raw.tracks
            ],
        )
        own = {'frames': len(joints), 'jitter': jitter_of(truth, raw.fps)}
        table.setdefault('truth', []).append(own)
        for name, lifted in lift_variants(pipeline, sure, raw).items():
            table.setdefault(name, []).append(measure(lifted, truth))
        progress(1)
    return {name: _merge(rows) for name, rows in table.items()}


def _merge(rows: list[dict[str, float]]) -> dict[str, float]:
    weights = [row['frames'] for row in rows]
    return {
        key: sum(row[key] for row in rows)
        if key in ('frames', 'missing', 'filled', 'switches')
        else float(np.average([row[key] for row in rows], weights=weights))
        for key in rows[0]
    }


def _rows_of_person(lifted: Clip3D, pixels: np.ndarray) -> np.ndarray:
    """Rows of who is nearest to the person in each frame, if near at all."""
    own = pixels[lifted.frame]
    miss = np.linalg.norm(lifted.keypoints_2d - own, axis=-1).mean(1)
    miss /= np.ptp(own[..., 1], axis=1)
    order = np.lexsort((miss, lifted.frame))
    _, first = np.unique(lifted.frame[order], return_index=True)
    rows = order[first]
    rows = rows[miss[rows] < _ELSEWHERE]
    if not len(rows):
        raise ValueError(f'{lifted.name}: nobody is where the person of the truth is')
    return rows
