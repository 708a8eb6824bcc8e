"""LiftingErrorMetric: what counts, what is averaged over what, and the tables."""

import logging
import pickle

import mocap
import numpy as np
import pytest
from lifting_samples import (
    H36M,
    evaluate,
    h36m_samples,
    measure,
    poses,
    sample,
    windows,
)
from mmpose.evaluation.metrics import MPJPE

from mmhot.evaluation.error_report import DEFAULT_MEASURES
from mmhot.evaluation.metrics import LiftingErrorMetric
from mmhot.evaluation.pose_errors import (
    change_errors,
    joint_position_errors,
    mpjpe,
    mpjve,
    p_mpjpe,
)
from tools.motion_quality import report_motion
from tools.test import as_dict, format_errors

# Joints that PCK and AUC leave out.
UNCOUNTED = ('root', 'spine', 'neck_base')


@pytest.mark.parametrize('num_targets', [1, 9])
def test_windows_in_any_order_are_joined_to_a_clip(num_targets):
    samples, pred, target = windows(40, num_targets, num_targets, noise=0)
    turns = change_errors(pred, target, 2)
    order = np.random.default_rng(0).permutation(len(samples))
    measures = ['MPJPE', 'P-MPJPE', 'MPJVE', 'MPJAE']
    for chosen in (range(len(samples)), order):
        metrics = evaluate([samples[index] for index in chosen], measures=measures)
        assert metrics == pytest.approx(
            {
                'MPJPE': 1000 * mpjpe(pred, target).mean(),
                'P-MPJPE': 1000 * p_mpjpe(pred, target).mean(),
                'MPJVE': 1000 * mpjve(pred, target).mean(),
                'MPJAE': 1000 * turns.mean(),
            }
        )


def test_a_frame_of_several_windows_counts_once_with_blend_weights():
    samples, _, target = windows(40, 9, 3, noise=0.1)
    ramp = [1, 2, 3, 4, 5, 4, 3, 2, 1]
    predictions, weights = ([[] for _ in range(40)] for _ in range(2))
    for window in samples:
        poses_of = window['pred_instances']['keypoints']
        numbers = window['target_frame_numbers']
        for frame, pose, weight in zip(numbers, poses_of, ramp, strict=True):
            if 0 <= frame < 40:
                predictions[frame].append(pose)
                weights[frame].append(weight)
    assert {len(of_frame) for of_frame in predictions} > {2, 3}
    pred = np.stack(
        [
            np.average(poses_of, 0, of_frame)
            for poses_of, of_frame in zip(predictions, weights, strict=True)
        ]
    )
    metrics = evaluate(samples)
    assert metrics['MPJPE'] == pytest.approx(1000 * mpjpe(pred, target).mean())
    assert metrics['MPJVE'] == pytest.approx(1000 * mpjve(pred, target).mean())


def test_padding_counts_as_in_the_published_evaluation_if_configured():
    lengths = {('walk', 'a/1'): 40, ('walk', 'a/2'): 30, ('sit', 'a/3'): 55}
    samples, by_action = [], {'walk': [], 'sit': []}
    for (action, clip), length in lengths.items():
        of_clip, *_ = windows(length, 27, 27, noise=0.02, clip=clip, action=action)
        samples += of_clip
        for window in of_clip:
            outputs = window['pred_instances']['keypoints']
            truth = window['gt_instances']['lifting_target']
            by_action[action] += list(mpjpe(outputs, truth))
    expected = 1000 * np.mean([np.mean(errors) for errors in by_action.values()])
    metric, metrics = measure(samples, count_padding=True)
    assert metrics['MPJPE'] == pytest.approx(expected)
    assert metric.report.num_frames('gt') == 27 * len(samples) > sum(lengths.values())
    metric, metrics = measure(samples)
    assert metrics['MPJPE'] != pytest.approx(expected, rel=1e-3)
    assert metric.report.num_frames('gt') == sum(lengths.values())


