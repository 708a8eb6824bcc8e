"""Option dataclasses: one conversion and check for Python and the command line."""

import shlex
from contextlib import suppress
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import torch

import mmhot
from mmhot.chain.calls import INFER_COMMAND, LIFT, REFINE, STREAM_COMMAND
from mmhot.chain.keypoints.confidence import DropUncertain
from mmhot.chain.keypoints.lens import SetLens
from mmhot.chain.keypoints.people import ChoosePeople
from mmhot.chain.lifting.lift import Lift
from mmhot.chain.options import (
    BatchOptions,
    ExportOptions,
    OutputOptions,
    RateOption,
)
from mmhot.cli.dispatch import build_parser
from mmhot.cli.errors import OneLineParser
from mmhot.cli.export import OnnxOptions
from mmhot.cli.options import add_options, read_values
from mmhot.cli.ui import PageOptions
from mmhot.errors import ArgumentError
from mmhot.options import Option, Values, options_of

ALL = {
    *(*INFER_COMMAND.kinds, *LIFT.kinds, *REFINE.kinds, *STREAM_COMMAND.kinds),
    *(BatchOptions, OnnxOptions, PageOptions),
}
ALL = sorted((kind for kind in ALL if options_of(kind)), key=lambda kind: kind.__name__)


def test_text_is_converted_and_none_is_the_default():
    values = dict(fov='60', image_size='1280x720', keep='13,5', speed=None)
    chosen = Values(values, LIFT.kinds)
    assert chosen.of(SetLens).fov == 60
    assert (chosen.of(Lift).keep, chosen.of(Lift).speed) == ([13, 5], 'default')
    exported = ExportOptions.read({'formats': 'npz, bvh,npz'})
    assert exported.formats == ('npz', 'bvh')
    assert chosen.stated.keys() == {'fov', 'image_size', 'keep'}


STRANGE = True, np.True_, 'no', b'x', 1j, {}, object(), 10**400, np.array([1, 2])


@pytest.mark.parametrize('options', ALL)
def test_no_field_makes_a_number_or_bool_of_another_value(options):
    declared = options_of(options)
    required = {k: 'x' for k, option in declared.items() if option.default is MISSING}
    for name in declared:
        for value in STRANGE:
            with suppress(ValueError, TypeError, OSError):
                result = getattr(options.read(required | {name: value}), name)
                is_bool = isinstance(value, bool | np.bool_)
                assert isinstance(result, bool) <= is_bool, name
                is_number = isinstance(result, int | float)
                assert is_number <= (is_bool == isinstance(result, bool)), name


def test_options_of_the_command_line_are_those_of_python():
    parser = OneLineParser()
    add_options(parser, OutputOptions, *LIFT.kinds)
    words = shlex.split(
        '--out-dir out --fov 60 --speed fast --formats npz,bvh --keep 9'
    )
    values = read_values(parser.parse_args(words))
    assert values.of(OutputOptions) == OutputOptions(
        out_dir=Path('out'), formats=('npz', 'bvh')
    )
    assert values.of(Lift) == Lift(speed='fast', keep=9)
    assert values.of(SetLens) == SetLens(fov=60)


def test_sections_of_the_help_need_no_stored_annotations(monkeypatch):
    """Classes of Python 3.14 store a function instead (PEP 649)."""
    helps = [x.format_help() for x in build_parser()[1].values()]
    assert '\nruntime:\n' in helps[0]
    for kind in {part for options in ALL for part in options.__mro__}:
        monkeypatch.delattr(kind, '__annotations__', raising=False)
    assert helps == [x.format_help() for x in build_parser()[1].values()]


def test_an_option_of_a_step_is_one_field():
    """It is a flag, an argument and a row of help without a line elsewhere."""

    @dataclass(frozen=True, kw_only=True)
    class Limited(DropUncertain):
        max_speed: Annotated[float, 'fastest motion', Option(low=1, metavar='M/S')] = (
            9.0
        )

    kinds = tuple(Limited if kind is DropUncertain else kind for kind in LIFT.kinds)
    parser = OneLineParser()
    add_options(parser, *kinds)
    args = parser.parse_args(['--max-speed', '3', '--kpt-thr', '0.5'])
    limited = read_values(args).of(Limited)
    assert (limited.max_speed, limited.kpt_thr) == (3, 0.5)
    assert limited.option_values() == {'kpt_thr': 0.5, 'max_speed': 3}


def test_unknown_arguments_get_the_nearest_name():
    with pytest.raises(TypeError, match=r"'pose2D' \(did you mean pose2d\?\)"):
        mmhot.infer('a.mp4', pose2D='gtpt-t')


@pytest.mark.parametrize('convert', [np.float32, np.float64, np.array, torch.tensor])
def test_numbers_of_arrays_are_numbers(convert):
    values = dict(height=convert(1.5), fps=convert(25.0), fov=convert(60.0))
    assert ExportOptions.read(values).height == (1.5,)
    assert RateOption.read(values).fps == 25
    assert SetLens.read(values).fov == 60
    values = dict(height=np.array([1.5, 1.25]), keep=np.array([9, 3]))
    assert ExportOptions.read(values).height == (1.5, 1.25)
    assert Lift.read(values).keep == [9, 3]
    assert Lift.read({'keep': np.uint8(9)}).keep == 9
    assert ChoosePeople.read({'people': np.int64(2)}).people == (2,)


@pytest.mark.parametrize('wrong', [np.eye(3), 5, {'fx': 9}, [900, 900, 640, 360]])
def test_other_calibrations_are_one_line(wrong):
    with pytest.raises(ArgumentError, match=f'Lens, got {type(wrong).__name__}'):
        SetLens.read({'intrinsics': wrong})
