"""Runs single steps on clips, and chains with stand-ins for models."""

from pathlib import Path

from mmhot.chain.frames.sources import FrameSource
from mmhot.chain.live import LiveChain
from mmhot.chain.pipelines import LIVE, Lifting, Poses, Video
from mmhot.chain.plan import LiftPlan, LivePlan, PosePlan, StepChoice, VideoPlan
from mmhot.chain.run import Runner
from mmhot.options import Values
from mmhot.progress import Report


def plan_of(pipeline, lifter=None, models=None, say=lambda line: None, **options):
    """The plan of a pipeline with options."""
    values = Values(options, (*pipeline.steps, StepChoice))
    report = Report(say=say)
    if isinstance(pipeline, Poses):
        return PosePlan(values, report, pipeline)
    if isinstance(pipeline, Lifting):
        return LiftPlan(values, report, lifter, pipeline)
    kind = VideoPlan if isinstance(pipeline, Video) else LivePlan
    return kind(values, report, lifter=lifter, models=models, pipeline=pipeline)


def lift_video(plan, frames):
    """The poses of a video."""
    runner = Runner()
    clip, footage = runner.see(plan, frames)
    return runner.lift(plan, clip, footage)


class NoFrames(FrameSource):
    """A source whose frames come from elsewhere."""

    def __init__(self, fps=25.0):
        super().__init__('stream', Path('stream'), fps)

    def __iter__(self):
        yield from ()


def live_chain(models, lifter, fps, lookahead=None, **options):
    """The chain of a stream."""
    plan = plan_of(LIVE, lifter, models, lookahead=lookahead, **options)
    return LiveChain(plan, NoFrames(fps), fps)
