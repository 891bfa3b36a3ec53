"""Grading a run again, beside the grades that it has: its log is not touched."""

from tir_agent.regrade.cases import Case, Golds, Terms
from tir_agent.regrade.regrader import Regrader
from tir_agent.regrade.report import Difference, Report

__all__ = ["Case", "Difference", "Golds", "Regrader", "Report", "Terms"]
