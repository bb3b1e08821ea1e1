#include "crypto/hkdf.h"

#include <algorithm>

#include "crypto/hmac.h"

namespace holdfast::crypto {

namespace {

struct Choice {
  const char* name;
  std::size_t size;
};

Choice choice(HkdfHash hash) {
  switch (hash) {
    case HkdfHash::kSha256: return {"SHA256", 32};
    case HkdfHash::kSha512: return {"SHA512", 64};
  }
  std::abort();
}

}  // namespace

void hkdf_extract_sha256(BytesView salt, std::initializer_list<BytesView> secret,
                         std::span<std::uint8_t, 32> prk) {
  Hmac hmac(salt, "SHA256");
  for (const BytesView part : secret) hmac.update(part);
  hmac.finish(prk);
}

void hkdf_expand(HkdfHash hash, BytesView prk, std::initializer_list<BytesView> info,
                 std::span<std::uint8_t> out) {
  const auto [name, size] = choice(hash);
  HF_CHECK(out.size() <= 255 * size);
  Hmac hmac(prk, name);
  Secret<64> block;  // T(i) of RFC 5869 section 2.3; T(0) is empty
  std::size_t before = 0;
  std::uint8_t counter = 0;
  while (!out.empty()) {
    ++counter;
    hmac.update(block.view().first(before));
    for (const BytesView part : info) hmac.update(part);
    hmac.update({&counter, 1});
    hmac.finish(block.span().first(size));
    const std::size_t used = std::min(out.size(), size);
    std::copy_n(block.view().begin(), used, out.begin());
    out = out.subspan(used);
    before = size;
  }
}

}  // namespace holdfast::crypto
