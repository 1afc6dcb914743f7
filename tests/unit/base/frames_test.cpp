#include "base/frames.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace unmask::base::frames_test {
namespace {

using nlohmann::json;

struct SocketPair {
  UniqueFd a, b;
  SocketPair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0)
      throw std::runtime_error("no sockets");
    a.reset(ends[0]);
    b.reset(ends[1]);
  }
  void send_bytes(const std::string& bytes) const {
    ASSERT_EQ(::write(a.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
};

template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const FrameError& error) {
    return error.what();
  }
  return "no error";
}

const json kMessage = {{"type", "result"}, {"values", {1, 2.5, "three"}}};

TEST(EncodeFrame, PutsTheLengthInFrontLowByteFirst) {
  const std::string frame = encode_frame(json(std::string(298, 'x')));  // 300 bytes with its quotes

  EXPECT_EQ(frame.substr(0, 4), std::string("\x2c\x01\0\0", 4));
  EXPECT_EQ(frame.size(), 304U);
}

TEST(EncodeFrame, ReplacesBytesThatAreNotUtf8) {
  FrameDecoder decoder;

  decoder.feed(encode_frame(json{{"message", "a\xff z"}}));

  EXPECT_EQ(decoder.next()->at("message"), "a\xef\xbf\xbd z");
}

TEST(EncodeFrame, TakesTheLongestMessageAndNoLongerOne) {
  const std::string longest(kMaxFrameBytes - 2, 'x');  // two quotes

  EXPECT_EQ(encode_frame(json(longest)).size(), kMaxFrameBytes + 4);
  EXPECT_THROW(encode_frame(json(longest + "x")), FrameTooLong);
}

TEST(FrameDecoder, IsIndifferentToWhereTheBytesAreSplit) {
  const std::string bytes = encode_frame(kMessage) + encode_frame(json(7));

  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    FrameDecoder decoder;
    std::vector<json> got;
    for (const auto& piece : {bytes.substr(0, split), bytes.substr(split)}) {
      decoder.feed(piece);
      while (auto frame = decoder.next()) got.push_back(*frame);
    }
    EXPECT_EQ(got, (std::vector<json>{kMessage, 7})) << "split at " << split;
    EXPECT_FALSE(decoder.is_inside_frame());
  }
}

TEST(FrameDecoder, TakesOneByteAtATime) {
  FrameDecoder decoder;
  std::vector<json> got;

  for (int round = 0; round < 100; ++round) {
    for (const char byte : encode_frame(kMessage)) {
      decoder.feed({&byte, 1});
      while (auto frame = decoder.next()) got.push_back(*frame);
    }
  }

  EXPECT_EQ(got, std::vector<json>(100, kMessage));
}

TEST(FrameDecoder, KnowsThatAFrameIsIncomplete) {
  FrameDecoder decoder;
  const std::string bytes = encode_frame(kMessage);

  decoder.feed(bytes.substr(0, bytes.size() - 1));

  EXPECT_FALSE(decoder.next().has_value());
  EXPECT_TRUE(decoder.is_inside_frame());
}

TEST(FrameDecoder, RefusesALengthAboveTheLimitBeforeTheBodyComes) {
  FrameDecoder decoder;

  decoder.feed(std::string("\x01\0\0\x40", 4));  // 2^30 + 1

  EXPECT_NE(message_of([&] { decoder.next(); }).find("announces 1073741825 bytes"),
            std::string::npos);
}

TEST(FrameDecoder, RefusesABodyThatIsNotJson) {
  FrameDecoder decoder;

  decoder.feed(std::string("\x03\0\0\0{x}", 7));

  EXPECT_EQ(message_of([&] { decoder.next(); }), "a frame of 3 bytes does not hold JSON");
}

std::string frame_of(const std::string& body) {
  std::string frame;
  for (unsigned i = 0; i < 4; ++i) frame.push_back(static_cast<char>(body.size() >> (8 * i)));
  return frame + body;
}

TEST(EncodeFrame, RefusesAMessageThatTheOtherSideWouldRefuse) {
  EXPECT_THROW(encode_frame(json(std::vector<int>(kMaxFrameWeight, 1))), FrameTooLong);
}

