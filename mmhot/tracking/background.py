"""Camera motion in the image: background points tracked from keyframes to frames.

Optical flow and RANSAC track points outside of people's boxes, always from a keyframe,
so that errors do not add up from frame to frame. :mod:`mmhot.keypoints.camera_path`
turns the points into rotation and zoom.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mmhot.frames.sources import FrameObserver
from mmhot.structures.people import People

NUM_POINTS = 40
"""Number of points that are kept per frame."""


@dataclass(frozen=True)
class BackgroundSettings:
    """Points of keyframes, optical flow, and changes of the keyframe.

    Gray pixels are pixels of the reduced gray image.
    """

    size: int = 480  # longer side of the gray images, pixels
    # Margin that is added to people's boxes, share of their sides; higher leaves less
    # background.
    margin: float = 0.1
    max_points: int = 300  # most points of a keyframe
    distance: float = 8  # least distance between two points, gray pixels
    quality: float = 0.01  # least corner quality of a point, share of the best one's
    window: int = 21  # side of the flow's patches, gray pixels
    levels: int = 3  # pyramid levels of the flow above the full gray image
    steps: int = 20  # most iterations of the flow on each level
    precision: float = 0.01  # step at which the flow stops iterating, gray pixels
    ransac_error: float = 1.5  # largest reprojection error of an inlier, gray pixels
    min_points: int = 16  # fewest inliers of a homography; higher loses track sooner
    # A new keyframe begins if the current one shows less of the image than this share.
    # Higher values change keyframes more often.
    min_overlap: float = 0.6
    # A new keyframe begins if fewer of its points than this share are inliers. Higher
    # values change keyframes more often.
    min_kept: float = 0.4
    # A new keyframe begins if the zoom changes by more than this factor, as the flow
    # compares patches of one size. Higher values change keyframes less often.
    max_zoom: float = 1.05
    # An earlier keyframe is used again if it shows more of the image than this share.
    # Higher values reuse fewer.
    reused_overlap: float = 0.8
    max_keyframes: int = 200  # keyframes of a shot that are kept for reuse
    # Gray levels per pixel; a pixel with a steeper slope is an edge. Higher values find
    # fewer edges.
    min_slope: float = 8.0
    # Fewest edge pixels that show whether the camera moved; with fewer, it is unknown.
    min_edges: int = 40


_SETTINGS = BackgroundSettings()
# A gray image (H, W), and the mask of its background (H, W), 255 outside of people
_View = tuple[np.ndarray, np.ndarray]


@dataclass
class _ReferenceFrame:
    """A keyframe: a frame and the points that are tracked from it."""

    index: int  # row of the keyframe in the arrays of the tracker
    gray: np.ndarray  # gray image, (H, W) uint8
    points: np.ndarray  # gray pixels, (N, 2) float32
    to_first: np.ndarray  # homography from its gray pixels to the shot's first frame's


class BackgroundTracker(FrameObserver):
    """Track background points from keyframes to the frames of a video, in order.

    Args:
        interval (int): Every how many frames one is tracked. Defaults to 1.
    """

    def __init__(self, interval: int = 1) -> None:
        self.name = 'background' if interval == 1 else f'background-{interval}'
        self._interval = interval
        self._rows: list[tuple[np.ndarray, int, float]] = []
        self._moved: list[float] = []
        self._first: _View | None = None
        self._keyframes: list[_ReferenceFrame] = []
        self._current: _ReferenceFrame | None = None
        # Homography from the current keyframe to the last frame, gray pixels
        self._last = np.eye(3)

    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Track the background of a frame; see the parent class."""
        if new_shot or index % self._interval == 0:
            self._rows.append(self._track(image, people.bboxes, new_shot))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the background points of the F frames that were tracked.

        Returns:
            dict[str, np.ndarray]: Four arrays, one row per frame:

            * ``points`` (F, NUM_POINTS, 4) float32: x and y in the keyframe, then x and
              y in the frame, pixels of the video; NaN where there are fewer points.
            * ``keyframe`` (F,) int64: row of the frame's keyframe; its own row if it
              begins a shot, -1 if too few points were found.
            * ``inliers`` (F,) float32: share of the points that one homography
              explains.
            * ``moved`` (F,) float32: gray difference at the edges of the shot's first
              frame, over the least such difference when shifted by a pixel; below 1 if
              the edges are still in place, NaN with too few edges.
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
        """Track one frame (H, W, 3) without the boxes (P, 4) of its people.

        Returns its points (N, 4) in pixels, its keyframe and its share of inliers, as
        in :meth:`arrays`.
        """
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
            # Tracking is lost: from here on the camera's direction is unknown.
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
        """Make a frame (h, w) the current keyframe, by its homography (3, 3)."""
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
        """Track the points of a keyframe into a frame by optical flow.

        Args:
            key (_ReferenceFrame): The keyframe.
            gray (np.ndarray): Gray image of the frame, (H, W) uint8.
            free (np.ndarray): Mask of its background, (H, W) uint8.
            guess (np.ndarray): Expected homography from keyframe to frame, (3, 3).

        Returns:
            tuple | None: Gray pixels in the keyframe and in the frame, (N, 4), which of
            them are inliers, (N,), and the homography, (3, 3); None with too few.
        """
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
        """Return up to two other keyframes that show most of a frame, best first.

        The frame has ``size`` (w, h), and a homography to the shot's first frame.
        """
        shares = [
            (_overlap(np.linalg.inv(key.to_first) @ to_first, size), key)
            for key in self._keyframes
            if key is not self._current
        ]
        best = sorted(shares, key=lambda pair: -pair[0])[:2]
        return [key for share, key in best if share > _SETTINGS.reused_overlap]


def _compare_edges(first: _View, second: _View) -> float:
    """Measure whether the edges of one image are in the same place in another.

    Returns the mean gray difference at the edges of the first image's background, over
    the least such difference when shifted by one pixel; NaN with too few edges.
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
    """Return whether a frame has moved or zoomed too far from its keyframe."""
    _, is_inlier, homography = match
    has_few = is_inlier.sum() < _SETTINGS.min_kept * len(key.points)
    zoom = np.sqrt(abs(np.linalg.det(homography[:2, :2])))
    is_zoomed = max(zoom, 1 / max(zoom, 1e-9)) > _SETTINGS.max_zoom
    is_aside = _overlap(homography, size) < _SETTINGS.min_overlap
    return has_few or is_zoomed or is_aside


def _mask(size: tuple[int, int], boxes: np.ndarray, share: float) -> np.ndarray:
    """Return a mask of the background, (H, W) uint8: 255 outside of people's boxes.

    Boxes (P, 4) are enlarged on each side by a ``share`` of their size.
    """
    free = np.full(size[::-1], 255, np.uint8)
    boxes = boxes[np.isfinite(boxes).all(1)]
    margin = share * np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1]
    for left, top, right, bottom in (boxes + margin).clip(0).astype(int):
        free[top : bottom + 1, left : right + 1] = 0
    return free


def _overlap(homography: np.ndarray, size: tuple[int, int]) -> float:
    """Return the share of an image (w, h) that a homography (3, 3) maps inside it."""
    grid = np.stack(np.meshgrid(*(np.linspace(0, side, 9) for side in size)), -1)
    moved = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography)[:, 0]
    return float(((moved >= 0) & (moved <= size)).all(1).mean())
