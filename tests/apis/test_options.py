"""Option dataclasses: one conversion and check for Python and the command line."""

import shlex
from contextlib import suppress
from dataclasses import MISSING, fields
from inspect import signature

import numpy as np
import pytest
import torch

import mmhot
from mmhot.apis.options import (
    OnnxOptions,
    PageOptions,
    RayOptions,
)
from mmhot.chain.options import (
    ExportOptions,
    InferOptions,
    InferRunOptions,
    LiftOptions,
    LiftRunOptions,
    LiveOptions,
)
from mmhot.cli.errors import OneLineParser
from mmhot.cli.options import add_options, read_options
from mmhot.errors import ArgumentError
from mmhot.structures.lens import Lens

LENS = Lens((9, 9), (9, 9))
ALL = (
    *(InferRunOptions, LiftRunOptions, LiveOptions),
    *(OnnxOptions, PageOptions, RayOptions),
)


@pytest.mark.parametrize(
    ('options', 'values', 'message'),
    [
        (LiftOptions, {'fov': float('nan')}, 'fov must be from 1 to .* got nan'),
        (
            LiftOptions,
            {'fov': 9, 'intrinsics': LENS},
            'fov cannot be combined',
        ),
        (LiftOptions, {'batch_size': 1.5}, 'batch_size must be a whole number, got'),
        (LiftOptions, {'intrinsics': 'none.yml'}, 'intrinsics: none.yml: no such'),
        (InferOptions, {'fps': 0}, 'fps must be from 0.1 to 1000, got 0'),
        (ExportOptions, {'formats': []}, 'formats must be among .*; got none'),
        (RayOptions, {'cpus_per_worker': 0}, 'cpus_per_worker must be at least 0.01'),
        (PageOptions, {'port': 70000}, 'port must be from 1 to 65535, got 70000'),
    ],
)
def test_wrong_values_are_refused_by_argument(options, values, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        options(**values)
    assert '\n' not in str(caught.value)


def test_text_is_converted_and_none_is_the_default():
    options = LiftOptions(fov='60', image_size='1280x720', keep='13,5', flip_test=None)
    assert (options.fov, options.image_size, options.keep) == (60, (1280, 720), [13, 5])
    assert options.flip_test
    assert ExportOptions(formats='npz, bvh,npz').formats == ('npz', 'bvh')
    assert InferOptions(pose3d=None, camera=None).camera == 'auto'


STRANGE = True, np.True_, 'no', b'x', 1j, {}, object(), 10**400, np.array([1, 2])


@pytest.mark.parametrize('options', ALL)
def test_no_field_makes_a_number_or_bool_of_another_value(options):
    required = {x.name: 'x' for x in fields(options) if x.default is MISSING}
    for each in fields(options):
        for value in STRANGE:
            with suppress(ValueError, TypeError, OSError):
                found = getattr(options(**required | {each.name: value}), each.name)
                is_bool = isinstance(value, bool | np.bool_)
                assert isinstance(found, bool) <= is_bool, each.name
                is_number = isinstance(found, int | float)
                assert is_number <= (is_bool == isinstance(found, bool)), each.name


@pytest.mark.parametrize('options', ALL)
def test_every_field_has_a_help_text_and_an_option(options):
    parser = OneLineParser()
    add_options(parser, options)
    known = {action.dest for action in parser._actions}
    for each in fields(options):
        argument = each.metadata['argument']
        assert argument.help
        # a flag that turns its field off has the contrary help text
        is_inverted = each.default is True
        assert is_inverted == argument.flag.startswith('--no-')
        assert is_inverted == argument.flag_help.startswith('do not ')
        assert not argument.help.startswith('do not ') or each.name.startswith('no_')
        if each.name != 'device':
            assert each.name in known


def test_options_of_the_command_line_are_those_of_python():
    parser = OneLineParser()
    add_options(parser, LiftRunOptions)
    words = shlex.split('--out-dir out --fov 60 --no-flip --formats npz,bvh --keep 9')
    expected = LiftRunOptions(
        out_dir='out', fov=60, flip_test=False, formats=['npz', 'bvh'], keep=9
    )
    assert read_options(parser.parse_args(words), LiftRunOptions) == expected


def test_unknown_arguments_get_the_nearest_name():
    with pytest.raises(TypeError, match=r"'pose2D' \(did you mean pose2d\?\)"):
        mmhot.infer('a.mp4', pose2D='gtpt-t')


def test_help_of_functions_lists_the_options():
    shown = signature(mmhot.infer).parameters
    assert [*shown][:3] == ['source', 'cache', 'progress']
    assert [*shown][3:] == [each.name for each in fields(InferOptions)]
    assert shown['camera'].default == 'auto'
    assert '    fov: horizontal angle of view' in mmhot.infer.__doc__


@pytest.mark.parametrize('convert', [np.float32, np.float64, np.array, torch.tensor])
def test_numbers_of_arrays_are_numbers(convert):
    for name, value in dict(height=1.5, fps=25.0, fov=60.0).items():
        given = LiftRunOptions(**{name: convert(value)})
        assert getattr(given, name) == getattr(LiftRunOptions(**{name: value}), name)
    for name, value in dict(people=[0, 2], height=[1.5, 1.25], keep=[9, 3]).items():
        given = getattr(LiftRunOptions(**{name: np.array(value)}), name)
        assert [*given] == value
    assert LiftRunOptions(people=np.int64(2), keep=np.uint8(9)).people == (2,)


@pytest.mark.parametrize('wrong', [np.eye(3), 5, {'fx': 9}, [900, 900, 640, 360]])
def test_other_calibrations_are_one_line(wrong):
    with pytest.raises(ArgumentError, match=f'Lens, got {type(wrong).__name__}'):
        LiftRunOptions(intrinsics=wrong)
