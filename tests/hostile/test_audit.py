"""Files are data: an audit hook sees every program, process, address and file opened.

A case is a folder with one hostile file, whose reader may open that folder only.
"""

import json
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from hostile_configs import CONFIGS, HARM, UNREAD, write
from local_servers import Handler, served_by
from paths import ROOT
from pickled_calls import PickledCall

HELPERS = ROOT / 'tests/helpers'
SECRET = '../../secret'
pytestmark = [
    pytest.mark.slow(reason='some 150 runs of mmhot, 90 s'),
    pytest.mark.skipif(sys.platform != 'linux', reason='inotify is of Linux'),
]
INFER = ['infer', 'image.png', '--out-dir', '../out', '--device', 'cpu']
DETECTOR = ['--det-model', 'rtmdet-nano_person_synth']
LIFT = ['lift', 'good.npz', '--out-dir', '../out']
STREAM = ['stream', '--duration', '2', '--reconnect', '0']
PLANTED = (
    'note.txt',
    'evil.py',
    'h36m.py',
    'GTPTLabel.py',
    'numpy_.py',
    'random.py',
    'evilmod/__init__.py',
    'evilmod/registry.py',
)


def make_keypoints(path):
    poses = np.random.default_rng(0).uniform(100, 600, (3, 17, 2))
    np.savez(path, keypoints=poses, width=1280, height=720, fps=25.0)


def make_video(path):
    """Write ten frames of MPEG-TS."""
    with av.open(str(path), 'w', format='mpegts') as file:
        stream = file.add_stream('mpeg2video', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, 'yuv420p'
        for value in range(10):
            image = np.full((64, 64, 3), 20 * value, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, 'rgb24')))
        file.mux(stream.encode())


def checkpoints(folder, address):
    """Yield file, content or writer, and arguments of checkpoints."""
    import runpy

    for name, changes in (CONFIGS | UNREAD).items():
        maker = lambda path, changes=changes: write(path, changes)  # noqa: E731
        yield f'config-{name}', 'a.pth', maker, [*LIFT, '--pose3d-weights', 'a.pth']
    for name in ('lifting', 'distiller', 'scope'):
        maker = lambda path, changes=CONFIGS[name]: write(path, changes)  # noqa: E731
        file = 'a.safetensors'
        yield f'safe-{name}', file, maker, [*LIFT, '--pose3d-weights', file]
        yield f'3d-{name}', file, maker, [*INFER, '--pose3d-weights', file]
    calls = {
        'system': (os.system, 'touch x'),
        'program': (runpy.run_path, 'note.txt'),
        'open': (open, f'{SECRET}/note.txt'),
        'exec': (exec, HARM),
        'fetch': (socket.create_connection, address),
        'load': (torch.hub.load_state_dict_from_url, f'file://{folder}/secret/p.png'),
        'read': (np.load, f'{SECRET}/a.npz'),
    }
    uses = {
        'lifter': [*LIFT, '--pose3d-weights', 'a.pth'],
        'lifter3d': [*INFER, '--pose3d-weights', 'a.pth'],
        'pose2d': [*INFER, '--pose2d', 'gtpt-t', '--pose2d-weights', 'a.pth'],
        'detector': [*INFER, *DETECTOR, '--det-weights', 'a.pth'],
        'export': ['export', 'gtpt-t', 'a.pth', '--out', '../out'],
        'keypoints': ['lift', 'a.pth', '--out-dir', '../out'],
    }
    for call, function in calls.items():
        for use, arguments in uses.items():

            def maker(path, function=function):
                hostile = PickledCall(*function)
                content = dict(state_dict={'a': torch.zeros(1)}, meta=hostile)
                torch.save(content, path)

            if use == 'lifter' or call == 'program':
                yield f'{call}-{use}', 'a.pth', maker, arguments

        def legacy(path, function=function):
            path.write_bytes(pickle.dumps(dict(state_dict=PickledCall(*function))))

        yield f'{call}-pickle', 'a.pth', legacy, uses['lifter']
    script = torch.jit.script(torch.nn.Linear(1, 1))
    yield 'script', 'a.pth', lambda path: script.save(str(path)), uses['lifter']


