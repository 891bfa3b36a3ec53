"""What every sandbox promises, whatever it is made of. Real kernels, and programs that mean harm."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

import pytest

from tir_agent.errors import SandboxLost
from tir_agent.kernel.base import Sandbox, Session
from tir_agent.trajectory import Execution, ExecutionStatus

from conftest import SECRET

SECONDS = 20.0

OK = ExecutionStatus.OK
ERROR = ExecutionStatus.ERROR
TIMEOUT = ExecutionStatus.TIMEOUT
DIED = ExecutionStatus.DIED


async def run(session: Session, code: str, timeout: float = SECONDS) -> Execution:
    return await session.execute(code, timeout=timeout)


async def value(session: Session, code: str) -> str:
    execution = await run(session, code)
    assert execution.status is OK, execution
    assert execution.result is not None
    return execution.result


async def still_works(session: Session) -> None:
    assert await value(session, "6 * 7") == "42"


# -- what comes back ---------------------------------------------------------------------------------


async def test_state_lasts_from_cell_to_cell(session: Session) -> None:
    await run(session, "def f(x):\n    return x + y\ny = 1")
    assert await value(session, "f(2)") == "3"


async def test_printed_text_and_the_last_value_come_apart(session: Session) -> None:
    execution = await run(session, "print('a')\nprint('b', end='')\n1 + 1")
    assert (execution.stdout, execution.result, execution.stderr) == ("a\nb", "2", "")


async def test_standard_error_is_kept_apart(session: Session) -> None:
    execution = await run(session, "import sys, warnings\nprint('x', file=sys.stderr)\nwarnings.warn('w')")
    assert execution.stderr.startswith("x\n")
    assert "UserWarning: w" in execution.stderr
    assert execution.stdout == ""


async def test_sympy_is_there_and_gives_latex(session: Session) -> None:
    execution = await run(session, "from sympy import *\nx = symbols('x')\nx**2/3")
    assert execution.result == "x**2/3"
    assert execution.latex is not None
    assert "frac" in execution.latex


@pytest.mark.parametrize(
    "module", ["numpy", "scipy.optimize", "mpmath", "networkx", "matplotlib.pyplot", "pandas"]
)
async def test_what_models_import_is_there(session: Session, module: str) -> None:
    execution = await run(session, f"import {module}")
    assert execution.status is OK, execution


async def test_displayed_objects_are_text(session: Session) -> None:
    execution = await run(session, "from IPython.display import display\ndisplay([1, 2])\nprint('after')")
    assert execution.stdout == "[1, 2]\nafter\n"


async def test_a_figure_is_no_error(session: Session) -> None:
    execution = await run(session, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    assert execution.status is OK, execution


async def test_an_exception_is_data(session: Session) -> None:
    execution = await run(session, "print('before')\n1/0")
    assert execution.status is ERROR
    assert execution.stdout == "before\n"
    assert execution.error is not None
    assert execution.error.name == "ZeroDivisionError"
    assert "----> 2 1/0" in execution.error.traceback
    assert "\x1b" not in execution.error.traceback
    await still_works(session)


async def test_a_syntax_error_is_data(session: Session) -> None:
    execution = await run(session, "x = 1 +* 2")
    assert execution.status is ERROR
    assert execution.error is not None
    assert execution.error.name == "SyntaxError"
    assert "x = 1 +* 2" in execution.error.traceback


async def test_unicode_goes_both_ways(session: Session) -> None:
    assert await value(session, "変数 = '数学 𝔸 é'; 変数") == "'数学 𝔸 é'"


async def test_lone_surrogates_are_shown_as_escapes(session: Session) -> None:
    execution = await run(session, "print('\\ud800')\n'\\udfff'")
    assert (execution.status, execution.stdout) == (OK, "\\ud800\n")


async def test_an_empty_cell_is_fine(session: Session) -> None:
    assert (await run(session, "")).status is OK


async def test_long_integers_can_be_printed(session: Session) -> None:
    execution = await run(session, "print(2**20000)")
    assert len(execution.stdout.strip()) == 6021


async def test_await_at_top_level(session: Session) -> None:
    assert await value(session, "import asyncio\nawait asyncio.sleep(0)\n5") == "5"


# -- time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)"])
async def test_a_loop_is_interrupted_and_its_state_kept(session: Session, code: str) -> None:
    await run(session, "a = 1")
    execution = await run(session, f"a = 2\n{code}", timeout=1.0)
    assert execution.status is TIMEOUT
    assert not execution.state_lost
    assert await value(session, "a") == "2"


@pytest.mark.parametrize(
    "code",
    [
        "import itertools; sum(itertools.repeat(1))",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "import time\nwhile True:\n    try: time.sleep(0.01)\n    except KeyboardInterrupt: pass",
    ],
    ids=["loop in C", "SIGINT ignored", "KeyboardInterrupt caught"],
)
async def test_what_cannot_be_interrupted_is_killed_and_the_loss_named(session: Session, code: str) -> None:
    await run(session, "a = 1\ndef f(): pass")
    execution = await run(session, f"import time\nprint('begun')\ntime.sleep(0.5)\n{code}", timeout=1.0)
    assert execution.status is TIMEOUT
    assert execution.state_lost
    assert set(execution.lost_names) >= {"a", "f"}
    assert execution.stdout == "begun\n"
    assert (await run(session, "a")).status is ERROR
    await still_works(session)


async def test_a_huge_power_is_stopped(session: Session) -> None:
    execution = await run(session, "x = 10**10**8", timeout=1.0)
    assert execution.status is TIMEOUT
    await still_works(session)


async def test_a_late_output_does_not_leak_into_the_next_cell(session: Session) -> None:
    noisy = "import time\nwhile True:\n    print('late')\n    time.sleep(0.001)"
    assert (await run(session, noisy, timeout=0.5)).status is TIMEOUT
    for _ in range(3):
        execution = await run(session, "print('mine')")
        assert execution.stdout == "mine\n"


async def test_a_cell_can_be_interrupted_from_outside(session: Session) -> None:
    running = asyncio.create_task(run(session, "b = 3\nimport time\ntime.sleep(60)"))
    while not running.done():
        await asyncio.sleep(0.2)
        await session.interrupt()
    execution = running.result()
    assert execution.status is ERROR
    assert execution.error is not None
    assert execution.error.name == "KeyboardInterrupt"
    assert await value(session, "b") == "3"


async def test_an_interrupt_between_cells_does_nothing(session: Session) -> None:
    await session.interrupt()
    await still_works(session)


# -- the kernel's end --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(1)",
        "import ctypes; ctypes.string_at(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
    ids=["_exit", "segfault", "kills itself"],
)
async def test_a_dead_kernel_is_replaced(session: Session, code: str) -> None:
    await run(session, "a = 1")
    execution = await run(session, code)
    assert execution.status is DIED
    assert execution.state_lost
    assert execution.lost_names == ("a",)
    await still_works(session)


async def test_sys_exit_and_deep_recursion_do_not_kill(session: Session) -> None:
    await run(session, "a = 1\nimport sys\nsys.exit(3)")
    execution = await run(session, "def f(): return f()\nf()")
    assert execution.error is not None
    assert execution.error.name == "RecursionError"
    assert await value(session, "a") == "1"


async def test_memory_is_limited(session: Session) -> None:
    execution = await run(session, "a = bytearray(8 * 2**30)")
    assert execution.status is ERROR
    assert execution.error is not None
    assert execution.error.name == "MemoryError"
    await still_works(session)


async def test_the_names_and_types_of_the_users_variables(session: Session) -> None:
    assert session.names() == {}
    await run(session, "import math\nx = 1\n_y = 2\ndef f(): pass\nclass C: pass\nc = C()")
    expected = {"math": "module", "x": "int", "f": "function", "C": "type", "c": "C"}
    assert session.names() == expected
    await run(session, "del x, f")
    assert "x" not in session.names()


async def test_own_names_come_before_imported_ones(session: Session) -> None:
    await run(session, "from sympy import *\nmine = symbols('mine')\ndef own(): pass\nclass Own: pass")
    names = session.names()
    assert len(names) == 100
    assert {"mine", "own", "Own"} <= names.keys()
    assert "solve" not in names


async def test_a_restart_forgets_everything(session: Session) -> None:
    await run(session, "a = 1\nopen('f', 'w').write('x')")
    await session.restart()
    assert session.names() == {}
    assert (await run(session, "a")).status is ERROR
    assert await value(session, "import os; os.path.exists('f')") == "False"


async def test_figures_are_images(session: Session) -> None:
    code = (
        "import matplotlib.pyplot as plt\nplt.figure(figsize=(3, 2), dpi=100)\nplt.plot([1, 2])\nplt.show()"
    )
    execution = await run(session, code, timeout=60)
    (image,) = execution.images
    assert 100 < image.width < 400
    assert base64.b64decode(image.png).startswith(b"\x89PNG")
    assert execution.stdout == "<Figure size 300x200 with 1 Axes>\n"
    assert (await run(session, "1")).images == ()


async def test_too_many_figures_are_left_out(session: Session) -> None:
    code = "import matplotlib.pyplot as plt\nfor _ in range(12): plt.figure(figsize=(1, 1)); plt.plot([1])"
    assert len((await run(session, code, timeout=60)).images) == 8


async def test_a_warning_names_the_cell_and_no_path(session: Session) -> None:
    execution = await run(session, "import warnings\nwarnings.warn('w')")
    assert execution.stderr == "<cell 1>:2: UserWarning: w\n  warnings.warn('w')\n"


async def test_the_source_of_what_a_cell_defines_is_known(session: Session) -> None:
    assert await value(session, "import inspect\ndef g(): return 5\ninspect.getsource(g)") == repr(
        "def g(): return 5\n"
    )


@pytest.mark.parametrize("code", [" x = 1\nprint(x)", "   x = 1\n   print(x)", "    x = 1\nprint(x)"])
async def test_an_indented_first_line_is_forgiven(session: Session, code: str) -> None:
    assert (await run(session, code)).stdout == "1\n"


async def test_a_deep_recursion_is_told_briefly(session: Session) -> None:
    execution = await run(session, "def f(a):\n    return f(a)\nf(1)")
    assert execution.error is not None
    assert len(execution.error.traceback) < 5000
    assert "f(1)" in execution.error.traceback


async def test_what_child_processes_write_keeps_its_place(session: Session) -> None:
    code = "import os\nfor i in range(5):\n    print('a', i, flush=True)\n    os.system(f'echo b {i}')"
    execution = await run(session, f"{code}\nNone")
    assert execution.stdout == "".join(f"a {i}\nb {i}\n" for i in range(5))


async def test_what_forked_children_print_is_seen(session: Session) -> None:
    code = "import multiprocessing as m\np = m.Process(target=print, args=('child',))\np.start(); p.join()"
    assert (await run(session, f"{code}\nprint('parent')")).stdout == "child\nparent\n"


async def test_processes_in_a_pool_work(session: Session) -> None:
    code = "from multiprocessing import Pool\nwith Pool(2) as p: r = p.map(abs, range(-3, 0))\nr"
    assert await value(session, code) == "[3, 2, 1]"


async def test_sessions_draw_different_random_numbers(sandbox: Sandbox) -> None:
    draw = "import random, numpy as np\n(random.random(), np.random.random())"
    first, second = await asyncio.gather(sandbox.session(), sandbox.session())
    assert await value(first, draw) != await value(second, draw)
    await asyncio.gather(first.close(), second.close())


async def test_the_load_is_told(sandbox: Sandbox) -> None:
    before = await sandbox.load()
    session = await sandbox.session()
    after = await sandbox.load()
    assert after.sessions - after.ready > before.sessions - before.ready
    assert after.processes > 0
    assert after.resident_bytes > 10**7
    await session.close()


async def test_closing_while_a_cell_runs_ends_it(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    running = asyncio.create_task(run(session, "while True: pass", timeout=60))
    await asyncio.sleep(0.3)
    await session.close()
    with pytest.raises(SandboxLost, match="closed"):
        await running


# -- floods ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "print('head' + 'x' * 10**8 + 'tail')",
        "print('head')\nfor i in range(5 * 10**5): print(i, 'x' * 50)\nprint('tail')",
        "import os; os.system('echo head; yes | head -c 50000000; echo tail')\nNone",
    ],
    ids=["one string", "many lines", "child process"],
)
async def test_a_flood_is_cut_in_the_middle_while_it_runs(session: Session, code: str) -> None:
    execution = await run(session, code, timeout=60)
    assert execution.status is OK
    assert execution.stdout.startswith("head")
    assert execution.stdout.rstrip().endswith("tail")
    assert len(execution.stdout) < 1_100_000
    assert execution.dropped > 10_000_000
    assert f"[{execution.dropped} characters discarded]" in execution.stdout
    await still_works(session)


async def test_a_huge_value_is_cut(session: Session) -> None:
    execution = await run(session, "'a' + 'x' * 10**7 + 'z'")
    assert execution.result is not None
    assert len(execution.result) < 1_100_000
    assert execution.result.startswith("'a")
    assert execution.result.endswith("z'")


async def test_a_huge_exception_is_cut(session: Session) -> None:
    execution = await run(session, "raise ValueError('x' * 10**7)")
    assert execution.status is ERROR
    assert execution.error is not None
    assert len(execution.error.message) + len(execution.error.traceback) < 2_200_000


async def test_endless_displays_are_cut(session: Session) -> None:
    execution = await run(session, "from IPython.display import display\nfor i in range(10**4): display(i)")
    assert execution.status is OK
    assert execution.stdout.startswith("0\n1\n")
    assert execution.stdout.count("\n") < 1000


@pytest.mark.parametrize(
    "hook",
    [
        "class R:\n    def __repr__(self): raise ValueError('no')\nR()",
        "class E(Exception):\n    def __str__(self): raise ValueError('no')\nraise E",
    ],
)
async def test_objects_that_fail_while_they_are_shown(session: Session, hook: str) -> None:
    assert (await run(session, hook)).status is ERROR
    await still_works(session)


@pytest.mark.parametrize("code", ["input('x? ')", "import getpass; getpass.getpass()"])
async def test_input_is_refused_at_once(session: Session, code: str) -> None:
    execution = await run(session, code)
    assert execution.status is ERROR
    assert execution.error is not None
    assert "not available here" in execution.error.message


async def test_a_cell_that_is_too_large_is_refused(session: Session) -> None:
    execution = await run(session, "#" * (17 * 2**20))
    assert execution.status is ExecutionStatus.REFUSED
    await still_works(session)


async def test_a_cell_of_five_megabytes_runs(session: Session) -> None:
    assert await value(session, f"x = '{'y' * 5_000_000}'\nlen(x)") == "5000000"


async def test_a_file_that_grows_too_large(session: Session) -> None:
    execution = await run(session, "open('big', 'wb').write(bytes(100 * 2**20))")
    assert execution.status is not OK
    await still_works(session)


# -- sessions side by side ---------------------------------------------------------------------------


async def test_sessions_share_nothing(sandbox: Sandbox) -> None:
    first, second = await asyncio.gather(sandbox.session(), sandbox.session())
    await run(first, "secret = 1\nopen('f', 'w').write('x')")
    assert (await run(second, "secret")).status is ERROR
    assert await value(second, "import os; os.path.exists('f')") == "False"
    await asyncio.gather(first.close(), second.close())


async def test_eight_at_once(sandbox: Sandbox) -> None:
    async def one(number: int) -> str:
        session = await sandbox.session()
        await run(session, f"n = {number}")
        answer = await value(session, "n * n")
        await session.close()
        return answer

    answers = await asyncio.gather(*(one(number) for number in range(8)))
    assert answers == [str(number**2) for number in range(8)]


async def test_a_looping_session_does_not_hold_up_another(sandbox: Sandbox) -> None:
    looping, other = await asyncio.gather(sandbox.session(), sandbox.session())
    hog = asyncio.create_task(run(looping, "while True: pass", timeout=5))
    await still_works(other)
    assert not hog.done()
    await looping.interrupt()
    await hog
    await asyncio.gather(looping.close(), other.close())


async def test_closing_twice_is_fine_and_a_closed_session_says_so(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    await session.close()
    await session.close()
    with pytest.raises(SandboxLost):
        await session.execute("1", timeout=SECONDS)


async def test_processes_of_a_closed_session_are_gone(sandbox: Sandbox) -> None:
    marker = f"86{os.getpid()}"
    session = await sandbox.session()
    daemon = f"import subprocess\np = subprocess.Popen(['sleep', '{marker}'], start_new_session=True)"
    assert (await run(session, daemon)).status is OK
    assert sleeping(marker)
    await session.close()
    for _ in range(50):
        if not sleeping(marker):
            break
        await asyncio.sleep(0.1)
    assert not sleeping(marker)


def sleeping(marker: str) -> bool:
    for folder in Path("/proc").iterdir():
        try:
            if (folder / "cmdline").read_bytes() == b"sleep\0" + marker.encode() + b"\0":
                return True
        except OSError:
            continue
    return False


async def test_the_environment_holds_no_secret(session: Session) -> None:
    assert os.environ[SECRET]
    assert SECRET not in await value(session, "import os; sorted(os.environ)")
    for pid in ("self", "{os.getppid()}"):
        code = f"import os\ntry: data = open(f'/proc/{pid}/environ').read()\nexcept OSError: data = ''\ndata"
        assert SECRET not in await value(session, code)


async def test_what_the_sandbox_is_made_of(sandbox: Sandbox) -> None:
    assert sandbox.info.packages["sympy"] == "1.14.0"
    assert sandbox.info.image


# -- isolation: docker and bubblewrap ----------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["('1.1.1.1', 53)", "('127.0.0.1', 22)", "('169.254.169.254', 80)"],
)
async def test_there_is_no_network(jailed: Session, target: str) -> None:
    code = f"import socket\nsocket.create_connection({target}, timeout=2)"
    assert (await run(jailed, code)).status is ERROR


async def test_there_is_no_name_service_and_no_ipv6(jailed: Session) -> None:
    assert (await run(jailed, "import socket; socket.getaddrinfo('example.org', 80)")).status is ERROR
    code = "import socket\nsocket.create_connection(('2606:4700:4700::1111', 53), timeout=2)"
    assert (await run(jailed, code)).status is ERROR


@pytest.mark.parametrize(
    "path", ["/x", "/usr/x", "/opt/tir/x", "/opt/venv/x", "/run/tir/x", "/etc/x", "/scratch/x"]
)
async def test_nothing_can_be_written_outside_the_sessions_folder(jailed: Session, path: str) -> None:
    assert (await run(jailed, f"open('{path}', 'w')")).status is ERROR


async def test_the_sessions_own_folder_can_be_written(jailed: Session) -> None:
    assert await value(jailed, "open('x', 'w').write('abc')") == "3"


async def test_the_hosts_files_are_not_there(jailed: Session) -> None:
    assert await value(jailed, f"import os; os.path.exists({str(Path(__file__).resolve())!r})") == "False"
    assert (await run(jailed, "open('/etc/shadow').read()")).status is ERROR


async def test_the_session_is_not_root_and_cannot_become_it(jailed: Session) -> None:
    assert await value(jailed, "import os; os.getuid() != 0 or open('/proc/self/uid_map').read()") != "False"
    for code in ("os.setuid(0)", "os.setresuid(0, 0, 0)", "os.chroot('/')"):
        execution = await run(jailed, f"import os\nif os.getuid(): {code}")
        assert execution.status is ERROR, code


async def test_there_are_no_capabilities(jailed: Session) -> None:
    line = await value(jailed, "[l for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapPrm'))]")
    assert line.count("0000000000000000") == 2


async def test_another_sessions_files_and_processes_are_out_of_reach(jail: Sandbox) -> None:
    first, second = await asyncio.gather(jail.session(), jail.session())
    home = (await value(first, "import os; open('f', 'w').write('x'); os.getcwd()")).strip("'")
    pid = await value(first, "os.getpid()")
    # In jails of their own, the same paths and numbers mean other things.
    same_jail = "import os\nos.stat('/proc/self/ns/pid').st_ino"
    if await value(first, same_jail) == await value(second, same_jail):
        for code in (
            f"os.listdir('{home}')",
            f"open('{home}/f')",
            f"os.kill({pid}, 9)",
            f"open('/proc/{pid}/mem', 'rb')",
            f"open('/proc/{pid}/environ', 'rb').read()",
        ):
            assert (await run(second, code)).status is ERROR, code
    await still_works(first)
    await asyncio.gather(first.close(), second.close())


async def test_the_fork_server_and_the_sockets_are_out_of_reach(jailed: Session) -> None:
    server = "os.getppid()"
    for code in (f"os.kill({server}, 9)", f"open(f'/proc/{{{server}}}/mem', 'rb')", "os.listdir('/run/tir')"):
        assert (await run(jailed, f"import os\n{code}")).status is ERROR, code
    await still_works(jailed)


async def test_rlimits_cannot_be_raised(jailed: Session) -> None:
    code = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)"
    assert (await run(jailed, code)).status is ERROR


async def test_a_mount_and_a_new_namespace_are_refused(jailed: Session) -> None:
    code = "import ctypes\nctypes.CDLL(None, use_errno=True).mount(b'none', b'/scratch', b'tmpfs', 0, None)"
    assert await value(jailed, code) == "-1"


async def test_a_fork_bomb_hurts_nobody_else(jail: Sandbox) -> None:
    bomber, other = await asyncio.gather(jail.session(), jail.session())
    bomb = "import os, time\ntry:\n    while True: os.fork()\nexcept BlockingIOError: pass\ntime.sleep(60)"
    exploding = asyncio.create_task(run(bomber, bomb, timeout=2))
    await asyncio.sleep(0.5)
    await still_works(other)
    await exploding
    await still_works(bomber)
    await asyncio.gather(bomber.close(), other.close())


async def test_a_memory_hog_with_children_ends_only_itself(jail: Sandbox) -> None:
    hog, other = await asyncio.gather(jail.session(), jail.session())
    code = (
        "import os\nfor _ in range(3):\n    if os.fork() == 0:\n"
        "        a = bytearray(10**9)\n        os._exit(0)\nfor _ in range(3): os.wait()"
    )
    await run(hog, code, timeout=10)
    await still_works(other)
    await still_works(hog)
    await asyncio.gather(hog.close(), other.close())


async def test_an_own_file_of_the_same_name_does_not_disturb(session: Session) -> None:
    await run(session, "open('kernel.py', 'w').write('x = 1')\nopen('random.py', 'w').write('x = 1')")
    await still_works(session)


async def test_the_duration_of_a_cell_is_recorded(session: Session) -> None:
    assert (await run(session, "import time; time.sleep(0.2)")).duration >= 0.2
