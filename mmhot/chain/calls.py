"""Options of each call: the dataclasses whose fields they are.

A call has the options of its steps and of what is read, a command of results, too.
"""

from mmhot.chain import options
from mmhot.chain.live_people import PlaceOptions
from mmhot.chain.pipelines import KEYPOINTS, LIVE, POSES, VIDEO
from mmhot.chain.run import StepChoice
from mmhot.frames.part import PartOptions
from mmhot.options import Options

Call = tuple[type[Options], ...]

INFER: Call = (options.RateOption, PartOptions, *VIDEO.steps, StepChoice)
LIFT: Call = (PartOptions, *KEYPOINTS.steps, options.KeypointFileOptions, StepChoice)
REFINE: Call = (PartOptions, *POSES.steps, options.PoseFileOptions, StepChoice)
STREAM: Call = (
    options.RateOption,
    *LIVE.steps,
    PlaceOptions,
    options.ConnectionOptions,
)

INFER_COMMAND: Call = (options.OutputOptions, *INFER, options.BatchOptions)
LIFT_COMMAND: Call = (options.OutputOptions, *LIFT)
REFINE_COMMAND: Call = (options.OutputOptions, *REFINE)
STREAM_COMMAND: Call = (options.StreamOutputOptions, *STREAM)
