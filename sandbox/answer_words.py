r"""Answers in words: names, labels, truth values, dates and times of day.

Words are compared as words. Math-Verify multiplies letters, and takes east for seat.
"""

from __future__ import annotations

import re

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_CIRCLED = r"\textcircled"
# From four letters on: `xyz` is a product.
_WORDS = re.compile(r"(?=.*[A-Za-z]{4})(?!-?infinity$)[A-Za-z\s,.;:'’?!\"&/()-]+")
_SHORTEST = "yes no odd all none red one two six ten sum max min mon tue wed thu fri sat sun n/a"
_SHORT = frozenset(_SHORTEST.split())
_NAMED = re.compile(r"(?:the|a|an) [A-Za-z]{2,}", re.IGNORECASE)
_ARTICLES = re.compile(r"\b(?:the|a|an)\b ?")
_PUNCTUATION = re.compile(r"[\s,.;:'’?!\"(){}\[\]\\-]+")
_TRUE = frozenset(["yes", "true", "correct", "是", "是的", "对", "正确", "√"])
_FALSE = frozenset(["no", "false", "incorrect", "否", "不是", "不对", "错", "错误", "×"])
_NONE = frozenset(
    [
        *("none", "dne", "does not exist", "empty set", "无解", "不存在"),
        *("no solution", "no solutions", "there is no solution", "there are no solutions"),
        *("no real solution", "no real solutions"),
    ]
)
_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
)
_NUMERALS = {word: number for number, word in enumerate(_UP_TO_TWENTY.split())}
_CLOCK = re.compile(
    r"(\d{1,2})(?::(\d\d))?(?::(\d\d))? ?(?:([ap])\.? ?m\.?)|(\d{1,2}):(\d\d)(?::(\d\d))?", re.IGNORECASE
)
_YEAR = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: number for number, name in enumerate(_YEAR.split(), 1)}
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:[a-z]+day,? )?{_MONTH} ?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,? ?(?P<year>\d{{4}}))?",
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)? ?(?:of )?{_MONTH},? ?(?P<year>\d{{4}})?",
        r"(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})",
        r"(?:(?P<year>\d{4})年)?(?P<number>\d{1,2})月(?P<day>\d{1,2})[日号]",
    )
]


def is_words(text: str) -> bool:
    """Whether letters or labels spell something."""
    return bool(
        _WORDS.fullmatch(text)
        or text.casefold() in _SHORT
        or _CIRCLED in text
        or _NAMED.fullmatch(text)
        or (_CHINESE.search(text) and not re.search(r"\d", text))
    )


def spoken(text: str) -> str:
    """What is left of words without case, articles and punctuation, in one word for yes and for no."""
    squeezed = " ".join(_PUNCTUATION.sub(" ", text.casefold()).split())
    if squeezed in _TRUE:
        return "yes"
    if squeezed in _FALSE:
        return "no"
    if squeezed in _NONE or text == r"\emptyset":
        return "none"
    short = _ARTICLES.sub("", squeezed) or squeezed
    return short.replace(" ", "") if _CHINESE.search(short) else short


def numeral(text: str) -> str:
    """Digits for a number's name up to twenty; any other text as it is."""
    number = _NUMERALS.get(text.casefold().strip())
    return text if number is None else str(number)


def is_clock(text: str) -> bool:
    """Whether it can only be a time of day, with `am` or `pm`."""
    match = _CLOCK.fullmatch(text)
    return match is not None and match[4] is not None


def is_digital(text: str) -> bool:
    """Whether it may be a time of day: `3:30` is a ratio, too."""
    return _CLOCK.fullmatch(text) is not None


def same_time(a: str, b: str) -> bool:
    """Whether two times of day are the same; one without `am` or `pm` may be either before noon's hour."""
    first, second = _CLOCK.fullmatch(a), _CLOCK.fullmatch(b)
    if first is None or second is None:
        return False
    times = _times(first) & _times(second)
    return bool(times)


def _times(match: re.Match[str]) -> set[tuple[int, int, int]]:
    hour, minute, second = (
        int(part or 0) for part in (match[1] or match[5], match[2] or match[6], match[3] or match[7])
    )
    half = (match[4] or "").lower()
    if half:
        return {(hour % 12 + (12 if half == "p" else 0), minute, second)}
    return {(hour, minute, second)} | ({(hour % 12 + 12, minute, second)} if 1 <= hour <= 12 else set())


def date(text: str) -> tuple[int | None, int, int] | None:
    """Year, month and day, in one of the usual ways to write them."""
    for pattern in _DATES:
        if match := pattern.fullmatch(text.strip()):
            groups = match.groupdict()
            month = groups.get("number")
            number = int(month) if month else _MONTHS[groups["month"].lower()[:3]]
            return int(groups["year"]) if groups.get("year") else None, number, int(groups["day"])
    return None


def same_date(a: str, b: str) -> bool | None:
    """Whether two dates are the same; a year that one leaves out is any. None if they are none."""
    first, second = date(a), date(b)
    if first is None or second is None:
        return None
    return first[1:] == second[1:] and (first[0] == second[0] or None in (first[0], second[0]))
