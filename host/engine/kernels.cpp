#include "engine/kernels.hpp"

#include <dlfcn.h>
#include <link.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

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

}  // namespace

std::string kernels(const std::string& blas) {
  std::string text;
  const auto add = [&](const char* library, const std::string& choice) {
    if (!choice.empty()) text += (text.empty() ? "" : ", ") + std::string(library) + " " + choice;
  };
  add("ATen", aten_capability());
  add("OpenBLAS", openblas_core(blas));
  add("oneDNN", onednn_isa());
  return text;
}

}  // namespace unmask::engine
