"""Lines of C are counted for the line of Cython that they were made from."""

from __future__ import annotations

from collections import defaultdict

from tests.pyx_coverage import Counts, gather, ranges, report, sources

C_FILE = """\
static int x;
  /* "_ext/a.pyx":3
 * def f():
 */
  x = 1;
  /* "_ext/a.pyx":4
 */
  x = 2;
  goto error;
  /* "zchunk/_ext/b.pxd":7
 */
  x = 3;
""".splitlines()


def test_lines_of_c_belong_to_the_comment_above() -> None:
    found = sources(C_FILE)
    assert (found[0], found[4], found[7], found[8]) == (None, ("_ext/a.pyx", 3), *[("_ext/a.pyx", 4)] * 2)
    assert found[-1] == ("zchunk/_ext/b.pxd", 7)


def test_a_line_has_run_if_any_c_of_it_has() -> None:
    into: Counts = defaultdict(dict)
    gather({1: 9, 5: 0, 8: 2, 9: 0, 12: 5}, sources(C_FILE), into)
    assert into == {"_ext/a.pyx": {3: 0, 4: 2}, "zchunk/_ext/b.pxd": {7: 5}}
    assert [line.split() for line in report(into)] == [
        ["_ext/a.pyx", "2", "1", "50%", "3"],
        ["zchunk/_ext/b.pxd", "1", "0", "100%"],
        ["TOTAL", "3", "1", "67%"],
    ]


def test_ranges() -> None:
    assert ranges([9, 3, 5, 4]) == "3-5 9"
    assert ranges([]) == ""
