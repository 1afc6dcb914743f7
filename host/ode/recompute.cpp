#include "ode/recompute.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <set>
#include <utility>

#include <ATen/SequenceNumber.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

using torch::autograd::Edge;
using torch::autograd::edge_list;
using torch::autograd::Node;
using torch::autograd::variable_list;

// A copy that starts a graph of its own.
Tensor leaf(const Tensor& tensor, bool needs_gradient) {
  return tensor.detach().requires_grad_(needs_gradient);
}

class PullbackNode final : public Node {
 public:
  explicit PullbackNode(Pullback pullback) : pullback_(std::move(pullback)) {}

  void save(const std::vector<Tensor>& inputs) {
    for (const Tensor& input : inputs) {
      saved_.emplace_back(input, /*is_output=*/false);
      needs_.push_back(input.requires_grad());
    }
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (at::GradMode::is_enabled()) {
      throw NumericError(
          "second derivatives need the whole graph of the solve; set gradient to direct");
    }
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      inputs.push_back(leaf(saved_[i].unpack(), needs_[i]));
    }
    Pulled pulled = pullback_(inputs, gradients);
    variable_list out = std::move(pulled.inputs);
    out.insert(out.end(), pulled.captures.begin(), pulled.captures.end());
    return out;
  }

  std::string name() const override { return "PullbackNode"; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& variable : saved_) variable.reset_data();
  }

 private:
  Pullback pullback_;
  std::vector<torch::autograd::SavedVariable> saved_;
  std::vector<bool> needs_;
};

// Places outside of the graph that was made since `first` and that is reached from `roots`; the
// accumulators in `own` belong to it.
edge_list boundary(const std::vector<Tensor>& roots,
                   std::uint64_t first,
                   const std::set<const Node*>& own) {
  edge_list out;
  std::set<std::pair<const Node*, std::uint32_t>> known;
  std::set<const Node*> visited;
  std::vector<Edge> open;
  for (const Tensor& root : roots) {
    if (root.requires_grad()) open.push_back(torch::autograd::impl::gradient_edge(root));
  }
  // Accumulators of leaves carry the highest number there is: they are never older than `first` by
  // number, but always outside.
  constexpr std::uint64_t kAccumulator = std::numeric_limits<std::uint64_t>::max();
  while (!open.empty()) {
    const Edge edge = open.back();
    open.pop_back();
    Node* const node = edge.function.get();
    if (node == nullptr || own.contains(node)) continue;
    const std::uint64_t number = node->sequence_nr();
    if (number < first || number == kAccumulator) {
      if (known.emplace(node, edge.input_nr).second) out.push_back(edge);
      continue;
    }
    if (!visited.insert(node).second) continue;
    for (const Edge& next : node->next_edges()) open.push_back(next);
  }
  return out;
}

// True when `from` leads, through the graph before it, to one of `nodes`.
bool leads_to(const Node& from, const std::set<const Node*>& nodes) {
  std::set<const Node*> visited;
  std::vector<const Node*> open = {&from};
  while (!open.empty()) {
    const Node* const node = open.back();
    open.pop_back();
    for (const Edge& next : node->next_edges()) {
      if (next.function == nullptr || !visited.insert(next.function.get()).second) continue;
      if (nodes.contains(next.function.get())) return true;
      open.push_back(next.function.get());
    }
  }
  return false;
}

// A place that leads to another one would pass its gradient on to that one, which would count it
// twice: it is replaced by the places before it until none leads to another.
edge_list without_ancestors(edge_list edges) {
  for (std::size_t i = 0; i < edges.size();) {
    std::set<const Node*> others;
    for (const Edge& edge : edges) {
      if (edge.function != edges[i].function) others.insert(edge.function.get());
    }
    if (!leads_to(*edges[i].function, others)) {
      ++i;
      continue;
    }
    const std::shared_ptr<Node> node = edges[i].function;
    std::erase_if(edges, [&](const Edge& edge) { return edge.function == node; });
    for (const Edge& next : node->next_edges()) {
      if (next.function == nullptr) continue;
      if (std::find(edges.begin(), edges.end(), next) == edges.end()) edges.push_back(next);
    }
    i = 0;
  }
  return edges;
}

}  // namespace

