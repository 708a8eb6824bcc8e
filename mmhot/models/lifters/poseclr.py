"""PoseCLR: contrastive pre-training of lifters on 2D poses of several views.

From *NanoHTNet and PoseCLR* (Cai et al., IEEE TIP 2025,
https://arxiv.org/abs/2501.15763). The authors released no code for PoseCLR. Where the
paper leaves a choice open, defaults of arguments follow MoCo (He et al., CVPR 2020,
https://arxiv.org/abs/1911.05722).
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather
from mmengine.model import BaseModel
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from mmpose.utils.typing import OptSampleList
from torch import Tensor, nn

from mmhot.errors import require_choice
from mmhot.models.lifters.host import Host, PrunedFeatures


class ProjectionHead(nn.Module):
    """Head that maps a lifter's features, of ``T'`` frames, to a unit vector.

    Args:
        in_channels (int): Channels ``C`` of the features.
        num_frames (int): Frames ``T'`` of the features.
        num_keypoints (int): Keypoints ``K``.
        feature_dims (int): Channels ``D`` of a keypoint in the vector.
    """

    def __init__(
        self,
        in_channels: int,
        num_frames: int,
        num_keypoints: int = 17,
        feature_dims: int = 8,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.num_features = num_keypoints * feature_dims
        self.project = nn.Sequential(
            nn.LayerNorm(in_channels),
            nn.Linear(in_channels, feature_dims),
            nn.LayerNorm(feature_dims),
        )
        self.pool = nn.Linear(num_frames, 1)

    def forward(self, feats: Tensor) -> Tensor:
        """Map ``(B, T', K, C)`` to unit vectors ``(B, K * D)``."""
        if feats.shape[1] != self.num_frames:
            raise ValueError(
                f'projector.num_frames is {self.num_frames}, but must be the number of '
                f'frames of the backbone, {feats.shape[1]}'
            )
        x = self.project(feats)  # (B, T', K, D)
        x = self.pool(x.movedim(1, -1)).squeeze(-1)  # (B, K, D)
        return F.normalize(x.flatten(1))


class MomentQueue(nn.Module):
    """The paper's memory bank: the newest keys, and the moments that they show.

    A moment is a frame of a performance, which several cameras may have recorded.
    Entries that no key has replaced yet are random unit vectors with the performance
    -1.
    """

    def __init__(self, size: int, num_features: int) -> None:
        super().__init__()
        self.register_buffer('keys', F.normalize(torch.randn(size, num_features)))
        self.register_buffer('performances', torch.full((size,), -1))
        self.register_buffer('frames', torch.zeros(size, dtype=torch.int64))
        self.register_buffer('position', torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def write(self, keys: Tensor, performances: Tensor, frames: Tensor) -> None:
        """Replace the oldest entries by keys (B, D) of moments (B,)."""
        size = len(self.keys)
        places = (self.position + torch.arange(len(keys), device=keys.device)) % size
        self.keys[places[-size:]] = keys[-size:].to(self.keys.dtype)
        self.performances[places[-size:]] = performances[-size:]
        self.frames[places[-size:]] = frames[-size:]
        self.position.copy_((self.position + len(keys)) % size)


@MODELS.register_module()
class PoseCLR(BaseModel):
    """Pre-train any lifter's backbone by aligning views of the same moment.

    InfoNCE compares a query (the first view) with the key of each other view of its
    moment, against a queue of keys of other moments. A moving average of the network
    computes the keys, without dropout. The ``backbone.*`` weights of checkpoints fit
    the backbone of a :class:`SequencePoseLifter`: fine-tuning loads them by
    ``load_from``.

    Args:
        backbone (dict): Backbone of a lifter, pruned or not.
        projector (dict): Arguments of :class:`ProjectionHead`.
        momentum (float): Share of its own weights that the key network keeps in a step.
        queue_size (int): Keys in the queue ``N``.
        temperature (float): Temperature of InfoNCE.
        exclusion_radius (int, optional): Largest distance, in frames, of keys of the
            same performance that are not used as negatives. Defaults to None: half a
            window.
    """

    def __init__(
        self,
        backbone: dict,
        projector: dict,
        momentum: float = 0.999,
        queue_size: int = 20480,
        temperature: float = 0.5,
        exclusion_radius: int | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.momentum = momentum
        self.temperature = temperature
        self.exclusion_radius = exclusion_radius
        self.backbone = MODELS.build(backbone)
        self.projector = ProjectionHead(**projector)
        query = nn.ModuleDict(dict(backbone=self.backbone, projector=self.projector))
        self.key_network = deepcopy(query).requires_grad_(False)
        self.queue = MomentQueue(queue_size, self.projector.num_features)

    def init_weights(self) -> None:
        """Initialize the query network, and the key network as its copy."""
        super().init_weights()
        self.update_keys(momentum=0.0)

    def train(self, mode: bool = True) -> 'PoseCLR':
        """Set the mode; the key network stays in evaluation mode."""
        super().train(mode)
        self.key_network.eval()
        return self

    def forward(
        self,
        inputs: Tensor | Sequence[Tensor],
        data_samples: OptSampleList = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor]:
        """Embed windows, or compare views.

        Args:
            inputs (Tensor): Normalized 2D poses; in mode 'tensor' of windows,
                (B, T, K, C), otherwise of ``V`` views of a moment, the query first,
                (B, V, T, K, C).
            data_samples (list[PoseDataSample]): B samples with ``performance`` and
                ``frame`` in their metainfo.
            mode (str): 'tensor' or 'loss'.

        Returns:
            Tensor | dict: In mode 'tensor' unit vectors (B, D); in mode 'loss' the loss
            and :func:`retrieval_top1`.
        """
        require_choice('mode', mode, ('tensor', 'loss'))
        if not isinstance(inputs, Tensor):
            inputs = torch.stack(list(inputs))
        if mode == 'tensor':
            return self.embed(inputs)
        return self.loss(inputs, data_samples)

    def embed(self, windows: Tensor, network: nn.ModuleDict | None = None) -> Tensor:
        """Map windows ``(B, T, K, C)`` to unit vectors ``(B, D)``."""
        backbone = self.backbone if network is None else network['backbone']
        projector = self.projector if network is None else network['projector']
        encode = backbone.encode if isinstance(backbone, Host) else backbone
        feats = encode(windows)
        return projector(feats.feats if isinstance(feats, PrunedFeatures) else feats)

    def loss(
        self, inputs: Tensor, data_samples: Sequence[PoseDataSample]
    ) -> dict[str, Tensor]:
        """Compute InfoNCE; while training, move the key network and fill the queue.

        Args:
            inputs (Tensor): Normalized 2D poses of views, (B, V, T, K, C).
            data_samples (list[PoseDataSample]): B samples, see :meth:`forward`.

        Returns:
            dict: The loss and, once the queue is full, :func:`retrieval_top1`, scalars.
        """
        queries = self.embed(inputs[:, 0])
        if self.training:
            self.update_keys(self.momentum)
        with torch.no_grad():
            keys = self.embed(inputs[:, 1:].flatten(0, 1), self.key_network)
        keys = keys.unflatten(0, (len(inputs), -1))  # (B, V - 1, D)
        performances, frames = (
            torch.tensor([s.metainfo[name] for s in data_samples], device=keys.device)
            for name in ('performance', 'frame')
        )
        radius = self.exclusion_radius
        radius = (inputs.shape[2] - 1) // 2 if radius is None else radius
        moments = performances, frames
        known = self.queue.performances, self.queue.frames
        near = are_near(moments, known, radius)  # (B, N)
        positives = (queries[:, None] * keys).sum(-1)  # (B, V - 1)
        # The queue is written to before gradients are computed.
        bank = self.queue.keys.clone()
        negatives = (queries @ bank.T).masked_fill(near, -torch.inf)
        losses = dict(loss=info_nce(positives, negatives, self.temperature))
        if (self.queue.performances >= 0).all():  # random vectors are far away
            losses['retrieval_top1'] = retrieval_top1(queries, keys, negatives)
        if self.training:
            entries = keys[:, 0].contiguous(), performances, frames
            # Several processes write in the order of one process with the joint batch.
            gathered = (torch.stack(all_gather(part), 1) for part in entries)
            self.queue.write(*(part.flatten(0, 1) for part in gathered))
        return losses

    @torch.no_grad()
    def update_keys(self, momentum: float) -> None:
        """Move the key network towards the query network.

        ``momentum`` is the share of its own weights that it keeps; buffers are copied.
        """
        own = nn.ModuleDict(dict(backbone=self.backbone, projector=self.projector))
        keys = self.key_network.state_dict(keep_vars=True)
        for name, query in own.state_dict(keep_vars=True).items():
            if isinstance(query, nn.Parameter):
                keys[name].lerp_(query, 1 - momentum)
            else:
                keys[name].copy_(query)


Moments = tuple[Tensor, Tensor]
"""Performance and frame of each moment, (N,) each."""


def are_near(moments: Moments, others: Moments, radius: int) -> Tensor:
    """Find moments that are too near in time to be negatives of each other.

    Args:
        moments (tuple[Tensor, Tensor]): Performance and frame of B moments, (B,) each.
        others (tuple[Tensor, Tensor]): Performance and frame of N moments, (N,) each.
        radius (int): Largest distance in frames.

    Returns:
        Tensor: Whether two moments are from the same performance and at most ``radius``
        frames apart, (B, N), bool.
    """
    same = moments[0][:, None] == others[0]
    return same & ((moments[1][:, None] - others[1]).abs() <= radius)


def info_nce(positives: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Compute InfoNCE, one term for each positive, averaged to a scalar.

    Args:
        positives (Tensor): Similarities of queries and their keys, (B, V).
        negatives (Tensor): Similarities of queries and the entries of the queue,
            (B, N); -inf leaves an entry out.
        temperature (float): Divisor of all similarities.

    Returns:
        Tensor: Loss, a scalar.
    """
    positives = positives / temperature
    rest = (negatives / temperature).logsumexp(1, keepdim=True)
    return (torch.logaddexp(positives, rest) - positives).mean()


def retrieval_top1(queries: Tensor, keys: Tensor, negatives: Tensor) -> Tensor:
    """Compute the share of keys that are nearer to their query than every negative.

    Args:
        queries (Tensor): Unit vectors, (B, D).
        keys (Tensor): Unit vectors of other views, (B, V, D).
        negatives (Tensor): Similarities of queries and the queue, (B, N).

    Returns:
        Tensor: The share, a scalar; 0 if all embeddings are alike.
    """
    positives = (queries[:, None] * keys).sum(-1)
    return (positives > negatives.amax(1, keepdim=True)).float().mean()
