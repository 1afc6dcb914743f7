#pragma once
// Versions that a plugin and the host must agree on. This header is also read by CMake.

#include <cstdint>

namespace unmask {

/// Layout of the interfaces in this SDK. Raised whenever a virtual table or a public struct
/// changes: a plugin built for another epoch is refused. A macro besides, because the build tag is
/// a string literal.
#define UNMASK_SDK_EPOCH 3
inline constexpr std::uint32_t kSdkEpoch = UNMASK_SDK_EPOCH;

/// Additions that keep old plugins working.
inline constexpr std::uint32_t kSdkMinor = 0;

}  // namespace unmask
