"""Motion of a video's camera in the image: background points from frame to frame.

Points outside of people are found again by optical flow and RANSAC, relative to
keyframes, so that errors do not add up from frame to frame;
:mod:`mmhot.keypoints.camera_path` turns them into rotation and zoom.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mmhot.frames.sources import FrameObserver
from mmhot.structures.people import People

NUM_POINTS = 40
"""Points per frame that are kept."""


@dataclass(frozen=True)
class BackgroundSettings:
    """Points of keyframes, how they are found again, and when keyframes change."""

    size: int = 480  # longer side of the gray images, pixels
    margin: float = 0.1  # around boxes, share of their sides
    max_points: int = 300  # of a keyframe
    distance: float = 8  # least distance of two points, gray pixels
    quality: float = 0.01  # least quality of a point, share of the best
    window: int = 21  # side of the patches of the optical flow, gray pixels
    levels: int = 3  # of the flow's pyramid, besides the lowest
    steps: int = 20  # of the flow on a level
    precision: float = 0.01  # of the flow, gray pixels
    ransac_error: float = 1.5  # largest error of a point, gray pixels
    min_points: int = 16  # of a homography
    min_overlap: float = 0.6  # share of the image left, else another keyframe
    min_kept: float = 0.4  # share of the points left, else another keyframe
    # Change of the zoom, else another keyframe: the flow compares patches of one size.
    max_zoom: float = 1.05
    reused_overlap: float = 0.8  # share of the image from which an earlier one is used
    max_keyframes: int = 200  # of a shot that are remembered
    # Slope of an edge, gray levels a pixel, and the fewest pixels that are compared to
    # see whether edges are still; higher finds fewer edges, and doubts more.
    min_slope: float = 8.0
    min_edges: int = 40


_SETTINGS = BackgroundSettings()
_View = tuple[np.ndarray, np.ndarray]  # a gray image, and the mask of its background


@dataclass
class _ReferenceFrame:
    """A frame with points; ``to_first`` maps its gray pixels to the shot's first."""

    index: int
    gray: np.ndarray
    points: np.ndarray
    to_first: np.ndarray


