"""Compares an answer with the gold one. Runs inside the jail, since SymPy evaluates what it reads.

Math-Verify does the comparing. Around it: equal texts are accepted at once, words are compared as words,
what would keep SymPy busy for ever is refused, and the pairs on which Math-Verify is known to err are
decided here (units, number bases, percentages, small numbers). Not covered: tolerances, answers inside a
sentence, column vectors against tuples.

Math-Verify's own time-outs, which use SIGALRM, are off: they are swallowed and read as "not equal", they
cannot stop a long operation in C, and the caller kills this process at its deadline anyway. So the
verdict `timeout` is the caller's to give.
"""

from __future__ import annotations

import logging
import re
from importlib.metadata import version

from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify
from sympy import Expr

# Its one warning says that its time-outs are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)

_GRADER = f"math-verify {version('math-verify')}"
_SHOWN = 300
_MAX_LENGTH = 1000
_MAX_DEPTH = 40
_MAX_EXPONENT = 10_000
# Relative. Math-Verify rounds to six decimals, which makes all small numbers equal.
_TOLERANCE = 1e-4

# Units are taken off here: Math-Verify takes any `t`, `h` or `d` for one, also that of `2x + 3t`.
_NORMALIZATION = NormalizationConfig(basic_latex=True, malformed_operators=True, nits=True, units=False)
_READER = [
    LatexExtractionConfig(
        try_extract_without_anchor=False, boxed_match_priority=0, normalization_config=_NORMALIZATION
    )
]

_CHARACTERS = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {
    ord(old): new
    for old, new in zip(
        "−–。、　²³≤≥∞π×·∪",
        [*"--., ", "^2", "^3", r"\le ", r"\ge ", r"\infty ", r"\pi ", r"\times ", r"\cdot ", r"\cup "],
        strict=True,
    )
}
_CHARACTERS |= {0x2460 + number: rf"\textcircled{{{number + 1}}}" for number in range(20)}
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|displaystyle)(?![A-Za-z])|(?<!\\)\\!|\\?\$|(?<!\\)\\[()]", ""),
        (r"(?<!\\)\\[\[\],;: ]|~", " "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\(?:text(?:bf|it|rm)?|mbox|mathrm)\s*\{([^{}]*)\}", r" \1 "),
        (r"\s+", " "),
        (r"(?<=[\d}]) ?[或和与](?= ?[A-Za-z\d\\-])", ","),
        (r"\*\*", "^"),
        (r"(?<=\d)[eE]([+-]?\d+)\b", r" \\times 10^{\1}"),
        (r"(?<![\d.])(\d+) (\d+)/(\d+)", r"\1\\frac{\2}{\3}"),
        (r"(?<=\d)(?: |\{,\})(?=\d{3}(?!\d))", ""),
        # Not behind a comma with three digits to come: `1, 234` are two numbers, `1,234` is one.
        (r" (?=[^\w\s\\])|(?<=[^\w\s\\,]) |(?<=,) (?!\d{3}(?!\d))", ""),
        (r"(?<![.\s])[.,;]$", ""),
    )
]

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_CIRCLED = r"\textcircled"
# From four letters on: `xyz` is a product.
_WORDS = re.compile(r"(?=.*[A-Za-z]{4})(?!-?infinity$)[A-Za-z\s,.;:'’?!-]+")
_BASE = re.compile(r"(?<=\d)_\{?(\w+)\}?")
_PERCENT = re.compile(r" ?(?:\\?%|percent)$")
_LONG_WORD = re.compile(r"[A-Za-z]{4}")
_OPENED_POWER = re.compile(r"\^[\s{(]*")
_TOWER = re.compile(r"(?:\^\d+)+")
_FACTORIAL = re.compile(r"\d{5,}[\s)}]*!|\d\d[\s)}]*![\s)}]+!")
_UNIT = re.compile(
    r"(?P<value>.*(?:[\d)}\]]|\\pi))(?P<space> ?)"
    r"(?P<name>[A-Za-z]+(?:/[A-Za-z]+)?(?: [A-Za-z]{4,})?|[\u4e00-\u9fff]{1,4})(?P<power>\^\{?[23]\}?)?"
)
_SAME_UNITS = """
    mm millimeter millimetre 毫米 | cm centimeter centimetre 厘米 | m meter metre 米
    km kilometer kilometre 千米 公里 | in inch | ft foot feet | mi mile | mg milligram | g gram 克
    kg kilogram 千克 公斤 | ml milliliter millilitre 毫升 | l liter litre 升 | s sec second 秒
    min minute 分钟 | h hr hour 小时 | day 天 | year 年 | km/h kmh kmph | m/s | mph | deg degree 度
    rad radian | dollar | cent | 元
"""
_UNITS = {name: line.split()[0] for line in re.split(r"[|\n]", _SAME_UNITS) for name in line.split()}


def grade(answer: str, gold: str) -> dict[str, object]:
    """Compare two answers, without their boxes (a gold one may have it).

    Returns:
        The fields of `tir_agent.trajectory.Grade`. An answer that cannot be read, although the gold one
        can, is `wrong`: else nonsense would cost a model less than a mistake. `ungradable` says that
        nothing is known: the gold answer cannot be read, one of the two is too complex, or SymPy failed.
    """
    answer, gold = _plain(answer), _plain(gold)
    if not gold:
        return _grade("ungradable", "There is no gold answer")
    words = _is_words(answer) or _is_words(gold)
    # Names of points and choices, and `Yes`, whatever their case; but `a` and `A` are two variables.
    fold = words or (len(gold) > 1 and gold.isalpha())
    if answer == gold or (fold and answer.casefold() == gold.casefold()):
        return _grade("correct", "The texts are the same", answer, gold)
    if words:
        return _grade("wrong", "The words are different", answer, gold)
    for name, text in (("gold answer", gold), ("answer", answer)):
        if excess := _excess(text):
            return _grade("ungradable", f"The {name} {excess}", answer, gold)
    return _compared(answer, gold)


