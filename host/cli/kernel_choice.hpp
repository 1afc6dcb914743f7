#pragma once
// Which machine code computes. LibTorch, OpenBLAS and oneDNN choose theirs by the processor, and what
// they choose rounds differently: the same manifest gives other bits on another processor. Pinned to
// one instruction set they give the same everywhere. The libraries read variables when they are loaded.

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace unmask::cli {

enum class Kernels {
  kPortable,  ///< AVX2 on x86-64: equal bits on all such processors
  kNative     ///< what the libraries choose
};

/// "portable", "native".
const char* to_string(Kernels kernels);

/// @throws UsageError for anything else
Kernels parse_kernels(const std::string& text);

/// What the choice needs of a processor.
struct Processor {
  bool is_x86_64 = false;
  bool has_avx2 = false;  ///< with FMA, which OpenBLAS and oneDNN use with it
};
Processor this_processor();

/// Why "portable" has no meaning on a processor; nullopt where it has.
std::optional<std::string> portable_obstacle(const Processor& processor);

/// What is chosen when nobody chooses: portable where the processor can (bench/RESULTS.md has what it
/// costs), else native.
Kernels default_kernels(const Processor& processor);

/// Variables of the environment, with their values, that pin the kernels.
std::vector<std::pair<std::string, std::string>> portable_variables();

/// Let this process and its children compute so; "native" leaves the environment as it is. Before
/// LibTorch is loaded.
/// @param wanted  nullopt: the default
/// @return the choice
/// @throws UsageError when portable is wanted where it has no meaning
Kernels use_kernels(std::optional<Kernels> wanted);

/// What does not compute as "portable" asks, by what the libraries say of themselves: a sentence, or
/// empty.
/// @param used  "ATen AVX2, OpenBLAS Haswell, oneDNN avx2"; libraries that say nothing are not there
std::string not_portable(const std::string& used);

}  // namespace unmask::cli
