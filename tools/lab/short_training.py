"""Short trainings of lifters on motion capture, and their errors, for studies."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmhot.cli.errors import OneLineParser, print_line
from mmhot.cli.report import align
from mmhot.errors import naming
from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing
from mmhot.weights.config_files import read_config_file

CONFIGS = Path(__file__).parents[2] / 'configs/body_3d_keypoint'
# Subjects that no study trains on, and one whose motions are in another's, too.
UNSEEN = ('S02', 'S118', 'S127')
_REPEATED = 'S85'


def read_config(
    name: str, work_dir: Path, seed: int, backbone: dict | None = None
) -> Config:
    """Read a config, to train it in this process.

    Args:
        name (str): Config in ``configs/body_3d_keypoint``.
        work_dir (Path): Folder of checkpoints and logs.
        seed (int): Seed of data and weights.
        backbone (dict, optional): Settings of the backbone to change.
    """
    config = read_config_file(str(CONFIGS / name))
    config.model.backbone.update(backbone or {})
    config.work_dir = str(work_dir)
    config.randomness = dict(seed=seed)
    config.log_level = 'WARNING'
    config.default_hooks.checkpoint.update(max_keep_ckpts=1)
    config.train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=100)
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
    return config


def use_subjects(
    dataset: dict,
    data: Path,
    num_frames: int,
    subjects: Sequence[str] | None = None,
    skipped: Sequence[str] = (),
) -> None:
    """Read windows of so many frames of these subjects, or of all but some."""
    dataset.data_root = str(data)
    dataset.seq_len = num_frames
    dataset.num_targets = min(dataset.num_targets, num_frames)
    dataset.ann_file = ['cmu_h36m17.npz', 'cmu_h36m17_more.npz']
    dataset.split_file = dataset.split = None
    dataset.subjects = subjects
    dataset.skip_subjects = [_REPEATED, *([] if subjects else skipped)]


def shorten(config: Config, steps: int, batch: int, epochs: int = 1) -> None:
    """Train for a number of steps, the first tenth of which warms up."""
    config.train_dataloader.batch_size = batch
    config.train_dataloader.sampler.num_samples = steps * batch // epochs
    config.train_cfg.max_epochs = epochs
    config.param_scheduler = [
        dict(
            type='LinearLR',
            start_factor=0.01,
            by_epoch=False,
            begin=0,
            end=max(steps // 10, 1),
        ),
        dict(
            type='CosineAnnealingLR',
            T_max=epochs,
            eta_min=1e-6,
            convert_to_iter_based=True,
        ),
    ]


def train(
    config: Config,
    evaluate: str,
    edit: Callable[[nn.Module], None] | None = None,
    table: str = 'subjects',
) -> dict:
    """Train and evaluate.

    Args:
        config (Config): What to train; without samples, what to evaluate.
        evaluate (str): 'val', or 'test' for a table of errors; the other is left out.
        edit (Callable, optional): Changes the backbone before the training.
        table (str): Rows of the table, see
            :meth:`mmhot.evaluation.error_report.ErrorReport.table`; 'groups' has a row
            of all joints, too.

    Returns:
        dict: Metrics, or ``errors`` by kind of 2D and row; and ``seconds`` of the
        processor in training.
    """
    unused = 'val' if evaluate == 'test' else 'test'
    for part in ('cfg', 'dataloader', 'evaluator'):
        config[f'{unused}_{part}'] = None
    if evaluate == 'test':
        config.test_evaluator.update(measures=['MPJPE', 'P-MPJPE'])
    trains = config.train_dataloader.sampler.num_samples > 0
    if not trains:
        # averages of weights are copied before these are loaded
        config.custom_hooks = []
    begin = time.process_time()
    runner = Runner.from_cfg(config)
    if edit is not None:
        edit(runner.model.backbone)
    if trains:
        runner.train()
    seconds = time.process_time() - begin
    measured = getattr(runner, evaluate)()
    measured = {name: round(float(value), 4) for name, value in measured.items()}
    if evaluate == 'test':
        (metric,) = runner.test_loop.evaluator.metrics
        measured = dict(errors={})
        for source in metric.report.datasets:
            rows = metric.report.table(source, table)
            if table == 'groups':
                rows = dict(all=metric.report.overall(source)) | rows
            measured['errors'][source] = {
                row: {name: round(value, 2) for name, value in errors.items()}
                for row, errors in rows.items()
            }
    return measured | dict(seconds=round(seconds))


def study_parser(description: str) -> tuple[OneLineParser, OneLineParser]:
    """Build the parser of a study, and that of its command ``run``, to be extended.

    Both commands, ``run`` and ``table``, take the .json of the measurements.
    """
    parser = OneLineParser(description=description)
    commands = parser.add_subparsers(dest='command', required=True)
    table = commands.add_parser('table', help='print the table of a file')
    run = commands.add_parser('run', help='measure and extend the file')
    for command in (table, run):
        command.add_argument('results', type=Path, help='.json of measurements')
    return parser, run


class StudyFile:
    """Document of a study, written after each run.

    Args:
        path (Path): The .json, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.document = load_json(path) if path.exists() else dict(runs=[])

    @property
    def runs(self) -> list[dict]:
        """The runs so far."""
        return self.document['runs']

    def has(self, key: dict) -> bool:
        """Return whether a run has these values."""
        return any(key.items() <= run.items() for run in self.runs)

    def add(self, run: dict) -> None:
        """Append, save and print a run."""
        self.runs.append(run)
        self.save()
        print_line(json.dumps(run))

    def save(self) -> None:
        """Write the document."""
        write_json(self.path, self.document)


def read_runs(path: Path, key: str) -> list[dict]:
    """Read the runs of a study's file; raise ValueError if one of them has no key."""
    with naming(path):
        document = load_json(path)
        runs = document.get('runs') if isinstance(document, dict) else None
        if not runs or any(key not in run for run in runs):
            raise ValueError(f'is no file of this study: it has no runs by {key!r}')
    return runs


def print_tables(
    results: Path,
    group: str,
    title: str,
    summarize: Callable[[Sequence[dict], str], list[tuple[str, ...]]],
    left: int,
) -> None:
    """Print a table for each group of runs in a file and each kind of 2D.

    Args:
        results (Path): The .json of the measurements.
        group (str): Key of a run that names its group.
        title (str): What the numbers are.
        summarize (Callable): Returns the lines of a table for some runs and a kind of
            2D.
        left (int): Columns that are aligned to the left.
    """
    runs = read_runs(results, group)
    for name in dict.fromkeys(run[group] for run in runs):
        own = [run for run in runs if run[group] == name]
        for source in own[0]['errors']:
            print_line(f'{name}, 2D: {source}; {title}')
            print_line(align(summarize(own, source), left=left))


def write_json(path: Path, document: dict) -> None:
    """Write results, and create their folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + '\n')
