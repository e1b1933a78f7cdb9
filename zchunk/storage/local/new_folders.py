"""Folders of new nodes: made aside with all that is in them, and put in their place in one step.

A folder cannot be renamed to where anything but an empty folder is. So of several processes that make a node
one does, nobody sees a part of it, and nothing has to keep others away meanwhile. A process that is killed
leaves a folder that ends in ``.partial``, of no store (see `leftovers`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from zchunk.storage.local.files import sync_folder, write_new
from zchunk.storage.local.leftovers import MAKING, discard, partial_path, tidy

_DISK = (errno.EIO, errno.ENOSPC, errno.EDQUOT)


def put_new_folder(folder: str, files: Mapping[str, bytes], sync: bool = False) -> bool:
    """Put a folder with files in it, by their names, where nothing is; return whether it is there.

    False where something is, where the folder above is gone, and where the system does not do it: another way
    of making the files tells why. A disk that is full or broken has no other way.
    """
    above = os.path.dirname(folder)
    tidy(above)
    aside = partial_path(os.path.join(above, MAKING))
    try:
        os.mkdir(aside)
        for name, content in files.items():
            # Not in a folder that is made anew if another process deletes this one.
            write_new(f"{aside}/{name}", content, sync)
        if sync:
            sync_folder(aside)
        os.rename(aside, folder)
    except BaseException as error:
        discard(aside)
        if isinstance(error, OSError) and error.errno not in _DISK:
            return False
        raise
    tidy.made(folder)
    if sync:
        sync_folder(above)
    return True
