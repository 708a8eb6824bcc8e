"""Behavior on Windows and macOS, with functions of the system replaced."""

import hashlib
import io
import json
import sys
import warnings
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import mmhot.compat
from mmhot.cli import errors
from mmhot.compat.doctor import try_imports
from mmhot.frames.inputs import open_inputs
from mmhot.frames.streams import open_stream
from mmhot.io.images import read_image
from mmhot.weights.hub import _check_digest


def test_images_and_checksums_need_no_python_above_3_10(tmp_path, monkeypatch):
    class CatchWarnings(warnings.catch_warnings):
        def __init__(self, *, record=False, module=None):
            super().__init__(record=record, module=module)

    monkeypatch.setattr(warnings, 'catch_warnings', CatchWarnings)
    monkeypatch.delattr(hashlib, 'file_digest', raising=False)
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.zeros((8, 6, 3), np.uint8))
    assert read_image(path).shape == (8, 6, 3)
    (source,) = open_inputs([str(tmp_path)])
    assert [frame.image.shape for frame in source] == [(8, 6, 3)]
    with pytest.raises(ValueError, match='SHA-256'):
        _check_digest(path, '0123', 'a.bin')


def test_unencodable_file_names_are_printed_as_escapes(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding='cp1252', newline='')
    monkeypatch.setattr(sys, 'stdout', stream)
    errors.run_safely('mmhot', lambda: errors.print_line('C:/Видео.mp4: naïve'))
    assert stream.buffer.getvalue().decode('cp1252') == (
        'C:/\\u0412\\u0438\\u0434\\u0435\\u043e.mp4: naïve\n'
    )


def test_editable_install_on_a_drive_letter_is_found(monkeypatch):
    url = {'url': 'file:///C:/my%20code/mmhot', 'dir_info': {'editable': True}}
    found = SimpleNamespace(
        metadata={'Name': 'mmhot'}, version='1', read_text=lambda name: json.dumps(url)
    )
    import nturl2path
    import urllib.request

    monkeypatch.setattr(urllib.request, 'url2pathname', nturl2path.url2pathname)
    assert (
        mmhot.compat.import_hooks._Distribution(found).location == r'C:\my code\mmhot'
    )


@pytest.mark.parametrize('system', ['win32', 'darwin'])
def test_webcams_are_refused_outside_linux(system, monkeypatch):
    monkeypatch.setattr(sys, 'platform', system)
    with pytest.raises(ValueError, match='webcams are read on Linux only'):
        open_stream('0')


def test_devices_are_listed_without_the_nvidia_driver(monkeypatch):
    import ctypes

    def load(name):
        assert name == 'nvcuda.dll'
        raise FileNotFoundError(name)

    monkeypatch.setattr(ctypes, 'CDLL', load)
    monkeypatch.setattr(sys, 'platform', 'win32')
    assert try_imports(['json']) == ({'json': ''}, ['cpu'])
