"""Choice of a 2D model where none is named: the best one that is there."""

import logging
import os
from collections.abc import Callable
from typing import NamedTuple

from mmhot.video.sources import mediapipe_pose
from mmhot.video.sources.model_names import (
    find_detector,
    find_pose_model,
    shipped_pose_model,
)
from mmhot.weights.downloads import cached_file, download
from mmhot.weights.index import AUTO

MEDIAPIPE = 'mediapipe'
VARIABLE = 'MMHOT_POSE2D'
"""Environment variable that names the 2D model of ``--pose2d auto``."""
_LOGGER = logging.getLogger(__name__)
_RTMPOSE, _DETECTOR = 'rtmpose-m_8xb256-420e_body8-256x192', 'human'
# File beside the downloads that records what the user declined.
_DECLINED = 'mmhot_declined.txt'


class _Offer(NamedTuple):
    """A model of others: name, files to download, terms, and measured accuracy."""

    model: str
    urls: tuple[str, ...]
    terms: str
    accuracy: str


def default_pose_model() -> str:
    """Return the 2D model that is used where none is named.

    Raises:
        ValueError: If there is none.
    """
    if mediapipe_pose.is_ready():
        return MEDIAPIPE
    shipped = shipped_pose_model()
    if shipped is not None:
        return shipped
    raise ValueError(
        'there is no 2D pose model: name one (pose2d), or install MediaPipe: '
        f'{mediapipe_pose.INSTALL}'
    )


def choose_best(
    ask: Callable[[str], bool] | None = None, weights: str | None = None
) -> tuple[str, str]:
    """Choose the 2D model of ``--pose2d auto``.

    The first of: the model that :data:`VARIABLE` names, RTMPose-m with RTMDet-m,
    MediaPipe if it is installed, the shipped model. Models of others are used if their
    files were downloaded, or if the user agrees to a download; a refusal is recorded.

    Args:
        ask (Callable, optional): Asks the user a question, returns whether the answer
            is yes. By default nothing is downloaded.
        weights (str, optional): ``pose2d_weights``, which must be None.

    Returns:
        tuple[str, str]: Name of the model, and its accuracy as ``docs/video.md`` has
        it.

    Raises:
        ValueError: If there is no 2D model, or weights are given.
    """
    if weights is not None:
        raise ValueError(
            f'pose2d_weights is {weights}, which needs the name of its model (pose2d), '
            f'not {AUTO}'
        )
    configured = os.environ.get(VARIABLE)
    if configured:
        return configured, f'as {VARIABLE} says'
    for offer in _offers():
        if _is_accepted(offer, ask):
            return offer.model, offer.accuracy
    return default_pose_model(), 'PCK@0.2 0.71, OKS 0.54 on people of COCO'


def _offers() -> list[_Offer]:
    """List the models of others that can be used here, best first."""
    files = find_pose_model(_RTMPOSE).weights, find_detector(_DETECTOR).weights
    terms = (
        'RTMPose-m and RTMDet-m, about 150 MB, from download.openmmlab.com; Apache-2.0,'
        ' trained on photos of COCO and other data sets with terms of their own'
    )
    offers = [_Offer(_RTMPOSE, files, terms, 'published AP 0.749 on Body8')]
    if mediapipe_pose.is_installed():
        terms = "MediaPipe's Pose Landmarker, 9 MB, from Google; Apache-2.0"
        files = (mediapipe_pose.MODEL_URL,)
        accuracy = 'PCK@0.2 0.59, OKS 0.43 on people of COCO'
        offers.append(_Offer(MEDIAPIPE, files, terms, accuracy))
    return offers


def _is_accepted(offer: _Offer, ask: Callable[[str], bool] | None) -> bool:
    """Return whether all files of a model are there, now or after a download."""
    missing = [url for url in offer.urls if not cached_file(url).is_file()]
    record = cached_file(_DECLINED)
    declined = record.read_text().split() if record.is_file() else []
    if missing and (ask is None or offer.model in declined):
        return False
    if missing and not ask(f'Download {offer.terms}? They are kept.'):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text('\n'.join([*declined, offer.model]))
        return False
    try:
        for url in missing:
            download(url)
    except ValueError as error:
        _LOGGER.warning('%s', error)
        return False
    return True
