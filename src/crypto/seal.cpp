#include "crypto/seal.h"

#include "crypto/cobblestone.h"

namespace holdfast::crypto {

std::uint64_t opened_size(std::uint64_t sealed) {
  if (sealed < sealed_size(0)) return 0;
  const std::uint64_t full = (sealed - 56) / (16384 + 16);
  const std::uint64_t last = (sealed - 56) % (16384 + 16);
  if (last >= 16) return full * 16384 + (last - 16);
  return full * 16384 - 1;  // no message has exactly this size; one byte less fits
}

namespace detail {

Bytes seal(BytesView key, BytesView context, BytesView plain) {
  HF_CHECK(key.size() == kSealKeySize);
  std::array<std::uint8_t, kSaltSize> salt;
  random_fill(salt);
  return cobblestone_seal(key.first<kSealKeySize>(), context, salt, plain);
}

Result<Bytes> open(BytesView key, BytesView context, BytesView sealed) {
  HF_CHECK(key.size() == kSealKeySize);
  std::optional<Bytes> plain = cobblestone_open(key.first<kSealKeySize>(), context, sealed);
  if (!plain)
    return Error{Code::kCorrupt, "sealed bytes are damaged, moved, or sealed with another key"};
  return std::move(*plain);
}

}  // namespace detail

}  // namespace holdfast::crypto
