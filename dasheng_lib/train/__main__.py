"""``torchrun --nproc-per-node N -m dasheng_lib.train ...``: ``dasheng pretrain`` in N processes."""

import sys

from dasheng_lib.cli import main

sys.exit(main(["pretrain", *sys.argv[1:]]))
