"""Which files a data set has at a commit, and the checksum of each.

They come from the configuration, from the copy of the hub's listing in a mirror, or from the hub itself. A
mirror is a copy like any other: what it holds is believed only where a checksum from one of these agrees.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import quote

from gptgrid.artifact.errors import UserError
from gptgrid.net.download import checksum
from gptgrid.net.http import HUB, TIMEOUT, hub_endpoint, hub_token
from gptgrid.stages.corpus.sources.hub_files import CARD, choose_files

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo


def file_address(config: SimpleNamespace, name: str) -> str:
    """Return where the hub has a file of a data set."""
    return f"{HUB}/datasets/{config.path}/resolve/{config.revision}/{quote(name)}"


def list_files(config: SimpleNamespace) -> dict[str, str]:
    """Return the files of a data set: path → sha256 (64 hex digits), or git blob id (40) of small files.

    Raises:
        UserError: there is no such data set, it needs a token, the hub cannot be reached, or a path leads
            outside.
    """
    pinned = vars(config.sha256)
    digests = pinned or digests_of(mirrored_listing(config) or listing_of_hub(config), config)
    for name in digests:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise UserError(f"data set {config.path} has a file {name}, which leads outside; do not trust it")
    return digests


def digests_of(info: DatasetInfo, config: SimpleNamespace) -> dict[str, str]:
    """Return path → checksum of the files in a listing."""
    digests = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings or ()}
    if None in digests.values():
        raise UserError(
            f"the listing of data set {config.path} has no checksums; fetch {listing_address(config)} again"
        )
    return digests


# ------------------------------------------------------------------------------------------ mirror


def listing_address(config: SimpleNamespace) -> str:
    """Return where the hub lists the files of a data set with their checksums."""
    return f"{HUB}/api/datasets/{config.path}/revision/{config.revision}?blobs=true"


def mirror_path(url: str) -> Path | None:
    """Return where a mirror folder would have what an address gives; None: there is no such folder."""
    mirror = os.environ.get("GPTGRID_MIRROR", "")
    if not mirror or "://" in mirror:
        return None
    return Path(mirror).resolve() / url.removeprefix("https://").split("?")[0]


def mirrored_listing(config: SimpleNamespace) -> DatasetInfo | None:
    """Return the copy of the hub's listing in the mirror, if it is there."""
    from huggingface_hub import DatasetInfo

    path = mirror_path(listing_address(config))
    if path is None or not path.is_file():
        return None
    try:
        return DatasetInfo(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not the hub's listing ({error!r}); fetch {listing_address(config)} again"
        ) from None


def unchecked_mirror(config: SimpleNamespace, folder: Path, reason: str) -> UserError:
    """Return the error for a mirror without a listing; it gives the checksums of the files that are there.

    Args:
        config: of the corpus.
        folder: of the data set in the mirror.
        reason: why the hub cannot be asked.
    """
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    card = (folder / CARD).read_text(encoding="utf-8") if CARD in names else None
    chosen = [name for part in choose_files(names, card, config).values() for name in part]
    address = listing_address(config)
    pinned = sorted({*chosen, *({CARD} & set(names))})
    lines = "".join(f"\n  {json.dumps(name)}: {checksum(folder / name)}" for name in pinned)
    return UserError(
        f"the files in {folder} cannot be checked: the mirror has no copy of the hub's listing, and "
        f"{reason}; put the answer of {address} at {mirror_path(address)}, or, if you trust the files, "
        f"add their checksums to the corpus:\nsha256:{lines}"
    )


# --------------------------------------------------------------------------------------------- hub


def listing_of_hub(config: SimpleNamespace) -> DatasetInfo:
    """Ask the hub for its listing.

    Raises:
        UserError: it cannot be had. If there is a mirror, the message has the checksums of its files.
    """
    try:
        return ask_hub(config)
    except UserError as error:
        folder = mirror_path(file_address(config, ""))
        if folder is None or not folder.is_dir():
            raise
        raise unchecked_mirror(config, folder, str(error).split(";")[0]) from None


def ask_hub(config: SimpleNamespace) -> DatasetInfo:
    """Ask the hub for its listing."""
    # Loaded only where it is needed: it takes a third of a second.
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    data_set = f"data set {config.path} of the hub"
    # Telemetry would ask the hub for more than the listing.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        api = HfApi(endpoint=hub_endpoint(), token=hub_token() or False)
        return api.dataset_info(config.path, revision=config.revision, files_metadata=True, timeout=TIMEOUT)
    except RepositoryNotFoundError:
        raise UserError(
            f"{data_set} cannot be read: it does not exist, is private, or asks for conditions; check "
            f"`path`, accept the conditions on {HUB}/datasets/{config.path}, and set HF_TOKEN to a token of "
            "yours"
        ) from None
    except RevisionNotFoundError:
        raise UserError(f"{data_set} has no revision {config.revision}; see its history") from None
    except Exception as error:  # of whatever HTTP library it uses; its text may contain what it sent
        raise UserError(
            f"{data_set} cannot be listed ({type(error).__name__}); check the network, or set GPTGRID_MIRROR "
            f"to a folder that has {file_address(config, '').removeprefix('https://').rstrip('/')}"
        ) from None
