#!/usr/bin/env python3
"""The attacks of attacks.json with the published programs, on the same networks, images and budgets; and the table.

  python_side.py --db FILE --attack NAME [--network NAME]
  python_side.py --db FILE --agree
  python_side.py --db FILE --again LINES --unmask PROGRAM
  python_side.py --db FILE --table LINES

FILE is the results database of `unmask run attacks.json`. Every setting (radius, steps, queries, batch, number of
samples) is read from it, so that the two sides cannot drift apart; the weights are read from its checkpoints.
--attack prints one JSON line for each program and network: which samples were fooled, and how long it took. --agree
draws the images and prints how far the logits of the Python network are from those that the probe `logits` stored.
--again is for AutoAttack, which starts at random once: the samples that only one side fooled are attacked again
by both with four other seeds. --table prints both sides next to each other and ends with status 1 when our AutoAttack
leaves more than one sample standing that the published one fools, whatever the seed; it needs no PyTorch.

The programs are imported from the folders in AUTOATTACK_DIR, FOOLBOX_DIR (several, separated by ":", where eagerpy
is in another one) and TORCHATTACKS_DIR, or from wherever Python finds them. Foolbox needs GitPython and requests.
"""

import argparse
import json
import math
import os
import sqlite3
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from resnet_block import make_block  # noqa: E402

FOLDERS = {
    "autoattack": "AUTOATTACK_DIR",
    "foolbox": "FOOLBOX_DIR",
    "torchattacks": "TORCHATTACKS_DIR",
}
STUDY = "bench-attacks"
SEED = 0
MORE_SEEDS = (1, 2, 3, 4)


# ---------------------------------------------------------------- the database


class Results:
    """What `unmask run` stored."""

    def __init__(self, path):
        self.folder = os.path.join(os.path.dirname(os.path.abspath(path)), "checkpoints")
        self.connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def rows(self, statement, *values):
        return self.connection.execute(statement, values).fetchall()

    def cell(self, attack, network):
        """Id, specification and seconds of a finished cell; (None, None, None) when there is none."""
        found = self.rows(
            "SELECT l.cell_id, c.spec_json, k.wall_s FROM labelled_cell l JOIN cell c ON c.id = l.cell_id "
            "JOIN cost k ON k.cell_id = l.cell_id WHERE l.study = ? AND l.method = ? AND l.objective = ? "
            "AND k.study = l.study",
            STUDY,
            attack,
            network,
        )
        return (found[0][0], json.loads(found[0][1]), found[0][2]) if found else (None, None, None)

    def networks(self):
        return [row[0] for row in self.rows("SELECT DISTINCT objective FROM labelled_cell WHERE study = ? ORDER BY 1", STUDY)]

    def attacks(self):
        return [
            row[0]
            for row in self.rows(
                "SELECT attack FROM accuracy WHERE study = ? AND epsilon > 0 GROUP BY 1 ORDER BY min(cell_id)", STUDY
            )
        ]

    def outcomes(self, cell):
        """Labels, answers on the images and answers on the attacked images, by sample."""
        return self.rows(
            "SELECT label, clean_prediction, prediction FROM sample_outcome WHERE cell_id = ? ORDER BY sample", cell
        )

    def fooled(self, cell):
        """Samples that were right and no longer are."""
        outcomes = enumerate(self.outcomes(cell))
        return {i for i, (label, clean, attacked) in outcomes if label == clean and label != attacked}

    def checkpoint(self, network):
        ((path,),) = self.rows(
            "SELECT k.path FROM checkpoint k JOIN labelled_cell l USING (cell_id) WHERE l.study = ? AND l.objective = ?",
            STUDY,
            network,
        )
        return os.path.join(self.folder, path)

    def logits(self, network):
        (cell, _, _) = self.cell("logits", network)
        values = self.rows("SELECT sample, name, value FROM sample_metric WHERE cell_id = ?", cell)
        return {(sample, int(name.rsplit("_", 1)[1])): value for sample, name, value in values}


# ---------------------------------------------------------------- images

