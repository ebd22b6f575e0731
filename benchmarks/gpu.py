"""Everything that wants a card, on a bare machine with one NVIDIA GPU and no network.

On a machine with the corpora, once (the second number cuts clips, for those that are only judged;
16 kbit/s are 8 MB an hour):

    python benchmarks/gpu.py pack runs/audio.pack pocket fsdd:2 esc10:2 speech_commands_test:2 \\
        esc50_4:2 emovo:2

On the machine with the card: this checkout, that file, and a Python of 3.11 or later with a torch
built for CUDA, torchaudio, numpy, pandas, scipy, scikit-learn, filelock, pyyaml, tqdm,
safetensors, threadpoolctl and pytest. What is missing travels as wheels and is installed without
an index: soundfile with cffi and pycparser; dasheng (0.0.9) and einops for the comparison;
transformers for HuBERT and Wav2Vec2; bitsandbytes for 8-bit AdamW. What is absent is left out,
and `check.json` says so. From the root of the checkout:

    export PYTHONPATH=.
    python benchmarks/gpu.py run runs/audio.pack --out OUT --minutes 4 \\
        --steps check tests speed small
    python benchmarks/gpu.py run runs/audio.pack --out OUT --minutes 9 --steps sweep

Steps come in the order of their value for what follows; each leaves its results in
OUT/results.zip, the sweep after every run, so that a cut leaves what is done. `--before` takes
the finished runs of an earlier results.zip for done. `run --tiny --device cpu` tries it all.
A sweep's results.zip becomes a record of the book by

    python benchmarks/gpu.py keep OUT/results.zip --grid GRID.yml --record book/results/NAME

One pretraining, as by `dasheng pretrain` but from packed audio that lies on the card:

    python benchmarks/gpu.py pretrain runs/audio.pack --corpus pocket-large --out runs/nano \\
        --steps 20000 --hold-out 0.02 --epoch 500 --record OUT/nano
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from card_crops import CardCrops
from card_steps import check, small_steps
from card_sweep import Crew, Job, work_on_card
from common import run_script
from packed import load_packed, pack, packed_head

from dasheng_lib.commands.pretrain import add_run_arguments, config_from_args
from dasheng_lib.commands.record import add_record
from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.distributed import World
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.common.provenance import provenance
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.split import shortened
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.results import recordable, write_results
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.table import SweepTable
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.run import Execution, pretrain_into

ROOT = Path(__file__).parents[1]
STEPS = ("check", "tests", "speed", "small", "sweep")
SPARE = 10.0  # seconds at the end, for what must be written
# The peer has this size alone. Clips of ten seconds, as in its own examples.
SPEED = {
    "embed_10s": ["--clips", "64", "--batch", "32", "--repeats", "15"],
    "train_step": ["--clips", "32", "--repeats", "15"],
}
TINY = ["--size", "nano", "--clips", "2", "--seconds", "1", "--repeats", "1", "--no-peer"]


@dataclass(frozen=True)
class Task:
    """What is asked of one call, and where its results are gathered."""

    args: argparse.Namespace
    results: Path
    began: float

    def left(self) -> float:
        """Seconds until the end."""
        return 60 * self.args.minutes - (time.monotonic() - self.began) - SPARE

    def say(self, text: str) -> None:
        """Print a line with the time, and bring all results home."""
        print(f"[{time.monotonic() - self.began:5.0f} s] {text}", flush=True)
        with (
            atomic_file(self.args.out / "results.zip") as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for path in sorted(p for p in self.results.iterdir() if p.suffix != ".lock"):
                archive.write(path, path.name)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing = verbs.add_parser("pack", help="write corpora into one small file")
    packing.add_argument("file", type=expanded)
    packing.add_argument("names", nargs="+", metavar="NAME[:SECONDS]")
    packing.add_argument("--kbps", type=float, default=16.0, help="of Opus (16)")
    running = verbs.add_parser("run", help="test, measure and train on the card")
    running.add_argument("file", type=expanded, help="packed corpora")
    running.add_argument("--out", type=expanded, required=True, help="folder of results.zip")
    running.add_argument(
        "--place", type=expanded, default=Path("runs/gpu"), help="of runs (runs/gpu)"
    )
    running.add_argument("--minutes", type=float, default=9.0, help="of all steps together (9)")
    running.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    running.add_argument("--before", type=expanded, help="results.zip of an earlier call")
    running.add_argument(
        "--grid", type=expanded, default=ROOT / "data_manifests" / "sweeps" / "gpu.yml"
    )
    running.add_argument("--trainers", type=int, default=Crew.trainers, help="processes that train")
    running.add_argument("--streams", type=int, default=Crew.streams, help="runs in each at once")
    running.add_argument("--judges", type=int, default=Crew.judges, help="processes that judge")
    running.add_argument("--apart", action="store_true", help="judge when all runs are trained")
    running.add_argument("--device", default="cuda", choices=["cpu", "cuda"])
    running.add_argument("--tiny", action="store_true", help="see that every step would work")
    keeping = verbs.add_parser("keep", help="add what a sweep on the card found to the records")
    keeping.add_argument("results", type=expanded, help="results.zip of the last call")
    keeping.add_argument("--grid", type=expanded, required=True, help="YAML file of that call")
    keeping.add_argument("--record", type=recordable, required=True, help="FILE.csv, without .csv")
    training = verbs.add_parser("pretrain", help="`dasheng pretrain` on packed audio")
    training.add_argument("file", type=expanded, help="packed corpora")
    training.add_argument("--out", type=expanded, required=True, help="folder of the run")
    training.add_argument("--corpus", default="pocket", help="which of them (pocket)")
    add_run_arguments(training)
    training.add_argument("--seed", type=int, default=0, help="of weights, crops and masks (0)")
    training.add_argument("--device", default="cuda", choices=["cpu", "cuda"])
    add_record(training, "curve")
    args = parser.parse_args(argv)
    if args.verb == "pack":
        pack_into(args.file, args.names, args.kbps)
    elif args.verb == "pretrain":
        pretrain_on_card(args)
    elif args.verb == "keep":
        keep(args.results, args.grid, args.record)
    else:
        run(args)


def pack_into(file: Path, names: Sequence[str], kbps: float) -> None:
    """Prepare and pack corpora, each clip's first seconds where the name says how many."""
    corpora = {}
    for said in names:
        name, _, seconds = said.partition(":")
        corpora[name] = prepare(load_corpus(name))
        if seconds:
            corpora[name] = shortened(corpora[name], float(seconds))
    pack(corpora, file, kbps)
    hours = sum(corpus.hours() for corpus in corpora.values())
    print(f"{file}: {', '.join(corpora)}; {hours:.2f} h, {file.stat().st_size / 1e6:.1f} MB")


