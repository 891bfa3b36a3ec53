"""Trajectories on disk: one file each (`single`), or the folder of a run, which loses nothing."""

from tir_agent.store.grade_log import GradeLog, GradeRow
from tir_agent.store.manifest import ArmPrompt, Draft, Host, Manifest, Part, ProblemSet, Writing
from tir_agent.store.outcome import Key, Outcome
from tir_agent.store.reader import RunReader
from tir_agent.store.scan import Fault
from tir_agent.store.single import check_writable, default_name, load, save, save_or_rescue
from tir_agent.store.writer import RunWriter

__all__ = [
    "ArmPrompt",
    "Draft",
    "Fault",
    "GradeLog",
    "GradeRow",
    "Host",
    "Key",
    "Manifest",
    "Outcome",
    "Part",
    "ProblemSet",
    "RunReader",
    "RunWriter",
    "Writing",
    "check_writable",
    "default_name",
    "load",
    "save",
    "save_or_rescue",
]
