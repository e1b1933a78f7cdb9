"""The names in a folder as they are at one time, packed: a folder of a million chunks takes some megabytes.

What needs no second look is kept apart: regular files, and folders, by names that can be in a key and are not those
of temporary files. Everything else is for the caller, by its name alone.
"""

import os

from cpython.exc cimport PyErr_CheckSignals
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.errno cimport ENOENT, ENOMEM, errno
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove, strlen

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <dirent.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <string.h>
    #include <unistd.h>

    enum { ZC_NONE, ZC_FILE, ZC_FOLDER, ZC_OTHER };

    /* What a name is for: a temporary one may be a file of any other program. */
    static int zc_sort_of(const struct dirent *entry, size_t *length) {
        const unsigned char *p = (const unsigned char *)entry->d_name;
        size_t n = 0;
        if (p[0] == '.' && (!p[1] || (p[1] == '.' && !p[2]))) return ZC_NONE;
        unsigned odd = 0;
        for (; p[n]; n++) odd |= (p[n] & 0x80u) | (p[n] == '\\\\');
        *length = n;
        if (odd || (n >= 8 && memcmp(p + n - 8, ".partial", 8) == 0)) return ZC_OTHER;
    #ifdef DT_REG
        if (entry->d_type == DT_REG) return ZC_FILE;
        if (entry->d_type == DT_DIR) return ZC_FOLDER;
    #endif
        return ZC_OTHER;
    }
    /* Only by errno the end is told from an error. */
    static struct dirent *zc_readdir(DIR *folder, int *code) {
        struct dirent *found;
        errno = 0;
        found = readdir(folder);
        *code = found == NULL ? errno : 0;
        return found;
    }
    static DIR *zc_opendir(int above, const char *path) {
        int fd, code;
        DIR *found;
        do fd = openat(above, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); while (fd < 0 && errno == EINTR);
        if (fd < 0) return NULL;
        found = fdopendir(fd);
        if (found == NULL) {
            code = errno;
            close(fd);
            errno = code;
        }
        return found;
    }
    """
    ctypedef struct DIR:
        pass
    ctypedef struct dirent "struct dirent":
        char* d_name
    DIR* zc_opendir(int above, const char* path)
    dirent* zc_readdir(DIR* folder, int* code)
    int closedir(DIR* folder)
    int unlinkat(int folder, const char* path, int flags)
    int AT_FDCWD
    int zc_sort_of(const dirent* entry, size_t* length)
    int ZC_NONE, ZC_FILE, ZC_FOLDER, ZC_OTHER

cdef enum:
    # Names between two looks whether Ctrl-C was pressed.
    SOME = 16384
    ROOM = 4096
    MAX_NDIM = 64
    # Digits of a coordinate
    MOST_DIGITS = 19


cdef struct Names:
    # Each with a NUL at its end
    char* text
    size_t used
    size_t room
    Py_ssize_t count


cdef int _add(Names* names, const char* name, size_t length) noexcept nogil:
    """Add a name; return 0, or ENOMEM."""
    cdef size_t room = names.room
    cdef char* more
    if names.used + length + 1 > room:
        room = max(2 * room, names.used + length + 1, <size_t>ROOM)
        more = <char*>realloc(names.text, room)
        if more == NULL:
            return ENOMEM
        names.text, names.room = more, room
    memcpy(names.text + names.used, name, length + 1)
    names.used += length + 1
    names.count += 1
    return 0


cdef int _read_some(DIR* folder, Names* sorts, bint* more) noexcept nogil:
    """Add up to SOME names to those of their sort; `more` is whether there may be others. Return 0 or an errno."""
    cdef dirent* entry
    cdef size_t length = 0
    cdef int _i, sort, code = 0
    for _i in range(SOME):
        entry = zc_readdir(folder, &code)
        if entry == NULL:
            more[0] = False
            return code
        sort = zc_sort_of(entry, &length)
        if sort != ZC_NONE:
            code = _add(&sorts[sort], entry.d_name, length)
            if code != 0:
                return code
    return 0


cdef list _texts(Names* names):
    """Return names as the system's are in Python."""
    cdef list found = []
    cdef size_t at = 0
    while at < names.used:
        name = <bytes>(names.text + at)
        at += len(name) + 1
        found.append(os.fsdecode(name))
    return found


cdef bint _is_coordinates(const char* name, int ndim, char separator, const uint64_t* limits) noexcept nogil:
    """Whether a name is `ndim` numbers below their limits, as `str` writes them, with a separator between."""
    cdef uint64_t number
    cdef int axis, digits
    for axis in range(ndim):
        if axis > 0:
            if name[0] != separator:
                return False
            name += 1
        number, digits = 0, 0
        while c"0" <= name[0] <= c"9":
            number = 10 * number + <uint64_t>(name[0] - c"0")
            digits += 1
            if digits > MOST_DIGITS or (digits == 2 and number < 10):
                return False
            name += 1
        if digits == 0 or number >= limits[axis]:
            return False
    return name[0] == 0


