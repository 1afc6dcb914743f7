#include "engine/kernels.hpp"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace unmask::engine {
namespace {

// A symbol of a library that is loaded already; nullptr when it has none of that name.
template <typename Function>
Function* symbol_of(const std::string& file, const char* name) {
  if (file.empty()) return nullptr;
  void* library = ::dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  auto* found = reinterpret_cast<Function*>(::dlsym(library, name));
  ::dlclose(library);  // it stays loaded: it was before
  return found;
}

// LibTorch tells it in its description of itself and nowhere else in all versions.
std::string aten_capability() {
  constexpr std::string_view kLabel = "CPU capability usage: ";
  const std::string config = at::show_config();
  const auto at = config.find(kLabel);
  if (at == std::string::npos) return "";
  const auto start = at + kLabel.size();
  return config.substr(start, config.find('\n', start) - start);
}

std::string openblas_core(const std::string& blas) {
  auto* core = symbol_of<const char*()>(blas, "openblas_get_corename");
  return core == nullptr ? "" : core();
}

// The file of oneDNN, where it is a library of its own.
std::string onednn_file() {
  std::string file;
  const auto look = [](dl_phdr_info* info, std::size_t, void* found) {
    const std::string_view name = info->dlpi_name;
    if (name.find("/libdnnl.so") == name.npos) return 0;
    *static_cast<std::string*>(found) = name;
    return 1;
  };
  ::dl_iterate_phdr(look, &file);
  return file;
}

// dnnl_cpu_isa_t is a set of bits; versions 2 and 3 agree on these.
std::string onednn_isa() {
  auto* isa = symbol_of<unsigned()>(onednn_file(), "dnnl_get_effective_cpu_isa");
  if (isa == nullptr) return "";
  constexpr std::array<std::pair<unsigned, const char*>, 6> kNames = {{{0x1, "sse41"},
                                                                       {0x3, "avx"},
                                                                       {0x7, "avx2"},
                                                                       {0x27, "avx512_core"},
                                                                       {0x67, "avx512_core_vnni"},
                                                                       {0xe7, "avx512_core_bf16"}}};
  const unsigned bits = isa();
  for (const auto& [value, name] : kNames) {
    if (value == bits) return name;
  }
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%#x", bits);
  return text.data();
}

struct ConvolutionShape {
  std::int64_t batch, channels, size, filters;
};

// Of a 3 x 3 convolution at stride 1: the answer and the gradient of the input. Numbers without a pattern,
// drawn from no generator.
std::array<at::Tensor, 2> convolution(const ConvolutionShape& shape, at::ScalarType type) {
  const auto values = [&](at::IntArrayRef sizes, double factor) {
    std::int64_t count = 1;
    for (const std::int64_t size : sizes) count *= size;
    return at::cos(factor * at::arange(count, at::kDouble).square()).view(sizes).to(type);
  };
  const at::Tensor x = values({shape.batch, shape.channels, shape.size, shape.size}, 0.7);
  const at::Tensor weight = values({shape.filters, shape.channels, 3, 3}, 0.3);
  const at::Tensor answer = at::conv2d(x, weight, {}, 1, 1);
  const at::Tensor gradient = values(answer.sizes(), 0.9);
  const auto gradients = at::convolution_backward(gradient,
                                                  x,
                                                  weight,
                                                  c10::nullopt,
                                                  {1, 1},
                                                  {1, 1},
                                                  {1, 1},
                                                  /*transposed=*/false,
                                                  {0, 0},
                                                  /*groups=*/1,
                                                  {true, false, false});
  return {answer, std::get<0>(gradients)};
}

// In double precision LibTorch computes itself. A sum of at most 576 products is rounded by less than 576 * 2^-24
// of their size; what was wrong was so by a third and more, or was not a number.
bool agrees(const ConvolutionShape& shape) {
  constexpr double kAllowed = 1e-3;
  const at::NoGradGuard no_gradients;
  const auto found = convolution(shape, at::kFloat);
  const auto expected = convolution(shape, at::kDouble);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const at::Tensor difference = (found[i].to(at::kDouble) - expected[i]).norm();
    if (!(difference.item<double>() <= kAllowed * expected[i].norm().item<double>())) return false;
  }
  return true;
}

}  // namespace

bool onednn_is_right() {
  if (!at::globalContext().hasMKLDNN()) return true;
  static const bool is_right = [] {
    // Each was wrong under one of the instruction sets avx, avx2 and avx512_core, or under several.
    constexpr std::array<ConvolutionShape, 4> kShapes = {
        {{2, 1, 4, 4}, {2, 10, 4, 4}, {2, 8, 4, 4}, {1, 64, 20, 4}}};
    return std::all_of(kShapes.begin(), kShapes.end(), agrees);
  }();
  return is_right;
}

void avoid_wrong_kernels() {
  if (!onednn_is_right()) at::globalContext().setUserEnabledMkldnn(false);
}

std::string kernels(const std::string& blas) {
  std::string text;
  const auto add = [&](const char* library, const std::string& choice) {
    if (!choice.empty()) text += (text.empty() ? "" : ", ") + std::string(library) + " " + choice;
  };
  add("ATen", aten_capability());
  add("OpenBLAS", openblas_core(blas));
  add("oneDNN", onednn_is_right() ? onednn_isa() : "off: its convolutions are wrong here");
  return text;
}

}  // namespace unmask::engine
