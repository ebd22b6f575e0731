"""Training shards: audio in webdataset-format tar files, written, indexed and read in order.

``write_shards`` packs, ``read_shards`` and ``extract`` give back, ``ShardCrops`` serves batches of
crops to a training loop. ``dasheng shards --help`` does the first three from the command line.
"""

from dasheng_lib.shards.crops import ShardCrops
from dasheng_lib.shards.index import ShardIndex, find_shards, shard_index
from dasheng_lib.shards.read import Sample, extract, read_shards
from dasheng_lib.shards.sources import Clip, clips_of
from dasheng_lib.shards.write import Packed, write_shards

__all__ = [
    "Clip",
    "Packed",
    "Sample",
    "ShardCrops",
    "ShardIndex",
    "clips_of",
    "extract",
    "find_shards",
    "read_shards",
    "shard_index",
    "write_shards",
]
