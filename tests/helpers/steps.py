"""Runs single steps on clips, and chains with stand-ins for models."""

from pathlib import Path

from mmhot.chain.live import LiveChain
from mmhot.chain.pipelines import LIVE
from mmhot.chain.run import StepChoice, build
from mmhot.frames.sources import FrameSource
from mmhot.options import Values
from mmhot.progress import Report
from mmhot.state import State


def on_keypoints(step, clip, **facts):
    """The 2D clip that a step makes of one."""
    return step(State(keypoints=clip, **facts)).keypoints


def on_poses(step, clip, **facts):
    """The 3D clip that a step makes of one."""
    return step(State(poses=clip, **facts)).poses


def build_chain(pipeline, lifter=None, models=None, say=lambda line: None, **options):
    """The chain of a pipeline with options."""
    values = Values(options, (*pipeline, StepChoice))
    return build(pipeline, values, Report(say=say), lifter=lifter, models=models)


class NoFrames(FrameSource):
    """A source whose frames come from elsewhere."""

    def __init__(self, fps=25.0):
        super().__init__('stream', Path('stream'), fps)

    def __iter__(self):
        yield from ()


def live_chain(models, lifter, fps, lookahead=None, **options):
    """The chain of a stream."""
    steps = build_chain(LIVE, lifter, models, lookahead=lookahead, **options).steps
    return LiveChain(steps, NoFrames(fps), fps)
