// The one linear combination that every explicit method is made of, as one node of the graph.

#include <algorithm>
#include <array>
#include <memory>
#include <type_traits>
#include <utility>

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/types.h>

#include "collect.hpp"
#include "unmask/errors.hpp"
#include "unmask/solver.hpp"

namespace unmask {
inline namespace v1 {
namespace {

// A term that takes part: weight differs from zero.
struct Term {
  double weight;
  const Tensor* tensor;
};

// The step size: one number, or one per sample on the CPU (`rows`) or wherever the state lies.
struct Step {
  double value = 1;
  Tensor rows;  // undefined: one number; else [B] float64, detached

  bool is_per_sample() const { return rows.defined(); }
};

// h * weight, rounded as the state's dtype rounds it.
double factor(double h, double weight, bool is_float) {
  if (!is_float) return h * weight;
  return static_cast<double>(static_cast<float>(h) * static_cast<float>(weight));
}

// Terms that one pass over memory adds up in registers; the longest published sums have 13.
constexpr std::size_t kFused = 7;

// out = base + sum of N terms, where base may be null (zero). Terms are added to each other before
// they are added to the base: one rounding at the size of y, not one per term, which the error
// estimates of tight float32 solves would feel.
template <class T, std::size_t N>
void fused_sum(T* __restrict out,
               const T* __restrict base,
               const std::array<const T*, kFused>& terms,
               const std::array<T, kFused>& weights,
               std::int64_t size) {
  const auto sum = [&](std::int64_t j) {
    T total = weights[0] * terms[0][j];
    // Unrolled by the compiler: N is a constant.
    for (std::size_t i = 1; i < N; ++i) total += weights[i] * terms[i][j];
    return total;
  };
  if (base == nullptr) {
    for (std::int64_t j = 0; j < size; ++j) out[j] = sum(j);
  } else {
    for (std::int64_t j = 0; j < size; ++j) out[j] = sum(j) + base[j];
  }
}

template <class T, std::size_t... N>
void fused_sum_of(std::size_t count,
                  T* out,
                  const T* base,
                  const std::array<const T*, kFused>& terms,
                  const std::array<T, kFused>& weights,
                  std::int64_t size,
                  std::index_sequence<N...>) {
  ((count == N + 1 ? fused_sum<T, N + 1>(out, base, terms, weights, size) : void()), ...);
}

// Elements [first, last) of y + h * sum of the terms; `y` may be null.
template <class T>
void weighted_sum_dense(T* out,
                        const T* y,
                        double h,
                        const std::vector<Term>& terms,
                        std::int64_t first,
                        std::int64_t last) {
  // Longer sums go through blocks that stay in the first-level cache, so that the partial sums
  // never reach memory.
  constexpr std::int64_t kBlock = 2048;
  const bool is_long = terms.size() > kFused;
  std::array<T, kBlock> partial;
  for (std::int64_t begin = first; begin < last;) {
    const std::int64_t size = is_long ? std::min(kBlock, last - begin) : last - begin;
    const T* so_far = nullptr;
    for (std::size_t next = 0; next < terms.size();) {
      // The last batch goes to the result, together with y.
      std::array<const T*, kFused> sources{};
      std::array<T, kFused> weights{};
      std::size_t count = 0;
      if (so_far != nullptr) {
        sources[count] = so_far;
        weights[count++] = 1;
      }
      for (; count < kFused && next < terms.size(); ++next) {
        sources[count] = terms[next].tensor->template data_ptr<T>() + begin;
        weights[count++] = static_cast<T>(factor(h, terms[next].weight, std::is_same_v<T, float>));
      }
      const bool is_last = next == terms.size();
      T* const target = is_last ? out + begin : partial.data();
      const T* const base = is_last && y != nullptr ? y + begin : nullptr;
      fused_sum_of<T>(
          count, target, base, sources, weights, size, std::make_index_sequence<kFused>());
      so_far = partial.data();
    }
    begin += size;
  }
}

// Dense CPU tensors of one layout can be walked in memory order.
bool share_dense_cpu_layout(const Tensor& like, const Tensor& y, const std::vector<Term>& terms) {
  if (!like.device().is_cpu() || !like.is_non_overlapping_and_dense()) return false;
  if (like.scalar_type() != at::kFloat && like.scalar_type() != at::kDouble) return false;
  const auto fits = [&](const Tensor& other) {
    return other.device().is_cpu() && other.scalar_type() == like.scalar_type() &&
           other.strides() == like.strides();
  };
  if (y.defined() && !fits(y)) return false;
  return std::all_of(terms.begin(), terms.end(), [&](const Term& t) { return fits(*t.tensor); });
}

// Every sample occupies one stretch of memory.
bool has_rows_in_memory_order(const Tensor& like) {
  return like.size(0) <= 1 || like.stride(0) == like.numel() / like.size(0);
}

template <class T>
void weighted_sum_on_cpu(Tensor& out,
                         const Tensor& y,
                         const Step& h,
                         const std::vector<Term>& terms) {
  T* const o = out.data_ptr<T>();
  const T* const base = y.defined() ? y.data_ptr<T>() : nullptr;
  if (!h.is_per_sample()) {
    weighted_sum_dense<T>(o, base, h.value, terms, 0, out.numel());
    return;
  }
  const std::int64_t row = out.numel() / out.size(0);
  const double* const values = h.rows.data_ptr<double>();
  for (std::int64_t b = 0; b < out.size(0); ++b) {
    weighted_sum_dense<T>(o, base, values[b], terms, b * row, (b + 1) * row);
  }
}

// [B] as [B, 1, ...] in the dtype of `like`.
Tensor per_row(const Tensor& values, const Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = values.size(0);
  return values.to(like.options().requires_grad(false)).view(shape);
}

// y + h * sum of the terms, without a graph. `y` may be undefined: zero.
Tensor weighted_sum(const Tensor& y, const Step& h, const std::vector<Term>& terms) {
  const at::NoGradGuard no_grad;
  const Tensor& like = y.defined() ? y : *terms.front().tensor;
  if (share_dense_cpu_layout(like, y, terms) &&
      (!h.is_per_sample() || (has_rows_in_memory_order(like) && h.rows.device().is_cpu()))) {
    Tensor out = at::empty_like(like);
    if (like.scalar_type() == at::kFloat) {
      weighted_sum_on_cpu<float>(out, y, h, terms);
    } else {
      weighted_sum_on_cpu<double>(out, y, h, terms);
    }
    return out;
  }
  const bool is_float = like.scalar_type() == at::kFloat;
  Tensor out = at::mul(*terms.front().tensor, factor(h.value, terms.front().weight, is_float));
  for (std::size_t i = 1; i < terms.size(); ++i) {
    out.add_(*terms[i].tensor, factor(h.value, terms[i].weight, is_float));
  }
  if (h.is_per_sample()) out.mul_(per_row(h.rows, like));
  return y.defined() ? out.add_(y) : out;
}

// Adds up what combinations deposit: one pass over memory for all of them, instead of a scaled copy
// and a sum for each.
class CollectBackward final : public torch::autograd::Node {
 public:
  void deposit(double weight, const Tensor& gradient) {
    const std::lock_guard<std::mutex> lock(mutex_);
    weights_.push_back(weight);
    gradients_.push_back(gradient);
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::vector<double> weights = std::exchange(weights_, {});
    const std::vector<Tensor> deposits = std::exchange(gradients_, {});
    // What did not come from a combination arrives in the usual way.
    return {deposits.empty() ? gradients[0]
                             : combine(gradients[0], Scalar{1, Tensor()}, weights, deposits)};
  }

  std::string name() const override { return "CollectBackward"; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    weights_.clear();
    gradients_.clear();
  }

 private:
  std::vector<double> weights_;
  std::vector<Tensor> gradients_;
};

// Inputs in the order y, h, terms.
class CombineBackward final : public torch::autograd::Node {
 public:
  CombineBackward(Step h, std::vector<double> weights)
      : h_(std::move(h)), weights_(std::move(weights)) {}

  // Only the gradient of h needs the terms; without it they are not kept alive.
  void save_for_step_gradient(const Tensor& h, const std::vector<Term>& terms) {
    h_options_ = h.options();
    for (const Term& term : terms) saved_.emplace_back(*term.tensor, /*is_output=*/false);
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::size_t n = weights_.size();
    torch::autograd::variable_list out(2 + n);
    const Tensor& g = gradients[0];
    if (!g.defined()) return out;
    if (!saved_.empty() && at::GradMode::is_enabled()) {
      throw NumericError(
          "second derivatives through a differentiable step size are not available; set "
          "step_gradient to "
          "none");
    }
    if (task_should_compute_output(0)) out[0] = passed_on(0, 1, g);
    if (task_should_compute_output(1)) out[1] = step_gradient(g);
    const Tensor scaled = h_.is_per_sample() ? g * per_row(h_.rows, g) : g;
    for (std::size_t i = 0; i < n; ++i) {
      if (!task_should_compute_output(2 + i)) continue;
      out[2 + i] = passed_on(2 + i, h_.value * weights_[i], scaled);
    }
    return out;
  }

  std::string name() const override { return "CombineBackward"; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& variable : saved_) variable.reset_data();
  }

 private:
  // weight * g for the operand at `slot`: deposited where it is collected, else returned.
  Tensor passed_on(std::size_t slot, double weight, const Tensor& g) const {
    if (auto* collector = dynamic_cast<CollectBackward*>(next_edge(slot).function.get())) {
      collector->deposit(weight, g);
      return {};
    }
    return weight == 1 ? g : at::mul(g, weight);
  }

  // <g, sum w_i k_i>
  Tensor step_gradient(const Tensor& g) {
    std::vector<Tensor> tensors;
    tensors.reserve(saved_.size());
    for (auto& variable : saved_) tensors.push_back(variable.unpack());
    std::vector<Term> terms;
    terms.reserve(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) terms.push_back({weights_[i], &tensors[i]});
    const Tensor product = weighted_sum({}, Step{}, terms).mul_(g);
    if (h_.is_per_sample()) return product.flatten(1).sum(1).to(h_options_);
    return product.sum().to(h_options_);
  }

  Step h_;
  std::vector<double> weights_;
  std::vector<torch::autograd::SavedVariable> saved_;
  at::TensorOptions h_options_;
};

// Gives `out` a backward that leads to y, to h where it takes part, and to the terms.
void record_combine(Tensor& out,
                    const Tensor& y,
                    const Scalar& h,
                    const Step& step,
                    const std::vector<Term>& used) {
  const bool h_needs_gradient = h.tensor.defined() && h.tensor.requires_grad();
  std::vector<double> used_weights;
  torch::autograd::edge_list edges;
  used_weights.reserve(used.size());
  edges.reserve(2 + used.size());
  edges.push_back(y.defined() ? torch::autograd::impl::gradient_edge(y) : torch::autograd::Edge());
  edges.push_back(h_needs_gradient ? torch::autograd::impl::gradient_edge(h.tensor)
                                   : torch::autograd::Edge());
  for (const Term& term : used) {
    used_weights.push_back(term.weight);
    edges.push_back(torch::autograd::impl::gradient_edge(*term.tensor));
  }
  const std::shared_ptr<CombineBackward> node(new CombineBackward(step, std::move(used_weights)),
                                              torch::autograd::deleteNode);
  if (h_needs_gradient) node->save_for_step_gradient(h.tensor, used);
  node->set_next_edges(std::move(edges));
  torch::autograd::create_gradient_edge(out, node);
}

}  // namespace

Tensor collect_gradients(const Tensor& tensor) {
  if (!at::GradMode::is_enabled() || !tensor.requires_grad()) return tensor;
  const std::shared_ptr<CollectBackward> node(new CollectBackward, torch::autograd::deleteNode);
  node->set_next_edges({torch::autograd::impl::gradient_edge(tensor)});
  Tensor out = tensor.detach();
  torch::autograd::create_gradient_edge(out, node);
  return out;
}

Tensor combine(const Tensor& y,
               const Scalar& h,
               const std::vector<double>& weights,
               const std::vector<Tensor>& terms) {
  TORCH_CHECK(weights.size() == terms.size(),
              "combine: ",
              weights.size(),
              " weights for ",
              terms.size(),
              " terms");
  std::vector<Term> used;
  used.reserve(terms.size());
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (weights[i] != 0) used.push_back({weights[i], &terms[i]});
  }
  TORCH_CHECK(y.defined() || !used.empty(),
              "combine: nothing to combine: no y, and no weight but 0");
  if (used.empty()) return y;
  const Tensor& like = y.defined() ? y : *used.front().tensor;
  for (const Term& term : used) {
    TORCH_CHECK(term.tensor->sizes() == like.sizes(),
                "combine: a term has shape ",
                term.tensor->sizes(),
                ", expected ",
                like.sizes());
  }

  Step step{h.value, Tensor()};
  if (h.is_per_sample()) {
    TORCH_CHECK(h.tensor.size(0) == like.size(0) && h.tensor.scalar_type() == at::kDouble,
                "combine: step sizes ",
                h.tensor.scalar_type(),
                " ",
                h.tensor.sizes(),
                " for a batch of ",
                like.size(0));
    step = {1, h.tensor.detach().contiguous()};
  }
  Tensor out = weighted_sum(y, step, used);
  if (!at::GradMode::is_enabled()) return out;
  const bool h_needs_gradient = h.tensor.defined() && h.tensor.requires_grad();
  const bool needs_gradient = h_needs_gradient || (y.defined() && y.requires_grad()) ||
                              std::any_of(used.begin(), used.end(), [](const Term& t) {
                                return t.tensor->requires_grad();
                              });
  if (!needs_gradient) return out;

  record_combine(out, y, h, step, used);
  return out;
}

}  // namespace v1
}  // namespace unmask