GLYPHS = [
    [(0, -100), (60, -60), (60, 60), (0, 100), (-60, 60), (-60, -60), (0, -100)],
    [(-40, -60), (10, -100), (10, 100)],
    [(-60, -60), (-20, -100), (40, -90), (60, -50), (30, 0), (-60, 100), (60, 100)],
    [(-60, -90), (30, -100), (55, -55), (0, -5), (60, 45), (25, 100), (-60, 85)],
    [(30, 100), (30, -100), (-65, 35), (65, 35)],
    [(55, -100), (-50, -100), (-55, -10), (20, -20), (60, 30), (30, 95), (-60, 90)],
    [(45, -100), (-30, -40), (-60, 35), (-20, 100), (40, 90), (55, 35), (10, -5), (-55, 30)],
    [(-60, -100), (60, -100), (-10, 100)],
    [(0, -5), (-50, -50), (0, -100), (50, -50), (0, -5), (60, 45), (0, 100), (-60, 45), (0, -5)],
    [(55, -30), (-10, 5), (-55, -40), (-40, -90), (20, -100), (60, -40), (30, 40), (-40, 100)],
]
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def draw_stroke(seed, index, size=20):
    """Image `index` of the data set `strokes` (its page in plugins/datasets has the recipe), difficulty standard, size 20."""
    base = mix((((index + 1) * GOLDEN) ^ mix(((seed + 1) * GOLDEN) & MASK)) & MASK)

    def uniform(k, low=0.0, high=1.0):
        return low + (high - low) * ((mix((base + (k + 1) * GOLDEN) & MASK) >> 40) / 2.0**24)

    phi, scale = uniform(0, -0.35, 0.35), uniform(1, 5.0, 7.2)
    aspect, shear = 1 + uniform(2, -0.15, 0.15), uniform(3, -0.25, 0.25)
    tx, ty = size / 2 + uniform(4, -1.8, 1.8), size / 2 + uniform(5, -1.8, 1.8)
    width, contrast = uniform(6, 1.0, 1.8), uniform(7, 0.18, 0.40)
    polarity = -1 if uniform(8) < 0.5 else 1
    level, gx, gy = uniform(9, 0.35, 0.65), uniform(10, -0.1, 0.1), uniform(11, -0.1, 0.1)
    waves = [
        (uniform(k, 0, math.pi), uniform(k + 1, 1.0, 3.5), uniform(k + 2, 0, 2 * math.pi), uniform(k + 3, 0, 0.05))
        for k in (12, 16)
    ]
    sx, sy, angle = uniform(20, 2, size - 2), uniform(21, 2, size - 2), uniform(22, 0, 2 * math.pi)
    length, other_width, amplitude = uniform(23, 4, 9), uniform(24, 1.0, 1.8), uniform(25, -0.25, 0.25)
    distractor = (sx, sy, sx + length * math.cos(angle), sy + length * math.sin(angle))

    points = []
    for q, (px, py) in enumerate(GLYPHS[index % 10]):
        u = px / 100 + uniform(32 + 2 * q, -0.1, 0.1)
        v = py / 100 + uniform(33 + 2 * q, -0.1, 0.1)
        u = u * aspect + shear * v
        points.append(
            (
                tx + scale * (math.cos(phi) * u - math.sin(phi) * v),
                ty + scale * (math.sin(phi) * u + math.cos(phi) * v),
            )
        )
    segments = [a + b for a, b in zip(points, points[1:])]

    def coverage(x, y, segment, thickness):
        x0, y0, x1, y1 = segment
        dx, dy = x1 - x0, y1 - y0
        along = ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-6)
        along = min(max(along, 0.0), 1.0)
        distance = math.hypot(x - (x0 + along * dx), y - (y0 + along * dy))
        return min(max(0.5 + thickness / 2 - distance, 0.0), 1.0)

    pixels = []
    for j in range(size * size):
        x, y = j % size + 0.5, j // size + 0.5
        value = level + 2 * gx * (x / size - 0.5) + 2 * gy * (y / size - 0.5)
        for wave_angle, cycles, phase, height in waves:
            value += height * math.cos(
                2 * math.pi * cycles * (math.cos(wave_angle) * x + math.sin(wave_angle) * y) / size + phase
            )
        value += polarity * contrast * max(coverage(x, y, segment, width) for segment in segments)
        value += amplitude * coverage(x, y, distractor, other_width)
        value += 0.06 * (uniform(64 + 2 * j) + uniform(65 + 2 * j) - 1)
        pixels.append(math.floor(255 * min(max(value, 0.0), 1.0) + 0.5))
    return pixels


