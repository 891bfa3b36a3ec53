"""Programs that mean harm, to their own session, to others, to the jail, and to the host that listens."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tir_agent.kernel.base import Sandbox, Session
from tir_agent.kernel.choice import open_sandbox
from tir_agent.settings import KernelChoice
from tir_agent.trajectory import Execution, ExecutionStatus

from conftest import CONTAINER, DOCKER, LIMITS, open_backend

OK, ERROR, TIMEOUT, DIED = (
    ExecutionStatus.OK,
    ExecutionStatus.ERROR,
    ExecutionStatus.TIMEOUT,
    ExecutionStatus.DIED,
)
PROGRAMS = Path(__file__).parent / "programs"


async def run(session: Session, code: str, timeout: float = 30.0) -> Execution:
    return await session.execute(code, timeout=timeout)


async def run_file(session: Session, name: str, timeout: float = 30.0) -> Execution:
    return await run(session, (PROGRAMS / f"{name}.py").read_text(encoding="utf-8"), timeout)


async def works(session: Session) -> None:
    execution = await run(session, "6 * 7", timeout=60)
    assert execution.result == "42", execution


# -- messages ----------------------------------------------------------------------------------------

FORGERIES = {
    "bad signature": "raw(parent, b'{}', sign=False)",
    "the same message twice": "raw(parent, b'{}'); raw(parent, b'{}')",
    "deep JSON": "raw(parent, b'[' * 100_000 + b']' * 100_000)",
    "content is a list": "raw(parent, b'[]')",
    "content is text": "raw(parent, b'\"text\"')",
    "parent is a list": "raw(b'[]', b'{}')",
    "not JSON": "raw(parent, b'\\xff\\xfe')",
    "no frames": "k.iopub_thread.send_multipart([b'x'])",
    "idle before the end": "raw(parent, b'{\"execution_state\": \"idle\"}', 'status')",
    "an error that is none": "raw(parent, b'{\"ename\": [1], \"traceback\": 7}', 'error')",
    "a result that is none": "raw(parent, b'{\"data\": [1, 2]}', 'execute_result')",
    "an image that is none": 'raw(parent, b\'{"data": {"image/png": "AAAA"}}\', \'display_data\')',
    "a lone surrogate": 'raw(parent, b\'{"name": "stdout", "text": "\\\\ud800"}\')',
    "a hundred bad ones": "for _ in range(100): raw(parent, b'{}', sign=False)",
    "replies that were not asked for": "k.session.send(k.shell_stream, 'execute_reply', {'status': 'ok'})",
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_message_harms_its_own_cell_at_most(session: Session, forgery: str) -> None:
    await run_file(session, "forge")
    execution = await run(session, f"{FORGERIES[forgery]}\nprint('end')")
    assert execution.status in {OK, ERROR}
    execution.model_dump_json().encode()
    for number in range(3):
        execution = await run(session, f"print({number})\n{number} + 1")
        assert (execution.status, execution.stdout, execution.result) == (OK, f"{number}\n", str(number + 1))


async def test_output_that_goes_round_the_kernels_cap_is_cut_by_the_host(session: Session) -> None:
    await run_file(session, "forge")
    execution = await run(session, "for _ in range(30): raw(parent, big)\nprint('end')", timeout=60)
    assert execution.status is OK
    assert len(execution.stdout) < 3_000_000
    assert execution.dropped > 20_000_000
    await works(session)


async def test_an_own_handler_that_never_answers_is_a_timeout(session: Session) -> None:
    await run(session, "get_ipython().kernel.shell_handlers['execute_request'] = lambda *a: None")
    execution = await run(session, "1", timeout=1)
    assert execution.status is TIMEOUT
    assert execution.state_lost
    await works(session)


@pytest.mark.parametrize("program", ["close_sockets", "close_descriptors", "stop_threads", "wreck_builtins"])
async def test_a_kernel_that_wrecks_itself_is_replaced(session: Session, program: str) -> None:
    await run_file(session, program, timeout=3)
    if (await run(session, "6 * 7", timeout=3)).result != "42":
        await works(session)


# -- exceptions and values that resist being shown ---------------------------------------------------

AWKWARD = {
    "__str__ raises": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    "__str__ raises itself": "class E(Exception):\n    def __str__(self): raise E\nraise E",
    "__getattr__ raises": "class E(Exception):\n    def __getattr__(self, name): raise ValueError\nraise E",
    "__getattr__ recurs": "class E(Exception):\n    def __getattr__(self, n): return self.inner\nraise E",
    "a deep group": "e = ValueError('x')\nfor i in range(900): e = ExceptionGroup('g', [e])\nraise e",
    "__repr__ raises": "class R:\n    def __repr__(self): raise ValueError\nR()",
    "__repr__ is no text": "class R:\n    def __repr__(self): return 5\nR()",
    "exits while shown": "class R:\n    def __repr__(self): raise SystemExit\nR()",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "deep recursion": "def f(): return f()\nf()",
}


@pytest.mark.parametrize("program", AWKWARD)
async def test_what_cannot_be_shown_is_an_error_and_the_state_stays(session: Session, program: str) -> None:
    await run(session, "a = 1")
    execution = await run(session, AWKWARD[program])
    assert execution.status is ERROR, execution
    assert execution.error is not None
    assert not execution.state_lost
    assert (await run(session, "a")).result == "1"


async def test_a_name_that_is_no_ordinary_text(session: Session) -> None:
    code = "class S(str):\n    def encode(self, *a): raise ValueError\nglobals()[S('bad')] = 1\n5"
    assert (await run(session, code)).result == "5"
    await works(session)


async def test_invalid_utf8_is_shown_as_it_can_be(session: Session) -> None:
    code = "import os\nos.write(1, b'a\\xff\\xfe z\\n')\nprint('\\udcff', chr(0), 'end')"
    execution = await run(session, code)
    assert execution.status is OK
    assert "end" in execution.stdout
    execution.model_dump_json().encode()


async def test_an_expression_of_fifty_megabytes(session: Session) -> None:
    execution = await run(session, "s = '1+' * (25 * 2**20) + '1'\nprint(len(s))\neval(s)", timeout=5)
    assert execution.status in {ERROR, TIMEOUT, DIED}
    await works(session)


# -- caps --------------------------------------------------------------------------------------------


async def test_file_descriptors_run_out_for_one_session_alone(sandbox: Sandbox) -> None:
    greedy, other = await asyncio.gather(sandbox.session(), sandbox.session())
    execution = await run(greedy, "files = []\nwhile True: files.append(open('/dev/null'))")
    assert execution.status is ERROR
    assert execution.error is not None
    assert "Too many open files" in execution.error.message
    await works(other)
    assert (await run(greedy, "files.clear(); 6 * 7")).result == "42"
    await asyncio.gather(greedy.close(), other.close())


async def test_the_processors_of_a_session_are_limited() -> None:
    limits = LIMITS.model_copy(update={"cpus": 1})
    await (await open_backend(DOCKER)).close()
    async with await open_sandbox(KernelChoice.DOCKER, limits) as sandbox:
        session = await sandbox.session()
        assert (await run(session, "import os\nlen(os.sched_getaffinity(0))")).result == "1"
        every = set(range(os.cpu_count() or 1))
        assert (await run(session, f"os.sched_setaffinity(0, {every})")).status is ERROR
        code = "import subprocess\nsubprocess.run(['nproc'], capture_output=True).stdout"
        assert (await run(session, code)).result == "b'1\\n'"


@pytest.mark.parametrize("program", ["fill_disk", "fill_inodes"])
async def test_a_full_disk_is_one_sessions_own(jail: Sandbox, program: str) -> None:
    greedy, other = await asyncio.gather(jail.session(), jail.session())
    execution = await run_file(greedy, program, timeout=60)
    assert "No space left" in execution.stdout or execution.status is TIMEOUT
    await works(greedy)
    assert (await run(other, "open('f', 'w').write('x' * 10**6)")).result == "1000000"
    await works(await jail.session())
    await asyncio.gather(greedy.close(), other.close())


async def test_what_a_session_wrote_is_gone_for_the_next(jail: Sandbox) -> None:
    session = await jail.session()
    await run_file(session, "hide_files")
    await session.close()
    for _ in range(3):
        session = await jail.session()
        code = "import os\nsum(len(f) for _, _, f in os.walk(os.environ['HOME']))"
        assert (await run(session, code)).result == "0"
        await session.close()


async def test_when_memory_runs_out_the_session_at_fault_ends() -> None:
    limits = LIMITS.model_copy(update={"total_memory_bytes": 3 * 2**29, "disk_bytes": 2**26})
    await (await open_backend(DOCKER)).close()
    async with await open_sandbox(KernelChoice.DOCKER, limits, pool=0) as sandbox:
        honest, hog = await asyncio.gather(sandbox.session(), sandbox.session())
        await run(honest, "keep = bytearray(200 * 2**20)\nfor i in range(0, len(keep), 4096): keep[i] = 1")
        execution = await run_file(hog, "many_hogs", timeout=30)
        assert execution.status is DIED
        assert execution.error is not None
        assert execution.error.name == "MemoryLimit"
        assert (await run(honest, "len(keep)")).result == str(200 * 2**20)
        await works(hog)


async def test_shared_memory_that_is_full_ends_the_session_at_fault() -> None:
    sandbox = await open_backend(DOCKER)
    honest, hog = await asyncio.gather(sandbox.session(), sandbox.session())
    await run(honest, "keep = 1")
    execution = await run_file(hog, "fill_shared_memory", timeout=30)
    assert execution.status is DIED
    assert execution.error is not None
    assert "/dev/shm" in execution.error.message
    assert (await run(honest, "keep")).result == "1"
    code = "import multiprocessing as m\nwith m.Pool(2) as p: print(p.map(abs, [-1, -2]))"
    assert (await run(honest, code)).stdout == "[1, 2]\n"
    await sandbox.close()


async def test_threads_run_out_for_one_session_alone(jail: Sandbox) -> None:
    greedy, other = await asyncio.gather(jail.session(), jail.session())
    assert (await run_file(greedy, "thread_bomb", timeout=20)).status in {ERROR, TIMEOUT, DIED}
    await works(other)
    await works(greedy)
    await asyncio.gather(greedy.close(), other.close())


# -- out of the jail ---------------------------------------------------------------------------------

CALLS = {
    "ptrace": "ptrace(0, 0, 0, 0)",
    "unshare": "unshare(0x10000000)",
    "setns": "setns(0, 0)",
    "mount": "mount(b'none', b'/scratch', b'tmpfs', 0, None)",
    "pivot_root": "syscall(155, b'/', b'/')",
    "bpf": "syscall(321, 0, 0, 0)",
    "userfaultfd": "syscall(323, 0)",
    "io_uring": "syscall(425, 1, 0)",
    "keyctl": "syscall(250, 0, 0)",
    "process_vm_readv": "process_vm_readv(1, 0, 0, 0, 0, 0)",
    "reboot": "reboot(0x01234567)",
    "sethostname": "sethostname(b'x', 1)",
    "nice": "setpriority(0, 0, -10)",
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls differ")
@pytest.mark.parametrize("call", CALLS)
async def test_a_system_call_that_opens_doors_is_refused(jailed: Session, call: str) -> None:
    code = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.{CALLS[call]}, ctypes.get_errno()"
    execution = await run(jailed, code)
    assert execution.status is OK, execution
    assert execution.result is not None
    result, errno = execution.result.strip("()").split(", ")
    assert result == "-1"
    assert errno in {"1", "13", "38"}, call


@pytest.mark.parametrize(
    "path", ["/var/run/docker.sock", "/run/docker.sock", "/run/dbus/system_bus_socket", "\\0x"]
)
async def test_sockets_of_the_host_are_not_there(jailed: Session, path: str) -> None:
    code = f"import socket\nsocket.socket(socket.AF_UNIX).connect('{path}')"
    assert (await run(jailed, code)).status is ERROR


async def test_the_sockets_of_a_session_cannot_be_replaced(jailed: Session) -> None:
    execution = await run_file(jailed, "replace_sockets")
    assert execution.stdout == "PermissionError PermissionError PermissionError\n", execution
    await works(jailed)


async def test_shared_memory_of_another_session_cannot_be_read(jail: Sandbox) -> None:
    first, second = await asyncio.gather(jail.session(), jail.session())
    code = (
        "from multiprocessing.shared_memory import *\nm = SharedMemory('secret', create=True, size=9)\nm.size"
    )
    assert (await run(first, code)).result == "9"
    ours = await run(first, "import os\nos.getuid()")
    theirs = await run(second, "import os\nos.getuid()")
    execution = await run(second, "open('/dev/shm/secret', 'rb').read()")
    assert execution.status is ERROR or ours.result == theirs.result
    await asyncio.gather(first.close(), second.close())


async def test_all_processes_of_others_survive_a_kill_of_all(jail: Sandbox) -> None:
    killer, other = await asyncio.gather(jail.session(), jail.session())
    await run(other, "a = 1")
    await run(killer, "import os, signal\nos.kill(-1, signal.SIGKILL)", timeout=5)
    assert (await run(other, "a")).result == "1"
    await works(killer)
    await asyncio.gather(killer.close(), other.close())


async def test_a_container_of_its_own_holds_one_session() -> None:
    sandbox = await open_backend(CONTAINER)
    first, second = await asyncio.gather(sandbox.session(), sandbox.session())
    count = "import os\nlen([p for p in os.listdir('/proc') if p.isdigit()])"
    many = await run(
        first, f"import subprocess\np = [subprocess.Popen(['sleep', '60']) for _ in range(20)]\n{count}"
    )
    few = await run(second, count)
    assert int(many.result or 0) - int(few.result or 0) >= 20
    await run(first, "for each in p: each.kill(); each.wait()")
    (born,) = await first.branch()
    assert (await run(born, "len(p)")).result == "20"
    await first.close()
    await works(born)
    await born.close()
    await second.close()
    await sandbox.close()
