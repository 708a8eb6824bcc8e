"""Initialization of a GTPT with weights for another image size or skeleton."""

from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.functional import interpolate

_DENSE = 'coarse_to_fine.dense_tokens'
_QUERIES = 'coarse_encoder.query_tokens'
# Parameters whose shape follows from the number of keypoints or of groups.
_OF_SKELETON = (_QUERIES, 'coarse_to_fine.gate.2.weight', 'coarse_to_fine.gate.2.bias')


def fit_weights(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Fit the weights of a similar head, as a hook before they are loaded.

    Bins of x and y are interpolated where their number differs, so that training can
    continue with larger images. A head with dense keypoints accepts the weights of
    one without: its new tokens keep their initial values. A head without leaves out
    the tokens of the other's parts. Tokens and gates of other keypoints keep their
    initial values. PyTorch refuses other differences.

    Args:
        head (GTPTHead): The head whose weights are loaded.
        state_dict (dict[str, Tensor]): All weights; changed in place.
        prefix (str): Prefix of the head's keys.
    """
    for axis in 'xy':
        for kind in ('weight', 'bias'):
            _fit_bins(head, state_dict, prefix, f'classify_{axis}.1.{kind}')
    _fit_queries(head, state_dict, prefix, _QUERIES)
    for name in _OF_SKELETON:
        _keep_initial(head, state_dict, prefix, name)


def _fit_bins(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, name: str
) -> None:
    """Interpolate over bins; weights (bins, C) or biases (bins,)."""
    wanted, given = head.get_parameter(name), state_dict.get(prefix + name)
    if given is None or given.shape == wanted.shape:
        return
    if given.ndim != wanted.ndim or given.shape[1:] != wanted.shape[1:]:
        return
    bins = given.reshape(len(given), -1).T[None].float()
    bins = interpolate(bins, len(wanted), mode='linear')[0].T
    state_dict[prefix + name] = bins.reshape(wanted.shape).to(given.dtype)
    _log(f'{prefix}{name}: {len(given)} bins interpolated to {len(wanted)}')


def _fit_queries(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, name: str
) -> None:
    """Add or remove the tokens of parts, which precede those of the keypoints."""
    wanted, given = head.get_parameter(name), state_dict.get(prefix + name)
    if given is None or given.shape[1:] != wanted.shape[1:]:
        return
    num_sparse, num_parts = head.groups.num_sparse, head.groups.num_parts
    if num_parts == 0 and f'{prefix}{_DENSE}' in state_dict:
        state_dict[prefix + name] = given[-num_sparse:]
        del state_dict[f'{prefix}{_DENSE}']
        _log(f'{prefix}{name}: {len(given) - num_sparse} tokens of parts left out')
        return
    if num_parts == 0 or len(given) != num_sparse:
        return
    tokens = wanted.detach().clone().to(given)
    tokens[num_parts:] = given
    state_dict[prefix + name] = tokens
    _log(f'{prefix}{name}: {num_parts} new tokens')


def _keep_initial(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, name: str
) -> None:
    """Replace a tensor of another shape by the head's own."""
    wanted, given = (
        dict(head.named_parameters()).get(name),
        state_dict.get(prefix + name),
    )
    if wanted is None or given is None or given.shape == wanted.shape:
        return
    if given.shape[1:] == wanted.shape[1:]:
        state_dict[prefix + name] = wanted.detach().clone()
        _log(f'{prefix}{name}: initial values, the keypoints are others')


def _log(text: str) -> None:
    print_log(f'weights fitted: {text}', 'current')
