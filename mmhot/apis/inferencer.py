"""Inferencer with the interface of MMPose's, which lifts whole clips."""

import logging
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.apis.inferencer_inputs import (
    CallOptions,
    Image,
    Input,
    open_all,
    read_call_options,
)
from mmhot.apis.inferencer_outputs import (
    as_datasample,
    check_outputs,
    show_image,
    video_outputs,
    write_image,
)
from mmhot.apis.inferencer_predictors import FrameResult, Predictor2D, Predictor3D
from mmhot.apis.options import InferOptions
from mmhot.apis.progress import no_bar, stage_bars, text_bar
from mmhot.compat.installation import choose_device
from mmhot.lifting.lifter import Lifter
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.frames import FrameSource
from mmhot.video.pipeline import VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources import pose_source
from mmhot.video.sources.detectors import BoxFilter
from mmhot.video.sources.model_names import find_pose_model
from mmhot.visualization.overlay import Overlay, append_3d_view

_LOGGER = logging.getLogger(__name__)
_PERSON = 0
_SCOPES = ('mmpose', 'mmhot')


class Inferencer:
    """Predicts the poses of people in images and videos, as ``MMPoseInferencer`` does.

    Names, defaults and results are those of MMPose 1.3.2; ``docs/inferencer.md`` lists
    what is the same, what differs and what is refused.

    Args:
        pose2d (str, optional): 2D model: a name or alias of mmhot's or MMPose's index,
            a config file, an ``.onnx`` file, or 'mediapipe'. With ``pose3d`` alone the
            default of ``mmhot infer``.
        pose2d_weights (str, optional): Its checkpoint.
        pose3d (str, optional): Lifter, see :class:`mmhot.Lifter`. Without one, results
            are 2D.
        pose3d_weights (str, optional): Its checkpoint; sufficient if it contains the
            config.
        device (str, optional): PyTorch device; by default the GPU if there is one.
        scope (str): 'mmpose' or 'mmhot'; names are looked up in both, mmhot's first.
        det_model (str, optional): Detector, see
            :class:`mmhot.apis.options.InferOptions`.
        det_weights (str, optional): Its checkpoint.
        det_cat_ids (int | list[int], optional): Must be 0, the category of people.
        show_progress (bool): Whether to show progress bars. Defaults to False.

    Raises:
        ValueError: If a name is unknown, weights and model do not fit, or neither
            ``pose2d`` nor ``pose3d`` is given.
        FileNotFoundError: If a file does not exist.

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
        models = InferOptions(
            pose2d=pose2d,
            pose2d_weights=pose2d_weights,
            det_model=det_model,
            det_weights=det_weights,
            pose3d=pose3d,
            pose3d_weights=pose3d_weights,
        )
        lifts = pose3d is not None or pose3d_weights is not None
        if pose2d is None and not lifts:
            raise ValueError('pose2d or pose3d must be given, or both')
        if scope not in _SCOPES:
            raise ValueError(f'scope must be one of {_SCOPES}, got {scope!r}')
        _check_categories(det_cat_ids)
        device = choose_device(device)
        self.lifter = None
        if lifts:
            self.lifter = _open_lifter(models.pose3d, models.pose3d_weights, device)
        # thresholds differ from call to call, see BoxFilter
        self.detector, self.estimator = pose_source.open_pose_source(
            models.pose2d,
            models.pose2d_weights,
            models.det_model,
            models.det_weights,
            device,
            min_score=0.0,
        )
        self._bars = text_bar if show_progress else no_bar
        self._files = models.files

    def __call__(
        self,
        inputs: str | Path | np.ndarray | Iterable,
        return_datasamples: bool = False,
        batch_size: int = 1,
        out_dir: str | None = None,
        **kwargs: Any,
    ) -> Iterator[dict[str, Any]]:
        """Predict the poses of people in images and videos.

        Arguments are checked, and files opened, at once; predictions are computed when
        results are requested. In 2D they come frame by frame. In 3D the first result of
        a video comes after all of its frames were processed; for drawings, the video is
        then read once more. Frames are not kept in memory.

        Args:
            inputs (str | Path | np.ndarray | Iterable): Image, video, folder or glob of
                these, address, BGR array (H, W, 3) uint8, or several of these; in 2D
                also a webcam (``'webcam'``, ``'webcam:1'``).
            return_datasamples (bool): Whether predictions are MMPose's data samples
                instead of lists of dicts. Defaults to False.
            batch_size (int): Frames per batch in 2D. Defaults to 1.
            out_dir (str, optional): Folder for ``visualizations`` and ``predictions``.
            **kwargs (Any): See :class:`mmhot.apis.inferencer_inputs.CallOptions`.

        Returns:
            Iterator[dict]: For each image or frame: ``predictions``, a list with one
            entry, the list of its people; ``visualization``, a list with one image, RGB
            (H, W, 3), with ``return_vis``, otherwise empty, or None if nothing is
            drawn.

        Raises:
            TypeError: If an argument is unknown.
            ValueError: If an argument or input is wrong.
            FileNotFoundError: If a file does not exist.
        """
        options = read_call_options(
            out_dir,
            return_datasamples=return_datasamples,
            batch_size=batch_size,
            **kwargs,
        )
        opened = open_all(inputs, options.fps)
        opened = check_outputs(opened, options, self._files)
        return self._infer(opened, options)

    def _infer(
        self, inputs: Iterable[Input], options: CallOptions
    ) -> Iterator[dict[str, Any]]:
        detector = BoxFilter(self.detector, options.bbox_thr, options.nms_thr)
        models = VideoPoseEstimator(
            detector, self.estimator, batch_size=options.batch_size
        )
        predictor = Predictor2D(models)
        if self.lifter is not None:
            predictor = Predictor3D(VideoLifter(models, self.lifter), options)
        draw = Overlay(
            get_skeleton(self.estimator.skeleton),
            options.radius,
            options.thickness,
            options.kpt_thr,
            options.draw_bbox,
            options.black_background,
        )
        for is_image, group in groupby(inputs, lambda x: isinstance(x, Image)):
            if is_image:
                yield from self._infer_images(group, predictor, draw, options)
                continue
            for video in group:
                yield from self._infer_video(video, predictor, draw, options)

    def _infer_images(
        self,
        images: Iterator[Image],
        predictor: Predictor2D | Predictor3D,
        draw: Overlay,
        options: CallOptions,
    ) -> Iterator[dict[str, Any]]:
        with stage_bars(self._bars, 'images') as progress:
            done = 0
            while batch := list(islice(images, options.batch_size)):
                frames = predictor.predict_images(batch)
                for image, frame in zip(batch, frames, strict=True):
                    drawing = _draw(frame, draw, options)
                    write_image(image, options, frame.instances, drawing)
                    done += 1
                    progress('2D', done, 0)
                    seconds = options.wait_time
                    yield _result(frame, drawing, image.name, options, seconds)

    def _infer_video(
        self,
        video: FrameSource,
        predictor: Predictor2D | Predictor3D,
        draw: Overlay,
        options: CallOptions,
    ) -> Iterator[dict[str, Any]]:
        with (
            video_outputs(video, options) as write,
            stage_bars(self._bars, video.name) as progress,
        ):
            try:
                for frame in predictor.predict_video(video, progress):
                    drawing = _draw(frame, draw, options)
                    write(frame.instances, drawing)
                    # a millisecond is enough to refresh the window
                    yield _result(frame, drawing, video.name, options, 0.001)
            except GeneratorExit:
                return  # keep the files of the frames so far


def _draw(frame: FrameResult, draw: Overlay, options: CallOptions) -> np.ndarray | None:
    """Draw the people of a frame, BGR (H, W, 3), if drawings are needed."""
    if not options.draws or frame.image is None:
        return None
    drawing = draw(frame.image, frame.people, frame.ids)
    if not frame.lifted:
        return drawing
    return append_3d_view(drawing, frame.scene, frame.index)


def _result(
    frame: FrameResult,
    drawing: np.ndarray | None,
    name: str,
    options: CallOptions,
    seconds: float,
) -> dict[str, Any]:
    """Show the drawing if requested, and make the result of a frame."""
    if options.show and drawing is not None:
        show_image(drawing, name, seconds)
    people: Any = frame.instances
    if options.return_datasamples:
        people = as_datasample(people, name, frame.size)
    images = []
    if options.return_vis and drawing is not None:
        images.append(np.ascontiguousarray(drawing[..., ::-1]))
    return {
        'visualization': images if options.draws else None,
        'predictions': [people],
    }


def _check_categories(det_cat_ids: int | Iterable[int] | None) -> None:
    ids = [det_cat_ids] if isinstance(det_cat_ids, int | None) else [*det_cat_ids]
    if not set(ids) <= {None, _PERSON}:
        raise ValueError(
            f'det_cat_ids must be 0, the category of people, got {det_cat_ids!r}'
        )


def _open_lifter(model: str | None, weights: str | None, device: str) -> Lifter:
    """Load a lifter; explain what to do with one of MMPose's."""
    try:
        return Lifter(model, weights, device=device)
    except ValueError as error:
        try:
            is_mmpose = 'body_3d_keypoint' in find_pose_model(str(model)).config.parts
        except (ValueError, FileNotFoundError):
            raise error from None
        if not is_mmpose or Path(model).is_file():
            raise
        raise ValueError(
            f'pose3d={model!r} is a lifter of MMPose: name a config of mmhot, whose '
            "MotionBERT loads MMPose's weights as pose3d_weights"
        ) from error
