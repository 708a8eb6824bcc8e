"""Labels: where a person's keypoints are in a picture, and whether one sees them."""

from dataclasses import dataclass

import numpy as np

from mmhot.skeletons.joints import get_skeleton

from .bodies import BodyModel
from .renderer import Camera
from .scenes import Actor

_SKELETON = get_skeleton('coco-wholebody-133')
# How far under the surface a visible joint may be, meters of a tall adult.
_UNDER = {
    'hip': 0.2,
    'shoulder': 0.15,
    'knee': 0.13,
    'elbow': 0.1,
    'ankle': 0.1,
    'toe': 0.08,
    'heel': 0.08,
    'wrist': 0.07,
    'ear': 0.09,
    'eye': 0.06,
    'nose': 0.05,
}
_ELSEWHERE = 0.03  # faces and hands
_OF_OTHERS = 0.02
_TALL = 1.75
_BODY = _SKELETON.indices('body')
_WHOLE = [*_BODY, *_SKELETON.indices('feet')]


@dataclass
class Label:
    """One person's labels.

    Attributes:
        keypoints (np.ndarray): Pixels, float32 (133, 2).
        visibility (np.ndarray): uint8 (133,): 0 outside, 1 hidden, 2 visible.
        bbox (np.ndarray): Of what is seen, x1, y1, x2, y2 pixels, float32 (4,).
        cam3d (np.ndarray): Body and feet in the camera's frame, meters, (23, 3).
        area (int): Pixels that show the person.
    """

    keypoints: np.ndarray
    visibility: np.ndarray
    bbox: np.ndarray
    cam3d: np.ndarray
    area: int

    @property
    def is_telling(self) -> bool:
        """Whether something of the body is seen."""
        return (self.visibility[_BODY] == 2).sum() >= 3


def label_actor(
    model: BodyModel,
    actor: Actor,
    camera: Camera,
    frame: np.ndarray,
    depth: np.ndarray,
    owners: np.ndarray,
) -> Label | None:
    """Label somebody in a rendered picture.

    Args:
        model (BodyModel): What bodies have in common.
        actor (Actor): Who.
        camera (Camera): Of the picture.
        frame (np.ndarray): Where the photograph is, x1, y1, x2, y2 pixels.
        depth (np.ndarray): Metres, (H, W).
        owners (np.ndarray): Whose surface each pixel shows, (H, W).

    Returns:
        Label | None: ``None`` if nothing of the person is seen.
    """
    joints = model.regressor @ actor.posed.vertices
    pixels = camera.project(joints)
    in_camera = camera.to_camera(joints)
    height, width = depth.shape
    edges = np.array((0, 0, width, height))
    low, high = np.maximum(frame[:2], edges[:2]), np.minimum(frame[2:], edges[2:])
    inside = ((pixels >= low) & (pixels < high)).all(1)
    column, row = np.clip(pixels.astype(int), 0, (width - 1, height - 1)).T
    mine = owners[row, column] == actor.owner
    tall = np.ptp(model.template[:, 2])  # tolerances grow with the person
    size = np.linalg.norm(actor.posed.heads[0] - actor.posed.heads[model.bones['head']])
    rest = np.linalg.norm(
        model.template_heads[0] - model.template_heads[model.bones['head']]
    )
    under = np.where(mine, _TOLERANCES * size / rest * tall / _TALL, _OF_OTHERS)
    visible = depth[row, column] > in_camera[:, 2] - under
    visibility = np.where(inside, np.where(visible, 2, 1), 0)
    rows, columns = np.nonzero(owners == actor.owner)
    seen = (
        (columns >= low[0]) & (columns < high[0]) & (rows >= low[1]) & (rows < high[1])
    )
    if not seen.any():
        return None
    rows, columns = rows[seen], columns[seen]
    bbox = np.array(
        (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), np.float32
    )
    return Label(
        keypoints=pixels.astype(np.float32),
        visibility=visibility.astype(np.uint8),
        bbox=bbox,
        cam3d=in_camera[_WHOLE].astype(np.float16),
        area=int(seen.sum()),
    )


def _tolerances() -> np.ndarray:
    return np.array(
        [
            next((under for part, under in _UNDER.items() if part in name), _ELSEWHERE)
            for name in _SKELETON.joints
        ]
    )


_TOLERANCES = _tolerances()
