// A solver that makes one mistake; MISTAKE says which.

#include <stdexcept>

#include "unmask/plugin.hpp"

#define BAD_ORDER 1
#define CTOR_THROWS 2
#define UNDECLARED 3
#define UNREAD 4
#define TYPO_CAP 5
#define CLAIMS_ADAPTIVE 6
#define NONE 7  // by itself; its id or the kind that it is built as is wrong

namespace {

class Mistake final : public unmask::RungeKutta {
 public:
  static unmask::PluginInfo info() {
    unmask::PluginInfo info{.version = "1", .summary = "makes a mistake", .source = "a test"};
    if (MISTAKE == UNREAD) info.params = {unmask::integer("steps", "nobody asks").by_default(1)};
    if (MISTAKE == TYPO_CAP) info.capabilities = {"adaptve"};
    if (MISTAKE == CLAIMS_ADAPTIVE) info.capabilities = {"adaptive"};
    return info;
  }

  explicit Mistake(const unmask::Params& params) : RungeKutta(tableau()) {
    if (MISTAKE == CTOR_THROWS) throw std::runtime_error("disk is full");
    if (MISTAKE == UNDECLARED) params.get_integer("steps");
  }

 private:
  static unmask::Tableau tableau() {
    if (MISTAKE != BAD_ORDER) return {.order = 1, .b = {1.0}};
    return {.order = 3, .a = {{0.5}, {0, 0.75}}, .b = {2.0 / 9, 3.0 / 9, 4.0 / 9}, .c = {0.5, 0.5}};
  }
};

}  // namespace

UNMASK_PLUGIN(Mistake)