def images_of(spec):
    """Float images in [0, 1] and labels of the first samples of the evaluation split."""
    params, count = spec["dataset"]["params"], spec["samples"]
    if spec["dataset"]["plugin"] != "strokes" or params["difficulty"] != "standard" or params["size"] != 20:
        raise SystemExit("the Python side draws only strokes of the difficulty standard, size 20")
    pixels = [draw_stroke(params["test_seed"], i) for i in range(count)]
    images = torch.tensor(pixels, dtype=torch.float32).view(count, 1, 20, 20) / 255
    return images, torch.arange(count) % 10


# ---------------------------------------------------------------- the network


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, item in header.items():
        begin, end = item["data_offsets"]
        if item["dtype"] != "F32":
            raise SystemExit(f"{path}: {name} is {item['dtype']}, not F32")
        tensors[name] = torch.frombuffer(data[begin:end], dtype=torch.float32).reshape(item["shape"]).clone()
    return tensors


def make_resnet(weights, strides):
    """The plugin `resnet` with basic blocks, as one writes it in PyTorch; its widths are those of the weights."""
    nn, F = torch.nn, torch.nn.functional

    Block = make_block(torch)

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            width = weights["conv1.weight"].shape[0]
            self.conv1 = nn.Conv2d(weights["conv1.weight"].shape[1], width, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.layers = []
            for i, stride in enumerate(strides, 1):
                blocks, j = [], 0
                while f"layer{i}.{j}.conv1.weight" in weights:
                    outputs = weights[f"layer{i}.{j}.conv1.weight"].shape[0]
                    blocks.append(Block(width, outputs, stride if j == 0 else 1))
                    width, j = outputs, j + 1
                self.layers.append(nn.Sequential(*blocks))
                self.add_module(f"layer{i}", self.layers[-1])
            self.linear = nn.Linear(width, weights["linear.weight"].shape[0])

        def forward(self, x):
            y = F.relu(self.bn1(self.conv1(x)))
            for layer in self.layers:
                y = layer(y)
            return self.linear(y.mean((2, 3)))

    model = ResNet()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise SystemExit(f"the checkpoint does not fit the Python network: {missing} {unexpected}")
    # Our side freezes the weights, too: their gradients are nobody's business in an attack.
    return model.eval().requires_grad_(False)


def network_of(results, network):
    (_, spec, _) = results.cell("clean", network)
    if spec["model"]["plugin"] != "resnet" or spec["model"]["params"].get("block", "basic") != "basic":
        raise SystemExit("the Python side has only the plugin resnet with basic blocks")
    weights = read_safetensors(results.checkpoint(network))
    return make_resnet(weights, spec["model"]["params"]["strides"])


# ---------------------------------------------------------------- the programs


def import_programs():
    """The modules that can be imported; for the others the reason on stderr."""
    modules = {}
    for name, variable in FOLDERS.items():
        sys.path[:0] = [folder for folder in os.environ.get(variable, "").split(":") if folder]
        try:
            modules[name] = __import__(name)
        except ImportError as error:
            print(f"{name} skipped: {error} (its folder can stand in {variable})", file=sys.stderr)
    return modules


def autoattack_side(modules, model, spec, seed=SEED):
    """AutoAttack's own members: a function from images and labels to attacked images, or None."""
    params, plugin = spec["attack"]["params"], spec["attack"]["plugin"]
    norm = {"linf": "Linf", "l2": "L2", "l1": "L1"}[params.get("norm", "linf")]
    members = {
        ("autoattack", None): [],
        ("apgd", "ce"): ["apgd-ce"],
        ("apgd", "dlr"): ["apgd-dlr"],
        ("apgd", "dlr_targeted"): ["apgd-t"],
        ("fab_t", None): ["fab-t"],
        ("square", None): ["square"],
    }.get((plugin, params.get("loss") if plugin == "apgd" else None))
    if members is None or "autoattack" not in modules:
        return None

    def attack(x, y):
        program = modules["autoattack"].AutoAttack(
            model,
            norm=norm,
            eps=spec["epsilon"],
            seed=seed,
            verbose=False,
            version="custom" if members else "standard",
            attacks_to_run=members,
            device="cpu",
        )
        # Its standard version starts APGD more often in l1, and aims at fewer targets.
        is_standard_l1 = norm == "L1" and not members
        targets = params.get("targets", 9)
        program.apgd.n_restarts = 5 if is_standard_l1 else params.get("restarts", 1)
        program.apgd_targeted.n_target_classes = min(targets, 5) if is_standard_l1 else targets
        program.fab.n_target_classes = targets
        program.square.n_queries = params.get("queries", 5000)
        for part in (program.apgd, program.apgd_targeted, program.fab):
            part.n_iter = params.get("steps", 100)
        return program.run_standard_evaluation(x, y, bs=spec["batch_size"])

    return attack


def foolbox_side(modules, model, spec):
    if "foolbox" not in modules:
        return None
    params, plugin, epsilon = spec["attack"]["params"], spec["attack"]["plugin"], spec["epsilon"]
    attacks = modules["foolbox"].attacks
    norm = params.get("norm", "linf")
    if plugin == "pgd":
        kind = {"linf": attacks.LinfPGD, "l2": attacks.L2PGD}[norm]
        program = kind(rel_stepsize=params["step_size"] / epsilon, steps=params["steps"], random_start=True)
    elif plugin == "deepfool":
        kind = {"linf": attacks.LinfDeepFoolAttack, "l2": attacks.L2DeepFoolAttack}[norm]
        program = kind(steps=params["steps"], candidates=params["candidates"], overshoot=params["overshoot"])
    elif plugin == "cw_l2":
        program = attacks.L2CarliniWagnerAttack(
            binary_search_steps=params["search_steps"],
            steps=params["steps"],
            stepsize=params["learning_rate"],
            confidence=params["confidence"],
            initial_const=params["initial_c"],
            abort_early=params["abort_early"],
        )
    else:
        return None
    target = modules["foolbox"].PyTorchModel(model, bounds=(0, 1), device="cpu")
    return lambda x, y: program(target, x, y, epsilons=epsilon)[1]


def torchattacks_side(modules, model, spec):
    if "torchattacks" not in modules:
        return None
    library = modules["torchattacks"]
    params, plugin, epsilon = spec["attack"]["params"], spec["attack"]["plugin"], spec["epsilon"]
    norm = params.get("norm", "linf")
    if plugin == "pgd":
        kind = {"linf": library.PGD, "l2": library.PGDL2}[norm]
        program = kind(model, eps=epsilon, alpha=params["step_size"], steps=params["steps"], random_start=True)
    elif plugin == "square" and norm != "l1":
        program = library.Square(
            model,
            norm={"linf": "Linf", "l2": "L2"}[norm],
            eps=epsilon,
            n_queries=params["queries"],
            p_init=params["first_share"],
            resc_schedule=params["rescale"],
            seed=SEED,
        )
    elif plugin == "deepfool" and norm == "l2":
        program = library.DeepFool(model, steps=params["steps"], overshoot=params["overshoot"])
    elif plugin == "cw_l2":
        # It has no search: one weight, and all steps for it.
        program = library.CW(
            model, c=1, kappa=params["confidence"], steps=params["search_steps"] * params["steps"], lr=params["learning_rate"]
        )
    else:
        return None
    return program


def put_on_ball(attacked, x, norm, epsilon):
    """What lies outside the ball moves to its surface, as on our side, and rounding errors inside."""
    delta = attacked - x
    if norm == "linf":
        delta = delta.clamp(-epsilon, epsilon)
    else:
        length = delta.flatten(1).norm(p=1 if norm == "l1" else 2, dim=1).view(-1, 1, 1, 1)
        delta = delta * (epsilon / length.clamp_min(epsilon))
    return (x + delta).clamp(0, 1)


def run_attack(results, modules, attack, network):
    (cell, spec, _) = results.cell(attack, network)
    if cell is None:
        raise SystemExit(f"the database has no result of {attack} on {network}")
    model = network_of(results, network)
    images, labels = images_of(spec)
    batch = spec["batch_size"]
    norm = norm_of(spec)
    sides = {"autoattack": autoattack_side, "foolbox": foolbox_side, "torchattacks": torchattacks_side}
    for name, side in sides.items():
        program = side(modules, model, spec)
        if program is None:
            continue
        # Both sides attack only what is right without an attack.
        rows = torch.cat([model(x).argmax(1) for x in images.split(batch)]).eq(labels).nonzero().squeeze(1)
        torch.manual_seed(SEED)
        start, cpu = time.perf_counter(), time.process_time()
        if name == "autoattack":  # splits into batches by itself, anew for each member
            attacked = [program(images[rows], labels[rows])]
        else:
            attacked = [program(images[part].clone(), labels[part].clone()) for part in rows.split(batch)]
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        attacked = put_on_ball(torch.cat(attacked).detach(), images[rows], norm, spec["epsilon"])
        answers = torch.cat([model(x).argmax(1) for x in attacked.split(batch)])
        fooled = rows[answers.ne(labels[rows])].tolist()
        line = {"program": name, "attack": attack, "network": network, "fooled": fooled, "wall_s": seconds, "cpu_s": cpu}
        print(json.dumps(line), flush=True)


def norm_of(spec):
    return "l2" if spec["attack"]["plugin"] == "cw_l2" else spec["attack"]["params"].get("norm", "linf")


def write_safetensors(path, tensors):
    header, data = {}, bytearray()
    for name, (kind, tensor) in tensors.items():
        values = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def ours_again(results, program, folder, attack, network, samples):
    """Which of some samples our attack fools with one of MORE_SEEDS: the same weights on these images alone."""
    (_, spec, _) = results.cell(attack, network)
    params = spec["dataset"]["params"]
    images = torch.tensor([draw_stroke(params["test_seed"], i) for i in samples], dtype=torch.uint8).view(-1, 1, 20, 20)
    stem = os.path.join(folder, f"again-{attack}-{network}")
    labels = torch.tensor([i % 10 for i in samples])
    write_safetensors(stem + ".safetensors", {"images": ("U8", images), "labels": ("I64", labels)})
    weights = os.path.abspath(results.checkpoint(network))
    study = {
        "version": 1,
        "name": "again",
        "define": {
            "dataset": {"few": {"plugin": "tensors", "params": {"test": os.path.abspath(stem + ".safetensors"), "num_classes": 10}}},
            "model": {"resnet": {"plugin": "resnet", "params": spec["model"]["params"]}},
            "objective": {"imported": {"plugin": "cross_entropy", "params": {"epochs": 0, "weights": weights}}},
            "solver": {"euler": {"plugin": "euler"}},
            "attack": {"again": {"plugin": spec["attack"]["plugin"], "params": spec["attack"]["params"]}},
        },
        "train": {"matrix": {"dataset": "few", "model": "resnet", "objective": "imported", "solver": "euler"}},
        "evaluate": {"matrix": {"attack": "again", "epsilon": spec["epsilon"], "seed": list(MORE_SEEDS)}},
        "run": {"workers": 1, "threads": 1},
    }
    with open(stem + ".json", "w", encoding="utf-8") as file:
        json.dump(study, file)
    command = [program, "run", stem + ".json", "--db", stem + ".sqlite", "--device", "cpu", "--progress", "none"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    few = Results(stem + ".sqlite")
    cells = [row[0] for row in few.rows("SELECT cell_id FROM labelled_cell WHERE study = 'again' AND method = 'again'")]
    return sorted({samples[i] for cell in cells for i in few.fooled(cell)})


def theirs_again(modules, results, attack, network, samples):
    """The same with the published AutoAttack."""
    (_, spec, _) = results.cell(attack, network)
    model = network_of(results, network)
    pixels = [draw_stroke(spec["dataset"]["params"]["test_seed"], i) for i in samples]
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 20, 20) / 255
    labels = torch.tensor([i % 10 for i in samples])
    fooled = set()
    for seed in MORE_SEEDS:
        attacked = autoattack_side(modules, model, spec, seed)(images, labels).detach()
        attacked = put_on_ball(attacked, images, norm_of(spec), spec["epsilon"])
        fooled |= {samples[i] for i in model(attacked).argmax(1).ne(labels).nonzero().squeeze(1).tolist()}
    return sorted(fooled)


def attack_again(results, modules, path, program):
    if "autoattack" not in modules:
        return
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(text) for text in file]
    known = {(line["attack"], line["network"]) for line in lines if line["program"] == "autoattack again"}
    for line in lines:
        attack, network = line["attack"], line["network"]
        if line["program"] != "autoattack" or not attack.startswith("autoattack") or (attack, network) in known:
            continue
        (cell, _, _) = results.cell(attack, network)
        samples = sorted(results.fooled(cell) ^ set(line["fooled"]))
        if not samples:
            continue
        ours = ours_again(results, program, os.path.dirname(os.path.abspath(path)), attack, network, samples)
        theirs = theirs_again(modules, results, attack, network, samples)
        with open(path, "a", encoding="utf-8") as file:
            for name, fooled in (("unmask again", ours), ("autoattack again", theirs)):
                file.write(json.dumps({"program": name, "attack": attack, "network": network, "fooled": fooled}) + "\n")


