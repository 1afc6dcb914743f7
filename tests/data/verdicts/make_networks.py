"""Makes the classifiers and images of this folder: python3 make_networks.py (PyTorch 1.13 or later; a minute).

Ten classes of 12 x 12 grey images: a smooth random pattern for each class, moved by up to a pixel, with noise. Every
network is trained here from a fixed seed on images of the same kind. README.md says which mask each one wears, and why
its truth is certain. Files differ from one version of PyTorch to the next; what they compute does not, up to rounding.
"""

import json
import pathlib
import struct
import zipfile

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE, CLASSES, JUDGED = 12, 10, 60
FOLDER = pathlib.Path(__file__).parent


class Images:
    """The same images for the same seed."""

    def __init__(self, seed: int):
        self.random = torch.Generator().manual_seed(seed)
        fixed = torch.Generator().manual_seed(1)
        coarse = torch.randn(CLASSES, 1, 5, 5, generator=fixed)
        self.patterns = F.interpolate(coarse, size=SIZE + 2, mode="bicubic", align_corners=False)

    def take(self, count: int):
        labels = torch.arange(count) % CLASSES
        moves = torch.randint(0, 3, (count, 2), generator=self.random)
        crops = [self.patterns[k, :, a:a + SIZE, b:b + SIZE] for k, (a, b) in zip(labels.tolist(), moves.tolist())]
        noise = torch.randn(count, 1, SIZE, SIZE, generator=self.random)
        pixels = (0.5 + 0.16 * torch.stack(crops) + 0.08 * noise).clamp(0, 1)
        return (pixels * 255).round() / 255, labels


# --- layers -------------------------------------------------------------------------------------------------------
# While they train, layers without a derivative pass gradients through.


class Sign(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        soft = torch.clamp(x, -1.0, 1.0)
        hard = torch.sign(x)
        return soft + (hard - soft).detach() if self.training else hard


class Thermometer(nn.Module):
    """Ten channels, of which the first k are 1 for a pixel of k tenths."""

    def forward(self, x: Tensor) -> Tensor:
        levels = torch.arange(1, 11, device=x.device).to(x.dtype).view(1, 10, 1, 1) / 10.0 - 0.05
        soft = torch.clamp((x - levels) * 10.0 + 0.5, 0.0, 1.0)
        hard = (x > levels).to(x.dtype)
        return soft + (hard - soft).detach() if self.training else hard


class WinnersTakeAll(nn.Module):
    """The `share` of largest activations; all others are 0 (Xiao, Zhong, Zheng 2020)."""

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        count = max(1, int(x.size(1) * self.share))
        least = x.topk(count, 1)[0][:, count - 1:count]
        return x * (x >= least).to(x.dtype)


class Fold(nn.Module):
    """A triangle wave of the pixels: a gradient step that is too long comes back."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.abs(torch.remainder(x * 4.0, 2.0) - 1.0)


class BatchStatistics(nn.Module):
    """Batch normalisation that was traced in training mode: always by the statistics of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, training=True)


class Inside(nn.Module):
    """Something around a network."""

    def __init__(self, net: nn.Module, amount: float = 1.0):
        super().__init__()
        self.net = net
        self.amount = amount


