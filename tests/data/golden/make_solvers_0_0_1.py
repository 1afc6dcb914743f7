#!/usr/bin/env python3
"""Makes solvers-0.0.1.json: reference runs of torchdiffeq 0.0.1 (git c26485f).

  make_solvers_0_0_1.py CHECKOUT PROBLEMS > solvers-0.0.1.json

CHECKOUT  a folder with torchdiffeq at c26485f
PROBLEMS  a file of schema solver-golden/1; formulas, parameters and initial values are taken from it

That version differentiates everything: the choice of the first step and every later step size. So
`grad` is the gradient that a user of that version got, and the derivative of the computed map.

Nothing in torchdiffeq is changed. Two of its functions are wrapped in the modules of the adaptive
methods, to see each attempted step; what they return is passed on. The numbers need PyTorch alone.
"""

import hashlib
import json
import math
import sys

import torch

ADAPTIVE = ("adaptive_heun", "bosh3", "dopri5")
FIXED = ("euler", "midpoint", "rk4")
TOLERANCES = (1e-1, 1e-3, 1e-6)
STEP_SIZES = (0.25, 0.1, None)  # None: one step over the whole interval
# adaptive_heun at 1e-6 takes up to 1500 steps; the logs of the longest runs would be most of the file.
MAX_ATTEMPTS = 900
JITTER = 4 * torch.finfo(torch.float64).eps


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64)


def make_field(name, params):
    """The right-hand side f(t, y) of a problem; `formula` in the file says the same in words."""
    if name == "decay":
        return lambda t, y: -y
    if name == "oscillator":
        w = params["w"]
        return lambda t, y: torch.stack([w * y[..., 1], -w * y[..., 0]], -1)
    if name == "lotka_volterra":
        a, b, c, d = (params[key] for key in "abcd")

        def lotka_volterra(t, state):
            x, y = state[..., 0], state[..., 1]
            return torch.stack([a * x - b * x * y, -c * y + d * x * y], -1)

        return lotka_volterra
    if name == "forced":
        k, m = params["k"], params["m"]
        return lambda t, y: -k * y + torch.sin(m * t)
    if name.startswith("mlp"):
        w1, b1, w2, b2 = (tensor(params[key]) for key in ("W1", "b1", "W2", "b2"))
        return lambda t, y: torch.tanh(y @ w1 + b1) @ w2 + b2
    if name.startswith("pair"):
        w = tensor(params["W"])
        lrelu = torch.nn.functional.leaky_relu  # slope 0.01
        return lambda t, state: (lrelu(state[1] @ w), -lrelu(state[0] @ w.t()))
    raise SystemExit(f"problem {name} is unknown")


class Recorder:
    """Sees the attempted steps of the solve in progress."""

    def __init__(self, impl):
        self.steps = []
        for name in ADAPTIVE:
            module = getattr(impl, name)
            module._runge_kutta_step = self._watch_step(module._runge_kutta_step)
            module._compute_error_ratio = self._watch_ratio(module._compute_error_ratio)

    def _watch_step(self, step):
        def watched(func, y0, f0, t0, dt, tableau):
            self.steps.append([t0.item(), dt.item()])
            return step(func, y0, f0, t0, dt, tableau=tableau)

        return watched

    def _watch_ratio(self, ratio):
        def watched(*args, **kwargs):
            squares = ratio(*args, **kwargs)  # mean squares, one per component of the state
            largest = max(square.item() for square in squares)
            self.steps[-1] += [math.sqrt(largest), int(largest <= 1)]
            return squares

        return watched


def solve(odeint, recorder, problem, name, method, run_options, scale):
    """One solve of y0 * scale with its gradient."""
    is_pair = problem.get("tuple", False)
    parts = problem["y0"] if is_pair else [problem["y0"]]
    y0 = tuple((tensor(part) * scale).requires_grad_() for part in parts)
    base = make_field(name, problem["params"])
    evaluations = 0

    def field(t, y):
        nonlocal evaluations
        evaluations += 1
        return base(t, y)

    recorder.steps = []
    out = odeint(field, y0 if is_pair else y0[0], tensor([0.0, 1.0]), method=method, **run_options)
    end = tuple(part[-1] for part in (out if is_pair else (out,)))
    nfe = evaluations
    grads = torch.autograd.grad(sum(part.sum() for part in end), y0)
    return {
        "nfe": nfe,
        "steps": recorder.steps,
        "y1": [part.detach().flatten() for part in end],
        "grad": [part.flatten() for part in grads],
    }


