"""Training shards: audio in webdataset-format tar files, written, indexed and read in order.

``write_shards`` packs, ``read_shards`` and ``extract`` give back, ``ShardCrops`` serves batches of
crops to a training loop. ``dasheng shards --help`` does the first three from the command line.

Why the index is our own: webdataset's indexed reader, ``wids``, was tried in its place. It is no
part of webdataset 1.0 any more but a package of its own. It reads the headers of a tar anew
whenever it opens one, and knows no lengths of audio, without which the crops of an epoch cannot be
counted nor put in order; so an index of ours would stand beside it. Of a tar that is cut short it
serves the last member as far as it goes, without a word; a damaged header ends it; it cuts names
at 100 bytes; and it decodes pickles unless told not to.
"""

from dasheng_lib.shards.crops import ShardCrops
from dasheng_lib.shards.index import find_shards, shard_index
from dasheng_lib.shards.read import extract, read_shards
from dasheng_lib.shards.sources import Clip, clips_of
from dasheng_lib.shards.write import write_shards

__all__ = [
    "Clip",
    "ShardCrops",
    "clips_of",
    "extract",
    "find_shards",
    "read_shards",
    "shard_index",
    "write_shards",
]
