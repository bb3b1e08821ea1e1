// A device with an account of its own at the measured service. The same name gives the same keys,
// so that one run of this program can go on with an account that another made.
#pragma once

#include <string>
#include <vector>

#include "line.h"
#include "support/circle_maker.h"

namespace holdfast::bench {

class Member {
 public:
  // `pin`: the service's; what a proof is bound to.
  Member(const std::string& name, Bytes pin);

  // The account at the service: genesis and one vault. One that another run made is good enough for
  // packs.
  Result<void> sign_up(Line& line);
  // Something in the account changes: a second vault.
  Result<void> change(Line& line);

  // The head of a signed request. `body`: the SHA-256 of what follows.
  std::string head(const std::string& method, const std::string& target, const Digest& body,
                   std::uint64_t size) const;
  Result<Answer> get(Line& line, const std::string& target) const;
  Result<void> put_pack(Line& line, BytesView pack) const;
  // Of the records made by make_record(), in order.
  Result<void> append_record(Line& line, BytesView record) const;
  Bytes make_record();
  // The number of now; with `wait_ms` once it is above `seen`, or after that time.
  Result<std::uint64_t> changes(Line& line, std::uint64_t seen, std::int64_t wait_ms) const;
  std::string changes_head(std::uint64_t seen, std::int64_t wait_ms) const;

 private:
  Result<void> post_statement(Line& line, std::size_t seq, const circle::EpochInfo& info);

  const std::string name_;
  const Bytes pin_;
  testkit::CircleMaker maker_;
  VaultId vault_;
};

// As many, signed up by a few threads, each from its own address.
Result<std::vector<std::unique_ptr<Member>>> make_members(const Target& target,
                                                          const std::string& prefix,
                                                          std::size_t count);
// 127.0.0.2, .3, ...: so many devices come from one address.
std::string address_of(std::size_t device, std::size_t per_address);

Result<void> expect_ok(const Result<Answer>& answer, std::string_view what);

}  // namespace holdfast::bench
