"""Head of GTPT for MMPose: patches, losses, the flip test and decoding."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.typing import ConfigType, InstanceList, SampleList
from torch import Tensor, nn

from mmhot.models.gtpt.grouping import NamedGroups
from mmhot.models.gtpt.keep_rates import KeepRates
from mmhot.models.gtpt.network import GTPT, Counts, GTPTSizes
from mmhot.models.gtpt.warm_start import fit_weights
from mmhot.models.layers.blocks import full_precision

Features = tuple[Tensor, ...]
SimCC = tuple[Tensor, Tensor]

# Largest distance of a correct keypoint from the label, as a share of the image size,
# for the accuracy in the log.
_PCK = 0.05
_BODY_GROUPS = (('head',), ('upper_body',), ('lower_body',))


class PatchEmbed(nn.Module):
    """Batch normalization, and a linear layer on each patch."""

    def __init__(
        self, in_channels: int, patch_size: tuple[int, int], proj: nn.Linear
    ) -> None:
        super().__init__()
        self.patch_size = tuple(patch_size)
        self.norm = nn.BatchNorm2d(in_channels)
        self.proj = proj

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to tokens ``(B, N, D)``, row by row."""
        width, height = self.patch_size
        x = self.norm(x).permute(0, 2, 3, 1)  # (B, H, W, C)
        x = x.unflatten(2, (-1, width)).unflatten(1, (-1, height)).transpose(2, 3)
        return self.proj(x.flatten(1, 2).flatten(2))


