"""A hook that trains a lifter with the poses of a trained one, too."""

from dataclasses import dataclass
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from mmhot.weights.load_lifter import load_lifter
from mmhot.weights.names import LIFTER, resolve


@HOOKS.register_module()
@dataclass(eq=False)
class DistillHook(Hook):
    """Mix the poses of a trained lifter, the teacher, into the target of a training.

    The loss, and the error in the log, compare poses with the mixed target.

    The teacher predicts all frames of the windows that the model receives, so both need
    the same codec. It is not part of the model, and is neither trained nor saved.
    """

    # Checkpoint that contains its config, as ``tools/train.py`` writes it, or
    # ``mmhot://NAME``
    teacher: str
    # Share of the teacher's poses in the target, from 0, the ground truth, to 1
    weight: float = 0.5

    def before_train(self, runner: Runner) -> None:
        """Load the teacher."""
        self.model = load_lifter(resolve(None, LIFTER, self.teacher)).model
        self.model.to(get_device())

    @torch.no_grad()
    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Mix the teacher's poses into the target (T, K, 3) of each sample of a batch.

        Raises:
            ValueError: If the teacher predicts other frames than the target has.
        """
        windows = torch.stack([*data_batch['inputs']]).to(get_device())
        poses = self.model.lift(windows)  # (B, T, K, 3)
        for sample, pose in zip(data_batch['data_samples'], poses, strict=True):
            labels = sample.gt_instance_labels
            target = labels.lifting_target_label
            if pose.shape != target.shape:
                raise ValueError(
                    f'DistillHook: {self.teacher} predicts poses {tuple(pose.shape)}, '
                    f'but the target is {tuple(target.shape)}: both need the same '
                    'frames and joints'
                )
            labels.lifting_target_label = target.lerp(pose.to(target), self.weight)
