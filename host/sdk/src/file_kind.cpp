#include "unmask/file_kind.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace unmask {
inline namespace v1 {
namespace {

using std::string_view_literals::operator""sv;

struct Signature {
  std::string_view bytes;
  const char* kind;
};

constexpr std::array kSignatures = {
    Signature{
        "version https://git-lfs.github.com/spec/"sv,
        "a Git LFS pointer, which stands for a file that was not fetched; fetch it with \"git "
        "lfs pull\""},
    Signature{"PK\x03\x04"sv,
              "a zip archive, as torch.save and torch.jit.save write (.pt, .pth); a state_dict is "
              "written as safetensors with safetensors.torch.save_file"},
    Signature{"PK\x05\x06"sv, "an empty zip archive"},
    Signature{"\x1f\x8b"sv, "a gzip archive; unpack it first"},
    Signature{"\xfd"
              "7zXZ"sv,
              "an xz archive; unpack it first"},
    Signature{"\x28\xb5\x2f\xfd"sv, "a zstd archive; unpack it first"},
    Signature{"BZh"sv, "a bzip2 archive; unpack it first"},
    Signature{"\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras writes"},
    Signature{"\x93NUMPY"sv, "a NumPy array (.npy); convert it with safetensors.numpy.save_file"},
    Signature{"GGUF"sv, "a GGUF file"},
    Signature{"\x7f"
              "ELF"sv,
              "a program or a shared library"},
    Signature{"SQLite format 3\0"sv, "an SQLite database"},
    Signature{"\x89PNG\r\n\x1a\n"sv, "a PNG image"},
    Signature{"\xff\xd8\xff"sv, "a JPEG image"},
    Signature{"%PDF-"sv, "a PDF document"},
    Signature{"<?xml"sv, "an XML document, perhaps the answer of a server to a failed download"},
};

constexpr const char* kHtml = "an HTML page, perhaps the answer of a server to a failed download";

bool starts_with_word(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char wanted, char c) {
           return wanted == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
         });
}

// Protocols 2 to 5 begin with their number; older ones have no signature.
bool is_pickle(std::string_view bytes) {
  return bytes.size() >= 3 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5 &&
         std::strchr("\x95}]()cXKq\x8a", bytes[2]) != nullptr && bytes[2] != '\0';
}

bool is_safetensors(std::string_view bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length + 1) return false;
  std::memcpy(&length, bytes.data(), sizeof length);
  return length < 100'000'000 && bytes[sizeof length] == '{';
}

}  // namespace

std::string file_kind(std::string_view beginning) {
  if (beginning.empty()) return "an empty file";
  for (const Signature& signature : kSignatures) {
    if (beginning.starts_with(signature.bytes)) return signature.kind;
  }
  if (is_pickle(beginning)) {
    return "a Python pickle, as old versions of torch.save write; load it with torch.load and "
           "write "
           "its tensors with safetensors.torch.save_file";
  }
  if (is_safetensors(beginning)) return "a safetensors file";
  if (beginning.size() > 262 && beginning.substr(257, 5) == "ustar") {
    return "a tar archive; unpack it first";
  }
  std::string_view text = beginning;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (starts_with_word(text, "<!doctype html") || starts_with_word(text, "<html")) return kHtml;
  if (text.starts_with('{')) {
    const bool is_index = text.find("\"weight_map\"") != std::string_view::npos;
    return is_index ? "the index of weights that are split into several files; give one of the "
                      "files, or join them"
                    : "JSON text";
  }
  return "";
}

}  // namespace v1
}  // namespace unmask
