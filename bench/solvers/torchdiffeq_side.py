#!/usr/bin/env python3
"""The cases of bench_solvers with torchdiffeq: the same networks, inputs, tolerances and step counts.

  torchdiffeq_side.py --networks FOLDER [--case NAME]... [--threads N] [--repeats N]
  torchdiffeq_side.py --ratios FILE

FOLDER holds what `bench_solvers --export FOLDER` wrote. Prints one JSON line for each measurement,
and for sonet and mlp one line with the distance of the results from those of bench_solvers.
--ratios reads such lines of both sides and prints them side by side; it needs no PyTorch.

The fields are written as one writes them with torchdiffeq. `sonet` uses the transposed convolution
that stands in the formula; `sonet_flipped` uses, at stride 1, the convolution with the flipped kernel
that is the same map and much faster, which tells solver and convolution apart.
"""

import argparse
import json
import os
import struct
import sys
import time

CASES = ("small_state", "sonet", "sonet_flipped", "mlp")
DTYPES = {"F32": "float32", "F64": "float64", "I64": "int64"}


def read_safetensors(path):
    """Tensors by name, and the metadata. The format: length, JSON header, bytes."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, item in header.items():
        begin, end = item["data_offsets"]
        flat = torch.frombuffer(data[begin:end], dtype=getattr(torch, DTYPES[item["dtype"]]))
        tensors[name] = flat.reshape(item["shape"]).clone()
    return tensors, metadata


def time_calls(function, repeats):
    """Seconds per call, sorted. The function has run before. Fast ones are called often enough to fill 0.1 s."""

    def seconds(calls):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return time.perf_counter() - start

    times = [seconds(1)]
    calls = max(1, int(0.1 / max(1e-6, times[0])))
    if calls > 1:
        times = []
    while len(times) < repeats:
        times.append(seconds(calls) / calls)
    return sorted(times)


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.nfe = 0

    def count(self, field):
        def counted(t, y):
            self.nfe += 1
            return field(t, y)

        return counted

    def measure(self, case, mode, function):
        self.nfe = 0
        function()
        facts = {"evaluations": self.nfe}
        times = time_calls(function, self.arguments.repeats)
        self.print_line(
            case,
            mode,
            repeats=len(times),
            median_s=times[len(times) // 2],
            fastest_s=times[0],
            slowest_s=times[-1],
            facts=facts,
        )

    def agree(self, case, evaluations, expected_evaluations, pairs):
        """One line with the largest difference of each pair of tensors."""
        facts = {"evaluations": evaluations, "expected_evaluations": int(expected_evaluations)}
        for name, (ours, theirs) in pairs.items():
            facts[name + "_difference"] = (ours - theirs).abs().max().item()
            facts[name + "_size"] = theirs.abs().max().item()
        self.print_line(case, "agreement", facts=facts)

    def print_line(self, case, mode, **more):
        line = {"side": "torchdiffeq", "case": case, "mode": mode}
        line["threads"] = self.arguments.threads
        print(json.dumps({**line, **more}), flush=True)

    # --- small_state ---

    def small_state(self):
        steps = 16
        y0 = torch.linspace(-1, 1, 9216).reshape(1, 9216)
        t = torch.tensor([0.0, 1.0])
        # All equal: every step has this size and is accepted.
        options = {"first_step": 1 / steps, "min_step": 1 / steps, "max_step": 1 / steps}
        field = self.count(lambda t, y: -y)

        def solve(y):
            return odeint(field, y, t, rtol=1e-3, atol=1e-3, method="dopri5", options=options)[-1]

        def forward():
            with torch.no_grad():
                solve(y0)

        def backward():
            y = y0.detach().requires_grad_()
            torch.autograd.grad(solve(y).sum(), y)

        self.measure("small_state", "forward", forward)
        self.measure("small_state", "graph+backward", backward)

    # --- sonet ---

    def sonet(self, flipped=False):
        case = "sonet_flipped" if flipped else "sonet"
        tensors, metadata = read_safetensors(os.path.join(self.arguments.networks, "sonet.safetensors"))
        net = SoNet(tensors, self.count, flipped)
        x, labels = tensors["input"], tensors["labels"]

        def forward(net=net, x=x):
            with torch.no_grad():
                return net(x)

        def backward(net=net, x=x):
            image = x.detach().requires_grad_()
            loss = F.cross_entropy(net(image), labels[: len(x)], reduction="sum")
            return torch.autograd.grad(loss, image)[0]

        # The results of bench_solvers are those of the first images in float64.
        wide = {k: v.double() if v.is_floating_point() else v for k, v in tensors.items()}
        wide_net, few = SoNet(wide, self.count, flipped), wide["input"][: len(tensors["logits"])]
        self.nfe = 0
        logits = forward(wide_net, few)
        nfe = self.nfe
        gradient = backward(wide_net, few)
        pairs = {"logits": (logits, tensors["logits"]), "gradient": (gradient, tensors["gradient"])}
        self.agree(case, nfe, metadata["evaluations"], pairs)
        self.measure(case, "forward", forward)
        self.measure(case, "forward+input gradient", backward)

    def sonet_flipped(self):
        self.sonet(flipped=True)

    # --- mlp ---

    def mlp(self):
        tensors, metadata = read_safetensors(os.path.join(self.arguments.networks, "mlp.safetensors"))
        weights = [tensors["state/" + name].requires_grad_() for name in ("W1", "b1", "W2", "b2")]
        w1, b1, w2, b2 = weights
        field = self.count(lambda t, y: torch.addmm(b2, torch.tanh(torch.addmm(b1, y, w1)), w2))
        t = torch.tensor([0.0, 5.0], dtype=torch.float64)

        def solve(y):
            return odeint(field, y, t, rtol=1e-6, atol=1e-6, method="dopri5")[-1]

        def forward():
            with torch.no_grad():
                return solve(tensors["input"])

        def backward():
            y = tensors["input"].detach().requires_grad_()
            return torch.autograd.grad(solve(y).sum(), [y, *weights])[0]

        self.nfe = 0
        y1 = forward()
        nfe = self.nfe
        pairs = {"y1": (y1, tensors["y1"]), "gradient": (backward(), tensors["gradient"])}
        self.agree("mlp", nfe, metadata["evaluations"], pairs)
        self.measure("mlp", "forward", forward)
        self.measure("mlp", "graph+backward", backward)


class SoNet:
    """y' = N21(lrelu(conv(N12(z)))), z' = N22(lrelu(-convT(N11(y)))) for the stem and each block;
    y' = W lrelu(z) + b1, z' = -W^T lrelu(y) + b2 for the classifier."""

    def __init__(self, tensors, count, flipped):
        self.weights = {
            name[len("state/") :]: value for name, value in tensors.items() if name.startswith("state/")
        }
        self.count = count
        self.flipped = flipped
        self.blocks = [
            name[: -len(".odefunc.kernel")] for name in self.weights if name.endswith(".odefunc.kernel")
        ]

    def __call__(self, x):
        for block in self.blocks:
            x = self.block(block + ".odefunc.", x)
        return self.classifier(x.mean((2, 3)))

    def norm(self, name, x):
        channels = x.shape[1]
        return F.group_norm(x, min(8, channels), self.weights[name + ".weight"], self.weights[name + ".bias"])

    def block(self, prefix, x):
        kernel = self.weights[prefix + "kernel"]
        outputs, inputs = kernel.shape[:2]
        stride = 1 if kernel.shape[2] == 3 else 2
        norms = [prefix + name for name in ("norm1_1", "norm1_2", "norm2_1", "norm2_2")]
        flipped = kernel.transpose(0, 1).flip(2, 3).contiguous()

        def transposed(y):
            if self.flipped and stride == 1:
                return F.conv2d(y, flipped, padding=1)
            return F.conv_transpose2d(y, kernel, stride=stride, padding=1)

        def field(t, state):
            y = self.norm(norms[0], state[0])
            z = self.norm(norms[1], state[1])
            dy = F.leaky_relu(F.conv2d(z, kernel, stride=stride, padding=1), 0.01)
            dz = F.leaky_relu(-transposed(y), 0.01)
            return self.norm(norms[2], dy), self.norm(norms[3], dz)

        start = x if stride == 1 else x[:, :, ::2, ::2]
        repeats, rest = divmod(outputs, inputs)
        y0 = torch.cat([start] * repeats + ([start[:, :rest]] if rest else []), 1)
        return self.solve(field, (y0, x))[0]

    def classifier(self, features):
        weight, bias = self.weights["linear.odefunc.weight"], self.weights["linear.odefunc.bias"]
        n, classes = weight.shape

        def field(t, state):
            a = F.leaky_relu(state, 0.01)
            dy = F.linear(a[:, n:], weight, bias[:n])
            dz = F.linear(a[:, :n], -weight.t(), bias[n:])
            return torch.cat([dy, dz], 1)

        # The reference makes 0.1 in float32 and widens it; bench_solvers' network does the same.
        first = torch.tensor(0.1, dtype=torch.float32).item()
        start = torch.cat([features, features.new_full((len(features), classes), first)], 1)
        return self.solve(field, start)[:, n:]

    def solve(self, field, y0):
        t = torch.tensor([0.0, 1.0], dtype=(y0[0] if isinstance(y0, tuple) else y0).dtype)
        out = odeint(self.count(field), y0, t, rtol=0.1, atol=0.1, method="dopri5")
        return tuple(part[-1] for part in out) if isinstance(out, tuple) else out[-1]


def print_ratios(path):
    """Medians of the medians of both sides, and how the numbers agree."""
    medians, facts, agreements, skipped = {}, {}, {}, {}
    with open(path, encoding="utf-8") as file:
        for text in file:
            line = json.loads(text)
            key = (line["case"], line["mode"], line.get("threads", 1))
            if "skipped" in line:
                skipped[key] = line["skipped"]
            elif line["mode"] == "agreement":
                agreements[key] = line["facts"]
            else:
                medians.setdefault(key, {}).setdefault(line["side"], []).append(line["median_s"])
                facts.setdefault(key, {})[line["side"]] = line["facts"]

    def middle(values):
        return sorted(values)[len(values) // 2] * 1e3 if values else None

    print(f"{'case':14}{'mode':34}{'threads':>7}{'torchdiffeq':>15}{'unmask':>13}{'ratio':>8}  evaluations")
    for key, sides in sorted(medians.items()):
        case, mode, threads = key
        ours_key = ("sonet", mode, threads) if case == "sonet_flipped" else key
        ours = middle(medians.get(ours_key, {}).get("unmask"))
        theirs = middle(sides.get("torchdiffeq"))
        both = (facts.get(ours_key, {}).get("unmask"), facts[key].get("torchdiffeq"))
        counts = " = ".join(str(f["evaluations"]) for f in both if f)
        if len({f["evaluations"] for f in both if f}) > 1:
            counts = counts.replace(" = ", " against ")
        cell = lambda ms: "-" if ms is None else f"{ms:.3f} ms"
        ratio = f"{theirs / ours:.2f}" if ours and theirs else "-"
        print(f"{case:14}{mode:34}{threads:>7}{cell(theirs):>15}{cell(ours):>13}{ratio:>8}  {counts}")
    for (case, _, threads), found in sorted(agreements.items()):
        differences = ", ".join(
            f"{name[: -len('_difference')]} {value:.2e} of {found[name.replace('_difference', '_size')]:.2e}"
            for name, value in found.items()
            if name.endswith("_difference")
        )
        counts = f"evaluations {found['evaluations']} and {found['expected_evaluations']}"
        print(f"agreement of {case}, {threads} threads: {counts}; largest difference: {differences}")
    for (case, mode, threads), reason in sorted(skipped.items()):
        print(f"skipped: {case}, {mode}: {reason}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--networks")
    parser.add_argument("--ratios")
    arguments = parser.parse_args()
    if arguments.ratios:
        print_ratios(arguments.ratios)
        return
    if not arguments.networks:
        parser.error("--networks is missing")
    global torch, F, odeint
    import torch
    import torch.nn.functional as F
    from torchdiffeq import odeint

    torch.set_num_threads(arguments.threads)
    torch.set_num_interop_threads(1)
    bench = Bench(arguments)
    for case in arguments.case or CASES:
        getattr(bench, case)()


if __name__ == "__main__":
    main()
