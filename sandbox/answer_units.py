r"""Units at the end of an answer: known ones are converted, words that only say what is counted come off.

`5 cm` is 5 and 0.05 m, but not 5 m. A unit that stands on one side alone is not held against the answer:
the question mostly says which is meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_TABLE = """
    length: mm millimeter millimetre 毫米 = 1/1000 | cm centimeter centimetre 厘米 = 1/100
    length: dm decimeter 分米 = 1/10 | m meter metre 米 = 1 | km kilometer kilometre 千米 公里 = 1000
    length: in inch inche = 127/5000 | ft foot feet = 381/1250 | yd yard = 1143/1250 | mi mile = 201168/125
    mass: mg milligram = 1/1000000 | g gram 克 = 1/1000 | kg kilogram 千克 公斤 = 1 | t ton tonne 吨 = 1000
    mass: lb pound = 45359237/100000000 | oz ounce = 45359237/1600000000
    volume: ml mL milliliter millilitre 毫升 = 1/1000 | l L liter litre 升 = 1
    volume: gal gallon = 3785411784/1000000000
    time: ms millisecond = 1/1000 | s sec second 秒 = 1 | min minute 分钟 分 = 60 | h hr hour 小时 时 = 3600
    time: day 天 日 = 86400 | wk week 周 星期 = 604800
    years: month 个月 月 = 1/12 | yr year 年 岁 = 1
    angle: deg degree 度 = 1 | arcmin = 1/60
    radian: rad radian 弧度 = 1
    money: dollar USD = 1 | cent = 1/100
    yuan: 元 yuan CNY = 1 | 角 = 1/10
    euro: euro EUR = 1
    speed: kmh kmph kph = 5/18 | mph = 1397/3125
    energy: J joule = 1 | kJ = 1000
    force: N newton = 1
    power: W watt = 1 | kW = 1000
    temperature: K kelvin = 1
    celsius: Celsius = 1
    fahrenheit: Fahrenheit = 1
"""


@dataclass(frozen=True)
class Unit:
    """So many of its dimension's first unit; `dimension` maps names to powers."""

    dimension: tuple[tuple[str, int], ...]
    factor: Fraction
    name: str


def _table() -> dict[str, tuple[str, Fraction]]:
    known: dict[str, tuple[str, Fraction]] = {}
    for line in filter(None, map(str.strip, _TABLE.splitlines())):
        dimension, entries = line.split(":", 1)
        for entry in entries.split("|"):
            names, factor = entry.split("=")
            known |= dict.fromkeys(names.split(), (dimension, Fraction(factor.strip())))
    return known


_KNOWN = _table()
_ONE = r"(?:[A-Za-z]+|[\u4e00-\u9fff]{1,4})(?:\^\{?-?\d\}?)?"
_UNIT = re.compile(
    r"(?P<value>.*(?:[\d)}\]]|\\pi))(?P<space> ?)"
    rf"(?P<name>{_ONE}(?: ?(?:/|\\cdot) ?{_ONE})*(?: [A-Za-z]{{3,}}){{0,2}})"
)
_FACTOR = re.compile(r"(/|\\cdot)? ?([A-Za-z\u4e00-\u9fff]+)(?:\^\{?(-?\d)\}?)?")
_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LONG_WORD = re.compile(r"[A-Za-z]{3}")
_PLAIN_NUMBER = re.compile(r"-?[\d.,]+|-?\d+/\d+|-?\\frac ?\{?\d+\}? ?\{?\d+\}?|-?\d+\\frac\{\d+\}\{\d+\}")
_SPELLED = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=\d)\^\\circ ?([CF])$", lambda match: " Celsius" if match[1] == "C" else " Fahrenheit"),
        (r"\^\\circ$", " degree"),
        (r" (?:square|sq\.?) ?([A-Za-z]+)", r" \1^2"),
        (r" (?:cubic|cu\.?) ?([A-Za-z]+)", r" \1^3"),
        (r"(平方|立方)([\u4e00-\u9fff]+)$", lambda match: f"{match[2]}^{2 if match[1] == '平方' else 3}"),
        (r" per (?=[A-Za-z])| ?/ ?(?=[A-Za-z]+$)", "/"),
        (r"^(?:USD|US\$|€|£|¥|￥|RMB) ?(?=[\d.])", ""),
    )
]


def without_unit(text: str) -> tuple[str, Unit | None]:
    """The text without the unit or the counted things at its end, and which unit it is, if a known one."""
    if _FUNCTION.search(text):
        # Of `\\sin 30^\\circ` the degrees are the argument's.
        return text, None
    for pattern, replacement in _SPELLED:
        text = pattern.sub(replacement, text)
    match = _UNIT.fullmatch(text)
    if match is None:
        return text, None
    value, name = match["value"].strip(), match["name"]
    unit = _unit(name)
    short = re.fullmatch(r"[A-Za-z](?:\^.*)?", name) is not None
    # One letter may be a variable, unless it stands apart behind a number.
    if short and not (match["space"] and _PLAIN_NUMBER.fullmatch(value)):
        return text, None
    if unit is None and not _CHINESE.match(name) and not (match["space"] and _LONG_WORD.match(name)):
        return text, None
    return value, unit


def _unit(text: str) -> Unit | None:
    dimension: dict[str, int] = {}
    factor, position = Fraction(1), 0
    text = text.replace(" ", "") if "/" in text or "cdot" in text else text
    while position < len(text):
        match = _FACTOR.match(text, position)
        if match is None:
            return None
        found = _named(match[2])
        if found is None:
            return None
        power = int(match[3] or 1) * (-1 if match[1] == "/" else 1)
        dimension[found[0]] = dimension.get(found[0], 0) + power
        factor *= found[1] ** power
        position = match.end()
    return _whole(dimension, factor, text)


def _whole(dimension: dict[str, int], factor: Fraction, name: str) -> Unit:
    if speed := dimension.pop("speed", 0):
        dimension["length"] = dimension.get("length", 0) + speed
        dimension["time"] = dimension.get("time", 0) - speed
    if volume := dimension.pop("volume", 0):
        dimension["length"] = dimension.get("length", 0) + 3 * volume
        factor /= 1000**volume
    return Unit(tuple(sorted((key, power) for key, power in dimension.items() if power)), factor, name)


def _named(name: str) -> tuple[str, Fraction] | None:
    for form in (name, name.lower() if len(name) > 2 else name):
        for key in (form, form.removesuffix("s"), form.removesuffix("es")):
            if key in _KNOWN:
                return _KNOWN[key]
    return None
