"""RTMDet's targets, assigned to a batch at once, are those of MMDetection."""

import copy
import pickle
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import FUNCTIONS, DefaultScope
from mmengine.structures import InstanceData

import mmhot.plugin  # noqa: F401 registers

CONFIGS = Path(__file__).parents[1] / 'configs'
LEVELS = (64, 16, 4)  # priors of an image of 64 pixels


def heads():
    """MMDetection's head, plain and with batched targets."""
    from mmdet.registry import MODELS

    config = Config.fromfile(CONFIGS / 'rtmdet-nano_1xb128-minutes_rendered-512x512.py')
    head = dict(config.model.bbox_head, train_cfg=config.model.train_cfg)
    with DefaultScope.overwrite_default_scope('mmdet'):
        batched = MODELS.build(head)
        return MODELS.build(dict(head, type='RTMDetSepBNHead')), batched


def test_targets_are_equal():
    torch.manual_seed(0)
    plain, batched = heads()
    counts = [0, 1, 2, 5, 9, 3]
    truth = []
    for count in counts:
        low = torch.rand(count, 2) * 40
        boxes = torch.cat([low, low + 12 + torch.rand(count, 2) * 30], 1)
        labels = torch.zeros(count, dtype=torch.long)
        truth.append(InstanceData(bboxes=boxes, labels=labels))
    metas = [dict(img_shape=(64, 64), pad_shape=(64, 64))] * len(counts)
    anchors, flags = plain.get_anchors([(8, 8), (4, 4), (2, 2)], metas, 'cpu')
    scores = torch.randn(len(counts), sum(LEVELS), 1)
    centers = torch.cat(anchors[0])[:, :2]
    sides = 6 + 14 * torch.rand(2, len(counts), sum(LEVELS), 2)
    boxes = torch.cat([centers - sides[0], centers + sides[1]], -1)
    expected = plain.get_targets(
        scores, boxes, copy.deepcopy(anchors), copy.deepcopy(flags), truth, metas
    )
    got = batched.get_targets(scores, boxes, anchors, flags, truth, metas)
    people = [each == 0 for each in expected[1]]
    assert sum(int(each.sum()) for each in people) > 30
    for part in range(1, 5):
        for ours, theirs, is_person in zip(
            got[part], expected[part], people, strict=True
        ):
            if part == 3:  # boxes of the background are not used
                ours, theirs = ours[is_person], theirs[is_person]
            torch.testing.assert_close(ours, theirs)


def test_collated_samples_survive_pickling():
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes

    samples = []
    for count in (2, 0, 1):
        sample = DetDataSample(metainfo=dict(img_id=count))
        boxes = torch.arange(4.0 * count).reshape(count, 4)
        sample.gt_instances = InstanceData(
            bboxes=HorizontalBoxes(boxes), labels=torch.zeros(count).long()
        )
        inputs = torch.zeros(3, 8, 8, dtype=torch.uint8)
        samples.append(dict(inputs=inputs, data_samples=sample))
    batch = FUNCTIONS.get('detection_collate')(samples)
    assert batch['inputs'].shape == (3, 3, 8, 8)
    received = pickle.loads(pickle.dumps(batch['data_samples']))
    assert [len(each.gt_instances) for each in received] == [2, 0, 1]
    assert [each.img_id for each in received] == [2, 0, 1]
    assert received[0].gt_instances.bboxes.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
