"""Host: base class of backbones that can prune frames between their layers.

A host from outside the package subclasses :class:`Host`. Then every pruner, recoverer,
:class:`~mmhot.models.lifters.estimator.SequencePoseLifter` and
:class:`~mmhot.chain.lifting.lifter.Lifter` work with it.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmhot.models.layers.blocks import check_windows
from mmhot.models.tokens.hourglass import Hourglass, Keep
from mmhot.models.tokens.recoverers import PrunedFeatures


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
        pruner (dict or list[dict], optional): Configs of pruners, see
            :mod:`mmhot.models.tokens.pruners`.
        recoverer (dict, optional): Config of a recoverer, see
            :mod:`mmhot.models.tokens.recoverers`.
        num_heads (int): Heads of the attention, in layers and recoverer.
        qkv_bias (bool): Whether queries, keys and values of both have a bias.

    Attributes:
        num_keep_frames (int): Number of frames that always have a pose.
        values_per_frame (int): Values that represent a frame between layers.
        first_depth (int): Least ``depth`` of a pruner, counted in layers from 0.
        fixed_lengths (bool): Whether layers accept only the number of frames that
            they were built for, see ``hourglass.lengths``.
        takes_fewer_frames (bool): Whether windows may be shorter than ``T``.
    """

    first_depth = 0
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
        pruner: dict | Sequence[dict] | None = None,
        recoverer: dict | None = None,
        num_heads: int = 8,
        qkv_bias: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_frames = num_frames
        self.num_keypoints = num_keypoints
        self.in_channels = in_channels
        self.hourglass = Hourglass(
            num_frames,
            num_layers,
            embed_dims,
            pruner,
            recoverer,
            num_heads,
            qkv_bias,
            self.first_depth,
            self.fixed_lengths,
        )
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
        feats = self.hourglass.recover(tokens, kept_by_pruner, x.shape[1])
        if isinstance(feats, PrunedFeatures):
            return feats._replace(feats=self.after_recovery(feats.feats))
        return self.after_recovery(feats)

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
