"""Options of each function and command: the dataclasses that have them as fields."""

from dataclasses import dataclass

from mmhot.chain import options
from mmhot.chain.formats import writer_options
from mmhot.chain.frames.part import PartOptions
from mmhot.chain.live_people import PlaceOptions
from mmhot.chain.pipelines import KEYPOINTS, LIVE, POSES, VIDEO, Pipeline, Poses
from mmhot.chain.plan import StepChoice
from mmhot.options import Options

Kinds = tuple[type[Options], ...]


@dataclass(frozen=True)
class Call:
    """A function or command: its pipeline, and the classes with its options."""

    pipeline: Pipeline
    before: Kinds = ()  # options of inputs and outputs, first in the help
    after: Kinds = ()  # options that come last in the help
    writes: bool = False  # whether files of clips are written

    @property
    def kinds(self) -> Kinds:
        """The classes with options, in the order of the help.

        They include users' steps and formats, even if these are registered later.
        """
        written = writer_options() if self.writes else []
        return (*self.before, *written, *self.pipeline.steps, *self.after)

    def command(self, *more: type[Options]) -> 'Call':
        """Return the command that does what this function does, and writes files.

        Args:
            *more (type[Options]): Options that only the command has.

        Returns:
            Call: The command's pipeline and options.
        """
        before: Kinds = (options.OutputOptions, *self.before)
        return Call(self.pipeline, before, (*self.after, *more), writes=True)


INFER = Call(VIDEO, (options.RateOption, PartOptions), (StepChoice,))
LIFT = Call(KEYPOINTS, (PartOptions,), (options.KeypointFileOptions, StepChoice))
REFINE = Call(POSES, (PartOptions,), (options.PoseFileOptions, StepChoice))
STREAM = Call(LIVE, (options.RateOption,), (PlaceOptions, options.ConnectionOptions))
SAVE = Call(Poses(poses=()), (options.ExportOptions,), writes=True)

INFER_COMMAND = INFER.command(options.BatchOptions)
LIFT_COMMAND = LIFT.command()
REFINE_COMMAND = REFINE.command()
STREAM_COMMAND = Call(LIVE, (options.StreamOutputOptions, *STREAM.before), STREAM.after)
