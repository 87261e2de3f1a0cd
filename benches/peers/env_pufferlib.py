"""PufferLib's CartPole, written in C, for `cargo xtask bench envs`.

PufferLib's installer fetches raylib and Box2D from GitHub and wants PyTorch, though a step of CartPole needs none of
them. So its source distribution is fetched from the package index, and CartPole's own extension module built with the
flags of its setup.py, drawing left out.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import numpy as np

from env_common import SEED, STEPS_PER_CALL, Form, random_actions, refuse, serve

VERSION = "3.0.0"
FOLDER = Path(sys.prefix) / f"pufferlib-{VERSION}"
OURS = "CartPole-v1"
# One copy, as many as ours, and as many as its own test of performance has.
COPIES = [1, 64, 4096]
# What its setup.py imports where it builds nothing: the parts of PyTorch that compile extensions. Where it is told to
# leave out its environments it forgets to say that there are no paths of them.
NO_TORCH = """
import builtins
from setuptools.command.build_ext import build_ext as BuildExtension
CppExtension = CUDAExtension = CUDA_HOME = None
builtins.c_extension_paths = []
"""
# The declarations that CartPole's drawing needs to compile; none of it is called.
NO_DRAWING = """
#include <math.h>
#ifndef M_PI
#define M_PI 3.14159265358979323846
#endif
typedef struct { unsigned char r, g, b, a; } Color;
typedef struct { float x, y; } Vector2;
enum { KEY_ESCAPE, KEY_TAB };
#define InitWindow(...) ((void)0)
#define SetTargetFPS(...) ((void)0)
#define CloseWindow(...) ((void)0)
#define IsKeyDown(...) 0
#define IsKeyPressed(...) 0
#define ToggleFullscreen(...) ((void)0)
#define BeginDrawing(...) ((void)0)
#define ClearBackground(...) ((void)0)
#define DrawLine(...) ((void)0)
#define DrawLineEx(...) ((void)0)
#define DrawRectangle(...) ((void)0)
#define DrawText(...) ((void)0)
#define TextFormat(...) ""
#define EndDrawing(...) ((void)0)
"""
FLAGS = ["-O2", "-flto", "-fwrapv", "-fPIC", "-shared", "-DNPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION", "-w"]


def run(command: list, **more) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"{Path(command[0]).name}: {lines[-1] if lines else 'failed'}")


def fetch() -> Path:
    """The folder of the unpacked source distribution."""
    torch = FOLDER / "no-torch" / "torch" / "utils"
    torch.mkdir(parents=True)
    for package in (torch, torch.parent):
        (package / "__init__.py").write_text("")
    (torch / "cpp_extension.py").write_text(NO_TORCH)
    leave_out = {"NO_OCEAN": "1", "NO_TRAIN": "1", "PYTHONPATH": str(FOLDER / "no-torch")}
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    source = ["--no-build-isolation", "--no-binary", ":all:", "--dest", str(FOLDER), f"pufferlib=={VERSION}"]
    run(pip + source, env=os.environ | leave_out)
    with tarfile.open(next(FOLDER.glob("*.tar.gz"))) as archive:
        archive.extractall(FOLDER, filter="data")
    return FOLDER / f"pufferlib-{VERSION}"


def build() -> Path:
    module = FOLDER / "binding.so"
    if module.exists():
        return module
    shutil.rmtree(FOLDER, ignore_errors=True)
    ocean = fetch() / "pufferlib" / "ocean"
    (FOLDER / "raylib.h").write_text(NO_DRAWING)
    include = [FOLDER, sysconfig.get_paths()["include"], np.get_include()]
    finished = module.with_suffix(".new")
    sources = [str(ocean / "cartpole" / "binding.c"), "-lm", "-o", str(finished)]
    run(["cc", *FLAGS, *[f"-I{folder}" for folder in include], *sources])
    finished.rename(module)
    return module


def form(binding, copies: int) -> Form:
    rows_per_call = max(1, STEPS_PER_CALL // copies)

    def make():
        observations = np.zeros((copies, 4), np.float32)
        actions, rewards = np.zeros(copies, np.float32), np.zeros(copies, np.float32)
        terminals, truncations = np.zeros(copies, bool), np.zeros(copies, bool)
        buffers = (observations, actions, rewards, terminals, truncations)
        envs = binding.vec_init(*buffers, copies, SEED, continuous=0)
        binding.vec_reset(envs, SEED)
        rows = list(random_actions(2, copies).astype(np.float32))
        at = 0

        def run(calls: int) -> None:
            nonlocal at
            step = binding.vec_step
            for _ in range(calls):
                for row in rows[at : at + rows_per_call]:
                    actions[:] = row
                    step(envs)
                at = (at + rows_per_call) % len(rows)

        # The buffers are the environments' own: they must outlive them.
        run.buffers = buffers
        return run

    return Form(make, rows_per_call * copies, "puffer_cartpole")


def main() -> None:
    try:
        spec = importlib.util.spec_from_file_location("binding", build())
        binding = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(binding)
    except Exception as error:  # no network, no compiler, another layout: said in the results
        refuse(f"{type(error).__name__}: {error}")
        return
    kinds = {f"{OURS}:c-{copies}": form(binding, copies) for copies in COPIES}
    serve({"pufferlib": VERSION}, kinds if OURS in sys.argv[1:] else {})


main()
