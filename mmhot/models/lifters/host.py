"""What lifters share: input checks and frame features for pruning."""

from torch import Tensor


def mean_keypoint(x: Tensor) -> Tensor:
    """Describe each frame of ``(B, T, K, C)`` by its mean keypoint, (B, T, C)."""
    return x.mean(2)


def check_windows(
    x: Tensor,
    model: str,
    num_frames: int,
    num_keypoints: int,
    in_channels: int,
    shorter: bool = False,
) -> None:
    """Refuse what is not (B, T, K, C) of at least one window, with a message.

    Args:
        x (Tensor): Windows of poses.
        model (str): Name of the model, for the error.
        num_frames (int): Frames ``T``.
        num_keypoints (int): Keypoints ``K``.
        in_channels (int): Channels ``C``.
        shorter (bool): Whether fewer frames will do. Defaults to False.

    Raises:
        ValueError: If the shape is another.
    """
    fits = x.ndim == 4 and x.shape[2:] == (num_keypoints, in_channels)
    fits = fits and x.shape[0] > 0
    if fits and (x.shape[1] == num_frames or (shorter and x.shape[1] < num_frames)):
        return
    frames = f'up to {num_frames}' if shorter else num_frames
    raise ValueError(
        f'{model} wants (B, {frames}, {num_keypoints}, {in_channels}) poses, got '
        f'{tuple(x.shape)}'
    )
