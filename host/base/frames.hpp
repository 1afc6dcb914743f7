#pragma once
// Messages between the host and its workers: JSON values over a stream socket, each preceded by its
// length in bytes (4 bytes, little-endian). Workers use the blocking pair read_frame / write_frame;
// the host, which must never block on one worker, feeds what it received to a FrameDecoder.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "unmask/errors.hpp"

namespace unmask::base {

/// Longest body of a frame: the outcomes and ten numbers of each of 60,000 samples fit. A longer
/// announcement is taken for garbage, not for a wish for memory.
inline constexpr std::size_t kMaxFrameBytes = std::size_t{32} << 20;

/// Most that a frame may become in memory, in pieces of some 24 bytes: five million fit, which ten
/// named numbers of each of 60,000 samples need (seven pieces each), and then some.
inline constexpr std::size_t kMaxFrameWeight = std::size_t{6} << 20;

// Copies are the compiler's, as of all errors.
// NOLINTBEGIN(cppcoreguidelines-special-member-functions)

/// What came in, or could not go out, is not a frame: garbage, truncated, too long, connection
/// lost.
class UNMASK_API FrameError : public Error {
 public:
  explicit FrameError(const std::string& message) : Error(ExitCode::kInternal, message) {}
  ~FrameError() override;
};

/// A message of ours exceeds kMaxFrameBytes or kMaxFrameWeight; nothing of it was sent.
class UNMASK_API FrameTooLong final : public FrameError {
 public:
  explicit FrameTooLong(const std::string& message) : FrameError(message) {}
  ~FrameTooLong() override;
};

// NOLINTEND(cppcoreguidelines-special-member-functions)

/// The bytes of one frame. @throws FrameTooLong if it exceeds kMaxFrameBytes or kMaxFrameWeight.
/// Text that is not UTF-8 (a plugin's message may hold anything) has its bad bytes replaced.
std::string encode_frame(const nlohmann::json& message);

/// Send one frame and return when all of it is with the kernel. Never raises SIGPIPE.
/// @param fd a blocking stream socket
/// @throws FrameError if the other side is gone
void write_frame(int fd, const nlohmann::json& message);

/// Wait for one frame. nullopt when the other side closed the connection between two frames.
/// @param fd a blocking descriptor
/// @throws FrameError for anything else that is not a frame
std::optional<nlohmann::json> read_frame(int fd);

/// Takes bytes as they arrive, in pieces of any size, and gives frames.
class FrameDecoder {
 public:
  void feed(std::string_view bytes);

  /// The next complete frame; nullopt when more bytes are needed.
  /// @throws FrameError; the decoder then cannot be used further: the stream has lost its rhythm.
  std::optional<nlohmann::json> next();

  /// True when a part of a frame is held: the end of the stream now would be a truncation.
  bool is_inside_frame() const noexcept { return used_ < buffer_.size(); }

 private:
  std::string buffer_;
  std::size_t used_ = 0;  // bytes at the front of buffer_ that were given out already
};

}  // namespace unmask::base
