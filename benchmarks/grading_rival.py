"""Math-Verify alone, as its page shows it: run inside the sandbox, on `PAIRS`, JSON of (answer, gold).

Prints a JSON list of true, false, or null where it raised an error.
"""

import json
import logging
import sys

from math_verify import parse, verify

logging.disable(logging.CRITICAL)


def equal(answer: str, gold: str) -> bool | None:
    try:
        return bool(verify(parse(f"${gold}$"), parse(f"${answer}$")))
    except Exception:
        return None


# The line that defines PAIRS is put in front when this is run.
sys.stdout.write(json.dumps([equal(answer, gold) for answer, gold in PAIRS]))  # type: ignore[name-defined]  # noqa: F821
