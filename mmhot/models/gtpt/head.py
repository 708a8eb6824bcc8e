"""Head of GTPT: keypoints from coarse to fine, in groups, with pruned patches.

`Group-based Token Pruning Transformer for Efficient Human Pose Estimation
<https://arxiv.org/abs/2407.10756>`_ (ECCV 2024). It takes the feature map of any
backbone. The slot that the published code adds to fill the first group is not seen by
anything here, not even masked.
"""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np
import torch
from mmengine.structures import PixelData
from mmpose.evaluation.functional import simcc_pck_accuracy
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.tensor_utils import to_numpy
from mmpose.utils.typing import ConfigType, InstanceList, SampleList
from torch import Tensor, nn

from mmhot.deploy.chunks import map_chunks
from mmhot.models.gtpt.coarse import CoarseEncoder, PatchEmbed
from mmhot.models.gtpt.fine import CoarseToFine, FineEncoder
from mmhot.models.gtpt.groups import KeypointGroups
from mmhot.models.gtpt.keep_rates import KeepRates, count_patches
from mmhot.models.gtpt.warm_start import fit_weights
from mmhot.models.layers.precision import full_precision
from mmhot.models.layers.sine_position import sine_positions

Features = tuple[Tensor, ...]
SimCC = tuple[Tensor, Tensor]

_CHUNK = 4  # images whose tokens are in the cache