def onnx_files():
    """Yield the same for ONNX files with data in other files."""
    pytest.importorskip('onnx')
    from onnx import TensorProto, helper

    locations = {
        'up': f'{SECRET}/weights.bin',
        'absolute': '{folder}/secret/weights.bin',
        'link': 'model.onnx.data',
        'dots': './/x/../../../secret/weights.bin',
    }
    for place in ('initializer', 'constant', 'subgraph'):
        for name, location in locations.items():

            def maker(path, location=location, place=place):
                if location == 'model.onnx.data':
                    (path.parent / location).symlink_to(f'{SECRET}/weights.bin')
                root = str(path.parents[2])
                tensor = TensorProto(name='w', data_type=1, dims=[4])
                tensor.data_location = TensorProto.EXTERNAL
                entry = tensor.external_data.add()
                entry.key, entry.value = 'location', location.format(folder=root)
                x = helper.make_tensor_value_info('x', 1, [4])
                y = helper.make_tensor_value_info('y', 1, [4])
                nodes = [helper.make_node('Add', ['x', 'w'], ['y'])]
                source = [tensor] if place == 'initializer' else []
                if place == 'constant':
                    constant = helper.make_node('Constant', [], ['w'], value=tensor)
                    nodes.insert(0, constant)
                if place == 'subgraph':
                    inner = helper.make_node('Constant', [], ['z'], value=tensor)
                    z = helper.make_tensor_value_info('z', 1, [4])
                    branch = helper.make_graph([inner], 'b', [], [z])
                    flag = helper.make_node(
                        'Constant', [], ['c'], value=helper.make_tensor('t', 9, [], [1])
                    )
                    choice = helper.make_node(
                        'If', ['c'], ['w'], then_branch=branch, else_branch=branch
                    )
                    nodes = [flag, choice, *nodes]
                graph = helper.make_graph(nodes, 'g', [x], [y], source)
                path.write_bytes(helper.make_model(graph).SerializeToString())

            file = 'model.onnx'
            uses = {
                'pose': [*INFER, '--pose2d', file],
                'detector': [*INFER, '--det-model', file],
                'lifter': [*LIFT, '--pose3d', file],
                'folder': [*LIFT, '--pose3d', '.'],
            }
            for use, arguments in uses.items():
                if use != 'lifter' and (place, name) != ('initializer', 'up'):
                    continue
                yield f'onnx-{place}-{name}-{use}', file, maker, arguments


def archives():
    """Yield the same for archives of models."""
    members = {
        'up': {'../../secret/end2end.onnx': b'x'},
        'absolute': {'/tmp/end2end.onnx': b'x'},
        'program': {'end2end.onnx': b'x', '__main__.py': HARM.encode()},
    }
    for name, content in members.items():

        def maker(path, content=content):
            with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
                for member, data in content.items():
                    archive.writestr(member, data)

        yield f'zip-{name}', 'a.zip', maker, [*INFER, '--pose2d', 'a.zip']

    def link(path):
        with zipfile.ZipFile(path, 'w') as archive:
            info = zipfile.ZipInfo('end2end.onnx')
            info.external_attr = 0o120777 << 16
            archive.writestr(info, f'{SECRET}/weights.bin')

    yield 'zip-link', 'a.zip', link, [*INFER, '--pose2d', 'a.zip']


