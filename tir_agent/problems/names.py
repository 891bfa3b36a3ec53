"""What data sets call their fields, without case and punctuation; those that say most stand first."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ANSWERS",
    "BEFORE",
    "CHOICES",
    "IDS",
    "LABELS",
    "LETTER_FIELDS",
    "LEVELS",
    "SOLUTIONS",
    "SUBJECTS",
    "TEXTS",
]

# fmt: off
TEXTS: Final = (
    "problem", "question", "problemtext", "problemstatement", "questiontext", "questioncontent", "query",
    "instruction", "prompt", "input", "text", "messages", "conversations", "题目", "问题",
)
BEFORE: Final = ("body", "passage", "context")
"""Fields that stand before the question, where rows have something there."""
ANSWERS: Final = (
    "answer", "finalanswer", "goldanswer", "gold", "groundtruth", "expectedanswer", "correctanswer",
    "referenceanswer", "answerkey", "answervalue", "答案",
)
LABELS: Final = ("target", "label", "correct")
"""Fields that may be the answer, and may be something else."""
SOLUTIONS: Final = ("solution", "response", "output", "completion", "rationale", "messages", "conversations")
IDS: Final = (
    "id", "uniqueid", "problemid", "questionid", "qid", "uid", "uuid", "taskid", "exampleid", "sampleid",
)
"""Not `idx`: the number of a row is another in every part of a data set."""
SUBJECTS: Final = ("subject", "subjectname", "problemtype", "type", "category", "topic", "domain", "学科")
LEVELS: Final = ("level", "difficulty", "difficultylevel", "grade", "难度")
CHOICES: Final = ("choices", "options", "answerchoices", "answeroptions", "answeroptionlist", "optionlist")
LETTER_FIELDS: Final = ("{}", "option{}", "choice{}")
"""A field for each choice; the braces are its letter."""
# fmt: on
