"""Models, losses and their parts; importing this package registers them."""

from mmhot.models import gtpt, lifters, tokens  # noqa: F401 registers
