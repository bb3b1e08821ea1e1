// A demand as it was received: who asks for what, about whom, under which instrument. Reading it
// decides nothing; what is missing or makes no sense is for check() to say, with its rule.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "lawful/format.h"

namespace holdfast::lawful {

struct Target {
  std::string account;
  bool everyone = false;
  std::string region;               // where the issuer says the person is; "": it does not say
  std::string person = "unknown";   // "us-person", "non-us-person"
  std::vector<std::string> vaults;  // none: all
  std::vector<std::string> devices;
};

struct Demand {
  Digest digest;  // SHA-256 of the bytes
  std::string instrument;
  std::string reference;
  std::string issuer;
  std::string role;
  std::string contact;
  std::optional<TimeMs> issued_ms;
  std::optional<TimeMs> expires_ms;
  std::vector<std::string> attests;
  std::vector<std::string> classes;
  std::optional<TimeMs> from_ms;  // of the data
  std::optional<TimeMs> until_ms;
  std::optional<TimeMs> gag_until_ms;
  bool gag_indefinite = false;
  std::string about;  // kSecrecy: the reference of the matter
  std::string
      requester_key;  // as `holdfast-disclose keygen` prints it; whether it is one, check() says
  Target target;

  bool gagged() const { return gag_indefinite || gag_until_ms.has_value(); }
};

// kInvalid: not TOML, a name that means nothing, a value of another sort, or no reference, without
// which two demands could not be told apart.
Result<Demand> read_demand(BytesView text);

std::string day_of(TimeMs at);  // "2026-12-01"

}  // namespace holdfast::lawful
