"""Configs within checkpoints that try to run a program, or to open a file."""

from lifters import lifter_config, random_state

from mmhot.io.pickles import save_checkpoint

HARM = "import os; os.environ['HARM'] = 'done'; dataset_info = {}"
EVIL = dict(from_file='note.txt')
BACKBONES = {
    'skeleton': dict(skeleton=EVIL),
    'path': dict(skeleton='note.txt'),
    'distiller': dict(type='DWPoseDistiller', teacher_cfg='evil.py'),
    'scope': dict(_scope_='evilmod'),
    'prefix': dict(type='evilmod.NanoHTNet'),
    'module': dict(type='evilmod'),
    'function': dict(type='os.system', command='touch harm'),
    'imported': dict(type='mmengine.utils.mkdir_or_exist', dir_name='harm'),
    'codec': dict(type='GTPTLabel'),
    'base': dict(_base_='evil.py'),
    'substitution': dict(skeleton="{{'evil.py'}}"),
    'nested': dict(type='FlattenedPoseBackbone', net=dict(type='evilmod.X')),
    'scoped': dict(type='FlattenedPoseBackbone', net=dict(_scope_='evilmod')),
    'timm': dict(type='TIMMBackbone', checkpoint_path='evil.pth'),
    'resnet': dict(type='ResNet', depth=18, pretrained='evil.pth'),
    'mmcv': dict(type='mmcv.ResNet', depth=18),
    'number': dict(type=3),
    'many': dict(type=['NanoHTNet']),
}
CONFIGS = {
    'lifting': dict(lifting=dict(metainfo=EVIL)),
    'absolute': dict(lifting=dict(metainfo=dict(from_file='{folder}/note.txt'))),
    'itself': dict(lifting=dict(metainfo=dict(from_file='{file}'))),
    'up': dict(lifting=dict(metainfo=dict(from_file='x/../note.txt'))),
    'namesake': dict(lifting=dict(metainfo=dict(from_file='x/h36m.py'))),
    'model': dict(model=dict(metainfo=EVIL)),
    'preprocessor': dict(
        model=dict(data_preprocessor=dict(type='evilmod.PoseDataPreprocessor'))
    ),
    'loss': dict(model=dict(head=dict(loss=dict(type='evilmod.MPJPELoss')))),
    'decoder': dict(model=dict(head=dict(decoder=dict(type='NanoHTNet')))),
    'estimator': dict(model=dict(type='MMPoseInferencer')),
    'default_scope': dict(default_scope='evilmod'),
    **{name: dict(model=dict(backbone=keys)) for name, keys in BACKBONES.items()},
}
# Settings of training, which are left out.
PRETRAINED = dict(type='Pretrained', checkpoint='evil.pkl')
UNREAD = {
    'start': dict(model=dict(backbone=dict(init_cfg=PRETRAINED))),
    'starts': dict(model=dict(backbone=dict(init_cfg=[PRETRAINED]))),
    'other start': dict(model=dict(backbone=dict(init_cfg=dict(type='evilmod.Init')))),
    'imports': dict(custom_imports=dict(imports=['evil'])),
    'bases': dict(_base_=['evil.py']),
    'hooks': dict(custom_hooks=[dict(type='evilmod.Hook')]),
}


def write(path, changes, meta=None):
    """Write a checkpoint of a lifter with changes of its config."""
    config = lifter_config()
    state = random_state(config)
    config.merge_from_dict(changes)
    text = config.pretty_text.replace('{folder}', str(path.parent))
    meta = dict(cfg=text.replace('{file}', str(path)), **(meta or {}))
    save_checkpoint(dict(meta=meta, state_dict=state), path)
    return path