class BackgroundTracker(FrameObserver):
    """Find the points of keyframes again in the frames of a video, in order.

    Args:
        interval (int): Frames from one that is looked at to the next. Defaults to 1.
    """

    def __init__(self, interval: int = 1) -> None:
        self.name = 'background' if interval == 1 else f'background-{interval}'
        self._interval = interval
        self._rows: list[tuple[np.ndarray, int, float]] = []
        self._moved: list[float] = []
        self._first: _View | None = None
        self._keyframes: list[_ReferenceFrame] = []
        self._current: _ReferenceFrame | None = None
        # from the current keyframe to the last frame, gray pixels
        self._last = np.eye(3)

    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Look at a frame; see the parent class."""
        if new_shot or index % self._interval == 0:
            self._rows.append(self._track(image, people.bboxes, new_shot))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the points of the frames that were looked at.

        Returns:
            dict[str, np.ndarray]: ``points`` in the keyframe (x, y) and in the frame
            (x, y), pixels, NaN where there are fewer, (F, NUM_POINTS, 4) float32;
            ``keyframe``, the frame that each is compared with, itself if it begins a
            shot, -1 if too few points were found again, (F,) int64; ``inliers``, the
            share of points that one homography explains, (F,) float32; ``moved``, how
            much edges of the shot's first frame differ from where they were, as a share
            of the least difference from places a pixel away, NaN without edges, (F,)
            float32.
        """
        pairs, keyframe, inliers = [*zip(*self._rows, strict=True)] or [()] * 3
        points = np.full((len(pairs), NUM_POINTS, 4), np.nan, np.float32)
        for row, pair in zip(points, pairs, strict=True):
            row[: len(pair)] = pair
        return dict(
            points=points,
            keyframe=np.array(keyframe, np.int64),
            inliers=np.array(inliers, np.float32),
            moved=np.array(self._moved, np.float32),
        )

    def _track(
        self, image: np.ndarray, boxes: np.ndarray, new_shot: bool
    ) -> tuple[np.ndarray, int, float]:
        """Return a row of :meth:`arrays`, with any number of points (N, 4)."""
        zoom = min(1.0, _SETTINGS.size / max(image.shape[:2]))
        index = len(self._rows)
        size = tuple(max(round(side * zoom), 1) for side in image.shape[1::-1])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        free = _mask(size, boxes * zoom, _SETTINGS.margin)
        view = gray, free
        if new_shot or self._first is None or self._first[0].shape != gray.shape:
            self._first = view
        self._moved.append(_compare_edges(self._first, view))
        key = self._current
        if new_shot or key is None or key.gray.shape != gray.shape:
            self._keyframes, self._last = [], np.eye(3)
            self._add(index, gray, free, np.eye(3))
            return np.zeros((0, 4)), index, 1.0
        match = self._find(key, gray, free, self._last)
        to_first = key.to_first @ np.linalg.inv(self._last)
        earlier = self._overlapping(to_first, size)
        if match is None or (earlier and _is_far(key, match, size)):
            for other in earlier:
                guess = np.linalg.inv(np.linalg.inv(other.to_first) @ to_first)
                found = self._find(other, gray, free, guess)
                if found is not None:
                    match, key = found, other
                    break
        if match is None:
            # the camera's direction is not known any more
            self._add(index, gray, free, to_first)
            return np.zeros((0, 4)), -1, 0.0
        pairs, is_inlier, homography = match
        self._last, self._current = homography, key
        to_first = key.to_first @ np.linalg.inv(homography)
        if _is_far(key, match, size):
            self._add(index, gray, free, to_first / to_first[2, 2])
        chosen = np.flatnonzero(is_inlier)
        chosen = chosen[np.linspace(0, len(chosen) - 1, NUM_POINTS).astype(int)]
        return pairs[np.unique(chosen)] / zoom, key.index, is_inlier.mean()

    def _add(
        self, index: int, gray: np.ndarray, free: np.ndarray, to_first: np.ndarray
    ) -> None:
        """Make a frame the current keyframe."""
        corners = cv2.goodFeaturesToTrack(
            gray, _SETTINGS.max_points, _SETTINGS.quality, _SETTINGS.distance, mask=free
        )
        points = np.float32([] if corners is None else corners).reshape(-1, 2)
        self._current = _ReferenceFrame(index, gray, points, to_first)
        keyframes = self._keyframes[1 - _SETTINGS.max_keyframes :]
        self._keyframes = [*keyframes, self._current]
        self._last = np.eye(3)

    def _find(
        self,
        key: _ReferenceFrame,
        gray: np.ndarray,
        free: np.ndarray,
        guess: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Find a keyframe's points again: pairs (N, 4), inliers (N,), homography."""
        if len(key.points) < _SETTINGS.min_points:
            return None
        kind = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT
        start = cv2.perspectiveTransform(key.points[:, None], guess)
        points, status, _ = cv2.calcOpticalFlowPyrLK(
            key.gray,
            gray,
            key.points[:, None],
            start.astype(np.float32),
            winSize=(_SETTINGS.window, _SETTINGS.window),
            maxLevel=_SETTINGS.levels,
            criteria=(kind, _SETTINGS.steps, _SETTINGS.precision),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        points, rows = points[:, 0], status[:, 0] > 0
        pixels = np.nan_to_num(points, nan=-1).round().clip(-1, 1e6).astype(int)
        rows &= (pixels >= 0).all(1) & (pixels < gray.shape[::-1]).all(1)
        rows[rows] = free[pixels[rows, 1], pixels[rows, 0]] > 0
        if rows.sum() < _SETTINGS.min_points:
            return None
        pairs = np.concatenate([key.points, points], 1)[rows]
        homography, inliers = cv2.findHomography(
            pairs[:, :2], pairs[:, 2:], cv2.RANSAC, _SETTINGS.ransac_error
        )
        if homography is None or inliers.sum() < _SETTINGS.min_points:
            return None
        return pairs, inliers[:, 0] > 0, homography

    def _overlapping(
        self, to_first: np.ndarray, size: tuple[int, int]
    ) -> list[_ReferenceFrame]:
        """Return up to two other keyframes that show much of a frame, best first."""
        shares = [
            (_overlap(np.linalg.inv(key.to_first) @ to_first, size), key)
            for key in self._keyframes
            if key is not self._current
        ]
        best = sorted(shares, key=lambda pair: -pair[0])[:2]
        return [key for share, key in best if share > _SETTINGS.reused_overlap]


def _compare_edges(first: _View, second: _View) -> float:
    """Compare the edges of a gray image (H, W) with another one in place and aside.

    Both have masks of the background. Returns the mean difference of edges in place
    over the least one of those a pixel away, or NaN if there are too few.
    """
    (before, free_before), (gray, free) = first, second
    slopes = [cv2.Sobel(before, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (0, 1)]
    is_edge = np.hypot(*slopes) > _SETTINGS.min_slope
    is_edge &= (free_before > 0) & (free > 0)
    is_edge[[0, -1]] = is_edge[:, [0, -1]] = False
    rows, columns = np.nonzero(is_edge)
    if len(rows) < _SETTINGS.min_edges:
        return float('nan')
    here, image = before[rows, columns].astype(np.float32), gray.astype(np.float32)
    differences = {
        (y, x): float(abs(image[rows + y, columns + x] - here).mean())
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    }
    in_place = differences.pop((0, 0))
    return in_place / max(min(differences.values()), 1e-6)


def _is_far(key: _ReferenceFrame, match: tuple, size: tuple[int, int]) -> bool:
    """Return whether a keyframe shows too little of a frame."""
    _, is_inlier, homography = match
    has_few = is_inlier.sum() < _SETTINGS.min_kept * len(key.points)
    zoom = np.sqrt(abs(np.linalg.det(homography[:2, :2])))
    is_zoomed = max(zoom, 1 / max(zoom, 1e-9)) > _SETTINGS.max_zoom
    is_aside = _overlap(homography, size) < _SETTINGS.min_overlap
    return has_few or is_zoomed or is_aside


def _mask(size: tuple[int, int], boxes: np.ndarray, share: float) -> np.ndarray:
    """Return 255 outside of boxes with a margin, a share of them, (H, W) uint8."""
    free = np.full(size[::-1], 255, np.uint8)
    boxes = boxes[np.isfinite(boxes).all(1)]
    margin = share * np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1]
    for left, top, right, bottom in (boxes + margin).clip(0).astype(int):
        free[top : bottom + 1, left : right + 1] = 0
    return free


def _overlap(homography: np.ndarray, size: tuple[int, int]) -> float:
    """Return the share of an image's points that a homography keeps inside."""
    grid = np.stack(np.meshgrid(*(np.linspace(0, side, 9) for side in size)), -1)
    moved = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography)[:, 0]
    return float(((moved >= 0) & (moved <= size)).all(1).mean())
