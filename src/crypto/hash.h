// SHA-256, HMAC-SHA256, and comparing secrets.
#pragma once

#include <initializer_list>
#include <memory>

#include "base/id.h"
#include "crypto/key.h"

namespace holdfast::crypto {

Digest sha256(BytesView bytes);
// Of `label || bytes`: labels stand in docs/formats/labels.md, none is used twice.
Digest sha256(std::string_view label, BytesView bytes);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(BytesView bytes);
  Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

namespace detail {
Digest hmac(BytesView key, std::initializer_list<BytesView> parts);
}

// HMAC-SHA256 over `label || bytes`.
template <class Purpose>
Digest mac(const Key<Purpose>& key, std::string_view label, BytesView bytes) {
  return detail::hmac(expose(key), {as_bytes(label), bytes});
}

// An HMAC keyed once, for many messages (chunk ids). Not shared between threads.
class Mac {
 public:
  template <class Purpose>
  explicit Mac(const Key<Purpose>& key) : Mac(expose(key)) {}
  ~Mac();
  Mac(Mac&&) noexcept;
  Mac& operator=(Mac&&) noexcept;
  Digest compute(std::uint8_t type, BytesView bytes);  // over type || bytes

 private:
  explicit Mac(BytesView key);
  struct State;
  std::unique_ptr<State> state_;
};

// In time that does not depend on the contents.
bool equal(BytesView a, BytesView b);

}  // namespace holdfast::crypto
