"""Groups: `Group`, `group`, `open_group` and `create_group` (in `groups`), and the parts they are made of.

`members` finds and lists the arrays and groups below a group, `member_creation` makes them, `tree` draws
them. The names here are public.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.hierarchy.groups import Group, create_group, group, open_group
else:
    __getattr__ = lazy_names(globals(), {"zchunk.hierarchy.groups": "Group create_group group open_group"})

__all__ = ["Group", "create_group", "group", "open_group"]