def test_missing_joints_neither_align_nor_count():
    pred, target = poses(20)
    visible, known = np.ones((20, 17)), np.arange(17) % 3 != 1
    visible[:, ~known] = 0
    kept = sample(pred[:, known], target[:, known])
    target[:, ~known] = 9
    metadata = dict(clip='a', target_frame_numbers=np.arange(20))
    # PCK and AUC count certain joints, so that they need the whole skeleton.
    names = ('MPJPE', 'P-MPJPE', 'N-MPJPE', 'MPJVE', 'MPJAE')
    found = evaluate([sample(pred, target, visible) | metadata], measures=names)
    wanted = evaluate([kept | metadata], measures=names)
    with pytest.raises(ValueError, match='PCK and AUC need the 17 joints .* of 11'):
        evaluate([kept | metadata])
    assert len(found) == 5
    assert found == pytest.approx(wanted)
    visible[:] = 1
    visible[4, 2] = 0
    error = np.where(visible, 1000 * joint_position_errors(pred, target), np.nan)
    found = evaluate([sample(pred, target, visible) | metadata])['MPJPE']
    assert found == pytest.approx(np.nanmean(np.nanmean(error, 0)))


def test_actions_equal_mmposes_and_their_mean_is_the_result():
    samples = h36m_samples()
    metric, metrics = measure(samples)
    for mode, name in (
        ('mpjpe', 'MPJPE'),
        ('p-mpjpe', 'P-MPJPE'),
        ('n-mpjpe', 'N-MPJPE'),
    ):
        theirs = MPJPE(mode)
        theirs.process({}, samples)
        theirs = theirs.evaluate(len(samples))
        actions = metric.report.table('gt', 'actions')
        assert list(actions) == ['Directions', 'WalkDog']
        found = [row[name] for row in actions.values()]
        wanted = [1000 * theirs[f'{name}_{action}'] for action in actions]
        assert found == pytest.approx(wanted)
        assert metrics[name] == pytest.approx(np.mean(found))
        # MMPose's own headline is the mean over frames
        over_frames = evaluate(samples, average='frames')[name]
        assert over_frames == pytest.approx(1000 * theirs[name])
        assert over_frames != pytest.approx(np.mean(found), rel=0.01)
    assert metric.report.actions('gt') == ['Directions', 'WalkDog']


def plain_errors(pred, target):
    """Measures of a clip (T, K, 3) that MMPose's metric lacks, by frame and joint."""
    errors = {name: [] for name in ('PCK@150', 'AUC', 'MPJVE', 'MPJAE')}
    counted = [j for j in range(17) if mocap.H36M.joints[j] not in UNCOUNTED]
    rooted = [1000 * (poses - poses[:, :1]) for poses in (pred, target)]
    for one, other in zip(*rooted, strict=True):
        distances = np.sqrt(((one - other) ** 2).sum(1))
        below = [[d < mm for mm in range(0, 151, 5)] for d in distances[counted]]
        errors['PCK@150'].append(100 * np.mean(below, 0)[-1])
        errors['AUC'].append(100 * np.mean(below))
    error = rooted[0] - rooted[1]
    for t in range(1, len(error)):
        change = error[t] - error[t - 1]
        errors['MPJVE'].append(np.sqrt((change**2).sum(1)).mean())
        if t > 1:
            change = error[t] - 2 * error[t - 1] + error[t - 2]
            errors['MPJAE'].append(np.sqrt((change**2).sum(1)).mean())
    return errors


def test_human36m_protocol_equals_plain_loops():
    samples = h36m_samples()
    of_action = {}
    # two windows of each of three clips, the first two of one action
    for clip, action in enumerate(['Directions', 'Directions', 'WalkDog']):
        halves = samples[2 * clip : 2 * clip + 2]
        errors = plain_errors(
            np.concatenate([half['pred_instances']['keypoints'] for half in halves]),
            np.concatenate([half['gt_instances']['lifting_target'] for half in halves]),
        )
        for name, values in errors.items():
            of_action.setdefault(name, {}).setdefault(action, []).extend(values)
    metric, metrics = measure(samples)
    rows = metric.report.table('gt', 'actions')
    for name, actions in of_action.items():
        means = {action: np.mean(values) for action, values in actions.items()}
        assert {a: rows[a][name] for a in rows} == pytest.approx(means)
        assert metrics[name] == pytest.approx(np.mean([*means.values()]))
    assert metrics.keys() == {*DEFAULT_MEASURES}


def test_skipped_recordings_do_not_count():
    metric, _ = measure(h36m_samples(), skip_list=['S9_Directions_1'])
    clips = metric.report.table('gt', 'clips')
    assert list(clips) == ['S9_Directions.54138969', 'S9_WalkDog_1.54138969']


