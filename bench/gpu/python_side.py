#!/usr/bin/env python3
"""The cases of bench_throughput in Python with torchdiffeq, and the table of both sides.

  python_side.py --networks FOLDER [--device D] [--small] [--seconds S]
  python_side.py --table LINES [--json FILE]

FOLDER holds what `bench_throughput --export FOLDER` wrote: the same weights. Prints one JSON line for each
measurement, like bench_throughput, and one for each network with the distance of its float64 results from those of
bench_throughput. --table reads such lines of both sides and prints them as a Markdown table; it needs no PyTorch.

Networks and attack are written as one writes them with torchdiffeq: odeint in the forward pass, autograd.grad to the
input, sign, clamp.
"""

import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "solvers"))
sys.path.insert(0, os.path.join(HERE, ".."))
import torchdiffeq_side  # noqa: E402  reads safetensors files; has the blocks of SONet
from resnet_block import make_block  # noqa: E402

EPSILON, STEP = 0.031, 0.003
RUNS, SECONDS_PER_CASE, ATTACK_STEPS, TRAINING_STEPS, LARGE_BATCH = 7, 1.5, 3, 6, 500
KEYS = ("what", "network", "solver", "mode", "batch", "precision", "tf32")


def make_network(name, tensors, device, dtype, method):
    """A callable from images to logits with .weights (for the optimiser) and .evaluations."""
    nn = torch.nn

    class Ode(torchdiffeq_side.SoNet):
        def __init__(self, state):
            self.evaluations = 0
            super().__init__(state, self.counted, False)

        def counted(self, field):
            def call(t, y):
                self.evaluations += 1
                return field(t, y)

            return call

        def solve(self, field, y0):
            first = y0[0] if isinstance(y0, tuple) else y0
            t = torch.tensor([0.0, 1.0], dtype=first.dtype, device=first.device)
            out = odeint(self.count(field), y0, t, rtol=0.1, atol=0.1, method=method)
            return tuple(part[-1] for part in out) if isinstance(out, tuple) else out[-1]

    state = {
        key: value.to(device, dtype) for key, value in tensors.items() if key.startswith("state/")
    }
    if name == "sonet":
        net = Ode(state)
        net.parameters = list(net.weights.values())
        net.train = lambda is_training: None
        return net

    block = make_block(torch)
    width = state["state/layer1.0.conv1.weight"].shape[0]
    head = torch.nn.Module()
    head.layers = []
    for i, stride in enumerate((1, 2, 2, 2)):
        inputs, outputs = width * 2 ** max(i - 1, 0), width * 2**i
        head.add_module(f"layer{i + 1}", nn.Sequential(block(inputs, outputs, stride)))
        head.layers.append(getattr(head, f"layer{i + 1}"))
    head.linear = nn.Linear(width * 8, 10)
    head = head.to(device, dtype)
    stem = {key: value for key, value in state.items() if key.startswith("state/conv1.")}
    rest = {key[len("state/") :]: value for key, value in state.items() if key not in stem}
    missing, unexpected = head.load_state_dict(rest, strict=False)
    if unexpected or any(not key.endswith("num_batches_tracked") for key in missing):
        raise RuntimeError(f"weights do not fit: {missing} {unexpected}")

    class SoResNet(Ode):
        def __call__(self, x):
            y = self.block("conv1.odefunc.", x)
            for layer in head.layers:
                y = layer(y)
            return head.linear(y.mean((2, 3)))

    net = SoResNet(stem)
    net.parameters = list(net.weights.values()) + list(head.parameters())
    net.train = head.train
    return net


