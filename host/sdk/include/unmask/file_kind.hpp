#pragma once
// What a file is, when it is not what it was taken for.

#include <string>
#include <string_view>

#include "unmask/export.hpp"

namespace unmask {
inline namespace v1 {

/// How much of the beginning of a file file_kind() wants to see.
inline constexpr std::size_t kFileKindBytes = 512;

/// What a file seems to be, for "it is ..." in a message, with advice: "a Git LFS pointer, which
/// stands for a file that was not fetched; fetch it with \"git lfs pull\"". Empty when nothing is
/// recognised.
/// @param beginning  the first kFileKindBytes bytes, or all of a shorter file
UNMASK_API std::string file_kind(std::string_view beginning);

}  // namespace v1
}  // namespace unmask
