"""Trust in stored data: `verify` finds what is damaged, `manifest` keeps what was there, `repair` mends."""

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