def run(args: argparse.Namespace) -> None:
    """All steps that are asked for, one after the other."""
    if args.device == "cuda" and not torch.cuda.is_available():
        raise UserError("There is no CUDA device that this torch can use.")
    task = Task(args, args.place / "results", time.monotonic())
    task.results.mkdir(parents=True, exist_ok=True)
    if args.before:
        with zipfile.ZipFile(args.before) as archive:
            for name in {"sweep.csv", "runs.csv"} & set(archive.namelist()):
                (task.results / name).write_bytes(archive.read(name))
    acts: dict[str, Callable[[Task], str]] = {
        "check": lambda task: check(task.results / "check.json", args.device),
        "tests": tests,
        "speed": speed,
        "small": small,
        "sweep": sweep,
    }
    for step in STEPS:
        if step not in args.steps:
            continue
        if task.left() <= 0:
            task.say(f"{step}: no time left")
            continue
        try:
            task.say(f"{step}: {acts[step](task)}")
        except UserError as error:
            task.say(f"{step}: {error}")


def tests(task: Task) -> str:
    """The tests marked `gpu`, in a process of their own."""
    command = [
        "-m",
        "pytest",
        "-m",
        "gpu",
        "--noconftest",
        "-q",
        "-rs",
        "tests/commands/test_gpu.py",
    ]
    if task.args.tiny:
        command += ["-k", "reference or processor"]
    return called(task, "tests", command)


def called(task: Task, name: str, command: Sequence[str]) -> str:
    """Run Python in the checkout until it ends or time is out; its output is `NAME.txt`."""
    path = task.results / f"{name}.txt"
    places = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "GPU_TESTS_ON": task.args.device, "PYTHONPATH": places}
    with path.open("w") as file:
        try:
            done = subprocess.run(
                [sys.executable, *command],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                timeout=max(task.left(), 1),
            )
        except subprocess.TimeoutExpired:
            return "cut off"
    lines = path.read_text().strip().splitlines() or [""]
    return lines[-1] if done.returncode == 0 else f"FAILED ({done.returncode}): {lines[-1]}"


