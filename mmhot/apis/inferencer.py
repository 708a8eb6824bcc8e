"""Inferencer with MMPose's interface; it lifts whole clips."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

import mmcv
import mmengine
import numpy as np
from mmengine.structures import InstanceData
from mmpose.apis.inferencers.base_mmpose_inferencer import BaseMMPoseInferencer
from mmpose.structures import PoseDataSample, split_instances

from mmhot.chain.frames.files import ImageSequence
from mmhot.chain.frames.inputs import open_inputs
from mmhot.chain.frames.sources import DEFAULT_FPS, FrameSource, check_image
from mmhot.chain.keypoints.confidence import DropUncertainDetections
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.pipelines import KEYPOINTS, VIDEO, list_steps
from mmhot.chain.plan import LiftPlan, StepChoice, VideoPlan
from mmhot.chain.pose2d import pose_source
from mmhot.chain.pose2d.detectors import filter_boxes
from mmhot.chain.pose2d.estimation import VideoPoseEstimator
from mmhot.chain.pose2d.options import Pose2DOptions
from mmhot.chain.run import Runner
from mmhot.chain.tracking.clip_tracks import make_track
from mmhot.chain.visualization.clip_renderer import ClipRenderer
from mmhot.chain.visualization.overlay import append_3d_view, draw_overlay
from mmhot.compat.installation import choose_device
from mmhot.errors import ArgumentError
from mmhot.io.images import read_image
from mmhot.options import Values
from mmhot.progress import CountStage, no_bar, stage_bars, text_bar
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.people import People

# MMPose's axes are x to the left, y away, z up; clips have x right, y down, z away.
# These are the axes of clips in MMPose's order, and their signs.
_AXES = [0, 2, 1]
_SIGNS = np.array([-1, 1, -1], np.float32)
# MMPose's file name for an array or frame
_NAME = '{:06}.jpg'


@dataclass(frozen=True)
class DrawnImage:
    """Image or frame, and the people that are drawn into it.

    Args:
        read_image (Callable): Returns the image, BGR, (H, W, 3).
        people (list[Track2D]): People who were detected in this frame.
        frame_number (int): Number of the frame; 0 for an image.
        open_renderer (Callable): Returns the renderer of a number of lifted people.
    """

    read_image: Callable[[], np.ndarray]
    people: list[Track2D]
    frame_number: int
    open_renderer: Callable[[int], ClipRenderer | None]


Posed = Iterator[tuple[PoseDataSample, DrawnImage]]
"""Samples for :meth:`Inferencer.forward`, images for :meth:`Inferencer.visualize`."""


class Inferencer(BaseMMPoseInferencer):
    """Lift the people in images and videos, with the interface of MMPose.

    Arguments, also of calls, and results are the ones of ``MMPoseInferencer`` in MMPose
    1.3.2, except for the differences in ``docs/mmpose.md``. Videos are lifted as whole
    clips.

    Args:
        pose2d (str, optional): 2D model, with the names and the default of
            ``mmhot infer``.
        pose2d_weights (str, optional): Its checkpoint.
        pose3d (str, optional): Lifter, see :class:`mmhot.Lifter`.
        pose3d_weights (str, optional): Its checkpoint; enough if it has the config.
        device (str, optional): PyTorch device; by default the GPU if there is one.
        scope (str): Without effect: names are looked up in mmhot, then in MMPose.
        det_model (str, optional): Detector, as for ``mmhot infer``.
        det_weights (str, optional): Its checkpoint.
        det_cat_ids (int | list[int], optional): Must be 0, the category of people.
        show_progress (bool): Whether to show progress bars. Defaults to False.
        without (Sequence[str]): Processing steps to leave out, as for ``mmhot infer``.

    Raises:
        ValueError: If a name is unknown, weights and model do not fit, or no lifter is
            given.
        FileNotFoundError: If a file does not exist.

    Example::

        from mmhot.apis import Inferencer
        find = Inferencer(pose3d='nanohtnet')
        for result in find('demo/walk.mp4'):
            people = result['predictions'][0]
    """

    preprocess_kwargs = {'bbox_thr', 'nms_thr', 'disable_norm_pose_2d'}
    forward_kwargs = {'disable_rebase_keypoint'}
    visualize_kwargs = {
        *('return_vis', 'show', 'wait_time', 'draw_bbox', 'radius', 'thickness'),
        *('kpt_thr', 'num_instances', 'vis_out_dir', 'black_background'),
    }
    postprocess_kwargs = {'pred_out_dir'}

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
        det_cat_ids: int | Sequence[int] | None = None,
        show_progress: bool = False,
        without: Sequence[str] = (),
    ) -> None:
        # The constructor of the base class is not called, as it loads a single model.
        if pose3d is None and pose3d_weights is None:
            raise ArgumentError(
                '{pose3d} must name a lifter; for 2D poses alone, use MMPoseInferencer'
            )
        if det_cat_ids not in (None, 0, [0], (0,)):
            raise ValueError(
                f'det_cat_ids must be 0, the category of people, got {det_cat_ids!r}'
            )
        device = choose_device(device)
        models = Pose2DOptions(
            pose2d=pose2d,
            pose2d_weights=pose2d_weights,
            det_model=det_model,
            det_weights=det_weights,
            device=device,
        )
        self._without = without
        self.lifter = Lifter(pose3d, pose3d_weights, device=device)
        # Thresholds differ from call to call; filter_boxes applies them.
        opened = pose_source.open_pose_source(models, min_score=0.0)
        self.detector, self.estimator = opened
        self.bars = text_bar if show_progress else no_bar
        self.show_progress = False  # the base's bar does not show stages
        self._video_input = False

    def _inputs_to_list(self, inputs: str | Path | np.ndarray | Iterable) -> Any:
        """Return a video, or a list of images: paths and arrays (H, W, 3)."""
        self._video_input = False
        if isinstance(inputs, np.ndarray):
            return [inputs]
        if isinstance(inputs, Sequence) and not isinstance(inputs, str):
            return list(inputs)
        if not isinstance(inputs, str | Path):
            # Arrays are copied, as a generator may fill one buffer again and again.
            return [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
        sources = open_inputs([str(inputs)])
        folders = [x for x in sources if isinstance(x, ImageSequence)]
        if folders:
            return [path for folder in folders for path in folder.paths]
        if len(sources) > 1:
            raise ValueError(
                f'{inputs} contains {len(sources)} videos: call once for each of them'
            )
        (video,) = sources
        self._video_input = True
        # The base class needs this to write NAME.json and NAME.mp4.
        self.video_info: dict[str, Any] = dict(name=f'{video.name}.mp4', fps=video.fps)
        self.video_info |= dict(writer=None, predictions=[])
        return video

    def _get_webcam_inputs(self, inputs: str) -> NoReturn:
        raise ValueError(f'{inputs} has no end: use mmhot stream or mmhot.stream')

    def preprocess(
        self,
        inputs: FrameSource | list,
        batch_size: int = 1,
        bbox_thr: float = 0.3,
        nms_thr: float | None = None,
        disable_norm_pose_2d: bool = True,
    ) -> Posed:
        """Estimate the poses of images or frames, and lift them.

        Args:
            inputs (FrameSource | list): A video, or images as paths and arrays.
            batch_size (int): Images that the models process at once. Defaults to 1.
            bbox_thr (float): Score; detections below it are dropped. Defaults to 0.3.
            nms_thr (float, optional): Overlap (IoU) of boxes; if two overlap more, the
                one with the higher score is kept. Defaults to the detector's.
            disable_norm_pose_2d (bool): Without effect: people are never moved into one
                box.

        Yields:
            tuple: A sample whose ``pred_instances`` has ``keypoints`` (P, K, 3),
            ``keypoint_scores`` (P, K), ``bboxes`` (P, 4; NaN in frames without a
            detection), ``keypoints_2d`` (P, K, 2), ``roots`` (P, 3), and of videos
            ``track_ids`` (P,); and what :meth:`visualize` needs.
        """
        if nms_thr is None:
            nms_thr = self.detector.nms_thr
        models = VideoPoseEstimator(
            self.detector,
            self.estimator,
            batch_size=batch_size,
            filter_boxes=partial(filter_boxes, bbox_thr=bbox_thr, nms_thr=nms_thr),
        )
        if isinstance(inputs, FrameSource):
            self._read_files = {inputs.path.resolve()}
            with stage_bars(self.bars, inputs.name) as progress:
                yield from self._lift_video(inputs, models, progress)
        else:
            paths = [x for x in inputs if isinstance(x, str | Path)]
            self._read_files = {Path(x).resolve() for x in paths}
            with stage_bars(self.bars, 'images') as progress:
                yield from self._lift_images(inputs, models, progress)

    def _lift_images(
        self, inputs: list, models: VideoPoseEstimator, progress: CountStage
    ) -> Posed:
        """Lift each image as a clip of one frame, with the steps of keypoints."""
        steps = list_steps(KEYPOINTS)
        kinds = (*KEYPOINTS.steps, StepChoice)
        values: dict[str, Any] = {'without': [x for x in self._without if x in steps]}
        if 'confidence' not in self._without:
            values['kpt_thr'] = DropUncertainDetections().kpt_thr
        plan = LiftPlan(Values(values, kinds), lifter=self.lifter)
        for start in range(0, len(inputs), models.batch_size):
            batch = inputs[start : start + models.batch_size]
            images = [
                check_image(x) if isinstance(x, np.ndarray) else read_image(x)
                for x in batch
            ]
            found = models.detect(images, video=False)
            posed = zip(batch, images, found, strict=True)
            for number, (source, image, people) in enumerate(posed, start):
                is_array = isinstance(source, np.ndarray)
                path = Path(_NAME.format(number) if is_array else source)
                clip = self._clip_of(path, image, people)
                lifted = Runner().lift(plan, clip)
                progress('2D', number + 1, len(inputs))
                yield from self._split(clip, lifted, [str(path)], iter([image]))

    def _clip_of(self, path: Path, image: np.ndarray, people: People) -> Clip2D:
        """Return the people of an image (H, W, 3) as a clip of one frame."""
        rows = range(len(people))
        tracks = [make_track(row, [(0, people, row)]) for row in rows]
        height, width = image.shape[:2]
        skeleton = self.estimator.skeleton
        return Clip2D(
            path.stem, skeleton, tracks, width, height, DEFAULT_FPS, source=path
        )

    def _lift_video(
        self, video: FrameSource, models: VideoPoseEstimator, progress: CountStage
    ) -> Posed:
        """Lift the people of a video, which is read again if it is drawn."""
        stated = {'camera': 'moving', 'without': self._without}
        values = Values(stated, (*VIDEO.steps, StepChoice))
        plan = VideoPlan(values, lifter=self.lifter, models=models)
        runner = Runner(count=progress)
        tracked, footage = runner.see(plan, video)
        lifted = runner.lift(plan, tracked, footage)
        names = [_NAME.format(index) for index in range(runner.times.num_frames)]
        images = (frame.image for frame in footage.frames)
        yield from self._split(tracked, lifted, names, images)

    def _split(
        self,
        clip: Clip2D,
        lifted: Clip3D | None,
        names: Sequence[str],
        images: Iterator[np.ndarray],
    ) -> Posed:
        """Yield the sample and the image of each frame of a clip.

        ``names`` are the names of the frames; ``images``, BGR (H, W, 3), are read only
        if they are drawn.
        """
        open_renderer = cache(partial(_open_renderer, lifted))
        detected: list[list[Track2D]] = [[] for _ in names]  # people by frame
        for track in clip.tracks:
            for row, frame in enumerate(track.frames.tolist()):
                detected[frame].append(track.take(np.array([row])))
        for index, (name, people) in enumerate(zip(names, detected, strict=True)):
            poses = lifted and lifted.take(np.flatnonzero(lifted.frame == index))
            sample = _make_sample(people, poses)
            shape = clip.height, clip.width
            sample.set_metainfo(dict(img_path=name, ori_shape=shape))
            if self._video_input:
                numbers = () if poses is None else poses.track
                sample.pred_instances.track_ids = np.array(numbers, int)
            drawn = DrawnImage(partial(next, images), people, index, open_renderer)
            yield sample, drawn

    def forward(
        self, inputs: PoseDataSample, disable_rebase_keypoint: bool = False
    ) -> list[PoseDataSample]:
        """Move the lowest joint of each person to height 0.

        Args:
            inputs (PoseDataSample): Poses of an image or frame.
            disable_rebase_keypoint (bool): Whether 3D poses stay around the root
                instead. Defaults to False.

        Returns:
            list[PoseDataSample]: The sample.
        """
        if not disable_rebase_keypoint:
            heights = inputs.pred_instances.keypoints[..., 2]
            heights -= heights.min(-1, keepdims=True)
        return [inputs]

    def visualize(
        self,
        inputs: DrawnImage,
        preds: list[PoseDataSample],
        return_vis: bool = False,
        show: bool = False,
        wait_time: float = 0,
        num_instances: int = -1,
        vis_out_dir: str = '',
        **drawing: Any,
    ) -> list[np.ndarray] | None:
        """Draw the people into an image, and a 3D scene of them to its right.

        Args:
            inputs (DrawnImage): Image and people.
            preds (list[PoseDataSample]): The sample.
            return_vis (bool): Whether to return the drawing. Defaults to False.
            show (bool): Whether to show it in a window. Defaults to False.
            wait_time (float): Seconds that an image is shown. Defaults to 0, until a
                key is pressed.
            num_instances (int): People in the 3D scene. Defaults to -1, all.
            vis_out_dir (str): Folder for drawings. Defaults to '', none.
            **drawing: Further arguments of MMPose's inferencers.

        Returns:
            list[np.ndarray] | None: The drawing, RGB, (H, W', 3); empty unless
            ``return_vis``, and None if nothing is drawn.

        Raises:
            ValueError: If a drawing would overwrite an input.
        """
        if not (return_vis or show or vis_out_dir):
            return None
        is_video = self._video_input
        skeleton = get_skeleton(self.estimator.skeleton)
        drawing['draw_ids'] = is_video
        image = draw_overlay(inputs.read_image(), inputs.people, skeleton, **drawing)
        renderer = inputs.open_renderer(num_instances)
        image = append_3d_view(image, renderer, inputs.frame_number)
        path = preds[0].img_path
        title = self.video_info['name'] if is_video else path
        if show:
            mmcv.imshow(image, title, 1 if is_video else round(1000 * wait_time))
        image = mmcv.bgr2rgb(image)
        if vis_out_dir:
            target = Path(vis_out_dir, Path(title).name)
            if target.resolve() in self._read_files:
                raise ValueError(f'{target} would be overwritten: change vis_out_dir')
            self.save_visualization(image, str(vis_out_dir), Path(path).name)
        return [image] if return_vis else []

    def postprocess(
        self,
        preds: list[PoseDataSample],
        visualization: list[np.ndarray] | None,
        return_datasamples: bool = False,
        pred_out_dir: str = '',
    ) -> dict[str, Any]:
        """Convert predictions to plain values, and write them as MMPose does.

        Args:
            preds (list[PoseDataSample]): The sample.
            visualization (list[np.ndarray] | None): Drawings, RGB, (H, W', 3).
            return_datasamples (bool): Whether to return the sample instead of plain
                values. Defaults to False.
            pred_out_dir (str): Folder for predictions. Defaults to '', none.

        Returns:
            dict: ``visualization`` and ``predictions``.
        """
        (sample,) = preds
        people = _as_dicts(sample.pred_instances)
        if pred_out_dir and self._video_input:
            self.video_info['predictions'].append(people)
        elif pred_out_dir:
            name = f'{Path(sample.img_path).stem}.json'
            mmengine.dump(people, str(Path(pred_out_dir, name)), indent='  ')
        predictions = [sample if return_datasamples else people]
        return dict(visualization=visualization, predictions=predictions)


def _make_sample(people: list[Track2D], clip: Clip3D | None) -> PoseDataSample:
    """Convert the poses of a frame, and the boxes of the people detected in it."""
    fields: dict[str, np.ndarray] = dict(keypoints=np.zeros((0, 17, 3), np.float32))
    if clip is not None:
        boxes = {x.track: x.boxes[0] for x in people}
        unseen = np.full(4, np.nan)
        bboxes = [boxes.get(track, unseen) for track in clip.track.tolist()]
        fields = dict(
            # Adding 0 turns -0 into 0.
            keypoints=clip.keypoints_3d[..., _AXES] * _SIGNS + 0,
            keypoint_scores=clip.keypoint_scores_3d,
            bboxes=np.array(bboxes, np.float32).reshape(-1, 4),
            keypoints_2d=clip.keypoints_2d,
            roots=clip.root_3d[:, _AXES] * _SIGNS,
        )
    return PoseDataSample(pred_instances=InstanceData(**fields))


def _as_dicts(instances: InstanceData) -> list[dict[str, Any]]:
    """Convert people to MMPose's dictionaries, with our additional entries."""
    fields = {'root': 'roots', 'keypoints_2d': 'keypoints_2d', 'track_id': 'track_ids'}
    people = split_instances(instances)
    for row, person in enumerate(people):
        if np.isnan(person['bbox']).any():
            del person['bbox']
        for name, field in fields.items():
            if field in instances:
                person[name] = instances[field][row].tolist()
    return people


def _open_renderer(clip: Clip3D | None, num_instances: int) -> ClipRenderer | None:
    """Open the renderer of the first people of a clip, or of all if negative."""
    if clip is None or not num_instances:
        return None
    people = clip.track_ids
    shown = people if num_instances < 0 else people[:num_instances]
    return ClipRenderer(clip.take(np.isin(clip.track, shown)))
