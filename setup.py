"""Build of the extension modules; everything else about the package is in pyproject.toml.

Environment switches:

ZCHUNK_DEBUG=1                    bounds and None checks on, no optimisation
ZCHUNK_SANITIZE=address,undefined compile and link with these sanitizers
ZCHUNK_COVERAGE=1                 count how often lines run, for `make coverage`
ZCHUNK_WERROR=1                   C compiler warnings are errors
ZCHUNK_BLOSC2_DIR=PREFIX          take include/ and lib/libblosc2.a from here, not from the blosc2 wheel
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

# One for each _ext/<folder>/<name>.pyx.
MODULES = sorted(path.relative_to("_ext").with_suffix("").as_posix() for path in Path("_ext").rglob("*.pyx"))
# The one module that contains C-Blosc2, LZ4, Zstd and zlib-ng; the others call them through it.
LINKS_LIBRARIES = {"codecs/libraries"}


def switch(name: str) -> bool:
    return os.environ.get(name, "0") not in ("", "0")


def blosc2_prefix() -> Path:
    """Return the folder that holds include/blosc2.h and lib/libblosc2.a."""
    if prefix := os.environ.get("ZCHUNK_BLOSC2_DIR"):
        return Path(prefix)
    import importlib.util

    spec = importlib.util.find_spec("blosc2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("building zchunk needs the blosc2 package (or ZCHUNK_BLOSC2_DIR)")
    return Path(next(iter(spec.submodule_search_locations)))


def static_library(prefix: Path) -> str:
    for folder in ("lib", "lib64"):
        if (library := prefix / folder / "libblosc2.a").exists():
            return str(library)
    raise SystemExit(f"no lib/libblosc2.a below {prefix}: this blosc2 wheel carries no static library")


def extensions() -> list[Extension]:
    prefix = blosc2_prefix()
    debug = switch("ZCHUNK_DEBUG")
    compile_args = ["-O0", "-g"] if debug else ["-O3", "-g1"]
    compile_args += ["-fvisibility=hidden", "-Wall", "-Wextra"]
    # Code that Cython writes, not ours: unused helpers, and structs with trailing zero members.
    compile_args += ["-Wno-unused-function", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]
    link_args = ["-Wl,--exclude-libs,ALL"] if sys.platform.startswith("linux") else []
    if switch("ZCHUNK_WERROR"):
        compile_args.append("-Werror")
    if sanitize := os.environ.get("ZCHUNK_SANITIZE"):
        # As the sanitizers' manual has it: whole stacks, and faster to compile.
        compile_args += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer", "-O1"]
        # Python's own flags have -fwrapv, by which no signed overflow would be found.
        compile_args += ["-fno-sanitize-recover=undefined", "-fno-wrapv"]
        link_args.append(f"-fsanitize={sanitize}")
    if switch("ZCHUNK_COVERAGE"):
        compile_args += ["-Og", "--coverage", "-fprofile-update=atomic"]
        link_args.append("--coverage")
    macros = [
        ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
        ("NPY_TARGET_VERSION", "NPY_1_25_API_VERSION"),
    ]
    return [
        Extension(
            f"zchunk._ext.{name.replace('/', '.')}",
            [f"_ext/{name}.pyx"],
            include_dirs=["_ext", numpy.get_include(), str(prefix / "include")],
            depends=[str(header) for header in Path("_ext").rglob("*.h")],
            define_macros=macros,
            extra_objects=[static_library(prefix)] if name in LINKS_LIBRARIES else [],
            libraries=["pthread", "dl", "m"] if name in LINKS_LIBRARIES and sys.platform != "win32" else [],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
        for name in MODULES
    ]


setup(
    ext_modules=cythonize(
        extensions(),
        nthreads=0,
        compiler_directives={
            "language_level": 3,
            "boundscheck": switch("ZCHUNK_DEBUG"),
            "wraparound": False,
            "nonecheck": switch("ZCHUNK_DEBUG"),
            "initializedcheck": switch("ZCHUNK_DEBUG"),
            "cdivision": True,
            "embedsignature": True,
        },
        show_all_warnings=True,
    ),
    # A compiler for every core.
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