def largest_change(run, others, key):
    return max(
        (a - b).abs().max().item() for other in others for a, b in zip(run[key], other[key])
    )


def as_json(problem, parts):
    lists = [part.tolist() for part in parts]
    return lists if problem.get("tuple", False) else lists[0]


def make_case(odeint, recorder, problem, name, method, tolerance, step_size):
    is_adaptive = method in ADAPTIVE
    run_options = {"rtol": tolerance, "atol": tolerance}
    if step_size is not None:
        run_options["options"] = {"step_size": step_size}
    run = solve(odeint, recorder, problem, name, method, run_options, 1.0)
    others = [
        solve(odeint, recorder, problem, name, method, run_options, 1.0 + sign * JITTER)
        for sign in (1, -1)
    ]
    pattern = lambda r: (r["nfe"], [step[3] for step in r["steps"]])
    what = f"0.0.1 {name} {method} {tolerance} {step_size}"
    case = {
        "id": f"{name}-{method}-float64-v001-{hashlib.sha256(what.encode()).hexdigest()[:8]}",
        "problem": name,
        "method": method,
        "dtype": "float64",
        "kind": "adaptive" if is_adaptive else "fixed",
        "t": [0.0, 1.0],
        "rtol": tolerance,
        "atol": tolerance,
        "step_size": step_size,
        "options": {},
        "nfe": run["nfe"],
        "y1": as_json(problem, run["y1"]),
        "grad": as_json(problem, run["grad"]),
        "jitter_y1": largest_change(run, others, "y1"),
        "jitter_grad": largest_change(run, others, "grad"),
        "nfe_stable": all(pattern(other) == pattern(run) for other in others),
        "diverged": False,
    }
    if is_adaptive:
        case["steps"] = run["steps"]
        case["accepted"] = sum(step[3] for step in run["steps"])
        case["rejected"] = len(run["steps"]) - case["accepted"]
        case["margin"] = min(abs(step[2] - 1) for step in run["steps"])
    else:
        case["n_steps"] = 1 if step_size is None else round(1 / step_size)
        if step_size is None:
            case["tag"] = "single-step"
    values = [v for part in run["y1"] + run["grad"] for v in part.tolist()]
    if not all(math.isfinite(v) and abs(v) < 1e8 for v in values) or case["jitter_y1"] > 1:
        raise SystemExit(f"{what} blew up; this script has no rule for that")
    return case


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    sys.path.insert(0, sys.argv[1])
    import torchdiffeq
    from torchdiffeq import _impl as impl

    torch.set_num_threads(1)
    recorder = Recorder(impl)
    with open(sys.argv[2], encoding="utf-8") as file:
        problems = json.load(file)["problems"]
    cases = []
    for name, problem in problems.items():
        for method in ADAPTIVE:
            for tolerance in TOLERANCES:
                case = make_case(
                    torchdiffeq.odeint, recorder, problem, name, method, tolerance, None
                )
                if len(case["steps"]) <= MAX_ATTEMPTS:
                    cases.append(case)
                else:
                    print(f"left out for its length: {case['id']}", file=sys.stderr)
        for method in FIXED:
            for step_size in STEP_SIZES:
                cases.append(
                    make_case(torchdiffeq.odeint, recorder, problem, name, method, 1e-7, step_size)
                )
    version = ".".join(torch.__version__.split(".")[:2])
    document = {
        "schema": "solver-golden/1",
        "generator": f"torchdiffeq 0.0.1 (git c26485f) on PyTorch {version} CPU, 1 thread",
        "problems": problems,
        "cases": cases,
    }
    json.dump(document, sys.stdout, sort_keys=True, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
