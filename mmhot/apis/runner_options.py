"""Options of streams and of Ray: defaults, help texts and checks."""

from dataclasses import dataclass

from mmhot.apis.option_fields import Options, option


@dataclass(frozen=True, kw_only=True)
class LiveOptions(Options):
    """Options of ``mmhot infer --live``."""

    lookahead: int | None = option(
        None,
        'frames by which poses are delayed: more is more accurate (default: 4)',
        metavar='FRAMES',
    )
    duration: float | None = option(
        None, 'stop after (default: never)', low=0, unit='seconds', metavar='SECONDS'
    )
    reconnect: float = option(
        60.0,
        'how long to try to connect to a lost stream again',
        low=0,
        unit='seconds',
        metavar='SECONDS',
    )
    live_format: str = option(
        'jsonl',
        'what is printed: the lines of the file, or none',
        choices=('jsonl', 'none'),
    )
    show: bool = option(False, 'show video and poses in a window')


@dataclass(frozen=True, kw_only=True)
class RayOptions(Options):
    """Options of ``mmhot infer --runner ray``."""

    address: str | None = option(
        None,
        'running Ray cluster, or auto (default: start one on this machine)',
        metavar='HOST:PORT',
    )
    num_workers: int | None = option(
        None,
        'inputs processed at once (default: as CPUs and GPUs allow)',
        low=1,
        metavar='N',
    )
    cpus_per_worker: float = option(
        1.0, 'CPU cores of each worker', low=0, exclusive=True, metavar='N'
    )
    gpus_per_worker: float | None = option(
        None,
        'GPUs of each worker, 0.5 for two on one (default: 1 where there are any)',
        low=0,
        metavar='N',
    )
    retries: int = option(
        2, 'further attempts at an input that failed', low=0, metavar='N'
    )