class Times(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * self.amount


class Softmax(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.net(x) * self.amount, 1)


class LogSoftmax(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log_softmax(self.net(x), 1)


class Saturated(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.net(x) * self.amount) * 20.0


class Quantised(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(torch.round(x * self.amount) / self.amount)


class RoundedLogits(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return torch.round(self.net(x) * self.amount) / self.amount


class Labels(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return F.one_hot(self.net(x).argmax(1), 10).to(x.dtype)


class RoundedProbabilities(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return torch.round(torch.softmax(self.net(x), 1) * self.amount) / self.amount


class Dropped(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(F.dropout(x, self.amount, training=True))


class Flipped(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(2 * x.detach() - x)


class Waved(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + self.amount * torch.sin(600.0 * x))


class Noisy(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + self.amount * torch.randn_like(x))


class RandomlyWaved(Inside):
    """The waves of another place at each call: a gradient is one draw of many."""

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + self.amount * torch.sin(600.0 * x + 6.2831853 * torch.rand_like(x)))


class Normalised(Inside):
    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - 0.5) / 0.25)


class BatchLeak(Inside):
    """A part of the batch mean is taken away, and its gradient alone is kept."""

    def forward(self, x: Tensor) -> Tensor:
        logits = self.net(x)
        return logits.detach() - self.amount * logits.mean(0, keepdim=True)


class Decoy(nn.Module):
    """The gradient of another network."""

    def __init__(self, net: nn.Module, other: nn.Module):
        super().__init__()
        self.net = net
        self.other = other

    def forward(self, x: Tensor) -> Tensor:
        decoy = self.other(x)
        return self.net(x.detach()) + decoy - decoy.detach()


# --- networks -----------------------------------------------------------------------------------------------------


def mlp(activation: nn.Module, inputs: int = SIZE * SIZE, width: int = 20) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), activation, nn.Linear(width, CLASSES))


def cnn(activation: nn.Module, pool: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 6, 3, 1, 1), activation, pool, nn.Conv2d(6, 8, 3, 1, 1), activation,
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, CLASSES))


def climb(net: nn.Module, x: Tensor, y: Tensor, epsilon: float, steps: int) -> Tensor:
    """PGD on cross-entropy."""
    point = x.clone()
    for _ in range(steps):
        point = point.detach().requires_grad_(True)
        gradient, = torch.autograd.grad(F.cross_entropy(net(point), y, reduction="sum"), point)
        moved = point + 2.5 * epsilon / steps * gradient.sign()
        point = torch.min(torch.max(moved, x - epsilon), x + epsilon).clamp(0, 1)
    return point.detach()


def train(make, seed: int, epsilon: float = 0.0, steps: int = 300) -> nn.Module:
    torch.manual_seed(seed)
    net = make().train()
    images = Images(100 + seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.02, total_steps=steps)
    for _ in range(steps):
        x, y = images.take(50)
        if epsilon > 0:
            x = climb(net, x, y, epsilon, 5)
        loss = F.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def networks():
    """Name, network; the names begin with the truth."""
    plain = train(lambda: mlp(nn.ReLU()), 0)
    yield "honest_mlp", plain
    yield "honest_tanh", train(lambda: mlp(nn.Tanh()), 1)
    yield "honest_cnn", train(lambda: cnn(nn.GELU(), nn.MaxPool2d(2)), 2)
    yield "honest_linear", train(lambda: nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, CLASSES)), 3)
    yield "honest_normalised", Normalised(train(lambda: nn.Sequential(Normalised(mlp(nn.ReLU()))), 4)[0].net)
    yield "honest_confident", Times(plain, 2.0)
    yield "honest_log_softmax", LogSoftmax(plain)
    yield "honest_much_noise", Noisy(plain, 0.3)
    yield "honest_oscillating", train(lambda: nn.Sequential(Fold(), mlp(nn.ReLU())), 5, steps=600)
    yield "robust_linear", train(lambda: nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, CLASSES)), 6, 0.05)
    yield "robust_cnn", train(lambda: cnn(nn.ReLU(), nn.MaxPool2d(2)), 7, 0.05, 500)
    yield "masked_no_gradient", train(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 32), Sign(), nn.Linear(32, CLASSES)), 8)
    yield "masked_scaled", Times(plain, 200.0)
    yield "masked_softmax", Softmax(plain, 30.0)
    yield "masked_saturated", Saturated(plain, 0.3)
    yield "masked_quantised", Quantised(plain, 16.0)
    yield "masked_rounded_logits", RoundedLogits(plain, 2.0)
    yield "masked_thermometer", train(
        lambda: nn.Sequential(Thermometer(), nn.Conv2d(10, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(),
                              nn.Linear(144, CLASSES)), 9)
    yield "masked_flipped", Flipped(plain)
    yield "masked_waved", Waved(plain, 0.015)
    yield "masked_random_waves", RandomlyWaved(plain, 0.015)
    yield "honest_winners", train(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 60), WinnersTakeAll(0.1), nn.Linear(60, CLASSES)), 10)
    yield "masked_batch_leak", BatchLeak(plain, 0.3)
    yield "masked_batch_statistics", train(
        lambda: nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), BatchStatistics(), nn.ReLU(), nn.Flatten(),
                              nn.Linear(216, CLASSES)), 11)
    yield "masked_decoy", Decoy(plain, mlp(nn.Tanh()))
    yield "honest_probabilities", Softmax(plain)
    yield "honest_dropout", Dropped(plain, 0.1)
    yield "masked_labels", Labels(plain)
    yield "masked_rounded_probabilities", RoundedProbabilities(plain, 10.0)


def write_images(file: pathlib.Path) -> None:
    """safetensors: pixels k of k / 255, and labels."""
    pixels, labels = Images(3).take(JUDGED)
    data = [("images", "U8", (pixels * 255).round().to(torch.uint8)), ("labels", "I64", labels)]
    header, body = {}, b""
    for name, kind, tensor in data:
        raw = bytes(tensor.flatten().numpy().tobytes())
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)


def write_network(net: nn.Module, file: pathlib.Path) -> None:
    """Without the lines of source that torch.jit.save adds, which name folders of the machine that made it."""
    torch.jit.script(net).save(str(file))
    strip(file)


def strip(file: pathlib.Path) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries:
            if name.endswith(".debug_pkl"):
                continue
            info = zipfile.ZipInfo(name)
            # Contents begin at multiples of 64 bytes, as LibTorch writes them: a field "FB" fills the gap.
            begin = archive.fp.tell() + 30 + len(name.encode()) + 4
            gap = -begin % 64
            info.extra = b"FB" + struct.pack("<H", gap) + b"Z" * gap
            archive.writestr(info, data)


def report(name: str, net: nn.Module, unmasked: nn.Module) -> None:
    """What the plain attack leaves, and what the same attack leaves on the network below the mask."""
    x, y = Images(3).take(JUDGED)
    left = []
    for epsilon in (0.05, 0.1, 0.15):
        for source in (net, unmasked):
            torch.manual_seed(0)
            try:
                point = climb(source, x, y, epsilon, 20)
            except RuntimeError:  # nothing requires a gradient
                point = x
            left.append("%3.0f" % (100 * (net(point).argmax(1) == y).float().mean().item()))
    clean = 100 * (net(x).argmax(1) == y).float().mean().item()
    print("%-22s clean %3.0f, left at 0.05, 0.1, 0.15 (own gradient, that of honest_mlp): %s" %
          (name, clean, " ".join(left)), flush=True)


def main() -> None:
    torch.set_num_threads(1)
    write_images(FOLDER / "images.safetensors")
    plain = None
    for name, net in networks():
        plain = plain or net
        net.eval()
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        write_network(net, FOLDER / (name + ".pt"))
        report(name, net, plain)


if __name__ == "__main__":
    main()
