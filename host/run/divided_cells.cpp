#include "run/divided_cells.hpp"

#include <algorithm>
#include <cmath>

#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

std::int64_t rounded_up(std::int64_t samples, std::int64_t unit) {
  return (samples + unit - 1) / unit * unit;
}

}  // namespace

std::int64_t DividedCells::Divided::samples() const {
  std::int64_t sum = 0;
  for (const auto& [first, count] : spans) sum += count;
  return sum;
}

DividedCells::DividedCells(const std::vector<wire::Cell>& plan,
                           const std::map<std::string, wire::StoredParts>& stored,
                           double part_s)
    : plan_(plan), part_s_(part_s) {
  if (stored.empty()) return;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const auto found = stored.find(plan[i].key);
    // Images that are kept lie in one file, which only a whole cell writes.
    if (found == stored.end() || plan[i].keeps_adversarials) continue;
    Divided divided{found->second.total, found->second.unit, {}, found->second.seconds};
    for (const wire::PartSpan& span : found->second.spans) divided.spans[span.first] = span.count;
    cells_.emplace(i, std::move(divided));
  }
}

wire::PartOrder DividedCells::take(std::size_t cell, int worker, std::size_t sharers) {
  wire::PartOrder order;
  const auto found = cells_.find(cell);
  if (found == cells_.end()) {
    if (part_s_ > 0) order.seconds = part_s_;
    taken_[worker] = {cell, 0, std::nullopt};
    return order;
  }
  const Divided& divided = found->second;
  const std::vector<wire::PartSpan> open = gaps(cell, divided);
  UNMASK_CHECK(!open.empty(), "a part of cell " + plan_[cell].key + " is wanted, and none is open");
  std::int64_t left = 0;
  for (const wire::PartSpan& gap : open) left += gap.count;
  const auto share = static_cast<std::int64_t>(std::max<std::size_t>(sharers, 1));
  const std::int64_t fair = rounded_up((left + share - 1) / share, divided.unit);
  order.first = open.front().first;
  order.count = std::min({open.front().count, samples_per_part(divided), fair});
  taken_[worker] = {cell, order.first, order.count};
  return order;
}

std::int64_t DividedCells::samples_per_part(const Divided& divided) const {
  if (part_s_ <= 0) return divided.total;
  const double per_sample = divided.seconds / static_cast<double>(divided.samples());
  const auto most = static_cast<double>(divided.total);
  const double samples = per_sample > 0 ? std::min(most, part_s_ / per_sample) : most;
  return rounded_up(std::max<std::int64_t>(1, static_cast<std::int64_t>(samples)), divided.unit);
}

std::vector<wire::PartSpan> DividedCells::gaps(std::size_t cell, const Divided& divided) const {
  std::map<std::int64_t, std::int64_t> covered = divided.spans;
  for (const auto& [worker, taken] : taken_) {
    if (taken.cell != cell) continue;
    covered[taken.first] = taken.count.value_or(divided.total - taken.first);
  }
  std::vector<wire::PartSpan> open;
  std::int64_t next = 0;
  for (const auto& [first, count] : covered) {
    if (first > next) open.push_back({next, first - next});
    next = std::max(next, first + count);
  }
  if (next < divided.total) open.push_back({next, divided.total - next});
  return open;
}

std::optional<std::string> DividedCells::complaint(std::size_t cell,
                                                   int worker,
                                                   const wire::CellPart& part) const {
  if (part.kind != plan_[cell].kind) return "a part is of a cell of another kind";
  const auto taken = taken_.find(worker);
  UNMASK_CHECK(taken != taken_.end() && taken->second.cell == cell, "a part that nobody took");
  const auto known = cells_.find(cell);
  const bool fits = part.span.first == taken->second.first &&
                    (!taken->second.count || part.span.count == *taken->second.count) &&
                    (known == cells_.end() ||
                     (part.total == known->second.total && part.unit == known->second.unit)) &&
                    !part.is_whole();
  if (fits) return std::nullopt;
  return "a part is of samples " + std::to_string(part.span.first) + " to " +
         std::to_string(part.span.last()) + " of " + std::to_string(part.total) +
         ", which is not what was ordered";
}

bool DividedCells::completes(std::size_t cell, const wire::CellPart& part) const {
  const auto known = cells_.find(cell);
  return known != cells_.end() && known->second.samples() + part.span.count == part.total;
}

void DividedCells::add(std::size_t cell, int worker, const wire::CellPart& part) {
  Divided& divided = cells_[cell];
  divided.total = part.total;
  divided.unit = part.unit;
  divided.spans[part.span.first] = part.span.count;
  divided.seconds += part.found.wall_s;
  release(worker);
}

std::optional<std::size_t> DividedCells::shareable(
    const std::function<bool(std::size_t)>& may_help) const {
  for (const auto& [cell, divided] : cells_) {
    if (is_taken(cell) && may_help(cell) && !gaps(cell, divided).empty()) return cell;
  }
  return std::nullopt;
}

std::size_t DividedCells::open_parts(const std::function<bool(std::size_t)>& may_help) const {
  std::size_t parts = 0;
  for (const auto& [cell, divided] : cells_) {
    if (!is_taken(cell) || !may_help(cell)) continue;
    for (const wire::PartSpan& gap : gaps(cell, divided)) {
      const std::int64_t each = std::min(gap.count, samples_per_part(divided));
      parts += static_cast<std::size_t>((gap.count + each - 1) / each);
    }
  }
  return parts;
}

bool DividedCells::has_open(std::size_t cell) const {
  const auto known = cells_.find(cell);
  return known != cells_.end() && !gaps(cell, known->second).empty();
}

bool DividedCells::is_taken(std::size_t cell) const {
  return std::any_of(
      taken_.begin(), taken_.end(), [&](const auto& entry) { return entry.second.cell == cell; });
}

std::int64_t DividedCells::done(std::size_t cell, int worker, std::int64_t next) const {
  const auto known = cells_.find(cell);
  const auto taken = taken_.find(worker);
  if (known == cells_.end() || taken == taken_.end()) return next;
  return known->second.samples() + next - taken->second.first;
}

}  // namespace unmask::run
