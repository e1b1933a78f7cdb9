"""Zarr v3's one form for everything that has a name: data types, grids, key encodings and codecs."""

from __future__ import annotations

from typing import Any, NamedTuple

from zchunk.errors import MetadataError


class Extension(NamedTuple):
    """A name and its parameters."""

    name: str
    configuration: dict[str, Any]


def parse_extension(obj: object, member: str) -> Extension:
    """Return what `obj`, a name or an object with a name and a configuration, says.

    Parameters
    ----------
    obj : object
        As JSON.
    member : str
        Where it stands, for the messages of errors.

    Raises
    ------
    MetadataError
        It is neither.
    """
    if isinstance(obj, str):
        return Extension(obj, {})
    if not isinstance(obj, dict) or not isinstance(obj.get("name"), str):
        raise MetadataError(f"{member}: {obj!r:.80} is neither a name nor an object with a member 'name'")
    if unknown := obj.keys() - {"name", "configuration", "must_understand"}:
        raise MetadataError(f"{member}: {obj['name']!r:.80} has unknown members {_names(unknown)}")
    if not isinstance(obj.get("must_understand", True), bool):
        raise MetadataError(f"{member}: must_understand is {obj['must_understand']!r:.80}, not true or false")
    configuration = obj.get("configuration", {})
    if not isinstance(configuration, dict):
        raise MetadataError(
            f"{member}: the configuration of {obj['name']!r:.80} is {configuration!r:.80}, not an object"
        )
    return Extension(obj["name"], configuration)


def check_members(
    found: Extension, member: str, required: set[str], optional: set[str] | None = None
) -> None:
    """Raise `MetadataError` if a configuration lacks members, or has others than are known."""
    names = found.configuration.keys()
    where = f"{member}: the configuration of {found.name!r}"
    if missing := required - names:
        raise MetadataError(f"{where} lacks {_names(missing)}")
    if unknown := names - required - (optional or set()):
        raise MetadataError(f"{where} has unknown members {_names(unknown)}")


def render_extension(name: str, configuration: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON of a name and its parameters, as an object in any case: not all readers take a name."""
    return {"name": name} if configuration is None else {"name": name, "configuration": configuration}


def _names(names: set[Any]) -> str:
    return ", ".join(sorted(f"{name!r:.80}" for name in names))
