"""MMPose's inferencer, called the same way, over whole clips."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.apis.inferencing.inputs import Input, Picture, open_all
from mmhot.apis.inferencing.options import CallOptions, read_options
from mmhot.apis.inferencing.outputs import (
    check_outputs,
    film_outputs,
    show_picture,
    write_picture,
)
from mmhot.apis.inferencing.predictions import as_datasample
from mmhot.apis.inferencing.shots import Finder2D, Finder3D, Shot
from mmhot.lifting.lifter import Lifter
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.frames import FrameSource
from mmhot.video.pipeline import VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.detectors import BoxFilter
from mmhot.video.sources.model_names import find_pose_model
from mmhot.video.sources.pose_source import open_pose_source
from mmhot.visualization.overlay import Overlay, append_3d_view

_PERSON = 0
_SCOPES = ('mmpose', 'mmhot')


class Inferencer:
    """Finds people in pictures and videos, called as ``MMPoseInferencer`` is.

    Names, defaults and results are those of MMPose 1.3.2; ``docs/inferencer.md`` lists
    what is the same, what differs and what is refused.

    Args:
        pose2d (str, optional): 2D model: a name or alias of mmhot's or MMPose's index,
            a config file, an ``.onnx`` file, or 'mediapipe'. With ``pose3d`` alone the
            one that :func:`mmhot.video.sources.pose_source.open_pose_source` takes.
        pose2d_weights (str, optional): Its checkpoint.
        pose3d (str, optional): Lifter: as of :class:`mmhot.Lifter`. Without one,
            results are 2D.
        pose3d_weights (str, optional): Its checkpoint; alone if that holds a config.
        device (str, optional): PyTorch device; by default the GPU if there is one.
        scope (str): 'mmpose' or 'mmhot'; names are looked up in both, mmhot's first.
        det_model (str, optional): Detector, as of ``open_pose_source``.
        det_weights (str, optional): Its checkpoint.
        det_cat_ids (int | list[int], optional): 0, as people are found here.
        show_progress (bool): Whether to show bars. Defaults to False.

    Raises:
        ValueError: If a name is unknown, weights and model do not fit, or neither
            ``pose2d`` nor ``pose3d`` is given.
        FileNotFoundError: If a file is missing.

    Example::

        from mmhot.apis import Inferencer
        inferencer = Inferencer(pose2d='human', pose3d='nanohtnet')
        for result in inferencer('walk.mp4', out_dir='results'):
            for person in result['predictions'][0]:
                person['track_id'], person['keypoints']  # 17 times x, y, z in meters
    """

    def __init__(
        self,
        pose2d: str | None = None,
        pose2d_weights: str | None = None,
        pose3d: str | None = None,
        pose3d_weights: str | None = None,
        device: str | None = None,
        scope: str = 'mmpose',
        det_model: str | None = None,
        det_weights: str | None = None,
        det_cat_ids: int | Iterable[int] | None = None,
        show_progress: bool = False,
    ) -> None:
        lifts = pose3d is not None or pose3d_weights is not None
        if pose2d is None and not lifts:
            raise ValueError('pose2d or pose3d must be given, or both')
        if scope not in _SCOPES:
            raise ValueError(f'scope must be one of {_SCOPES}, got {scope!r}')
        _check_categories(det_cat_ids)
        for name, value in (('pose2d', pose2d), ('det_model', det_model)):
            if not isinstance(value, str | Path | None):
                raise ValueError(
                    f'{name} must be a name or file, got a {type(value).__name__}'
                )
        device = _choose_device(device)
        self.lifter = None
        if lifts:
            self.lifter = _open_lifter(pose3d, pose3d_weights, device)
        # boxes of any score, but of 'pose-verified': every call has its own threshold
        self.detector, self.estimator = open_pose_source(
            *(pose2d, pose2d_weights, det_model, det_weights, device), min_score=0.0
        )
        self.show_progress = show_progress

    def __call__(
        self,
        inputs: str | Path | np.ndarray | Iterable,
        return_datasamples: bool = False,
        batch_size: int = 1,
        out_dir: str | None = None,
        **kwargs: Any,
    ) -> Iterator[dict[str, Any]]:
        """Find the people of pictures and videos.

        Arguments are checked, and files opened, at once; the work is done when results
        are asked for. In 2D they come picture by picture. In 3D a video's first result
        comes after all of its frames were looked at in 2D and lifted; if pictures are
        drawn, the video is then read once more. Frames are not kept, so that memory
        does not grow with their number but for the keypoints.

        Args:
            inputs (str | Path | np.ndarray | Iterable): A picture, a video, a folder
                or glob of these, an address, a BGR array (H, W, 3) uint8, or several
                of these; in 2D a webcam, too (``'webcam'``, ``'webcam:1'``).
            return_datasamples (bool): Whether predictions are MMPose's data samples
                and not lists of dicts. Defaults to False.
            batch_size (int): Pictures that go through the 2D models together. Defaults
                to 1.
            out_dir (str, optional): Folder for ``visualizations`` and ``predictions``.
            **kwargs (Any): See
                :class:`mmhot.apis.inferencing.options.CallOptions`.

        Returns:
            Iterator[dict]: Of each picture or frame: ``predictions``, a list with one
            entry, the list of its people; ``visualization``, a list with one picture,
            RGB (H, W, 3), with ``return_vis``, otherwise empty, or None if nothing is
            drawn.

        Raises:
            TypeError: If an argument is unknown.
            ValueError: If an argument or input is wrong.
            FileNotFoundError: If a file does not exist.
        """
        options = read_options(
            out_dir,
            return_datasamples=return_datasamples,
            batch_size=batch_size,
            **kwargs,
        )
        opened = open_all(inputs, options.fps)
        check_outputs(opened, options)
        return self._infer(opened, options)

    def _infer(
        self, inputs: Iterable[Input], options: CallOptions
    ) -> Iterator[dict[str, Any]]:
        boxes = BoxFilter(self.detector, options.bbox_thr, options.nms_thr)
        find = VideoPoseEstimator(boxes, self.estimator, batch_size=options.batch_size)
        if self.lifter is None:
            finder = Finder2D(find)
        else:
            finder = Finder3D(VideoLifter(find, self.lifter), options)
        artist = self._artist(options)
        for are_pictures, group in groupby(inputs, lambda x: isinstance(x, Picture)):
            if are_pictures:
                yield from self._infer_pictures(group, finder, artist, options)
            else:
                for film in group:
                    yield from self._infer_film(film, finder, artist, options)

    def _artist(self, options: CallOptions) -> Overlay:
        return Overlay(
            get_skeleton(self.estimator.skeleton),
            options.radius,
            options.thickness,
            options.kpt_thr,
            options.draw_bbox,
            options.black_background,
        )

    def _infer_pictures(
        self,
        pictures: Iterator[Picture],
        finder: Finder2D | Finder3D,
        artist: Overlay,
        options: CallOptions,
    ) -> Iterator[dict[str, Any]]:
        with _progress_bars(self.show_progress) as show:
            done = 0
            while batch := list(islice(pictures, options.batch_size)):
                shots = finder.of_pictures(batch)
                for picture, shot in zip(batch, shots, strict=True):
                    drawn = _draw(shot, artist, options)
                    write_picture(picture, options, shot.instances, drawn)
                    done += 1
                    show('pictures', done, 0)
                    yield _result(shot, drawn, picture.name, options, options.wait_time)

    def _infer_film(
        self,
        film: FrameSource,
        finder: Finder2D | Finder3D,
        artist: Overlay,
        options: CallOptions,
    ) -> Iterator[dict[str, Any]]:
        with (
            film_outputs(film, options) as write,
            _progress_bars(self.show_progress, f'{film.name}: ') as show,
        ):
            try:
                for shot in finder.of_film(film, show):
                    drawn = _draw(shot, artist, options)
                    write(shot.instances, drawn)
                    # a millisecond is enough to be seen, and does not hold things up
                    yield _result(shot, drawn, film.name, options, 0.001)
            except GeneratorExit:
                # whoever wants no more results keeps the files of those so far
                return


def _draw(shot: Shot, artist: Overlay, options: CallOptions) -> np.ndarray | None:
    """Draw a picture's people, BGR (H, W, 3), if that is wanted."""
    if not options.draws or shot.image is None:
        return None
    drawn = artist(shot.image, shot.people, shot.ids)
    if shot.poses is None:
        return drawn
    return append_3d_view(drawn, shot.poses.scene, shot.index)


