"""Videos with covered heads, so that people cannot be recognized."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmhot.errors import ignored_warnings
from mmhot.frames.sources import Frame, FrameView
from mmhot.pose2d.footage import Footage
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D

_H36M = get_skeleton('h36m-17').groups['head']
_SHOULDERS, _HIPS = (
    [f'{side}_{part}' for side in ('left', 'right')] for part in ('shoulder', 'hip')
)
# Blocks across a covered head, which are blurred.
_BLOCKS = 3


@dataclass(frozen=True)
class HeadLimits:
    """Sizes of covered circles, and times in which undetected heads are covered, too.

    Higher values cover more.
    """

    # Radius of a head, relative to the largest distance of a face keypoint from their
    # mean. The largest of the three radii counts.
    of_face: float = 2.2
    of_shoulders: float = 0.55  # radius relative to the distance of the shoulders
    of_person: float = 0.09  # radius relative to the longer side of the person
    # Distance of a head without face keypoints from the shoulders, relative to the
    # distance from hips to shoulders.
    above: float = 0.55
    gap: float = 2.0  # seconds; longest gap between two detections that is covered
    rest: float = 0.5  # seconds that are covered before and after each detection
    # Relative growth of the radius per second from the nearest detection.
    growth: float = 0.5


_LIMITS = HeadLimits()


class CoveredHeads(FrameView):
    """Frames of another source with blurred heads.

    The heads of all people that the 2D model found are covered, lifted or not, and also
    between the frames in which they were found.

    Args:
        clip (Clip3D): Its poses.
        footage (Footage): The video and, if they are known, people and their tracks.
    """

    def __init__(self, clip: Clip3D, footage: Footage) -> None:
        super().__init__(footage.frames)
        self.heads = heads_of(clip, footage)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.whole:
            image = frame.image.copy()
            for circle in self.heads.get(frame.index, ()):
                cover(image, circle)
            yield Frame(frame.index, frame.time, image)


def heads_of(clip: Clip3D, footage: Footage) -> dict[int, list[np.ndarray]]:
    """Return circles (3,) around heads, x, y and radius in pixels, by frame."""
    heads: dict[int, list[np.ndarray]] = defaultdict(list)
    fps = footage.frames.fps
    tracks = []
    for track in clip.track_ids:
        person = clip.take(clip.track == track)
        circles = _circles(person.keypoints_2d, clip.joint_names, _H36M)
        tracks.append((person.frame, circles))
    if footage.tracked is not None:
        skeleton = get_skeleton(footage.people.skeleton)
        kind = skeleton.joints, skeleton.groups.get('head', ())
        for index, people in enumerate(footage.people.people):
            heads[index] += [*_circles(people.keypoints, *kind)]
        for tracked in footage.tracked.tracks:
            tracks.append((tracked.frames, _circles(tracked.keypoints, *kind)))
    for frames, circles in tracks:
        for frame, circle in zip(*_between(frames, circles, fps), strict=True):
            heads[frame].append(circle)
    return heads


def _circles(
    keypoints: np.ndarray, joints: Sequence[str], head: Sequence[str]
) -> np.ndarray:
    """Find x, y and radius of heads, (P, 3), in keypoints (P, K, 2); 0 if unknown.

    A head is at the keypoints of the face or, without these, above the shoulders, or
    else at the highest joint.
    """
    points = keypoints.astype(np.float64)
    points[~np.isfinite(points).all(-1)] = np.nan

    def part(names: Iterable[str]) -> np.ndarray:
        """Return the joints (P, N, 2) of some names, NaN if there are none."""
        chosen = [joints.index(name) for name in names if name in joints]
        return points[:, chosen] if chosen else np.full((len(points), 1, 2), np.nan)

    shoulders, hips, face = map(part, (_SHOULDERS, _HIPS, head))
    top = np.nan_to_num(points[..., 1], nan=np.inf).argmin(1)
    with ignored_warnings():  # NumPy warns of people without these joints
        neck = np.nanmean(shoulders, 1)
        center = np.nanmean(face, 1)
        above = neck + _LIMITS.above * (neck - np.nanmean(hips, 1))
        spread = np.linalg.norm(face - center[:, None], axis=-1)
        spread = np.nanmax(spread, 1)
        size = np.nanmax(np.nanmax(points, 1) - np.nanmin(points, 1), 1)
    across = np.linalg.norm(shoulders[:, 0] - shoulders[:, -1], axis=-1)
    radius = np.fmax(_LIMITS.of_person * size, _LIMITS.of_shoulders * across)
    has_face = np.isfinite(spread)
    guess = np.where(np.isfinite(above), above, points[np.arange(len(points)), top])
    center = np.where(has_face[:, None], center, guess)
    radius = np.where(has_face, np.fmax(radius, _LIMITS.of_face * spread), 2 * radius)
    return np.nan_to_num(np.column_stack([center, radius]))


def _between(
    frames: np.ndarray, circles: np.ndarray, fps: float
) -> tuple[list[int], np.ndarray]:
    """Return frames (F,) and circles (F, 3) of a track, also between its detections.

    ``circles`` (T, 3) are x, y and radius in pixels in ``frames`` (T,).
    """
    rest = int(np.ceil(_LIMITS.rest * fps))
    span = np.arange(max(frames[0] - rest, 0), frames[-1] + rest + 1)
    after = np.searchsorted(frames, span).clip(max=len(frames) - 1)
    before = (np.searchsorted(frames, span, 'right') - 1).clip(min=0)
    away = np.minimum(abs(span - frames[before]), abs(frames[after] - span))
    gap = frames[after] - frames[before]
    near = (gap <= _LIMITS.gap * fps) | (away <= rest)
    shown = np.stack([np.interp(span, frames, column) for column in circles.T], -1)
    shown[:, 2] *= 1 + _LIMITS.growth * away / fps
    return span[near].tolist(), shown[near]


def cover(image: np.ndarray, circle: np.ndarray) -> None:
    """Blur a circle of an image (H, W, 3) in place beyond recognition."""
    x, y, radius = circle
    height, width = image.shape[:2]
    left, top = (max(int(value - radius), 0) for value in (x, y))
    right = min(int(x + radius) + 2, width)
    bottom = min(int(y + radius) + 2, height)
    if not radius or left >= right or top >= bottom:
        return
    patch = image[top:bottom, left:right]
    small = cv2.resize(patch, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(small, patch.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    rows, columns = np.ogrid[top:bottom, left:right]
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    patch[inside] = blurred[inside]
