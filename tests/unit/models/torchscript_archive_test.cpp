// The archive check of the model torchscript on zip files that are made here, byte by byte.

#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/files.hpp"
#include "plugins/models/torchscript/archive.hpp"
#include "unmask/errors.hpp"

namespace unmask::torchscript_archive_test {
namespace {

using testing::HasSubstr;

template <class Number>
std::string bytes_of(Number number) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    bytes += static_cast<char>(number >> (8 * i) & 0xff);
  }
  return bytes;
}

std::string u16(std::size_t n) {
  return bytes_of(static_cast<std::uint16_t>(n));
}
std::string u32(std::size_t n) {
  return bytes_of(static_cast<std::uint32_t>(n));
}

std::size_t checksum(const std::string& text) {
  return ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
}

std::string deflated(const std::string& text) {
  std::string packed(text.size() + 100, '\0');
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

// A zip archive (APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16) of files with these contents.
std::string zip(const std::map<std::string, std::string>& files, bool is_deflated = false) {
  std::string archive, directory;
  for (const auto& [name, text] : files) {
    const std::string packed = is_deflated ? deflated(text) : text;
    const std::string common = u16(is_deflated ? 8 : 0) + u32(0) + u32(checksum(text)) +
                               u32(packed.size()) + u32(text.size()) + u16(name.size());
    directory += u32(0x02014b50) + u16(20) + u16(20) + u16(0) + common + u16(0) + u16(0) + u16(0) +
                 u16(0) + u32(0) + u32(archive.size()) + name;
    archive += u32(0x04034b50) + u16(20) + u16(0) + common + u16(0) + name + packed;
  }
  const std::size_t start = archive.size();
  return archive + directory + u32(0x06054b50) + u16(0) + u16(0) + u16(files.size()) +
         u16(files.size()) + u32(directory.size()) + u32(start) + u16(0);
}

const std::map<std::string, std::string> kNet = {{"net/data.pkl", "pickle"},
                                                 {"net/constants.pkl", "constants"},
                                                 {"net/data/0", std::string(3000, 'w')}};

class TorchScriptArchive : public ::testing::Test {
 protected:
  std::vector<ArchiveEntry> check(const std::string& bytes) const {
    const auto file = folder_.path() / "net.pt";
    std::ofstream(file, std::ios::binary) << bytes;
    return checked_archive(file.string());
  }

  std::string refusal(const std::string& bytes) const {
    try {
      check(bytes);
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("net.pt is no usable TorchScript archive: "));
      return error.what();
    }
    return "accepted";
  }

  base::TempFolder folder_;
};

TEST_F(TorchScriptArchive, ListsWhatIsWhole) {
  for (const bool is_deflated : {false, true}) {
    const std::vector<ArchiveEntry> entries = check(zip(kNet, is_deflated));

    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[2].name, "net/data/0");
    EXPECT_EQ(entries[2].bytes, 3000u);
  }
}

TEST_F(TorchScriptArchive, ReadsNumbersOf64Bits) {
  // One entry whose sizes and place stand in the extra field of its directory entry.
  const std::string name = "net/constants.pkl";
  const std::string text = "constants";
  const std::string local = u32(0x04034b50) + u16(20) + u16(0) + u16(0) + u32(0) +
                            u32(checksum(text)) + u32(text.size()) + u32(text.size()) +
                            u16(name.size()) + u16(0) + name + text;
  const std::string extra = u16(1) + u16(24) + bytes_of<std::uint64_t>(text.size()) +
                            bytes_of<std::uint64_t>(text.size()) + bytes_of<std::uint64_t>(0);
  const std::string directory = u32(0x02014b50) + u16(45) + u16(45) + u16(0) + u16(0) + u32(0) +
                                u32(checksum(text)) + u32(0xffffffff) + u32(0xffffffff) +
                                u16(name.size()) + u16(extra.size()) + u16(0) + u16(0) + u16(0) +
                                u32(0) + u32(0xffffffff) + name + extra;
  const std::string wide_end =
      u32(0x06064b50) + bytes_of<std::uint64_t>(44) + u16(45) + u16(45) + u32(0) + u32(0) +
      bytes_of<std::uint64_t>(1) + bytes_of<std::uint64_t>(1) +
      bytes_of<std::uint64_t>(directory.size()) + bytes_of<std::uint64_t>(local.size());
  const std::string locator =
      u32(0x07064b50) + u32(0) + bytes_of<std::uint64_t>(local.size() + directory.size()) + u32(1);
  const std::string end = u32(0x06054b50) + u16(0) + u16(0) + u16(0xffff) + u16(0xffff) +
                          u32(0xffffffff) + u32(0xffffffff) + u16(0);

  const std::vector<ArchiveEntry> entries = check(local + directory + wide_end + locator + end);

  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].bytes, text.size());
}

TEST_F(TorchScriptArchive, RefusesEveryFlippedBitOfAContent) {
  const std::string whole = zip(kNet);
  const std::size_t start = whole.find("wwww");
  for (const std::size_t at : {start, start + 1500, start + 2999}) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);

    EXPECT_THAT(refusal(flipped), HasSubstr("its file net/data/0 does not have the checksum"));
  }
}

// Wherever it ends: no cut archive is accepted, and none reads beyond its end.
TEST_F(TorchScriptArchive, RefusesEveryCut) {
  for (const bool is_deflated : {false, true}) {
    const std::string whole = zip(kNet, is_deflated);
    for (std::size_t length = 0; length < whole.size(); length += 1 + length / 40) {
      EXPECT_NE(refusal(whole.substr(0, length)), "accepted") << length;
    }
  }
}

// Whatever single byte of the tables is wrong, the check ends with a sentence or with what is there.
TEST_F(TorchScriptArchive, SurvivesEveryWrongByteOfItsTables) {
  const std::map<std::string, std::string> small = {{"n/constants.pkl", "c"}, {"n/data/0", "dd"}};
  const std::string whole = zip(small);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int wrong : {0x00, 0x7f, 0xff}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(wrong);
      const std::string text = refusal(bytes);
      EXPECT_FALSE(text.empty());
    }
  }
}

TEST_F(TorchScriptArchive, SaysWhatAFileIsInstead) {
  EXPECT_THAT(refusal(zip({{"archive/data.pkl", "pickle"}, {"archive/data/0", "w"}})),
              HasSubstr("it is what torch.save writes"));
  EXPECT_THAT(refusal(zip({{"readme.txt", "text"}})), HasSubstr("a zip archive of another kind"));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n"),
              HasSubstr("a Git LFS pointer"));
  EXPECT_THAT(refusal("<!DOCTYPE html><html><body>404</body></html>"), HasSubstr("an HTML page"));
  EXPECT_THAT(refusal("\x80\x02}q\x01."), HasSubstr("a Python pickle"));
  EXPECT_THAT(refusal("text"), HasSubstr("it is no zip archive"));
  EXPECT_THAT(refusal(""), HasSubstr("an empty file"));
}

}  // namespace
}  // namespace unmask::torchscript_archive_test
