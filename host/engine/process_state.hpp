#pragma once
// What a plugin can change in its process and must not leave behind: the floating-point
// environment, locale, LibTorch's modes, signals, the working folder, environment variables, ...
// Later cells would compute with other bits, or fail.

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace unmask::engine {

class ProcessState {
 public:
  /// Remember how everything stands.
  ProcessState();
  ~ProcessState();
  ProcessState(const ProcessState&) = delete;
  ProcessState& operator=(const ProcessState&) = delete;

  /// Set back whatever has changed since the construction, and remember who did it. A forked child
  /// that comes here ends: it is no worker.
  /// @param who  what ran since the last call: "attack pgd"
  void restore(const std::string& who);

  /// "attack evil changed the rounding mode and the working folder": a sentence for each call of
  /// restore() that found something, since the last call of this.
  std::vector<std::string> take_complaints();

 private:
  struct Aspect;
  struct Baseline;

  std::unique_ptr<Baseline> baseline_;
  std::vector<Aspect> aspects_;
  std::vector<std::string> complaints_;
};

}  // namespace unmask::engine
