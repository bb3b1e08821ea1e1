// Sealing of many short messages that are read one by one: the parts of a local file. AES-256-GCM,
// 16 bytes longer than the message; the nonce is the message's number, so one key is for one file
// that is written once, and it lies in that file, sealed as crypto/seal.h does.
#pragma once

#include <memory>

#include "crypto/key.h"

namespace holdfast::crypto {

constexpr std::size_t kNumberedTag = 16;

// Gives the numbers 0, 1, 2, ... itself: none is used twice.
class NumberedSealer {
 public:
  template <class Purpose>
  explicit NumberedSealer(const Key<Purpose>& key) : NumberedSealer(expose(key)) {
    static_assert(Key<Purpose>::kSize == 32);
  }
  ~NumberedSealer();
  NumberedSealer(NumberedSealer&&) noexcept;

  // Of the message that comes next.
  std::uint64_t next() const { return next_; }
  // Appends the sealed message.
  void seal(BytesView plain, Bytes& to);

 private:
  explicit NumberedSealer(BytesView key);
  struct State;
  std::unique_ptr<State> state_;
  std::uint64_t next_ = 0;
};

// Not for several threads at once.
class NumberedOpener {
 public:
  template <class Purpose>
  explicit NumberedOpener(const Key<Purpose>& key) : NumberedOpener(expose(key)) {
    static_assert(Key<Purpose>::kSize == 32);
  }
  ~NumberedOpener();
  NumberedOpener(NumberedOpener&&) noexcept;
  NumberedOpener& operator=(NumberedOpener&&) noexcept;

  // `out` is kNumberedTag shorter than `sealed`. False, and zeros in `out`: this is not the message
  // of that number.
  [[nodiscard]] bool open(std::uint64_t number, BytesView sealed, std::span<std::uint8_t> out);

 private:
  explicit NumberedOpener(BytesView key);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto
