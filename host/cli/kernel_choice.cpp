#include "cli/kernel_choice.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "unmask/errors.hpp"

namespace unmask::cli {

const char* to_string(Kernels kernels) {
  return kernels == Kernels::kPortable ? "portable" : "native";
}

Kernels parse_kernels(const std::string& text) {
  for (const Kernels kernels : {Kernels::kPortable, Kernels::kNative}) {
    if (text == to_string(kernels)) return kernels;
  }
  throw UsageError("--kernels must be portable or native, not \"" + text + "\"");
}

Processor this_processor() {
  Processor processor;
#if defined(__x86_64__)
  processor.is_x86_64 = true;
  __builtin_cpu_init();
  processor.has_avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
#endif
  return processor;
}

std::optional<std::string> portable_obstacle(const Processor& processor) {
  if (!processor.is_x86_64) {
    return "--kernels portable means AVX2, which this processor does not have: it is no x86-64; "
           "use "
           "--kernels native";
  }
  if (!processor.has_avx2) {
    return "--kernels portable means AVX2 with FMA, which this processor does not have; use "
           "--kernels native";
  }
  return std::nullopt;
}

Kernels default_kernels(const Processor& processor) {
  return portable_obstacle(processor) ? Kernels::kNative : Kernels::kPortable;
}

std::vector<std::pair<std::string, std::string>> portable_variables() {
  return {{"ATEN_CPU_CAPABILITY", "avx2"},
          {"OPENBLAS_CORETYPE", "Haswell"},
          {"ONEDNN_MAX_CPU_ISA", "AVX2"},
          {"DNNL_MAX_CPU_ISA", "AVX2"}};  // the name of the former before version 3
}

Kernels use_kernels(std::optional<Kernels> wanted) {
  const Processor processor = this_processor();
  const Kernels kernels = wanted.value_or(default_kernels(processor));
  if (kernels == Kernels::kNative) return kernels;
  if (const auto obstacle = portable_obstacle(processor)) throw UsageError(*obstacle);
  for (const auto& [name, value] : portable_variables()) {
    ::setenv(name.c_str(), value.c_str(), 1);  // NOLINT: one thread, before any child
  }
  return kernels;
}

std::string not_portable(const std::string& used) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kWanted = {
      {{"ATen", "avx2"}, {"OpenBLAS", "haswell"}, {"oneDNN", "avx2"}}};
  std::string text;
  for (const auto& [library, wanted] : kWanted) {
    const std::string label = std::string(library) + " ";
    const auto at = used.find(label);
    if (at == std::string::npos) {
      // oneDNN is a part of some builds of LibTorch, and obeys without saying so.
      if (std::string(library) != "OpenBLAS") continue;
      text += "; products of matrices do not come from OpenBLAS, and are as the processor has them";
      continue;
    }
    const auto start = at + label.size();
    std::string found = used.substr(start, used.find(',', start) - start);
    std::transform(found.begin(), found.end(), found.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    if (found.starts_with("off")) {
      text += "; " + label + "is " + found;
    } else if (found != wanted) {
      text += "; " + label + "computes with " + found + " instead of " + wanted;
    }
  }
  return text.empty() ? text : "kernels are not portable" + text;
}

}  // namespace unmask::cli