// Ten million empty lists are a frame of legal length and a gigabyte of memory.
TEST(FrameDecoder, RefusesABodyThatWouldBecomeAMultipleOfItself) {
  for (const std::string piece : {"[]", "{}", "[[]]", "1"}) {
    std::string body = "[" + piece;
    while (body.size() + piece.size() + 2 < kMaxFrameBytes) (body += ',') += piece;
    FrameDecoder decoder;
    decoder.feed(frame_of(body + "]"));

    EXPECT_THROW(decoder.next(), FrameError) << piece;
  }
}

// Values are copied by functions that call themselves: a million levels end the stack.
TEST(FrameDecoder, RefusesABodyThatIsNestedDeeply) {
  const auto nested = [](std::size_t depth) {
    return frame_of(std::string(depth, '[') + std::string(depth, ']'));
  };
  FrameDecoder good;
  good.feed(nested(200));
  FrameDecoder bad;
  bad.feed(nested(201));

  EXPECT_TRUE(good.next().has_value());
  EXPECT_THROW(bad.next(), FrameError);
}

TEST(FrameDecoder, TakesTheLargestResultAndAnyText) {
  // Ten named numbers of each of 60,000 samples, as messages hold them.
  json values = json::array();
  for (int i = 0; i < 600'000; ++i) values.push_back({i, "a.name", 0.5});
  FrameDecoder decoder;
  decoder.feed(encode_frame(values));
  decoder.feed(encode_frame(std::string(std::size_t{20} << 20, '[') + "\\\"{,"));

  EXPECT_EQ(decoder.next()->size(), 600'000U);
  EXPECT_EQ(decoder.next()->get<std::string>().size(), (std::size_t{20} << 20) + 4);
}

TEST(ReadFrame, GivesWhatWriteFrameSent) {
  const SocketPair sockets;

  write_frame(sockets.a.get(), kMessage);

  EXPECT_EQ(read_frame(sockets.b.get()), kMessage);
}

TEST(ReadFrame, TakesAFrameLargerThanTheSocketsBuffer) {
  const SocketPair sockets;
  const json message = std::string(std::size_t{5} << 20, 'x');

  std::thread writer([&] { write_frame(sockets.a.get(), message); });
  const auto got = read_frame(sockets.b.get());
  writer.join();

  EXPECT_TRUE(got == message);
}

TEST(ReadFrame, GivesNothingAtTheEndOfTheStream) {
  SocketPair sockets;
  write_frame(sockets.a.get(), kMessage);
  sockets.a.reset();

  read_frame(sockets.b.get());

  EXPECT_EQ(read_frame(sockets.b.get()), std::nullopt);
}

TEST(ReadFrame, ReportsATruncatedBody) {
  SocketPair sockets;
  sockets.send_bytes(std::string("\x0a\0\0\0[1,2", 8));
  sockets.a.reset();

  EXPECT_EQ(message_of([&] { read_frame(sockets.b.get()); }),
            "the connection ended inside a frame, after 4 of 10 bytes");
}

TEST(ReadFrame, ReportsATruncatedLength) {
  SocketPair sockets;
  sockets.send_bytes(std::string("\x0a\0", 2));
  sockets.a.reset();

  EXPECT_EQ(message_of([&] { read_frame(sockets.b.get()); }),
            "the connection ended inside the length of a frame");
}

TEST(ReadFrame, RefusesALengthAboveTheLimit) {
  const SocketPair sockets;
  sockets.send_bytes("\xff\xff\xff\xff");

  EXPECT_NE(message_of([&] { read_frame(sockets.b.get()); }).find("announces 4294967295 bytes"),
            std::string::npos);
}

TEST(WriteFrame, ThrowsInsteadOfRaisingASignalWhenTheOtherSideIsGone) {
  SocketPair sockets;
  sockets.b.reset();

  EXPECT_EQ(message_of([&] { write_frame(sockets.a.get(), kMessage); }),
            "cannot send a frame: Broken pipe");
}

}  // namespace
}  // namespace unmask::base::frames_test
