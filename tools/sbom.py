"""Write the bill of materials (SBOM) of mmhot, CycloneDX 1.5, from its locked files.

Needs Python alone. Example::

    python3 tools/sbom.py dist/sbom.cdx.json
"""

import argparse
import base64
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
VIEWER = ROOT / 'mmhot/visualization/viewer/package-lock.json'
WEIGHTS = ROOT / 'mmhot/weights/SHA256SUMS'


def component(kind: str, name: str, algorithm: str, digests: list[str], url: str = ''):
    """Describe a part by its name, the digests of its files, and its package URL."""
    hashes = [{'alg': algorithm, 'content': digest} for digest in digests]
    about = {'type': kind, 'name': name, 'hashes': hashes}
    if url:
        about |= {'version': url.rpartition('@')[2], 'purl': url, 'bom-ref': url}
    return about


def packages(locked: str) -> list[dict]:
    """List the packages of a file that `make lock` writes."""
    found = []
    for entry in re.split(r'\n(?=\S)', locked):
        match = re.match(r'([\w.-]+)==([^\s;]+)', entry)
        if match:
            digests = re.findall(r'sha256:(\w+)', entry)
            url = f'pkg:pypi/{match[1]}@{match[2]}'
            found.append(component('library', match[1], 'SHA-256', digests, url))
    return found


def bill() -> dict:
    """Describe mmhot, its Python packages, three.js in the viewer, and the weights."""
    text = (ROOT / 'mmhot/version.py').read_text(encoding='utf-8')
    own = re.search(r"__version__ = '(.+)'", text)
    parts = packages((ROOT / 'requirements/pip.txt').read_text(encoding='utf-8'))
    three = json.loads(VIEWER.read_text())['packages']['node_modules/three']
    digest = base64.b64decode(three['integrity'].removeprefix('sha512-')).hex()
    url = f'pkg:npm/three@{three["version"]}'
    parts.append(component('library', 'three', 'SHA-512', [digest], url))
    for line in WEIGHTS.read_text(encoding='utf-8').splitlines():
        digest, name = line.split()
        parts.append(component('machine-learning-model', name, 'SHA-256', [digest]))
    about = {'type': 'application', 'name': 'mmhot', 'version': own and own[1]}
    head = {'bomFormat': 'CycloneDX', 'specVersion': '1.5', 'version': 1}
    return {**head, 'metadata': {'component': about}, 'components': parts}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, metavar='FILE', help='JSON file')
    parser.parse_args().out.write_text(json.dumps(bill(), indent=1) + '\n')


if __name__ == '__main__':
    main()