def _compared(answer: str, gold: str) -> dict[str, object]:
    answer, unit = _without_unit(answer)
    gold, gold_unit = _without_unit(gold)
    x, y = _read(answer), _read(gold)
    if y is None:
        return _grade("ungradable", "The gold answer could not be read", x, y)
    if x is None:
        return _grade("wrong", "The answer could not be read", x, y)
    if unit and gold_unit and unit != gold_unit:
        return _grade("wrong", f"The unit is {unit} where the gold answer has {gold_unit}", x, y)
    if _BASE.findall(answer) != _BASE.findall(gold):
        return _grade("wrong", "The numbers are written in different bases", x, y)
    try:
        # "What percentage" leaves open whether the sign belongs to the answer, so 50% is 50 and 0.5.
        percent, gold_percent = bool(_PERCENT.search(answer)), bool(_PERCENT.search(gold))
        equal = (
            _same(x, y)
            or (percent and not gold_percent and _same(_hundredth(x), y))
            or (gold_percent and not percent and _same(x, _hundredth(y)))
        )
    except Exception as error:  # SymPy's failure says nothing about the answer.
        return _grade("ungradable", f"The comparison failed with {type(error).__name__}", x, y)
    return _grade("correct", "Both are equal", x, y) if equal else _grade("wrong", "They differ", x, y)


def _plain(text: str) -> str:
    """One spelling for what looks the same on paper."""
    text = text.translate(_CHARACTERS)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text.strip())
    return text


def _is_words(text: str) -> bool:
    """Whether letters or labels spell something; Math-Verify multiplies them, and takes east for seat."""
    return bool(_WORDS.fullmatch(text) or _CIRCLED in text or _CHINESE.search(_without_unit(text)[0]))


def _excess(text: str) -> str | None:
    """What makes this expression too costly to evaluate; a first sieve, the deadline is the second."""
    if len(text) > _MAX_LENGTH:
        return f"is longer than {_MAX_LENGTH} characters"
    depth = deepest = 0
    for character in text:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH:
        return f"is nested more than {_MAX_DEPTH} deep"
    if any(_exponent(tower) > _MAX_EXPONENT for tower in _TOWER.findall(_OPENED_POWER.sub("^", text))):
        return f"has an exponent above {_MAX_EXPONENT}"
    if _FACTORIAL.search(text):
        return "has a huge factorial"
    return None


def _exponent(tower: str) -> int:
    """The exponent that `^3^2` puts on what stands before it, or something above the limit."""
    value = 1
    for level in reversed(tower[1:].split("^")):
        base = int(level[:9])
        value = _MAX_EXPONENT + 1 if value > 32 and base > 1 else min(base**value, _MAX_EXPONENT + 1)
    return value


def _without_unit(text: str) -> tuple[str, str | None]:
    """The text without the unit at its end, and which unit it is, where it is a known one."""
    match = _UNIT.fullmatch(text)
    if match is None:
        return text, None
    value, name = match["value"], match["name"]
    known = next((_UNITS[key] for key in (name, name[:-1], name[:-2]) if key in _UNITS), None)
    # One letter may be a variable, unless it stands apart behind a number.
    if len(name) == 1 and name.isascii():
        known = known if match["space"] and re.fullmatch(r"-?[\d.,]+", value) else None
    if known is None and not _CHINESE.match(name) and not (match["space"] and _LONG_WORD.match(name)):
        return text, None
    return value, known and known + (match["power"] or "").translate({ord(c): None for c in "^{}"})


def _read(text: str) -> object | None:
    text = _PERCENT.sub("", text)
    boxed = text if "\\boxed" in text else f"\\boxed{{{text}}}"
    found = parse(boxed, _READER, fallback_mode="no_fallback", parsing_timeout=None)
    return found[0] if found else None


def _same(x: object, y: object) -> bool:
    equal = verify(y, x, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)
    return bool(equal) and _close(x, y)


def _close(x: object, y: object) -> bool:
    """Whether two values that Math-Verify rounded to the same number are of the same size."""
    if not (isinstance(x, Expr) and isinstance(y, Expr) and x.is_number and y.is_number):
        return True
    try:
        a, b = complex(x.evalf()), complex(y.evalf())
    except (TypeError, ValueError, OverflowError):
        return True
    # Two infinities have no difference; an exact zero may stand against a float's rounding error.
    return a == b or abs(a - b) <= (_TOLERANCE * max(abs(a), abs(b)) if a and b else 1e-12)


def _hundredth(x: object) -> object:
    return x / 100 if isinstance(x, Expr) else x


def _grade(verdict: str, reason: str, answer: object = None, gold: object = None) -> dict[str, object]:
    return {
        "verdict": verdict,
        "reason": reason,
        "answer_parsed": _shown(answer),
        "gold_parsed": _shown(gold),
        "grader": _GRADER,
    }


def _shown(value: object | None) -> list[str]:
    try:
        return [] if value is None else [str(value)[:_SHOWN]]
    except Exception:  # Some values have more digits than Python prints.
        return [type(value).__name__]
