"""MMPose's 3D inferencer with tracking and true windows.

See :func:`mmhot.compat.repair_inferencer`. ``Pose3DInferencer`` of MMPose 1.3.2 drops
the people of the previous frame, so that all track IDs are new in every frame; windows
are gathered by track ID and so repeat one frame; and a second video is lifted with
frames of the first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import GeneratorType
from typing import Any

import mmpose
import numpy as np
from mmengine.structures import InstanceData
from mmpose.apis.inferencers import base_mmpose_inferencer, mmpose_inferencer
from mmpose.apis.inferencers.pose3d_inferencer import Pose3DInferencer
from mmpose.structures import PoseDataSample

from mmhot.clips import Track2D
from mmhot.video.people import People
from mmhot.video.tracking import track_clip
from mmhot.windows import resample

_VERSION = '1.3.2'
_split_instances = base_mmpose_inferencer.split_instances


def install() -> Callable[[], None]:
    """Make ``MMPoseInferencer`` build :class:`ClipPose3DInferencer`; return its undo.

    Raises:
        ValueError: If the version of MMPose is not supported.
    """
    if mmpose.__version__ != _VERSION:
        raise ValueError(
            f'repair_inferencer() is for MMPose {_VERSION}, and '
            f'{mmpose.__version__} is installed'
        )
    mmpose_inferencer.Pose3DInferencer = ClipPose3DInferencer
    base_mmpose_inferencer.split_instances = _split_instances_with_ids

    def undo() -> None:
        mmpose_inferencer.Pose3DInferencer = Pose3DInferencer
        base_mmpose_inferencer.split_instances = _split_instances

    return undo


def _split_instances_with_ids(instances: InstanceData | None) -> list[dict[str, Any]]:
    """Convert instances to dicts as MMPose does, with ``track_id`` where known."""
    people = _split_instances(instances)
    track_ids = () if instances is None else instances.get('track_ids', ())
    for person, track_id in zip(people, track_ids, strict=False):
        person['track_id'] = int(track_id)
    return people


class ClipPose3DInferencer(Pose3DInferencer):
    """Estimates 2D poses in all frames of a video, tracks people, and then lifts.

    Images and webcams are lifted as by MMPose.
    """

    def preprocess(
        self, inputs: Any, batch_size: int = 1, **kwargs: Any
    ) -> Iterator[tuple]:
        """Prepare every frame for the lifter, after 2D poses of all frames."""
        self._buffer.clear()
        self._people = None
        if self._video_input and not isinstance(inputs, GeneratorType):
            options = {
                name: kwargs[name] for name in ('bbox_thr', 'nms_thr') if name in kwargs
            }
            self._people = [self._estimate_2d(image, options) for image in inputs]
            self._track()
        yield from super().preprocess(inputs, batch_size, **kwargs)

    def preprocess_single(self, input: Any, index: int, **kwargs: Any) -> list[dict]:
        """Prepare a frame by MMPose's method, with known 2D poses and windows."""
        if self._people is None:
            return super().preprocess_single(input, index, **kwargs)
        # MMPose copies the track ID of the largest overlap: that of the person itself
        self._buffer['results_pose2d_last'] = list(self._people[index])
        self._buffer['pose_est_results_list'].clear()
        with self._known_poses(index):
            return super().preprocess_single(input, index, **kwargs)

    def forward(self, inputs: Any, **kwargs: Any) -> list[PoseDataSample]:
        """Lift the people of a frame, and add their track IDs."""
        samples = super().forward(inputs, **kwargs)
        people = self._buffer['pose_est_results_list'][-1]
        # MMPose sorts people by track ID
        track_ids = np.array(sorted(person.track_id for person in people))
        samples[0].pred_instances.set_field(track_ids, 'track_ids')
        return samples

    def _estimate_2d(self, image: np.ndarray, options: dict) -> list[PoseDataSample]:
        """Estimate the 2D poses of a frame."""
        results = self.pose2d_model(
            image, merge_results=False, return_datasamples=True, **options
        )
        return next(results)['predictions']

    def _track(self) -> None:
        """Assign track IDs; each person outside of all tracks gets a new one."""
        detects = getattr(self.pose2d_model, 'detector', None) is not None
        people = [_as_people(of_frame, detects) for of_frame in self._people]
        tracks = track_clip(people, self.video_info['fps'] or 25.0)
        ids = [np.full(len(of_frame), -1) for of_frame in self._people]
        for track in tracks:
            for frame, box in zip(track.frames, track.bboxes, strict=True):
                same = (people[frame].bboxes == box).all(1)
                ids[frame][same.argmax()] = track.track
        next_id = len(tracks)
        for of_frame, own in zip(self._people, ids, strict=True):
            for person, known in zip(of_frame, own.tolist(), strict=True):
                person.set_field(known if known >= 0 else next_id, 'track_id')
                next_id += known < 0
        self._frames = [self._converted(of_frame) for of_frame in self._people]
        self._numbers = list(range(len(self._frames)))
        self._tracks = {track.track: self._filled(track) for track in tracks}

    def _converted(self, people: list[PoseDataSample]) -> list[PoseDataSample]:
        """Convert people to the joints of the lifter."""
        converted = [person.cpu().numpy() for person in people]
        for person in converted:
            instances = person.pred_instances
            instances.keypoints = self._keypoint_converter(instances.keypoints)
        return converted

    def _filled(self, track: Track2D) -> tuple[int, list[PoseDataSample]]:
        """Return the first frame of a track, and its person in all frames from there.

        Frames without detection are interpolated.
        """
        frames = np.arange(track.frames[0], track.frames[-1] + 1)
        positions = np.interp(frames, track.frames, np.arange(len(track.frames)))
        keypoints = resample(self._keypoint_converter(track.keypoints), positions)
        boxes = resample(track.bboxes, positions)
        people = []
        for frame, own, box in zip(frames.tolist(), keypoints, boxes, strict=True):
            here = [x for x in self._frames[frame] if x.track_id == track.track]
            people += here or [_interpolated(track.track, own, box)]
        return int(frames[0]), people

    def _window(
        self, numbers: list[int], people: list[PoseDataSample]
    ) -> list[list[PoseDataSample]]:
        """Return the people of one frame in all frames of a window, padded.

        MMPose gathers windows by track ID, and leaves zeros in frames without it.
        """
        window = [[] for _ in numbers]
        for person in people:
            first, known = self._tracks.get(person.track_id, (0, [person]))
            for number, of_frame in zip(numbers, window, strict=True):
                of_frame.append(known[min(max(number - first, 0), len(known) - 1)])
        return window

    @contextmanager
    def _known_poses(self, index: int) -> Iterator[None]:
        """Replace 2D model and window extraction by known poses, for a block."""
        model, extract = self.pose2d_model, self._pose_seq_extractor
        found = [{'predictions': self._people[index]}]
        window = self._window(
            extract(self._numbers, frame_idx=index), self._frames[index]
        )
        self.pose2d_model = lambda *_, **__: iter(found)
        self._pose_seq_extractor = lambda *_, **__: window
        try:
            yield
        finally:
            self.pose2d_model, self._pose_seq_extractor = model, extract


def _interpolated(track: int, keypoints: np.ndarray, box: np.ndarray) -> PoseDataSample:
    """Build a data sample of keypoints (K, 2) in a box (4,)."""
    person = PoseDataSample()
    person.gt_instances = InstanceData()
    person.pred_instances = InstanceData(keypoints=keypoints[None], bboxes=box[None])
    person.set_field(track, 'track_id')
    return person


def _as_people(results: list[PoseDataSample], detects: bool) -> People:
    """Join samples of one person each.

    Without detections MMPose returns a box of the whole image, which is left out.
    """
    found = [result.cpu().numpy().pred_instances for result in results]
    keypoints = np.concatenate([own.keypoints for own in found])
    people = People(
        np.concatenate([own.bboxes for own in found]).astype(np.float32),
        np.concatenate([own.bbox_scores for own in found]).astype(np.float32),
        keypoints[..., :2].astype(np.float32),
        np.concatenate([own.keypoint_scores for own in found]).astype(np.float32),
    )
    height, width = results[0].metainfo['ori_shape'][:2]
    is_image = (people.bboxes == [0, 0, width, height]).all(1)
    return people.take(~(is_image & (people.bbox_scores == 1) & detects))
