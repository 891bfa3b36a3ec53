"""Recorded and fresh outputs in one shape, without what no two runs share.

Taken off: colours, memory addresses, the frames of tracebacks (an error is its type, its message and the line
of the cell), what newer Python versions word otherwise, the wrappers of the systems that recorded (`Out[n]:`,
"You have 1 steps left ...", the words for no output), white space at ends and between tokens, the order of
sets and dicts that are pure literals, and the last digits of floats (relative 1e-9, absolute 1e-12).

Not taken off: anything that needs to know what a value means. Those differences get a reason
(`fidelity_reasons.py`) or stay unexplained.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass

from tir_agent.observation import strip_ansi

from fidelity_run import Ran

_DASHES = "-" * 75
_HEADER = re.compile(r"^ ?([\w.]+(?: [a-z]+)*)\s+Traceback \(most recent call last\)", re.MULTILINE)
_SYNTAX = re.compile(r"^[ \t]*(SyntaxError|IndentationError|TabError): ?(.*)\Z", re.MULTILINE)
_CELL_LINE = re.compile(r"(?:Cell In ?\[\d+\], line |<ipython-input[^>]*> in [^\n]*\n[^>]*-+> ?)(\d+)")
_NUMBERED = re.compile(r"^(?:-+>|[ \t]) *\d+ (.*)$", re.MULTILINE)
_TRAILERS = re.compile(
    r"\n?(?:Your answer is wrong\.|You have \d+ steps? left and \d+ chances? to propose solution left\.)"
    r"(?:\n?(?:You have \d+ steps? left and|You should take the last step)[^\n]*)*\s*\Z"
)
_CUT = re.compile(r"\.\.\.\s*\[Output Truncated\]\s*\Z")
_OUT = re.compile(r"^Out\[\d+\]: ?\n?", re.MULTILINE)
_NOT_RUN = re.compile(r"\A\s*(?:Your answer is wrong\.|I don't understand your input)")
_SYNTAX_LINE = re.compile(r"^\s*Cell In ?\[\d+\], line \d+\n\s*([^\s^].*)$", re.MULTILINE)
_NOTHING = ("<empty_execution>", "[Executed Successfully with No Output]")
_NO_REPLY = "Timeout waiting for reply"
_ALARM = re.compile(
    r"(?m)^TimeoutError {3,}Traceback|Timed out after \d+ seconds|timeout_decorator\S*: 'Timed Out'"
)
_ONE_LINE_ERROR = re.compile(
    r"\A((?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Failed|Exit|Interrupt|Needed)\w*)(?:: (.*))?\Z", re.S
)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_FLOAT = re.compile(r"(?<![\w.])-?(?:\d+\.\d*(?:e[+-]?\d+)?|\.\d+|\d+e[+-]?\d+)(?![\w.])")
_CELL_FILE = re.compile(r"\S*/ipykernel_\d+/\d+\.py|<ipython-input-[^>]*>")
_PLACE = re.compile(r" \((?:/[^)]*|unknown location)\)$")
_QUALIFIED = re.compile(r"\b(?:\w+\.)+(?:<locals>\.)?(\w+\(\))")
SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")
_WORDINGS = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"^can't convert complex to (int|float)$", r"\1() argument must be a real number, not 'complex'"),
        (r"a string(?:, a bytes-like object)? or a (?:real )?number", "a real number"),
        (r"^(cannot determine truth value of Relational)\b.*", r"\1"),
        (
            r"^(?:integer |float )?(?:division or modulo|modulo|division|floor division) by zero$",
            "division by zero",
        ),
        (r"^float (?:modulo|divmod\(\))$", "division by zero"),
        (r"^can't mod complex numbers\.$", "complex %"),
        (r"^can't take floor of complex number\.$", "complex //"),
        (r"^unsupported operand type\(s\) for (%|//): .*'complex'.*$", r"complex \1"),
    )
]
"""How older Pythons and SymPys said the same."""
_PARSED_UP_TO = 20_000


@dataclass(frozen=True)
class Shown:
    """What a cell showed, there or here."""

    text: str = ""
    """Output before an error, if any."""
    error: str = ""
    """Type of the exception without its module, or nothing."""
    message: str | None = ""
    """None where it was cut off."""
    line: int | None = None
    """The line of this cell, or of an earlier one, that an error came from."""
    timed_out: bool = False
    cut: bool = False
    """The recorder shortened it; only what it left is here."""
    absent: bool = False
    """Nothing was recorded at all."""
    quoted: tuple[str, ...] = ()
    """Lines of the cell that a traceback shows."""


def from_recorded(file: str, output: str) -> Shown:
    """Read what a system recorded.

    >>> from_recorded("mint", "Out[3]: 4.0\\nYour answer is wrong.").text
    '4.0'
    """
    if file == "mint" and (not output or _NOT_RUN.match(output)):
        return Shown(absent=True)
    text = strip_ansi(output).replace("\r\n", "\n")
    text = _TRAILERS.sub("", text)
    cut = _CUT.search(text) is not None
    text = _OUT.sub("", _CUT.sub("", text))
    if text.strip() in _NOTHING:
        return Shown()
    if _NO_REPLY in text or _ALARM.search(text):
        return Shown(text=text.split(_DASHES)[0].strip(), timed_out=True)
    if file == "tora":
        return _one_line(text)
    return _with_traceback(text, cut=cut)


def _one_line(text: str) -> Shown:
    """ToRA kept the last line of a traceback."""
    if match := _ONE_LINE_ERROR.match(text.strip()):
        return Shown(error=match[1].rpartition(".")[2], message=match[2] or "")
    return Shown(text=text.strip())


def _with_traceback(text: str, *, cut: bool) -> Shown:
    before, dashes, after = text.partition(_DASHES)
    if dashes:
        headers = _HEADER.findall(after.lstrip())
        name = headers[-1] if headers else after.split(maxsplit=1)[0] if after.split() else ""
        line = next(iter(_CELL_LINE.findall(after)), None)
        number = int(line) if line else None
        return Shown(before.strip(), name, _message(after, name), number, cut=cut, quoted=_quoted(after))
    match = _SYNTAX.search(text)
    if match and re.search(r"^\s*(Cell In|File )", text, re.MULTILINE):
        return Shown(
            re.split(r"^\s*(?:Cell In|File )", text, flags=re.M)[0].strip(),
            match[1],
            match[2],
            quoted=tuple(_SYNTAX_LINE.findall(text)),
        )
    return Shown(text=text.strip(), cut=cut)


def _quoted(traceback: str) -> tuple[str, ...]:
    """The lines of the cell that a traceback shows: those after its "Cell In", up to the next frame."""
    lines: list[str] = []
    for block in re.split(r"\bCell In ?(?=\[)", traceback)[1:]:
        own = re.split(r"\n\s*\n|^ ?File ", block, flags=re.MULTILINE)[0]
        lines += _NUMBERED.findall(own)
    return tuple(line.strip() for line in lines if line.strip())


def _message(traceback: str, name: str) -> str | None:
    """What stands after the error's name in the traceback's last lines."""
    found = list(re.finditer(rf"^ ?(?:\w+\.)*{re.escape(name)}(?:: ?|$)", traceback, re.MULTILINE))
    return traceback[found[-1].end() :].strip() if found else None


def from_ran(ran: Ran) -> Shown:
    """Read what a cell did here."""
    parts = (ran.stdout, ran.stderr, ran.result or "")
    text = "\n".join(strip_ansi(part).strip("\n") for part in parts if part.strip())
    lines = _CELL_LINE.findall(ran.traceback)
    return Shown(
        text=text.strip(),
        error=ran.error,
        message=ran.message,
        line=int(lines[0]) if lines else None,
        timed_out=ran.status == "timeout",
    )


def same(there: Shown, here: Shown) -> bool:
    """Whether both show the same, after normalisation.

    >>> same(Shown("{1, 2}"), Shown("{2,  1}"))
    True
    """
    if there.absent or there.cut or there.timed_out or here.timed_out:
        return there.timed_out and here.timed_out
    return same_text(there.text, here.text) and there.error == here.error and same_message(there, here)


def same_message(there: Shown, here: Shown) -> bool:
    """Whether two errors of one type say the same, in whichever Python's words. The parser's own words for
    code that cannot be parsed are not compared."""
    if there.error in SYNTAX_ERRORS:
        return True
    return there.message is not None and wording(there.message) == wording(here.message or "")


def wording(message: str) -> str:
    """An error's message, as every Python version words it.

    >>> wording("Symbol.__new__() missing 1  argument")
    '__new__() missing 1 argument'
    """
    message = _QUALIFIED.sub(r"\1", _ADDRESS.sub("0x", message))
    message = re.sub(r"\. Did you (?:mean|forget).*", "", message)
    message = re.sub(r"\s+", " ", _PLACE.sub("", message)).strip()
    for pattern, words in _WORDINGS:
        message = pattern.sub(words, message)
    return message


def same_text(one: str, other: str) -> bool:
    """Whether two outputs are the same but for addresses, spaces, float noise and order in literals."""
    one, other = plain(one), plain(other)
    return one == other or _same_but_floats(one, other) or _same_literal(one, other)


def plain(text: str) -> str:
    """Without addresses, and with no spaces but between words.

    >>> plain("[ 1,  2 ]\\n a  b ")
    '[1,2] a b'
    """
    text = re.sub(r"\s+", " ", _ADDRESS.sub("0x", _CELL_FILE.sub("<cell>", text))).strip()
    return re.sub(r" ?([\[\](){},:=<>+*/^|-]) ?", r"\1", text.replace("] ", "]\x00")).replace("\x00", " ")


def _same_but_floats(one: str, other: str) -> bool:
    if _FLOAT.sub("#", one) != _FLOAT.sub("#", other):
        return False
    pairs = zip(_FLOAT.findall(one), _FLOAT.findall(other), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12) for a, b in pairs)


def _same_literal(one: str, other: str) -> bool:
    return (value := _literal(one)) is not None and value == _literal(other)


def _literal(text: str) -> object:
    """The value of a literal, None for any other text. Nothing is evaluated."""
    if not text.startswith(("{", "[", "(")) or len(text) > _PARSED_UP_TO:
        return None
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value