FieldProbe probe_field(VectorField& field, const Scalar& t, const State& y) {
  const at::AutoGradMode with_grad(true);
  const std::uint64_t first = at::sequence_number::peek();
  State leaves;
  std::set<const Node*> own;
  std::vector<std::shared_ptr<Node>> alive;
  for (const Tensor& component : y) {
    leaves.push_back(leaf(component, true));
    alive.push_back(torch::autograd::impl::gradient_edge(leaves.back()).function);
    own.insert(alive.back().get());
  }
  Scalar time = t;
  if (time.tensor.defined()) time.tensor = time.tensor.detach();
  const State value = field.evaluate(time, leaves);
  FieldProbe out;
  out.captures.edges = without_ancestors(boundary(value, first, own));
  for (const Tensor& component : value) out.value.push_back(component.detach());
  return out;
}

Pulled pull_back(const std::vector<Tensor>& roots,
                 const std::vector<Tensor>& gradients,
                 const std::vector<Tensor>& inputs,
                 const Captures& captures) {
  edge_list from;
  variable_list weights;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    if (!roots[i].requires_grad() || !gradients[i].defined()) continue;
    from.push_back(torch::autograd::impl::gradient_edge(roots[i]));
    weights.push_back(gradients[i]);
  }
  edge_list to;
  std::vector<std::size_t> slots;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    to.push_back(torch::autograd::impl::gradient_edge(inputs[i]));
    slots.push_back(i);
  }
  to.insert(to.end(), captures.edges.begin(), captures.edges.end());
  Pulled out{std::vector<Tensor>(inputs.size()), std::vector<Tensor>(captures.edges.size())};
  if (from.empty() || to.empty()) return out;
  // What was made before belongs to others, who will need it again; the rest is gone in a moment.
  const variable_list found = torch::autograd::Engine::get_default_engine().execute(
      from, weights, /*keep_graph=*/true, /*create_graph=*/false, /*accumulate_grad=*/false, to);
  for (std::size_t i = 0; i < slots.size(); ++i) out.inputs[slots[i]] = found[i];
  for (std::size_t i = 0; i < captures.edges.size(); ++i) {
    out.captures[i] = found[slots.size() + i];
  }
  return out;
}

void attach(std::vector<Tensor>& outputs,
            const std::vector<Tensor>& inputs,
            const Captures& captures,
            Pullback pullback) {
  if (!at::GradMode::is_enabled()) return;
  edge_list edges;
  bool needs_gradient = !captures.edges.empty();
  for (const Tensor& input : inputs) {
    edges.push_back(input.requires_grad() ? torch::autograd::impl::gradient_edge(input) : Edge());
    needs_gradient = needs_gradient || input.requires_grad();
  }
  if (!needs_gradient) return;
  edges.insert(edges.end(), captures.edges.begin(), captures.edges.end());
  const std::shared_ptr<PullbackNode> node(new PullbackNode(std::move(pullback)),
                                           torch::autograd::deleteNode);
  node->save(inputs);
  node->set_next_edges(std::move(edges));
  for (Tensor& output : outputs) {
    output = output.detach();  // it may be one of the inputs
    torch::autograd::create_gradient_edge(output, node);
  }
}

Pullback recomputing(Captures captures, Recomputation again) {
  return [captures = std::move(captures), again = std::move(again)](
             const std::vector<Tensor>& inputs, const std::vector<Tensor>& gradients) {
    std::vector<Tensor> roots;
    {
      const at::AutoGradMode with_grad(true);
      roots = again(inputs);
    }
    UNMASK_CHECK(roots.size() == gradients.size(),
                 "a recomputation gives what the forward pass gave");
    return pull_back(roots, gradients, inputs, captures);
  };
}

}  // namespace unmask::ode
