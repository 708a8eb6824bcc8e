"""Pickles of arrays and containers; other pickles are refused and run nothing."""

import os
import pickle

import numpy as np
import pytest
from pickled_calls import PickledCall

from mmhot.io.pickles import load_objects

CONTENT = {
    'C': np.arange(6).reshape(2, 3),
    'Fortran': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    'big endian': np.arange(3, dtype='>f4'),
    'text': np.array(['S1', 'S11']),
    'bool': np.array([True, False]),
    'none': np.zeros((0, 3)),
    'nested': np.array([{'x': np.ones(2)}, [1]], object),
}


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_are_loaded(tmp_path, protocol):
    plain = {'n': [1, 2.5, None, True, 'a', b'a'], 'f': np.float32(0.5), ('t', 1): {}}
    path = tmp_path / 'data.pkl'
    path.write_bytes(pickle.dumps(CONTENT | plain, protocol))
    loaded = load_objects(path)
    assert {key: loaded[key] for key in plain} == plain
    for name in list(CONTENT)[:-1]:
        np.testing.assert_array_equal(loaded[name], CONTENT[name])
    np.testing.assert_array_equal(loaded['nested'][0]['x'], [1, 1])
    assert type(pickle.loads(pickle.dumps(loaded))['C']) is np.ndarray


def test_object_arrays_of_archives_are_loaded(tmp_path):
    path = tmp_path / 'data.npz'
    positions = {'S1': {'Walking 1': [np.zeros((3, 17, 2))] * 4}}
    np.savez_compressed(path, positions=positions, numbers=np.arange(3))
    loaded = load_objects(path)
    assert loaded['positions']['S1']['Walking 1'][3].shape == (3, 17, 2)
    assert loaded['numbers'].tolist() == [0, 1, 2]


@pytest.mark.parametrize('suffix', ['npz', 'pkl'])
def test_hostile_pickles_are_refused_and_run_nothing(tmp_path, suffix):
    path, touched = tmp_path / f'data.{suffix}', tmp_path / 'touched'
    content = {'S1': [PickledCall(os.system, f'touch {touched}')]}
    if suffix == 'npz':
        np.savez(path, data=content)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match='is refused: it holds .*system; only') as info:
        load_objects(path)
    assert not touched.exists()
    assert '\n' not in str(info.value)


# An array of objects whose addresses are in the file.
POINTERS = PickledCall(np.zeros(0).__reduce__()[0], np.ndarray, (0,), b'b')
POINTERS.reduced += ((1, (1,), np.dtype(object), False, b'\1' * 8),)


@pytest.mark.parametrize(
    ('content', 'held'),
    [
        (POINTERS, 'an array of pointers'),
        (PickledCall(np.dtype, 'V8'), 'the data type V8'),
    ],
    ids=['pointers', 'structure'],
)
def test_arrays_that_numpy_would_trust_are_refused(tmp_path, content, held):
    path = tmp_path / 'data.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=f'is refused: it holds {held}'):
        load_objects(path)


@pytest.mark.parametrize(
    'content', [b'', b'PK', b'text', pickle.dumps(CONTENT)[:200], b'\x80\x05N']
)
def test_damaged_files_are_an_error(tmp_path, content):
    path = tmp_path / 'data.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='data.pkl: cannot be read: '):
        load_objects(path)
