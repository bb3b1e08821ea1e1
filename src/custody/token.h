// The token that keeps custodial keys: an HSM, or what stands for one, behind PKCS#11.
//
// Each account has a key object of its own, made in the token and never out of it: an AES-256 key
// that seals 32 bytes. Destroying it makes what it sealed unreadable, whoever kept a copy.
//
// Trusted for that: whoever controls the token can open what it sealed. The module is code in this
// process, as trusted as the process itself.
#pragma once

#include <memory>
#include <string>

#include "base/id.h"
#include "crypto/wrap.h"

namespace holdfast::custody {

struct TokenPlace {
  std::string module;    // path of the PKCS#11 module
  std::string label;     // of the token
  std::string pin_file;  // its first line is the user's PIN
};

// Names a key object: an account has another after each that was destroyed. The zero circle with
// number 0 is nobody's: it tells whether this is the token that it was.
struct KeyObject {
  CircleId circle;
  std::uint64_t number = 0;
};

constexpr std::size_t kSealedSeed = 12 + 32 + 16;  // nonce, ciphertext, tag

// One for each module in a process. Safe from several threads: one call after the other. A lost
// session is opened anew, once a call; after a wrong PIN nothing is tried again, or the token would
// lock itself. Every function:
// kUnavailable: the token or its module fails. kDenied: it does not take the PIN.
class Token {
 public:
  // kInvalid: the module cannot be loaded. kNotFound: it has no such token, or there is no PIN.
  static Result<std::unique_ptr<Token>> open(TokenPlace place);
  ~Token();

  Result<bool> has(const KeyObject& name);
  // Durable once it returns. kConflict: it is there. kUnavailable also where the token is full.
  Result<void> make(const KeyObject& name);
  // kNotFound: there is no such object. `context` says where the result lives.
  Result<Bytes> seal(const KeyObject& name, BytesView context,
                     const crypto::Key<crypto::WrapPurpose>& seed);
  // Likewise. kCorrupt: it was not sealed by this object, or for another place.
  Result<crypto::Key<crypto::WrapPurpose>> open(const KeyObject& name, BytesView context,
                                                BytesView sealed);
  // Durable once it returns. Nothing there is success.
  Result<void> destroy(const KeyObject& name);

 private:
  struct State;
  explicit Token(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::custody