def _result(
    shot: Shot,
    drawn: np.ndarray | None,
    name: str,
    options: CallOptions,
    seconds: float,
) -> dict[str, Any]:
    """What a caller gets of a picture; shows it if that is wanted."""
    if options.show and drawn is not None:
        show_picture(drawn, name, seconds)
    people = shot.instances
    if options.return_datasamples:
        people = as_datasample(people, name, shot.size)
    pictures = []
    if options.return_vis and drawn is not None:
        pictures.append(np.ascontiguousarray(drawn[..., ::-1]))
    return {
        'visualization': pictures if options.draws else None,
        'predictions': [people],
    }


@contextmanager
def _progress_bars(wanted: bool, prefix: str = ''):
    """Yield a function of (stage, done, total) that draws a bar for each stage."""
    from tqdm import tqdm

    with ExitStack() as opened:
        bars = {}

        def show(stage: str, done: int, total: int) -> None:
            if not wanted:
                return
            if stage not in bars:
                bar = tqdm(desc=prefix + stage, total=total or None, unit='frame')
                bars[stage] = opened.enter_context(bar)
            bars[stage].update(done - bars[stage].n)

        yield show


def _check_categories(det_cat_ids: int | Iterable[int] | None) -> None:
    wanted = [det_cat_ids] if isinstance(det_cat_ids, int | None) else [*det_cat_ids]
    if not set(wanted) <= {None, _PERSON}:
        raise ValueError(
            f'det_cat_ids={det_cat_ids!r} cannot be followed: people are found here, '
            'whose category is 0'
        )


def _choose_device(device: str | None) -> str:
    import torch

    if device is None:
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    if str(device).startswith('cuda') and not torch.cuda.is_available():
        raise ValueError(
            f'device={device!r}: there is no GPU that PyTorch can use here'
        )
    return str(device)


def _open_lifter(model: str | None, weights: str | None, device: str) -> Lifter:
    """Open a lifter of ours, and say what to do with one of MMPose's."""
    try:
        return Lifter(model, weights, device=device)
    except ValueError as error:
        try:
            theirs = 'body_3d_keypoint' in find_pose_model(str(model)).config.parts
        except (ValueError, FileNotFoundError):
            raise error from None
        if not theirs or Path(model).is_file():
            raise
        raise ValueError(
            f'pose3d={model!r} is a lifter of MMPose, which lifts in its own '
            'inferencer: MMPoseInferencer after mmhot.compat.repair_inferencer()'
        ) from error
