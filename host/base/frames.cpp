#include "base/frames.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/json_shape.hpp"

namespace unmask::base {
namespace {

using nlohmann::json;

constexpr std::size_t kHeaderBytes = 4;

std::size_t announced_size(const char* header) {
  std::uint32_t size = 0;
  for (unsigned i = 0; i < kHeaderBytes; ++i) {
    size |= static_cast<std::uint32_t>(static_cast<unsigned char>(header[i])) << (8 * i);
  }
  if (size > kMaxFrameBytes) {
    throw FrameError("a frame announces " + std::to_string(size) + " bytes, the limit is " +
                     std::to_string(kMaxFrameBytes) +
                     ": the stream holds something else than frames");
  }
  return size;
}

json parse_body(std::string_view body) {
  const JsonShape shape = json_shape(body);
  if (shape.weight > kMaxFrameWeight || shape.depth > kDeepestJson) {
    throw FrameError("a frame of " + std::to_string(body.size()) +
                     " bytes holds more values, or deeper ones, than any message has: the stream "
                     "holds something else than frames");
  }
  json message = json::parse(body.begin(), body.end(), nullptr, false);
  if (message.is_discarded()) {
    throw FrameError("a frame of " + std::to_string(body.size()) + " bytes does not hold JSON");
  }
  return message;
}

// Wait for a descriptor that was left non-blocking by somebody else who shares it.
void wait_for(int fd, short events) {
  pollfd entry{fd, events, 0};
  ::poll(&entry, 1, -1);
}

// Read until `size` bytes are there or the stream ends; the number of bytes read.
std::size_t read_fully(int fd, char* data, std::size_t size) {
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::read(fd, data + got, size - got);
    if (n == 0) break;
    if (n > 0) {
      got += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_for(fd, POLLIN);
    } else if (errno != EINTR) {
      throw FrameError("cannot read a frame: " + std::string(std::strerror(errno)));
    }
  }
  return got;
}

}  // namespace

FrameError::~FrameError() = default;
FrameTooLong::~FrameTooLong() = default;

std::string encode_frame(const json& message) {
  const std::string body = message.dump(-1, ' ', false, json::error_handler_t::replace);
  if (body.size() > kMaxFrameBytes) {
    throw FrameTooLong("a message of " + std::to_string(body.size()) +
                       " bytes does not fit a frame, the limit is " +
                       std::to_string(kMaxFrameBytes));
  }
  if (json_shape(body).weight > kMaxFrameWeight) {
    throw FrameTooLong("a message of " + std::to_string(body.size()) +
                       " bytes holds more values than fit a frame");
  }
  std::string frame;
  frame.reserve(kHeaderBytes + body.size());
  for (unsigned i = 0; i < kHeaderBytes; ++i) {
    frame.push_back(static_cast<char>(static_cast<unsigned char>((body.size() >> (8 * i)) & 0xFF)));
  }
  return frame += body;
}

void write_frame(int fd, const json& message) {
  const std::string frame = encode_frame(message);
  std::size_t sent = 0;
  while (sent < frame.size()) {
    const ssize_t n = ::send(fd, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_for(fd, POLLOUT);
    } else if (errno != EINTR) {
      throw FrameError("cannot send a frame: " + std::string(std::strerror(errno)));
    }
  }
}

std::optional<json> read_frame(int fd) {
  std::array<char, kHeaderBytes> header{};
  const std::size_t got = read_fully(fd, header.data(), header.size());
  if (got == 0) return std::nullopt;
  if (got < kHeaderBytes) throw FrameError("the connection ended inside the length of a frame");

  // Memory is taken as bytes come, not as they are announced.
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  const std::size_t size = announced_size(header.data());
  std::string body;
  while (body.size() < size) {
    const std::size_t before = body.size();
    const std::size_t piece = std::min(kPiece, size - before);
    body.resize(before + piece);
    const std::size_t n = read_fully(fd, body.data() + before, piece);
    if (n < piece) {
      throw FrameError("the connection ended inside a frame, after " + std::to_string(before + n) +
                       " of " + std::to_string(size) + " bytes");
    }
  }
  return parse_body(body);
}

void FrameDecoder::feed(std::string_view bytes) {
  // Moving the rest to the front only when at least half is used up keeps the cost linear.
  if (used_ > 0 && used_ * 2 >= buffer_.size()) {
    buffer_.erase(0, used_);
    used_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<json> FrameDecoder::next() {
  const std::string_view rest = std::string_view(buffer_).substr(used_);
  if (rest.size() < kHeaderBytes) return std::nullopt;
  const std::size_t size = announced_size(rest.data());
  if (rest.size() - kHeaderBytes < size) return std::nullopt;
  json message = parse_body(rest.substr(kHeaderBytes, size));
  used_ += kHeaderBytes + size;
  return message;
}

}  // namespace unmask::base
