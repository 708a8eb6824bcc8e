# The encoder of a pre-training by PoseCLR, to fine-tune; the head starts anew.
poseclr_start = dict(type='Pretrained', prefix='backbone')
