#include "archive.hpp"

#include <algorithm>
#include <fstream>
#include <new>
#include <utility>

#include <zlib.h>

#include "unmask/errors.hpp"
#include "unmask/file_kind.hpp"

namespace unmask {
namespace {

// The zip format, APPNOTE 6.3.10 of PKWARE: all numbers are little endian.
constexpr std::uint32_t kEndMark = 0x06054b50;          // end of central directory
constexpr std::uint32_t kWideEndMark = 0x06064b50;      // the same of zip64
constexpr std::uint32_t kWideLocatorMark = 0x07064b50;  // where that one is
constexpr std::uint32_t kDirectoryMark = 0x02014b50;
constexpr std::uint32_t kLocalMark = 0x04034b50;
constexpr std::uint64_t kEndSize = 22;
constexpr std::uint64_t kWideLocatorSize = 20;
constexpr std::uint64_t kDirectorySize = 46;
constexpr std::uint64_t kLocalSize = 30;
constexpr std::uint64_t kLongestComment = 65535;
constexpr std::uint32_t kWide = 0xffffffff;  // the number stands in the extra field
constexpr std::uint16_t kWideExtra = 1;
constexpr std::uint64_t kPiece = 1 << 20;  // read at once

class Archive {
 public:
  explicit Archive(const std::string& path) : path_(path), stream_(path, std::ios::binary) {
    if (!stream_) throw DataError("cannot open " + path);
    stream_.seekg(0, std::ios::end);
    size_ = static_cast<std::uint64_t>(stream_.tellg());
  }

  std::vector<ArchiveEntry> check() {
    expect_archive();
    const auto [first, count] = directory();
    std::vector<ArchiveEntry> entries;
    std::uint64_t at = first;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Entry entry = read_entry(at);
      check_content(entry);
      entries.push_back({entry.name, entry.bytes});
      at = entry.next;
    }
    return entries;
  }

 private:
  struct Entry {
    std::string name;
    std::uint16_t method = 0;  // 0: stored, 8: deflated
    std::uint32_t checksum = 0;
    std::uint64_t packed = 0;
    std::uint64_t bytes = 0;
    std::uint64_t local = 0;  // where its own header stands
    std::uint64_t next = 0;   // where the directory goes on
  };

  [[noreturn]] void fail(const std::string& problem) const {
    throw DataError(path_ + " is no usable TorchScript archive: " + problem);
  }

  [[noreturn]] void fail_cut() const { fail("it is cut or damaged; copy or download it again"); }

  std::string read(std::uint64_t at, std::uint64_t count) {
    if (at > size_ || count > size_ - at) fail_cut();
    std::string bytes(count, '\0');
    stream_.clear();
    stream_.seekg(static_cast<std::streamoff>(at));
    stream_.read(bytes.data(), static_cast<std::streamsize>(count));
    if (!stream_) fail_cut();
    return bytes;
  }

  template <class Number>
  static Number number(const std::string& bytes, std::uint64_t at) {
    Number result = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      const auto byte = static_cast<unsigned char>(bytes.at(at + i));
      result = static_cast<Number>(result | static_cast<Number>(byte) << (8 * i));
    }
    return result;
  }

  void expect_archive() {
    const std::string beginning = read(0, std::min<std::uint64_t>(size_, kFileKindBytes));
    if (beginning.size() >= 4 && number<std::uint32_t>(beginning, 0) == kLocalMark) return;
    const std::string kind = file_kind(beginning);
    fail(kind.empty() ? "it is no zip archive, which torch.jit.save writes" : "it is " + kind);
  }

  // Where the central directory begins, and how many entries it has.
  std::pair<std::uint64_t, std::uint64_t> directory() {
    const std::uint64_t length = std::min(size_, kEndSize + kLongestComment);
    const std::uint64_t start = size_ - length;
    const std::string tail = read(start, length);
    for (std::uint64_t at = length; at-- > 0;) {
      if (length - at < kEndSize || number<std::uint32_t>(tail, at) != kEndMark) continue;
      const auto count = number<std::uint16_t>(tail, at + 10);
      const auto first = number<std::uint32_t>(tail, at + 16);
      if (count != 0xffff && first != kWide) return {first, count};
      if (start + at < kWideLocatorSize) fail_cut();
      const std::string locator = read(start + at - kWideLocatorSize, kWideLocatorSize);
      if (number<std::uint32_t>(locator, 0) != kWideLocatorMark) fail_cut();
      const std::string wide = read(number<std::uint64_t>(locator, 8), 56);
      if (number<std::uint32_t>(wide, 0) != kWideEndMark) fail_cut();
      return {number<std::uint64_t>(wide, 48), number<std::uint64_t>(wide, 32)};
    }
    fail(
        "its end, where the table of its files stands, is missing: it was cut; copy or download "
        "it again");
  }

