"""Models by address: URLs, from a local server."""

import hashlib
import os
import re
import socket
import zipfile
from pathlib import Path

import pytest
import torch
from lifters import lifter_config, random_state, save_lifter
from local_servers import served

from mmhot.chain.lifting.lifter import Lifter
from mmhot.io.pickles import safe_load, save_checkpoint
from mmhot.weights import hub as hub_module
from mmhot.weights.hub import cache_folder, local_file


@pytest.fixture(autouse=True)
def _empty_caches(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def test_an_empty_folder_of_caches_is_unset(monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', '')
    assert cache_folder() == Path.home() / '.cache/mmhot'


def test_lifter_from_a_url_is_fetched_once(tmp_path):
    checkpoint = save_lifter(tmp_path / 'tiny.pth').read_bytes()
    with served({'/tiny.pth': checkpoint}) as (address, asked):
        for _ in range(2):
            assert Lifter(checkpoint=f'{address}/tiny.pth', device='cpu').fps == 50
        assert asked == ['/tiny.pth']
    # without the server
    assert local_file(f'{address}/tiny.pth').read_bytes() == checkpoint


def test_names_with_digits_are_checked():
    content = b'weights'
    digits = hashlib.sha256(content).hexdigest()[:8]
    files = {f'/a-{digits}.pth': content, '/a-0123abcd.pth': content}
    files['/a-20260101.pth'] = content  # a date
    with served(files) as (address, _):
        for name in (f'a-{digits}.pth', 'a-20260101.pth'):
            assert local_file(f'{address}/{name}').read_bytes() == content
        with pytest.raises(ValueError, match='0123abcd, got .*the file was changed'):
            local_file(f'{address}/a-0123abcd.pth')
        with pytest.raises(ValueError, match='missing.pth cannot be downloaded'):
            local_file(f'{address}/missing.pth')
        secret = address.replace('//', '//me:secret@')
        with pytest.raises(ValueError, match='cannot be downloaded') as caught:
            local_file(f'{secret}/missing.pth?token=hidden')
        assert not {'secret', 'hidden'} & set(re.findall(r'\w+', str(caught.value)))


def test_servers_without_an_answer_are_given_up(monkeypatch):
    monkeypatch.setattr(hub_module, '_TIMEOUT', 0.2)
    with (
        socket.create_server(('127.0.0.1', 0)) as server,
        pytest.raises(ValueError, match=r'cannot be downloaded \(.*timed out'),
    ):
        local_file(f'http://127.0.0.1:{server.getsockname()[1]}/a.onnx')


def test_an_archive_is_known_by_its_content(tmp_path):
    path, facts = tmp_path / 'a.zip', None
    for content in (b'first', b'other'):
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('end2end.onnx', content)
        os.utime(path, ns=(1, 1))
        facts = facts or path.stat()
        assert path.stat()[6:] == facts[6:]  # size and dates
        assert (hub_module.unpack(path) / 'end2end.onnx').read_bytes() == content


def test_a_folder_of_an_export_is_an_address():
    files = {f'/poses/{name}': name.encode() for name in ('model.onnx', 'meta.json')}
    with served(files) as (address, _):
        folder = local_file(f'{address}/poses/')
    assert {path.name for path in folder.iterdir()} == {'model.onnx', 'meta.json'}
    assert local_file(f'{address}/poses/') == folder  # without a server


def test_safetensors_hold_the_same(tmp_path):
    pytest.importorskip('safetensors')
    config = lifter_config(fps=25.0)
    meta = dict(cfg=config.pretty_text, epoch=3)
    content = dict(meta=meta, state_dict=random_state(config))
    paths = [tmp_path / f'tiny{suffix}' for suffix in ('.pth', '.safetensors')]
    for path in paths:
        save_checkpoint(content, path)
    loaded = [safe_load(path) for path in paths]
    assert loaded[0]['meta'] == loaded[1]['meta'] == meta
    weights = [content['state_dict'] for content in loaded]
    torch.testing.assert_close(*weights, rtol=0, atol=0)
    assert Lifter(checkpoint=paths[1], device='cpu').fps == 25