@MODELS.register_module()
class GTPTHead(BaseHead):
    """GTPT without its stem.

    Takes weights of one for pictures of another size, or without dense keypoints, as a
    start for training; see :func:`mmhot.models.gtpt.warm_start.fit_weights`.

    Args:
        in_channels (int): Channels of the feature map, the last one given.
        out_channels (int): Keypoints ``K``, those of ``skeleton``.
        input_size (tuple[int, int]): Width and height of the image.
        in_featuremap_size (tuple[int, int]): Width and height of the feature map.
        simcc_split_ratio (float): Bins per pixel. Defaults to 2.
        patch_size (tuple[int, int]): Width and height of a patch on the feature map;
            must divide it. Defaults to (3, 4).
        embed_dims (int): Channels of a token. Defaults to 128.
        num_heads (int): Heads of the attention. Defaults to 8.
        coarse_depth (int): Layers before keypoints are grouped. Defaults to 6.
        fine_depth (int): Layers after. Defaults to 6.
        keypoint_layer (int): Coarse layer in which the human token becomes
            keypoints. Defaults to 3.
        mlp_ratio (float): Hidden channels of the perceptrons, as a multiple of
            ``embed_dims``. Defaults to 3.
        keep_rates (Sequence[float], optional): Share of the patches kept, each for
            an equal number of layers; see :attr:`keep_rates`. Defaults to None: all.
        skeleton (str): Name of the skeleton, see `mmhot.skeletons`.
            Defaults to 'coco-17'.
        groups (Sequence[Sequence[str]]): Names of groups of the skeleton's keypoints,
            for each group; see :class:`KeypointGroups`. Defaults to head, upper and
            lower body.
        scale_by_head (bool): Whether attention is scaled by the channels of a head,
            as usual, and not by ``embed_dims``, as published. Defaults to False.
        loss (dict): Loss that takes both passes, the labels and weights. Defaults to
            ``dict(type='GTPTLoss')``.
        guidance (dict, optional): Loss on what keypoint tokens attend to, see
            :class:`PatchGuidanceLoss`. Defaults to None.
        decoder (dict, optional): Codec that turns probabilities into keypoints;
            :meth:`predict` needs one. Defaults to None.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: tuple[int, int],
        in_featuremap_size: tuple[int, int],
        simcc_split_ratio: float = 2.0,
        patch_size: tuple[int, int] = (3, 4),
        embed_dims: int = 128,
        num_heads: int = 8,
        coarse_depth: int = 6,
        fine_depth: int = 6,
        keypoint_layer: int = 3,
        mlp_ratio: float = 3.0,
        keep_rates: KeepRates = None,
        skeleton: str = 'coco-17',
        groups: tuple[tuple[str, ...], ...] = (
            ('head',),
            ('upper_body',),
            ('lower_body',),
        ),
        scale_by_head: bool = False,
        loss: ConfigType = {'type': 'GTPTLoss'},  # noqa: B006 (MMPose's way)
        guidance: ConfigType | None = None,
        decoder: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_featuremap_size = tuple(in_featuremap_size)
        self.simcc_split_ratio = simcc_split_ratio
        self.groups = KeypointGroups(skeleton, groups)
        if out_channels != self.groups.num_keypoints:
            raise ValueError(
                f'out_channels must be the {self.groups.num_keypoints} keypoints of '
                f'{self.groups.skeleton}, got {out_channels}'
            )
        self.depths = (coarse_depth, fine_depth)
        columns, rows = _grid(self.in_featuremap_size, patch_size)
        self.grid = (columns, rows)
        self.num_patches = rows * columns
        self.keep_rates = keep_rates

        scale = (embed_dims // num_heads if scale_by_head else embed_dims) ** -0.5
        sizes = dict(
            embed_dims=embed_dims,
            num_heads=num_heads,
            mlp_dims=round(mlp_ratio * embed_dims),
            scale=scale,
        )
        self.patch_embed = PatchEmbed(in_channels, embed_dims, patch_size)
        table = sine_positions(rows, columns, embed_dims)
        table = nn.functional.pad(table, (0, 0, 1, 0))
        self.register_buffer('positions', table, persistent=False)
        self.coarse_encoder = CoarseEncoder(
            depth=coarse_depth,
            num_queries=self.groups.num_parts + self.groups.num_sparse,
            keypoint_layer=keypoint_layer,
            **sizes,
        )
        self.coarse_to_fine = CoarseToFine(self.groups, embed_dims)
        self.fine_encoder = FineEncoder(self.groups, depth=fine_depth, **sizes)
        self.classify_x, self.classify_y = (
            nn.Sequential(
                nn.LayerNorm(embed_dims),
                nn.Linear(embed_dims, round(length * simcc_split_ratio)),
            )
            for length in input_size
        )
        self.loss_module = MODELS.build(loss)
        self.guidance = None if guidance is None else MODELS.build(guidance)
        self.decoder = None if decoder is None else KEYPOINT_CODECS.build(decoder)
        self.register_load_state_dict_pre_hook(fit_weights)

    @property
    def keep_rates(self) -> KeepRates:
        """Share of the patches kept, each for an equal number of layers.

        May be set at any time, to numbers that do not grow, or None to keep all.
        Each layer must be left with a patch beside its dense keypoints.
        """
        return self._keep_rates

    @keep_rates.setter
    def keep_rates(self, keep_rates: KeepRates) -> None:
        self._count(keep_rates)
        self._keep_rates = keep_rates

    def forward(self, feats: Features) -> SimCC:
        """Map feature maps to logits of x (B, K, Wx) and y (B, K, Hy)."""
        return self.classify(self.find_keypoints(feats, self.keep_rates))

    def find_keypoints(self, feats: Features, keep_rates: KeepRates) -> Tensor:
        """Make keypoint tokens (B, K, C) of feature maps."""
        return map_chunks(
            lambda x: self.encode(self.embed([x]), keep_rates)[0],
            feats[-1],
            _CHUNK,
            self.training,
        )

    def embed(self, feats: Features) -> Tensor:
        """Make patch tokens (B, N, C) of the last feature map (B, C', H, W)."""
        size = tuple(feats[-1].shape[:1:-1])
        if size != self.in_featuremap_size:
            raise ValueError(
                f'feature map must be {self.in_featuremap_size} (width, height), as '
                f'in_featuremap_size says, got {size}'
            )
        return self.patch_embed(feats[-1])

    def encode(
        self, patches: Tensor, keep_rates: KeepRates
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Encode patches.

        Args:
            patches (Tensor): Patch tokens, (B, N, C).
            keep_rates (Sequence[float], optional): See :attr:`keep_rates`.

        Returns:
            tuple: Keypoint tokens (B, K, C), and the patches that left each layer,
            by index and in ascending order: (B, N) in coarse layers, then (B, G, N),
            where dense keypoints are -1.
        """
        return self.encode_passes(patches, keep_rates)[0][:2]

    def encode_passes(
        self, patches: Tensor, *keep_rates: KeepRates
    ) -> list[tuple[Tensor, tuple[Tensor, ...], Tensor]]:
        """Encode the same patches with several keep rates.

        Coarse layers before these make a difference run once.

        Returns:
            list[tuple]: Of each what :meth:`encode` returns, and the last coarse
            layer's logits between keypoint tokens and patches, (B, J, H, N).
        """
        counts, (coarse_depth, _) = [*map(self._count, keep_rates)], self.depths
        alike = takewhile(
            lambda layer: len(set(layer)) == 1,
            zip(*(each[:coarse_depth] for each in counts), strict=True),
        )
        shared = tuple(first for first, *_ in alike)
        encoder, table = self.coarse_encoder, self.positions
        state = encoder.advance(encoder.begin(patches, table), table, shared)
        passes = []
        for each in counts:
            rest, fine = each[len(shared) : coarse_depth], each[coarse_depth:]
            coarse = encoder(state, table, rest)
            grouped = self.coarse_to_fine(coarse, table, fine[0])
            tokens, kept = self.fine_encoder(grouped, fine)
            kept = tuple(rows - 1 for rows in coarse.kept + kept)
            passes.append((tokens, kept, coarse.logits))
        return passes

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
        """Compare a pass with pruning and, if it counts, one without with the labels.

        Returns:
            dict: What the loss module returns and, for the log, ``acc_pose``.
        """
        rates = [self.keep_rates] + [None] * self.loss_module.needs_entire
        passes = self.encode_passes(self.embed(feats), *rates)
        logits = [self.classify(tokens) for tokens, *_ in passes]
        pruned, entire = (*logits, None)[:2]
        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        targets = tuple(
            torch.cat([label[f'keypoint_{axis}_labels'] for label in labels])
            for axis in 'xy'
        )
        weights = torch.cat([label.keypoint_weights for label in labels])
        losses = self.loss_module(
            pruned=pruned, entire=entire, targets=targets, weights=weights
        )
        if self.guidance is not None:
            losses = {**losses, **self._guide(passes, targets, weights)}
        _, accuracy, _ = simcc_pck_accuracy(
            to_numpy(pruned),
            to_numpy(targets),
            self.simcc_split_ratio,
            to_numpy(_are_placed(targets[0]) & (weights > 0)),
        )
        return {**losses, 'acc_pose': weights.new_tensor(accuracy)}

    def _guide(self, passes: list, targets: SimCC, weights: Tensor) -> dict:
        """Compare what sparse keypoints attend to with the labels, in all passes."""
        sparse, last = self.groups.sparse, self.depths[0] - 1
        own = tuple(target[:, sparse] for target in targets), weights[:, sparse]
        terms = [
            self.guidance(logits[:, -len(sparse) :], kept[last], *own, self.grid)
            for _, kept, logits in passes
        ]
        return {'loss_guidance': sum(terms) / len(terms)}

    def predict(
        self,
        feats: Features | list[Features],
        batch_data_samples: SampleList,
        test_cfg: ConfigType = {},  # noqa: B006 (MMPose's signature)
    ) -> InstanceList | tuple[InstanceList, list[PixelData]]:
        """Predict and decode keypoints.

        Args:
            feats (tuple | list[tuple]): Feature maps; with the flip test those of the
                images and those of their mirror images.
            batch_data_samples (list[PoseDataSample]): B samples.
            test_cfg (dict): ``flip_test`` (bool, defaults to False) averages both
                images; ``keep_rates`` replaces :attr:`keep_rates`; ``raw_scores``
                (bool, defaults to False) leaves scores as published, probabilities
                of one bin that are at most about 0.1, and does not divide by the
                largest value of a label; ``score_curve`` (two rising sequences, from
                0 to 1) maps scores so divided to confidences, by interpolation, see
                :func:`tools.lab.keypoint_errors.fit_confidence`;
                ``output_heatmaps`` (bool, defaults to
                False) adds probabilities of all positions.

        Returns:
            list[InstanceData]: ``keypoints`` (1, K, 2) in crop pixels and
            ``keypoint_scores`` (1, K) of each sample; then a list of
            :class:`PixelData` if heatmaps are wanted.

        Raises:
            ValueError: If ``score_curve`` is something else.
        """
        probabilities = self.estimate(feats, batch_data_samples, test_cfg)
        predictions = self.decode(probabilities)
        if not test_cfg.get('raw_scores', False):
            curve = test_cfg.get('score_curve') or ((0, 1), (0, 1))
            for prediction in predictions:
                scores = prediction.keypoint_scores / self.decoder.peak
                prediction.keypoint_scores = _confidences(scores, curve)
        if not test_cfg.get('output_heatmaps', False):
            return predictions
        x, y = (each / self.decoder.peak for each in probabilities)
        heatmaps = y.unsqueeze(-1) * x.unsqueeze(-2)
        return predictions, [PixelData(heatmaps=heatmap) for heatmap in heatmaps]

    def estimate(
        self,
        feats: Features | list[Features],
        batch_data_samples: SampleList,
        test_cfg: ConfigType,
    ) -> SimCC:
        """Return probabilities of x (B, K, Wx) and y (B, K, Hy)."""
        keep_rates = test_cfg.get('keep_rates', self.keep_rates)
        if not test_cfg.get('flip_test', False):
            tokens = self.find_keypoints(feats, keep_rates)
            return tuple(logits.softmax(dim=-1) for logits in self.classify(tokens))
        both = [torch.cat([image[-1], mirrored[-1]]) for image, mirrored in [feats]]
        tokens, mirrored = self.find_keypoints(both, keep_rates).chunk(2)
        flip_indices = batch_data_samples[0].metainfo['flip_indices']
        mirrored_x, mirrored_y = self.classify(mirrored[:, flip_indices])
        x, y = self.classify(tokens)
        shift = round(self.simcc_split_ratio) - 1
        x = (x + _mirror_bins(mirrored_x, shift)) / 2
        return x.softmax(dim=-1), ((y + mirrored_y) / 2).softmax(dim=-1)

    def _count(self, keep_rates: KeepRates) -> tuple[int, ...]:
        """Return the private tokens of each layer; raise if there are too few."""
        coarse_depth, fine_depth = self.depths
        return count_patches(
            keep_rates,
            self.num_patches,
            depth=coarse_depth + fine_depth,
            first_grouped=coarse_depth,
            num_dense=max(self.groups.dense_counts),
        )


def _grid(
    featuremap_size: tuple[int, int], patch_size: tuple[int, int]
) -> tuple[int, int]:
    """Return how many patches fit beside and below each other."""
    for name, length, step in zip(
        ('width', 'height'), featuremap_size, patch_size, strict=True
    ):
        if step < 1 or length % step:
            fitting = ', '.join(
                str(size) for size in range(1, length + 1) if length % size == 0
            )
            raise ValueError(
                f"patch_size: {name} must divide the feature map's, {length}, got "
                f'{step}; {fitting} do'
            )
    return tuple(
        length // step for length, step in zip(featuremap_size, patch_size, strict=True)
    )


def _are_placed(labels: Tensor) -> Tensor:
    """Tell which labels (B, K, bins) are of a place, and not flat, (B, K)."""
    return labels.amax(-1) > labels.amin(-1)


def _confidences(
    scores: np.ndarray, curve: tuple[Sequence[float], Sequence[float]]
) -> np.ndarray:
    """Map scores by a curve of rising knots, float32."""
    try:
        known, wanted = (np.asarray(values, float) for values in curve)
        rising = (np.diff(known) > 0).all() and (np.diff(wanted) >= 0).all()
    except (TypeError, ValueError):
        rising = False
    if not rising or known.shape != wanted.shape:
        raise ValueError(
            'score_curve must be two rising sequences of the same length, scores and '
            f'confidences, got {curve}'
        )
    return np.interp(scores, known, wanted).astype(np.float32)


def _mirror_bins(logits: Tensor, shift: int) -> Tensor:
    """Mirror bins of x as pixels are: pixel x of W becomes W - 1 - x.

    Reversing bins is off by one less than there are bins in a pixel. The last ones
    have no partner and keep their value.
    """
    mirrored = logits.flip(-1)
    end = mirrored.shape[-1] - shift
    return torch.cat([mirrored[..., shift:], mirrored[..., end:]], dim=-1)
