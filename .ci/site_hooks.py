"""What the documentation site has that is no page of docs/: hooks of mkdocs.

The start page is README.md, the tutorial a notebook with what its cells have shown, and the reference a list
of public names, whose docstrings mkdocstrings takes from the sources. Links to files of the repository that
are no pages lead to where it is published.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# Files that are pages under another name.
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")

# ---- the reference

# Pages, what each is about, and the names on it; those without a module are in `zchunk`.
REFERENCE = {
    "arrays": (
        "Arrays",
        "Array open open_array create create_array array from_array empty zeros ones full empty_like "
        "zeros_like ones_like full_like open_like concat stack profile plot_chunks",
    ),
    "groups": (
        "Groups",
        "Group open_group create_group create_hierarchy group tree consolidate_metadata open_consolidated",
    ),
    "files": (
        "Saving, copying, checking",
        "save save_array save_group load copy copy_all copy_store rechunk verify manifest repair",
    ),
    "stores": (
        "Stores",
        "DirectoryStore NestedDirectoryStore TempStore MemoryStore DictStore KVStore ZipStore SQLiteStore "
        "LMDBStore DBMStore N5Store N5FSStore FSStore ObjectStore ABSStore RedisStore LRUStoreCache "
        "storage.ConsolidatedMetadataStore storage.StorePath storage.Store storage.CoroutineStore "
        "ThreadSynchronizer ProcessSynchronizer",
    ),
    "codecs": (
        "Codecs",
        "Blosc LZ4 Zstd Zlib GZip codecs.CRC32 codecs.Crc32c codecs.Codec codecs.CodecChain codecs.as_codec "
        "codecs.get_codec codecs.register_codec",
    ),
    "checkpoints": (
        "Checkpoints",
        "checkpoint.CheckpointManager checkpoint.Checkpoint checkpoint.Series checkpoint.partition "
        "checkpoint.Partition checkpoint.PerRank checkpoint.Block checkpoint.process_communicators",
    ),
    "wings": (
        "xarray and dask",
        "xarray.to_zarr xarray.ZchunkBackendEntrypoint xarray.WritableStore dask.from_zchunk dask.store",
    ),
    "settings": (
        "Settings and threads",
        "config get_threads set_threads get_spare_memory set_spare_memory print_debug_info",
    ),
    "errors": ("Errors", "errors"),
}


def reference(homes: dict[str, str]) -> dict[str, str]:
    """Return the reference: pages and their Markdown."""
    index = "# Reference\n\nPublic names by subject, with parameters and examples that run as tests.\n"
    pages = {}
    for page, (title, names) in REFERENCE.items():
        text = f"# {title}\n"
        for name in names.split():
            text += f"\n::: {homes.get(name, f'zchunk.{name}')}\n"
            if name == "errors":
                text += "    options: {show_root_heading: false, show_root_toc_entry: false}\n"
        pages[f"reference/{page}.md"] = text
        listed = ", ".join(f"`{name.rpartition('.')[2]}`" for name in names.split())
        index += f"\n## [{title}]({page}.md)\n\n{listed}\n"
    return {"reference/index.md": index, **pages}


def homes() -> dict[str, str]:
    """Return where the names that `zchunk` imports when they are asked for are defined."""
    tree = ast.parse((ROOT / "zchunk/__init__.py").read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "zchunk":
            found |= {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


# ---- the tutorial

# Notebooks name their headings as they are written.
ANCHOR = re.compile(r"\]\(#([^)]+)\)")


def fenced(text: str, language: str = "") -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def output(shown: dict[str, Any]) -> str:
    """Return what a cell has shown as Markdown."""
    data = shown.get("data", {})
    if "image/png" in data:
        return f"![what the cell draws](data:image/png;base64,{''.join(data['image/png']).strip()})\n"
    if "text/html" in data:
        return f"<div>{''.join(data['text/html'])}</div>\n"
    return fenced("".join(shown.get("text") or data["text/plain"]), "text")


def from_notebook(path: Path) -> str:
    """Return a notebook as Markdown."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        text = ANCHOR.sub(lambda found: f"](#{found[1].lower()})", source)
        parts.append(fenced(source, "python") if cell["cell_type"] == "code" else f"{text}\n")
        parts += [output(shown) for shown in cell.get("outputs", ())]
    return "\n".join(parts)


# ---- links


def relinked(text: str, page: str, repository: str) -> str:
    """Return a page with its links: to other pages as mkdocs wants them, to other files on the web."""
    origin = {at: name for name, at in PAGES.items()}.get(page)
    folder = "" if origin else posixpath.join("docs", posixpath.dirname(page))

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[2]))
        if not (ROOT / target).exists():
            return match[0]
        if target == "docs/index.md":
            target = "README.md"
        at = PAGES.get(target) or target.removeprefix("docs/").replace(".ipynb", ".md")
        is_page = target.startswith("docs/") and target.endswith((".md", ".ipynb", ".svg"))
        if target in PAGES or is_page:
            return match[1] + posixpath.relpath(at, posixpath.dirname(page) or ".") + match[3]
        return f"{match[1]}{repository}/blob/main/{target}{match[3]}"

    return LINK.sub(link, text)


# ---- what mkdocs calls


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    with (ROOT / "pyproject.toml").open("rb") as file:
        config.repo_url = tomllib.load(file)["project"]["urls"]["Repository"]
    config.repo_name = "zchunk"
    config.edit_uri = ""
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    made = reference(homes())
    made |= {page: (ROOT / name).read_text(encoding="utf-8") for name, page in PAGES.items()}
    made["tutorial.md"] = from_notebook(ROOT / "docs/tutorial.ipynb")
    for page, text in made.items():
        if old := files.get_file_from_path(page):
            files.remove(old)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return relinked(markdown, page.file.src_uri, config.repo_url or "")