@MODELS.register_module()
class GTPTHead(BaseHead):
    """Head of GTPT; with :class:`GTPTStem` as backbone, it is the paper's model.

    Weights for another image size, or without dense keypoints, can initialize it; see
    :func:`mmhot.models.gtpt.warm_start.fit_weights`.

    Args:
        in_channels (int): Channels of the backbone's last feature map.
        out_channels (int): Number of keypoints ``K`` of ``skeleton`` or ``metainfo``.
        input_size (tuple[int, int]): Width and height of the image, pixels.
        in_featuremap_size (tuple[int, int]): Width and height of the feature map.
        simcc_split_ratio (float): Bins per pixel.
        patch_size (tuple[int, int]): Width and height of a patch, in pixels of the
            feature map. They divide ``in_featuremap_size``.
        keep_rates (Sequence[float], optional): Shares of the patches that are kept,
            each for an equal number of layers; see :attr:`keep_rates`. None keeps all.
        skeleton (str): Name of the skeleton, see :mod:`mmhot.skeletons`.
        metainfo (dict, optional): Metainfo of the dataset, such as
            ``dict(from_file='my.py')``, in place of ``skeleton``.
        groups (str | Sequence[Sequence]): Names or indices of the keypoints of each
            group, names of groups of the skeleton, or 'auto'; see
            :class:`NamedGroups`. Defaults to head, upper and lower body.
        loss (dict): Loss, called as :class:`GTPTLoss`.
        guidance (dict, optional): Loss between the attention of keypoint tokens and the
            labels, such as ``PatchGuidanceLoss`` of ``projects/rendered_people``.
        decoder (dict, optional): Codec that converts probabilities to keypoints;
            required by :meth:`predict`.
        **sizes: Sizes of the network, see :class:`GTPTSizes`.
    """

    sizes_class = GTPTSizes
    network: GTPT
    test_settings = (
        *('flip_test', 'keep_rates', 'score_curve', 'output_heatmaps'),
        # Settings of MMPose's other heads
        *('flip_mode', 'shift_coords', 'shift_heatmap'),
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: tuple[int, int],
        in_featuremap_size: tuple[int, int],
        simcc_split_ratio: float = 2.0,
        patch_size: tuple[int, int] = (3, 4),
        keep_rates: KeepRates = None,
        skeleton: str = 'coco-17',
        metainfo: dict | None = None,
        groups: str | Sequence[Sequence[str | int]] = _BODY_GROUPS,
        loss: ConfigType = {'type': 'GTPTLoss'},  # noqa: B006 (MMPose's way)
        guidance: ConfigType | None = None,
        decoder: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
        **sizes: Any,
    ) -> None:
        super().__init__(init_cfg)
        self.in_featuremap_size = tuple(in_featuremap_size)
        self.simcc_split_ratio = simcc_split_ratio
        named = NamedGroups(metainfo or skeleton, groups)
        named.check_count(out_channels)
        grid = _grid_of_patches(in_featuremap_size, patch_size)
        patch_channels = patch_size[0] * patch_size[1] * in_channels
        network = GTPT(
            named, grid, patch_channels, keep_rates, self.sizes_class(**sizes)
        )
        # Its parts are parts of the head, by the names that checkpoints have.
        self.__dict__['network'] = network
        self.patch_embed = PatchEmbed(in_channels, patch_size, network.embed)
        self.groups = named
        self.coarse_encoder = network.coarse_encoder
        self.coarse_to_fine = network.coarse_to_fine
        self.fine_encoder = network.fine_encoder
        num_x, num_y = (round(length * simcc_split_ratio) for length in input_size)
        self.classify_x = _classifier(network.sizes.embed_dims, num_x)
        self.classify_y = _classifier(network.sizes.embed_dims, num_y)
        self.loss_module = MODELS.build(loss)
        self.guidance: Any = None if guidance is None else MODELS.build(guidance)
        self.decoder: Any = decoder and KEYPOINT_CODECS.build(decoder)
        if self.decoder and tuple(self.decoder.input_size) != tuple(input_size):
            size = self.decoder.input_size
            raise ValueError(
                f"input_size must be the decoder's, {size}, got {input_size}"
            )
        self.register_load_state_dict_pre_hook(fit_weights)

    @property
    def keep_rates(self) -> KeepRates:
        """See :attr:`GTPT.keep_rates`."""
        return self.network.keep_rates

    @keep_rates.setter
    def keep_rates(self, keep_rates: KeepRates) -> None:
        self.network.keep_rates = keep_rates

    @property
    def counts(self) -> Counts:
        """Private tokens of each layer."""
        return self.network.counts

    @property
    def full_precision_layers(self) -> tuple[nn.Module, ...]:
        """Layers that stay in float32 when weights are converted to half precision."""
        return self.classify_x[-1], self.classify_y[-1]

    def forward(self, feats: Features, counts: Counts | None = None) -> SimCC:
        """Map feature maps to logits of x (B, K, Wx) and y (B, K, Wy)."""
        tokens, _ = self.network.encode(self.embed(feats[-1]), counts or self.counts)
        return self.classify(tokens)

    def embed(self, feature_map: Tensor) -> Tensor:
        """Map a feature map (B, C', H, W) to patch tokens (B, N, C)."""
        size = tuple(feature_map.shape[:0:-1])
        wanted = *self.in_featuremap_size, self.patch_embed.norm.num_features
        if size != wanted:
            raise ValueError(
                f'width, height and channels of the feature map are {size}, but '
                f'in_featuremap_size and in_channels are {wanted}'
            )
        return self.patch_embed(feature_map)

    def classify(self, tokens: Tensor) -> SimCC:
        """Map keypoint tokens (B, K, C) to logits, in full precision."""
        with full_precision(tokens):
            tokens = tokens.to(self.classify_x[-1].weight.dtype)
            return self.classify_x(tokens), self.classify_y(tokens)

    def loss(
        self,
        feats: Features,
        batch_data_samples: SampleList,
        train_cfg: ConfigType = {},  # noqa: B006 (MMPose's signature)
    ) -> dict[str, Tensor]:
        """Compute the loss of a pass with pruning and, if needed, of one without.

        Args:
            feats (tuple[Tensor]): Feature maps, (B, C', H, W).
            batch_data_samples (list[PoseDataSample]): B samples with labels.
            train_cfg (dict): Without effect.

        Returns:
            dict: The losses of the loss module and of the guidance and, for the log,
            ``acc_pose``; scalars.
        """
        # Both passes share the coarse layers before the first pruning.
        network = self.network
        all_counts = network.count_tokens(None)
        shared = self.counts[: network.sizes.coarse_depth].count(all_counts[0])
        state = self.coarse_encoder.begin(self.embed(feats[-1]))
        state = self.coarse_encoder(state, all_counts[:shared])
        passes = [network.encode_from(state, self.counts)]
        if self.loss_module.needs_entire:
            passes.append(network.encode_from(state, all_counts))

        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        x = torch.cat([label.keypoint_x_labels for label in labels])
        y = torch.cat([label.keypoint_y_labels for label in labels])
        weights = torch.cat([label.keypoint_weights for label in labels])
        logits = [self.classify(tokens) for tokens, _, _ in passes]
        losses = self.loss_module(
            pruned=logits[0],
            entire=logits[1] if len(logits) > 1 else None,
            targets=(x, y),
            weights=weights,
        )
        if self.guidance is not None:
            losses['loss_guidance'] = self._guide(passes, (x, y), weights)
        # Labels of keypoints outside of the image are flat.
        valid = (x.amax(-1) > x.amin(-1)) & (weights > 0)
        losses['acc_pose'] = _accuracy(logits[0], (x, y), valid)
        return losses

    def _guide(self, passes: list, targets: SimCC, weights: Tensor) -> Tensor:
        """Compare the attention of sparse keypoints with the labels, in all passes.

        Args:
            passes (list): Results of :meth:`GTPT.encode_from`.
            targets (tuple[Tensor, Tensor]): Labels of x (B, K, Wx) and y (B, K, Wy).
            weights (Tensor): Weights of keypoints, (B, K).

        Returns:
            Tensor: Mean loss, a scalar.
        """
        sparse = self.groups.sparse
        last = self.network.sizes.coarse_depth - 1
        targets = tuple(target[:, sparse] for target in targets)
        weights = weights[:, sparse]
        losses = []
        for _, kept, logits in passes:
            patches = kept[last] - 1
            logits = logits[:, -len(sparse) :]
            losses.append(
                self.guidance(logits, patches, targets, weights, self.network.grid)
            )
        return sum(losses) / len(losses)

    def predict(
        self,
        feats: Features | list[Features],
        batch_data_samples: SampleList,
        test_cfg: ConfigType = {},  # noqa: B006 (MMPose's signature)
    ) -> InstanceList | tuple[InstanceList, list[PixelData]]:
        """Predict and decode keypoints.

        Args:
            feats (tuple | list[tuple]): Feature maps; with the flip test a list of two,
                for the images and for their mirror images.
            batch_data_samples (list[PoseDataSample]): B samples.
            test_cfg (dict): ``flip_test`` (bool, defaults to False) averages both
                images; ``keep_rates`` replaces :attr:`keep_rates`; ``score_curve``
                (two rising sequences, from 0 to 1) maps scores to confidences, by
                interpolation; ``output_heatmaps`` (bool, defaults to False) adds
                probabilities of all positions.

        Returns:
            list[InstanceData]: ``keypoints`` (1, K, 2) in crop pixels and
            ``keypoint_scores`` (1, K) of each sample. Scores are the published ones
            divided by the largest value of a label, so that they are about 1. If
            heatmaps are requested, a tuple of this list and a list of
            :class:`PixelData`, (K, Wy, Wx).
        """
        probabilities = self.estimate(feats, batch_data_samples, test_cfg)
        predictions = self.decode(probabilities)
        for prediction in predictions:
            prediction.keypoint_scores = self.decoder.calibrate(
                prediction.keypoint_scores, test_cfg.get('score_curve')
            )
        if not test_cfg.get('output_heatmaps', False):
            return predictions
        x, y = (axis / self.decoder.peak for axis in probabilities)
        heatmaps = y.unsqueeze(-1) * x.unsqueeze(-2)
        return predictions, [PixelData(heatmaps=heatmap) for heatmap in heatmaps]

    def estimate(
        self,
        feats: Features | list[Features],
        batch_data_samples: SampleList,
        test_cfg: ConfigType,
    ) -> SimCC:
        """Return probabilities of x (B, K, Wx) and y (B, K, Wy).

        Arguments are the same as for :meth:`predict`.
        """
        rates = {}
        if 'keep_rates' in test_cfg:
            rates = {'counts': self.network.count_tokens(test_cfg['keep_rates'])}
        if not test_cfg.get('flip_test', False):
            x, y = self.forward(tuple(feats), **rates)
            return x.softmax(dim=-1), y.softmax(dim=-1)
        images, mirror_images = feats
        both = self.forward((torch.cat([images[-1], mirror_images[-1]]),), **rates)
        (x, mirrored_x), (y, mirrored_y) = (axis.chunk(2) for axis in both)
        flip_indices = batch_data_samples[0].metainfo['flip_indices']
        # A list as an index would be copied to the GPU.
        mirrored_x, mirrored_y = (
            torch.stack([axis[:, i] for i in flip_indices], dim=1)
            for axis in (mirrored_x, mirrored_y)
        )
        shift = round(self.simcc_split_ratio) - 1
        x = (x + _mirror_bins(mirrored_x, shift)) / 2
        return x.softmax(dim=-1), ((y + mirrored_y) / 2).softmax(dim=-1)


