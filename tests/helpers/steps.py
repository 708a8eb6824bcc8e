"""Runs single steps on clips, and chains with stand-ins for models."""

from pathlib import Path

from mmhot.chain.live import LiveChain
from mmhot.chain.pipelines import LIVE
from mmhot.chain.run import Chain, StageTimes, StepChoice, result_of
from mmhot.frames.sources import FrameSource
from mmhot.options import Values
from mmhot.progress import Report


def build_chain(pipeline, lifter=None, models=None, say=lambda line: None, **options):
    """The chain of a pipeline with options."""
    values = Values(options, (*pipeline.steps, StepChoice))
    return Chain(pipeline, values, Report(say=say), lifter=lifter, models=models)


def lift_video(chain, frames):
    """The poses of a video."""
    clip, footage = result_of(chain.see(frames, StageTimes()))
    return result_of(chain.lift(clip, footage, StageTimes()))


class NoFrames(FrameSource):
    """A source whose frames come from elsewhere."""

    def __init__(self, fps=25.0):
        super().__init__('stream', Path('stream'), fps)

    def __iter__(self):
        yield from ()


def live_chain(models, lifter, fps, lookahead=None, **options):
    """The chain of a stream."""
    chain = build_chain(LIVE, lifter, models, lookahead=lookahead, **options)
    return LiveChain(chain, NoFrames(fps), fps)
