"""Outputs of the inferencer: predictions, data samples, drawings, windows."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmhot.apis.inferencer_inputs import CallOptions, Image, Input
from mmhot.io.arrays import exact_list, to_json
from mmhot.io.atomic import replacing
from mmhot.io.results import check_targets
from mmhot.structures.clips import Clip3D, to_axes
from mmhot.video.frames import FrameSource
from mmhot.video.people import People
from mmhot.visualization.video_encoding import open_video

Instances = list[dict[str, Any]]
# Field of an instance: field of all instances in a data sample.
_PLURALS = {
    'bbox': 'bboxes',
    'bbox_score': 'bbox_scores',
    'track_id': 'track_ids',
    'root': 'roots',
}


def describe_2d(people: People, ids: np.ndarray | None) -> Instances:
    """Convert 2D poses to plain values.

    Args:
        people (People): People of one frame, P of them.
        ids (np.ndarray, optional): Their track IDs, (P,).

    Returns:
        list[dict]: ``keypoints`` (K, 2), ``keypoint_scores`` (K,), ``bbox``, a tuple of
        one box as in MMPose, ``bbox_score``, and ``track_id`` if tracked.
    """
    instances = _as_rows(
        keypoints=people.keypoints,
        keypoint_scores=people.scores,
        bbox=people.bboxes[:, None],
        bbox_score=people.bbox_scores,
    )
    for row, instance in enumerate(instances):
        instance['bbox'] = tuple(instance['bbox'])
        if ids is not None:
            instance['track_id'] = int(ids[row])
    return instances


def describe_3d(clip: Clip3D, boxes: dict[int, list[float]]) -> Instances:
    """Convert the 3D poses of one frame to plain values.

    Args:
        clip (Clip3D): Rows of the frame.
        boxes (dict[int, list[float]]): Bounding boxes of this frame by track ID.

    Returns:
        list[dict]: ``keypoints`` (17, 3) in meters, ``keypoint_scores`` (17,), 0 for
        interpolated joints, ``keypoints_2d`` (17, 2), ``root`` (3,), the position of
        the root relative to the camera, ``bbox`` if the person was detected in this
        frame, and ``track_id``.
    """
    instances = _as_rows(
        keypoints=clip.keypoints_3d,
        keypoint_scores=clip.keypoint_scores_3d,
        keypoints_2d=clip.keypoints_2d,
        root=clip.root_3d,
    )
    for instance, track in zip(instances, clip.track.tolist(), strict=True):
        if track in boxes:
            instance['bbox'] = (boxes[track],)
        instance['track_id'] = track
    return instances


def _as_rows(**columns: np.ndarray) -> Instances:
    values = zip(*map(exact_list, columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def turn_clip(clip: Clip3D, options: CallOptions) -> Clip3D:
    """Convert a clip to the chosen axes; MMPose's are left-handed.

    Args:
        clip (Clip3D): Clip in camera axes.
        options (CallOptions): Axes, and whether the lowest joint is at height 0.

    Returns:
        Clip3D: A new clip.
    """
    if options.axes != 'mmpose':
        return to_axes(clip, options.axes)
    turned = to_axes(clip, 'z-up')
    mirror = np.float32([-1, 1, 1])  # x to the left, y away, z up
    # + 0 turns -0 into 0
    keypoints, root = turned.keypoints_3d * mirror + 0, turned.root_3d * mirror
    if not options.disable_rebase_keypoint:
        keypoints[..., 2] -= keypoints[..., 2].min(-1, keepdims=True)
    return replace(turned, keypoints_3d=keypoints, root_3d=root)


def as_datasample(instances: Instances, name: str, size: tuple[int, int]) -> Any:
    """Convert the instances of an image to MMPose's data sample.

    Args:
        instances (list[dict]): Instances, P of them.
        name (str): File name of the image.
        size (tuple[int, int]): Width and height in pixels.

    Returns:
        PoseDataSample: Arrays in ``pred_instances``: ``keypoints`` (P, K, 2 or 3),
        ``keypoint_scores`` (P, K), ``bboxes`` (P, 4; NaN without a box), and others
        named after the fields of an instance.
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


