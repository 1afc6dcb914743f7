// What a checkpoint and a training rely on: names of tensors, seeds, precision, modes.

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include "conformance/model_trial.hpp"

namespace unmask::conformance::models {

namespace {

using Entry = std::pair<std::string, std::vector<std::int64_t>>;

std::vector<Entry> entries(Model& model) {
  std::vector<Entry> result;
  for (const auto& list : {model.parameters(), model.buffers()}) {
    for (const NamedTensor& item : list) result.emplace_back(item.name, item.tensor.sizes().vec());
  }
  return result;
}

}  // namespace

void names_its_tensors(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const std::vector<Entry> names = entries(*trial.model);
    std::set<std::string> unique;
    for (const Entry& entry : names) {
      findings.expect(!entry.first.empty(), "a tensor has no name");
      findings.expect(unique.insert(entry.first).second,
                      "two tensors are called \"" + entry.first + "\"");
    }
    findings.expect(entries(*trial.build(2)) == names, "another seed gives other names");
    trial.model->set_training(true);
    trial.forward(trial.x);
    findings.expect(entries(*trial.model) == names, "a forward pass in training changes names");
    trial.model->to("cpu", at::kDouble);
    findings.expect(entries(*trial.model) == names, "to() changes names");
  });
}

void hands_out_its_own_tensors(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const Tensor before = trial.forward(trial.x).detach();
    {
      const at::NoGradGuard no_grad;
      for (NamedTensor item : trial.model->parameters()) item.tensor.mul_(1.01);
    }
    findings.expect(!torch::equal(trial.forward(trial.x), before),
                    "what an optimiser does to parameters() has no effect");
  });
}

void follows_its_seed(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const auto same = trial.build(1);
    findings.expect(bitwise_equal(same->parameters(), copies(trial.model->parameters())) &&
                        bitwise_equal(same->buffers(), copies(trial.model->buffers())),
                    "the same seed gives other weights");
    // A model that reads its weights from a file has no seed to follow.
    const bool reads_a_file =
        std::any_of(subject.params.begin(), subject.params.end(), [](const ParamSpec& spec) {
          return spec.type == unmask::ParamType::kFile;
        });
    findings.expect(reads_a_file || !bitwise_equal(trial.build(2)->parameters(),
                                                   copies(trial.model->parameters())),
                    "another seed gives the same weights");
  });
}

void carries_over_its_state(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    trial.gather_statistics();
    const auto other = trial.build(2);
    {
      const at::NoGradGuard no_grad;
      const auto copy = [](const std::vector<NamedTensor>& from, std::vector<NamedTensor> to) {
        for (std::size_t i = 0; i < from.size(); ++i) to.at(i).tensor.copy_(from[i].tensor);
      };
      copy(trial.model->parameters(), other->parameters());
      copy(trial.model->buffers(), other->buffers());
    }
    findings.expect(torch::equal(Trial::forward(*other, trial.x), trial.forward(trial.x)),
                    "parameters() and buffers() are not all that its logits depend on");
  });
}

void computes_in_double(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const at::NoGradGuard no_grad;
    const Tensor in_float = trial.forward(trial.x);
    trial.model->to("cpu", at::kDouble);
    for (const auto& list : {trial.model->parameters(), trial.model->buffers()}) {
      for (const NamedTensor& item : list) {
        findings.expect(item.tensor.scalar_type() == at::kDouble,
                        "to() leaves \"" + item.name + "\" as it was");
      }
    }
    const Tensor in_double = trial.forward(trial.x.to(at::kDouble));
    findings.expect(in_double.scalar_type() == at::kDouble,
                    "in float64 its logits are not float64");
    // Rounding of float32, amplified by some twenty layers.
    findings.at_most((in_float - in_double).abs().max().item<double>(),
                     1e-3 * in_double.abs().max().item<double>(),
                     "the difference of logits in float32 and float64" + trial.where());
    trial.model->to("cpu", at::kFloat);
    findings.expect(torch::equal(trial.forward(trial.x), in_float),
                    "after float64 and back its logits are others");
  });
}

// Normalisations with running statistics are all that a mode may switch: what has none is the same
// in both.
void switches_nothing_but_normalisations(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    Model& model = *trial.model;
    const std::vector<Tensor> parameters = copies(model.parameters());
    const std::vector<Tensor> buffers = copies(model.buffers());
    const Tensor in_evaluation = trial.forward(trial.x).detach();
    model.set_training(true);
    findings.expect(bitwise_equal(model.buffers(), buffers), "set_training changes its buffers");
    const Tensor in_training = trial.forward(trial.x).detach();
    findings.expect(bitwise_equal(model.parameters(), parameters),
                    "a forward pass in training changes its parameters");
    const std::vector<NamedTensor> own = model.buffers();
    const bool has_statistics = std::any_of(own.begin(), own.end(), [](const NamedTensor& item) {
      return item.name.ends_with("running_mean");
    });
    if (has_statistics) {
      findings.expect(!torch::equal(in_training, in_evaluation) && !bitwise_equal(own, buffers),
                      "it has running statistics, and training does not gather them");
    } else {
      findings.expect(torch::equal(in_training, in_evaluation) && bitwise_equal(own, buffers),
                      "without running statistics, training and evaluation differ");
    }
    model.set_training(false);
    if (!has_statistics) {
      findings.expect(torch::equal(trial.forward(trial.x), in_evaluation),
                      "back in evaluation its logits are others");
    }
  });
}

void repeats_itself_in_training(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    trial.model->set_training(true);
    const std::vector<Tensor> buffers = copies(trial.model->buffers());
    const Tensor generator = generator_state();
    const Tensor once = trial.forward(trial.x).detach();
    {
      const at::NoGradGuard no_grad;
      std::vector<NamedTensor> own = trial.model->buffers();
      for (std::size_t i = 0; i < own.size(); ++i) own[i].tensor.copy_(buffers[i]);
    }
    findings.expect(torch::equal(once, trial.forward(trial.x).detach()),
                    "in training, the same images have other logits a second time");
    findings.expect(torch::equal(generator_state(), generator),
                    "in training it draws random numbers");
  });
}

void comes_back_from_training(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const Tensor before = trial.forward(trial.x).detach();
    trial.model->set_training(true);
    trial.model->set_training(false);
    findings.expect(torch::equal(trial.forward(trial.x), before),
                    "set_training, there and back, changes its logits");
  });
}

}  // namespace unmask::conformance::models
