// Some vectors are stored as zlib streams: their ciphertexts are megabytes of zeros.
#pragma once

#include <optional>

#include "base/bytes.h"

namespace holdfast::vectors {

// nullopt unless `bytes` is one whole zlib stream (RFC 1950) of at most 256 MiB.
std::optional<Bytes> inflate(BytesView bytes);

}  // namespace holdfast::vectors
