"""Metadata of Zarr format 3: `document` parses and renders `zarr.json`, the other modules its members.

Most arrays are of format 2: the names of `document` are imported when the first of them is read.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.metadata.v3.document import (
        GROUP_MEMBERS as GROUP_MEMBERS,
    )
    from zchunk.metadata.v3.document import (
        check_attributes as check_attributes,
    )
    from zchunk.metadata.v3.document import (
        group_extensions as group_extensions,
    )
    from zchunk.metadata.v3.document import (
        known_array as known_array,
    )
    from zchunk.metadata.v3.document import (
        node_type as node_type,
    )
    from zchunk.metadata.v3.document import (
        parse_array as parse_array,
    )
    from zchunk.metadata.v3.document import (
        parse_consolidated as parse_consolidated,
    )
    from zchunk.metadata.v3.document import (
        parse_group as parse_group,
    )
    from zchunk.metadata.v3.document import (
        render_array as render_array,
    )
    from zchunk.metadata.v3.document import (
        render_group as render_group,
    )
    from zchunk.metadata.v3.document import (
        resized as resized,
    )
    from zchunk.metadata.v3.document import (
        with_attributes as with_attributes,
    )
    from zchunk.metadata.v3.document import (
        with_chunks as with_chunks,
    )
    from zchunk.metadata.v3.document import (
        with_shape as with_shape,
    )
else:
    __getattr__ = lazy_names(
        globals(),
        {
            "zchunk.metadata.v3.document": "GROUP_MEMBERS check_attributes group_extensions known_array "
            "node_type parse_array parse_consolidated parse_group render_array render_group resized "
            "with_attributes with_chunks with_shape"
        },
    )
