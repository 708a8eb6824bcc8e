"""The table at the end of `mmhot infer`: what each stage took, and which is slowest."""

from collections.abc import Sequence

from mmhot.cli.table import align

# Of more clips than that, only those that failed have a line.
_MOST_LINES = 40


def stage_table(outcomes: Sequence) -> str:
    """Times of the stages of every clip, and of all together.

    Args:
        outcomes (Sequence[Outcome]): At least one; see :mod:`mmhot.apis.clip_worker`.

    Returns:
        str: Aligned lines.
    """
    ran = [outcome for outcome in outcomes if not outcome.skipped]
    stages = list(dict.fromkeys(s for outcome in ran for s in outcome.times.seconds))
    shown = outcomes
    if len(outcomes) > _MOST_LINES:
        shown = [outcome for outcome in outcomes if outcome.error]
    lines = [['clip', 'frames', 'people', *(f'{s}, s' for s in stages), 'frames/s', '']]
    for outcome in shown:
        people = '-' if outcome.error else str(outcome.people)
        seconds, frames = outcome.times.seconds, outcome.times.num_frames
        note = _bottleneck(seconds)
        if outcome.error:
            note = 'failed'
        if outcome.skipped:
            seconds, note = {}, 'finished before'
        lines.append([outcome.name, *_cells(frames, people, seconds, stages), note])
    if len(ran) > 1:
        frames = sum(outcome.times.num_frames for outcome in ran)
        people = str(sum(outcome.people for outcome in ran if not outcome.error))
        totals = {
            stage: sum(outcome.times.seconds.get(stage, 0.0) for outcome in ran)
            for stage in stages
        }
        name = f'all {len(ran)}'
        lines.append(
            [name, *_cells(frames, people, totals, stages), _bottleneck(totals)]
        )
    return align(lines)


def _cells(
    frames: int, people: str, seconds: dict[str, float], stages: list[str]
) -> list[str]:
    """Numbers of a line; stages that were not reached have none."""
    total = sum(seconds.values())
    spent = [f'{seconds[stage]:.1f}' if stage in seconds else '-' for stage in stages]
    rate = f'{frames / total:.1f}' if total > 0 else '-'
    return [str(frames), people, *spent, rate]


def _bottleneck(seconds: dict[str, float]) -> str:
    return f'slowest: {max(seconds, key=seconds.get)}' if seconds else ''
