"""Build of the extension modules; everything else about the package is in pyproject.toml.

Environment switches:

ZCHUNK_SYSTEM_LIBS=1              link the system's libraries, which pkg-config finds
ZCHUNK_BLOSC2_DIR=PREFIX          take include/ and lib/libblosc2.a from here, not from the blosc2 wheel
ZCHUNK_DEBUG=1                    bounds and None checks on, no optimisation
ZCHUNK_SANITIZE=address,undefined compile and link with these sanitizers
ZCHUNK_COVERAGE=1                 count how often lines run, for `make coverage`
ZCHUNK_WERROR=1                   C compiler warnings are errors
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

if sys.platform == "win32":
    raise SystemExit("zchunk does not run on Windows: install it in WSL, the Windows Subsystem for Linux")

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# One for each _ext/<folder>/<name>.pyx.
MODULES = sorted(path.relative_to("_ext").with_suffix("").as_posix() for path in Path("_ext").rglob("*.pyx"))
# The one module that contains C-Blosc2, LZ4, Zstd and zlib-ng; the others call them through it.
LINKS_LIBRARIES = {"codecs/libraries"}
# For pkg-config, in the order of linking: a shared C-Blosc2 may carry other versions of those before it.
SYSTEM_LIBRARIES = ("liblz4 >= 1.9", "libzstd >= 1.4", "blosc2 >= 2.0")


def switch(name: str) -> bool:
    return os.environ.get(name, "0") not in ("", "0")


# ---- the libraries


@dataclass(frozen=True)
class Libraries:
    """How to compile what calls C-Blosc2, LZ4, Zstd and zlib-ng, and how to link them."""

    compile_args: list[str]
    link_args: list[str]
    static: list[str] = field(default_factory=list)
    macros: list[tuple[str, str]] = field(default_factory=list)


def bundled() -> Libraries:
    """All four from the static library in the blosc2 wheel."""
    prefix = blosc2_prefix()
    # Their names stay inside of the module.
    hidden = ["-Wl,--exclude-libs,ALL"] if sys.platform.startswith("linux") else []
    return Libraries([f"-I{prefix / 'include'}"], hidden, [static_library(prefix)])


def of_system() -> Libraries:
    """The shared libraries that pkg-config finds."""
    deflate = "zlib-ng >= 2.0" if pkg_config_has("zlib-ng >= 2.0") else "zlib >= 1.2.11"
    wanted = [deflate, *SYSTEM_LIBRARIES]
    if missing := [name for name in wanted if not pkg_config_has(name)]:
        raise SystemExit(f"ZCHUNK_SYSTEM_LIBS: pkg-config does not find {', '.join(missing)}")
    macros = [("ZCHUNK_SYSTEM_LIBS", "1")]
    if deflate.startswith("zlib "):
        macros.append(("ZCHUNK_ZLIB", "1"))
    return Libraries(pkg_config("--cflags", *wanted), pkg_config("--libs", *wanted), macros=macros)


def blosc2_prefix() -> Path:
    """Return the folder that holds include/blosc2.h and lib/libblosc2.a."""
    if prefix := os.environ.get("ZCHUNK_BLOSC2_DIR"):
        return Path(prefix)
    spec = importlib.util.find_spec("blosc2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("building zchunk needs the blosc2 package (or ZCHUNK_BLOSC2_DIR)")
    return Path(next(iter(spec.submodule_search_locations)))


def static_library(prefix: Path) -> str:
    for folder in ("lib", "lib64"):
        if (library := prefix / folder / "libblosc2.a").exists():
            return str(library)
    raise SystemExit(f"no lib/libblosc2.a below {prefix}: this blosc2 wheel carries no static library")


def pkg_config_has(library: str) -> bool:
    program = os.environ.get("PKG_CONFIG", "pkg-config")
    if shutil.which(program) is None:
        raise SystemExit(f"ZCHUNK_SYSTEM_LIBS needs {program}, which is not installed")
    return subprocess.run([program, "--exists", library], check=False).returncode == 0


def pkg_config(*arguments: str) -> list[str]:
    program = os.environ.get("PKG_CONFIG", "pkg-config")
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout.split()


# ---- the modules


def extensions() -> list[Extension]:
    libraries = of_system() if switch("ZCHUNK_SYSTEM_LIBS") else bundled()
    debug = switch("ZCHUNK_DEBUG")
    compile_args = ["-O0", "-g"] if debug else ["-O3", "-g1"]
    compile_args += ["-fvisibility=hidden", "-Wall", "-Wextra"]
    # Code that Cython writes, not ours: unused helpers, and structs with trailing zero members.
    compile_args += ["-Wno-unused-function", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]
    link_args = []
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
            include_dirs=["_ext", numpy.get_include()],
            depends=[str(header) for header in Path("_ext").rglob("*.h")],
            define_macros=[*macros, *(libraries.macros if name in LINKS_LIBRARIES else [])],
            extra_objects=libraries.static if name in LINKS_LIBRARIES else [],
            libraries=["pthread", "dl", "m"] if name in LINKS_LIBRARIES else [],
            extra_compile_args=[*compile_args, *libraries.compile_args],
            extra_link_args=[*link_args, *(libraries.link_args if name in LINKS_LIBRARIES else [])],
        )
        for name in MODULES
    ]


class BuildModules(build_ext):
    """Cython, then the C compiler, each on every core; only when modules are built, not for an sdist."""

    def build_extensions(self) -> None:
        self.check_tools()
        translated = cythonize(
            # It returns other objects, without what setuptools has noted in these.
            [Extension(module.name, module.sources) for module in self.extensions],
            nthreads=self.parallel,
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
        )
        sources = {module.name: module.sources for module in translated}
        for module in self.extensions:
            module.sources = sources[module.name]
        super().build_extensions()

    def check_tools(self) -> None:
        """Say in one sentence what is missing, before Cython has worked for a minute."""
        compiler = self.compiler.compiler_so[0]
        if shutil.which(compiler) is None:
            raise SystemExit(
                f"building zchunk needs a C compiler, and {compiler!r} is not installed "
                "(Debian: apt install gcc libc6-dev; macOS: xcode-select --install)"
            )
        header = Path(sysconfig.get_path("include"), "Python.h")
        if not header.exists():
            raise SystemExit(
                f"building zchunk needs the headers of Python, and there is no {header} "
                "(Debian: apt install python3-dev)"
            )


if __name__ == "__main__":
    setup(
        ext_modules=extensions(),
        cmdclass={"build_ext": BuildModules},
        options={"build_ext": {"parallel": os.cpu_count() or 1}},
    )
