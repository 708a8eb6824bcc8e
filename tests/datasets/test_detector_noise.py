"""Simulated detector errors: statistics, seeds, and noise of whole clips."""

import mocap
import numpy as np

from mmhot.datasets.transforms.detector_noise import (
    _TABLE,
    RandomDetectorNoise,
    slow_noise,
)

H36M = mocap.H36M
SIDES = np.array(H36M.flip_pairs).T  # left, right


def noisy(num_windows=60, height=370.0, transform=None, **settings):
    """Errors (N, T, K, 2) in units of a 370 pixel person, and scores (N, T, K)."""
    transform = transform or RandomDetectorNoise(**settings)
    clean = mocap.pixels(243, height=height)
    samples = [transform.transform(dict(clean)) for _ in range(num_windows)]
    errors = np.array([sample['keypoints'] for sample in samples]) - clean['keypoints']
    scores = np.array([sample['keypoints_visible'] for sample in samples])
    return errors * 370 / height, scores


def only(strength=(0, 0), **rates):
    """Noise of a detector that makes no error but these."""
    transform = RandomDetectorNoise(strength)
    nothing = dict(
        jitter_std=0,
        outlier_share=0,
        end_outlier_share=0,
        leg_swap_prob=0,
        arm_swap_prob=0,
        drop_share=0,
    )
    for name, rate in (nothing | rates).items():
        setattr(transform, name, rate)
    return transform


def test_slow_noise_has_the_fitted_statistics():
    rng = np.random.default_rng(0)
    noise = np.stack([slow_noise(rng, 243) for _ in range(1000)])
    uniform = _TABLE[:, 3:]
    variance = (1 - uniform) * (_TABLE[:, :2] ** 2) + uniform * 15**2 / 3
    variance[:, 1] += uniform[:, 0] * (1 - uniform[:, 0]) * _TABLE[:, 2] ** 2
    # linear in between keys: two thirds of the variance that the keys have
    np.testing.assert_allclose(noise.var((0, 1)), variance * 2 / 3, rtol=0.06)
    np.testing.assert_allclose(noise[..., 0].mean((0, 1)), 0, atol=0.1)
    mean = _TABLE[:, 2] * (1 - uniform[:, 0])
    np.testing.assert_allclose(noise[..., 1].mean((0, 1)), mean, atol=0.1)
    # no frame is noisier than others
    frames = noise.std(0).mean((1, 2))
    np.testing.assert_allclose(frames, frames.mean(), rtol=0.04)


def test_outliers_have_the_given_frequency_size_and_length():
    errors, scores = noisy(
        200, transform=only(outlier_share=0.01, end_outlier_share=0.03)
    )
    hit = (errors != 0).any(-1)
    share = hit.mean((0, 1))
    ends = H36M.indices(['left_wrist', 'right_wrist', 'left_foot', 'right_foot'])
    np.testing.assert_allclose(share[ends], 0.03, rtol=0.15)
    np.testing.assert_allclose(np.delete(share, ends), 0.01, rtol=0.2)
    np.testing.assert_allclose(errors[hit].std(), 25, rtol=0.05)
    runs = hit.sum() / (np.diff(hit.astype(int), axis=1) == 1).sum()
    assert 4 < runs < 5.5
    assert scores[hit].mean() < scores[~hit].mean() - 0.2


def test_swaps_exchange_whole_limbs():
    errors, _ = noisy(200, transform=only(leg_swap_prob=0.002, arm_swap_prob=0.001))
    hit = (errors != 0).any(-1)
    legs, arms = ([f'{side}_{part}' for side in ('left', 'right') for part in parts]
                  for parts in (('hip', 'knee', 'foot'),
                                ('shoulder', 'elbow', 'wrist')))  # fmt: skip
    legs, arms = H36M.indices(legs), H36M.indices(arms)
    for limbs, start in ((legs, 0.002), (arms, 0.001)):
        assert np.all(hit[..., limbs].all(-1) == hit[..., limbs].any(-1))
        # a swap lasts 7.5 frames on average
        np.testing.assert_allclose(hit[..., limbs].mean(), start * 7.5, rtol=0.3)
    assert not np.delete(hit, legs + arms, axis=-1).any()
    clean = mocap.pixels(243)['keypoints'][0]
    swapped = hit[..., legs[0]]
    left = (errors + clean)[swapped][:, SIDES[0][:3]]
    np.testing.assert_allclose(left, np.broadcast_to(clean[SIDES[1][:3]], left.shape))


def test_dropped_joints_hold_their_last_value_without_score():
    clean = mocap.pixels(243)
    clean['keypoints'] += np.arange(243, dtype=np.float32)[:, None, None]
    transform = only(drop_share=0.3)
    sample = transform.transform(dict(clean))
    dropped = sample['keypoints_visible'] == 0
    assert not dropped[0].any()
    np.testing.assert_allclose(dropped[1:].mean(), 0.3, atol=0.03)
    frame, joint = dropped.nonzero()
    before = sample['keypoints'][frame - 1, joint]
    np.testing.assert_array_equal(sample['keypoints'][frame, joint], before)
    np.testing.assert_array_equal(
        sample['keypoints'][~dropped], clean['keypoints'][~dropped]
    )


def test_noise_scales_with_the_person():
    # every random number is the same: 40 pixels' person, 40 / 370 of the noise
    large, large_scores = noisy(5, seed=3)
    small, small_scores = noisy(5, height=40.0, seed=3)
    np.testing.assert_allclose(small, large, atol=2e-2)
    np.testing.assert_allclose(small_scores, large_scores, atol=1e-3)


def test_seeded_noise_depends_on_the_sample_only():
    transform = RandomDetectorNoise(seed=7)

    def run(index):
        sample = transform.transform(mocap.pixels() | dict(id=index))
        return sample['keypoints']

    first = run(4)
    np.random.seed(99)  # noqa: NPY002
    np.testing.assert_array_equal(run(4), first)
    assert np.abs(run(5) - first).max() > 1


def test_noise_applies_to_its_source_only():
    transform = RandomDetectorNoise(source='noisy')
    clean = mocap.pixels()
    assert transform.transform(dict(clean))['keypoints'] is clean['keypoints']
    noisy = transform.transform(clean | dict(dataset_name='noisy'))
    assert np.abs(noisy['keypoints'] - clean['keypoints']).max() > 1
