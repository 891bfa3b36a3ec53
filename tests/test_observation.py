"""What the model gets to see of an execution."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from tir_agent import observation
from tir_agent.observation import observe, trim_traceback
from tir_agent.settings import ObservationPolicy
from tir_agent.trajectory import Execution, ExecutionError, ExecutionStatus, Image

POLICY = ObservationPolicy()
OK = ExecutionStatus.OK

IN_LIBRARY = """\
---------------------------------------------------------------------------
TypeError                                 Traceback (most recent call last)
Cell In[1], line 3
      1 from sympy import solve
      2
----> 3 solve("x", object())

File /opt/venv/lib/python3.12/site-packages/sympy/solvers/solvers.py:900, in solve(f, *symbols)
    899 def _sympified_list(w):
--> 900     return list(map(sympify, w))

File /opt/venv/lib/python3.12/site-packages/sympy/core/sympify.py:400, in sympify(a)
--> 400 raise TypeError("no")

TypeError: cannot solve this"""


MODULES = [module.name for module in pkgutil.iter_modules(observation.__path__, f"{observation.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_printed_text_stands_before_the_value() -> None:
    assert observe(Execution(status=OK, stdout="a\n", result="2"), POLICY, seconds=1) == "a\n2"


def test_warnings_are_shown() -> None:
    shown = observe(Execution(status=OK, stdout="1\n", stderr="UserWarning: x\n"), POLICY, seconds=1)
    assert shown == "1\nUserWarning: x"


def test_blank_lines_inside_the_output_stay() -> None:
    assert observe(Execution(status=OK, stdout="a\n\nb\n\n"), POLICY, seconds=1) == "a\n\nb"


def test_empty_output_is_explained() -> None:
    assert observe(Execution(status=OK, stdout="\n"), POLICY, seconds=1) == POLICY.empty


def test_a_value_of_none_is_empty_too() -> None:
    assert observe(Execution(status=OK, result=None), POLICY, seconds=1) == POLICY.empty


def test_what_was_printed_before_an_error_is_kept() -> None:
    error = ExecutionError(name="ValueError", message="no", traceback="ValueError: no")
    execution = Execution(status=ExecutionStatus.ERROR, stdout="so far\n", error=error)
    assert observe(execution, POLICY, seconds=1) == "so far\nValueError: no"


def test_a_timeout_names_its_time_and_what_was_lost() -> None:
    execution = Execution(status=ExecutionStatus.TIMEOUT, state_lost=True, lost_names=("a", "f"))
    shown = observe(execution, POLICY, seconds=2.5)
    assert "2.5 seconds" in shown
    assert "(a, f)" in shown


def test_a_timeout_that_kept_its_state_does_not_claim_a_loss() -> None:
    assert "gone" not in observe(Execution(status=ExecutionStatus.TIMEOUT), POLICY, seconds=1)


def test_library_frames_are_left_out_of_tracebacks() -> None:
    trimmed = trim_traceback(IN_LIBRARY)
    assert "site-packages" not in trimmed
    assert '----> 3 solve("x", object())' in trimmed
    assert trimmed.endswith("TypeError: cannot solve this")


def test_library_frames_stay_on_request() -> None:
    error = ExecutionError(name="TypeError", message="cannot solve this", traceback=IN_LIBRARY)
    execution = Execution(status=ExecutionStatus.ERROR, error=error)
    policy = ObservationPolicy(own_frames_only=False)
    assert "site-packages" in observe(execution, policy, seconds=1)


def test_a_traceback_without_frames_stays_whole() -> None:
    syntax = "  Cell In[1], line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed"
    assert trim_traceback(syntax) == syntax


def test_a_recursion_is_shown_once_and_counted() -> None:
    call = "Cell In[1], line 3\n----> 3 f(0)"
    frame = "Cell In[1], line 2, in f(n)\n----> 2     return f(n+1)"
    traceback = "\n\n".join(["RecursionError  Traceback", call, *[frame] * 40, "RecursionError: too deep"])
    assert trim_traceback(traceback) == "\n\n".join(
        [
            "RecursionError  Traceback",
            call,
            frame,
            "[previous frame repeated 39 more times]",
            "RecursionError: too deep",
        ]
    )


def test_every_exception_of_a_chain_keeps_its_error() -> None:
    library = "File /opt/lib/x.py:1, in g()\n----> 1 raise KeyError(1)"
    own = "Cell In[1], line 1\n----> 1 g()"
    chain = "The above exception was the direct cause of the following exception:"
    first = "\n\n".join([f"KeyError  Traceback\n{library}", "KeyError: 1", chain])
    second = "\n\n".join([f"ValueError  Traceback\n{own}", library, "ValueError: a\n\nb"])
    assert trim_traceback(f"{first}\n\n{second}") == "\n\n".join(
        ["KeyError  Traceback\nKeyError: 1", chain, f"ValueError  Traceback\n{own}", "ValueError: a\n\nb"]
    )


def test_what_is_shown_can_be_written_to_a_file() -> None:
    hostile = "\x1b[31m\x00\ud800\x1b]\x9b" * 10
    shown = observe(Execution(status=OK, stdout=hostile, result="\udfff"), POLICY, seconds=1)
    assert shown.encode() == ("\ufffd" * 10 + "\n\ufffd").encode()


def test_colours_behind_a_carriage_return_do_not_hide_the_line() -> None:
    assert observe(Execution(status=OK, stdout="100%\r\x1b[0m\n"), POLICY, seconds=1) == "100%"


def test_a_figure_that_is_also_the_value_is_said_once() -> None:
    figure = "<Figure size 640x480 with 1 Axes>"
    picture = Image(width=5, height=4, png="")
    execution = Execution(status=OK, stdout=f"{figure}\n", result=figure, images=(picture,))
    assert observe(execution, POLICY, seconds=1) == "[figure 1: 5 x 4 pixels]"


def test_a_figure_of_which_there_is_no_picture_keeps_its_text() -> None:
    figure = "<Figure size 640x480 with 1 Axes>"
    assert observe(Execution(status=OK, result=figure), POLICY, seconds=1) == figure