  Entry read_entry(std::uint64_t at) {
    const std::string fixed = read(at, kDirectorySize);
    if (number<std::uint32_t>(fixed, 0) != kDirectoryMark) fail_cut();
    Entry entry;
    entry.method = number<std::uint16_t>(fixed, 10);
    entry.checksum = number<std::uint32_t>(fixed, 16);
    entry.packed = number<std::uint32_t>(fixed, 20);
    entry.bytes = number<std::uint32_t>(fixed, 24);
    entry.local = number<std::uint32_t>(fixed, 42);
    const std::uint64_t name = number<std::uint16_t>(fixed, 28);
    const std::uint64_t extra = number<std::uint16_t>(fixed, 30);
    entry.name = read(at + kDirectorySize, name);
    read_wide(read(at + kDirectorySize + name, extra), entry);
    entry.next = at + kDirectorySize + name + extra + number<std::uint16_t>(fixed, 32);
    return entry;
  }

  // Numbers that do not fit into 32 bits, in this order, those that are needed.
  void read_wide(const std::string& extra, Entry& entry) const {
    for (std::uint64_t at = 0; at + 4 <= extra.size();) {
      const std::uint64_t length = number<std::uint16_t>(extra, at + 2);
      if (number<std::uint16_t>(extra, at) == kWideExtra) {
        std::uint64_t field = at + 4;
        for (std::uint64_t* value : {&entry.bytes, &entry.packed, &entry.local}) {
          if (*value != kWide) continue;
          if (field + 8 > std::min<std::uint64_t>(extra.size(), at + 4 + length)) fail_cut();
          *value = number<std::uint64_t>(extra, field);
          field += 8;
        }
      }
      at += 4 + length;
    }
  }

  void check_content(const Entry& entry) {
    const std::string local = read(entry.local, kLocalSize);
    if (number<std::uint32_t>(local, 0) != kLocalMark) fail_cut();
    const std::uint64_t start = entry.local + kLocalSize + number<std::uint16_t>(local, 26) +
                                number<std::uint16_t>(local, 28);
    if (entry.method != 0 && entry.method != 8) {
      fail("its file " + entry.name + " is packed by a method that is not known here");
    }
    const auto checksum =
        entry.method == 0 ? checksum_of(start, entry) : checksum_of_deflated(start, entry);
    if (checksum != entry.checksum) {
      fail("its file " + entry.name +
           " does not have the checksum that was written with it: the archive is damaged; copy or "
           "download it again");
    }
  }

  std::uint32_t checksum_of(std::uint64_t start, const Entry& entry) {
    if (entry.packed != entry.bytes) fail_cut();
    uLong sum = ::crc32(0, nullptr, 0);
    for (std::uint64_t done = 0; done < entry.bytes; done += kPiece) {
      const std::string piece = read(start + done, std::min(kPiece, entry.bytes - done));
      sum = ::crc32(
          sum, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
    }
    return static_cast<std::uint32_t>(sum);
  }

  std::uint32_t checksum_of_deflated(std::uint64_t start, const Entry& entry) {
    std::string packed = read(start, entry.packed);
    z_stream inflater{};
    if (::inflateInit2(&inflater, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
    inflater.next_in = reinterpret_cast<Bytef*>(packed.data());
    inflater.avail_in = static_cast<uInt>(packed.size());
    uLong sum = ::crc32(0, nullptr, 0);
    std::vector<Bytef> piece(kPiece);
    std::uint64_t total = 0;
    int status = Z_OK;
    while (status == Z_OK && total <= entry.bytes) {
      inflater.next_out = piece.data();
      inflater.avail_out = static_cast<uInt>(piece.size());
      status = ::inflate(&inflater, Z_NO_FLUSH);
      const auto got = static_cast<uInt>(piece.size()) - inflater.avail_out;
      sum = ::crc32(sum, piece.data(), got);
      total += got;
    }
    ::inflateEnd(&inflater);
    if (status != Z_STREAM_END || total != entry.bytes) fail_cut();
    return static_cast<std::uint32_t>(sum);
  }

  std::string path_;
  std::ifstream stream_;
  std::uint64_t size_ = 0;
};

bool has_part(const std::vector<ArchiveEntry>& entries, const std::string& part) {
  return std::any_of(entries.begin(), entries.end(), [&](const ArchiveEntry& entry) {
    return entry.name.find(part) != std::string::npos;
  });
}

}  // namespace

std::vector<ArchiveEntry> checked_archive(const std::string& file) {
  std::vector<ArchiveEntry> entries = Archive(file).check();
  if (has_part(entries, "/constants.pkl") || has_part(entries, "/code/")) return entries;
  throw DataError(
      file + " is no usable TorchScript archive: it is " +
      (has_part(entries, "/data.pkl")
           ? "what torch.save writes (a state_dict, or a model as a Python object), which holds no "
             "program; write it with torch.jit.save(torch.jit.trace(model.eval(), images), file), "
             "or take its weights to safetensors for unmask import"
           : "a zip archive of another kind; torch.jit.save writes what is needed here"));
}

}  // namespace unmask
