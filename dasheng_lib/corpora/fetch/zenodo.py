"""Files that a Zenodo record lists, with the size and MD5 that it promises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch.download import DownloadError, Remote, download

API = "https://zenodo.org/api/records/{record}"


def zenodo_remote(
    name: str,
    records: Sequence[int],
    api: str = API,
    elsewhere: str | None = None,
    then: str = "name its folder with --from",
) -> Remote:
    """The file of that name as the first record lists it that has it.

    Args:
        api: address of what a record lists, with ``{record}`` in it.
        elsewhere: what to do if none has it, for the message.
        then: what to do with a file that was got by hand, likewise.

    Raises:
        UserError: none has it, or lists no MD5 of it.
    """
    for record in records:
        listed = _listed(api.format(record=record), then)
        if name in listed:
            url, size, (kind, _, checksum) = listed[name]
            if kind != "md5" or not checksum:
                raise UserError(
                    f"Zenodo's record {record} lists {name} without its MD5, so it could not be "
                    f"verified: get it by hand and {then}."
                )
            how = f"get it from https://zenodo.org/records/{record}, and {then}"
            return Remote(url, size=size, md5=checksum, instead=how)
    known = ", ".join(map(str, records))
    elsewhere = elsewhere or f"get it by hand and {then}"
    raise UserError(f"None of Zenodo's records {known} lists {name}: {elsewhere}.")


def stored_record(record: int | str) -> Path:
    """Where in the cache a record's answer lies, once it was asked for."""
    return cache_dir("downloads", f"zenodo-{record}.json")


def _listed(url: str, then: str) -> dict[str, tuple[str, int, tuple[str, str, str]]]:
    """Address, size and parted checksum of each file of a Zenodo record."""
    store = stored_record(url.rpartition("/")[2])
    how = f"get the file by hand and {then}"
    download(Remote(url, instead=how), store)
    try:
        return {
            file["key"]: (
                str(file["links"]["self"]),
                int(file["size"]),
                str(file.get("checksum", "")).partition(":"),
            )
            for file in json.loads(store.read_bytes())["files"]
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        store.unlink()
        raise DownloadError(f"{url} did not answer with a record: {how}.") from error
