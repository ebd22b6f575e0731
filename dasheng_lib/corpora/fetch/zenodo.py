"""Files that a Zenodo record lists, with the size and MD5 that it promises."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch.download import DownloadError, Remote, download

API = "https://zenodo.org/api/records/{record}"


def zenodo_remote(
    name: str, records: Sequence[int], api: str = API, elsewhere: str | None = None
) -> Remote:
    """The file of that name as the first record lists it that has it.

    Args:
        api: address of what a record lists, with ``{record}`` in it.
        elsewhere: what to do if none has it, for the message.

    Raises:
        UserError: none has it, or lists no MD5 of it.
    """
    for record in records:
        for file in _listed(api.format(record=record)):
            if file.get("key") != name:
                continue
            kind, _, checksum = str(file.get("checksum", "")).partition(":")
            if kind != "md5" or not checksum:
                raise UserError(
                    f"Zenodo's record {record} lists {name} without its MD5, so it could not be "
                    "verified: get it by hand and name its folder with --from."
                )
            how = (
                f"get it from https://zenodo.org/records/{record}, and name its folder with --from"
            )
            size = int(file["size"])
            return Remote(file["links"]["self"], size=size, md5=checksum, instead=how)
    known = ", ".join(map(str, records))
    elsewhere = elsewhere or "get it by hand and name its folder with --from"
    raise UserError(f"None of Zenodo's records {known} lists {name}: {elsewhere}.")


def _listed(url: str) -> list[dict]:
    """Files of a Zenodo record."""
    store = cache_dir("downloads", f"zenodo-{url.rpartition('/')[2]}.json")
    how = "get the archive by hand and name its folder with --from"
    download(Remote(url, instead=how), store)
    try:
        return list(json.loads(store.read_text())["files"])
    except (ValueError, KeyError, TypeError) as error:
        store.unlink()
        raise DownloadError(f"{url} did not answer with a record: {how}.") from error
