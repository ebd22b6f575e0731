"""torchaudio imports with and without its compiled part, and is left alone when it loads."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# A torchaudio small enough to read, with the same anatomy: the package imports _extension first,
# and other modules take their names from it.
FAKE = {
    "__init__.py": "from . import _extension\nfrom . import functional\n",
    "functional.py": """
        from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align
        path = "compiled" if _IS_TORCHAUDIO_EXT_AVAILABLE else "python"
        @fail_if_no_align
        def forced_align(x):
            return x
    """,
    "_extension/utils.py": "def _load_lib(lib): return True\ndef _check_cuda_version(): return 1\n",
}
NATIVE = """
    from .utils import _check_cuda_version, _load_lib
    _IS_TORCHAUDIO_EXT_AVAILABLE = True
    _IS_ALIGN_AVAILABLE = True
    fail_if_no_align = lambda f: f
    identity = object()
"""
BROKEN = {
    "cpu torch": "raise OSError('libcudart.so.13: cannot open shared object file')",
    "other cuda": "raise RuntimeError('PyTorch and TorchAudio: different CUDA versions')",
    "half a library": "raise ImportError('Failed to load libtorchaudio')",
}


def run(code: str, *paths: Path) -> dict:
    """What a fresh interpreter, with ``paths`` first on its path, leaves in ``out``."""
    code = "out = {}\n" + textwrap.dedent(code) + "\nimport json; print(json.dumps(out))"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def fake_torchaudio(folder: Path, extension: str) -> Path:
    for name, text in {**FAKE, "_extension/__init__.py": extension}.items():
        path = folder / "torchaudio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


@pytest.mark.parametrize("first", ["import dasheng_lib", "import torchaudio"])
def test_native_torchaudio_is_left_alone(tmp_path, first):
    found = run(
        f"""
        {first}
        import sys, torchaudio
        before = {{k: v for k, v in sys.modules.items() if k.startswith("torchaudio")}}
        names = sorted(vars(sys.modules["torchaudio._extension"]))
        from dasheng_lib.common.torchaudio import torchaudio as ours, why_python_only
        after = {{k: v for k, v in sys.modules.items() if k.startswith("torchaudio")}}
        out["same"] = ours is torchaudio and before.keys() == after.keys() and all(
            before[k] is after[k] for k in before)
        out["loader"] = type(torchaudio._extension.__loader__).__name__
        out["file"] = torchaudio._extension.__file__
        out["why"] = why_python_only()
        out["path"] = torchaudio.functional.path
        out["align"] = torchaudio.functional.forced_align(7)
        out["stand_in"] = [k for k, m in sys.modules.items() if hasattr(m, "_why_absent")]
        out["same_names"] = names == sorted(vars(sys.modules["torchaudio._extension"]))
        """,
        fake_torchaudio(tmp_path, NATIVE),
    )
    assert found == {
        "same": True,
        "loader": "SourceFileLoader",
        "file": str(tmp_path / "torchaudio/_extension/__init__.py"),
        "why": None,
        "path": "compiled",
        "align": 7,
        "stand_in": [],
        "same_names": True,
    }


@pytest.mark.parametrize("failure", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("late", [False, True], ids=["fresh", "after a failed import"])
def test_broken_extension_leaves_the_python_part(tmp_path, failure, late):
    extension = "from .utils import _check_cuda_version, _load_lib\n" + failure
    found = run(
        f"""
        try:
            if {late}: import torchaudio
        except (OSError, RuntimeError, ImportError): pass
        import dasheng_lib, torchaudio
        from dasheng_lib.common.torchaudio import torchaudio as ours, why_python_only
        out["same"] = ours is torchaudio
        out["path"] = torchaudio.functional.path
        out["why"] = why_python_only()
        out["lib"] = torchaudio._extension._load_lib("torchaudio_prefixctc")
        try: torchaudio.functional.forced_align(7)
        except RuntimeError as error: out["align"] = str(error)
        """,
        fake_torchaudio(tmp_path, extension),
    )
    assert found["same"] and found["path"] == "python" and found["lib"] is False
    reason = failure.split("'")[1]
    assert reason in found["why"]
    assert "forced_align" in found["align"] and reason in found["align"]


def test_no_other_failure_is_hidden(tmp_path):
    folder = fake_torchaudio(tmp_path, NATIVE)
    (folder / "torchaudio/functional.py").write_text("raise OSError('truly broken')")
    found = run(
        """
        import dasheng_lib
        try: import torchaudio
        except OSError as error: out["error"] = str(error)
        """,
        folder,
    )
    assert found == {"error": "truly broken"}


def test_absent_torchaudio_gives_one_sentence(tmp_path):
    (tmp_path / "torchaudio.py").write_text("raise ModuleNotFoundError('No module: torchaudio')")
    found = run(
        """
        from dasheng_lib.common.errors import UserError
        try: from dasheng_lib.common.torchaudio import torchaudio
        except ImportError as error:
            out["user"] = isinstance(error, UserError)
            out["text"] = str(error)
        """,
        tmp_path,
    )
    assert found["user"] and "make env" in found["text"]


def test_import_is_cheap():
    found = run("import dasheng_lib, sys; out['heavy'] = [*{'torch', 'numpy'} & {*sys.modules}]")
    assert found == {"heavy": []}


def test_the_parts_we_use_work_here():
    torch = pytest.importorskip("torch")
    from dasheng_lib.common.torchaudio import torchaudio

    tone = torch.sin(2 * torch.pi * 440 * torch.arange(8000) / 8000)
    up = torchaudio.functional.resample(tone, 8000, 16000)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)
    torch.testing.assert_close(up[200:-200], expected[200:-200], atol=2e-3, rtol=0)
    mel = torchaudio.transforms.MelSpectrogram(16000, n_fft=512, hop_length=160, n_mels=64)(up)
    centres = torchaudio.functional.melscale_fbanks(257, 0.0, 8000.0, 64, 16000).argmax(0)
    assert abs(float(centres[mel.mean(-1).argmax()]) * 8000 / 256 - 440) < 32
    low = torchaudio.functional.lowpass_biquad(tone, 8000, 50.0)
    assert low.std() < 0.1 * tone.std()