def test_without_an_action_for_each_the_mean_is_over_frames():
    walk, *_ = windows(30, 1, 1, noise=0, clip='a/x', action='walk')
    other, *_ = windows(40, 1, 1, noise=0.1, clip='b/y')
    metric, metrics = measure(walk + other)
    assert metric.report.actions('gt') == []
    alone = [evaluate(part)['MPJPE'] for part in (walk, other)]
    assert metrics['MPJPE'] == pytest.approx(np.average(alone, weights=[30, 40]))
    assert list(metric.report.table('gt', 'actions')) == ['walk']
    assert list(metric.report.table('gt', 'subjects')) == ['a', 'b']


def test_results_of_two_processes_equal_those_of_one():
    samples, *_ = windows(43, 3, 3, noise=0.02)
    assert len(samples) % 2
    alone = evaluate(samples)
    parts = []
    for rank in (0, 1):
        part = LiftingErrorMetric()
        # a sampler gives the last process the first sample again
        part.process({}, [*samples, samples[0]][rank::2])
        parts.append(pickle.loads(pickle.dumps(part.results)))
    whole = LiftingErrorMetric()
    whole.dataset_meta = H36M
    whole.results = [result for pair in zip(*parts, strict=True) for result in pair]
    assert len(whole.results) == len(samples) + 1
    assert whole.evaluate(len(samples)) == pytest.approx(alone)


def test_velocities_are_left_out_without_consecutive_frames(caplog):
    samples, *_ = windows(40, 1, 5, noise=0)
    with caplog.at_level(logging.WARNING, 'mmengine'):
        metrics = evaluate(samples)
    assert list(metrics) == ['MPJPE', 'P-MPJPE', 'N-MPJPE', 'PCK@150', 'AUC']
    samples = [sample(*poses())]  # its frames are unknown
    assert 'MPJVE' not in evaluate(samples)


def test_formatted_report_has_a_row_and_tables_per_dataset():
    noisy = [dict(window, dataset_name='noisy') for window in h36m_samples()]
    metric, metrics = measure(h36m_samples() + noisy)
    text = format_errors(metric.report, ['groups', 'subjects'])
    head, *tables = text.split('\n\n')
    lines = head.splitlines()
    assert lines[0].split() == [measure.name for measure in metric.report.measures]
    assert lines[1].split()[:4] == ['mm', 'mm', 'mm', 'mm/frame']
    assert lines[2].startswith('gt: mean over 2 actions (120 frames)  ')
    assert f' {metrics["gt/MPJPE"]:.2f} ' in lines[2]
    assert len({len(line) for line in lines[2:]}) == 1
    starts = [table.split('  ')[0] for table in tables]
    assert starts == ['gt groups', 'gt subjects', 'noisy groups', 'noisy subjects']
    plain = as_dict(metric.report)['datasets']['gt']
    assert plain['average'] == ['Directions', 'WalkDog']
    assert plain['overall']['MPJPE'] == plain['subjects']['S9']['MPJPE']


def test_motion_of_feet_bones_and_joints_is_measured():
    ankle, num_frames = 3, 50
    target = np.zeros((num_frames, 17, 3))
    target[:, 1:] = np.random.default_rng(0).normal(size=(16, 3))
    target[:, [3, 6], 1] = 0.9  # below the root of a level camera
    pred = target.copy()
    pred[:, ankle] += np.arange(num_frames)[:, None] * [0.001, 0, 0]  # 5 cm/s
    pred[:, ankle, 1] += 0.02  # into the floor
    meta = dict(
        clip='a/x',
        fps=50.0,
        target_frame_numbers=np.arange(num_frames),
        root_world=np.tile([1, 2, 0.98], (num_frames, 1)),
        camera_axes=np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    )
    metric, _ = measure([sample(pred, target, **meta)], measures='MPJPE')
    motion = report_motion(metric.report, 'gt')
    assert motion['foot slide'] == pytest.approx(2.5)  # one of two ankles
    none = {'true slide': 0, 'floating': 0, 'jitter': 0}
    assert {name: motion[name] for name in none} == pytest.approx(none, abs=1e-9)
    assert motion['penetration'] == pytest.approx(1)
    assert 0 < motion['bone length'] < 1
    assert 'motion' in format_errors(metric.report)
    assert as_dict(metric.report)['datasets']['gt']['motion'] == motion
