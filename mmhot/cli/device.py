"""Which device the models run on."""


def choose_device(name: str | None = None) -> str:
    """Check the device a user named, or choose one.

    Args:
        name (str, optional): ``cpu``, ``cuda`` or ``cuda:N``. By default the GPU if
            there is one.

    Returns:
        str: A device PyTorch can use here.

    Raises:
        ValueError: If there is no such device.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name is None:
        return 'cuda' if gpus else 'cpu'
    known = ['cpu', *(['cuda'] if gpus else []), *(f'cuda:{n}' for n in range(gpus))]
    if name not in known:
        raise ValueError(
            f'--device: there is no device {name!r} here, only {", ".join(known)}'
        )
    return name
