"""`verify`: whether a store is in order, and every chunk in it can be decoded."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from zchunk.errors import InvalidKeyError, ZchunkError
from zchunk.runtime.near_names import says_near_names
from zchunk.runtime.settings import config
from zchunk.spec.keys import join
from zchunk.wings.verification.decoding import decode
from zchunk.wings.verification.manifests import Manifest, as_manifest, digests
from zchunk.wings.verification.places import Place, placed
from zchunk.wings.verification.portable import unportable
from zchunk.wings.verification.reference import Reference
from zchunk.wings.verification.report import Report
from zchunk.wings.verification.survey import Survey

if TYPE_CHECKING:
    from zchunk.core.array import Array
    from zchunk.hierarchy.groups import Group
    from zchunk.typing import ProgressLike, StorageOptions, StoreLike
    from zchunk.wings.verification.manifests import ManifestLike


@says_near_names
def verify(
    store: StoreLike | Array | Group,
    path: str = "",
    *,
    deep: bool = True,
    manifest: ManifestLike | None = None,
    reference: bool = False,
    portable: bool = False,
    progress: ProgressLike = None,
    threads: int | None = None,
    storage_options: StorageOptions | None = None,
) -> Report:
    """Look whether an array, a group or a whole store is in order. Nothing is changed.

    Metadata are parsed, consolidated metadata compared with those that they were made of, and every key held
    against the node that it lies in. Every stored chunk is decoded, by the code that reads it, which takes
    about as long as reading. How much the codecs of a chunk notice differs: the guide has a table.

    Parameters
    ----------
    store : path, MutableMapping, Array or Group
        As for `open`; or a node, which stands for its store and path.
    path : str, optional
        Of the node; the whole store by default.
    deep : bool, optional
        Decode the chunks. If not, only metadata are read, and keys listed.
    manifest : Manifest, mapping or path, optional
        What `manifest` returned earlier: values that are missing, changed or new are findings, too.
    reference : bool, optional
        Decode every chunk again by python-blosc, lz4, zlib or numcodecs, and compare. This takes several
        times as long, and needs these packages.
    portable : bool, optional
        Also warn of what some other implementations of Zarr do not read; `docs/interoperability.md` says what
        each of them does.
    progress : bool or callable, optional
        As for `copy`; counts chunks, of shards one for each.
    threads : int, optional
        How many decode at the same time; `set_threads` says it for all of the process, and this until the end
        of the call.
    storage_options : dict, optional
        Options of the store, for a URL.

    Returns
    -------
    Report
        True if nothing was found. It has `counts` and `findings`, each with key, kind, severity and advice;
        `print` shows a table, `to_json` is for programs. What is found in the store never raises.

    Raises
    ------
    ImportError
        A package is missing that `reference` needs.
    InvalidKeyError
        No node can be at `path`.
    MetadataError
        `manifest` is none.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> z = zchunk.array([1, 2, 3, 4], chunks=2, store=store, checksum=True)
    >>> bool(zchunk.verify(store))
    True
    >>> store["0"] = store["0"][:-1] + b"!"
    >>> [finding.kind for finding in zchunk.verify(store).findings]
    ['chunk-checksum']
    """
    given = None if manifest is None else as_manifest(manifest)
    inspect = Reference() if reference else None
    with ExitStack() as stack:
        try:
            place = stack.enter_context(placed(store, path, storage_options))
        except InvalidKeyError:
            raise
        except (ZchunkError, OSError) as err:
            # A zip file that is not there, or damaged.
            report = Report(str(store)[:200], path)
            report.add(path, "unreadable", err)
            return report
        report = Report(repr(place.store)[:200], place.path)
        if threads is not None:
            stack.enter_context(config.set({"threading.max_workers": threads}))
        survey = Survey(report, place)
        survey.run()
        if deep:
            decode(report, survey.arrays, progress, inspect)
        if portable:
            for stored in survey.arrays:
                for words in unportable(stored.array.metadata, stored.array.path):
                    report.add(stored.array.path, "not-portable", words)
        if given is not None:
            _compare(report, place, given)
    report.sort()
    return report


def _compare(report: Report, place: Place, given: Manifest) -> None:
    """Report what differs from a manifest."""
    now, unreadable = digests(place, given.algorithm, report=report)
    for kind, keys in given.compare(now)._asdict().items():
        for key in keys:
            full = join(place.path, key)
            if full not in unreadable:
                found = (made.entries.get(key) for made in (given, now))
                what = " -> ".join(f"{e.size} bytes, {e.digest[:12]}" for e in found if e is not None)
                report.add(full, f"manifest-{kind}", what)
