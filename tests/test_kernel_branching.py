"""Branches of a live session: what they share, what they do not, and when there can be none."""

from __future__ import annotations

import asyncio

import pytest

from tir_agent.errors import BranchRefused, SandboxLost
from tir_agent.kernel.base import Sandbox, Session, Start
from tir_agent.trajectory import Execution, ExecutionStatus


async def run(session: Session, code: str, timeout: float = 60.0) -> Execution:
    return await session.execute(code, timeout=timeout)


async def value(session: Session, code: str) -> str:
    execution = await run(session, code)
    assert execution.status is ExecutionStatus.OK, execution
    assert execution.result is not None
    return execution.result


async def branch(session: Session, seed: int | None = None) -> Session:
    (born,) = await session.branch(1, seeds=None if seed is None else [seed])
    return born


async def close(*sessions: Session) -> None:
    await asyncio.gather(*(session.close() for session in sessions))


async def test_a_branch_goes_on_from_the_state_and_leaves_the_parent_alone(session: Session) -> None:
    await run(session, "a = [1]\ndef f(): return a")
    born = await branch(session)
    assert born.origin.start is Start.FORKED
    assert born.origin.cells == 1
    assert await value(born, "a.append(2); f()") == "[1, 2]"
    assert await value(session, "f()") == "[1]"
    await close(born)
    assert await value(session, "f()") == "[1]"


async def test_functions_and_classes_keep_their_globals(session: Session) -> None:
    await run(session, "y = 1\ndef f(): return y\nclass C:\n    def get(self): return y\nc = C()")
    born = await branch(session)
    assert await value(born, "y = 7\nf(), c.get(), C().get()") == "(7, 7, 7)"
    await close(born)


async def test_outputs_go_to_the_branch_that_wrote_them(session: Session) -> None:
    await run(session, "import sys, os\nout = sys.stdout\nprint('before')")
    born = await branch(session)
    code = "print('a')\nout.write('b\\n')\nos.system('echo c')\nprint('d', file=sys.stderr)\n5"
    theirs, ours = await asyncio.gather(run(born, code), run(session, "print('x')\nos.system('echo y')\n6"))
    assert sorted(theirs.stdout.split()) == ["a", "b", "c"]
    assert (theirs.stderr, theirs.result) == ("d\n", "5")
    assert sorted(ours.stdout.split()) == ["x", "y"]
    await close(born)


async def test_numbering_and_earlier_results_go_on(session: Session) -> None:
    await run(session, "40 + 2")
    born = await branch(session)
    assert await value(born, "_ + 1, Out[1], In[1]") == "(43, 42, '40 + 2')"
    await close(born)


async def test_twenty_deep(session: Session) -> None:
    chain = [session]
    await run(session, "depth = [0]")
    for depth in range(1, 21):
        chain.append(await branch(chain[-1]))
        assert chain[-1].origin.start is Start.FORKED
        assert await value(chain[-1], f"depth.append({depth}); len(depth)") == str(depth + 1)
    assert await value(chain[10], "len(depth)") == "11"
    assert await value(chain[20], "def f(n): return n and f(n - 1)\nf(900)") == "0"
    await close(*chain[1:])


async def test_sixty_four_wide(session: Session) -> None:
    await run(session, "a = 5")
    born = await session.branch(64)
    assert {each.origin.start for each in born} == {Start.FORKED}
    results = await asyncio.gather(*(value(each, f"a += {i}; a") for i, each in enumerate(born)))
    assert results == [str(5 + i) for i in range(64)]
    await close(*born)
    assert await value(session, "a") == "5"


