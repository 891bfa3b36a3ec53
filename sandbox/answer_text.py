r"""One spelling for answers that look the same on paper, and where a text may be cut in two.

Nothing is evaluated here, and nothing but text is known: `\frac12` stays as it is, `１２` becomes `12`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CHARACTERS: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_CHARACTERS |= {
    ord(old): new
    for old, new in zip(
        "−–—。、　\xa0\u2009²³¹⁰≤≥⩽⩾≠∞π×·÷∪∩∈∅√°±θα½⅓¼¾⅔‘’“”′",
        [*"---., ", " ", " ", "^2", "^3", "^1", "^0", r"\le ", r"\ge ", r"\le ", r"\ge ", r"\ne ", r"\infty "]
        + [r"\pi ", r"\times ", r"\cdot ", "/", r"\cup ", r"\cap ", r"\in ", r"\emptyset ", r"\sqrt "]
        + [r"^\circ ", r"\pm ", r"\theta ", r"\alpha "]
        + [rf"\frac{{{top}}}{{{bottom}}}" for top, bottom in ("12", "13", "14", "34", "23")]
        + ["'", "'", '"', '"', "'"],
        strict=True,
    )
}
_CHARACTERS |= {0x2460 + number: rf"\textcircled{{{number + 1}}}" for number in range(20)}
# What is not seen: zero bytes, joiners, marks of direction, halves of characters that are not there.
_CHARACTERS |= dict.fromkeys(
    [0, 0xAD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065)]
)
_SURROGATES = re.compile("[\ud800-\udfff]")

_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|sqrt|exp|pi|theta|binom"
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Marks of Markdown, and a space's backslash whose space is gone.
        (r"^(\*\*|__|`+)(.+)\1$", r"\2"),
        (r"(?<!\\)\\$", ""),
        # A dollar sign in front of a number is money, around it a delimiter.
        (r"\\\$ ?(-?[\d.,]*\d)(?!\s*(?:dollar|cent))", r"\1 dollar "),
        (r"^(-?)\$ ?(-?[\d.,]*\d)(?:\s*dollars?)?\.?$", r"\1\2 dollar"),
        (r"\\(?:left|right|displaystyle|big|Big|bigg|limits)(?![A-Za-z])|(?<!\\)\\!|\\?\$|(?<!\\)\\[()]", ""),
        (r"(?<!\\)\\[\[\],;: ]|~|\\q?quad(?![A-Za-z])", " "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (
            r"\\(?:text(?:bf|it|rm|sf|tt)?|mbox|math(?:rm|bf|it|sf|tt)|operatorname|bold(?:symbol)?)\s*\{([^{}]*)\}",
            r" \1 ",
        ),
        (r"\\leq?(?:slant)?(?![A-Za-z])", r"\\le "),
        (r"\\geq?(?:slant)?(?![A-Za-z])", r"\\ge "),
        (r"\\(?:neq?|not ?=)(?![A-Za-z])|!=", r"\\ne "),
        (r"\\langle ?", "("),
        (r" ?\\rangle", ")"),
        (r", ?(?:and|or) (?=[\d\\({A-Za-z-])", ","),
        (r"\\lt(?![A-Za-z])", "<"),
        (r"\\gt(?![A-Za-z])", ">"),
        (r"<=", r"\\le "),
        (r">=", r"\\ge "),
        (r"==", "="),
        (r"\\(?:varnothing|phi(?=$))", r"\\emptyset "),
        (r"\\i(?:math)?(?![A-Za-z])", "i"),
        (r"\\degree(?![A-Za-z])", r"^\\circ "),
        (r"\^\s*\{\s*\\circ\s*\}", r"^\\circ "),
        (r"\\(?:ldots|dots|cdots)(?![A-Za-z])|…", "..."),
        (r"\s+", " "),
        (r"(?<=[\d}]) ?[或和与](?= ?[A-Za-z\d\\-])", ","),
        (r"(?<![A-Za-z])(?:np|numpy|math|sp|sympy)\.(?=[a-z])", ""),
        (r"(?<=\d)\.(?=[/*+)}-])", ""),
        (r"\*\*", "^"),
        (r"(?<=[\w)}]) ?\* ?(?=[\w(\\])", r"\\cdot "),
        (rf"(?<![\\A-Za-z])({_FUNCTIONS})(?![A-Za-z])", r"\\\1 "),
        (r"(?<![\\A-Za-z])([+-]?)(?:oo|inf|infinity|Infinity|无穷大|正无穷)(?![A-Za-z])", r"\1\\infty "),
        (r"\\lg(?![A-Za-z])", r"\\log_{10}"),
        (r"(?<=\d)[eE]([+-]?\d+)\b", r" \\times 10^{\1}"),
        (r"(?<=\d) ?[xX] ?(?=10\^)", r" \\times "),
        (r"^(?:\\approx(?![A-Za-z])|≈|approximately|about|roughly|大?约) ?(?=[\d.\\-])", ""),
        (r"(?<=\d) ?(?:dozens?)(?![A-Za-z])", r"\\cdot 12"),
        (r"(?<=\d) (?:thousand)(?![A-Za-z])|(?<=\d)千(?![克米瓦])", r" \\times 10^{3}"),
        (r"(?<=\d)万", r" \\times 10^{4}"),
        (r"(?<=\d) (?:million)(?![A-Za-z])", r" \\times 10^{6}"),
        (r"(?<=\d)亿", r" \\times 10^{8}"),
        (r"(?<=\d) (?:billion)(?![A-Za-z])", r" \\times 10^{9}"),
        (r"(?<![\d.\w^_])(\d+)(?: | and )(\d+)/(\d+)(?!\d)", r"\1\\frac{\2}{\3}"),
        (r"(?<=\d)(?: |\{,\})(?=\d{3}(?!\d))", ""),
        # Not behind a comma with three digits to come: `1, 234` are two numbers, `1,234` is one.
        (r" (?=[^\w\s\\])|(?<=[^\w\s\\,]) |(?<=,) (?!\d{3}(?!\d))", ""),
        (r"(?<![.\s])(?!\.{3})[.,;:]+$", ""),
    )
]
_PREFIX = re.compile(
    r"(?:(?:so|thus|hence|therefore),? ?)?(?:the|my|our)? ?(?:correct |final |right )?"
    r"(?:answer|choice|option)(?: is| would be|:| =|=)+ ?(?:choice |option )?"
    r"|(?:故)?(?:答案|选项?)(?:是|为|:)+ ?",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_BOX = re.compile(r"\\(?:boxed|fbox) ?\{")

_OPEN, _SHUT = "([{", ")]}"


def plain(text: str) -> str:
    """The text in one spelling, without delimiters, boxes and what introduces an answer."""
    text = boxed(_SURROGATES.sub("?", text)).translate(_CHARACTERS)
    for _ in range(2):
        for pattern, replacement in _REWRITES:
            text = pattern.sub(replacement, text.strip())
    text = _roots(text)
    if match := _PREFIX.match(text):
        text = text[match.end() :] or text
    return _without_separators(text.strip())


def boxed(text: str) -> str:
    """What the last box holds; all of the text where there is none, or it is not closed."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return text
    start = boxes[-1].end()
    for position, depth in depths(text, start):
        if depth < 0:
            return text[start:position]
    return text


