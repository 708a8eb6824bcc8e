"""Frames with blurred heads, so that people cannot be recognized."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmhot.chain.frames.sources import Frame, FrameView
from mmhot.chain.pose2d.footage import Footage
from mmhot.errors import ignored_warnings
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D

_H36M_HEAD = get_skeleton('h36m-17').groups['head']
_SHOULDERS = ('left_shoulder', 'right_shoulder')
_HIPS = ('left_hip', 'right_hip')
_BLOCKS = 3  # pixels to which the width of a head is reduced


@dataclass(frozen=True)
class HeadLimits:
    """Sizes of covered circles, and times in which undetected heads are covered, too.

    The largest of the three radii counts. Ranges are shares of the 74 points of faces
    and crowns that are covered, of 702 rendered people as they are detected: .975, and
    .974 if they have no face keypoints.
    """

    # Radius relative to the largest distance of a face keypoint from the mean of all.
    # Half of it covers .967, double .984.
    radius_to_face: float = 2.2
    # Relative to the distance of the shoulders. Half of it covers .948 of heads without
    # face keypoints, double .981.
    radius_to_shoulders: float = 0.55
    # Relative to the longer side of the person. Half of it covers .791 of heads without
    # face keypoints, double .999.
    radius_to_person: float = 0.09
    # Distance from the shoulders to a head without face keypoints, relative to the
    # distance from hips to shoulders. Half of it is equal, double covers .230.
    neck_to_trunk: float = 0.55
    max_gap: float = 2.0  # seconds; longest gap between two detections that is covered
    margin: float = 0.5  # seconds that are covered before and after each detection
    growth: float = 0.5  # relative growth of the radius per second without a detection


_LIMITS = HeadLimits()


class CoveredHeads(FrameView):
    """Frames of another source with blurred heads.

    The heads of all people that the 2D model found are covered, lifted or not, and also
    between the frames in which they were found.

    Args:
        clip (Clip3D): Lifted poses.
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
    """Find the heads of lifted people, of detected people, and between detections.

    Args:
        clip (Clip3D): Lifted poses.
        footage (Footage): The video and, if they are known, people and their tracks.

    Returns:
        dict[int, list[np.ndarray]]: Circles (3,), x, y and radius in pixels, by the
        number of the frame.
    """
    heads: dict[int, list[np.ndarray]] = defaultdict(list)
    fps = footage.frames.fps
    tracks = []
    for number in clip.track_ids:
        person = clip.take(clip.track == number)
        circles = _circles(person.keypoints_2d, clip.joint_names, _H36M_HEAD)
        tracks.append((person.frame, circles))
    if footage.tracked is not None:
        skeleton = get_skeleton(footage.people.skeleton)
        head = skeleton.groups.get('head', ())
        for index, people in enumerate(footage.people.people):
            heads[index] += [*_circles(people.keypoints, skeleton.joints, head)]
        for track in footage.tracked.tracks:
            circles = _circles(track.keypoints, skeleton.joints, head)
            tracks.append((track.frames, circles))
    for frames, circles in tracks:
        for frame, circle in zip(*_between(frames, circles, fps), strict=True):
            heads[frame].append(circle)
    return heads


def _circles(
    keypoints: np.ndarray, joints: Sequence[str], head: Sequence[str]
) -> np.ndarray:
    """Find x, y and radius of heads, (P, 3), in keypoints (P, K, 2); 0 if unknown.

    A head is at the keypoints of the face. Without these it is above the shoulders, or
    else at the highest joint, and the circle has twice the radius.
    """
    points = keypoints.astype(np.float64)
    points[~np.isfinite(points).all(-1)] = np.nan
    shoulders = _joints(points, joints, _SHOULDERS)
    hips = _joints(points, joints, _HIPS)
    face = _joints(points, joints, head)
    highest = np.nan_to_num(points[..., 1], nan=np.inf).argmin(1)
    top = points[np.arange(len(points)), highest]
    with ignored_warnings():  # NumPy warns of people without these joints
        neck = np.nanmean(shoulders, 1)
        center = np.nanmean(face, 1)
        above = neck + _LIMITS.neck_to_trunk * (neck - np.nanmean(hips, 1))
        spread = np.nanmax(np.linalg.norm(face - center[:, None], axis=-1), 1)
        size = np.nanmax(np.nanmax(points, 1) - np.nanmin(points, 1), 1)
    across = np.linalg.norm(shoulders[:, 0] - shoulders[:, -1], axis=-1)
    body = np.fmax(
        _LIMITS.radius_to_person * size, _LIMITS.radius_to_shoulders * across
    )
    has_face = np.isfinite(spread)
    guess = np.where(np.isfinite(above), above, top)
    center = np.where(has_face[:, None], center, guess)
    radius = np.fmax(body, _LIMITS.radius_to_face * spread)
    radius = np.where(has_face, radius, 2 * body)
    return np.nan_to_num(np.column_stack([center, radius]))


def _joints(
    points: np.ndarray, joints: Sequence[str], names: Iterable[str]
) -> np.ndarray:
    """Return joints (P, N, 2) of keypoints (P, K, 2) by name, NaN if there are none."""
    chosen = [joints.index(name) for name in names if name in joints]
    return points[:, chosen] if chosen else np.full((len(points), 1, 2), np.nan)


def _between(
    frames: np.ndarray, circles: np.ndarray, fps: float
) -> tuple[list[int], np.ndarray]:
    """Interpolate the circles of a track between its detections.

    Args:
        frames (np.ndarray): Frames with detections, (T,).
        circles (np.ndarray): Their circles, x, y and radius in pixels, (T, 3).
        fps (float): Frames per second.

    Returns:
        tuple[list[int], np.ndarray]: Frames to cover, (F,), and circles, (F, 3).
    """
    margin = int(np.ceil(_LIMITS.margin * fps))
    span = np.arange(max(frames[0] - margin, 0), frames[-1] + margin + 1)
    after = np.searchsorted(frames, span).clip(max=len(frames) - 1)
    before = (np.searchsorted(frames, span, 'right') - 1).clip(min=0)
    away = np.minimum(abs(span - frames[before]), abs(frames[after] - span))
    gap = frames[after] - frames[before]
    is_covered = (gap <= _LIMITS.max_gap * fps) | (away <= margin)
    shown = np.stack([np.interp(span, frames, column) for column in circles.T], -1)
    shown[:, 2] *= 1 + _LIMITS.growth * away / fps
    return span[is_covered].tolist(), shown[is_covered]


def cover(image: np.ndarray, circle: np.ndarray) -> None:
    """Blur a circle of an image in place beyond recognition.

    Args:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        circle (np.ndarray): x, y and radius in pixels, (3,). A radius of 0 covers
            nothing.
    """
    x, y, radius = circle
    height, width = image.shape[:2]
    left = max(int(x - radius), 0)
    top = max(int(y - radius), 0)
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
