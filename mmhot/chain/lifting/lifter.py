"""Lifting of 2D keypoints of whole clips to 3D poses."""

import logging
import math
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.chain.lifting.gaps import GapFiller, Segment, hang_legs
from mmhot.chain.lifting.lifted import Evidence
from mmhot.chain.lifting.networks import Keep, LiftingNetwork
from mmhot.chain.lifting.onnx_network import OnnxNetwork
from mmhot.chain.lifting.refinement import keep_bone_lengths
from mmhot.chain.lifting.world import place_people
from mmhot.errors import list_people, require_choice
from mmhot.geometry.keypoint_arrays import mirror_poses, relative_scores
from mmhot.geometry.windows import (
    average_neighbors,
    lift_windows,
    plan_windows,
    resample,
    resample_smoothly,
    usual_stride,
)
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.structures.clips_2d import Clip2D, Track2D, check_clip
from mmhot.structures.clips_3d import Clip3D, join_rows
from mmhot.structures.lens import ideal_camera, ideal_pixels
from mmhot.weights.index import ACCURACIES
from mmhot.weights.names import LIFTER, resolve, runtime

_LOGGER = logging.getLogger(__name__)
# Seconds; a longer step between frames counts as this, as no window sees farther.
_MAX_STEP = 1.0


class Lifter:
    """Lift 2D keypoints of clips to 3D poses.

    Args:
        model (str, Path or LiftingNetwork, optional): Name of shipped weights, a config
            file, or a lifter of ``mmhot export``: its folder or .onnx file; or an open
            network, see :mod:`mmhot.chain.lifting.networks`. By default the shipped
            model for clips or, given a checkpoint, the config that it contains.
        checkpoint (str or Path, optional): A file or the name of shipped weights. By
            default the shipped weights of the model.
        device (str): 'cpu', 'cuda', 'cuda:N', or by default 'auto': a GPU if there is
            one.
        flip_test (bool): Whether to average with the mirrored prediction.
        stride (int, optional): Frames from one window to the next; overlapping
            predictions are averaged. By default
            :func:`mmhot.geometry.windows.usual_stride`.
        keep (int or list[int], optional): Frames that each pruner of the model keeps.
            By default as trained.
        accuracy (str): 'best', the default, or 'fast': the model alone. With 'best'
            bones keep their lengths, if the joints are Human3.6M's
            (:func:`mmhot.chain.lifting.refinement.keep_bone_lengths`).
        backend (str): 'torch', 'onnx', or 'auto', the default, see
            :func:`mmhot.weights.names.runtime`.

    Attributes:
        network (LiftingNetwork): Model that is run, see
            :mod:`mmhot.chain.lifting.networks`.
        is_person (bool): Whether its joints are Human3.6M's.
        is_seq2seq (bool): Whether it predicts all frames of a window.

    Raises:
        ValueError: If a name is unknown, the weights do not fit the model, or the back
            end cannot run it.
        FileNotFoundError: If a file is missing.

    Example::

        import mmhot
        lifter = mmhot.Lifter()
        clip = lifter(mmhot.read_keypoints('demo/skating_2d_coco17.npz'))
        clip.keypoints_3d  # (N, 17, 3), meters, root-relative, camera axes
        clip.root_3d  # (N, 3), root positions in camera axes
    """

    def __init__(
        self,
        model: str | Path | LiftingNetwork | None = None,
        checkpoint: str | Path | None = None,
        device: str = 'auto',
        flip_test: bool = True,
        stride: int | None = None,
        keep: Keep | None = None,
        backend: str = 'auto',
        accuracy: str = 'best',
    ) -> None:
        require_choice('accuracy', accuracy, ACCURACIES)
        if isinstance(model, str | Path | None):
            model = open_network(model, checkpoint, device, keep, backend)
        self.network = model
        settings = self.network.settings
        self.name = self.network.name
        self.codec = self.network.codec
        self.skeleton = self.network.skeleton
        self.is_person = self.skeleton is get_skeleton('h36m-17')
        self.reads_scores = getattr(self.codec, 'with_scores', False)
        self.fps = settings.get('fps', 50.0)
        self.mapping = settings.get('mapping', 'trained')
        self.flip_test = flip_test
        self.accuracy = accuracy
        self.seq_len = self.network.num_frames
        self.num_targets = self.network.num_targets
        self.is_seq2seq = self.num_targets == self.seq_len > 1
        usual = usual_stride(self.seq_len, self.num_targets)
        self.stride = usual if stride is None else stride
        self.batch_size = self.network.usual_batch_size

    def __call__(
        self, clip: Clip2D, progress: Callable[[int, int], None] | None = None
    ) -> Clip3D:
        """Lift every person in every frame of a clip.

        Missing joints are interpolated (with score 0) in gaps of up to a second; in
        longer gaps, frames without joints repeat the nearest pose. Keypoints are
        resampled to the model's frame rate, and the windows of all people share
        batches. Keypoints are undistorted and centered with the clip's ``lens``, or
        with a typical one.

        Args:
            clip (Clip2D): 2D keypoints.
            progress (Callable, optional): Called with the numbers of lifted frames and
                of all frames, summed over people.

        Returns:
            Clip3D: Rows sorted by frame and track.

        Raises:
            TypeError: If ``clip`` is not a :class:`mmhot.Clip2D`.
            ValueError: If the clip is invalid (see
                :func:`mmhot.structures.clips_2d.check_clip`), no keypoint can be
                converted to the model's, or an argument is invalid.
        """
        clip = check_clip(clip)
        return self.lift(clip, self.prepare(clip), progress)[0]

    def prepare(self, clip: Clip2D) -> list[Segment]:
        """Convert keypoints of a checked clip to the model's joints, and fill gaps.

        Returns:
            list[Segment]: Segments of all people, by track and time.

        Raises:
            ValueError: If no keypoint can be converted to the model's joints.
        """
        filler = GapFiller(clip.fps, clip.times_of, self.is_person)
        segments = []
        for track in clip.tracks:
            points = self.convert(track, clip.skeleton)
            segments += filler.split(track.track, track.frames, *points)
        left_out = {*clip.track_ids} - {segment.track for segment in segments}
        if segments and left_out:
            _LOGGER.warning(
                '%s: %s left out, as no joint of %s is known',
                clip.name,
                list_people(left_out),
                self.skeleton.name,
            )
        if not segments:
            raise ValueError(
                f'{clip.source or clip.name}: no keypoint can be converted from '
                f'{clip.skeleton} to {self.skeleton.name}'
            )
        return segments

    def convert(self, track: Track2D, skeleton: str) -> tuple[np.ndarray, np.ndarray]:
        """Convert keypoints to the model's joints.

        Args:
            track (Track2D): Keypoints of one person.
            skeleton (str): Name of their skeleton.

        Returns:
            tuple[np.ndarray, np.ndarray]: Pixels (T, 17, 2) and scores (T, 17).
        """
        points = track.keypoints, track.scores, skeleton, self.skeleton.name
        return convert_keypoints(*points, self.mapping)[:2]

    def lift(
        self,
        clip: Clip2D,
        segments: list[Segment],
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Clip3D, Evidence | None]:
        """Lift the segments that :meth:`prepare` returned for a clip.

        Args:
            clip (Clip2D): Tracked keypoints.
            segments (list[Segment]): The same, without gaps.
            progress (Callable, optional): See :meth:`__call__`.

        Returns:
            tuple[Clip3D, Evidence | None]: The poses, and the evidence of their errors;
            None without a flip test or without constant bone lengths.
        """
        rows = join_rows(self._lift_segments(clip, segments, progress))
        evidence = None
        if 'disagreement' in rows:
            evidence = Evidence(**{x.name: rows.pop(x.name) for x in fields(Evidence)})
        times = None if clip.times is None else clip.times[rows['frame']]
        lifted = self.as_clip(clip, variable_time=times, read_as=clip.read_as, **rows)
        return place_people(lifted.checked(), clip.lens), evidence

    def as_clip(self, clip: Clip2D, scores: np.ndarray, **columns: Any) -> Clip3D:
        """Make a :class:`Clip3D` of lifted poses.

        Args:
            clip (Clip2D): The clip that was lifted.
            scores (np.ndarray): Confidence of the N poses, (N, 17).
            **columns (Any): Further fields, at least the arrays of the poses.

        Returns:
            Clip3D: The poses in camera axes.
        """
        return Clip3D(
            name=clip.name,
            keypoint_scores_3d=scores.copy(),
            scores=scores,
            width=clip.width,
            height=clip.height,
            fps=clip.fps,
            joint_names=self.skeleton.joints,
            parents=self.skeleton.parents,
            model=self.name,
            **columns,
        )

    def _lift_segments(
        self,
        clip: Clip2D,
        segments: list[Segment],
        progress: Callable[[int, int], None] | None,
    ) -> list[dict[str, np.ndarray]]:
        """Lift segments; return their arrays, see :meth:`_finish_segment`."""
        size = clip.width, clip.height
        lens = clip.lens and clip.lens.fitted(*size)
        all_scores = np.concatenate([segment.scores for segment in segments])
        times = [clip.times_of(segment.frames) for segment in segments]
        inputs = []
        directions = []
        for segment, seconds in zip(segments, times, strict=True):
            pixels, focal = ideal_pixels(segment.keypoints, size, lens)
            middle = pixels.mean(1) - np.divide(size, 2)
            directions.append(np.pad(middle, ((0, 0), (0, 1)), constant_values=focal))
            scores = relative_scores(segment.scores, all_scores)
            inputs.append(self.sample(pixels, scores, seconds))

        def report(share: float) -> None:
            if progress is not None:
                progress(round(share * len(all_scores)), len(all_scores))

        poses, spreads = self.lift_inputs(inputs, ideal_camera(*size, lens), report)
        return [
            self._finish_segment(*part)
            for part in zip(segments, poses, spreads, times, directions, strict=True)
        ]

    def _finish_segment(
        self,
        segment: Segment,
        poses: np.ndarray,
        disagreement: np.ndarray | None,
        seconds: np.ndarray,
        directions: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Resample a lifted segment to its frames, and keep its bone lengths.

        Args:
            segment (Segment): Keypoints of one person.
            poses (np.ndarray): Poses at the model's frame rate, meters, (T', 17, 3).
            disagreement (np.ndarray | None): Spread of the predictions of each joint,
                meters, (T', 17).
            seconds (np.ndarray): Time of each frame, (T,).
            directions (np.ndarray): Direction of the person from the camera, (T, 3).

        Returns:
            dict[str, np.ndarray]: Arrays (T, ...): columns of a clip, and the evidence
            of errors if there is a disagreement and bones keep their lengths.
        """
        lifted = poses = self.resample_back(poses, seconds)
        rows = dict(
            frame=segment.frames,
            track=np.full(len(segment.frames), segment.track),
            keypoints_2d=segment.keypoints,
            scores=segment.scores,
        )
        if self.accuracy == 'best' and self.is_person:
            poses = keep_bone_lengths(lifted, directions)
            if disagreement is not None:
                rows |= dict(
                    disagreement=self.resample_back(disagreement, seconds).clip(0),
                    correction=np.linalg.norm(poses - lifted, axis=-1),
                    directions=directions,
                )
        if self.is_person:
            poses = hang_legs(poses, segment.known)
        return rows | dict(keypoints_3d=poses)

    def sample(
        self, keypoints: np.ndarray, scores: np.ndarray, times: np.ndarray
    ) -> np.ndarray:
        """Resample keypoints to the model's frame rate.

        Samples are even in time; their rate is a little higher than the model's, so
        that the last one is the last frame. If the clip has a higher rate, neighboring
        frames are averaged: that lowers noise, and makes it matter less which frame is
        the first.

        Args:
            keypoints (np.ndarray): Pixels, (T, 17, 2).
            scores (np.ndarray): Confidences, (T, 17).
            times (np.ndarray): Timestamps in seconds, (T,).

        Returns:
            np.ndarray: Keypoints, followed by scores if the codec reads them,
            (T', 17, 2 or 3).
        """
        if self.reads_scores:
            keypoints = np.concatenate([keypoints, scores[..., None]], -1)
        seconds = _elapsed(times)
        count = math.ceil(round(seconds[-1] * self.fps, 6)) + 1
        even = np.linspace(0, seconds[-1], count)
        # Rounding errors would mix neighboring frames.
        positions = np.interp(even, seconds, np.arange(len(times))).round(6)
        step = np.median(np.diff(positions)) if len(positions) > 1 else 1.0
        return resample(average_neighbors(keypoints, step), positions)

    def lift_inputs(
        self, inputs: list[np.ndarray], camera: dict, progress: Callable[[float], None]
    ) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        """Lift keypoints at the model's frame rate to poses.

        Windows of seq2seq models reach beyond the ends of a clip. There, windows by
        turns reflect the clip in time or repeat its last frame. In 20 frames of the
        demo's videos, the error is 59.2 mm with both, and 60.0 and 60.3 mm with either
        alone. With the flip test, both images have all of these windows, so that a
        short clip and its mirror image have the same poses.

        Args:
            inputs (list[np.ndarray]): Keypoints of each segment, (T, 17, C).
            camera (dict): Camera parameters for the codec.
            progress (Callable): Called with the share that is done, 0 to 1.

        Returns:
            tuple[list[np.ndarray], list[np.ndarray | None]]: Poses of each segment in
            camera axes, meters, (T, 17, 3); and the standard deviation of the
            predictions of each joint in all windows, plain and mirrored, meters,
            (T, 17), None without a flip test or if windows predict single frames.
        """
        if self.is_seq2seq and self.flip_test:
            return self._lift_both_images(inputs, camera, progress)
        # Models that are not seq2seq have larger errors with reflected windows.
        ends = ['reflect' if self.is_seq2seq else 'edge']
        predict = partial(self.predict, camera=camera)
        poses = self._lift_windows(predict, inputs, ends, progress)
        return poses, [None] * len(inputs)

    def _lift_both_images(
        self, inputs: list[np.ndarray], camera: dict, progress: Callable[[float], None]
    ) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        """Lift keypoints and their mirror images, see :meth:`lift_inputs`."""

        def report_half(half: int, share: float) -> None:
            progress((half + share) / 2)

        moments = []
        for mirrored in (False, True):
            ends = ['edge', 'reflect'] if mirrored else ['reflect', 'edge']
            predict = partial(self._predict_moments, camera=camera, mirrored=mirrored)
            report = partial(report_half, mirrored)
            moments.append(self._lift_windows(predict, inputs, ends, report, mirrored))
        means = [(plain + other) / 2 for plain, other in zip(*moments, strict=True)]
        return [mean[..., :3] for mean in means], [*map(_spread, means)]

    def _lift_windows(
        self,
        predict: Callable[[np.ndarray], np.ndarray],
        inputs: list[np.ndarray],
        ends: list[str],
        progress: Callable[[float], None],
        shifted: bool = False,
    ) -> list[np.ndarray]:
        """Predict every frame of keypoints (T, 17, C) from overlapping windows.

        See :func:`plan_windows` for ``ends`` and ``shifted``.
        """
        sizes = self.seq_len, self.num_targets
        windows = plan_windows([*map(len, inputs)], *sizes, self.stride, shifted, ends)
        return lift_windows(predict, inputs, windows, *sizes, self.batch_size, progress)

    def _predict_moments(
        self, windows: np.ndarray, camera: dict, mirrored: bool
    ) -> np.ndarray:
        """Predict poses and their squares, (B, T', 17, 6), from windows (B, T, 17, C).

        Their means over several predictions give the spread, see :func:`_spread`. If
        ``mirrored``, poses are predicted from the mirror image.
        """
        encoded, framing = self.encode(windows, camera)
        if mirrored:
            flip = self.skeleton.flip_indices
            poses = mirror_poses(self.network(mirror_poses(encoded, flip)), flip)
        else:
            poses = self.network(encoded)
        poses = self.codec.decode(poses, **framing)[0]
        return np.concatenate([poses, poses**2], axis=-1)

    def resample_back(self, poses: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Resample poses back to the frames of the clip; reverses :meth:`sample`.

        Args:
            poses (np.ndarray): Values at the model's frame rate, (T', ...).
            times (np.ndarray): Timestamps of the frames in seconds, (T,).

        Returns:
            np.ndarray: Values in the frames, (T, ...).
        """
        seconds = _elapsed(times)
        positions = seconds * (len(poses) - 1) / (seconds[-1] or 1)
        return resample_smoothly(poses, positions.round(6))

    def predict(self, windows: np.ndarray, camera: dict) -> np.ndarray:
        """Predict the poses of windows, averaged with the mirror image if so chosen.

        Args:
            windows (np.ndarray): Keypoints in pixels, followed by scores if the codec
                reads them, (B, T, 17, 2 or 3).
            camera (dict): Camera parameters for the codec.

        Returns:
            np.ndarray: Poses in camera axes, meters, (B, T', 17, 3).
        """
        encoded, framing = self.encode(windows, camera)
        flip = self.skeleton.flip_indices if self.flip_test else None
        return self.codec.decode(self.network(encoded, flip), **framing)[0]

    def encode(self, windows: np.ndarray, camera: dict) -> tuple[np.ndarray, dict]:
        """Encode windows as the model was trained.

        Args:
            windows (np.ndarray): See :meth:`predict`.
            camera (dict): Camera parameters for the codec.

        Returns:
            tuple[np.ndarray, dict]: The model's inputs, (B, T, 17, C), and keyword
            arguments of the codec for decoding.
        """
        scores = windows[..., 2] if self.reads_scores else None
        encoded = self.codec.encode(windows[..., :2], scores, camera_param=camera)
        keys = set(self.codec.auxiliary_decode_keys) & set(encoded)
        return encoded['keypoint_labels'], {key: encoded[key] for key in keys}


def _spread(moments: np.ndarray) -> np.ndarray:
    """Compute the standard deviation of predicted joints, meters, (T, 17).

    Moments (T, 17, 6) are the means of predictions and of their squares. Of two
    predictions that are 2 cm apart, both are 1 cm from their mean:

    >>> predictions = np.array([[[0.0, 0.1, 0.3]], [[0.0, 0.1, 0.32]]])
    >>> moments = np.append(predictions, predictions**2, axis=-1).mean(0)
    >>> _spread(moments).round(6).tolist()
    [0.01]
    """
    variances = moments[..., 3:] - moments[..., :3] ** 2
    return np.sqrt(variances.sum(-1).clip(0))


def _elapsed(times: np.ndarray) -> np.ndarray:
    """Return seconds since the first frame, (T,); long steps are shortened."""
    return np.r_[0, np.cumsum(np.diff(times).clip(max=_MAX_STEP))]


def open_network(
    model: str | Path | None,
    checkpoint: str | Path | None,
    device: str,
    keep: Keep | None,
    backend: str,
) -> LiftingNetwork:
    """Open a lifter with ONNX Runtime or PyTorch; see :class:`Lifter`."""
    files = resolve(model, LIFTER, checkpoint)
    # What is pruned is a constant in an exported file.
    graph = runtime(files, device, backend, prefers_torch=keep is not None)
    if graph is not None:
        return OnnxNetwork(graph, device, keep)
    from mmhot.chain.lifting.torch_network import TorchNetwork

    return TorchNetwork(files, device, keep)