def depths(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Each character's position, and how many brackets of any kind are open behind it."""
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] in _OPEN) - (text[position] in _SHUT)
        yield position, depth


def split(text: str, separators: str) -> list[str]:
    """The parts between separators (a regular expression) that no bracket surrounds.

    >>> split("(1, 2), 3", ",")
    ['(1, 2)', ' 3']
    """
    outside = {position for position, depth in depths(text) if depth == 0}
    parts, start = [], 0
    for match in re.finditer(separators, text):
        if match.start() in outside and match.end() > match.start():
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def wraps(text: str) -> bool:
    """Whether the bracket at the start is closed by the one at the end, whatever their kinds."""
    if len(text) < 2 or text[0] not in _OPEN or text[-1] not in _SHUT:
        return False
    return all(depth > 0 or position == len(text) - 1 for position, depth in depths(text))


def _roots(text: str) -> str:
    r"""`\\sqrt(8)` as `\\sqrt{8}`."""
    for match in reversed(list(re.finditer(r"\\sqrt ?\(", text))):
        start = match.end()
        end = next((position for position, depth in depths(text, start) if depth < 0), None)
        if end is not None:
            text = text[: match.start()] + r"\sqrt{" + text[start:end] + "}" + text[end + 1 :]
    return text


def _without_separators(text: str) -> str:
    """Numbers without the commas that group their digits; in `(1,234)` the comma divides."""
    listed = text.startswith(("(", "[", r"\{")) and text.endswith((")", "]", "}"))
    return text if listed else _THOUSANDS.sub(lambda match: match[1].replace(",", ""), text)
