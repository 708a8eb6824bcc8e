"""Options of each call: the dataclasses whose fields they are.

A call has the options of its steps and of what is read, a command those of what is
written, too.
"""

from mmhot.chain.live_people import PlaceOptions
from mmhot.chain.options import (
    BatchOptions,
    ConnectionOptions,
    FrameOptions,
    KeypointFileOptions,
    OutputOptions,
    PoseFileOptions,
    RateOption,
    StreamOutputOptions,
)
from mmhot.chain.pipelines import KEYPOINTS, LIVE, POSES, VIDEO
from mmhot.chain.run import StepChoice
from mmhot.frames.part import PartOptions
from mmhot.options import Options

Call = tuple[type[Options], ...]

INFER: Call = (FrameOptions, *VIDEO.steps, StepChoice)
LIFT: Call = (PartOptions, *KEYPOINTS.steps, KeypointFileOptions, StepChoice)
REFINE: Call = (PartOptions, *POSES.steps, PoseFileOptions, StepChoice)
STREAM: Call = (RateOption, *LIVE.steps, PlaceOptions, ConnectionOptions)

INFER_COMMAND: Call = (OutputOptions, *INFER, BatchOptions)
LIFT_COMMAND: Call = (OutputOptions, *LIFT)
REFINE_COMMAND: Call = (OutputOptions, *REFINE)
STREAM_COMMAND: Call = (StreamOutputOptions, *STREAM)
