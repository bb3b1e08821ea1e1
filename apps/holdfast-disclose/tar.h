// A tar stream (POSIX pax): what any system unpacks. The same entries make the same bytes.
#pragma once

#include "archive/format.h"
#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::disclose {

constexpr std::size_t kTarBlock = 512;

// The header blocks of one entry at `path` (no leading '/'). A file's `size` bytes follow, and
// tar_padding() after them.
Bytes tar_header(const std::string& path, const archive::Entry& entry);
// Of a file that has the content of one before, at `first`.
Bytes tar_link(const std::string& path, const archive::Entry& entry, const std::string& first);
// Of a folder that no entry is of.
Bytes tar_folder(const std::string& path);
Bytes tar_padding(std::uint64_t size);
// Zeros up to a multiple of `multiple`, two blocks at least.
Bytes tar_end(std::uint64_t size, std::uint64_t multiple);

}  // namespace holdfast::disclose
