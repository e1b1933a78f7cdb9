"""Build of the extension modules; everything else about the package is in pyproject.toml.

Environment switches:

ZCHUNK_SYSTEM_LIBS=1              link the system's libraries, which pkg-config finds
ZCHUNK_BLOSC2_DIR=PREFIX          take include/ and lib/libblosc2.a from here, not from the blosc2 wheel
ZCHUNK_DEBUG=1                    bounds and None checks on, no optimisation
ZCHUNK_SANITIZE=address,undefined compile and link with these sanitizers
ZCHUNK_COVERAGE=1                 count how often lines run, for `make coverage`
ZCHUNK_WERROR=1                   C compiler warnings are errors
ZCHUNK_CYTHON=1                   translate by Cython what an sdist has as C
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
from setuptools.command.sdist import sdist

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
    compile_args = ["-g"] if debug else ["-g1"]
    # Warnings are for those that can mend them.
    compile_args += ["-fvisibility=hidden", "-w" if has_c() else "-Wall"]
    # Code that Cython writes, not ours: unused helpers, and structs with trailing zero members.
    compile_args += ["-Wno-unused-function", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]
    link_args = []
    if switch("ZCHUNK_WERROR"):
        compile_args += ["-Wextra", "-Werror"]
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
            extra_compile_args=[optimisation(name, debug), *compile_args, *libraries.compile_args],
            extra_link_args=[*link_args, *(libraries.link_args if name in LINKS_LIBRARIES else [])],
        )
        for name in MODULES
    ]


def optimisation(module: str, debug: bool) -> str:
    """Return how much a module is optimised: most where loops go over values."""
    if debug:
        return "-O0"
    return "-O2" if module.startswith(("io/", "threads/")) else "-O3"


def has_c() -> bool:
    """Whether this is an sdist with C that suits: for these switches, and a Python that its Cython knew."""
    return (
        Path("PKG-INFO").exists()
        and all(Path(f"_ext/{name}.c").exists() for name in MODULES)
        and sys.version_info < (3, 15)
        and not any(map(switch, ("ZCHUNK_CYTHON", "ZCHUNK_DEBUG", "ZCHUNK_COVERAGE")))
    )


def translate(modules: list[Extension], processes: int) -> dict[str, list[str]]:
    """Write the C of modules by Cython, and return the sources of each."""
    translated = cythonize(
        # It returns other objects, without what setuptools has noted in these.
        [Extension(module.name, module.sources) for module in modules],
        nthreads=processes,
        compiler_directives={
            "language_level": 3,
            "boundscheck": switch("ZCHUNK_DEBUG"),
            "wraparound": False,
            "nonecheck": switch("ZCHUNK_DEBUG"),
            "initializedcheck": switch("ZCHUNK_DEBUG"),
            "cdivision": True,
            "embedsignature": True,
            # What is pickled says so itself.
            "auto_pickle": False,
        },
        show_all_warnings=True,
    )
    return {module.name: module.sources for module in translated}


class BuildModules(build_ext):
    """Cython, then the C compiler, each on every core; only when modules are built."""

    def build_extensions(self) -> None:
        self.check_tools()
        if has_c():
            sources = {f"zchunk._ext.{name.replace('/', '.')}": [f"_ext/{name}.c"] for name in MODULES}
        else:
            sources = translate(self.extensions, self.parallel)
        for module in self.extensions:
            module.sources = sources[module.name]
        # The longest first, so that no core waits for it in the end.
        self.extensions.sort(key=lambda module: -sum(os.path.getsize(name) for name in module.sources))
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


class SourcesAndC(sdist):
    """An sdist has the C that Cython writes, which takes a quarter of a build."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        for sources in translate(extensions(), os.cpu_count() or 1).values():
            for name in sources:
                self.copy_file(name, os.path.join(base_dir, name), link=None)


if __name__ == "__main__":
    setup(
        ext_modules=extensions(),
        cmdclass={"build_ext": BuildModules, "sdist": SourcesAndC},
        options={"build_ext": {"parallel": os.cpu_count() or 1}},
    )
