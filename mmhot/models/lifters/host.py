"""Host: base class of backbones that can prune frames between their layers.

A host from outside the package subclasses :class:`Host`. Then every pruner, recoverer,
:class:`~mmhot.models.lifters.estimator.SequencePoseLifter` and
:class:`~mmhot.chain.lifting.lifter.Lifter` work with it.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.blocks import check_windows
from mmhot.models.tokens.hourglass import Hourglass, resample_slots
from mmhot.models.tokens.pruners import Keep, Pruner
from mmhot.models.tokens.recoverers import InterpolationRecoverer, TokenRecoverer


class PrunedFeatures(NamedTuple):
    """Output of a backbone with a pruner."""

    feats: Tensor  # features of all frames, or of the kept ones, (B, T', K, C)
    kept_by_pruner: tuple[Tensor, ...]  # sorted frames that each pruner keeps, (B, t)
    num_frames: int  # frames T of the input
    frames: Tensor | None  # indices of frames with final poses, (B, t); None if all
    # Recoverer of the poses of all frames, which runs after the head. None if tokens
    # were recovered before it, or frames are dropped.
    recoverer: InterpolationRecoverer | None

    @property
    def kept(self) -> Tensor:
        """Indices of the frames that passed through all layers, (B, t)."""
        return self.kept_by_pruner[-1]

    def recover(self, poses: Tensor) -> Tensor:
        """Recover the poses of all frames if a recoverer is left to run.

        Args:
            poses (Tensor): Poses that the head regressed, (B, T', K, 3).

        Returns:
            Tensor: Poses of all frames, (B, T, K, 3), or the same poses.
        """
        if self.recoverer is None:
            return poses
        return self.recoverer(poses, self.kept, self.num_frames)

    def chunk(self, count: int) -> list['PrunedFeatures']:
        """Split the batch into equal parts.

        ``frames`` is not split, so it must be None: no frame is dropped.
        """
        kept = zip(*(index.chunk(count) for index in self.kept_by_pruner), strict=True)
        return [
            self._replace(feats=feats, kept_by_pruner=part)
            for feats, part in zip(self.feats.chunk(count), kept, strict=True)
        ]


class Host(BaseModule):
    """Base class of backbones that can prune frames between their layers.

    A subclass first calls this constructor, which builds ``self.hourglass``. Then it
    builds its own modules, and implements :meth:`tokenize`. It also implements
    :meth:`get_layers`, unless ``self.layers`` are its layers.

    Subclasses document only their own arguments, and arguments with another meaning;
    ``**host`` are further arguments of this class. Two arguments have the same meaning
    in all subclasses: ``drop_rate`` is the dropout rate after attention and in MLPs,
    ``drop_path_rate`` the stochastic depth rate of the last layer. The rates of the
    layers rise to it linearly from 0.

    Args:
        num_frames (int): Frames ``T`` of a window.
        num_keypoints (int): Keypoints ``K``.
        in_channels (int): Channels of an input keypoint: 2 for its coordinates, 3 for
            its score, too.
        num_layers (int): Number of layers; ``depth`` of most hosts.
        embed_dims (int): Channels ``C`` of the tokens; a multiple of ``num_heads``.
        tokens_per_frame (int, optional): Tokens of a frame. Defaults to ``K``.
        pruner (dict | Pruner | list, optional): Pruners or their configs, from shallow
            to deep, see :mod:`mmhot.models.tokens.pruners`. A single config with lists
            as ``num_keep`` and ``depth`` is a pyramid of pruners of one type.
        recoverer (dict | Module, optional): Recoverer of tokens or poses, or config,
            see :mod:`mmhot.models.tokens.recoverers`.
        num_heads (int): Heads of the attention, in layers and recoverer.
        qkv_bias (bool): Whether queries, keys and values of both have a bias.

    Attributes:
        num_keep_frames (int): Number of frames that always have a pose.
        values_per_frame (int): Values that represent a frame between layers.
        fixed_lengths (bool): Whether layers accept only the number of frames that
            they were built for, see ``hourglass.lengths``.
        takes_fewer_frames (bool): Whether windows may be shorter than ``T``.
    """

    fixed_lengths = False
    takes_fewer_frames = False

    def __init__(
        self,
        num_frames: int,
        num_keypoints: int,
        in_channels: int,
        num_layers: int,
        embed_dims: int,
        tokens_per_frame: int | None = None,
        pruner: dict | Pruner | Sequence[dict | Pruner] | None = None,
        recoverer: dict | nn.Module | None = None,
        num_heads: int = 8,
        qkv_bias: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_frames = num_frames
        self.num_keypoints = num_keypoints
        self.in_channels = in_channels
        if recoverer is not None and not pruner:
            raise ValueError('backbone.recoverer needs a pruner: set backbone.pruner')
        sizes = dict(num_frames=num_frames, embed_dims=embed_dims)
        sizes.update(num_heads=num_heads, qkv_bias=qkv_bias)
        self.hourglass = Hourglass(
            num_frames,
            num_layers,
            _build_pruners(pruner),
            _build_recoverer(recoverer, sizes),
            self.fixed_lengths,
        )
        self.hourglass.register_load_state_dict_pre_hook(_fit_slots)
        self.num_keep_frames = self.hourglass.num_outputs
        self.values_per_frame = (tokens_per_frame or num_keypoints) * embed_dims

    def forward(self, x: Tensor) -> Tensor:
        """Map 2D poses (B, T, K, in_channels) to all frames' features, (B, T, ..., C).

        MMPose's ``PoseLifter`` calls this method. Our ``SequencePoseLifter`` calls
        :meth:`encode` instead, as its head can also recover poses.

        Raises:
            ValueError: If frames are pruned and their tokens not recovered.
        """
        if self.hourglass.pruners and not self.hourglass.recovers_tokens:
            raise ValueError(
                f'{type(self).__name__} prunes frames and does not recover their '
                'tokens: set backbone.recoverer to a recoverer of tokens, such as '
                'AttentionRecoverer, or use SequencePoseLifter with PoseLiftingHead'
            )
        feats = self.encode(x)
        return feats.feats if isinstance(feats, PrunedFeatures) else feats

    def encode(
        self, x: Tensor, kept: Sequence[Tensor] | None = None, keep: Keep | None = None
    ) -> Tensor | PrunedFeatures:
        """Map 2D poses to features, with the frames that were kept.

        Args:
            x (Tensor): Normalized 2D poses, (B, T, K, in_channels).
            kept (Sequence[Tensor], optional): See :meth:`Hourglass.forward`.
            keep (int or Sequence[int], optional): See :meth:`Hourglass.forward`.

        Returns:
            Tensor | PrunedFeatures: Features of all frames, (B, T, ..., C). With a
            pruner, the features of the frames that are left or recovered, and the
            indices of the kept frames.

        Raises:
            ValueError: If the shape of ``x`` or the number of kept frames does not fit.
        """
        frames = self.num_frames
        if self.takes_fewer_frames:
            frames = min(frames, x.shape[1])
        check_windows(self, x, frames, self.num_keypoints, self.in_channels)
        tokens, kept_by_pruner = self.hourglass(
            self.tokenize(x), self.get_layers(), self.frame_features, x, kept, keep
        )
        tokens = self.before_recovery(tokens)
        if not kept_by_pruner:
            return self.after_recovery(tokens)
        recoverer = self.hourglass.recoverer
        kept_frames = kept_by_pruner[-1]
        if self.hourglass.recovers_tokens:
            tokens = recoverer(tokens, kept_frames, x.shape[1])
        return PrunedFeatures(
            self.after_recovery(tokens),
            kept_by_pruner,
            x.shape[1],
            frames=kept_frames if recoverer is None else None,
            recoverer=None if self.hourglass.recovers_tokens else recoverer,
        )

    @abstractmethod
    def tokenize(self, x: Tensor) -> Tensor:
        """Embed 2D poses (B, T, K, in_channels) as tokens (B, T, ..., C)."""

    def get_layers(self) -> Sequence[Callable[[Tensor], Tensor]]:
        """Return ``num_layers`` layers, each from (B, t, ..., C) to the same shape.

        A pruner that reads attention needs a method ``watch`` of the layer before it.
        ``watch`` maps x to the layer's output and the temporal attention that each
        frame receives, (B, t).
        """
        return self.layers

    def frame_features(self, x: Tensor) -> Tensor:
        """Map tokens (B, t, K, C) to features of frames, (B, t, F), by their mean."""
        return x.mean(2)

    def before_recovery(self, x: Tensor) -> Tensor:
        """Map tokens after the last layer, (B, t, ..., C), before recovery."""
        return x

    def after_recovery(self, x: Tensor) -> Tensor:
        """Map tokens (B, T, ..., C) after recovery, for example by a last norm."""
        return x


def _build_pruners(pruner: Any) -> list[Pruner]:
    """Build the pruners of a config, a list of configs, or None; see :class:`Host`."""
    if isinstance(pruner, dict):
        pruner = _split_pyramid(pruner)
    elif isinstance(pruner, Pruner):
        pruner = [pruner]
    return [MODELS.build(x) if isinstance(x, dict) else x for x in pruner or ()]


def _split_pyramid(pruner: dict) -> list[dict]:
    """Split the config of a pyramid, with lists of counts and depths, into pruners."""
    counts = pruner.get('num_keep')
    depths = pruner.get('depth')
    if not isinstance(counts, Sequence) or not isinstance(depths, Sequence):
        return [pruner]
    if len(counts) != len(depths):
        raise ValueError(
            f'num_keep and depth of a pyramid must be lists of the same length, got '
            f'{counts} and {depths}'
        )
    return [
        {**pruner, 'num_keep': count, 'depth': depth}
        for count, depth in zip(counts, depths, strict=True)
    ]


def _build_recoverer(recoverer: Any, sizes: dict[str, int]) -> Any:
    """Build a recoverer; a recoverer of tokens also needs the sizes of the host."""
    if not isinstance(recoverer, dict):
        return recoverer
    kind = recoverer.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if isinstance(found, type) and issubclass(found, TokenRecoverer):
        return MODELS.build({**sizes, **recoverer})
    if isinstance(found, type) and issubclass(found, InterpolationRecoverer):
        return MODELS.build(recoverer)
    raise ValueError(
        'recoverer needs a type, AttentionRecoverer, InterpolationRecoverer or another '
        f'subclass of TokenRecoverer or of the latter, got {kind!r}'
    )


def _fit_slots(
    hourglass: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Resample weights (t, C) that were trained with other numbers of kept frames."""
    for place, table in enumerate(hourglass.slot_embeddings):
        key = f'{prefix}slot_embeddings.{place}'
        saved = state_dict.get(key)
        if saved is None or saved.shape[1:] != table.shape[1:]:
            continue
        if len(saved) != len(table):
            print_log(
                f'{key}: {len(saved)} slots resampled to the {len(table)} kept frames',
                'current',
            )
            state_dict[key] = resample_slots(saved, len(table))
