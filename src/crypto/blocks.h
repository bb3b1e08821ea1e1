// AES-128 on independent blocks: the pseudorandom function over the chunker's digests
// (eprint 2025/558). Not for sealing anything.
#pragma once

#include <memory>

#include "crypto/key.h"

namespace holdfast::crypto {

class BlockFunction {
 public:
  template <class Purpose>
  explicit BlockFunction(const Key<Purpose>& key) : BlockFunction(expose(key)) {
    static_assert(Key<Purpose>::kSize == 16);
  }
  ~BlockFunction();
  BlockFunction(BlockFunction&&) noexcept;
  BlockFunction& operator=(BlockFunction&&) noexcept;

  // Each 16 bytes in place. Not shared between threads.
  void apply(std::span<std::uint8_t> blocks);

 private:
  explicit BlockFunction(BytesView key);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto
