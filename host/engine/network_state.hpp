#pragma once
// A network as its checkpoint has it, whatever its passes write into it: a counter, statistics that
// go on. Otherwise an answer would depend on what was asked before, and a cell on who did which
// part of it.

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "unmask/model.hpp"

namespace unmask::engine {

class NetworkState {
 public:
  /// @param model   as its checkpoint has it; must outlive this object
  /// @param reload  overwrites the parameters and buffers of `model` by those of the checkpoint
  NetworkState(Model& model, std::function<void()> reload);

  /// Reload when a parameter or buffer has been written to or exchanged. Members of a model that it
  /// does not list are beyond reach.
  void restore();

  /// Restore, and forget what was found: what a cell says does not depend on those before.
  void begin_cell();

  /// Names of those that restore() has found in this cell.
  const std::set<std::string>& written() const { return written_; }

 private:
  struct Seen {
    NamedTensor named;
    std::uint32_t writes;
  };

  void look();

  Model& model_;
  std::function<void()> reload_;
  std::vector<Seen> seen_;
  std::set<std::string> written_;
};

}  // namespace unmask::engine