def check_outputs(
    inputs: Iterable[Input], options: CallOptions, read: Iterable[Path] = ()
) -> Iterable[Input]:
    """Refuse results that would overwrite each other or a file that is read.

    Args:
        inputs (Iterable[Input]): Inputs; a list is checked at once, an iterator while
            it is read.
        options (CallOptions): Folders of the results.
        read (Iterable[Path]): Other files that are read.

    Returns:
        Iterable[Input]: The inputs.

    Raises:
        ValueError: If a file would be overwritten.
    """
    is_list = isinstance(inputs, list)
    if is_list and Path(options.vis_out_dir).suffix and len(inputs) > 1:
        raise ValueError(
            f'vis_out_dir={options.vis_out_dir!r} is one file, and there are '
            f'{len(inputs)} inputs: name a folder'
        )
    if not is_list:
        return (_checked([each], options, read)[0] for each in inputs)
    return _checked(inputs, options, read)


def _checked(
    inputs: list[Input], options: CallOptions, read: Iterable[Path]
) -> list[Input]:
    targets, sources = [], [*read]
    for each in inputs:
        sources += [x for x in getattr(each, 'paths', [each.path]) if x is not None]
        files = _drawing_path(each, options), _predictions_path(each, options)
        targets.append((each.path or each.name, [x for x in files if x is not None]))
    check_targets(targets, sources)
    return inputs


@contextmanager
def video_outputs(
    video: FrameSource, options: CallOptions
) -> Iterator[Callable[[Instances, np.ndarray | None], None]]:
    """Write predictions and drawings of a video frame by frame.

    Args:
        video (FrameSource): Video.
        options (CallOptions): Folders of the results.

    Yields:
        Callable: Takes the instances of the next frame and its drawing, BGR (H, W, 3).
    """
    with ExitStack() as opened:
        add = drawings = None
        target = _predictions_path(video, options)
        if target:
            add = opened.enter_context(_open_frame_list(_with_folder(target)))
        target = _drawing_path(video, options)
        if target:
            drawings = opened.enter_context(
                open_video(_with_folder(target), video.fps, video.path)
            )

        def write(instances: Instances, drawing: np.ndarray | None) -> None:
            if add:
                add(instances)
            if drawings and drawing is not None:
                drawings.write(drawing)

        yield write


@contextmanager
def _open_frame_list(path: Path) -> Iterator[Callable[[list], None]]:
    """Write ``[{frame_id, instances}, ...]`` frame by frame."""
    with replacing(path) as temporary, temporary.open('w', encoding='utf-8') as file:
        count = 0

        def add(instances: list) -> None:
            nonlocal count
            entry = {'frame_id': count, 'instances': instances}
            file.write((',\n' if count else '[\n') + to_json(entry))
            count += 1

        yield add
        file.write('\n]\n' if count else '[]\n')


def write_image(
    image: Image,
    options: CallOptions,
    instances: Instances,
    drawing: np.ndarray | None,
) -> None:
    """Write the predictions and the drawing of an image.

    Args:
        image (Image): Image.
        options (CallOptions): Folders of the results.
        instances (list[dict]): Its people.
        drawing (np.ndarray, optional): BGR, uint8 (H, W, 3).

    Raises:
        ValueError: If the suffix of the drawing is no image format.
    """
    target = _predictions_path(image, options)
    if target:
        with replacing(_with_folder(target)) as temporary:
            temporary.write_text(f'{to_json(instances)}\n', encoding='utf-8')
    target = _drawing_path(image, options)
    if target and drawing is not None:
        try:
            _, data = cv2.imencode(target.suffix, drawing)
        except cv2.error as error:
            raise ValueError(f'{target} has the suffix of no image format') from error
        with replacing(_with_folder(target)) as temporary:
            temporary.write_bytes(data.tobytes())


def show_image(image: np.ndarray, title: str, seconds: float) -> None:
    """Show an image in a window.

    Args:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        title (str): Title of the window.
        seconds (float): Time to wait; 0 waits for a key.

    Raises:
        ValueError: If OpenCV cannot open windows.
    """
    try:
        cv2.imshow(title, image)
        cv2.waitKey(max(1, round(1000 * seconds)) if seconds else 0)
    except cv2.error as error:
        raise ValueError(
            'show=True needs a screen, and OpenCV with windows: name a folder with '
            'vis_out_dir instead'
        ) from error


def _predictions_path(each: Input, options: CallOptions) -> Path | None:
    stem = Path(each.name).stem if isinstance(each, Image) else each.name
    folder = options.pred_out_dir
    return Path(folder, f'{stem}.json') if folder else None


def _drawing_path(each: Input, options: CallOptions) -> Path | None:
    chosen = Path(options.vis_out_dir)
    if not options.vis_out_dir or chosen.suffix:
        return chosen if options.vis_out_dir else None
    return chosen / (each.name if isinstance(each, Image) else f'{each.name}.mp4')


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
