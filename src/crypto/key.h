// Key<Purpose>: a secret that moves, never copies, wipes itself, and cannot be printed, compared
// or indexed. Its bytes lie in the key arena.
//
// A Purpose is an empty struct declared in keys/hierarchy.h (in this module only the few that the
// primitives themselves need). What may be derived from what is a specialisation of Derivation,
// which stands there and nowhere else: a derivation that is not listed does not compile.
//
// The arena is memory locked against swapping and left out of core dumps as far as the limits of
// the process allow; arena_protected() says whether they did.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::crypto {

// True while every page of the arena so far could be locked (RLIMIT_MEMLOCK).
bool arena_protected();
// Leaves the process out of core dumps and out of reach of other processes of the same user
// (prctl PR_SET_DUMPABLE, RLIMIT_CORE 0). Called once by every program that holds keys.
void protect_process();

namespace detail {

// A slot of 32 bytes in the arena; zeroed and returned on destruction.
class Slot {
 public:
  static constexpr std::size_t kSize = 32;
  Slot();
  ~Slot();
  Slot(Slot&& other) noexcept : at_(other.at_) { other.at_ = nullptr; }
  Slot& operator=(Slot&& other) noexcept;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  std::uint8_t* data() const { return at_; }

 private:
  std::uint8_t* at_;
};

}  // namespace detail

template <class Purpose>
constexpr std::size_t key_size() {
  if constexpr (requires { Purpose::kSize; }) {
    static_assert(Purpose::kSize <= detail::Slot::kSize);
    return Purpose::kSize;
  } else {
    return detail::Slot::kSize;
  }
}

template <class Purpose>
class Key {
 public:
  static constexpr std::size_t kSize = key_size<Purpose>();

  // Fresh from the kernel's generator.
  static Key random();
  // Copies exactly kSize bytes in; the caller wipes its own.
  static Key from_bytes(BytesView bytes);

  Key(Key&&) noexcept = default;
  Key& operator=(Key&&) noexcept = default;

 private:
  Key() = default;
  detail::Slot slot_;

  template <class P>
  friend BytesView expose(const Key<P>& key);
  template <class P>
  friend Key<P> make_key(auto&& fill);
};

// The only way to the bytes. Lint keeps the list of files that may call it
// (tools/expose_allowlist).
template <class Purpose>
BytesView expose(const Key<Purpose>& key) {
  return {key.slot_.data(), Key<Purpose>::kSize};
}

// A key written in place: `fill` gets a span of kSize bytes. For this module.
template <class Purpose>
Key<Purpose> make_key(auto&& fill) {
  Key<Purpose> key;
  fill(std::span<std::uint8_t>(key.slot_.data(), Key<Purpose>::kSize));
  return key;
}

// Overwrites bytes in a way the compiler keeps.
void wipe(std::span<std::uint8_t> bytes);

// A buffer that is wiped when it goes, for secrets on their way in or out (a typed passphrase, an
// opened envelope). Not locked in memory.
class WipedBytes {
 public:
  WipedBytes() = default;
  explicit WipedBytes(Bytes bytes) : bytes_(std::move(bytes)) {}
  ~WipedBytes() { wipe(bytes_); }
  WipedBytes(WipedBytes&& other) noexcept : bytes_(std::move(other.bytes_)) {
    other.bytes_.clear();
  }
  WipedBytes& operator=(WipedBytes&& other) noexcept {
    wipe(bytes_);
    bytes_ = std::move(other.bytes_);
    other.bytes_.clear();
    return *this;
  }
  BytesView view() const { return bytes_; }

 private:
  Bytes bytes_;
};

// Specialised in keys/hierarchy.h only: `static constexpr std::string_view kLabel`.
template <class From, class To>
struct Derivation;

void random_fill(std::span<std::uint8_t> out);  // getrandom(2); ends the process if that fails
// HKDF-SHA256 (RFC 5869): Extract with an empty salt, Expand with `info`.
void hkdf(BytesView secret, BytesView info, std::span<std::uint8_t> out);

template <class Purpose>
Key<Purpose> Key<Purpose>::random() {
  return make_key<Purpose>([](std::span<std::uint8_t> out) { random_fill(out); });
}

template <class Purpose>
Key<Purpose> Key<Purpose>::from_bytes(BytesView bytes) {
  HF_CHECK(bytes.size() == kSize);
  return make_key<Purpose>([&](std::span<std::uint8_t> out) {
    for (std::size_t i = 0; i < kSize; ++i) out[i] = bytes[i];
  });
}

// HKDF(from, info = label || context). `context` must be of one fixed length for each Derivation,
// or CBOR, so that two contexts never spell the same info.
template <class To, class From>
Key<To> derive(const Key<From>& from, BytesView context = {}) {
  Bytes info = to_bytes(as_bytes(Derivation<From, To>::kLabel));
  append(info, context);
  return make_key<To>([&](std::span<std::uint8_t> out) { hkdf(expose(from), info, out); });
}

// Many secret bytes that are no key (the chunker's tables): HKDF(from, info = label).
template <class From>
void expand(const Key<From>& from, std::string_view label, std::span<std::uint8_t> out) {
  hkdf(expose(from), as_bytes(label), out);
}

}  // namespace holdfast::crypto
