"""Fetch the packages of the pocket corpus, and write its tables anew."""

from __future__ import annotations

import argparse

from dasheng_lib.corpora import pocket
from dasheng_lib.corpora.manifest import part_that_is_there
from pocket_tables.tables import index_pocket

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--mirror", metavar="URL", help="a Debian mirror, instead of apt-get's")
args = parser.parse_args()
manifest = pocket.read_manifest("pocket-large")
paths = pocket.fetch(manifest, mirror=args.mirror)
# Warns where the versions are not those of the manifest.
part_that_is_there(*pocket.as_found(manifest, paths), pocket.instead(manifest))
index_pocket(paths)
