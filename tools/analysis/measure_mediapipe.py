"""Compare MediaPipe's 3D landmarks, alone and refined, with mmhot's lift of its 2D.

Videos have their ground truth beside them, such as those in ``demo/``. Errors are means
over shoulders, elbows, wrists, hips, knees and ankles, relative to the middle of the
hips; the acceleration's one is the distance from the true acceleration. It needs a
MediaPipe with ``solutions``::

    pip install mediapipe==0.10.21
    python -m tools.analysis.measure_mediapipe demo/walk.mp4 demo/dance.mp4
"""

import sys
from pathlib import Path

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_text, run_safely
from mmhot.cli.report import align
from mmhot.frames.inputs import open_inputs
from mmhot.skeletons.joints import get_skeleton
from tools.analysis.motions import GroundTruth

_SKELETON = 'mediapipe-33'
_PARTS = 'shoulder', 'elbow', 'wrist', 'hip', 'knee'
_LIMBS = [f'{side}_{part}' for part in _PARTS for side in ('left', 'right')]
# Human3.6M's foot is the ankle.
_LANDMARKS = get_skeleton(_SKELETON).indices([*_LIMBS, 'left_ankle', 'right_ankle'])
_JOINTS = get_skeleton('h36m-17').indices([*_LIMBS, 'left_foot', 'right_foot'])
_HIPS = [_LIMBS.index(f'{side}_hip') for side in ('left', 'right')]


def estimate(path: Path) -> tuple[np.ndarray, np.ndarray, float, tuple[int, int]]:
    """Run MediaPipe on a video.

    Returns:
        tuple: World landmarks in meters (T, 33, 3), landmarks in pixels with visibility
        (T, 33, 3), both NaN where no person is found, frames per second, and size.
    """
    try:
        from mediapipe import solutions
    except ImportError as error:
        raise ValueError('needs mediapipe: pip install mediapipe==0.10.21') from error
    (video,) = open_inputs([str(path)])
    world, pixels, size = [], [], (1, 1)
    with solutions.pose.Pose(model_complexity=1) as model:
        for frame in video:
            size = frame.image.shape[1::-1]
            found = model.process(np.ascontiguousarray(frame.image[..., ::-1]))
            points = np.full((2, 33, 3), np.nan)
            if found.pose_landmarks is not None:
                both = found.pose_world_landmarks, found.pose_landmarks
                places, seen = (each.landmark for each in both)
                points[0] = [(p.x, p.y, p.z) for p in places]
                points[1] = [(p.x * size[0], p.y * size[1], p.visibility) for p in seen]
            world.append(points[0])
            pixels.append(points[1])
    return np.stack(world), np.stack(pixels), video.fps, size


def compare(path: Path) -> list[list[str]]:
    """Return the table's rows of one video: raw, refined, lifted."""
    truth = GroundTruth.read(path.with_suffix('.npz')).poses[:, _JOINTS]
    world, pixels, fps, size = estimate(path)
    given = dict(keypoints_2d=pixels[..., :2], image_size=size)
    poses = mmhot.Clip3D.from_arrays(world, fps, skeleton=_SKELETON, **given)
    options = dict(image_size=size, fps=fps, skeleton=_SKELETON)
    clips = {
        'world landmarks, refined': mmhot.refine(poses, static_camera=True),
        'its 2D, lifted': mmhot.lift(pixels, static_camera=True, **options),
    }
    known = np.flatnonzero(np.isfinite(world).all((1, 2)))
    found = {'world landmarks': (known, world[known][:, _LANDMARKS])}
    for name, clip in clips.items():
        found[name] = clip.frame, clip.keypoints_3d[:, _JOINTS]
    rows = []
    for name, (frames, joints) in found.items():
        errors = [1000 * _around_hips(joints) - 1000 * _around_hips(truth[frames])]
        steps = np.diff(frames, 2) == 0
        errors.append(np.diff(errors[0] / 1000, 2, axis=0)[steps] * fps**2)
        means = [np.linalg.norm(each, axis=-1).mean() for each in errors]
        rows.append([path.stem, name, f'{len(frames)} of {len(truth)}'])
        rows[-1] += [f'{means[0]:.0f} mm', f'{means[1]:.1f} m/s^2']
    return rows


def _around_hips(joints: np.ndarray) -> np.ndarray:
    return joints - joints[:, _HIPS].mean(1, keepdims=True)


def main() -> int:
    """Run the tool."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('videos', nargs='+', type=Path, help='with NAME.npz beside')
    args = parser.parse_args()

    def run() -> None:
        heads = ['clip', 'poses', 'frames', 'MPJPE', 'acceleration error']
        rows = [row for video in args.videos for row in compare(video)]
        print_text(align([heads, *rows], left=2))

    return run_safely('measure_mediapipe.py', run)


if __name__ == '__main__':
    sys.exit(main())
