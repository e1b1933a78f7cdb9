"""Trust in stored data: `verify` finds what is damaged, `manifest` keeps what was there, `repair` mends.

`verifying`, `manifests` and `repairing` have these three. `survey` goes through keys and metadata, `decoding`
through chunks, `reference` decodes by other packages, `portable` knows what others read; `places` finds what
is named, `report` holds what was found. What is imported here is public.
"""

from zchunk.wings.verification.manifests import Difference, Entry, Manifest, manifest
from zchunk.wings.verification.repairing import Action, RepairReport, repair
from zchunk.wings.verification.report import Finding, Report
from zchunk.wings.verification.verifying import verify

__all__ = [
    "Action",
    "Difference",
    "Entry",
    "Finding",
    "Manifest",
    "RepairReport",
    "Report",
    "manifest",
    "repair",
    "verify",
]
