"""Foot contacts: ankles that stand, measured in 3D or predicted from 2D keypoints."""

from functools import cache

import numpy as np
import torch
from scipy.ndimage import binary_closing, binary_opening, minimum_filter1d
from torch import Tensor, nn
from torch.nn import functional as F

from mmhot.skeletons.joints import get_skeleton
from mmhot.weights.index import WEIGHTS_FOLDER

FPS = 50.0
"""Frames per second of :class:`ContactNet`."""
ANKLES = get_skeleton('h36m-17').indices(['right_foot', 'left_foot'])
_NUM_JOINTS = get_skeleton('h36m-17').num_keypoints

# A standing ankle is slower, m/s, and at most this much above the lowest one around.
_SPEED, _HEIGHT = 0.25, 0.08
# Seconds: of a speed, around a frame for the lowest ankle, and of a contact or a gap.
_STEP, _AROUND, _SHORTEST = 0.08, 1.0, 0.1
_WEIGHTS = WEIGHTS_FOLDER / 'foot-contacts_cmu.npz'


def find_contacts(ankles: np.ndarray, fps: float) -> np.ndarray:
    """Find standing ankles by speed and height.

    Args:
        ankles (np.ndarray): Positions, meters, z up, (T, 2, 3).
        fps (float): Frames per second.

    Returns:
        np.ndarray: Whether each ankle stands, (T, 2) bool.
    """
    half = max(round(_STEP * fps / 2), 1)
    padded = np.pad(ankles, ((half, half), (0, 0), (0, 0)), mode='edge')
    steps = np.full(len(ankles), 2.0 * half)
    index = np.arange(len(ankles))
    steps -= (half - index).clip(0) + (half - index[::-1]).clip(0)
    moved = np.linalg.norm(padded[2 * half :] - padded[: -2 * half], axis=-1)
    slow = moved * fps < _SPEED * steps.clip(1)[:, None]
    size = 2 * round(_AROUND * fps) + 1
    floor = minimum_filter1d(ankles[..., 2].min(1), size, mode='nearest')
    stands = slow & (ankles[..., 2] < floor[:, None] + _HEIGHT)
    run = np.ones((max(round(_SHORTEST * fps), 1), 1), bool)
    # padded, as SciPy takes frames beyond the ends for gaps
    wide = np.pad(stands, ((len(run), len(run)), (0, 0)), mode='edge')
    return binary_opening(binary_closing(wide, run), run)[len(run) : -len(run)]


class ContactNet(nn.Module):
    """Predict standing ankles from 2D keypoints of a static camera.

    Residual dilated convolutions over time on keypoints around the root, and on
    velocities of all keypoints, relative to the size of the person in the image.

    Args:
        channels (int): Channels of the layers. Defaults to 96.
        dilations (tuple[int]): Of the layers. Defaults to (1, 2, 4, 8, 16).
    """

    def __init__(
        self, channels: int = 96, dilations: tuple[int, ...] = (1, 2, 4, 8, 16)
    ) -> None:
        super().__init__()
        self.embed = nn.Conv1d(5 * _NUM_JOINTS, channels, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation)
            for dilation in dilations
        )
        self.head = nn.Conv1d(channels, len(ANKLES), 1)

    def forward(self, keypoints: Tensor, scores: Tensor) -> Tensor:
        """Return logits of the right and left ankle, (B, T, 2).

        Args:
            keypoints (Tensor): Human3.6M's joints in pixels, 50 per second,
                (B, T, 17, 2).
            scores (Tensor): Confidences, (B, T, 17).
        """
        x = self.embed(_features(keypoints, scores).transpose(1, 2))
        for layer in self.layers:
            x = x + layer(F.gelu(x))
        return self.head(F.gelu(x)).transpose(1, 2)


def _features(keypoints: Tensor, scores: Tensor) -> Tensor:
    """Return positions, velocities and scores, (B, T, 5 * 17)."""
    size = keypoints.var(2, unbiased=False).sum(-1)  # (B, T)
    # over a second, so that neither poses nor noise change it
    size = F.avg_pool1d(F.pad(size[:, None], (25, 25), mode='replicate'), 51, stride=1)[
        :, 0
    ]
    size = size.sqrt().clamp(min=1e-3)[..., None, None]
    placed = (keypoints - keypoints[:, :, :1]) / size
    velocity = F.pad(keypoints.diff(dim=1), (0, 0, 0, 0, 0, 1)) / size
    return torch.cat(
        [placed.flatten(2), (velocity * 20).clamp(-5, 5).flatten(2), scores], -1
    )


@cache
def load_contact_net() -> ContactNet:
    """Load the shipped model."""
    net = ContactNet()
    with np.load(_WEIGHTS, allow_pickle=False) as arrays:
        state = {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}
    net.load_state_dict(state)
    return net.eval()


@torch.inference_mode()
def predict_contacts(
    keypoints: np.ndarray, scores: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Predict the probability that each ankle of one person stands.

    Args:
        keypoints (np.ndarray): Human3.6M's joints in pixels, consecutive frames,
            (T, 17, 2).
        scores (np.ndarray): Confidences, (T, 17).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: Of the right and left ankle, (T, 2).
    """
    count = int(round((seconds[-1] - seconds[0]) * FPS, 6)) + 1
    times = seconds[0] + np.arange(count) / FPS
    inputs = np.concatenate([keypoints, scores[..., None]], -1).reshape(len(scores), -1)
    known = np.where(np.isfinite(inputs), inputs, 0)
    even = np.stack([np.interp(times, seconds, column) for column in known.T], -1)
    even = torch.from_numpy(even.reshape(1, count, _NUM_JOINTS, 3)).float()
    logits = load_contact_net()(even[..., :2], even[..., 2])[0]
    probability = logits.sigmoid().numpy()
    return np.stack([np.interp(seconds, times, column) for column in probability.T], -1)