cdef class Listing:
    """What is in the folder at a path, which may be one below an open folder.

    `files` regular files have names of ASCII that can be in a key. `folders` are the names of such folders;
    `others` are those of all else: links, temporary files, what the file system does not tell the kind of.
    """

    cdef Names _files
    # Where the names begin that `unlink_some` has not taken
    cdef size_t _left
    cdef readonly list folders
    cdef readonly list others

    def __cinit__(self, bytes path not None, int dir_fd=AT_FDCWD):
        cdef const char* name = path
        cdef DIR* folder
        cdef Names sorts[4]
        cdef bint more = True
        cdef int code = 0, i
        if strlen(name) != <size_t>len(path):
            raise ValueError("embedded null byte")
        for i in range(4):
            sorts[i].text, sorts[i].used, sorts[i].room, sorts[i].count = NULL, 0, 0, 0
        with nogil:
            folder = zc_opendir(dir_fd, name)
            if folder == NULL:
                code = errno
        if code != 0:
            raise OSError(code, os.strerror(code), os.fsdecode(path))
        try:
            while more and code == 0:
                with nogil:
                    code = _read_some(folder, sorts, &more)
                PyErr_CheckSignals()
            if code != 0:
                raise OSError(code, os.strerror(code), os.fsdecode(path))
            self.folders, self.others = _texts(&sorts[ZC_FOLDER]), _texts(&sorts[ZC_OTHER])
            free(self._files.text)
            self._files = sorts[ZC_FILE]
            sorts[ZC_FILE].text = NULL
        finally:
            closedir(folder)
            for i in range(4):
                free(sorts[i].text)

    def __dealloc__(self):
        free(self._files.text)

    @property
    def files(self):
        """Number of the files."""
        return self._files.count

    def keys(self, str above not None):
        """Return what gives the names of the files with `above`, which is ASCII or not, before each."""
        return _Keys(self, above)

    def count(self, bytes prefix not None, separator, list limits not None):
        """Return how many names of files are a prefix and then coordinates of chunks, each below its limit."""
        cdef uint64_t most[MAX_NDIM]
        cdef int ndim = <int>len(limits), i
        cdef size_t length = len(prefix), at = 0
        cdef const char* start = prefix
        cdef const char* name
        cdef char between = <char>ord(separator)
        cdef Py_ssize_t found = 0
        if ndim > MAX_NDIM:
            raise ValueError(f"{ndim} axes")
        for i in range(ndim):
            most[i] = limits[i]
        with nogil:
            while at < self._files.used:
                name = self._files.text + at
                at += strlen(name) + 1
                if self._files.text + at - name > <Py_ssize_t>length and memcmp(name, start, length) == 0:
                    found += _is_coordinates(name + length, ndim, between, most)
        return found

    @property
    def text(self):
        """The names of the files as bytes, with a NUL between."""
        return <bytes>self._files.text[:self._files.used - 1] if self._files.used else b""

    def take_out(self, list names not None):
        """Make some names none of the files any more, as they are no folders; return those that were."""
        cdef size_t at = 0, to = 0, length
        cdef const char* name
        cdef list found = []
        cdef bytes wanted
        for text in names:
            wanted = os.fsencode(text)
            at, to = 0, 0
            # There is none twice: after the first all the others move.
            while at < self._files.used and to == 0:
                name = self._files.text + at
                length = strlen(name) + 1
                if length == <size_t>len(wanted) + 1 and memcmp(name, <const char*>wanted, length) == 0:
                    to = at + length
                else:
                    at += length
            if to != 0:
                memmove(self._files.text + at, self._files.text + to, self._files.used - to)
                self._files.used -= to - at
                self._files.count -= 1
                found.append(text)
        return found

    def unlink_some(self, int fd, int n, bint missing=False):
        """Delete the next `n` files, in the order of their names here, in the folder that is open as `fd`.

        Several threads may do so at the same time. Files that are `missing` may be no error.
        """
        cdef const char* name
        cdef size_t at = self._left, end
        cdef int _i, code = 0
        end = at
        for _i in range(n):
            if end < self._files.used:
                end += strlen(self._files.text + end) + 1
        self._left = end
        with nogil:
            while at < end and code == 0:
                name = self._files.text + at
                if unlinkat(fd, name, 0) == 0 or (missing and errno == ENOENT):
                    at += strlen(name) + 1
                else:
                    code = errno
        if code != 0:
            raise OSError(code, os.strerror(code), os.fsdecode(<bytes>name))


cdef class _Keys:
    """Gives the names of a listing's files, one after the other."""

    cdef Listing _listing
    cdef str _above
    cdef size_t _at

    def __cinit__(self, Listing listing not None, str above not None):
        self._listing, self._above, self._at = listing, above, 0

    def __iter__(self):
        return self

    def __next__(self):
        cdef const char* name
        cdef size_t length
        if self._at >= self._listing._files.used:
            raise StopIteration
        name = self._listing._files.text + self._at
        length = strlen(name)
        self._at += length + 1
        found = PyUnicode_DecodeASCII(name, length, NULL)
        return self._above + found if self._above else found
