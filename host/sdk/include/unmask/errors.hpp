#pragma once
// Errors that reach a user, and the exit code that each kind of them leads to.

#include <stdexcept>
#include <string>
#include <string_view>

#include "unmask/export.hpp"

namespace unmask {
inline namespace v1 {

/// Exit codes of the `unmask` executable.
enum class ExitCode : int {
  kDone = 0,         ///< everything asked for is done
  kCellsFailed = 1,  ///< the run finished, some cells failed
  kUsage = 2,        ///< wrong command line
  kManifest = 3,     ///< wrong manifest, parameter or input data
  kPlugin = 4,       ///< a plugin is missing or does not fit this host
  kStore = 5,        ///< the database cannot be opened, read or written
  kInternal = 70     ///< a broken invariant: a bug in unmask
};

// Destructors stand in the library, so that each type is known once; copies are the compiler's.
// NOLINTBEGIN(cppcoreguidelines-special-member-functions)

/// Base of every error of unmask: a sentence for the user, the exit code that it leads to, and
/// context that is added while the error travels upwards ("cell 3f2a: attack pgd: ...").
class UNMASK_API Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message);
  ~Error() override;

  ExitCode code() const noexcept { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

  /// Put "context: " in front of the message. Never replaces what is there.
  void add_context(std::string_view context);

 private:
  ExitCode code_;
  std::string message_;
};

/// The command line is wrong.
class UNMASK_API UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(ExitCode::kUsage, message) {}
  ~UsageError() override;
};

/// A manifest or a file that it names is wrong.
class UNMASK_API ManifestError : public Error {
 public:
  explicit ManifestError(const std::string& message) : Error(ExitCode::kManifest, message) {}
  ~ManifestError() override;
};

/// A parameter value is outside of what its declaration allows.
class UNMASK_API ParamError : public Error {
 public:
  explicit ParamError(const std::string& message) : Error(ExitCode::kManifest, message) {}
  ~ParamError() override;
};

/// Input data (a data set, a checkpoint) cannot be used: missing, truncated, malformed.
class UNMASK_API DataError : public Error {
 public:
  explicit DataError(const std::string& message) : Error(ExitCode::kManifest, message) {}
  ~DataError() override;
};

/// A plugin library is missing, built for another host, or wrongly described.
class UNMASK_API PluginError : public Error {
 public:
  explicit PluginError(const std::string& message) : Error(ExitCode::kPlugin, message) {}
  ~PluginError() override;
};

/// The results database cannot be used.
class UNMASK_API StoreError : public Error {
 public:
  explicit StoreError(const std::string& message) : Error(ExitCode::kStore, message) {}
  ~StoreError() override;
};

/// A computation produced something that cannot be a result (not finite, wrong shape).
class UNMASK_API NumericError : public Error {
 public:
  explicit NumericError(const std::string& message) : Error(ExitCode::kCellsFailed, message) {}
  ~NumericError() override;
};

/// A broken invariant of unmask itself.
class UNMASK_API InternalError : public Error {
 public:
  explicit InternalError(const std::string& message) : Error(ExitCode::kInternal, message) {}
  ~InternalError() override;
};

// NOLINTEND(cppcoreguidelines-special-member-functions)

namespace detail {
[[noreturn]] UNMASK_API void fail_check(const char* condition,
                                        const char* file,
                                        int line,
                                        const std::string& message);
}  // namespace detail
}  // namespace v1
}  // namespace unmask

/// Throw InternalError unless `condition` holds. For invariants, never for a user's input.
#define UNMASK_CHECK(condition, message)                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      ::unmask::detail::fail_check(#condition, __FILE__, __LINE__, (message)); \
    }                                                                          \
  } while (false)