async def test_a_branch_outlives_its_parent(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    await run(session, "a = 1\nopen('f', 'w').write('text')")
    born = await branch(session)
    await session.close()
    assert await value(born, "a, open('f').read()") == "(1, 'text')"
    assert await value(await branch(born), "a + 1") == "2"
    await close(born)


async def test_closing_a_branch_ends_its_processes_and_no_others(session: Session) -> None:
    start = "import subprocess, os\np = subprocess.Popen(['sleep', '300'])\np.pid"
    await run(session, "x = 1")
    first, second = await session.branch(2)
    await run(first, start)
    await run(second, start)
    await close(first)
    assert await value(second, "p.poll() is None") == "True"
    assert await value(session, "x") == "1"
    await close(second)


async def test_a_branch_that_dies_takes_nobody_along(session: Session) -> None:
    await run(session, "a = 1")
    born = await branch(session)
    execution = await run(born, "import os; os._exit(1)", timeout=20)
    assert execution.status is ExecutionStatus.DIED
    assert execution.lost_names == ("a",)
    assert await value(born, "6 * 7") == "42"
    assert await value(session, "a") == "1"
    await close(born)


async def test_a_branch_can_be_interrupted_and_killed(session: Session) -> None:
    await run(session, "a = 1")
    born = await branch(session)
    execution = await run(born, "a = 2\nwhile True: pass", timeout=1)
    assert execution.status is ExecutionStatus.TIMEOUT
    execution = await run(born, "import itertools; sum(itertools.repeat(1))", timeout=1)
    assert execution.state_lost
    assert await value(session, "a") == "1"
    await close(born)


async def test_random_numbers_are_the_same_until_seeded(session: Session) -> None:
    draw = "import random, numpy as np\n(random.random(), np.random.random())"
    await run(session, draw)
    first, second = await session.branch(2)
    assert await value(first, draw) == await value(second, draw) == await value(session, draw)
    third, fourth, again = await session.branch(3, seeds=[1, 2, 1])
    assert await value(third, draw) == await value(again, draw) != await value(fourth, draw)
    await close(first, second, third, fourth, again)


async def test_files_are_each_their_own(session: Session) -> None:
    code = "import os\nos.mkdir('d')\nf = open('d/f', 'w+')\nf.write('one ')\nf.flush()\nos.chdir('d')"
    await run(session, code)
    born = await branch(session)
    assert born.origin.start is Start.FORKED
    write = "f.write('{0}')\nf.flush()\nf.seek(0)\nf.read(), open('f').read(), os.path.basename(os.getcwd())"
    assert await value(born, write.format("two")) == "('one two', 'one two', 'd')"
    assert await value(session, write.format("three")) == "('one three', 'one three', 'd')"
    assert await value(born, "os.environ['HOME'] == os.path.dirname(os.getcwd())") == "True"
    await close(born)


async def test_open_figures_go_along(session: Session) -> None:
    await run(
        session, "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()"
    )
    born = await branch(session)
    assert born.origin.start is Start.FORKED
    execution = await run(born, "ax.plot([3, 4])\nax.set_title('t')\ndisplay(fig)")
    assert len(execution.images) == 1, execution
    await close(born)


OBSTACLES = {
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), name='nap').start()",
    "child processes": "import subprocess\np = subprocess.Popen(['sleep', '30'])",
    "pipe": "import os\nends = os.pipe()",
    "socket": "import socket\npair = socket.socketpair()",
    "asyncio tasks": "import asyncio\nt = asyncio.create_task(asyncio.sleep(30))",
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_what_cannot_be_forked_is_replayed_and_says_so(session: Session, obstacle: str) -> None:
    await run(session, "a = 1\nprint('seen')")
    await run(session, OBSTACLES[obstacle])
    born = await branch(session, seed=3)
    assert born.origin.start is Start.REPLAYED
    assert born.origin.reason is not None
    assert obstacle in born.origin.reason
    assert born.origin.cells == 2
    assert await value(born, "a") == "1"
    assert await value(born, "import random; random.seed(3); b = random.random(); b") != ""
    await close(born)


async def test_a_replay_that_gives_other_outputs_is_refused(session: Session) -> None:
    await run(session, "import time, os\nprint(time.time_ns())\nends = os.pipe()")
    with pytest.raises(BranchRefused, match=r"a pipe is open; and Cell 1 gave other outputs"):
        await session.branch(2)
    assert await value(session, "6 * 7") == "42"


async def test_a_cell_that_was_stopped_cannot_be_replayed(session: Session) -> None:
    await run(session, "import os\nends = os.pipe()\nwhile True: pass", timeout=1)
    with pytest.raises(BranchRefused, match="Cell 1 was stopped at its time limit"):
        await session.branch()


async def test_a_thread_that_has_ended_is_no_obstacle(session: Session) -> None:
    await run(session, "import threading\nt = threading.Thread(target=print)\nt.start(); t.join()")
    born = await branch(session)
    assert born.origin.start is Start.FORKED
    await close(born)


async def test_a_fresh_session_branches(session: Session) -> None:
    born = await branch(session)
    assert born.origin.start is Start.FORKED
    assert await value(born, "6 * 7") == "42"
    await close(born)


async def test_names_go_along(session: Session) -> None:
    await run(session, "a = 1\ndef f(): pass")
    born = await branch(session)
    assert born.names() == {"a": "int", "f": "function"}
    await close(born)


async def test_a_closed_session_has_no_branches(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    await session.close()
    with pytest.raises(SandboxLost, match="closed"):
        await session.branch()


async def test_what_is_asked_for_must_make_sense(session: Session) -> None:
    with pytest.raises(ValueError, match="2 branches with 1 seeds"):
        await session.branch(2, seeds=[1])
    with pytest.raises(ValueError, match="at least one"):
        await session.branch(0)
    with pytest.raises(TypeError, match="integers"):
        await session.branch(1, seeds=["a"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="time-out of -1"):
        await session.execute("1", timeout=-1)


async def test_no_more_branches_than_the_limit(session: Session) -> None:
    (born,) = await session.branch(1)
    with pytest.raises(BranchRefused, match="may have 64 branches at a time, and 1 are open"):
        await session.branch(64)
    with pytest.raises(BranchRefused, match="64 branches"):
        await born.branch(64)
    await close(born)
    assert await value(session, "6 * 7") == "42"


async def test_a_branch_of_a_session_that_has_filled_its_memory(session: Session) -> None:
    await run(session, "l = list(range(2_000_000))")
    born = await branch(session)
    assert await value(born, "l[0] = 1; sum(l)") == "1999999000001"
    assert await value(session, "sum(l)") == "1999999000000"
    await close(born)


async def test_a_program_that_forges_its_answer_gets_no_branches(session: Session) -> None:
    code = (
        "k = get_ipython().kernel\n"
        "def fake(stream, ident, parent):\n"
        "    content = {'status': 'refused', 'reason': 'x' * 10**6}\n"
        "    k.session.send(stream, 'tir_branch_reply', content, parent, ident)\n"
        "k.shell_handlers['tir_branch_request'] = fake\nprint('ready')"
    )
    await run(session, code)
    born = await branch(session)
    assert born.origin.start is Start.REPLAYED
    assert born.origin.reason is not None
    assert len(born.origin.reason) < 1000
    await close(born)
