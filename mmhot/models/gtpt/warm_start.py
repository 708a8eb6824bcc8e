"""Weights of a GTPT for another one: other picture sizes, more keypoints."""

from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.functional import interpolate

_DENSE = 'coarse_to_fine.dense_tokens'


def fit_weights(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Make weights of a similar head fit, as a hook before they are loaded.

    Bins of x and y are interpolated where their number differs, so that training can
    go on with larger pictures. A head with dense keypoints takes over one without:
    the tokens that are new keep their initial values; one without leaves out those of
    the other's parts. What else does not fit is left for PyTorch to refuse.

    Args:
        head (GTPTHead): The head that is to get them.
        state_dict (dict[str, Tensor]): All weights; changed in place.
        prefix (str): What the head's names begin with.
    """
    for axis in 'xy':
        for kind in ('weight', 'bias'):
            _fit_bins(head, state_dict, prefix, f'classify_{axis}.1.{kind}')
    _fit_queries(head, state_dict, prefix, 'coarse_encoder.query_tokens')


def _fit_bins(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, name: str
) -> None:
    """Interpolate rows, one a bin; weights (bins, C) or biases (bins,)."""
    wanted, given = head.get_parameter(name), state_dict.get(prefix + name)
    if given is None or given.shape == wanted.shape:
        return
    if given.ndim != wanted.ndim or given.shape[1:] != wanted.shape[1:]:
        return
    rows = given.reshape(len(given), -1).T[None].float()
    rows = interpolate(rows, len(wanted), mode='linear')[0].T
    state_dict[prefix + name] = rows.reshape(wanted.shape).to(given.dtype)
    _tell(f'{prefix}{name}: {len(given)} bins interpolated to {len(wanted)}')


def _fit_queries(
    head: nn.Module, state_dict: dict[str, Tensor], prefix: str, name: str
) -> None:
    """Put the tokens of new parts before those of the keypoints, as the head does."""
    wanted, given = head.get_parameter(name), state_dict.get(prefix + name)
    if given is None or given.shape[1:] != wanted.shape[1:]:
        return
    num_sparse, num_parts = head.groups.num_sparse, head.groups.num_parts
    if num_parts == 0 and f'{prefix}{_DENSE}' in state_dict:
        state_dict[prefix + name] = given[-num_sparse:]
        del state_dict[f'{prefix}{_DENSE}']
        _tell(f'{prefix}{name}: {len(given) - num_sparse} tokens of parts left out')
        return
    if num_parts == 0 or len(given) != num_sparse:
        return
    tokens = wanted.detach().clone().to(given)
    tokens[num_parts:] = given
    state_dict[prefix + name] = tokens
    _tell(f'{prefix}{name}: {num_parts} new tokens')


def _tell(text: str) -> None:
    print_log(f'weights made to fit: {text}', 'current')
