"""Parts of the benchmarks that run ``mmhot`` in new processes: start-up and memory."""

import argparse
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from tools.lab.benchmark.comparison import process_status
from tools.lab.benchmark.timing import time_in_turns

_SKATER = Path('demo/skating_2d_coco17.npz')
_MMHOT = (sys.executable, '-m', 'mmhot')
# As installed without the extra mmpose: the packages of the extra are not found.
_RUNTIME = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose'):
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
from mmhot.cli.dispatch import main
sys.exit(main(sys.argv[1:]))
"""
# Frames and people of keypoint files, an hour at 25 frames per second the longest.
_LENGTHS = ((10_000, 1), (10_000, 2), (30_000, 1), (90_000, 1))


@dataclass
class _Command:
    """A command that runs in a new process at each call.

    Attributes:
        arguments (tuple): Program and arguments.
        processor (list[float]): Processor seconds of each call.
    """

    arguments: tuple[str | Path, ...]
    processor: list[float] = field(default_factory=list)

    def __call__(self) -> None:
        """Run it; ValueError if it fails."""
        process = subprocess.Popen(self.arguments, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise ValueError(f'{" ".join(map(str, self.arguments))} failed')
        self.processor.append(usage.ru_utime + usage.ru_stime)


def measure_startup(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Run short commands in new processes, in turns, after one run of each."""
    lift = ('lift', _SKATER, '--out-dir', folder, '--quiet', '--device', 'cpu')
    commands = {
        ('mmhot --help', 0.2): (*_MMHOT, '--help'),
        ('mmhot lift', 4.0): (*_MMHOT, *lift),
        ('mmhot lift --backend torch', ''): (*_MMHOT, *lift, '--backend', 'torch'),
        ('mmhot lift, runtime alone', 1.5): (sys.executable, '-c', _RUNTIME, *lift),
    }
    calls = {key: _Command(command) for key, command in commands.items()}
    time_in_turns(calls, 1, seconds=0)
    times = time_in_turns(calls, args.rounds, seconds=0)
    return [
        {
            'command': name,
            'goal in s': goal,
            'median in s': median(times[name, goal].turns),
            'shortest': times[name, goal].best,
            'processor seconds': median(call.processor[-args.rounds :]),
        }
        for (name, goal), call in calls.items()
    ]


def measure_memory(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Lift long files of 2D keypoints, each once, by ``mmhot lift``."""
    with np.load(_SKATER) as arrays:
        clip = {key: arrays[key] for key in ('keypoints', 'scores')}
        facts = {key: arrays[key] for key in ('width', 'height', 'fps')}
    rows = []
    for frames, people in _LENGTHS:
        # back and forth, as there must be no jumps
        there = np.arange(len(clip['scores']))
        order = np.resize(np.concatenate([there, there[::-1]]), frames)
        long = {
            key: np.tile(x[order], (people, 1, 1)[: x.ndim]) for key, x in clip.items()
        }
        long['frame'] = np.tile(np.arange(frames), people)
        long['track'] = np.repeat(np.arange(people), frames)
        file = folder / f'{frames}_{people}.npz'
        np.savez(file, **long, **facts)
        command = [*_MMHOT, 'lift', file, '--out-dir', folder / 'out']
        peak = done = 0
        process = subprocess.Popen([*command, '--formats', 'npz', '--quiet'])
        while not done:
            # ru_maxrss would count this process, from which it was forked
            with suppress(OSError):  # it has ended
                peak = max(peak, process_status('VmHWM', process.pid))
            time.sleep(0.05)
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if status:
            raise ValueError(f'mmhot lift failed on {frames} frames of {people} people')
        rows.append(
            {
                'frames': frames,
                'people': people,
                'processor seconds': usage.ru_utime + usage.ru_stime,
                'peak memory in MB': peak / 1e6,
            }
        )
    return rows
