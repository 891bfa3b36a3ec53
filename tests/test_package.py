"""The wheel, installed elsewhere and run from another folder."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_what_the_checkout_holds(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    prompts, programs = ROOT.glob("prompts/*.yaml"), ROOT.glob("sandbox/*.py")
    for path in [*prompts, *programs, ROOT / "sandbox" / "Dockerfile", ROOT / "prices.toml"]:
        assert f"tir_agent/_data/{path.relative_to(ROOT)}" in names
    assert "tir_agent/py.typed" in names
    assert not [name for name in names if "test" in name.lower() or "__pycache__" in name]


def test_an_installed_wheel_finds_its_files_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    # The dependencies are this interpreter's: what is tested is where the package finds its own files.
    (packages,) = environment.glob("lib/python*/site-packages")
    here = next(entry for entry in sys.path if entry.endswith("site-packages"))
    (packages / "dependencies.pth").write_text(f"{here}\n")
    python = environment / "bin" / "python"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    code = "from tir_agent import assets as a; print(a.prompts_dir(), a.sandbox_dir(), a.prices_file())"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    for found in done.stdout.split():
        assert Path(found).exists()
        assert Path(found).is_relative_to(packages)
    for arguments in (["--version"], ["solve", "", "--prompt", "tir_zh"], ["solve", "x", "--prompt", "none"]):
        command = [str(python), "-m", "tir_agent", *arguments]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in ran.stderr
    assert "tir_fewshot" in ran.stderr


@pytest.mark.usefixtures("local_sandbox")
def test_an_installed_wheel_runs_a_cell(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = ROOT / "examples" / "scripted.py"
    done = subprocess.run(
        [sys.executable, str(script), "local"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert "ANSWERED: 1060" in done.stdout
