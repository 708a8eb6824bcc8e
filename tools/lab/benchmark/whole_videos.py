"""Parts of the benchmarks that lift whole videos: chains, other models, a stream."""

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
import torch

from mmhot.apis.live_session import lift_stream
from mmhot.apis.options import InferRunOptions, LiveOptions
from mmhot.deploy.onnx_graphs import PoseGraph, write_graph
from mmhot.profiling import Profile
from mmhot.video.frames import VideoFile
from mmhot.weights.index import LIVE_LIFTER
from tools.lab.benchmark.chain import Chain, decode, open_chain, time_chains
from tools.lab.benchmark.model_specs import build_spec, parse_spec

_WALK, _DANCE = Path('demo/walk.mp4'), Path('demo/dance.mp4')


def _options(folder: Path, **changes: object) -> InferRunOptions:
    return InferRunOptions(out_dir=folder, formats=('npz',), device='cpu', **changes)


def measure_chain(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Time the chain on videos, and on one in two resolutions."""
    return time_chains(_chains(args, folder), args.rounds)


def _chains(args: argparse.Namespace, folder: Path) -> list[Chain]:
    scaled = [_scale(_WALK, lines, folder) for lines in (720, 1080)]
    options = _options(folder)
    lifter = open_chain(options)
    videos = [_WALK, _DANCE, *scaled, *args.videos]
    return [Chain(video.stem, lifter, options, video) for video in videos]


# Stages of the table, by the spans of mmhot.profiling that they sum.
_STAGES = {
    'detection': ('detect', 'detector network', 'verify candidates'),
    'crops': ('crops', 'aligned crops', 'quarter turns'),
    '2D network': ('2D network',),
    'people between detections': ('2D', 'keyframes', 'fill', 'search backwards'),
    'shots and tracks': ('shot boundaries', 'track'),
    'lifting': ('camera', '3D', 'lifter', 'lifter network'),
    'writing': ('write',),
}


def measure_stages(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Profile the chain: milliseconds of processor time per frame, by stage.

    Decoding has threads of its own; its time is that of decoding alone. What is in no
    span is 'others'.
    """
    rows = []
    for chain in _chains(args, folder):
        chain()
        rounds = []
        for _ in range(args.rounds):
            decoding = time.process_time()
            decode(chain.video)
            decoding = time.process_time() - decoding
            with Profile() as profile:
                chain()
            spans = {
                name: stage.cpu_seconds for name, stage in profile.stages().items()
            }
            seconds = {'decoding': decoding}
            for stage, names in _STAGES.items():
                seconds[stage] = sum(spans.get(name, 0.0) for name in names)
            others = profile.cpu_seconds - sum(seconds.values())
            rounds.append({**seconds, 'others': others, 'all': profile.cpu_seconds})
        milliseconds = {
            stage: 1e3 * median(each[stage] for each in rounds) / chain.frames
            for stage in rounds[0]
        }
        rows.append({'video': chain.name, **milliseconds})
    return rows


def _scale(source: Path, height: int, folder: Path) -> Path:
    """Encode a video with another number of lines."""
    target = folder / f'{source.stem}_{height}p.mp4'
    with av.open(str(source)) as video, av.open(str(target), 'w') as output:
        own = video.streams.video[0]
        stream = output.add_stream(
            'libx264', rate=own.average_rate, options={'crf': '18'}
        )
        size = {'width': own.width * height // own.height, 'height': height}
        stream.width, stream.height = size.values()
        for frame in video.decode(own):
            output.mux(stream.encode(frame.reformat(**size, format='yuv420p')))
        output.mux(stream.encode())
    return target


def measure_beside(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Time the chain beside those with other models, on one video."""
    if args.rtmlib and not args.onnx:
        raise ValueError('--rtmlib needs --onnx, whose detector it runs')
    variants = {f'GTPT-T, {name}': dict(backend=name) for name in ('onnx', 'torch')}
    if args.onnx:
        pose, detector = args.onnx
        variants[f'{Path(pose).stem}, {Path(detector).stem}'] = dict(
            pose2d=pose, det_model=detector
        )
    chains = []
    for name, changes in variants.items():
        options = _options(folder, **changes)
        chains.append(Chain(name, open_chain(options), options, _WALK))
    if args.rtmlib:
        chains += _open_rtmlib(args.onnx[1], folder)
    if not args.mediapipe:
        return time_chains(chains, args.rounds)
    with subprocess.Popen(
        [args.mediapipe, Path(__file__).with_name('mediapipe_video.py'), _WALK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        other = _MediaPipe('MediaPipe Pose 0.10.21', None, None, _WALK, process=process)
        rows = time_chains([*chains, other], args.rounds)
        process.stdin.close()
    for key in [key for key in rows[-1] if key.startswith('processor')]:
        rows[-1][key] = None  # it is another process
    return rows


def _open_rtmlib(detector: str, folder: Path) -> list[Chain]:
    """Open rtmlib's chains of a detector and RTMPose-s, whose weights are random."""
    from rtmlib import Custom, PoseTracker

    built = build_spec(parse_spec('rtmpose-s'))
    pose = folder / 'rtmpose-s.onnx'
    write_graph(PoseGraph(built.model), torch.randn(3, *built.shape), pose, {})
    models = partial(
        Custom,
        det_class='RTMDet',
        det=detector,
        det_input_size=(320, 320),  # of RTMDet-nano's config
        pose_class='RTMPose',
        pose=str(pose),
        pose_input_size=built.shape[:0:-1],
    )
    return [
        _Rtmlib(
            f'rtmlib: {Path(detector).stem} in {frames}, RTMPose-s; 2D only',
            None,
            None,
            _WALK,
            tracker=PoseTracker(models, det_frequency=every),
        )
        for frames, every in (('every frame', 1), ('every tenth frame', 10))
    ]


@dataclass
class _Rtmlib(Chain):
    """rtmlib's 2D poses: OpenCV's decoding, detection and poses frame by frame."""

    tracker: Callable[[np.ndarray], tuple] | None = None

    def __call__(self) -> None:
        self.tracker.reset()
        self.frames = self.people = 0
        video = cv2.VideoCapture(str(self.video))
        while (read := video.read())[0]:
            self.people += len(self.tracker(read[1])[0])
            self.frames += 1
        if not self.people:  # it ignores errors of the detector
            raise ValueError(f'{self.name}: no person was found in {self.video}')


@dataclass
class _MediaPipe(Chain):
    """MediaPipe's own 2D and 3D poses of one person, in a process of its own."""

    process: subprocess.Popen | None = None

    def __call__(self) -> None:
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        self.people = int(self.process.stdout.readline())
        self.frames = VideoFile(self.video).num_frames


def measure_live(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Lift a video at its pace, as a stream."""
    summaries = []
    for number in range(args.rounds):
        options = _options(folder / str(number), pose3d=LIVE_LIFTER)
        lines: list[str] = []
        lift_stream(str(_WALK), options, LiveOptions(), print_document=lines.append)
        summaries.append(json.loads(lines[-1]))
    names = {
        'frames': 'frames_seen',
        'dropped': 'frames_dropped',
        'mean latency in ms': 'latency_ms_mean',
        '95 % within ms': 'latency_ms_95',
    }
    row = {name: median(x[key] for x in summaries) for name, key in names.items()}
    return [{'video': _WALK.stem, **row}]
