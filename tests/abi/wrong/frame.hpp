#pragma once
// A complete plugin with a hand-written header: a probe that measures nothing. Each library of this
// folder defines one of the macros below differently and is wrong in exactly that.

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "unmask/errors.hpp"
#include "unmask/plugin.hpp"

#ifndef WRONG_MAGIC
#define WRONG_MAGIC \
  { 'U', 'N', 'M', 'A', 'S', 'K', 'P', 'L' }
#endif
#ifndef WRONG_HEADER_SIZE
#define WRONG_HEADER_SIZE sizeof(::unmask::PluginHeader)
#endif
#ifndef WRONG_EPOCH
#define WRONG_EPOCH ::unmask::kSdkEpoch
#endif
#ifndef WRONG_MINOR
#define WRONG_MINOR ::unmask::kSdkMinor
#endif
#ifndef WRONG_TORCH
#define WRONG_TORCH (TORCH_VERSION_MAJOR * 10000 + TORCH_VERSION_MINOR * 100 + TORCH_VERSION_PATCH)
#endif
#ifndef WRONG_TENSOR_SIZE
#define WRONG_TENSOR_SIZE sizeof(c10::TensorImpl)
#endif
#ifndef WRONG_DESCRIPTOR_SIZE
#define WRONG_DESCRIPTOR_SIZE sizeof(::unmask::PluginDescriptor)
#endif
#ifndef WRONG_TAG
#define WRONG_TAG UNMASK_BUILD_TAG
#endif
#ifndef WRONG_KIND
#define WRONG_KIND "probe"
#endif
#ifndef WRONG_ID
#define WRONG_ID "nothing"
#endif
#ifndef WRONG_FINGERPRINT
#define WRONG_FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#endif
#ifndef WRONG_SUMMARY
#define WRONG_SUMMARY "measures nothing"
#endif
#ifndef WRONG_PARAMS
#define WRONG_PARAMS \
  {}
#endif
#ifndef WRONG_INFO
#define WRONG_INFO
#endif
#ifndef WRONG_CONSTRUCTOR
#define WRONG_CONSTRUCTOR
#endif
#ifndef WRONG_ON_LOADING
#define WRONG_ON_LOADING
#endif
#ifndef WRONG_SYMBOL
#define WRONG_SYMBOL unmask_plugin
#endif

namespace {

class Nothing final : public unmask::Probe {
 public:
  static unmask::PluginInfo info() {
    WRONG_INFO;
    return {.version = "1.0",
            .summary = WRONG_SUMMARY,
            .source = "",
            .params = WRONG_PARAMS,
            .capabilities = {}};
  }
  explicit Nothing(const unmask::Params&) { WRONG_CONSTRUCTOR; }
  std::vector<unmask::ProbeValue> measure(unmask::Target&,
                                          const unmask::Tensor&,
                                          const unmask::Tensor&,
                                          unmask::ProbeContext&) override {
    return {};
  }
};

const unmask::PluginDescriptor* wrong_descriptor() {
  static constexpr unmask::PluginDescriptor kDescriptor = {WRONG_KIND,
                                                           WRONG_ID,
                                                           WRONG_FINGERPRINT,
                                                           &Nothing::info,
                                                           &unmask::detail::create_plugin<Nothing>};
  return &kDescriptor;
}

// What happens while the library is being loaded.
[[maybe_unused]] const bool kLoaded = [] {
  WRONG_ON_LOADING;
  return true;
}();

}  // namespace

extern "C"
    __attribute__((visibility("default"), used)) constexpr unmask::PluginHeader WRONG_SYMBOL = {
        WRONG_MAGIC,
        WRONG_HEADER_SIZE,
        WRONG_EPOCH,
        WRONG_MINOR,
        WRONG_TORCH,
        WRONG_TENSOR_SIZE,
        WRONG_DESCRIPTOR_SIZE,
        WRONG_TAG,
        &wrong_descriptor};