def playlists(secret, url):
    """Return lists of other files, or of an address, by name."""
    head, end = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n', '#EXT-X-ENDLIST\n'
    return {
        'relative': f'{head}#EXTINF:1,\n{SECRET}/a.ts\n{end}',
        'absolute': f'{head}#EXTINF:1,\n{secret}/a.ts\n{end}',
        'scheme': f'{head}#EXTINF:1,\nfile://{secret}/a.ts\n{end}',
        'address': f'{head}#EXTINF:1,\n{url}\n{end}',
        'key': f'{head}#EXT-X-KEY:METHOD=AES-128,URI="{secret}/p.png"\n'
        f'#EXTINF:1,\ninput.ts\n{end}',
        'map': f'{head}#EXT-X-MAP:URI="{secret}/a.ts"\n#EXTINF:1,\ninput.ts\n{end}',
        'nested': f'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{secret}/a.m3u8\n',
        'concat': f"ffconcat version 1.0\nfile '{SECRET}/a.ts'\n",
        'concat-here': 'ffconcat version 1.0\nfile input.ts\n',
        'protocol': f"ffconcat version 1.0\nfile 'file:{secret}/a.ts'\n",
        'sdp': 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n'
        'm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n',
        'idx': '# VobSub index file, v7 (do not modify this line!)\n',
        'dash': '<MPD type="static" mediaPresentationDuration="PT1S"><Period>'
        f'<AdaptationSet mimeType="video/mp2t"><Representation id="1" bandwidth="9">'
        f'<BaseURL>file://{secret}/a.ts</BaseURL></Representation></AdaptationSet>'
        '</Period></MPD>',
    }


