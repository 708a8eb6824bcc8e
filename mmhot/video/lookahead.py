"""How far a stream looks ahead, and where in their window lifters know a frame best."""

import math

from mmhot.lifting.lifter import Lifter


def settle_lookahead(lifter: Lifter, fps: float, wanted: int | None) -> int:
    """Settle how many frames of a stream to wait for.

    Args:
        lifter (Lifter): The model.
        fps (float): The stream's frames per second.
        wanted (int, optional): By default 4, or as many as the model makes use of.

    Returns:
        int: Frames.

    Raises:
        ValueError: If the model makes use of fewer, or it is below 0.
    """
    after = lifter.seq_len - 1 - _middle(lifter)
    most = math.ceil(round(after / lifter.fps * fps, 6))
    if wanted is None:
        return min(4, most)
    if not 0 <= wanted <= most:
        raise ValueError(
            f'lookahead must be from 0 to the {most} frames that {lifter.name} makes '
            f'use of at {fps:g} frames per second, got {wanted}'
        )
    return wanted


def target_position(lifter: Lifter, frames_after: int) -> int:
    """Where in the window the frame is put that is lifted.

    Models that give a few frames know the middle one best, by measurement even where
    all after it repeats the newest frame. Those that give all frames of their window
    have learnt to do without what comes later, and see more of the past instead.

    Args:
        lifter (Lifter): The model.
        frames_after (int): Frames known after it, at the model's rate.
    """
    if lifter.num_targets < lifter.seq_len or lifter.seq_len == 1:
        return _middle(lifter)
    return max(_middle(lifter), lifter.seq_len - 1 - frames_after)


def first_target(lifter: Lifter) -> int:
    """Where in its window the first of the frames is that a lifter gives."""
    before = lifter.seq_len - lifter.num_targets
    return before if lifter.causal else before // 2


def _middle(lifter: Lifter) -> int:
    """Where the middle of these frames is."""
    if lifter.causal:
        return lifter.seq_len - 1
    return first_target(lifter) + lifter.num_targets // 2
