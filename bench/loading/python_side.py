"""Reads the same files with Pillow and NumPy: see ../loading.sh.

python_side.py first|again PLUGIN FOLDER CACHE THREADS
    `first` hashes, reads and decodes everything and keeps it as .npy in CACHE; `again` asks whether the files are
    what they were (size and time) and reads that. Prints one line of JSON, with the seconds behind the imports.
python_side.py table LINES
    the table of what was measured: medians, ratios, and whether both sides read the same images.
"""

import hashlib
import io
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

GOALS = {("image_folder", "first"): 10, ("image_folder", "again"): 2, ("cifar10", "first"): 2, ("cifar10", "again"): 2}


def stamps(folder):
    """Size and time of every file below a folder."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            status = os.stat(os.path.join(place, name))
            found.append((place, name, status.st_size, status.st_mtime_ns))
    return sorted(found)


def picture(job):
    import numpy
    from PIL import Image

    file, label = job
    with open(file, "rb") as stream:
        data = stream.read()
    pixels = numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1)
    return hashlib.sha256(data).hexdigest(), label, pixels


def image_folder(folder, threads):
    """Both splits, samples in the order of their files' SHA-256, as the data set has them."""
    import numpy

    splits = {}
    for split in ("train", "test"):
        root = os.path.join(folder, split)
        classes = sorted(name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name)))
        jobs = [(os.path.join(root, name, file), label) for label, name in enumerate(classes)
                for file in sorted(os.listdir(os.path.join(root, name)))]
        with ThreadPoolExecutor(threads) as pool:
            samples = sorted(pool.map(picture, jobs, chunksize=64), key=lambda sample: sample[:2])
        splits[split] = (numpy.stack([pixels for _, _, pixels in samples]),
                         numpy.array([label for _, label, _ in samples], dtype=numpy.int64))
    return splits


def cifar10(folder, _):
    import numpy

    splits = {}
    for split, names in (("train", [f"data_batch_{i}.bin" for i in range(1, 6)]), ("test", ["test_batch.bin"])):
        parts = []
        for name in names:
            with open(os.path.join(folder, name), "rb") as stream:
                data = stream.read()
            hashlib.sha256(data).hexdigest()
            parts.append(numpy.frombuffer(data, dtype=numpy.uint8).reshape(-1, 3073))
        records = numpy.concatenate(parts)
        splits[split] = (records[:, 1:].reshape(-1, 3, 32, 32).copy(), records[:, 0].astype(numpy.int64))
    return splits


def measure(use, plugin, folder, cache, threads):
    import numpy
    from PIL import Image  # noqa: F401 - imported here, so that no measurement pays for it

    start = time.perf_counter()
    names = [(split, part, os.path.join(cache, f"{plugin}-{split}-{part}.npy"))
             for split in ("train", "test") for part in ("images", "labels")]
    known = os.path.join(cache, f"{plugin}.json")
    if use == "first":
        splits = {"image_folder": image_folder, "cifar10": cifar10}[plugin](folder, threads)
        os.makedirs(cache, exist_ok=True)
        for split, part, file in names:
            numpy.save(file, splits[split][part == "labels"])
        with open(known, "w") as stream:
            json.dump(stamps(folder), stream)
        train = splits["train"]
    else:
        with open(known) as stream:
            if [tuple(stamp) for stamp in json.load(stream)] != stamps(folder):
                raise SystemExit(f"{folder} has changed")
        arrays = [numpy.load(file) for _, _, file in names]
        train = arrays[:2]
    seconds = time.perf_counter() - start

    images = hashlib.sha256(numpy.ascontiguousarray(train[0]).tobytes())
    images.update(numpy.ascontiguousarray(train[1]).tobytes())
    print(json.dumps({"seconds": seconds, "images": images.hexdigest(), "train": len(train[1])}))


def table(file):
    taken, images, readers = {}, {}, {}
    with open(file) as stream:
        lines = [json.loads(line) for line in stream]
    rounds = {}
    for line in lines:  # hash and load of one use and round are one figure
        key = (line["plugin"], line["use"], line["side"])
        rounds.setdefault(key, {}).setdefault(line["round"], []).append(line["seconds"])
        if "images" in line:
            images.setdefault(line["plugin"], set()).add(line["images"])
            readers.setdefault(line["plugin"], set()).add(line["side"])
    for key, of_round in rounds.items():
        taken[key] = statistics.median(sum(seconds) for seconds in of_round.values())
    sides = sorted({key[2] for key in taken} - {"unmask"})
    print("| data set | use | unmask |" + "".join(f" {side} | ratio |" for side in sides) + " goal |")
    print("|---|---|---|" + "---|---|" * len(sides) + "---|")
    for plugin, use, side in taken:
        if side != "unmask":
            continue
        ours = taken[plugin, use, side]
        row = f"| {plugin} | {use} | {ours:.2f} s |"
        for other in sides:
            theirs = taken.get((plugin, use, other))
            row += " - | - |" if theirs is None else f" {theirs:.2f} s | {theirs / ours:.1f} |"
        goal = GOALS[plugin, use]
        print(row + f" {goal} s: {'met' if ours < goal else 'MISSED'} |")
    for plugin, hashes in images.items():
        who = "; ".join(sorted(readers[plugin]))
        print(f"{plugin}: {'equal training images' if len(hashes) == 1 else 'THE IMAGES DIFFER'} ({who})")


if __name__ == "__main__":
    if sys.argv[1] == "table":
        table(sys.argv[2])
    else:
        measure(*sys.argv[1:5], int(sys.argv[5]))