def _grid_of_patches(
    in_featuremap_size: tuple[int, int], patch_size: tuple[int, int]
) -> tuple[int, int]:
    """Return the number of columns and rows of patches of a feature map.

    Both arguments are width and height, in cells of the feature map.

    Raises:
        ValueError: If patches do not cover the feature map.
    """
    width, height = in_featuremap_size
    patch_width, patch_height = patch_size
    if width % patch_width or height % patch_height:
        raise ValueError(
            f'patch_size must divide in_featuremap_size, {in_featuremap_size}, got '
            f'{patch_size}'
        )
    return width // patch_width, height // patch_height


def _classifier(embed_dims: int, num_bins: int) -> nn.Sequential:
    """Build the layers that map tokens (..., C) to logits of bins."""
    return nn.Sequential(nn.LayerNorm(embed_dims), nn.Linear(embed_dims, num_bins))


@torch.no_grad()
def _accuracy(logits: SimCC, targets: SimCC, valid: Tensor) -> Tensor:
    """Compute the share of predictions near the label, averaged over keypoints.

    As in MMPose's ``simcc_pck_accuracy``, x is divided by the height and y by the
    width. Unlike there, all is computed on the device of the logits, so that nothing
    waits for a GPU.

    Args:
        logits (tuple[Tensor, Tensor]): Logits of x (B, K, Wx) and y (B, K, Wy).
        targets (tuple[Tensor, Tensor]): Labels of the same shapes.
        valid (Tensor): Mask of the keypoints that count, (B, K).

    Returns:
        Tensor: Share from 0 to 1, a scalar.
    """
    squared = sum(
        ((axis.argmax(-1) - target.argmax(-1)) / other.shape[-1]).square()
        for axis, target, other in zip(logits, targets, logits[::-1], strict=True)
    )
    count = valid.sum(0)
    near = ((squared < _PCK**2) & valid).sum(0) / count.clamp(min=1)
    return near.sum() / (count > 0).sum().clamp(min=1)


def _mirror_bins(logits: Tensor, shift: int) -> Tensor:
    """Mirror logits (B, K, Wx) like pixels: pixel x of W becomes W - 1 - x.

    Reversed bins are off by ``shift``, the bins of a pixel minus one. The last bins
    have no partner and keep their value.
    """
    mirrored = logits.flip(-1)
    end = mirrored.shape[-1] - shift
    return torch.cat([mirrored[..., shift:], mirrored[..., end:]], dim=-1)
