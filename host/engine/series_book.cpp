#include "engine/series_book.hpp"

#include <algorithm>
#include <stdexcept>

#include <torch/types.h>

namespace unmask::engine {

void add_series(const std::vector<RecordedSeries>& series,
                const std::vector<std::int64_t>& samples,
                wire::CellResult& result) {
  for (const RecordedSeries& curve : series) {
    std::string name = curve.name;
    if (curve.row) name += "." + std::to_string(samples.at(static_cast<std::size_t>(*curve.row)));
    const bool is_known =
        std::any_of(result.series.begin(), result.series.end(), [&](const wire::Series& known) {
          return known.name == name;
        });
    if (is_known) {
      throw std::runtime_error(
          "the series \"" + name +
          "\" is recorded for two batches; name the row that it belongs to, or "
          "record it once");
    }
    const Tensor values = curve.values.detach().to(at::kCPU, at::kDouble).contiguous();
    const double* first = values.data_ptr<double>();
    result.series.push_back({std::move(name), {first, first + values.numel()}});
  }
}

}  // namespace unmask::engine
