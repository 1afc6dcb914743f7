#pragma once
// What came of executing stored cells again: comparing a result with what is stored, to the last bit,
// and keeping what was found.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "store/store.hpp"
#include "wire/result.hpp"

namespace unmask::store {

/// One value that is another one now.
struct ValueDifference {
  std::string source;  ///< its table; "attempt" for counters, "cell" for the norm
  std::string name;    ///< of the metric, series (with its step), solve, quantity or seed
  std::optional<std::int64_t> sample;
  std::string field;                  ///< its column; "row" when one side has no such row
  std::optional<std::string> stored;  ///< reals as the shortest text that reads back to the same
  std::optional<std::string> found;   ///< likewise
};

struct Comparison {
  std::size_t count = 0;                     ///< values that differ
  std::vector<ValueDifference> differences;  ///< the first kDifferencesKept of them

  static constexpr std::size_t kDifferencesKept = 100;
};

/// Where and how the stored result of a cell was made.
struct StoredOrigin {
  std::string attempt;  ///< its id
  std::string device;
  nlohmann::json environment;
  double wall_s = 0;
};

/// nullopt: the cell has no result.
std::optional<StoredOrigin> origin_of(const Store& store, const std::string& key);

/// Compares results with those of a store. Times, remarks, memory, file names and kept images are no
/// part of it; of a training the hash of the weights is.
class ResultComparer {
 public:
  /// @param store  outlives it
  explicit ResultComparer(const Store& store);
  ~ResultComparer();
  ResultComparer(const ResultComparer&) = delete;
  ResultComparer& operator=(const ResultComparer&) = delete;

  /// @param key  of a cell with a stored result
  /// @throws RefusedResult when the values could not be stored at all
  Comparison compare(const std::string& key, const wire::CellResult& now);

 private:
  struct Scratch;
  const Store& store_;
  std::unique_ptr<Scratch> scratch_;
};

/// One cell that was executed again.
struct VerificationRecord {
  std::string key;
  std::string device;  ///< where it was executed now
  Comparison comparison;
  std::optional<std::string> failure;  ///< it came to no result: why

  const char* outcome() const;  ///< "equal", "differs", "failed"
};

}  // namespace unmask::store
