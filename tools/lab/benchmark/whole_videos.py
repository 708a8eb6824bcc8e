"""Parts of the benchmarks that lift whole videos: chains, other models, a stream."""

import argparse
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import av

from mmhot.apis.live_session import lift_stream
from mmhot.apis.options import InferRunOptions, LiveOptions
from mmhot.video.frames import VideoFile
from mmhot.weights.index import LIVE_LIFTER
from tools.lab.benchmark.chain import Chain, open_chain, time_chains

_WALK, _DANCE = Path('demo/walk.mp4'), Path('demo/dance.mp4')


def _options(folder: Path, **changes: object) -> InferRunOptions:
    return InferRunOptions(out_dir=folder, formats=('npz',), device='cpu', **changes)


def measure_chain(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Time the chain on videos, and on one in two resolutions."""
    scaled = [_scale(_WALK, lines, folder) for lines in (720, 1080)]
    options = _options(folder)
    lifter = open_chain(options)
    videos = [_WALK, _DANCE, *scaled, *args.videos]
    chains = [Chain(video.stem, lifter, options, video) for video in videos]
    return time_chains(chains, args.rounds)


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
