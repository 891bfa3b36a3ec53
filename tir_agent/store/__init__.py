"""Trajectories on disk: one file each (`single`), or the folder of a run, which loses nothing."""

from tir_agent.store.counts import Counts, count, find_runs, folder_bytes
from tir_agent.store.grade_log import GradeLog, GradeRow, read_grades
from tir_agent.store.grade_terms import GradeTerms
from tir_agent.store.manifest import (
    ArmPrompt,
    Draft,
    Host,
    Imported,
    ImportedFile,
    Manifest,
    Part,
    ProblemSet,
    Writing,
)
from tir_agent.store.merge import merge as merge_runs
from tir_agent.store.outcome import Key, Outcome
from tir_agent.store.reader import RunReader
from tir_agent.store.scan import Fault
from tir_agent.store.single import check_writable, default_name, load, save, save_or_rescue
from tir_agent.store.table import export as export_table
from tir_agent.store.verify import verify as verify_run
from tir_agent.store.writer import RunWriter

__all__ = [
    "ArmPrompt",
    "Counts",
    "Draft",
    "Fault",
    "GradeLog",
    "GradeRow",
    "GradeTerms",
    "Host",
    "Imported",
    "ImportedFile",
    "Key",
    "Manifest",
    "Outcome",
    "Part",
    "ProblemSet",
    "RunReader",
    "RunWriter",
    "Writing",
    "check_writable",
    "count",
    "default_name",
    "export_table",
    "find_runs",
    "folder_bytes",
    "load",
    "merge_runs",
    "read_grades",
    "save",
    "save_or_rescue",
    "verify_run",
]
