// Parsers that need no LibTorch: manifests, frames between host and workers, frozen plans.

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "base/frames.hpp"
#include "fuzz/targets.hpp"
#include "manifest/reader.hpp"
#include "plan/frozen_plan.hpp"
#include "unit/manifest/fake_catalog.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "wire/messages.hpp"

namespace unmask::fuzz {
namespace {

// Never throws for what a file holds, and says why there is no study.
void manifest(std::string_view bytes) {
  static const catalog::Catalog catalog = unmask::manifest::testing::fake_catalog();
  const auto result = unmask::manifest::read_study(scratch_file("manifest.json", bytes), catalog);
  if (result.study.has_value() != result.errors.empty()) {
    throw std::logic_error("neither a study nor an error, or both");
  }
  for (const auto& error : result.errors) {
    if (error.message.empty()) throw std::logic_error("an error without words");
  }
}

// A stream of frames, cut at places that the first byte chooses.
void frames(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t step = 1 + static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  base::FrameDecoder decoder;
  try {
    while (!bytes.empty()) {
      decoder.feed(bytes.substr(0, step));
      bytes.remove_prefix(std::min(step, bytes.size()));
      while (const auto frame = decoder.next()) {
        try {
          wire::parse_worker_message(*frame);
        } catch (const base::FrameError&) {
        }
        wire::parse_host_message(*frame);
      }
    }
  } catch (const base::FrameError&) {
  }
}

// The name of a plan holds its hash; without the right one nothing of it would be looked at.
void frozen_plan(std::string_view bytes) {
  const std::string file = scratch_file("plan-" + sha256_hex(bytes).substr(0, 16) + ".json", bytes);
  try {
    plan::read_frozen_plan(file);
  } catch (const DataError&) {
  }
  std::remove(file.c_str());
}

}  // namespace

const std::map<std::string, Target>& targets() {
  static const std::map<std::string, Target> all = {
      {"frames", frames}, {"manifest", manifest}, {"plan", frozen_plan}};
  return all;
}

}  // namespace unmask::fuzz
