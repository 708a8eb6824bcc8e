"""Labels of rendered people: keypoints, visibility, boxes and 3D joints."""

from dataclasses import dataclass

import numpy as np

from mmhot import get_skeleton
from projects.rendered_people.render.bodies import BodyModel
from projects.rendered_people.render.people import Person
from projects.rendered_people.render.renderer import Camera

_SKELETON = get_skeleton('coco-wholebody-133')
# Maximum depth of visible joints under the surface, meters of an adult of 1.75 m.
_MAX_DEPTHS = {
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
_FACE_AND_HANDS = 0.03
_OTHER_SURFACE = 0.02
_ADULT = 1.75
_BODY = _SKELETON.indices('body')
_WHOLE = [*_BODY, *_SKELETON.indices('feet')]


@dataclass
class Label:
    """Labels of one person.

    Attributes:
        keypoints (np.ndarray): Pixels, float32 (133, 2).
        visibility (np.ndarray): uint8 (133,): 0 outside, 1 occluded, 2 visible.
        bbox (np.ndarray): Of the visible part, x1, y1, x2, y2 pixels, float32 (4,).
        cam3d (np.ndarray): Body and feet in the camera's frame, meters, (23, 3).
        area (int): Visible pixels of the person.
    """

    keypoints: np.ndarray
    visibility: np.ndarray
    bbox: np.ndarray
    cam3d: np.ndarray
    area: int

    @property
    def is_visible(self) -> bool:
        """Whether at least three keypoints of the body are visible."""
        return (self.visibility[_BODY] == 2).sum() >= 3


def label_person(
    model: BodyModel,
    person: Person,
    camera: Camera,
    frame: np.ndarray,
    depth: np.ndarray,
    owners: np.ndarray,
) -> Label | None:
    """Label a person in a rendering.

    Args:
        model (BodyModel): Shared data of bodies.
        person (Person): The person.
        camera (Camera): Of the rendering.
        frame (np.ndarray): Frame of the final image, x1, y1, x2, y2 pixels.
        depth (np.ndarray): Meters, (H, W).
        owners (np.ndarray): Person of each pixel's surface, (H, W).

    Returns:
        Label | None: None if no pixel of the person is visible.
    """
    joints = model.regressor @ person.posed.vertices
    pixels = camera.project(joints)
    in_camera = camera.to_camera(joints)
    height, width = depth.shape
    edges = np.array((0, 0, width, height))
    low, high = np.maximum(frame[:2], edges[:2]), np.minimum(frame[2:], edges[2:])
    inside = ((pixels >= low) & (pixels < high)).all(1)
    column, row = np.clip(pixels.astype(int), 0, (width - 1, height - 1)).T
    # tolerances are proportional to the person's size
    head = model.bones['head']
    size = np.linalg.norm(person.posed.heads[0] - person.posed.heads[head])
    size /= np.linalg.norm(model.template_heads[0] - model.template_heads[head])
    size *= np.ptp(model.template[:, 2]) / _ADULT
    own = owners[row, column] == person.owner
    tolerance = np.where(own, _TOLERANCES * size, _OTHER_SURFACE)
    visible = depth[row, column] > in_camera[:, 2] - tolerance
    visibility = np.where(inside, np.where(visible, 2, 1), 0)
    rows, columns = np.nonzero(owners == person.owner)
    in_frame = (
        (columns >= low[0]) & (columns < high[0]) & (rows >= low[1]) & (rows < high[1])
    )
    if not in_frame.any():
        return None
    rows, columns = rows[in_frame], columns[in_frame]
    bbox = np.array(
        (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), np.float32
    )
    return Label(
        keypoints=pixels.astype(np.float32),
        visibility=visibility.astype(np.uint8),
        bbox=bbox,
        cam3d=in_camera[_WHOLE].astype(np.float16),
        area=int(in_frame.sum()),
    )


def _tolerance_of(joint: str) -> float:
    parts = (depth for part, depth in _MAX_DEPTHS.items() if part in joint)
    return next(parts, _FACE_AND_HANDS)


_TOLERANCES = np.array([_tolerance_of(joint) for joint in _SKELETON.joints])
