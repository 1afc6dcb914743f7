#!/usr/bin/env python3
"""The cases of bench_training in Python: the same networks, images, optimiser and loss on the same LibTorch.

  python_side.py --networks FOLDER [--case NAME]... [--threads N] [--steps N] [--agree]
  python_side.py --ratios FILE

FOLDER holds what `bench_training --export FOLDER` wrote. Prints one JSON line for each case with the time of a
step; with --agree instead the distance of the losses of three steps from those of bench_training.
--ratios reads such lines of both sides and prints them side by side; it needs no PyTorch.

The networks are written as one writes them in PyTorch. `sonet_flipped` is SONet with the convolution by the flipped kernel
in place of the transposed one where both are the same map: not what stands in the formula, and faster.
"""

import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "solvers"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from resnet_block import make_block  # noqa: E402
import torchdiffeq_side  # noqa: E402  reads safetensors files; has SONet with torchdiffeq

CASES = ("resnet10", "sonet", "sonet_flipped")
BATCH = 100


def make_resnet10(torch):
    nn, F = torch.nn, torch.nn.functional

    Block = make_block(torch)

    class ResNet10(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.layer1 = nn.Sequential(Block(64, 64, 1))
            self.layer2 = nn.Sequential(Block(64, 128, 2))
            self.layer3 = nn.Sequential(Block(128, 256, 2))
            self.layer4 = nn.Sequential(Block(256, 512, 2))
            self.linear = nn.Linear(512, 10)

        def forward(self, x):
            y = F.relu(self.bn1(self.conv1(x)))
            y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
            return self.linear(y.mean((2, 3)))

    return ResNet10()


class Side:
    def __init__(self, arguments):
        self.arguments = arguments

    def network(self, case, dtype):
        """A function from images to logits and its parameters, with the weights of bench_training."""
        name = "sonet" if case.startswith("sonet") else case
        tensors, _ = torchdiffeq_side.read_safetensors(
            os.path.join(self.arguments.networks, name + ".safetensors")
        )
        wide = {k: v.to(dtype) if v.is_floating_point() and k != "losses" else v for k, v in tensors.items()}
        if name == "resnet10":
            model = make_resnet10(torch).to(dtype)
            model.load_state_dict({k[len("state/") :]: v for k, v in wide.items() if k.startswith("state/")})
            model.train()
            return model, list(model.parameters()), tensors
        model = torchdiffeq_side.SoNet(wide, lambda field: field, case == "sonet_flipped")
        parameters = [weight.requires_grad_() for weight in model.weights.values()]
        return model, parameters, tensors

    def train(self, model, parameters, images, labels, epochs, batch, dtype):
        """Losses, and the end of each step: by the clock, and of the process on its processors."""
        optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
        losses, ends = [], []
        for _ in range(epochs):
            for rows in torch.randperm(len(labels)).split(batch):
                x = images[rows].to(dtype) / 255
                loss = torch.nn.functional.cross_entropy(model(x), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                ends.append((time.perf_counter(), time.process_time()))
        return losses, ends

    def print_line(self, case, **more):
        line = {"side": "python", "case": case, "threads": self.arguments.threads, **more}
        print(json.dumps(line), flush=True)

    def agree(self, case):
        model, parameters, tensors = self.network(case, torch.float64)
        expected = tensors["losses"].tolist()
        losses, _ = self.train(
            model, parameters, tensors["images"], tensors["labels"], len(expected), len(tensors["labels"]), torch.float64
        )
        difference = max(abs(a - b) for a, b in zip(losses, expected))
        self.print_line(case, losses=losses, expected=expected, difference=difference)

    def measure(self, case):
        model, parameters, _ = self.network(case, torch.float32)
        torch.manual_seed(1)
        count = BATCH * (self.arguments.steps + 1)
        images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
        labels = torch.randint(10, (count,))
        _, ends = self.train(model, parameters, images, labels, 1, BATCH, torch.float32)
        steps, cpu = (sorted(b[i] - a[i] for a, b in zip(ends, ends[1:])) for i in (0, 1))
        middle = len(steps) // 2
        self.print_line(
            case,
            steps=len(steps),
            median_s=steps[middle],
            fastest_s=steps[0],
            slowest_s=steps[-1],
            cpu_s=cpu[middle],
        )


def print_ratios(path):
    """Medians of the medians of both sides, and how the losses agree."""
    medians, cpu, agreements = {}, {}, {}
    with open(path, encoding="utf-8") as file:
        for text in file:
            line = json.loads(text)
            if "difference" in line:
                agreements[line["case"]] = line
                continue
            key = (line["case"], line["threads"])
            medians.setdefault(key, {}).setdefault(line["side"], []).append(line["median_s"])
            cpu.setdefault(key, {}).setdefault(line["side"], []).append(line["cpu_s"])

    def middle(values):
        return sorted(values)[len(values) // 2] if values else None

    def rate(seconds):
        return "-" if seconds is None else f"{BATCH / seconds:.1f}"

    def against(sides_of, case, threads):
        """Seconds of both sides, and how many times ours go into theirs."""
        ours_key = ("sonet" if case == "sonet_flipped" else case, threads)
        theirs = middle(sides_of.get((case, threads), {}).get("python"))
        ours = middle(sides_of.get(ours_key, {}).get("unmask"))
        return theirs, ours, f"{theirs / ours:.2f}" if ours and theirs else "-"

    def seconds(value):
        return "-" if value is None else f"{value:.2f} s"

    print(f"{'':23}{'images/s by the clock':^32}{'processor time of a step':^32}")
    print(f"{'case':16}{'threads':>7}" + 2 * f"{'python':>12}{'unmask':>12}{'ratio':>8}")
    for case, threads in sorted(medians):
        theirs, ours, ratio = against(medians, case, threads)
        text = f"{case:16}{threads:>7}{rate(theirs):>12}{rate(ours):>12}{ratio:>8}"
        theirs, ours, ratio = against(cpu, case, threads)
        print(text + f"{seconds(theirs):>12}{seconds(ours):>12}{ratio:>8}")
    for case, line in sorted(agreements.items()):
        losses = ", ".join(f"{loss:.6f}" for loss in line["losses"])
        print(f"agreement of {case}: losses {losses}; largest difference {line['difference']:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--agree", action="store_true", help="compare losses instead of measuring")
    parser.add_argument("--networks")
    parser.add_argument("--ratios")
    arguments = parser.parse_args()
    if arguments.ratios:
        print_ratios(arguments.ratios)
        return
    if not arguments.networks:
        parser.error("--networks is missing")
    global torch
    import torch

    torchdiffeq_side.DTYPES["U8"] = "uint8"  # images
    cases = arguments.case or CASES
    if any(case.startswith("sonet") for case in cases):
        from torchdiffeq import odeint

        torchdiffeq_side.odeint = odeint
    torchdiffeq_side.torch = torch
    torchdiffeq_side.F = torch.nn.functional
    torch.set_num_threads(arguments.threads)
    torch.set_num_interop_threads(1)
    side = Side(arguments)
    for case in cases:
        if arguments.agree:
            side.agree(case)
        else:
            side.measure(case)


if __name__ == "__main__":
    main()
