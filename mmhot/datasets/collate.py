"""Batches that travel quickly from the processes that make them."""

from collections.abc import Sequence

import torch
from mmengine.registry import FUNCTIONS
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from torch import Tensor


class LabeledSamples(list):
    """Samples of one person each whose labels are sent to another process stacked.

    PyTorch sends each tensor as a shared file of its own, and opening hundreds of them
    for a batch keeps the training process from its work.
    """

    def __reduce__(self) -> tuple:
        """Tell pickle what to send."""
        names = self[0].gt_instance_labels.keys() if self else ()
        labels = {
            name: torch.cat([sample.gt_instance_labels[name] for sample in self])
            for name in names
        }
        return _unstack, ([_without_labels(sample) for sample in self], labels)


def _without_labels(sample: PoseDataSample) -> PoseDataSample:
    light = PoseDataSample(metainfo=sample.metainfo)
    for name, field in sample.items():
        if name != 'gt_instance_labels':
            setattr(light, name, field)
    return light


def _unstack(
    samples: list[PoseDataSample], labels: dict[str, Tensor]
) -> LabeledSamples:
    """Give each sample its labels back."""
    for index, sample in enumerate(samples):
        rows = slice(index, index + 1)
        sample.gt_instance_labels = InstanceData(
            **{name: tensor[rows] for name, tensor in labels.items()}
        )
    return LabeledSamples(samples)


@FUNCTIONS.register_module()
def stack_people(samples: Sequence[dict]) -> dict:
    """Collate samples of a topdown dataset that ``PackPoseInputs`` packed.

    Args:
        samples (Sequence[dict]): B times ``inputs``, an image (3, H, W), and
            ``data_samples``, one of one person.

    Returns:
        dict: ``inputs`` (B, 3, H, W) and ``data_samples``, a list of B.
    """
    return {
        'inputs': torch.stack([sample['inputs'] for sample in samples]),
        'data_samples': LabeledSamples(sample['data_samples'] for sample in samples),
    }