class Side:
    def __init__(self, arguments):
        self.arguments = arguments
        self.device = torch.device(arguments.device)
        self.began = time.perf_counter()
        self.files = {
            name: torchdiffeq_side.read_safetensors(os.path.join(arguments.networks, name + ".safetensors"))
            for name in ("so_resnet", "sonet")
        }

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def cases(self):
        small, large = (4, 8) if self.arguments.small else (100, 1000)
        is_cuda = self.device.type == "cuda"
        names = ("so_resnet", "sonet")
        all_cases = [("pgd", name, solver, small, False) for name in names for solver in ("dopri5", "bosh3")]
        all_cases += [("training", name, "dopri5", small, False) for name in names]
        if is_cuda:
            all_cases += [("training", name, "dopri5", small, True) for name in names]
        for name in names:
            all_cases.append(("pgd", name, "dopri5", large, False))
            if is_cuda:
                all_cases += [("pgd", name, "dopri5", batch, True) for batch in (small, large)]
            all_cases.append(("pgd", name, "bosh3", large, False))
        return all_cases

    def run(self):
        for name in ("so_resnet", "sonet"):
            self.agree(name)
        for what, name, solver, batch, tf32 in self.cases():
            line = {"side": "torchdiffeq", "what": what, "network": name, "solver": solver, "mode": "own"}
            line.update(batch=batch, graphs=False, tf32=tf32, precision="full")
            if time.perf_counter() - self.began > self.arguments.seconds:
                line["not_run"] = "out of time"
            else:
                torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
                try:
                    measure = self.measure_attack if what == "pgd" else self.measure_training
                    line.update(measure(name, solver, batch))
                except RuntimeError as error:  # out of memory is one
                    line["not_run"] = str(error).splitlines()[0]
                    if self.device.type == "cuda":
                        torch.cuda.empty_cache()
            print(json.dumps(line), flush=True)

    def network(self, name, dtype, method):
        return make_network(name, self.files[name][0], self.device, dtype, method)

    def images(self, count, dtype):
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
        labels = torch.randint(10, (count,), generator=generator)
        return images.to(self.device, dtype) / 255, labels.to(self.device)

    def agree(self, name):
        tensors, metadata = self.files[name]
        net = self.network(name, torch.float64, "dopri5")
        net.train(False)
        x = tensors["input"].to(self.device).requires_grad_()
        labels = tensors["labels"].to(self.device)
        logits = net(x)
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
        gradient = torch.autograd.grad(loss, x)[0]
        line = {"side": "torchdiffeq", "agreement": name}
        for key, ours in (("logits", logits.detach()), ("gradient", gradient)):
            theirs = tensors[key].to(self.device)
            line[key] = ((ours - theirs).norm() / theirs.norm()).item()
        line["evaluations"] = [net.evaluations, int(metadata["evaluations"])]
        print(json.dumps(line), flush=True)

    def measure(self, steps, run):
        start = time.perf_counter()
        run()
        self.wait()
        warm_up = time.perf_counter() - start
        times, measured = [], time.perf_counter()
        while len(times) < 2 or (len(times) < RUNS and time.perf_counter() - measured < SECONDS_PER_CASE):
            begin = time.perf_counter()
            run()
            self.wait()
            times.append((time.perf_counter() - begin) / steps)
        times.sort()
        return {
            "runs": len(times),
            "median_s": times[len(times) // 2],
            "fastest_s": times[0],
            "slowest_s": times[-1],
            "warm_up_s": warm_up,
        }

    def measure_attack(self, name, solver, batch):
        net = self.network(name, torch.float32, solver)
        net.train(False)
        for weight in net.parameters:
            weight.requires_grad_(False)
        x, y = self.images(batch, torch.float32)
        steps = ATTACK_STEPS if batch < LARGE_BATCH else 1

        def run():
            point = x
            for _ in range(steps):
                point = point.detach().requires_grad_()
                loss = torch.nn.functional.cross_entropy(net(point), y, reduction="sum")
                gradient = torch.autograd.grad(loss, point)[0]
                point = point.detach() + STEP * gradient.sign()
                point = torch.min(torch.max(point, x - EPSILON), x + EPSILON).clamp(0, 1)

        line = self.measure(steps, run)
        net.evaluations = 0
        run()
        return {**line, "evaluations": net.evaluations // steps}

    def measure_training(self, name, solver, batch):
        net = self.network(name, torch.float32, solver)
        net.train(True)
        for weight in net.parameters:
            weight.requires_grad_(True)
        optimizer = torch.optim.SGD(net.parameters, lr=0.01, momentum=0.9)
        x, y = self.images(batch * TRAINING_STEPS, torch.float32)

        def run():
            for rows in torch.randperm(len(y), device=self.device).split(batch):
                loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        return self.measure(TRAINING_STEPS, run)


def milliseconds(line):
    if line is None:
        return "-"
    return line["not_run"][:40] if "not_run" in line else f"{line['median_s'] * 1e3:.1f}"


def ratio(theirs, ours):
    if theirs is None or ours is None or "not_run" in theirs or "not_run" in ours:
        return "-"
    return f"{theirs['median_s'] / ours['median_s']:.2f}"


def print_table(path, json_file):
    """One row for each case: milliseconds of a step on both sides, and how many times ours go into theirs."""
    rows, agreements, order = {}, [], []
    with open(path, encoding="utf-8") as file:
        for text in file:
            line = json.loads(text)
            if "agreement" in line:
                agreements.append(line)
                continue
            key = tuple(line[name] for name in KEYS)
            if key not in rows:
                order.append(key)
            column = "theirs" if line["side"] == "torchdiffeq" else "graphs" if line["graphs"] else "plain"
            rows.setdefault(key, {})[column] = line
    own = {}  # the torchdiffeq figure that a replayed solve is held against
    for key, columns in rows.items():
        if "theirs" in columns:
            own[key[:3] + key[4:]] = columns["theirs"]
    print("| step | network | solver | batch | precision | torchdiffeq, ms | unmask, ms | graphs, ms | ratio | with graphs | nfe |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for key in order:
        what, network, solver, mode, batch, precision, tf32 = key
        columns = rows[key]
        theirs = own.get(key[:3] + key[4:])
        plain, graphs = columns.get("plain"), columns.get("graphs")
        nfe = next((line["evaluations"] for line in (plain, graphs) if line and "evaluations" in line), "-")
        names = [what, network, solver if mode == "own" else f"{solver}, {mode}", str(batch)]
        names.append(precision + (", TF32" if tf32 else ""))
        numbers = [milliseconds(line) for line in (theirs, plain, graphs)]
        print("| " + " | ".join(names + numbers + [ratio(theirs, plain), ratio(theirs, graphs), str(nfe)]) + " |")
    for line in agreements:
        print(
            f"\nfloat64 agreement of {line['agreement']}: logits {line['logits']:.1e}, gradient {line['gradient']:.1e}, "
            f"evaluations {line['evaluations'][0]} and {line['evaluations'][1]}"
        )
    for key in order:
        graphs = rows[key].get("graphs")
        if graphs and "graphs_differ_by" in graphs:
            print(f"\nrecorded gradient of {key[1]}, {key[2]} {key[3]}, batch {key[4]}: off by {graphs['graphs_differ_by']:.1e}")
    if json_file:
        with open(json_file, "w", encoding="utf-8") as file:
            json.dump([line for columns in rows.values() for line in columns.values()] + agreements, file, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--networks")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--table")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    if arguments.table:
        print_table(arguments.table, arguments.json)
        return
    if not arguments.networks:
        parser.error("--networks is missing")
    global torch, odeint
    import torch
    from torchdiffeq import odeint

    torchdiffeq_side.torch, torchdiffeq_side.F = torch, torch.nn.functional
    torch.set_num_threads(1)
    Side(arguments).run()


if __name__ == "__main__":
    main()
