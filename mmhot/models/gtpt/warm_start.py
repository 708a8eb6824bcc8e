"""Initialization of a GTPT with weights for another image size or skeleton."""

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmhot.models.gtpt.groups import KeypointGroups

_BINS = 'classify_x.1.', 'classify_y.1.'
_DENSE = 'coarse_to_fine.dense_tokens'
_QUERIES = 'coarse_encoder.query_tokens'
_GATES = 'coarse_to_fine.gate.2.weight', 'coarse_to_fine.gate.2.bias'


def fit_weights(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Fit the saved weights of a similar ``GTPTHead`` to a head, before it loads them.

    * Bins of x and y are interpolated where their number differs, so that training can
      continue with larger images.
    * A head with dense keypoints accepts weights without: its new tokens keep their
      initial values. A head without dense keypoints leaves out the tokens of parts.
    * With other keypoints, tokens and gates start as copies of the saved ones, in turn.
      If all started as one copy, it would take about 100 steps to tell them apart.

    PyTorch refuses other differences.

    Args:
        head (nn.Module): The head; this function is its hook before loading.
        state_dict (dict[str, Tensor]): Saved weights (...), changed in place.
        prefix (str): Prefix of the names of the head's weights.
    """
    groups = head.groups
    has_parts = groups.num_parts > 0
    drops_parts = not has_parts and state_dict.pop(prefix + _DENSE, None) is not None
    for name, parameter in head.named_parameters():
        key = prefix + name
        saved = state_dict.get(key)
        if saved is None or len(saved) == len(parameter):
            continue
        if saved.shape[1:] != parameter.shape[1:]:
            continue
        fitted = _fit(name, parameter, saved, groups, drops_parts)
        if fitted is not None:
            state_dict[key], change = fitted
            print_log(f'{key}: fitted to this model: {change}', 'current')


def _fit(
    name: str,
    parameter: Tensor,
    saved: Tensor,
    groups: KeypointGroups,
    drops_parts: bool,
) -> tuple[Tensor, str] | None:
    """Fit saved weights (N', ...) to a parameter (N, ...), and describe the change.

    None if the parameter does not depend on image size or keypoints.
    """
    length = len(parameter)
    count = len(saved)
    num_sparse = groups.num_sparse
    if name.startswith(_BINS):
        bins = saved.reshape(count, -1).T[None].float()
        bins = interpolate(bins, length, mode='linear')[0].T
        bins = bins.reshape(parameter.shape).to(saved.dtype)
        return bins, f'{count} bins interpolated to {length}'
    if name == _QUERIES and drops_parts and count > num_sparse:
        return saved[-num_sparse:], f'{count - num_sparse} tokens of parts left out'
    if name == _QUERIES and count == num_sparse:
        new = parameter[: groups.num_parts].detach().to(saved)
        return torch.cat([new, saved]), f'{groups.num_parts} new tokens'
    if name in (_QUERIES, *_GATES):
        rows = torch.arange(length) % count
        return saved[rows], f'{count} rows copied in turn, as the keypoints differ'
    return None
