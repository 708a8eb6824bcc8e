"""People of a picture as MMPose's inferencer describes them."""

from typing import Any

import numpy as np

from mmhot.apis.inferencing.options import CallOptions
from mmhot.clips import Clip3D, to_axes
from mmhot.io.arrays import exact_list
from mmhot.video.people import People
from mmhot.visualization.clip_renderer import ClipRenderer

# Field of an instance: that of all instances in a data sample.
_PLURALS = {
    'bbox': 'bboxes',
    'bbox_score': 'bbox_scores',
    'track_id': 'track_ids',
    'root': 'roots',
}


def describe_people(people: People, ids: np.ndarray | None) -> list[dict[str, Any]]:
    """Describe people in 2D.

    Args:
        people (People): P of them.
        ids (np.ndarray, optional): Their numbers, (P,); without, they have none.

    Returns:
        list[dict]: Of plain values: ``keypoints`` (K, 2), ``keypoint_scores`` (K,),
        ``bbox``, a tuple of one box as of MMPose, ``bbox_score``, ``track_id``.
    """
    instances = [
        {
            'keypoints': keypoints,
            'keypoint_scores': scores,
            'bbox': (box,),
            'bbox_score': sureness,
        }
        for keypoints, scores, box, sureness in zip(
            exact_list(people.keypoints),
            exact_list(people.scores),
            exact_list(people.bboxes),
            exact_list(people.bbox_scores),
            strict=True,
        )
    ]
    for instance, number in zip(instances, [] if ids is None else ids, strict=False):
        instance['track_id'] = int(number)
    return instances


class Poses:
    """The lifted people of a clip, frame by frame.

    Args:
        lifted (Clip3D, optional): In camera axes; None if there is nobody.
        options (CallOptions): Axes, whether poses stand on height 0, and how many
            people the view shows.
        tracked (bool): Whether track numbers mean anything. Defaults to True.

    Attributes:
        scene (ClipRenderer | None): Draws the poses; None if drawing is off or there
            are no people.
    """

    def __init__(
        self, lifted: Clip3D | None, options: CallOptions, tracked: bool = True
    ) -> None:
        self._clip, self._tracked = lifted, tracked
        self.scene = None
        if lifted is None:
            return
        self._keypoints, self._root = _turn(lifted, options.axes)
        if options.axes == 'mmpose' and not options.disable_rebase_keypoint:
            lowest = self._keypoints[..., 2].min(-1)
            self._keypoints[..., 2] -= lowest[:, None]
        if options.draws:
            self.scene = _make_scene(lifted, options.num_instances)

    def describe(
        self, frame: int, people: People, ids: np.ndarray
    ) -> list[dict[str, Any]]:
        """Describe the people of a frame in 3D.

        Args:
            frame (int): Its number.
            people (People): Who was found in it.
            ids (np.ndarray): Their tracks.

        Returns:
            list[dict]: Of plain values: ``keypoints`` (17, 3) in meters,
            ``keypoint_scores`` (17,), 0 where a joint was filled in, ``keypoints_2d``
            (17, 2), the pixels that were lifted, ``root`` (3,), where the hips are
            seen from the camera, ``track_id``, and ``bbox`` if the person was found
            in this very frame.
        """
        if self._clip is None:
            return []
        clip = self._clip
        rows = slice(*np.searchsorted(clip.frame, [frame, frame + 1]))
        boxes = dict(zip(ids.tolist(), exact_list(people.bboxes), strict=True))
        instances = []
        for keypoints, scores, pixels, root, track in zip(
            exact_list(self._keypoints[rows]),
            exact_list(clip.keypoint_scores_3d[rows]),
            exact_list(clip.keypoints_2d[rows]),
            exact_list(self._root[rows]),
            clip.track[rows].tolist(),
            strict=True,
        ):
            instance = {
                'keypoints': keypoints,
                'keypoint_scores': scores,
                'keypoints_2d': pixels,
                'root': root,
            }
            if track in boxes:
                instance['bbox'] = (boxes[track],)
            if self._tracked:
                instance['track_id'] = track
            instances.append(instance)
        return instances


def _turn(clip: Clip3D, axes: str) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (N, K, 3) and roots (N, 3) in certain axes."""
    turned = to_axes(clip, 'camera' if axes == 'camera' else 'z-up')
    if axes == 'mmpose':
        # x to the left, with y away and z up: a mirror image
        for points in (turned.keypoints_3d, turned.root_3d):
            np.subtract(0, points[..., 0], out=points[..., 0])
    return turned.keypoints_3d, turned.root_3d


def _make_scene(clip: Clip3D, num_instances: int) -> ClipRenderer | None:
    if num_instances >= 0:
        shown = np.unique(clip.track)[:num_instances]
        clip = clip.take(np.isin(clip.track, shown))
    return ClipRenderer(clip) if len(clip) else None


def as_datasample(
    instances: list[dict[str, Any]], name: str, size: tuple[int, int]
) -> Any:
    """Make MMPose's data sample of the people of a picture.

    Args:
        instances (list[dict]): As described above, P of them.
        name (str): The picture's file name.
        size (tuple[int, int]): Its width and height in pixels.

    Returns:
        PoseDataSample: Arrays in ``pred_instances``: ``keypoints`` (P, K, 2 or 3),
        ``keypoint_scores`` (P, K), ``bboxes`` (P, 4; NaN where there is none), and
        others named after the fields of an instance.
    """
    from mmengine.structures import InstanceData
    from mmpose.structures import PoseDataSample

    columns = {}
    for key in dict.fromkeys(key for instance in instances for key in instance):
        values = [instance.get(key) for instance in instances]
        if key == 'bbox':
            values = [box[0] if box else [np.nan] * 4 for box in values]
        kind = np.int64 if key == 'track_id' else np.float32
        columns[_PLURALS.get(key, key)] = np.array(values, kind)
    sample = PoseDataSample(metainfo=dict(img_path=name, ori_shape=size[::-1]))
    sample.pred_instances = InstanceData(**columns)
    return sample
