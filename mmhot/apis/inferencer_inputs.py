"""Arguments of a call of the inferencer, and its inputs: images and videos."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.apis.option_fields import Options, option
from mmhot.errors import hint_at_names
from mmhot.io.images import MAX_PIXELS, decode_image, is_image, read_image
from mmhot.video.capture import Capture
from mmhot.video.frames import (
    Frame,
    FrameSource,
    ImageSequence,
)
from mmhot.video.inputs import open_inputs
from mmhot.video.streams import is_url, open_stream

AXES = ('mmpose', 'z-up', 'camera')

# Argument: its only supported value, and why others are refused.
REFUSED = {
    'bboxes': (None, 'det_model detects people (MMPose ignores it, too)'),
    'draw_heatmap': (False, 'models predict keypoints, not heatmaps'),
    'merge_results': (True, 'the people of an image always come together'),
    'pose_based_nms': (False, 'nms_thr and tracking remove duplicates'),
    'return_datasample': (None, 'the argument is return_datasamples'),
    'skeleton_style': ('mmpose', 'drawings have a style of their own'),
    'tracking_thr': (0.3, 'tracking uses the whole clip, without a threshold'),
    'use_oks_tracking': (False, 'tracking always uses keypoints and boxes'),
}
# MMPose moves people into one box by default; mmhot never does.
WITHOUT_EFFECT = {'disable_norm_pose_2d'}


@dataclass(frozen=True, kw_only=True)
class CallOptions(Options):
    """Options of a call of :class:`mmhot.apis.Inferencer`."""

    return_datasamples: bool = option(
        False, "return MMPose's data samples instead of lists of dicts"
    )
    batch_size: int = option(1, 'frames per batch in 2D', low=1, metavar='N')
    return_vis: bool = option(False, 'return drawings')
    show: bool = option(False, 'show drawings in a window')
    wait_time: float = option(
        0.0,
        'seconds for which each image is shown; 0 waits for a key',
        metavar='SECONDS',
    )
    draw_bbox: bool = option(False, 'draw bounding boxes')
    radius: int = option(3, 'radius of keypoints in pixels', low=1, metavar='PIXELS')
    thickness: int = option(1, 'thickness of bones in pixels', low=1, metavar='PIXELS')
    kpt_thr: float = option(
        0.3, 'minimum confidence of drawn keypoints', low=0, high=1, metavar='SCORE'
    )
    bbox_thr: float = option(
        0.3, 'boxes of this score or less are dropped', low=0, high=1, metavar='SCORE'
    )
    nms_thr: float | None = option(
        None,
        'IoU above which the box with the lower score is dropped (default: that of '
        'the detector, or else 0.3)',
        low=0,
        high=1,
        metavar='IOU',
    )
    vis_out_dir: str = option('', 'folder, or one file, for drawings', metavar='FOLDER')
    pred_out_dir: str = option('', 'folder for predictions', metavar='FOLDER')
    black_background: bool = option(False, 'draw on black instead of the image')
    num_instances: int = option(
        -1, 'people in the 3D view, the first ones; all if negative'
    )
    disable_rebase_keypoint: bool = option(
        False, 'keep 3D poses around the root instead of moving them to height 0'
    )
    axes: str = option('mmpose', 'axes of 3D keypoints', choices=AXES)
    fps: float | None = option(None, 'makes all images one video', low=0.1, high=1000)

    @property
    def draws(self) -> bool:
        """Whether drawings are needed."""
        return bool(self.return_vis or self.show or self.vis_out_dir)


def read_call_options(out_dir: str | None = None, **given: Any) -> CallOptions:
    """Check the arguments of a call.

    Args:
        out_dir (str, optional): Parent of ``vis_out_dir`` and ``pred_out_dir``, where
            these are not given.
        **given (Any): The other arguments.

    Returns:
        CallOptions: Checked values.

    Raises:
        TypeError: If an argument is unknown.
        ValueError: If a value is wrong or not supported.
    """
    known = [field.name for field in fields(CallOptions)]
    if out_dir is not None:
        given.setdefault('vis_out_dir', f'{out_dir}/visualizations')
        given.setdefault('pred_out_dir', f'{out_dir}/predictions')
    for name in set(given) - set(known) - WITHOUT_EFFECT:
        if name not in REFUSED:
            hint = hint_at_names(name, [*known, 'out_dir'])
            raise TypeError(f'unexpected argument {name!r}; {hint}')
        value, reason = REFUSED[name]
        if given[name] != value:
            raise ValueError(f'{name}={given[name]!r} is not supported: {reason}')
    return CallOptions(**{name: v for name, v in given.items() if name in known})


@dataclass(frozen=True)
class Image:
    """Image that is read when it is processed.

    Attributes:
        name (str): File name of results, such as ``'walk.jpg'``.
        read (Callable): Returns the image, BGR, uint8 (H, W, 3).
        path (Path, optional): Its file.
    """

    name: str
    read: Callable[[], np.ndarray]
    path: Path | None = None


class _Video:
    """Common attributes of a :class:`mmhot.video.frames.FrameSource`."""

    max_pixels = MAX_PIXELS

    def __init__(
        self, name: str, path: Path, fps: float, num_frames: int | None
    ) -> None:
        self.name, self.path, self.fps = name, path, fps
        self.num_frames = num_frames
        self.ended: str | None = None
        self.num_damaged = 0


class ImageVideo(_Video):
    """Images as the frames of one video.

    Args:
        images (Sequence[Image]): Images in order.
        fps (float): Frames per second.
    """

    def __init__(self, images: Sequence[Image], fps: float) -> None:
        self._images = images
        self.paths = [image.path for image in images]
        path = images[0].path or Path(images[0].name)
        if len(images) > 1 and images[0].path:
            path = path.resolve().parent
        super().__init__(path.stem, path, fps, len(images))

    def __iter__(self) -> Iterator[Frame]:
        """Read the images, up to the first one of another size."""
        self.ended, shape = None, None
        for index, image in enumerate(self._images):
            pixels = image.read()
            if shape not in (None, pixels.shape):
                self.ended = f'stopped before {image.name}, which has another size'
                return
            shape = pixels.shape
            yield Frame(index, index / self.fps, pixels)


class Webcam(_Video):
    """Webcam as a video without end; frames are dropped to keep up.

    Args:
        number (str): Number of the webcam, or its device.
    """

    def __init__(self, number: str) -> None:
        self._stream = stream = open_stream(number)
        super().__init__(stream.name, Path(stream.address), stream.fps, None)

    def __iter__(self) -> Iterator[Frame]:
        """Read frames until the caller stops."""
        with Capture(self._stream) as capture:
            yield from (item for item in capture if isinstance(item, Frame))


Input = Image | FrameSource


def open_all(inputs: Any, fps: float | None = None) -> Iterable[Input]:
    """Open the inputs of a call.

    Args:
        inputs (str | Path | np.ndarray | Iterable): Image, video, folder or glob of
            these, address, webcam (``'webcam'``, ``'webcam:1'``), BGR array (H, W, 3),
            or several of these.
        fps (float, optional): Frame rate that makes all images one video.

    Returns:
        Iterable[Input]: A list, unless ``inputs`` is an iterator, which is opened one
        by one.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an input has another type.
    """
    if isinstance(inputs, str | Path | np.ndarray):
        inputs = [inputs]
    if not isinstance(inputs, Iterable):
        raise ValueError(
            'inputs must be a path, an address, an array or several of these, got '
            f'{type(inputs).__name__}'
        )
    opened = (each for index, item in enumerate(inputs) for each in _open(item, index))
    if fps is not None:
        opened = list(opened)
        images = [each for each in opened if isinstance(each, Image)]
        videos = [each for each in opened if not isinstance(each, Image)]
        return ([ImageVideo(images, fps)] if images else []) + videos
    return list(opened) if isinstance(inputs, list | tuple) else opened


def _open(item: Any, index: int) -> Iterator[Input]:
    """Open one input, which may contain several images and videos."""
    if isinstance(item, np.ndarray):
        # named as by MMPose
        yield Image(f'{index:06}.jpg', partial(_check_array, item, index))
        return
    if not isinstance(item, str | Path):
        raise ValueError(
            f'input {index} must be a path, an address or an array, got '
            f'{type(item).__name__}'
        )
    text = str(item)
    if text.lower().startswith('webcam'):
        yield Webcam(text.partition(':')[2] or '0')
    elif is_url(text) and is_image(text.partition('?')[0]):
        name = Path(text.partition('?')[0]).name
        yield Image(name, partial(_download, text))
    else:
        for source in open_inputs([text]):
            if not isinstance(source, ImageSequence):
                yield source
                continue
            for path in source.paths:
                yield Image(path.name, partial(read_image, path), path)


def _check_array(image: np.ndarray, index: int) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'input {index} must be a BGR image, uint8 (H, W, 3), got {image.dtype} '
            f'{image.shape}'
        )
    return image


def _download(url: str) -> np.ndarray:
    from mmengine.fileio import get

    try:
        data = get(url)
    except OSError as error:
        raise OSError(f'{url} cannot be downloaded: {error}') from error
    return decode_image(data, url)
