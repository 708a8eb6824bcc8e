"""GTPT's stem, head and tokens: invariants that hold for any weights."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from gtpt_models import WHOLEBODY, labeled_samples, random_people
from mmpose.registry import MODELS

from mmhot.models.gtpt.grouping import NamedGroups
from mmhot.models.gtpt.network import GTPT, GTPTSizes
from mmhot.models.gtpt.stem import GTPTStem
from mmhot.skeletons.joints import configured_skeleton, get_skeleton

HALPE = dict(
    skeleton='halpe-26',
    groups=(('head',), ('upper_body',), ('lower_body', 'left_foot', 'right_foot')),
)
SKELETONS = {
    'coco': {},
    'mpii': dict(skeleton='mpii-16'),
    'crowdpose': dict(skeleton='crowdpose-14'),
    'halpe': HALPE,
    'wholebody': dict(**WHOLEBODY, keep_rates=(1, 0.7, 0.6, 0.5)),
    'one group': dict(groups=(('head', 'upper_body', 'lower_body'),)),
}
SIZE = (96, 128)


def build_head(skeleton='coco-17', **settings):
    """Build a small head of 16 x 16 patches, in evaluation mode."""
    torch.manual_seed(0)
    config = dict(
        type='GTPTHead',
        in_channels=4,
        out_channels=get_skeleton(skeleton).num_keypoints,
        input_size=SIZE,
        in_featuremap_size=(32, 48),
        patch_size=(2, 3),
        embed_dims=16,
        num_heads=2,
        keep_rates=(1.0, 0.7, 0.3, 0.1),
        skeleton=skeleton,
        decoder=dict(type='GTPTLabel', input_size=SIZE),
    )
    return MODELS.build({**config, **settings}).eval()


def random_maps(count=2):
    torch.manual_seed(1)
    return (3 * torch.randn(count, 4, 48, 32),)


def people(count, skeleton='coco-17'):
    joints = random_people(count, SIZE, get_skeleton(skeleton).num_keypoints)
    return labeled_samples(*joints, skeleton=skeleton, input_size=SIZE)


@pytest.mark.parametrize('settings', SKELETONS.values(), ids=SKELETONS)
def test_any_skeleton_trains_a_step_and_predicts(settings):
    head = build_head(**settings)
    samples = people(2, head.groups.skeleton)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    before = {name: value.clone() for name, value in head.named_parameters()}
    losses = head.train().loss(random_maps(), samples)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    optimizer.step()
    assert all((value != before[name]).any() for name, value in head.named_parameters())
    with torch.no_grad():
        predictions = head.eval().predict(random_maps(), samples)
    for prediction in predictions:
        assert prediction.keypoints.shape == (1, head.groups.num_keypoints, 2)
        assert (
            (prediction.keypoint_scores > 0) & (prediction.keypoint_scores <= 1)
        ).all()


@pytest.mark.parametrize('name', ['coco', 'wholebody'])
def test_guidance_compares_sparse_keypoints_with_their_own_labels(name):
    head = build_head(**{**SKELETONS[name], 'keep_rates': None}).train()
    skeleton, groups = get_skeleton(head.groups.skeleton), head.groups
    seen = []
    head.guidance = lambda *given: seen.append(given) or given[0].mean()
    loss = head.loss(random_maps(), people(2, groups.skeleton))['loss_guidance']
    (gradient,) = torch.autograd.grad(loss, head.coarse_encoder.query_tokens)
    assert gradient[groups.num_parts :].any(-1).all()

    wanted = [
        skeleton.joints.index(joint)
        for names in groups.groups
        for joint in skeleton.groups[names[0]]
    ]
    points, _ = random_people(2, SIZE, len(skeleton.joints))
    assert len(seen) == 2  # the pass with pruning, and the entire one
    for logits, kept, targets, weights, grid in seen:
        assert logits.shape == (2, len(wanted), 2, 256)
        assert kept.shape == (2, 256)
        assert weights.all()
        assert grid == (16, 16)
        bins = torch.stack([target.argmax(-1) for target in targets], -1)
        np.testing.assert_allclose(bins / 2, points[:, wanted], atol=0.5)


@pytest.mark.parametrize(
    ('file', 'groups'),
    [
        ('coco.py', [range(5), range(5, 11), range(11, 17)]),
        ('crowdpose.py', [(12, 13), range(6), range(6, 12)]),
        (
            'coco_wholebody_hand.py',
            [range(5), *(range(i, i + 4) for i in (5, 9, 13, 17))],
        ),
        ('wflw.py', [range(98)]),
        ('ap10k.py', [(0, 1, 2), (3, *range(5, 10)), (4, *range(10, 17))]),
    ],
)
def test_groups_are_body_parts_or_branches_of_the_links(file, groups):
    found = NamedGroups(dict(from_file=file), 'auto')
    skeleton = configured_skeleton(dict(from_file=file))
    wanted = {frozenset(skeleton.joints[index] for index in own) for own in groups}
    assert set(map(frozenset, found.groups)) == wanted


@pytest.mark.parametrize('name', ['snout', 'head'])
def test_groups_of_own_keypoints_ask_for_their_metainfo(name):
    message = f"'({name}|tail)' is not a keypoint of coco-17 .* as model.head.metainfo"
    with pytest.raises(ValueError, match=f'^groups: {message}'):
        build_head(groups=[[name, 'tail']])


def test_groups_of_names_and_indices_are_those_of_the_skeletons_parts():
    names = [
        get_skeleton('coco-17').groups[n] for n in ('head', 'upper_body', 'lower_body')
    ]
    indices = [get_skeleton('coco-17').indices(own) for own in names]
    metainfo = dict(from_file='coco.py')
    heads = [
        build_head(),
        build_head(groups=names),
        build_head(groups=indices, metainfo=metainfo),
        build_head(groups='auto', metainfo=metainfo),
    ]
    outputs = [head(random_maps()) for head in heads]
    torch.testing.assert_close(outputs[1:], outputs[:1] * 3, rtol=0, atol=0)


@torch.no_grad()
@pytest.mark.parametrize('settings', SKELETONS.values(), ids=SKELETONS)
def test_keypoints_come_in_the_skeletons_order(settings):
    head = build_head(**settings)
    groups, skeleton = head.groups, get_skeleton(head.groups.skeleton)
    length = groups.num_slots + max(groups.dense_counts) + 3
    names = [['no keypoint'] * length for _ in range(groups.num_groups)]
    for row, group in zip(names, groups.groups, strict=True):
        joints = [joint for name in group for joint in skeleton.groups[name]]
        start = groups.num_slots - len(skeleton.groups[group[0]])
        row[start : start + len(joints)] = joints
    flat = [name for row in names for name in row]
    places = torch.arange(len(flat)).view(1, groups.num_groups, length, 1)
    taken = groups.take_keypoints(places).flatten().tolist()
    assert [flat[place] for place in taken] == list(skeleton.joints)


@torch.no_grad()
@pytest.mark.parametrize('name', ['coco', 'wholebody', 'halpe'])
def test_kept_patches_are_those_of_the_layer_before(name):
    head = build_head(**SKELETONS[name])
    _, kept = head.network.encode(head.embed(random_maps()[-1]), head.counts)
    dense = torch.tensor(head.groups.dense_counts)
    rates = [rate for rate in head.keep_rates for _ in range(3)]
    assert [patches.shape[-1] for patches in kept] == [int(256 * r) for r in rates]
    assert [patches.ndim for patches in kept] == [2] * 6 + [3] * 6
    for patches in kept[6:]:
        assert ((patches < 0).sum(dim=-1) == dense).all()
    for before, after in zip(kept, kept[1:], strict=False):
        if before.ndim < after.ndim:
            before = before.unsqueeze(1).expand(*after.shape[:2], -1)
        for old, new in zip(
            before.reshape(-1, before.shape[-1]),
            after.reshape(-1, after.shape[-1]),
            strict=True,
        ):
            new = new[new >= 0]
            assert torch.isin(new, old).all()
            assert (new.diff() > 0).all()


@torch.no_grad()
def test_empty_slot_influences_nothing():
    head = build_head()
    expected = head(random_maps())
    # the first group has five keypoints, and its first slot is empty
    assert head.groups.slots[0] == 0
    head.groups.slots[0] = 13
    torch.testing.assert_close(head(random_maps()), expected, rtol=0, atol=0)


@torch.no_grad()
def test_keep_rates_of_test_cfg_replace_the_heads():
    head, samples = build_head(), people(2)
    everything = head.predict(random_maps(), samples, dict(keep_rates=None))
    pruned = head.predict(random_maps(), samples)
    head.keep_rates = None
    again = head.predict(random_maps(), samples)
    for first, other, last in zip(everything, pruned, again, strict=True):
        assert (first.keypoint_scores != other.keypoint_scores).any()
        assert (first.keypoint_scores == last.keypoint_scores).all()
    with pytest.raises(ValueError, match='keep_rates must be .* do not grow'):
        head.predict(random_maps(), samples, dict(keep_rates=(0.1, 0.2)))


@torch.no_grad()
def test_flip_test_averages_logits_of_the_mirror_image():
    head, samples, maps = build_head(), people(2), random_maps()
    mirrored = (maps[-1].flip(-1),)
    x, y = head.estimate([maps, mirrored], samples, dict(flip_test=True))
    flip = samples[0].metainfo['flip_indices']
    (logits_x, logits_y), (other_x, other_y) = head(maps), head(mirrored)
    other_x, other_y = other_x[:, flip].flip(-1), other_y[:, flip]
    other_x = torch.cat([other_x[..., 1:], other_x[..., -1:]], dim=-1)
    torch.testing.assert_close(x, ((logits_x + other_x) / 2).softmax(-1))
    torch.testing.assert_close(y, ((logits_y + other_y) / 2).softmax(-1))


@torch.no_grad()
def test_curve_turns_scores_into_confidences():
    head = build_head()
    plain, mapped = (
        head.predict(random_maps(), people(2), test_cfg)[0].keypoint_scores
        for test_cfg in ({}, {'score_curve': ((0, 0.01, 1), (0, 0.4, 1))})
    )
    assert plain.max() > 0.01
    wanted = np.where(plain < 0.01, 40 * plain, 0.4 + (plain - 0.01) * 0.6 / 0.99)
    np.testing.assert_allclose(mapped, wanted, rtol=1e-4)
    sharp = head.decoder.calibrate(head.decoder.peak * np.array([2.0, 3.0]))
    np.testing.assert_allclose(sharp, [2, 3], rtol=1e-6)


@torch.no_grad()
def test_heatmaps_peak_at_the_keypoints():
    head, samples = build_head(), people(1)
    maps = random_maps(1)
    (prediction,), (field,) = head.predict(maps, samples, dict(output_heatmaps=True))
    assert field.heatmaps.shape == (17, 256, 192)
    place = field.heatmaps.flatten(1).argmax(-1)
    found = torch.stack([place % 192, place // 192], dim=-1) / 2
    torch.testing.assert_close(torch.from_numpy(prediction.keypoints[0]), found)


@torch.no_grad()
def test_result_of_an_image_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    stem, head = GTPTStem(stage_channels=(4,)).eval(), build_head()
    images = torch.randn(7, 3, 192, 128)
    together = head(stem(images))
    for index in (0, 6):
        alone = head(stem(images[index : index + 1]))
        own = tuple(axis[index : index + 1] for axis in together)
        torch.testing.assert_close(alone, own, atol=1e-5, rtol=0)


def test_a_wrong_number_of_channels_is_named():
    message = r'are \(32, 48, 5\), but .* in_channels are \(32, 48, 4\)'
    with pytest.raises(ValueError, match=message):
        build_head()((torch.zeros(1, 5, 48, 32),))


@torch.no_grad()
@pytest.mark.parametrize('name', ['coco', 'wholebody'])
def test_network_of_indices_is_that_of_the_head(name):
    """Groups of indices, of tokens in place of a feature map."""
    head = build_head(**SKELETONS[name])
    skeleton = configured_skeleton(head.groups.skeleton)
    groups = [
        [skeleton.indices(part) for part in names]
        if len(names) > 1
        # one part alone is its keypoints
        else skeleton.indices(names[0])
        for names in head.groups.groups
    ]
    sizes = GTPTSizes(embed_dims=16, num_heads=2)
    network = GTPT(groups, (16, 16), 24, head.keep_rates, sizes).eval()
    network.load_state_dict(head.network.state_dict())
    patches = torch.randn(2, 256, 24)
    wanted, kept = head.network.encode(head.patch_embed.proj(patches), head.counts)
    torch.testing.assert_close(network(patches), wanted, rtol=0, atol=0)
    torch.testing.assert_close(network.kept, kept, rtol=0, atol=0)
    network.keep_rates = None
    network(patches)
    assert [each.shape[-1] for each in network.kept] == 12 * [256]


@pytest.mark.parametrize('groups', [[[0, 1], [1, 2]], [[0, 1], [3]]])
def test_each_keypoint_is_in_one_group(groups):
    with pytest.raises(ValueError, match='each keypoint from 0 to . once'):
        GTPT(groups, (4, 4), 8)


def test_copied_head_has_a_network_of_its_own():
    head = build_head()
    other = deepcopy(head).double()
    assert other.network.coarse_encoder is other.coarse_encoder
    (maps,) = random_maps()
    assert other((maps.double(),))[0].dtype == torch.float64
    doubled = other((maps.double(),))[0]
    torch.testing.assert_close(head((maps,))[0].double(), doubled, rtol=0, atol=1e-5)
