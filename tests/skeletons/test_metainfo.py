"""Skeletons of MMPose's metainfo files."""

import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from paths import MMPOSE

from mmhot.skeletons.joints import (
    SKELETONS,
    add_skeleton,
    configured_skeleton,
    described_skeleton,
    get_skeleton,
)

FOLDER = MMPOSE / 'configs/_base_/datasets'
# its swaps are not mutual
FILES = [path for path in FOLDER.glob('*.py') if path.stem != 'deepfashion2']
HAND = FOLDER / 'coco_wholebody_hand.py'
POINTS = "0: dict(name='a', swap='b'), 1: dict(name='b', swap='a'), 2: dict(name='c')"
CONTENT = (
    "dataset_info = dict(dataset_name='own', keypoint_info={%s}, "
    "skeleton_info={0: dict(link=('c', 'a')), 1: dict(link=('c', 'b'))})"
)


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_files_and_parsed_metainfos_have_mmposes_names_and_flips(path):
    wanted = parse_pose_metainfo(dict(from_file=str(path)))
    names = tuple(wanted['keypoint_id2name'][i] for i in range(wanted['num_keypoints']))
    for metainfo in (dict(from_file=str(path)), wanted):
        skeleton = configured_skeleton(metainfo)
        assert skeleton.joints == names
        assert skeleton.flip_indices == wanted['flip_indices']
        for index, parent in enumerate(skeleton.parents):
            assert parent < 0 or skeleton.parents[parent] != index


def test_a_registered_skeleton_is_used_if_joints_are_the_same():
    for skeleton in SKELETONS.values():
        for name in skeleton.dataset_names:  # MMPose's
            assert configured_skeleton(dict(from_file=f'{name}.py')) is skeleton
            assert get_skeleton(name) is skeleton
    assert configured_skeleton(dict(from_file=str(HAND))).name not in SKELETONS


def test_the_tree_starts_on_the_midline_at_most_links(tmp_path):
    path = tmp_path / 'own.py'
    path.write_text(CONTENT % POINTS)
    skeleton = configured_skeleton(dict(from_file=str(path)))
    assert (skeleton.name, skeleton.parents) == ('own-3', (2, 2, -1))
    assert skeleton.flip_pairs == ((0, 1),)
    assert configured_skeleton(dict(from_file=str(HAND))).parents[0] == -1


def test_a_description_gives_the_same_skeleton_and_names_are_unique(monkeypatch):
    monkeypatch.setattr('mmhot.skeletons.joints._REGISTRY', dict(SKELETONS))
    hand = configured_skeleton(dict(from_file=str(HAND)))
    again = described_skeleton(hand.describe())
    assert (again.joints, again.parents) == (hand.joints, hand.parents)
    known = [*SKELETONS.values()]
    assert [described_skeleton(skeleton.describe()) for skeleton in known] == known
    other = described_skeleton({**again.describe(), 'skeleton': 'other'})
    changed = {**again.describe(), 'joints': other.joints[::-1]}
    assert add_skeleton(other) is other
    with pytest.raises(ValueError, match='registered with other joints: choose'):
        described_skeleton(changed)
