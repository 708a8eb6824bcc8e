"""Lifting of 2D keypoints of whole clips to 3D poses."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmhot.lifting.clip_encoder import ClipEncoder, Segment
from mmhot.lifting.networks import Keep, open_network
from mmhot.lifting.refinement import keep_bone_lengths
from mmhot.lifting.world import place_people
from mmhot.motion.expected_error import expect_errors, gather_evidence
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D, Clip3D, check_clip
from mmhot.structures.keypoint_arrays import mirror_poses
from mmhot.structures.lens import Lens, camera_intrinsics, ideal_camera
from mmhot.structures.windows import lift_windows, resample, usual_stride
from mmhot.weights.index import ACCURACIES, DEFAULT_LIFTER

_H36M = get_skeleton('h36m-17')

LIFTING_RULES = 6
"""Version of the results: raise it when the same keypoints give other poses."""


class Lifter(ClipEncoder):
    """Lift clips.

    Args:
        model (str or Path, optional): Name of shipped weights, a config file, or a
            lifter of ``mmhot export``: its folder or .onnx file. By default the shipped
            model for clips or, given a checkpoint, the config that it contains.
        checkpoint (str or Path, optional): A file or the name of shipped weights. By
            default the shipped weights of the model.
        device (str): 'cpu', 'cuda' or 'cuda:N'. Defaults to 'auto', the GPU if there
            is one.
        flip_test (bool): Whether to average with the mirrored prediction. Defaults to
            True.
        batch_size (int, optional): Windows per batch. By default 64, or for video
            lifters as many as fit into a CPU's caches.
        stride (int, optional): Frames from one window to the next; overlapping
            predictions are averaged. By default the config's, or else
            :func:`mmhot.structures.windows.usual_stride`.
        keep (int or list[int], optional): Frames that each pruner of the model keeps.
            By default as trained.
        accuracy (str): 'best', the default, or 'fast': the model alone. With 'best'
            bones keep their lengths
            (:func:`mmhot.lifting.refinement.keep_bone_lengths`; not of causal models).
        backend (str): 'torch', 'onnx', or 'auto', the default, see
            :func:`mmhot.weights.backends.find_graph`.

    Attributes:
        network (LiftingNetwork): Model that is run, see :mod:`mmhot.lifting.networks`.

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
        model: str | Path | None = None,
        checkpoint: str | Path | None = None,
        device: str = 'auto',
        flip_test: bool = True,
        batch_size: int | None = None,
        stride: int | None = None,
        keep: Keep | None = None,
        backend: str = 'auto',
        accuracy: str = 'best',
    ) -> None:
        if accuracy not in ACCURACIES:
            raise ValueError(
                f'accuracy must be one of {", ".join(ACCURACIES)}, got {accuracy!r}'
            )
        if batch_size is not None and batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.network = open_network(model, checkpoint, device, keep, backend)
        self.name, settings = self.network.name, self.network.settings
        self.flip_test = flip_test
        self.seq_len = self.network.num_frames
        self.num_targets = self.network.num_targets
        super().__init__(self.network.codec, settings)
        self.causal = settings.get('causal', False)
        self.accuracy = accuracy
        if stride is None:
            usual = usual_stride(self.seq_len, self.num_targets)
            stride = settings.get('stride', usual)
        self.stride = stride
        # mirrored chunks of a clip are others than those that are not
        self._in_chunks = self.num_targets == self.seq_len > 1
        self.batch_size = batch_size or self.network.usual_batch_size
        is_shipped = checkpoint is None and self.network.weights == DEFAULT_LIFTER
        self._expects_errors = is_shipped and accuracy == 'best'

    def __call__(
        self,
        clip: Clip2D,
        mapping: str | None = None,
        max_gap: float = 1.0,
        progress: Callable[[int, int], None] | None = None,
        lens: Lens | None = None,
    ) -> Clip3D:
        """Lift every person in every frame of a clip.

        Missing joints are filled in (with score 0), keypoints are resampled to the
        model's frame rate, and the windows of all people share batches.

        Args:
            clip (Clip2D): 2D keypoints.
            mapping (str, optional): How missing joints are approximated, see
                :func:`mmhot.convert_keypoints`. By default as in training.
            max_gap (float): Longest gap in a track that is filled, in seconds. In
                longer gaps frames without joints repeat the nearest pose. Defaults to
                1.0.
            progress (Callable, optional): Called with the numbers of lifted frames and
                of all frames, summed over people.
            lens (Lens, optional): Camera intrinsics, with which keypoints are
                undistorted and centered. By default a typical lens is assumed.

        Returns:
            Clip3D: Rows sorted by frame and track.

        Raises:
            TypeError: If ``clip`` is no :class:`mmhot.Clip2D`.
            ValueError: If the clip is invalid (see
                :func:`mmhot.structures.clips.check_clip`), no keypoint can be
                converted to Human3.6M's, or an argument is invalid.
        """
        clip = check_clip(clip)
        segments = self.prepare(clip, mapping, max_gap)
        return self.lift(clip, segments, progress, lens)

    def lift(
        self,
        clip: Clip2D,
        segments: list[Segment],
        progress: Callable[[int, int], None] | None = None,
        lens: Lens | None = None,
    ) -> Clip3D:
        """Lift the segments that :meth:`prepare` returned for a clip."""
        straight = segments
        if lens is not None:
            lens = lens.fitted(clip.width, clip.height)
            straight = [
                replace(segment, keypoints=lens.straighten(segment.keypoints))
                for segment in segments
            ]
        camera = ideal_camera(clip.width, clip.height, lens)
        times = [clip.times_of(segment.frames) for segment in segments]
        inputs = [
            self.to_model_rate(self.keypoints_of(segment), own)
            for segment, own in zip(straight, times, strict=True)
        ]
        total = sum(len(segment.frames) for segment in segments)
        ratio = total / sum(len(keypoints) for keypoints in inputs)
        lifted, doubts = self.lift_inputs(
            inputs,
            camera,
            progress and (lambda done: progress(round(done * ratio), total)),
        )
        refined = [
            self._refine(*person, camera, clip.fps)
            for person in zip(straight, times, lifted, doubts, strict=True)
        ]
        poses, errors = zip(*refined, strict=True)
        lifted_clip = self.assemble(clip, segments, poses, errors)
        # the next step has the peak of memory
        del inputs, lifted, doubts, refined, poses, errors
        return place_people(lifted_clip.checked(), lens)

    def _refine(
        self,
        segment: Segment,
        times: np.ndarray,
        lifted: np.ndarray,
        doubt: np.ndarray | None,
        camera: dict,
        fps: float,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Refine one person's poses; returns them and their expected errors.

        Args:
            segment (Segment): Keypoints in the image of ``camera``.
            times (np.ndarray): Seconds of its frames, (T,).
            lifted (np.ndarray): Poses at the model's frame rate, (T', 17, 3).
            doubt (np.ndarray | None): Disagreement of mirrored poses, (T', 17).
            camera (dict): Camera parameters.
            fps (float): Frames per second of the clip.
        """
        pose = first = self.from_model_rate(lifted, times)
        sights = _directions(segment.keypoints, camera)
        if self.accuracy == 'best' and not self.causal:
            pose = keep_bone_lengths(pose, sights)
        if doubt is None or not self._expects_errors:
            return pose, None
        doubt = self.from_model_rate(doubt, times)
        evidence = gather_evidence(pose, first, doubt, segment.scores, sights, fps)
        return pose, expect_errors(evidence)

    def lift_inputs(
        self,
        inputs: list[np.ndarray],
        camera: dict,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        """Lift keypoints (T, 17, C) at the model's frame rate.

        Returns:
            tuple[list[np.ndarray], list[np.ndarray | None]]: Poses (T, 17, 3) and, of
            flip tests with windows of their own, half the distances of the mirrored
            joints from the others, (T, 17).
        """
        if not (self._in_chunks and self.flip_test):
            return self.lift_once(inputs, camera, progress), [None] * len(inputs)
        total = sum(map(len, inputs))
        first = progress and (lambda done: progress(done // 2))
        second = progress and (lambda done: progress((total + done) // 2))
        plain = self.lift_once(inputs, camera, first, mirrored=False)
        mirrored = self.lift_once(inputs, camera, second, mirrored=True)
        pairs = [*zip(plain, mirrored, strict=True)]
        doubts = [np.linalg.norm(one - other, axis=-1) / 2 for one, other in pairs]
        return [(one + other) / 2 for one, other in pairs], doubts

    def lift_once(
        self,
        inputs: list[np.ndarray],
        camera: dict,
        progress: Callable[[int], None] | None = None,
        mirrored: bool | None = None,
    ) -> list[np.ndarray]:
        """Lift with one set of windows; see :meth:`lift_inputs` and :meth:`predict`."""
        return lift_windows(
            lambda windows: self.predict(windows, camera, mirrored),
            inputs,
            self.seq_len,
            self.num_targets,
            self.stride,
            self.batch_size,
            self.causal,
            progress,
            shifted=bool(mirrored),
        )

    def from_model_rate(self, poses: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Resample poses (T', ...) back to the clip's times (T,)."""
        sampled = self.sample_positions(times)
        own = np.interp(np.arange(len(times)), sampled, np.arange(len(sampled)))
        return resample(poses, own)

    def predict(
        self, windows: np.ndarray, camera: dict, mirrored: bool | None = None
    ) -> np.ndarray:
        """Predict poses in camera axes (B, T', 17, 3) from keypoints (B, T, 17, C).

        ``mirrored`` is whether the network sees the mirror image; by default both
        images are averaged if ``flip_test`` is set.
        """
        inputs, known = self.encode(windows, camera)
        flip = _H36M.flip_indices
        if mirrored:
            poses = mirror_poses(self.network(mirror_poses(inputs, flip)), flip)
        else:
            averages = mirrored is None and self.flip_test
            poses = self.network(inputs, flip if averages else None)
        return self.codec.decode(poses, **known)[0]

    def assemble(
        self,
        clip: Clip2D,
        segments: list[Segment],
        poses: Sequence[np.ndarray],
        errors: Sequence[np.ndarray | None],
    ) -> Clip3D:
        """Build a clip with one row per person and frame, sorted."""
        frame = np.concatenate([segment.frames for segment in segments])
        track = np.repeat(
            [segment.track for segment in segments], [len(pose) for pose in poses]
        )
        order = np.lexsort((track, frame))
        keypoints = np.concatenate([segment.keypoints for segment in segments])
        scores = np.concatenate([segment.scores for segment in segments])[order]
        return Clip3D(
            name=clip.name,
            frame=frame[order],
            track=track[order],
            keypoints_3d=np.concatenate(poses)[order],
            keypoint_scores_3d=scores,
            keypoints_2d=keypoints[order],
            scores=scores,
            width=clip.width,
            height=clip.height,
            fps=clip.fps,
            time=None if clip.times is None else clip.times[frame[order]],
            joint_names=_H36M.joints,
            parents=_H36M.parents,
            model=self.name,
            expected_error=None if errors[0] is None else np.concatenate(errors)[order],
        )


def _directions(keypoints: np.ndarray, camera: dict) -> np.ndarray:
    """Return directions (T, 3) from the camera to the middle of keypoints (T, K, 2)."""
    focal, center = camera_intrinsics(camera)
    rays = (keypoints.mean(1) - center) / focal
    return np.column_stack([rays, np.ones(len(rays))])
