"""Processors of a run: the one place where they are chosen, with their settings."""

from mmhot.apis.options import InferOptions, LifterOptions
from mmhot.chain.processors import Processor, registered_processors
from mmhot.lifting.lifter import Lifter
from mmhot.motion.expected_error import ExpectErrors, read_coefficients
from mmhot.motion.extremities import AddJoints
from mmhot.motion.foot_lock import LockFeet
from mmhot.motion.returning import MergeReturning
from mmhot.motion.side_swaps import RepairSides
from mmhot.motion.smoothing import SmoothPoses
from mmhot.motion.stabilization import RestoreCamera, StabilizeCamera


def processors_of(options: LifterOptions, lifter: Lifter) -> list[Processor]:
    """List the processors before and after lifting, in order."""
    chosen: list[Processor] = [MergeReturning(), RepairSides()] * lifter.is_person
    chosen.append(StabilizeCamera())
    coefficients = read_coefficients(lifter.network.weights)
    if coefficients is not None:
        chosen.append(ExpectErrors(coefficients))
    if isinstance(options, InferOptions) and options.smooth_3d != 'none':
        chosen.append(SmoothPoses(options.smooth_3d))
    if options.joints > 17:
        if not lifter.is_person:
            raise ValueError(f'joints=24 is for people, not for {lifter.skeleton.name}')
        chosen.append(AddJoints())
    chosen += [RestoreCamera(), *[LockFeet()] * lifter.is_person]
    chosen += registered_processors()
    return [step for step in chosen if step.name not in options.without]