def speed(task: Task) -> str:
    """Embedding and training beside the peer: float32 plain and as TF32, and bfloat16."""
    said = []
    for name, options in SPEED.items():
        for kind, more in (
            ("", ["--precision", "float32", "bfloat16"]),
            ("_tf32", ["--tf32", "--precision", "float32"]),
        ):
            # Relative to where it is called, for the command goes into the record.
            record = Path(os.path.relpath(task.results, ROOT)) / f"{name}{kind}"
            command = [f"benchmarks/{name}.py", "--device", task.args.device, *options, *more]
            if task.args.tiny:
                command = [*command[:3], *TINY, "--precision", "float32"]
            called(task, record.name, [*command, "--record", str(record)])
            kept = (task.results / f"{record.name}.csv").exists()
            said.append(f"{record.name} {'kept' if kept else '-'}")
    sizes = ["random:nano"] if task.args.tiny else ["random:base", "random:0.6B", "random:1.2B"]
    clips = ["--clips", "1", "--repeats", "1"] if task.args.tiny else ["--clips", "32"]
    command = ["benchmarks/encoders.py", "--device", task.args.device, "--encoders", *sizes, *clips]
    record = Path(os.path.relpath(task.results, ROOT)) / "encoders"
    said.append(called(task, "encoders", [*command, "--batch", "32", "--record", str(record)]))
    return ", ".join(said)


def small(task: Task) -> str:
    """What starves a card that trains small models: steps a second, one remedy after the other."""
    grid, seconds = read_grid(task.args.grid), 0.5 if task.args.tiny else 5.0
    trial = grid.trials[0]
    corpus = prepare(load_packed(task.args.file, trial.corpus))
    facts = {"command": "python benchmarks/gpu.py run --steps small", "device": task.args.device}
    rows = []
    for row in small_steps(corpus, trial.config, torch.device(task.args.device), seconds):
        rows.append(row)
        table = pd.DataFrame(rows)
        write_results(task.results / "small_steps", table, **facts, seed=trial.config.train.seed)
        if task.left() < 10 * seconds:
            break
    return "\n" + table.to_string(index=False, float_format="{:.0f}".format)


def sweep(task: Task) -> str:
    """The grid, several runs at a time, until time is out."""
    args, head = task.args, packed_head(task.args.file)
    if absent := set(read_grid(args.grid).protocol.corpora) - set(head["corpora"]):
        raise UserError(f"{args.file} lacks {', '.join(sorted(absent))}: pack them too.")
    load = partial(load_packed, args.file.absolute())
    for name in head["corpora"]:  # once, before many processes ask for it
        prepare(load(name))
    audio = f"{head['codec']} {head['kbps']:g} kbit/s"
    job = Job(args.grid, task.results, args.place / "runs", load, audio)
    crew = Crew(args.trainers, args.streams, args.judges, args.apart)
    shutil.copy(args.grid, task.results / "grid.yml")
    facts = {"audio": head, "bytes": args.file.stat().st_size, **provenance()}
    (task.results / "sweep.json").write_text(json.dumps(facts, indent=1))
    left = work_on_card(job, crew, task.left(), task.say)
    rows = task.results / "sweep.csv"
    done = pd.read_csv(rows)["run"].nunique() if rows.exists() else 0
    return f"{done} runs are in the table, {len(left)} are left: {' '.join(left[:8])}"


def pretrain_on_card(args: argparse.Namespace) -> None:
    """One run whose audio lies on the card; its curve is kept as `dasheng pretrain` keeps it."""
    config, device = config_from_args(args, args.seed), torch.device(args.device)
    corpus = prepare(load_packed(args.file, args.corpus))
    crops, held = batches_of(corpus, config, partial(CardCrops, device=device))
    execution = Execution(checkpoint_every=config.train.steps, replay=device.type == "cuda")
    run = pretrain_into(args.out, crops, held, config, World(device=device), execution)
    if args.record:
        facts = {
            "command": shlex.join(["python", "benchmarks/gpu.py", *sys.argv[1:]]),
            "corpora": {corpus.name: packed_head(args.file)["corpora"][corpus.name]["packed_from"]},
            "audio": {key: packed_head(args.file)[key] for key in ("codec", "kbps")},
            "parameters": config.record(),
            "seconds": round(run.log["seconds"].iloc[-1]),
            "device": device.type,
        }
        write_results(args.record, run.curve(), **facts)


def keep(results: Path, grid: Path, record: Path) -> None:
    """Rows and runs of a sweep on the card as a record of the book, with what made them."""
    with zipfile.ZipFile(results) as archive, TemporaryDirectory() as folder:
        for name in ("sweep.csv", "runs.csv"):
            (Path(folder) / name).write_bytes(archive.read(name))
        card = json.loads(archive.read("sweep.json"))
        table = SweepTable(Path(folder), read_grid(grid).trials)
        command = f"python benchmarks/gpu.py run FILE --steps sweep --grid {grid}"
        origin = {"grid": grid.read_text(), "card": card, **table.origin()}
        write_results(record, table.rows(), command, **origin)
        table.keep_runs(record)
        print(f"{record}.csv: {len(table.runs())} runs")


if __name__ == "__main__":
    run_script(main)
