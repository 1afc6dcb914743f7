#pragma once
// The shape of a network in stages, shared by the ResNets and SONet: `channels` after the stem,
// then one stage per entry of `blocks` and `strides`. A stage of stride 2 halves the image and
// doubles the width, so a stage's width is channels times the product of the strides so far.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "unmask/errors.hpp"
#include "unmask/params.hpp"

namespace unmask::kit {

/// One stage: its first block has the stride, the others have stride 1.
struct Stage {
  std::int64_t width = 0;
  std::int64_t blocks = 0;
  std::int64_t stride = 1;
};

/// Declarations of `channels`, `blocks` and `strides`.
inline std::vector<ParamSpec> stage_params() {
  return {
      integer("channels", "width after the stem").by_default(16).at_least(1).at_most(4096),
      integer_list("blocks", "number of blocks of each stage")
          .by_default(std::vector<std::int64_t>{1, 1, 1, 1})
          .at_least(1)
          .at_most(64)
          .length(1, 8),
      integer_list("strides",
                   "stride of each stage's first block; 2 halves the image and doubles the width")
          .by_default(std::vector<std::int64_t>{1, 2, 2, 2})
          .at_least(1)
          .at_most(2)
          .length(1, 8),
  };
}

/// Reads them.
/// @throws ParamError when blocks and strides differ in length
inline std::vector<Stage> read_stages(const Params& params) {
  const std::vector<std::int64_t>& blocks = params.get_integers("blocks");
  const std::vector<std::int64_t>& strides = params.get_integers("strides");
  if (blocks.size() != strides.size()) {
    throw ParamError("blocks has " + std::to_string(blocks.size()) + " entries and strides has " +
                     std::to_string(strides.size()) +
                     "; both describe the same stages, so give as many of one as of the other");
  }
  std::vector<Stage> stages;
  std::int64_t width = params.get_integer("channels");
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    width *= strides[i];
    stages.push_back({width, blocks[i], strides[i]});
  }
  return stages;
}

}  // namespace unmask::kit
