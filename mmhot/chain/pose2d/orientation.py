"""Videos that are stored turned, found by the people in them.

Players turn a video by a mark in its file. Where a phone or a program lost the mark,
people lie or are upside down. So are people who rest or do gymnastics, but in a turned
image these do not walk sideways with a hanging arm. Arms do not hang to the feet of
people who are upside down, unless they lie with their head to the camera.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmhot.chain.frames.view import TURNS, turn_image
from mmhot.chain.pose2d.estimation import VideoPoseEstimator
from mmhot.chain.pose2d.footage import Footage
from mmhot.errors import ArgumentError
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.people import People, torso_of

_LOGGER = logging.getLogger(__name__)
_PARTS = ('shoulder', 'hip', 'wrist', 'ankle')


@dataclass(frozen=True)
class TurnSettings:
    """Frames that are turned, and limits of people who stand in them."""

    # Ranges are those of 24 videos, real and rendered, whose people are turned by 90,
    # 180 and 270 degrees: 34 of 72 are turned back, none of the 24 is turned.
    # Frames that are turned. 2 of them lose 18 of the 34, 10 of them 4.
    num_frames: int = 5
    # Keypoint score; joints with less are not seen. 0 to 1 of it are equal.
    min_score: float = 0.3
    # Share of upright trunks; with less the video is examined. People who sit have all.
    # 0.5 to 2 of it are equal.
    min_upright: float = 0.5
    # Degrees from down, at most, of the trunk and the legs of people who stand. Half of
    # the first loses 3, of the second 7; double wins one and two.
    max_trunk: float = 30.0
    max_leg: float = 45.0
    # Share of the turned frames in which a person stands. 0.5 to 1 of it lose none.
    min_standing: float = 0.6
    # People who stand in the given frames, as a share of all people, or of all frames.
    # Chosen on a turned video of sports, which is not examined with half of it; the 24
    # videos are equal from 0.05 to 1.
    max_standing: float = 0.2
    # Lengths of the trunk by which people move sideways. Who falls out of a bed without
    # turning moves by one. Half of it wins 4, double loses 14.
    min_way: float = 2.0
    # Distance of the shoulders over the trunk in the image. People who lie with their
    # head to a camera up to 30 degrees above them have 1.4 and more, by foreshortening;
    # who stands in 13 videos has 0.2 to 0.9. 1 to 2 of it are equal, half loses 7.
    max_width: float = 1.0


_SETTINGS = TurnSettings()


def find_turn(footage: Footage, models: VideoPoseEstimator) -> int:
    """Find the turn of a video after which people stand, if they do not before.

    A video is examined if no person is found, or if most trunks are not upright. If
    people stand after a turn, but do not walk, or are upright in twice as many frames,
    they may lie: a line in the log says so.

    Args:
        footage (Footage): The video and its people.
        models (VideoPoseEstimator): Detector and 2D model.

    Returns:
        int: Degrees by which frames are to be turned clockwise; 0 for most videos.
    """
    seen = footage.people
    skeleton = get_skeleton(seen.skeleton)
    names = [f'{side}_{part}' for part in _PARTS for side in ('left', 'right')]
    people = seen.people[seen.first :]
    is_short = len(people) < _SETTINGS.num_frames
    if is_short or footage.frames.once or not {*names} <= {*skeleton.joints}:
        return 0
    trunks = np.concatenate([torso_of(_seen_points(x), skeleton) for x in people])
    are_known = np.isfinite(trunks).all(-1)
    upright = (-trunks[:, 1] > abs(trunks[:, 0]))[are_known]
    if len(trunks) and not upright.sum() < _SETTINGS.min_upright * len(upright):
        return 0  # also if no trunk is seen
    indices = skeleton.indices(names)
    standing = sum(len(_standing(x, indices)) for x in people)
    if standing > _SETTINGS.max_standing * max(len(trunks), len(people)):
        return 0
    places = (np.arange(_SETTINGS.num_frames) + 0.5) / _SETTINGS.num_frames
    chosen = {*(seen.first + places * len(people)).astype(int).tolist()}
    images = [frame.image for frame in footage.frames if frame.index in chosen]
    found: dict[int, list[np.ndarray]] = {}
    # Frames with people who do not lie, by turn
    num_upright = {0: sum(_any_upright(seen.people[x], skeleton) for x in chosen)}
    for turn in TURNS[1:]:
        turned = models.detect([turn_image(image, turn) for image in images])
        each = [_standing(people, indices) for people in turned]
        found[turn] = [places[0] for places in each if len(places)]
        num_upright[turn] = sum(_any_upright(x, skeleton) for x in turned)
    best = max(found, key=lambda turn: len(found[turn]) + num_upright[turn])
    fewest = _SETTINGS.min_standing * len(images)
    is_turned = False
    if len(found[best]) >= fewest:
        columns, lengths, widths = np.transpose(found[best])
        is_turned = np.ptp(columns) >= _SETTINGS.min_way * np.median(lengths)
        is_turned |= best == 180 and np.median(widths) < _SETTINGS.max_width
    elif num_upright[best] < max(fewest, 2 * num_upright[0]):
        return 0
    text = (
        '%s: frames are turned by %d degrees, as people stand then; {rotate} 0 leaves '
        'them as they are'
        if is_turned
        else '%s: people lie or are upside down, or the video is stored turned: then '
        'give {rotate} %d'
    )
    _LOGGER.warning(ArgumentError(text, footage.frames.label, best))
    return best if is_turned else 0


def _seen_points(people: People) -> np.ndarray:
    """Return keypoints in pixels, (P, K, 2); NaN if their scores are low."""
    is_seen = people.scores[..., None] >= _SETTINGS.min_score
    return np.where(is_seen, people.keypoints, np.nan)


def _any_upright(people: People, skeleton: Skeleton) -> bool:
    """Return whether any trunk of a frame points up, or is not seen."""
    x, y = torso_of(_seen_points(people), skeleton).T
    return not (-y <= abs(x)).all()


def _standing(people: People, indices: Sequence[int]) -> np.ndarray:
    """Find the people of a frame who stand upright, with a hanging arm.

    Args:
        people (People): The people.
        indices (Sequence[int]): Keypoints of shoulders, hips, wrists and ankles, left
            and right.

    Returns:
        np.ndarray: Column of the trunk and its length in pixels, and the distance of
        the shoulders in lengths of the trunk, (S, 3), the longest one first.
    """
    points = _seen_points(people)[:, indices]
    shoulders, hips, wrists, ankles = np.split(points, 4, axis=1)  # (P, 2, 2)
    trunks = (hips - shoulders).mean(1)
    stand = _lean(trunks) < _SETTINGS.max_trunk
    stand &= (_lean(ankles - hips) < _SETTINGS.max_leg).all(1)
    stand &= (wrists > shoulders)[..., 1].any(1)
    columns = (hips + shoulders)[..., 0].mean(1) / 2
    lengths = np.linalg.norm(trunks, axis=-1)
    widths = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=-1)
    places = np.stack([columns, lengths, widths / lengths.clip(1e-6)], 1)[stand]
    return places[np.argsort(-places[:, 1])]


def _lean(vectors: np.ndarray) -> np.ndarray:
    """Return the degrees (...) between vectors (..., 2), x and y, and down."""
    return np.degrees(np.arctan2(abs(vectors[..., 0]), vectors[..., 1]))
