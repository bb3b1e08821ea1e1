#include "tar.h"

#include <algorithm>
#include <cstdio>

namespace holdfast::disclose {
namespace {

// IEEE Std 1003.1, pax: ustar headers, and one of records before each that does not fit.
struct Header {
  std::string path;
  std::string link;
  char type = '0';
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::string user;
  std::string group;
  std::int64_t mtime = 0;
  std::uint64_t rdev = 0;
};

constexpr std::uint64_t kMaxOctal8 = (std::uint64_t{1} << 33) - 1;
constexpr std::uint64_t kMaxId = 07777777;

void put(Bytes& block, std::size_t at, std::size_t size, const std::string& text) {
  std::copy_n(text.begin(), std::min(size, text.size()), block.begin() + static_cast<long>(at));
}

std::string octal(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

Bytes ustar(const Header& h) {
  Bytes block(kTarBlock);
  put(block, 0, 100, h.path);
  put(block, 100, 8, octal(h.mode & 07777U, 7));
  put(block, 108, 8, octal(h.uid > kMaxId ? 0 : h.uid, 7));
  put(block, 116, 8, octal(h.gid > kMaxId ? 0 : h.gid, 7));
  put(block, 124, 12, octal(h.size > kMaxOctal8 ? 0 : h.size, 11));
  const auto mtime = static_cast<std::uint64_t>(std::max<std::int64_t>(h.mtime, 0));
  put(block, 136, 12, octal(mtime > kMaxOctal8 ? 0 : mtime, 11));
  put(block, 148, 8, "        ");
  block[156] = static_cast<std::uint8_t>(h.type);
  put(block, 157, 100, h.link);
  put(block, 257, 8, std::string("ustar\0", 6) + "00");
  put(block, 265, 31, h.user);
  put(block, 297, 31, h.group);
  put(block, 329, 8, octal((h.rdev >> 8U) & 0xfffU, 7));
  put(block, 337, 8, octal(h.rdev & 0xffU, 7));
  std::uint64_t sum = 0;
  for (const std::uint8_t byte : block) sum += byte;
  put(block, 148, 8, octal(sum, 6) + std::string("\0 ", 2));
  return block;
}

// "<length> key=value\n", the length with itself.
std::string record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

Bytes header(const Header& h) {
  std::string records;
  if (h.path.size() > 100) records += record("path", h.path);
  if (h.link.size() > 100) records += record("linkpath", h.link);
  if (h.size > kMaxOctal8) records += record("size", std::to_string(h.size));
  if (h.uid > kMaxId) records += record("uid", std::to_string(h.uid));
  if (h.gid > kMaxId) records += record("gid", std::to_string(h.gid));
  if (h.mtime < 0 || static_cast<std::uint64_t>(h.mtime) > kMaxOctal8)
    records += record("mtime", std::to_string(h.mtime));
  Bytes out;
  if (!records.empty()) {
    Header pax;
    pax.path = "PaxHeaders/" + h.path.substr(0, 80);
    pax.type = 'x';
    pax.mode = 0600;
    pax.size = records.size();
    out = ustar(pax);
    append(out, as_bytes(records));
    append(out, tar_padding(records.size()));
  }
  append(out, ustar(h));
  return out;
}

Header header_of(const std::string& path, const archive::Entry& entry) {
  Header h;
  h.path = path;
  h.mode = entry.mode;
  h.uid = entry.uid;
  h.gid = entry.gid;
  h.user = std::string(as_text(entry.user));
  h.group = std::string(as_text(entry.group));
  h.mtime = entry.mtime.seconds;
  return h;
}

}  // namespace

Bytes tar_header(const std::string& path, const archive::Entry& entry) {
  Header h = header_of(path, entry);
  switch (entry.kind) {
    case archive::EntryKind::kFile: h.size = entry.size; break;
    case archive::EntryKind::kDirectory:
      h.type = '5';
      h.path += "/";
      break;
    case archive::EntryKind::kSymlink:
      h.type = '2';
      h.link = std::string(as_text(entry.target));
      break;
    case archive::EntryKind::kFifo: h.type = '6'; break;
    case archive::EntryKind::kCharDevice: h.type = '3'; break;
    case archive::EntryKind::kBlockDevice: h.type = '4'; break;
  }
  h.rdev = entry.rdev;
  return header(h);
}

Bytes tar_link(const std::string& path, const archive::Entry& entry, const std::string& first) {
  Header h = header_of(path, entry);
  h.type = '1';
  h.link = first;
  return header(h);
}

Bytes tar_folder(const std::string& path) {
  Header h;
  h.path = path + "/";
  h.type = '5';
  h.mode = 0755;
  return header(h);
}

Bytes tar_padding(std::uint64_t size) {
  return Bytes(static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock));
}

Bytes tar_end(std::uint64_t size, std::uint64_t multiple) {
  const std::uint64_t least = size + 2 * kTarBlock;
  return Bytes(static_cast<std::size_t>((least + multiple - 1) / multiple * multiple - size));
}

}  // namespace holdfast::disclose