@contextmanager
def served_playlists(secret):
    """Serve the playlists and a video over HTTP; yield address and cases."""
    pages = playlists(secret, '')
    pages['redirect'] = pages.pop('address')

    class Playlists(Handler):
        def answer(self):
            name = Path(self.path).stem
            video = (secret.parent / 'input.ts').read_bytes()
            content = pages[name].encode() if name in pages else video
            self.send_response(302 if name == 'redirect' else 200)
            self.send_header('Location', f'file://{secret}/a.ts')
            self.send_header('Content-Length', str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with served_by(Playlists) as address:
        use = ['--out-dir', '../out', '--device', 'cpu']
        files = [*(f'{name}.m3u8' for name in pages), 'dash.mpd', 'absolute.ts']
        cases = {f'served-{x}': ['infer', f'{address}/{x}', *use] for x in files}
        for file in ('scheme.m3u8', 'concat.m3u8'):
            cases[f'served-live-{file}'] = [*STREAM, f'{address}/{file}', *use]
        yield cases


def texts(folder, address):
    """Yield the same for files of keypoints, lenses, lists, playlists."""
    secret, url = folder / 'secret', f'http://{address[0]}:{address[1]}/a.ts'
    yaml = {
        'apply': "!!python/object/apply:os.system ['touch x']",
        'name': 'fx: !!python/name:os.system',
        'module': 'fx: !!python/module:evil',
        'new': "fx: !!python/object/new:runpy.run_path ['note.txt']",
        'file': 'fx: !include note.txt',
    }
    lens = [*LIFT, '--intrinsics', 'a.yml']
    for name, text in yaml.items():
        yield f'yaml-{name}', 'a.yml', text, lens
    lists = playlists(secret, url)
    for name, text in lists.items():
        for suffix in ('m3u8', 'mp4'):
            use = ['infer', f'a.{suffix}', '--out-dir', '../out']
            yield f'{suffix}-{name}', f'a.{suffix}', text, use
    use = [*STREAM, 'a.m3u8', '--out-dir', '../out']
    yield 'live', 'a.m3u8', lists['absolute'], use
    svg = f'<svg><image href="{secret}/p.png"/></svg>'
    yield 'svg', 'a.png', svg, ['infer', 'a.png']
    config = [*LIFT, '--pose3d', 'a.json', '--pose3d-weights', 'good.npz']
    yield 'json', 'a.json', f'{{"_base_": "{secret}/evil.py"}}', config
    for kind in ('keypoints', 'frame', 'joint_names', 'skeleton'):

        def maker(path, kind=kind):
            arrays = dict(keypoints=np.ones((3, 17, 2)), width=9, height=9, fps=9)
            hostile = [PickledCall(exec, HARM)] * 3
            np.savez(path, **arrays | {kind: np.array(hostile, object)})

        yield f'npz-{kind}', 'a.npz', maker, ['lift', 'a.npz', '--out-dir', '../out']


def documents():
    """Yield the same for JSON whose values look like configs and files of metainfo."""
    hostile = dict(from_file='note.txt', type='evilmod.X', _scope_='evilmod')
    points = np.random.default_rng(0).uniform(100, 600, (17, 2)).tolist()
    for key in ('skeleton', 'joint_names', 'keypoint_id2name', 'dataset_name', 'fps'):
        person = dict(keypoints=points, keypoint_scores=[1.0] * 17)
        frames = [dict(frame_id=0, instances=[person])]
        document = dict(meta_info={key: hostile}, instance_info=frames)
        use = ['lift', 'a.json', *LIFT[2:], '--image-size', '1280x720', '--fps', '25']
        yield f'place-{key}', 'a.json', json.dumps(document), use


def hdf5_files():
    """Yield the same for HDF5 files with values in other files."""
    try:
        import h5py
    except ImportError:
        return

    def external(file):
        file['tracks'] = h5py.ExternalLink(f'{SECRET}/a.h5', 'tracks')

    def soft(file):
        file['x'] = h5py.ExternalLink(f'{SECRET}/a.h5', '/')
        file['tracks'] = h5py.SoftLink('/x/tracks')

    def storage(file):
        where = [(f'{SECRET}/weights.bin', 0, h5py.h5f.UNLIMITED)]
        file.create_dataset('tracks', (1, 2, 17, 3), 'f8', external=where)

    def virtual(file):
        layout = h5py.VirtualLayout((1, 2, 17, 3), 'f8')
        layout[:] = h5py.VirtualSource(f'{SECRET}/a.h5', 'tracks', (1, 2, 17, 3))
        file.create_virtual_dataset('tracks', layout)

    for make in (external, soft, storage, virtual):

        def maker(path, make=make):
            with h5py.File(path, 'w') as file:
                make(file)
                file['node_names'] = [b'a'] * 17

        use = ['lift', 'a.h5', '--out-dir', '../out', '--image-size', '9x9']
        yield f'hdf5-{make.__name__}', 'a.h5', maker, [*use, '--fps', '9']


def caches(folder):
    """Run a clip of each case and plant files in its cache; yield the next run."""
    from mmhot.cli import main

    secret, objects = folder / 'secret', np.array([PickledCall(exec, HARM)] * 3, object)
    plant = {
        'objects': lambda people, record: np.savez(people, keypoints=objects),
        'pickle': lambda people, record: people.write_bytes(pickle.dumps(objects)),
        'cut': lambda people, record: os.truncate(people, 300),
        'link': lambda people, record: people.symlink_to(secret / 'a.npz'),
        'record': lambda people, record: record.symlink_to(secret / 'note.txt'),
    }
    for name, change in plant.items():
        inputs = folder / f'cache-{name}/input'
        inputs.mkdir(parents=True)
        image = inputs / 'image.png'
        cv2.imwrite(str(image), np.zeros((64, 48, 3), np.uint8))
        use = ['infer', str(image), *INFER[2:3], str(inputs / 'out'), *INFER[4:]]
        assert main(use) == 0
        kept = inputs / 'out/.mmhot-cache'
        (people,), (record,) = kept.glob('*.npz'), kept.glob('*.json')
        record.unlink()
        if name == 'link':
            people.unlink()
        change(people, record)
        yield f'cache-{name}', [*use, '--resume']


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """Make all cases, and run them in one audited process."""
    folder = tmp_path_factory.mktemp('audit')
    secret = folder / 'secret'
    (secret / 'caches').mkdir(parents=True)
    for name in ('note.txt', 'evil.py'):
        (secret / name).write_text(HARM)
    (secret / 'weights.bin').write_bytes(bytes(1 << 12))
    (secret / 'a.m3u8').write_text('#EXTM3U\n')
    cv2.imwrite(str(secret / 'p.png'), np.zeros((9, 9, 3), np.uint8))
    make_keypoints(secret / 'a.npz')
    make_video(secret / 'a.ts')
    (secret / 'a.h5').write_bytes(b'\x89HDF\r\n\x1a\n')
    server = socket.create_server(('127.0.0.1', 0))
    server.setblocking(False)
    cases = {}
    made = [
        *checkpoints(folder, server.getsockname()),
        *onnx_files(),
        *archives(),
        *texts(folder, server.getsockname()),
        *hdf5_files(),
        *documents(),
    ]
    make_video(folder / 'input.ts')
    made.append(('warm', 'x', '', LIFT))
    # what the hook must find
    weights = 'nanohtnet_81frm-keep9_cmu-wild'
    program = [*LIFT, '--pose3d', 'a.py', '--pose3d-weights', weights]
    made.append(('control-program', 'a.py', HARM, program))
    link = lambda path: path.symlink_to(f'{SECRET}/a.ts')  # noqa: E731
    linked = ['infer', 'a.ts', '--out-dir', '../out']
    made.append(('control-file', 'a.ts', link, linked))
    for name, file, content, arguments in made:
        inputs = folder / name / 'input'
        inputs.mkdir(parents=True)
        for planted in PLANTED:
            (inputs / planted).parent.mkdir(exist_ok=True)
            (inputs / planted).write_text(HARM)
        cv2.imwrite(str(inputs / 'image.png'), np.zeros((64, 48, 3), np.uint8))
        make_keypoints(inputs / 'good.npz')
        (inputs / 'input.ts').write_bytes((folder / 'input.ts').read_bytes())
        path = inputs / file
        path.write_text(content) if isinstance(content, str) else content(path)
        cases[name] = arguments
    cases |= caches(folder)
    own = folder / 'caches'
    own.mkdir()
    environment = dict(os.environ, XDG_CACHE_HOME=str(own), TMPDIR=str(own))
    for variable in ('HOME', 'TORCH_HOME', 'MPLCONFIGDIR'):
        environment[variable] = str(own)
    path = os.environ.get('PYTHONPATH', '')
    environment['PYTHONPATH'] = f'{ROOT}{os.pathsep}{path}'
    environment.pop('HARM', None)
    with served_playlists(secret) as served:
        for name in served:
            (folder / name / 'input').mkdir(parents=True)
        (folder / 'cases.json').write_text(json.dumps(cases | served))
        subprocess.run(
            [sys.executable, '-P', str(HELPERS / 'audited.py'), str(folder)],
            cwd=folder,
            env=environment,
            check=True,
            timeout=900,
        )
    result = json.loads((folder / 'found.json').read_text())
    try:
        server.accept()
    except BlockingIOError:
        pass
    else:
        result['live']['found'].append('the port was connected to')
    server.close()
    return result


def test_files_open_and_run_nothing_else(results):
    wrong = {name: case['found'] for name, case in results.items() if case['found']}
    assert 'exec of a.py' in wrong.pop('control-program')
    assert 'a secret file was opened' in wrong.pop('control-file')
    assert wrong == {}


def test_files_are_refused_in_one_line(results):
    right = {'control-file', *(f'config-{name}' for name in UNREAD)}
    # their paths are taken for addresses of the server
    right |= {f'served-{x}.m3u8' for x in ('relative', 'absolute', 'map')}
    right |= {name for name in results if name.startswith('cache-')}
    for name, case in results.items():
        codes = (0,) if name in right else (1, 2)
        codes = (0, 1, 2) if name.startswith('place-') else codes
        assert case['code'] in codes, (name, case)