def agree(results):
    """Logits of the Python networks against the stored ones; 1 when they are not the same networks."""
    worst = 0.0
    for network in results.networks():
        (_, spec, _) = results.cell("clean", network)
        images, labels = images_of(spec)
        theirs = network_of(results, network)(images)
        ours = torch.zeros_like(theirs, dtype=torch.float64)
        for (sample, k), value in results.logits(network).items():
            ours[sample, k] = value
        difference = (theirs.double() - ours).abs().max().item()
        worst = max(worst, difference)
        right = theirs.argmax(1).eq(labels).sum().item()
        print(
            f"agreement of {network}: logits of {len(labels)} images differ by at most {difference:.1e} "
            f"of {ours.abs().max().item():.1f}; {right} right"
        )
    return 0 if worst < 1e-4 else 1


# ---------------------------------------------------------------- the table


def wilson(count, total):
    """The 95 % interval of a share, in percent."""
    z, share = 1.959963984540054, count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def print_table(results, path):
    """Both sides next to each other. 1 when our AutoAttack misses more than one sample of the published one."""
    theirs, our_cpu, again = {}, {}, {}
    with open(path, encoding="utf-8") as file:
        for line in map(json.loads, file):
            if line["program"].endswith(" again"):
                again.setdefault((line["attack"], line["network"]), {})[line["program"].split()[0]] = set(line["fooled"])
            elif line["program"] == "unmask":
                our_cpu[line["attack"], line["network"]] = line["cpu_s"]
            else:
                theirs.setdefault((line["attack"], line["network"]), {})[line["program"]] = line

    found = {}  # (attack, network) -> (norm, epsilon), fooled, right, seconds
    for network in results.networks():
        for attack in results.attacks():
            (cell, spec, seconds) = results.cell(attack, network)
            if cell is None:
                continue
            outcomes = results.outcomes(cell)
            right = {i for i, (label, clean, _) in enumerate(outcomes) if label == clean}
            found[attack, network] = (
                (norm_of(spec), spec["epsilon"]),
                results.fooled(cell),
                right,
                len(outcomes),
                seconds,
            )

    # The pointwise verdict: a sample falls when any attack of any program fools it at this radius.
    pointwise = {}
    for (attack, network), (threat, fooled, _, _, _) in found.items():
        union = pointwise.setdefault((network, threat), set())
        union |= fooled
        for line in theirs.get((attack, network), {}).values():
            union |= set(line["fooled"])

    status = 0
    last = None
    in_order = sorted(found.items(), key=lambda item: (item[0][1], item[1][0]))  # stable: attacks keep their order
    for (attack, network), (threat, fooled, right, total, seconds) in in_order:
        union = pointwise[network, threat]
        if (network, threat) != last:
            last = (network, threat)
            low, high = wilson(len(right - union), total)
            print(
                f"\n{network}, {threat[0]}, epsilon {threat[1]:g}: {len(right)} of {total} right, "
                f"{len(right - union)} robust against everything below ({low:.1f} to {high:.1f} %)"
            )
            print(
                f"{'attack':16}{'program':14}{'robust':>8}{'95 % interval':>16}{'missed':>8}"
                f"{'only ours':>11}{'only theirs':>13}{'seconds':>9}{'ratio':>7}{'cpu s':>9}{'ratio':>7}"
            )

        def row(program, lost, more):
            share = len(right - lost)
            low, high = wilson(share, total)
            print(
                f"{attack:16}{program:14}{100 * share / total:7.1f}%{low:8.1f} -{high:5.1f}%{len(union - lost):8}" + more
            )

        cpu = our_cpu.get((attack, network))
        if cpu is not None:  # starting up and the verdicts cost as much as the clean cell
            cpu = max(0.01, cpu - our_cpu.get(("clean", network), 0))
        row(
            "unmask",
            fooled,
            f"{'':24}{seconds:9.1f}{'':7}" + (f"{cpu:9.1f}" if cpu is not None else ""),
        )
        for program, line in theirs.get((attack, network), {}).items():
            other = set(line["fooled"])
            only_ours, only_theirs = len(fooled - other), len(other - fooled)
            more = f"{only_ours:11}{only_theirs:13}{line['wall_s']:9.1f}{line['wall_s'] / seconds:7.1f}"
            more += f"{line['cpu_s']:9.1f}"
            if cpu:
                more += f"{line['cpu_s'] / cpu:7.1f}"
            row(program, other, more)
            if not attack.startswith("autoattack"):
                continue
            more = again.get((attack, network), {"unmask": set(), program: set()})
            left_here = sorted((other | more[program]) - fooled - more["unmask"])
            left_there = sorted((fooled | more["unmask"]) - other - more[program])
            if (attack, network) in again:
                print(
                    f"  the {only_ours + only_theirs} samples that differ again, with {len(MORE_SEEDS)} other seeds: "
                    f"{len(left_there)} only ours, {len(left_here)} only theirs"
                )
            if len(left_here) > 1:
                status = 1
                print(f"  {len(left_here)} samples stand here that {program} fools: {left_here}")
    print(
        "\nmissed: samples that some attack of some program fools and this one does not. ratio: theirs / ours. "
        "cpu s: time of the processor; ours without that of the clean cell."
    )
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--db", required=True)
    parser.add_argument("--attack")
    parser.add_argument("--network")
    parser.add_argument("--agree", action="store_true")
    parser.add_argument("--again", metavar="LINES")
    parser.add_argument("--unmask", metavar="PROGRAM")
    parser.add_argument("--table", metavar="LINES")
    arguments = parser.parse_args()
    results = Results(arguments.db)
    if arguments.table:
        return print_table(results, arguments.table)
    global torch
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    if arguments.agree:
        return agree(results)
    if not arguments.attack and not (arguments.again and arguments.unmask):
        parser.error("--attack, --agree, --again with --unmask, or --table is missing")
    modules = import_programs()
    if arguments.again:
        attack_again(results, modules, arguments.again, arguments.unmask)
        return 0
    for network in [arguments.network] if arguments.network else results.networks():
        run_attack(results, modules, arguments.attack, network)
    return 0


if __name__ == "__main__":
    sys.exit(main())
