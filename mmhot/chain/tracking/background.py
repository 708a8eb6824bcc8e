"""Camera motion in the image: background points tracked from keyframes to frames.

Optical flow and RANSAC track points outside of people's boxes, always from a keyframe,
so that errors do not add up from frame to frame.
:mod:`mmhot.chain.keypoints.camera_path` turns the points into rotation and zoom.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from mmhot.chain.frames.sources import FrameObserver
from mmhot.structures.people import People, boxes_around

NUM_POINTS = 40
"""Number of points that are kept per frame; with 20 to 400, no verdict on 13 cameras
changes."""


@dataclass(frozen=True)
class BackgroundSettings:
    """Points of keyframes, and changes of the keyframe.

    Gray pixels are pixels of the reduced gray image. Ranges are those of four real
    videos, of pans, a zoom and a camera that is held, made from real frames with a
    person, and of drawn ones. Other settings of optical flow and RANSAC are OpenCV's.
    """

    # Longer side of the gray images, pixels. With half of it a real pan and a zoom
    # move, with double a carried camera is static.
    size: int = 480
    # Margin that is added to people's boxes, share of their sides. Results stay from
    # 0.5 to 1 of it; without it a real pan moves, with double a carried camera is
    # static.
    margin: float = 0.1
    # Most points of a keyframe. 0.5 to 10 of it change no result; all take a quarter
    # more time.
    max_points: int = 300
    # Gray pixels; least distance between two points. With half of it results stay, with
    # double a real pan moves.
    distance: float = 8
    # Least corner quality of a point, share of the best one's. With half of it results
    # stay, with double a real pan moves.
    quality: float = 0.01
    # Most iterations of the flow on each level. With 10 a drawn pan is off by .8 more
    # degrees, with 30 by .1.
    steps: int = 20
    ransac_rounds: int = 300  # most rounds; only cameras that move need as many
    # Fewest inliers of a homography. Results stay from 0.5 to 2 of it.
    min_points: int = 16
    # A new keyframe begins if fewer of its points than this share are inliers. Results
    # stay from 0 to 1 of it, but without it a drawn pan is off by .8 degrees more; with
    # double a zoom moves.
    min_kept: float = 0.4
    # A new keyframe begins if the zoom changes by more than this factor, as the flow
    # compares patches of one size. With half or double of it a zoom moves.
    max_zoom: float = 1.05
    # An earlier keyframe is used again if it shows more of the image than this share.
    # Results stay from 0 to 1 of it; without earlier ones a carried camera is static.
    reused_overlap: float = 0.8
    max_keyframes: int = 200  # keyframes of a shot that are kept for reuse
    # Gray levels per pixel; a pixel with a steeper slope is an edge. Results stay from
    # 0.5 to 2 of it.
    min_slope: float = 8.0
    # A step between two pixels exceeds the steps beside it by more than this many gray
    # levels. With none, an edge in a real room reaches .83 of a border, with half .68,
    # with double .64.
    min_step: int = 2


_SETTINGS = BackgroundSettings()
_GRID = np.indices((9, 9)).reshape(2, 1, -1).T / 8  # points of a unit square


@dataclass
class _View:
    """A frame at reduced size."""

    gray: np.ndarray  # gray image, (H, W) uint8
    background: np.ndarray  # mask, (H, W) uint8: 255 outside of people's boxes


@dataclass
class _Keyframe:
    """A frame, and the points that are tracked from it."""

    index: int  # row of the keyframe in the arrays of the tracker
    gray: np.ndarray  # gray image, (H, W) uint8
    points: np.ndarray  # gray pixels, (N, 2) float32
    to_first: np.ndarray  # homography from its gray pixels to the shot's first frame's


@dataclass
class _Match:
    """Points of a keyframe that were tracked into a frame."""

    key: _Keyframe
    pairs: np.ndarray  # gray pixels in the keyframe and in the frame, (N, 4)
    is_inlier: np.ndarray  # points that the homography explains, (N,) bool
    homography: np.ndarray  # from the keyframe to the frame, (3, 3)

    def is_far(self) -> bool:
        """Return whether the frame has moved or zoomed too far from the keyframe."""
        has_few = self.is_inlier.sum() < _SETTINGS.min_kept * len(self.key.points)
        zoom = np.sqrt(abs(np.linalg.det(self.homography[:2, :2])))
        is_zoomed = max(zoom, 1 / max(zoom, 1e-9)) > _SETTINGS.max_zoom
        return has_few or is_zoomed


class BackgroundTracker(FrameObserver):
    """Track background points from keyframes to the frames of a video, in order.

    A shot begins with a keyframe. Each further frame is matched with the current
    keyframe, or with an earlier one that shows more of it. A frame that is too far from
    its keyframe, or has no match, becomes the next keyframe.

    Args:
        interval (int): Frames from one tracked frame to the next. Defaults to 1.
        edges (bool): Whether edges that stay in place are found, too.
    """

    _first: _View  # first frame of the shot
    _current: _Keyframe
    _last: np.ndarray  # homography from the current keyframe to the last frame, (3, 3)

    def __init__(self, interval: int = 1, edges: bool = True) -> None:
        self.name = 'background' if interval == 1 else f'background-{interval}'
        self._interval = interval
        self._has_edges = edges
        # Number, points (N, 4), keyframe, share of inliers, edge difference, shares of
        # steps by column (W,) and by row (H,), of each frame
        self._rows: list[tuple] = []
        self._keyframes: deque[_Keyframe] = deque(maxlen=_SETTINGS.max_keyframes)

    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Track the background of a frame; see the parent class."""
        if not new_shot and index % self._interval:
            return
        zoom = min(1.0, _SETTINGS.size / max(image.shape[:2]))
        size = image.shape[1], image.shape[0]
        boxes = people.bboxes
        inner = (boxes[:, :2] > 0) | (boxes[:, 2:] < size)
        fills = ~inner.any(1, keepdims=True)
        if fills.any():  # as all boxes of the detector whole_image do
            around = boxes_around(people.keypoints, people.scores, 0, size)
            boxes = np.where(fills & np.isfinite(around), around, boxes)
        view = _reduce(image, boxes, zoom)
        if new_shot:
            self._first = view
            self._keyframes.clear()
            self._begin_keyframe(view, np.eye(3))
            tracked = np.zeros((0, 4)), len(self._rows), 1.0
        else:
            tracked = self._track(view)
        points, keyframe, inliers = tracked
        edges: tuple = (np.nan, 0.0, 0.0)
        if self._has_edges:
            steps = _share_of_steps(view.gray), _share_of_steps(view.gray.T)
            edges = _compare_edges(self._first, view), *steps
        self._rows.append((index, points / zoom, keyframe, inliers, *edges))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the background points of the F frames that were tracked.

        Returns:
            dict[str, np.ndarray]: Five arrays with one row per frame, and two of all
            frames; the last three are NaN and 0 without edges:

            * ``frames`` (F,) int64: number of the frame.
            * ``points`` (F, NUM_POINTS, 4) float32: x and y in the keyframe, then x and
              y in the frame, pixels of the video; NaN where there are fewer points.
            * ``keyframe`` (F,) int64: row of the frame's keyframe; its own row if it
              begins a shot, -1 if too few points were found.
            * ``inliers`` (F,) float32: share of the points that one homography
              explains.
            * ``moved`` (F,) float32: gray difference at the edges of the shot's first
              frame, over the least such difference when shifted by a pixel; below 1 if
              the edges are still in place, NaN without edges.
            * ``columns`` (W,): share of the rows in which the brightness has a step at
              a column of the gray image, mean of all frames; 1 where two videos meet.
            * ``rows`` (H,): the same of columns, at each row.
        """
        columns = zip(*self._rows, strict=True) if self._rows else [()] * 7
        frames, pairs, keyframe, inliers, moved, *steps = columns
        points = np.full((len(pairs), NUM_POINTS, 4), np.nan, np.float32)
        for row, pair in zip(points, pairs, strict=True):
            row[: len(pair)] = pair
        return dict(
            frames=np.array(frames, np.int64),
            points=points,
            keyframe=np.array(keyframe, np.int64),
            inliers=np.array(inliers, np.float32),
            moved=np.array(moved, np.float32),
            columns=np.sum(steps[0], 0) / max(len(pairs), 1),
            rows=np.sum(steps[1], 0) / max(len(pairs), 1),
        )

    def _track(self, view: _View) -> tuple[np.ndarray, int, float]:
        """Track one frame.

        Returns its points (N, 4) in gray pixels, its keyframe and its share of inliers,
        as in :meth:`arrays`.
        """
        to_first = self._current.to_first @ np.linalg.inv(self._last)
        match = self._find(self._current, view, self._last)
        if match is None or match.is_far():
            match = self._find_earlier(view, to_first) or match
        if match is None:
            self._begin_keyframe(view, to_first)
            return np.zeros((0, 4)), -1, 0.0
        self._current = match.key
        self._last = match.homography
        if match.is_far():
            to_first = match.key.to_first @ np.linalg.inv(match.homography)
            self._begin_keyframe(view, to_first / to_first[2, 2])
        chosen = np.flatnonzero(match.is_inlier)
        chosen = chosen[np.linspace(0, len(chosen) - 1, NUM_POINTS).astype(int)]
        points = match.pairs[np.unique(chosen)]
        return points, match.key.index, match.is_inlier.mean()

    def _begin_keyframe(self, view: _View, to_first: np.ndarray) -> None:
        """Make a frame the current keyframe, with its homography (3, 3)."""
        corners = cv2.goodFeaturesToTrack(
            view.gray,
            _SETTINGS.max_points,
            _SETTINGS.quality,
            _SETTINGS.distance,
            mask=view.background,
        )
        points = np.float32([] if corners is None else corners).reshape(-1, 2)
        self._current = _Keyframe(len(self._rows), view.gray, points, to_first)
        self._keyframes.append(self._current)
        self._last = np.eye(3)

    def _find(self, key: _Keyframe, view: _View, guess: np.ndarray) -> _Match | None:
        """Track the points of a keyframe into a frame by optical flow.

        ``guess`` is the expected homography (3, 3) from keyframe to frame. Returns None
        if too few points are found.
        """
        if len(key.points) < _SETTINGS.min_points:
            return None
        start = cv2.perspectiveTransform(key.points[:, None], guess)
        points, status, _ = cv2.calcOpticalFlowPyrLK(
            key.gray,
            view.gray,
            key.points[:, None],
            start.astype(np.float32),
            criteria=(cv2.TERM_CRITERIA_COUNT, _SETTINGS.steps, 0),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        points = points[:, 0]
        is_found = status[:, 0] > 0
        # Lost points may be NaN, or too far away to be integers.
        pixels = np.nan_to_num(points, nan=-1).round().clip(-1, 1e6).astype(int)
        is_found &= ((pixels >= 0) & (pixels < view.gray.shape[::-1])).all(1)
        columns, rows = pixels[is_found].T
        is_found[is_found] = view.background[rows, columns] > 0
        if is_found.sum() < _SETTINGS.min_points:
            return None
        pairs = np.concatenate([key.points, points], 1)[is_found]
        homography, inliers = cv2.findHomography(
            pairs[:, :2],
            pairs[:, 2:],
            cv2.RANSAC,
            maxIters=_SETTINGS.ransac_rounds,
        )
        if homography is None or inliers.sum() < _SETTINGS.min_points:
            return None
        return _Match(key, pairs, inliers[:, 0] > 0, homography)

    def _find_earlier(self, view: _View, to_first: np.ndarray) -> _Match | None:
        """Match a frame with one of the two other keyframes that show most of it.

        ``to_first`` is the expected homography (3, 3) to the shot's first frame.
        """
        shares = [
            (_overlap(np.linalg.inv(key.to_first) @ to_first, view.gray), key)
            for key in self._keyframes
            if key is not self._current
        ]
        for share, key in sorted(shares, key=lambda pair: -pair[0])[:2]:
            if share > _SETTINGS.reused_overlap:
                guess = np.linalg.inv(np.linalg.inv(key.to_first) @ to_first)
                match = self._find(key, view, guess)
                if match is not None:
                    return match
        return None


def _reduce(image: np.ndarray, boxes: np.ndarray, zoom: float) -> _View:
    """Reduce a frame (h, w, 3) by a factor, and mask the boxes (P, 4) of its people."""
    size = tuple(max(round(side * zoom), 1) for side in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    background = np.full_like(gray, 255)
    boxes = boxes * zoom
    margin = _SETTINGS.margin * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes = (boxes + margin * [-1, -1, 1, 1]).clip(0).astype(int)
    for left, top, right, bottom in boxes:
        background[top : bottom + 1, left : right + 1] = 0
    return _View(gray, background)


def _compare_edges(first: _View, now: _View) -> float:
    """Measure whether edges of the background are still where they were.

    Returns the mean gray difference at the edges of the first image's background, over
    the least such difference when shifted by one pixel; NaN without edges.
    """
    slopes = [cv2.Sobel(first.gray, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (0, 1)]
    is_edge = np.hypot(*slopes) > _SETTINGS.min_slope
    is_edge &= (first.background > 0) & (now.background > 0)
    is_edge[[0, -1]] = is_edge[:, [0, -1]] = False
    rows, columns = np.nonzero(is_edge)
    if not len(rows):
        return float('nan')
    before = first.gray[rows, columns].astype(np.float32)
    gray = now.gray.astype(np.float32)
    differences = {
        (y, x): float(abs(gray[rows + y, columns + x] - before).mean())
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    }
    in_place = differences.pop((0, 0))
    return in_place / max(min(differences.values()), 1e-6)


def _share_of_steps(gray: np.ndarray) -> np.ndarray:
    """Return the share of rows with a step at each column of an image, (W,)."""
    brightness = gray.astype(np.int16)
    steps = abs(brightness[:, 2:] - brightness[:, :-2])
    beside = np.maximum(steps[:, :-8], steps[:, 8:])
    is_step = steps[:, 4:-4] > beside + _SETTINGS.min_step
    return np.pad(is_step.mean(0), 5)


def _overlap(homography: np.ndarray, gray: np.ndarray) -> float:
    """Return the share of an image (H, W) that a homography (3, 3) maps inside it."""
    size = gray.shape[::-1]
    moved = cv2.perspectiveTransform(_GRID * size, homography)[:, 0]
    return float(((moved >= 0) & (moved <= size)).all(1).mean())
